"""A set of fences compiled for sensing: which hold a point, how far is the border, how likely is the inside."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from engine.model.fence import Circle, Corridor, Fence, Polygons
from engine.model.release import SensePolicy
from engine.sense import shape as shapes
from engine.sense.arithmetic import MEAN_RADIUS, Bools, Floats, Ints, arc, ecef
from engine.sense.chains import Chains
from engine.sense.exact import SpaceEdges
from engine.sense.fixes import Fixes
from engine.sense.index import BoxIndex
from engine.sense.mass import REACH, SIGMA_PER_ACCURACY, circle_mass, edges_mass

CIRCLE, AREA, LINE, NOTHING = 0, 1, 2, 3
OUTSIDE, INSIDE, EITHER = 0, 1, 2  # what is known of a pair before it is judged
_ROUNDING = 1e-6  # metres: nearer to an edge than this, Shapely is asked for the side
_PLANE = 80.0  # degrees of latitude beyond which one plane does not serve


class Thresholds:
    """A policy's probabilities, and the distances in sigmas at which they are certain whatever the shape: a disc of d
    sigmas holds 1 − e**(−d²/2) of the mass."""

    def __init__(self, policy: SensePolicy) -> None:
        self.enter = policy.enter_probability
        self.exit = round(1.0 - policy.exit_probability, 12)
        self.surely_in = _sigmas(1.0 - self.enter)
        self.surely_not_in = _sigmas(self.enter)
        self.surely_out = _sigmas(self.exit)
        self.surely_not_out = _sigmas(1.0 - self.exit)


def _sigmas(mass: float) -> float:
    return math.sqrt(-2.0 * math.log(min(max(mass, 1e-300), 1.0)))


class Verdicts(NamedTuple):
    """Per pair: met the enter probability, met the exit probability, P(inside) (NaN where nothing hung on it), and
    signed metres to the border."""

    into: Bools
    out: Bools
    probability: Floats
    metres: Floats


class FenceSet:
    """Immutable, compiled geometry. Fences are numbered in the order of their ids."""

    def __init__(self, fences: Sequence[Fence], dwells: Mapping[str, tuple[float, ...]]) -> None:
        by_id = {fence.id: fence for fence in fences}
        self.ids = sorted(by_id)
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
        chains = [self._compile(index, self.fences[name]) for index, name in enumerate(self.ids)]
        self._chains = Chains(chains)
        self.index = BoxIndex(*(np.ascontiguousarray(self._box[:, k]) for k in range(4)))
        self._areas: dict[int, BaseGeometry] = {}
        self._grown: dict[int, BaseGeometry] = {}
        self._space: dict[tuple[int, bool], SpaceEdges] = {}

    @classmethod
    def compile(cls, fences: Sequence[Fence], dwells: Mapping[str, tuple[float, ...]] | None = None) -> "FenceSet":
        """``dwells``: fence id -> durations in seconds that rules want, merged with each fence's own. Shapes that are
        not valid are repaired; one that encloses nothing is never entered."""
        return cls(fences, dwells or {})

    # ------------------------------------------------------------------ compiling

    def _compile(self, index: int, fence: Fence) -> list[Floats]:
        shape = fence.shape
        self._grow[index] = max(fence.catchment, 0.0)
        if isinstance(shape, Circle):
            self._circle(index, shape)
            return []
        if isinstance(shape, Corridor):
            self._grow[index] += shape.radius
            chains = [shapes.line(shape)]
            return self._edges(index, chains if len(chains[0]) else [], LINE)
        chains = shapes.rings_of(shapes.area(shape))
        if chains or not self._grow[index]:
            return self._edges(index, chains, AREA)
        return self._edges(index, shapes.outline(shape), LINE)

    def _circle(self, index: int, shape: Circle) -> None:
        radius = shape.radius + self._grow[index]
        self._kind[index], self._radius[index] = CIRCLE, radius
        self._centre[index] = [float(c[0]) for c in ecef(np.array([shape.lat]), np.array([shape.lon]))]
        self._box[index] = shapes.span(shape.lat, shape.lon, radius)

    def _edges(self, index: int, chains: list[Floats], kind: int) -> list[Floats]:
        if not chains:
            return []
        self._kind[index] = kind
        west, south = (min(float(chain[:, k].min()) for chain in chains) for k in (0, 1))
        east, north = (max(float(chain[:, k].max()) for chain in chains) for k in (0, 1))
        polar = max(abs(south), abs(north))
        _, _, wider, higher = shapes.span(min(polar, 90.0), 0.0, self._grow[index] + 1e-3)
        width = (east - west) / 2.0 + wider
        if polar > 85.0:  # near a pole the straight lines of a plane leave the box
            width, higher = 180.0, higher + 0.03
        self._seam[index] = east - west >= 360.0
        self._box[index] = (east + west) / 2.0, (north + south) / 2.0, width, (north - south) / 2.0 + higher
        return chains

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
        centre = self._centre[fences]
        dx, dy, dz = (centre[:, k] - fixes.space[k][at] for k in range(3))
        return self._radius[fences] - arc(dx * dx + dy * dy + dz * dz)

    def _to_edges(self, fixes: Fixes, at: Ints, fences: Ints) -> tuple[Bools, Floats]:
        lon, lat = self._frame(fixes.lon[at], fences), fixes.lat[at]
        inside, metres = self._chains.measure(fences, lon, lat, fixes.east[at], fixes.north[at])
        area = self._kind[fences] == AREA
        inside &= area
        for k in np.flatnonzero(area & (metres < _ROUNDING)):
            inside[k] = shapely.intersects_xy(self._area(int(fences[k])), lon[k], lat[k])
        for k in np.flatnonzero((np.abs(lat) > _PLANE) | self._seam[fences]):
            metres[k] = self._in_space(int(fences[k])).distance(float(lon[k]), float(lat[k]))
        grow = self._grow[fences]
        signed = np.where(inside, metres, -metres) + grow
        return inside | ((grow > 0.0) & (signed >= 0.0)), signed

    def _frame(self, lon: Floats, fences: Ints) -> Floats:
        """Longitudes moved by whole turns to where each fence was drawn."""
        return lon - 360.0 * np.rint((lon - self.index.lon[fences]) / 360.0)

    def mass(self, fixes: Fixes, at: Ints, fences: Ints, metres: Floats) -> Floats:
        """P(inside) of pairs with sigma > 0; ``metres`` as ``measure`` gave them."""
        out = np.where(metres >= 0.0, 1.0, 0.0)
        sigma = fixes.sigma[at]
        close = np.abs(metres) < REACH * sigma
        round_ = np.flatnonzero(close & (self._kind[fences] == CIRCLE))
        if len(round_):
            out[round_] = circle_mass(metres[round_] / sigma[round_], self._radius[fences[round_]] / sigma[round_])
        odd = (self._grow[fences] > 0.0) | (np.abs(fixes.lat[at]) > _PLANE) | self._seam[fences]
        edged = close & (self._kind[fences] != CIRCLE)
        plain = np.flatnonzero(edged & ~odd)
        if len(plain):
            i, f = at[plain], fences[plain]
            lon = self._frame(fixes.lon[i], f)
            east, north = fixes.east[i] / sigma[plain], fixes.north[i] / sigma[plain]
            owner, x1, y1, x2, y2 = self._chains.edges(f, lon, fixes.lat[i], east, north)
            out[plain] = edges_mass(owner, len(plain), x1, y1, x2, y2)
        for k in np.flatnonzero(edged & odd):
            out[k] = self._mass_in_space(fixes, int(at[k]), int(fences[k]))
        return out

    def _mass_in_space(self, fixes: Fixes, at: int, fence: int) -> float:
        edges = self._in_space(fence, grown=self._grow[fence] > 0.0)
        ends = edges.plane(float(fixes.lon[at]), float(fixes.lat[at]))
        x1, y1, x2, y2 = (end / fixes.sigma[at] for end in ends)
        return float(edges_mass(np.zeros(len(x1), np.int64), 1, x1, y1, x2, y2)[0])

    def judge(self, fixes: Fixes, at: Ints, fences: Ints, known: Ints, limits: Thresholds) -> Verdicts:
        """The verdict on each pair. ``known`` is OUTSIDE (only entering matters), INSIDE (only leaving) or EITHER."""
        inside, metres = self.measure(fixes, at, fences)
        sigma = fixes.sigma[at]
        depth = np.abs(metres) / np.maximum(sigma, 1e-9)
        into, out = inside & (depth >= limits.surely_in), ~inside & (depth >= limits.surely_out)
        enters, leaves = known != INSIDE, known != OUTSIDE
        open_in = enters & ~into & (inside | (depth <= limits.surely_not_in))
        open_out = leaves & ~out & (~inside | (depth <= limits.surely_not_out))
        wanted = open_in | open_out | (enters & into) | (leaves & out)
        probability = np.where(wanted, np.where(inside, 1.0, 0.0), np.nan)
        precise = fixes.accuracy[at] == 0.0
        asked = np.flatnonzero(wanted & ~precise & (depth < REACH))
        if len(asked):
            probability[asked] = self.mass(fixes, at[asked], fences[asked], metres[asked])
        unsure = ~precise
        into = np.where(open_in & unsure, probability >= limits.enter, into)
        out = np.where(open_out & unsure, probability <= limits.exit, out)
        return Verdicts(np.where(precise, inside, into), np.where(precise, ~inside, out), probability, metres)

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
        return [name for index, name in enumerate(self.ids) if self._best(index, accuracy, probability) < probability]

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
