"""A set of fences compiled for sensing: which hold a point, how far is the border, how likely is the inside."""

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from typing import Any
from weakref import ref

import numpy as np

from engine.model.fence import Fence
from engine.sense import compiling, smallness
from engine.sense.arithmetic import MEAN_RADIUS, Bools, Floats, Ints, arc, ecef
from engine.sense.fixes import Fixes
from engine.sense.ground import ground
from engine.sense.hours import Hours
from engine.sense.measuring import Measuring
from engine.sense.nearby import Nearby
from engine.sense.outlines import CIRCLE, LINE, NOTHING, Columns


class FenceSet(Measuring):
    """Immutable, compiled geometry. Fences are numbered in the order of their ids."""

    grounded = False  # whether the kernels are in use, and what they need is to be made ready when compiling

    def __init__(
        self,
        fences: Sequence[Fence],
        dwells: Mapping[str, tuple[float, ...]],
        like: "FenceSet | None" = None,
        made: Columns | None = None,
    ) -> None:
        by_id = {fence.id: fence for fence in fences}
        self.ids = compiling.in_order(list(by_id))
        self.fences: Mapping[str, Fence] = {name: by_id[name] for name in self.ids}
        self.position = {name: index for index, name in enumerate(self.ids)}
        self.dwells = [tuple(sorted({*fence.dwell, *dwells.get(name, ())})) for name, fence in self.fences.items()]
        self.dwell_table = _table(self.dwells)
        same = None if like is None or made is not None else self._same(like)
        super().__init__(tuple(self.fences.values()), same, made)
        self.hours = self._opening(like)
        self._came: tuple[ref[FenceSet], Ints, Bools] | None = None
        if like is not None:
            self.succeed(like)

    @classmethod
    def compile(
        cls,
        fences: Sequence[Fence],
        dwells: Mapping[str, tuple[float, ...]] | None = None,
        like: "FenceSet | None" = None,
        crosses: Collection[str] = (),
        approaches: Mapping[str, tuple[float, ...]] | None = None,
        made: Columns | None = None,
    ) -> "FenceSet":
        """``dwells``: fence id -> durations in seconds that rules want, merged with each fence's own. ``crosses``: ids
        of fences that rules want to know crossed; ``approaches``: fence id -> how near a device is to come, in metres
        or (below zero) in seconds to arrival. Shapes that are not valid are repaired; one that encloses nothing is
        never entered. What ``like`` has compiled of the same fences is taken from there; ``made`` is what ``columns``
        gave of just these fences when the same build compiled them."""
        compiled = cls(fences, dwells or {}, like, made)
        compiled._watch(crosses, approaches or {})
        if cls.grounded:
            compiled.ground  # noqa: B018  (nobody is to wait for it later)
        return compiled

    @cached_property
    def ground(self) -> tuple[Any, ...]:
        """What the kernels need to know of it."""
        return ground(self)

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

    # ------------------------------------------------------------------ from one set to the next

    def _same(self, like: "FenceSet") -> "tuple[Ints, FenceSet, Ints]":
        """The positions, here and there, of the fences that another set has just so."""
        held, position = like.fences, like.position
        here = [
            row
            for row, (name, fence) in enumerate(self.fences.items())
            if (old := held.get(name)) is fence or old == fence
        ]
        return np.array(here, np.int64), like, np.array([position[self.ids[row]] for row in here], np.int64)

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
        return [self.ids[row] for row in smallness.too_small(self, accuracy, probability).tolist()]


def _table(dwells: list[tuple[float, ...]]) -> Floats:
    """Durations per fence in rows, ended by infinity."""
    width = max(map(len, dwells), default=0) + 1
    table = np.full((len(dwells), width), np.inf)
    for row, durations in enumerate(dwells):
        if durations:
            table[row, : len(durations)] = durations
    return table
