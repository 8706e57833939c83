"""A set of fences compiled for sensing: which hold a point, how far is the border, how likely is the inside."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any
from weakref import ref

import numpy as np

from engine.model.fence import Fence
from engine.model.fences import NONE, ById, Fences
from engine.sense import smallness
from engine.sense.arithmetic import MEAN_RADIUS, Bools, Floats, Ints, arc, ecef
from engine.sense.fixes import Fixes
from engine.sense.ground import Ground, ground
from engine.sense.hours import Hours
from engine.sense.measuring import Measuring
from engine.sense.nearby import Nearby
from engine.sense.outlines import CIRCLE, LINE, NOTHING, Columns, Outlines

_NOBODY = np.zeros(0, np.int64)


class FenceSet(Measuring):
    """Immutable, compiled geometry. Fences are numbered in the order of their ids."""

    grounded = False  # whether the kernels are in use, and what they need is to be made ready when compiling

    def __init__(
        self,
        fences: Iterable[Fence],
        dwells: Mapping[str, tuple[float, ...]],
        like: "FenceSet | None" = None,
        made: Columns | None = None,
        drawn: Sequence[Outlines] = (),
    ) -> None:
        listed = Fences.of(fences)
        self.ids, self.fences = listed.ids, ById(listed)
        self._dwelling = {
            row: tuple(sorted({*listed.few.dwells.get(name, ()), *dwells.get(name, ())}))
            for name in (*listed.few.dwells, *dwells)
            if (row := listed.find(name)) != NONE
        }
        self.dwells: list[tuple[float, ...]] = [()] * len(listed)
        for row, durations in self._dwelling.items():
            self.dwells[row] = durations
        self.dwell_table = _table(self._dwelling, len(listed))
        known = [] if made is not None else [(one, *listed.alike(one.listed)) for one in drawn]
        taken = np.concatenate([_NOBODY, *(rows for _, rows, _ in known)])
        here, there = (_NOBODY, _NOBODY) if like is None else listed.alike(like.listed, taken)
        super().__init__(listed, [*known, *([] if like is None else [(like, here, there)])], made)
        self.hours = self._opening(
            dict(zip(here.tolist(), there.tolist(), strict=True)) if listed.few.timed else {}, like
        )
        self._came: tuple[ref[FenceSet], Ints, Bools] | None = None
        if like is not None:
            self._came = (ref(like), *self._moves(like, here, there))

    @classmethod
    def compile(
        cls,
        fences: Iterable[Fence],
        dwells: Mapping[str, tuple[float, ...]] | None = None,
        like: "FenceSet | None" = None,
        crosses: Iterable[str] = (),
        approaches: Mapping[str, tuple[float, ...]] | None = None,
        made: Columns | None = None,
        drawn: Sequence[Outlines] = (),
    ) -> "FenceSet":
        """``dwells``: fence id -> durations in seconds that rules want, merged with each fence's own. ``crosses``: ids
        of fences that rules want to know crossed; ``approaches``: fence id -> how near a device is to come, in metres
        or (below zero) in seconds to arrival. Shapes that are not valid are repaired; one that encloses nothing is
        never entered. What ``like`` has compiled of the same fences, or ``drawn`` has, is taken from there; ``made`` is
        what ``columns`` gave of just these fences when the same build compiled them."""
        compiled = cls(fences, dwells or {}, like, made, drawn)
        compiled._watch(crosses, approaches or {})
        if cls.grounded:
            compiled.ground  # noqa: B018  (nobody is to wait for it later)
        return compiled

    @cached_property
    def ground(self) -> Ground:
        """What the kernels need to know of it."""
        return ground(self, self.hours)

    def pieces(self) -> list[Any]:
        """Its many parts, to be let go of one by one."""
        return [*vars(self).values(), *self.listed.pieces()]

    def find(self, fence: str) -> int:
        """The position of a fence; NONE where there is none."""
        return self.listed.find(fence)

    def _watch(self, crosses: Iterable[str], approaches: Mapping[str, tuple[float, ...]]) -> None:
        """What only some fences need: by position."""
        crossed = {row for name in (*self.listed.few.crossed, *crosses) if (row := self.find(name)) != NONE}
        self.crossed = Nearby(self.index, sorted(crossed))
        self.approached = {row: tuple(approaches[name]) for name in approaches if (row := self.find(name)) != NONE}
        self.approachable = Nearby(self.index, list(self.approached))
        self.silent = frozenset(number for number in self.hours if self.listed[number].on_open == "ignore")

    def _opening(self, came: Mapping[int, int], like: "FenceSet | None") -> dict[int, Hours]:
        """The hours of the fences that have some, by position. ``came``: where another set has them just so."""
        rows = sorted(map(self.find, self.listed.few.timed))
        held = {} if like is None else like.hours
        return {row: held.get(came.get(row, NONE)) or Hours.of(self.listed[row]) for row in rows}

    # ------------------------------------------------------------------ from one set to the next

    def moves(self, old: "FenceSet") -> tuple[Ints, Bools]:
        """Where each fence of another set is in this one (NONE where it is gone; one more NONE at the end), and which
        of them are gone or have other dwells or hours. Known beforehand of the set that this one was compiled like."""
        if self._came is not None and self._came[0]() is old:
            return self._came[1], self._came[2]
        return self._moves(old, *self.listed.alike(old.listed))

    def succeed(self, old: "FenceSet") -> None:
        """Know beforehand what ``moves`` tells of another set: with many fences it takes a tenth of a second, which
        nobody is to wait for when this one comes into force."""
        if self._came is None or self._came[0]() is not old:
            self._came = (ref(old), *self.moves(old))

    def _moves(self, old: "FenceSet", here: Ints, there: Ints) -> tuple[Ints, Bools]:
        """``here`` and ``there``: where fences are that are just so in both."""
        moved = self.listed.whereabouts(old.listed, (here, there))
        other: Bools = moved[:-1] == NONE
        came = {at: row for row, at in enumerate(moved.tolist())} if self._dwelling or self.hours else {}
        ask = {*old._dwelling, *old.hours, *(came[row] for row in (*self._dwelling, *self.hours) if row in came)}
        for row in sorted(ask):
            at = int(moved[row])
            if at == NONE or self.dwells[at] != old.dwells[row] or self.hours.get(at) != old.hours.get(row):
                other[row] = True
        return moved, other

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
        return self.metres(self._known(fence), Fixes.one(lat, lon), 0)

    def _known(self, fence: str) -> int:
        row = self.find(fence)
        if row == NONE:
            raise KeyError(fence)
        return row

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
        fixes, at, fences = Fixes.one(lat, lon, accuracy), np.array([0]), np.array([self._known(fence)])
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


def _table(dwells: Mapping[int, tuple[float, ...]], count: int) -> Floats:
    """Durations per fence in rows, ended by infinity."""
    width = max(map(len, dwells.values()), default=0) + 1
    table = np.full((count, width), np.inf)
    for row, durations in dwells.items():
        table[row, : len(durations)] = durations
    return table
