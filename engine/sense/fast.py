"""numba, where it is installed (``herenow[fast]``): the same results, bit for bit, in less time. Never required.

``load`` is for those who sense much: it takes seconds the first time (what is compiled is kept on disk), so nobody is
to wait for it. Whoever binds fences after that goes by the kernels, and a ``Sense`` that is at work once it is told to
``hasten``.
"""

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from engine import loops
from engine.model.release import SensePolicy
from engine.model.signals import Lines
from engine.sense import names
from engine.sense.arithmetic import Floats, Ints, scale_table
from engine.sense.columns import Devices
from engine.sense.fences import FenceSet
from engine.sense.fixes import Fixes
from engine.sense.machine import Evidence
from engine.sense.mass import SIGMA_PER_ACCURACY, edge_table, small_table, wide_table
from engine.sense.verdict import KNOWN, Fix, Judge, Pairs, Thresholds

kernels: ModuleType | None = None  # None: go by numpy
_FEW = 16  # pairs up to which arrays do not pay
Told = tuple[int, int, Evidence]  # signal, fence, what it says


def load() -> bool:
    """Use the kernels from here on, where numba is installed; whether it is."""
    global kernels
    if kernels is None:
        try:
            with loops.kept_apart(Path(__file__).parent):
                from engine.sense import kernel_names  # noqa: PLC0415  (it may not be there, and takes its time)
                from engine.sense import kernels as found  # noqa: PLC0415
        except ImportError:
            return False
        Swift(found, FenceSet.compile(()), SensePolicy()).rehearse()
        kernels, FenceSet.grounded, names.loops = found, True, kernel_names
        Devices().names.rows_of(Lines("nobody"), 1, add=True)
    return True


def kept() -> bool:
    """Whether ``load`` has nothing to compile."""
    return kernels is not None or loops.kept(Path(__file__).parent)


def swift(fences: FenceSet, policy: SensePolicy) -> "Swift | None":
    """The kernels bound to some fences and a policy; None where they are not in use."""
    return None if kernels is None else Swift(kernels, fences, policy)


class Swift:
    """Kernels with what they need of fences and policy."""

    def __init__(self, made: ModuleType, fences: FenceSet, policy: SensePolicy) -> None:
        limits = Thresholds(policy)
        self._made = made
        self.limits = np.array(
            [
                *(limits.enter, limits.exit, limits.surely_in, limits.surely_not_in, limits.surely_out),
                *(limits.surely_not_out, policy.silence, policy.max_accuracy, SIGMA_PER_ACCURACY),
            ]
        )
        self._scale = scale_table()
        self._tables = (self._scale, edge_table(), wide_table(), small_table())
        self._fences = fences.ground
        self._room(64)
        self._one = tuple(np.zeros(1) for _ in range(4))
        self._row, self._mark = np.zeros(1, np.int64), np.zeros(1, np.uint8)

    def _room(self, count: int) -> None:
        self._pairs, self._seen = np.zeros((count, 4), np.int64), np.zeros((count, 4))

    def rehearse(self) -> None:
        """Compile, or fetch what is compiled."""
        devices = Devices()
        row = devices.rows(["nobody"])
        self.look(0, Fix.of(0.0, 0.0, 5.0), devices)
        none = np.zeros(1)
        self.settle(row, none, none, none, none, none, np.zeros((5, 1)), devices, np.ones(1, np.bool_), 0.0)

    def sweep(
        self, rows: Ints, at: Floats, lat: Floats, lon: Floats, accuracy: Floats, devices: Devices, marks: Any
    ) -> tuple[list[Told], list[tuple[int, int, int]]]:
        """What the fixes say of fences where it could change something, and pairs yet to be judged (signal, fence, what
        is known); ``marks`` tell what each signal may do."""
        if len(self._pairs) < 4 * len(rows):
            self._room(4 * len(rows))
        columns = rows, at, lat, lon, accuracy, devices.table, KNOWN, self.limits, self._fences, self._tables, marks
        while (count := self._made.sweep(*columns, self._pairs, self._seen)) > len(self._pairs):
            self._room(2 * count)
        if count <= _FEW:
            return self._told(count)
        outcome = self._pairs[:count, 3]
        told = (outcome > 0).nonzero()[0]
        if not outcome.any():
            return [], []
        pairs, seen = self._pairs[told].tolist(), self._seen[told].tolist()
        found = [
            (k, fence, Evidence(into > 0.0, out > 0.0, mass, metres))
            for (k, fence, _, _), (into, out, mass, metres) in zip(pairs, seen, strict=True)
        ]
        left = self._pairs[(outcome < 0).nonzero()[0]].tolist()
        return found, [(k, fence, known) for k, fence, known, _ in left]

    def _told(self, count: int) -> tuple[list[Told], list[tuple[int, int, int]]]:
        """The same of a handful of pairs, without an array."""
        found, left = [], []
        for n, (k, fence, known, outcome) in enumerate(self._pairs[:count].tolist() if count else ()):
            if outcome > 0:
                into, out, mass, metres = self._seen[n].tolist()
                found.append((k, fence, Evidence(into > 0.0, out > 0.0, mass, metres)))
            elif outcome < 0:
                left.append((k, fence, known))
        return found, left

    def look(self, row: int, fix: Fix, devices: Devices) -> tuple[list[Told], list[tuple[int, int, int]]]:
        """The same for one fix of a device (one whose stays its row can hold)."""
        at, lat, lon, accuracy = self._one
        at[0], lat[0], lon[0], accuracy[0], self._row[0] = devices.view["at"][row], fix.lat, fix.lon, fix.accuracy, row
        return self.sweep(self._row, at, lat, lon, accuracy, devices, self._mark)

    def settle(self, rows: Ints, at: Floats, *columns: Any) -> Ints:
        """Move on clocks and places; the rows whose timers come sooner than they are looked at, or than ``soon``."""
        received, lat, lon, accuracy, given, devices, skip, soon = columns
        armed = np.empty(len(rows), np.int64)
        count = self._made.settle(
            *(rows, at, received, lat, lon, accuracy, given, devices.table, self.limits, self._scale, skip, soon, armed)
        )
        return armed[:count]


def judged(left: list[tuple[int, int, int]], lat: Floats, lon: Floats, accuracy: Floats, judge: Judge) -> list[Told]:
    """What the columns say of the pairs that the kernels left to them."""
    if not left:
        return []
    at, fence, known = np.array(left).T
    nothing = np.zeros(0)
    pairs = Pairs(np.arange(len(at)), fence, known, np.zeros(len(at)), nothing, nothing)
    found = judge.many(Fixes(lon[at], lat[at], accuracy[at]), pairs)
    return [(int(at[k]), area, evidence) for k, area, evidence in found]
