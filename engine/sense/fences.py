"""A set of fences compiled for sensing: which hold a point, how far is the border, how likely is the inside."""

import math
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from typing import Any
from weakref import ref

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from engine.model.fence import Circle, Corridor, Fence, Polygons, Shape
from engine.sense import compiling
from engine.sense import shape as shapes
from engine.sense.arithmetic import MEAN_RADIUS, Bools, Floats, Ints, arc, ecef, erf_positive, metres_per_degree, scales
from engine.sense.chains import Band, Chains, Points
from engine.sense.depths import Depths
from engine.sense.exact import SpaceEdges
from engine.sense.fixes import Fixes
from engine.sense.hours import Hours
from engine.sense.index import BoxIndex
from engine.sense.mass import REACH, SIGMA_PER_ACCURACY, circle_mass, edges_mass, near_lost
from engine.sense.nearby import Nearby

CIRCLE, AREA, LINE, NOTHING = 0, 1, 2, 3
_SEARCHES = 300  # fences searched closely for whether any fix could enter them
ROUNDING = 1e-6  # metres: nearer to an edge than this, Shapely is asked for the side
TOUCHING = 1e-3  # metres: nearer than this, which side a mass is counted from needs care
PLANE = 80.0  # degrees of latitude beyond which one plane does not serve
LOCAL = 12_000.0  # metres to the middle of a circle within which one plane serves


def _sigmas(mass: float) -> float:
    return math.sqrt(-2.0 * math.log(min(max(mass, 1e-300), 1.0)))


_BOX = ("lon", "lat", "half_width", "half_height")
_CELL = ("unit", "wide", "high")
_OWN = ("grow", "radius", "east", "north", "kind", "seam")
_GROUND = np.dtype(
    [(name, np.float64) for name in (*_BOX, "across", "up", *_CELL, *_OWN[:4])]
    + [("first", np.int32), ("rows", np.int32), ("kind", np.int8), ("chain", np.int8), ("seam", np.bool_)],
    align=True,
)


class FenceSet:
    """Immutable, compiled geometry. Fences are numbered in the order of their ids."""

    grounded = False  # whether the kernels are in use, and what they need is to be made ready when compiling

    def __init__(
        self, fences: Sequence[Fence], dwells: Mapping[str, tuple[float, ...]], like: "FenceSet | None" = None
    ) -> None:
        by_id = {fence.id: fence for fence in fences}
        self.ids = compiling.in_order(list(by_id))
        self.fences: Mapping[str, Fence] = {name: by_id[name] for name in self.ids}
        self.position = {name: index for index, name in enumerate(self.ids)}
        self.dwells = [tuple(sorted({*by_id[name].dwell, *dwells.get(name, ())})) for name in self.ids]
        self.dwell_table = _table(self.dwells)
        count = len(self.ids)
        self._kind = np.full(count, NOTHING, np.int8)
        self._grow, self._radius = np.zeros(count), np.zeros(count)
        self._centre = np.zeros((count, 3))
        self._seam = np.zeros(count, np.bool_)
        self._box = np.zeros((count, 4))
        self._box[:, 2] = -1.0
        here, there = (np.zeros(0, np.int64),) * 2 if like is None else self._same(like)
        if like is None or not len(here):
            self._chains = Chains(self._compile(np.arange(count)))
        else:
            for name in ("_kind", "_grow", "_radius", "_centre", "_seam", "_box"):
                getattr(self, name)[here] = getattr(like, name)[there]
            fresh = np.setdiff1d(np.arange(count), here)
            made = Chains(self._compile(fresh))
            parts = ((like._chains, there, here), (made, np.arange(len(fresh)), fresh))
            self._chains = Chains.joined(parts, count)
        self.hours = self._opening(like)
        self._came: tuple[ref[FenceSet], Ints, Bools] | None = None
        if like is not None:
            self.succeed(like)
        self.index = BoxIndex(*(np.ascontiguousarray(self._box[:, k]) for k in range(4)))
        edged = (self._kind == AREA) | (self._kind == LINE)
        self._east, self._north = scales(self.index.lat)
        self.depths = Depths(self.index, edged & ~self._seam)
        self._areas: dict[int, BaseGeometry] = {}
        self._grown: dict[int, BaseGeometry] = {}
        self._space: dict[tuple[int, bool], SpaceEdges] = {}

    @classmethod
    def compile(
        cls,
        fences: Sequence[Fence],
        dwells: Mapping[str, tuple[float, ...]] | None = None,
        like: "FenceSet | None" = None,
        crosses: Collection[str] = (),
        approaches: Mapping[str, tuple[float, ...]] | None = None,
    ) -> "FenceSet":
        """``dwells``: fence id -> durations in seconds that rules want, merged with each fence's own. ``crosses``: ids
        of fences that rules want to know crossed; ``approaches``: fence id -> how near a device is to come, in metres
        or (below zero) in seconds to arrival. Shapes that are not valid are repaired; one that encloses nothing is
        never entered. What ``like`` has compiled of the same fences is taken from there."""
        made = cls(fences, dwells or {}, like)
        made._watch(crosses, approaches or {})
        if cls.grounded:
            made.ground  # noqa: B018  (nobody is to wait for it later)
        return made

    @cached_property
    def ground(self) -> tuple[Any, ...]:
        """What the kernels need to know: a row per fence, the index, bounds, and chains."""
        index, chains, depths = self.index, self._chains, self.depths
        table = np.zeros(len(self.ids), _GROUND)
        columns: dict[str, Any] = {name: getattr(index, name) for name in _BOX}
        columns |= zip(("across", "up"), index.stretch(), strict=True)
        columns |= zip(_CELL, depths.cells(), strict=True)
        columns |= {name: getattr(self, f"_{name}") for name in _OWN}
        columns |= {"first": chains.first, "rows": chains.rows, "chain": chains.kind}
        for name, column in columns.items():
            table[name] = column
        return table, *index.parts(), depths.bounds, tuple(chains.x), tuple(chains.y)

    def _watch(self, crosses: Collection[str], approaches: Mapping[str, tuple[float, ...]]) -> None:
        """What only some fences need: by position."""
        wanted, numbered = set(crosses), list(enumerate(self.fences.values()))
        crossed = [number for number, fence in numbered if fence.cross or fence.id in wanted]
        self.crossed = Nearby(self.index, crossed)
        self.approached = {self.position[name]: tuple(approaches[name]) for name in approaches if name in self.position}
        self.approachable = Nearby(self.index, list(self.approached))
        self.silent = frozenset(number for number in self.hours if self.fences[self.ids[number]].on_open == "ignore")

    def _opening(self, like: "FenceSet | None") -> dict[int, Hours]:
        """The hours of the fences that have some, by position."""
        found = {}
        for number, (name, fence) in enumerate(self.fences.items()):
            if fence.open or fence.but or fence.valid != (None, None):
                same = like is not None and like.fences.get(name) is fence
                found[number] = like.hours[like.position[name]] if like is not None and same else Hours.of(fence)
        return found

    # ------------------------------------------------------------------ compiling

    def _same(self, like: "FenceSet") -> tuple[Ints, Ints]:
        """The positions, here and there, of the fences that another set has just so."""
        held, position = like.fences, like.position
        here = [
            row
            for row, (name, fence) in enumerate(self.fences.items())
            if (old := held.get(name)) is fence or old == fence
        ]
        return np.array(here, np.int64), np.array([position[self.ids[row]] for row in here], np.int64)

    def moves(self, old: "FenceSet") -> tuple[Ints, Bools]:
        """Where each fence of another set is in this one (NONE where it is gone; one more NONE at the end), and which
        of them are gone or have other dwells or hours. Known beforehand of the set that this one was compiled like."""
        if self._came is not None and self._came[0]() is old:
            return self._came[1], self._came[2]
        return self._moves(old)

    def succeed(self, old: "FenceSet") -> None:
        """Know beforehand what ``moves`` tells of another set: with many fences it takes a tenth of a second, which
        nobody is to wait for when this one comes into force."""
        if self._came is None or self._came[0]() is not old:
            self._came = (ref(old), *self._moves(old))

    def _moves(self, old: "FenceSet") -> tuple[Ints, Bools]:
        moved = np.array([self.position.get(name, -1) for name in old.ids] + [-1], np.int64)
        own = self.dwells
        other = [at < 0 or own[at] != dwells for at, dwells in zip(moved[:-1].tolist(), old.dwells, strict=True)]
        scheduled = {old.position[name] for number in self.hours if (name := self.ids[number]) in old.position}
        for number in sorted(scheduled.union(old.hours)):
            other[number] = other[number] or self.hours.get(int(moved[number])) != old.hours.get(number)
        return moved, np.array(other, np.bool_)

    def _compile(self, rows: Ints) -> list[list[Floats]]:
        """Fill the columns of these fences; their chains."""
        fences = [self.fences[self.ids[row]] for row in rows.tolist()]
        self._grow[rows] = [max(fence.catchment, 0.0) for fence in fences]
        plain = compiling.plain_rings(fences)
        self._kind[rows[list(plain)]] = AREA
        chains = [
            plain[k] if k in plain else self._chains_of(row, fence.shape)
            for k, (row, fence) in enumerate(zip(rows.tolist(), fences, strict=True))
        ]
        drawn = [k for k, rings in enumerate(chains) if rings]
        if drawn:
            around = compiling.bounds([chains[k] for k in drawn])
            self._box[rows[drawn]], self._seam[rows[drawn]] = compiling.frames(*around, self._grow[rows[drawn]])
        self._circles(rows[[k for k, fence in enumerate(fences) if isinstance(fence.shape, Circle)]])
        return chains

    def _chains_of(self, index: int, shape: Shape) -> list[Floats]:
        """What is not plain: lines, and polygons that need mending."""
        if isinstance(shape, Circle):
            return []
        if isinstance(shape, Corridor):
            self._grow[index] += shape.radius
            chains = [line] if len(line := shapes.line(shape)) else []
        else:
            chains = shapes.rings_of(shapes.area(shape))
            if chains or not self._grow[index]:
                self._kind[index] = AREA if chains else NOTHING
                return chains
            chains = shapes.outline(shape)
        if chains:
            self._kind[index] = LINE
        return chains

    def _circles(self, rows: Ints) -> None:
        if len(rows):
            shapes_ = [self.fences[self.ids[row]].shape for row in rows.tolist()]
            lon, lat, radius = compiling.circles([shape for shape in shapes_ if isinstance(shape, Circle)])
            self._kind[rows], self._radius[rows] = CIRCLE, radius + self._grow[rows]
            self._centre[rows] = np.column_stack(ecef(lat, lon))
            self._box[rows] = np.column_stack([lon, lat, *compiling.spans(lat, self._radius[rows])])

    # ------------------------------------------------------------------ many pairs at once

    def measure(self, fixes: Fixes, at: Ints, fences: Ints) -> tuple[Bools, Floats]:
        """For pairs (index into fixes, fence): inside or not (exactly), and signed metres to the border."""
        inside, metres = np.zeros(len(at), np.bool_), np.full(len(at), -np.inf)
        kind = self._kind[fences]
        round_ = np.flatnonzero(kind == CIRCLE)
        if len(round_):
            metres[round_] = self._to_circle(fixes, at[round_], fences[round_])
            inside[round_] = metres[round_] >= 0.0
        edged = np.flatnonzero((kind == AREA) | (kind == LINE))
        if len(edged):
            inside[edged], metres[edged] = self._to_edges(fixes, at[edged], fences[edged])
        return inside, metres

    def _to_circle(self, fixes: Fixes, at: Ints, fences: Ints) -> Floats:
        dx = fixes.lon[at] - self.index.lon[fences]
        dx -= 360.0 * np.rint(dx / 360.0)
        dx *= 0.5 * (fixes.east[at] + self._east[fences])
        dy = fixes.lat[at] - self.index.lat[fences]
        dy *= 0.5 * (fixes.north[at] + self._north[fences])
        away = np.sqrt(dx * dx + dy * dy)
        far = ((away > LOCAL) | (np.abs(fixes.lat[at]) > PLANE)).nonzero()[0]
        if len(far):
            centre, point = self._centre[fences[far]], at[far]
            x, y, z = (centre[:, k] - fixes.space[k][point] for k in range(3))
            away[far] = arc(x * x + y * y + z * z)
        return self._radius[fences] - away

    def _to_edges(self, fixes: Fixes, at: Ints, fences: Ints) -> tuple[Bools, Floats]:
        points = self.points(fixes, at, fences)
        inside, metres, _ = self._chains.measure(fences, points)
        return self.signed(fences, points, inside, metres)

    def points(self, fixes: Fixes, at: Ints, fences: Ints) -> Points:
        """Where the fixes of pairs are, as their fences see them: longitudes are moved by whole turns to where each
        fence was drawn."""
        lon = fixes.lon[at]
        lon -= 360.0 * np.rint((lon - self.index.lon[fences]) / 360.0)
        return Points(lon, fixes.lat[at], fixes.east[at], fixes.north[at])

    def signed(self, fences: Ints, points: Points, inside: Bools, metres: Floats) -> tuple[Bools, Floats]:
        """From parity and metres to the nearest edge to inside or not (exactly) and signed metres to the border."""
        area, grow = self._kind[fences] == AREA, self._grow[fences]
        inside &= area
        unsure = (area & (metres < ROUNDING)).nonzero()[0]
        if len(unsure):
            areas = np.array([self._area(fence) for fence in fences[unsure].tolist()], object)
            inside[unsure] = shapely.intersects_xy(areas, points.lon[unsure], points.lat[unsure])
        bent = (np.abs(points.lat) > PLANE) | self._seam[fences]
        for k in (bent & (self._kind[fences] != NOTHING)).nonzero()[0]:
            metres[k] = self._in_space(int(fences[k])).distance(float(points.lon[k]), float(points.lat[k]))
        signed = np.where(inside, metres, -metres)
        signed += grow
        return inside | ((grow > 0.0) & (signed >= 0.0)), signed

    def odd(self, fences: Ints, lat: Floats) -> Bools:
        """Pairs whose mass no plane with the drawn edges gives: grown shapes, polar fixes, rings around the Earth."""
        strange: Bools = (self._grow[fences] > 0.0) | (np.abs(lat) > PLANE) | self._seam[fences]
        return strange

    def mass(self, fixes: Fixes, at: Ints, fences: Ints, metres: Floats) -> Floats:
        """P(inside) of pairs with sigma > 0; ``metres`` as ``measure`` gave them."""
        out = np.where(metres >= 0.0, 1.0, 0.0)
        sigma = fixes.sigma[at]
        close = np.abs(metres) < REACH * sigma
        round_ = close & (self._kind[fences] == CIRCLE)
        edged = close & ~round_
        odd = edged & self.odd(fences, fixes.lat[at])
        touching = edged & ~odd & (np.abs(metres) < TOUCHING)
        some = round_.nonzero()[0]
        if len(some):
            out[some] = circle_mass(metres[some] / sigma[some], self._radius[fences[some]] / sigma[some])
        some = (edged & ~odd & ~touching).nonzero()[0]
        if len(some):
            out[some] = self._mass_near(fixes, at[some], fences[some], metres[some])
        some = touching.nonzero()[0]
        if len(some):
            out[some] = self._mass_whole(fixes, at[some], fences[some])
        for k in odd.nonzero()[0]:
            out[k] = self._mass_in_space(fixes, int(at[k]), int(fences[k]))
        return out

    def _mass_near(self, fixes: Fixes, at: Ints, fences: Ints, metres: Floats) -> Floats:
        reach = REACH * fixes.sigma[at]
        everywhere = Band(np.full(len(at), -np.inf), np.full(len(at), np.inf), reach * reach)
        _, _, near = self._chains.measure(fences, self.points(fixes, at, fences), everywhere)
        scale = 1.0 / fixes.sigma[at][near.owner]
        lost = near_lost(near.owner, len(at), *(end * scale for end in near[1:]))
        mass: Floats = np.minimum(np.maximum((metres >= 0.0) - lost, 0.0), 1.0)
        return mass

    def _mass_whole(self, fixes: Fixes, at: Ints, fences: Ints) -> Floats:
        """From all edges; right also on a border."""
        owner, *ends = self._chains.edges(fences, self.points(fixes, at, fences))
        sigma = fixes.sigma[at][owner]
        return edges_mass(owner, len(at), *(end / sigma for end in ends))

    def _mass_in_space(self, fixes: Fixes, at: int, fence: int) -> float:
        edges = self._in_space(fence, grown=self._grow[fence] > 0.0)
        ends = edges.plane(float(fixes.lon[at]), float(fixes.lat[at]))
        x1, y1, x2, y2 = (end / fixes.sigma[at] for end in ends)
        return float(edges_mass(np.zeros(len(x1), np.int64), 1, x1, y1, x2, y2)[0])

    # ------------------------------------------------------------------ single questions

    def containing(self, lat: float, lon: float) -> list[str]:
        """Ids of the fences that hold the point (boundary included), in order."""
        fixes = Fixes.one(lat, lon)
        at, fences = self.index.query(fixes.lon, fixes.lat)
        inside, _ = self.measure(fixes, at, fences)
        return [self.ids[f] for f in np.sort(fences[inside])]

    def distance(self, fence: str, lat: float, lon: float) -> float:
        """Signed geodesic metres to the border of the fence (catchment included), positive inside; KeyError when
        unknown, minus infinity where the shape encloses nothing."""
        return self.metres(self.position[fence], Fixes.one(lat, lon), 0)

    def metres(self, fence: int, fixes: Fixes, at: int) -> float:
        """Like ``distance``, by position, for one of these fixes."""
        inside, near = self.measure(fixes, np.array([at]), np.array([fence]))
        if self._kind[fence] in (CIRCLE, NOTHING):
            return float(near[0])
        edges = self._in_space(fence)
        far = edges.distance(float(fixes.lon[at]), float(fixes.lat[at]))
        if self._kind[fence] == LINE:
            return float(self._grow[fence]) - far
        within = bool(inside[0]) if self._grow[fence] == 0.0 else near[0] >= self._grow[fence]
        return float(self._grow[fence]) + (far if within else -far)

    def probability(self, fence: str, lat: float, lon: float, accuracy: float) -> float:
        """P(inside) for a fix of that accuracy (metres, 68 %); at 0 plain containment. KeyError when unknown."""
        fixes, at, fences = Fixes.one(lat, lon, accuracy), np.array([0]), np.array([self.position[fence]])
        inside, metres = self.measure(fixes, at, fences)
        if accuracy <= 0.0:
            return 1.0 if inside[0] else 0.0
        return float(self.mass(fixes, at, fences, metres)[0])

    def nearest(self, lat: float, lon: float, limit: int) -> list[tuple[str, float]]:
        """The ``limit`` nearest fences: (id, signed metres to the border, positive inside), nearest first."""
        fixes = Fixes.one(lat, lon)
        live = np.flatnonzero(self._kind != NOTHING)
        bound = self._at_least(fixes)[live]
        order = live[np.argsort(bound, kind="stable")]
        found: list[tuple[float, int]] = []
        for fence, least in zip(order.tolist(), np.sort(bound).tolist(), strict=True):
            if len(found) >= limit and least > -found[limit - 1][0]:
                break
            found.append((self.metres(fence, fixes, 0), fence))
            found.sort(key=lambda item: (-item[0], item[1]))
            del found[limit:]
        return [(self.ids[fence], metres) for metres, fence in found]

    def _at_least(self, fixes: Fixes) -> Floats:
        """Metres to each fence that the true distance is never below (negative where it may hold the point)."""
        box = self.index
        x, y, z = ecef(box.lat, box.lon)
        dx, dy, dz = (a - b for a, b in zip((x, y, z), fixes.space, strict=True))
        reach = (box.half_width + box.half_height) * 111_700.0
        reach = np.where(box.half_width > 45.0, np.pi * MEAN_RADIUS, reach)
        return arc(dx * dx + dy * dy + dz * dz) * 0.999 - reach

    def too_small(self, accuracy: float, probability: float = 0.75) -> list[str]:
        """Ids of fences in which no fix of that accuracy could ever reach the probability of entering."""
        small = self._kind == NOTHING
        sigma = accuracy * SIGMA_PER_ACCURACY
        if sigma > 0.0:
            needed, rows = _sigmas(1.0 - probability) * sigma, np.arange(len(self.ids))
            fixes = Fixes(self.index.lon, self.index.lat, np.full(len(rows), accuracy))
            metres = np.maximum(self.measure(fixes, rows, rows)[1], self._grow)
            round_ = self._kind == CIRCLE
            small |= round_ & (self._radius < needed)
            unsure = np.flatnonzero(~small & ~round_ & (metres < needed))
            never = self._within_box(unsure, sigma) < probability
            small[unsure[never]] = True
            unsure = unsure[~never]
            # a search takes a millisecond or more: nobody waits for a hundred thousand of them
            unsure = unsure[self.mass(fixes, unsure, unsure, metres[unsure]) < probability][:_SEARCHES]
            small[unsure] = [self._best(row, accuracy, probability) < probability for row in unsure.tolist()]
        return [self.ids[row] for row in np.flatnonzero(small)]

    def _within_box(self, fences: Ints, sigma: float) -> Floats:
        """The mass that each fence's box holds at its middle: no less than the fence can hold anywhere."""
        wide, high = self.index.half_width[fences], self.index.half_height[fences]
        east, north = metres_per_degree(self.index.lat[fences])
        root = 1.01 / (sigma * math.sqrt(2.0))
        held = erf_positive(wide * east * root) * erf_positive(high * north * root)
        return np.where(wide > 45.0, 1.0, held)

    def _best(self, fence: int, accuracy: float, enough: float) -> float:
        """The greatest P(inside) a fix could have, searched only where it may fall short of ``enough``."""
        sigma = accuracy * SIGMA_PER_ACCURACY
        needed = _sigmas(1.0 - enough) * sigma
        kind = self._kind[fence]
        if kind == NOTHING or sigma <= 0.0:
            return 0.0 if kind == NOTHING else 1.0
        if kind == CIRCLE or self._grow[fence] >= needed:
            return 1.0 if max(self._radius[fence], self._grow[fence]) >= needed else 0.0
        points = self._deepest(fence)
        fixes = Fixes(points[:, 0], points[:, 1], np.full(len(points), accuracy))
        at, fences = np.arange(len(points)), np.full(len(points), fence)
        _, metres = self.measure(fixes, at, fences)
        return float(self.mass(fixes, at, fences, metres).max())

    def _deepest(self, fence: int) -> Floats:
        """Points (lon, lat) where a fence is likely to be thickest, and a grid over its box."""
        grown = self._kind[fence] == LINE or self._grow[fence] > 0.0
        geometry = self._polygons(fence) if grown else self._area(fence)
        scale = math.cos(math.radians(min(abs(float(self.index.lat[fence])), 89.0)))
        flat = shapely.transform(geometry, lambda xy: xy * [scale, 1.0])
        circle = shapely.get_coordinates(shapely.maximum_inscribed_circle(flat))[:1] / [scale, 1.0]
        middle = shapely.get_coordinates([geometry.centroid, geometry.representative_point()])
        west, south, east, north = geometry.bounds
        x, y = np.meshgrid(np.linspace(west, east, 15), np.linspace(south, north, 15))
        return np.vstack([circle, middle, np.column_stack([x.ravel(), y.ravel()])])

    # ------------------------------------------------------------------ made when first needed

    def _area(self, fence: int) -> BaseGeometry:
        if fence not in self._areas:
            shape = self.fences[self.ids[fence]].shape
            self._areas[fence] = shapes.area(shape) if isinstance(shape, Polygons) else shapely.Polygon()
        return self._areas[fence]

    def _drawn(self, fence: int) -> list[Floats]:
        """The lines that make its border, or that are grown to make it."""
        shape = self.fences[self.ids[fence]].shape
        if isinstance(shape, Corridor):
            return [shapes.line(shape)]
        if isinstance(shape, Polygons):
            return shapes.rings_of(self._area(fence)) or shapes.outline(shape)
        return []

    def _polygons(self, fence: int) -> BaseGeometry:
        """The grown shape of a corridor or a fence with a catchment."""
        if fence not in self._grown:
            base = self._area(fence) if self._kind[fence] == AREA else None
            self._grown[fence] = shapes.grow(self._drawn(fence), base, float(self._grow[fence]))
        return self._grown[fence]

    def _in_space(self, fence: int, grown: bool = False) -> SpaceEdges:
        key = (fence, grown)
        if key not in self._space:
            chains = shapes.rings_of(self._polygons(fence)) if grown else self._drawn(fence)
            self._space[key] = SpaceEdges(chains, bool(self._seam[fence]))
        return self._space[key]


def _table(dwells: list[tuple[float, ...]]) -> Floats:
    """Durations per fence in rows, ended by infinity."""
    width = max((len(row) for row in dwells), default=0) + 1
    table = np.full((len(dwells), width), np.inf)
    for row, durations in zip(table, dwells, strict=True):
        row[: len(durations)] = durations
    return table
