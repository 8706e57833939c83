"""Which devices to look at, and when: rows in buckets of one second of journal time.

A device sits in one bucket, never later than its earliest timer. When the bucket's turn comes the true time is worked
out; a device whose timer has moved on (silence, with every fix) goes to a later bucket. So a fix moves nothing here,
and a million armed timers cost four bytes each and, while nothing happens, the look at one row.
"""

import heapq
import math
from array import array
from bisect import bisect_right
from operator import itemgetter
from typing import NamedTuple

import numpy as np

from engine.sense.arithmetic import Floats, Ints
from engine.sense.columns import NEVER, Devices

_FEW = 24  # rows up to which arrays do not pay
_AT_ONCE = 1e-6  # seconds: timers no farther apart are never told apart


class Soonest(NamedTuple):
    """The earliest timer: whose, when (journal time), and under which silence."""

    row: int
    due: float
    silence: float


class TimerQueue:
    """Buckets of device rows, soonest first. ``Devices.queued`` says which entry of a row counts."""

    def __init__(self, devices: Devices) -> None:
        self._devices = devices
        self._buckets: dict[int, array[int]] = {}
        self._order: list[int] = []
        self._soonest: Soonest | None = None  # holds as long as its row's timer stands and none sooner is armed

    def arm(self, rows: Ints, due: Floats) -> None:
        """See to it that each row is looked at no later than ``due`` (infinite: no need)."""
        if len(rows) <= _FEW:
            for row, at in zip(rows.tolist(), due.tolist(), strict=True):
                self.arm_one(row, at)
            return
        if self._soonest is not None and float(due.min()) < self._soonest.due:
            self._soonest = None
        buckets = np.floor(np.minimum(due, float(NEVER))).astype(np.int64)
        rows, buckets = rows[(some := buckets < self._devices.queued[rows])], buckets[some]
        if not len(rows):
            return
        self._devices.queued[rows] = buckets
        order = np.argsort(buckets, kind="stable")
        rows, buckets = rows[order].astype(np.int32), buckets[order]
        ends = np.append((buckets[1:] != buckets[:-1]).nonzero()[0] + 1, len(rows)).tolist()
        for start, end in zip([0, *ends], ends, strict=False):
            self._bucket(int(buckets[start])).frombytes(rows[start:end].tobytes())

    def arm_one(self, row: int, due: float) -> None:
        """The same for one row."""
        if self._soonest is not None and due < self._soonest.due:
            self._soonest = None
        bucket = math.floor(due) if due < NEVER else NEVER
        if bucket < self._devices.view["queued"][row]:
            self._put(row, bucket)

    def _put(self, row: int, bucket: int) -> None:
        self._devices.view["queued"][row] = bucket
        self._bucket(bucket).append(row)

    def _bucket(self, bucket: int) -> "array[int]":
        rows = self._buckets.get(bucket)
        if rows is None:
            rows = self._buckets[bucket] = array("i")
            heapq.heappush(self._order, bucket)
        return rows

    def _settle(self, silence: float) -> tuple[list[int], list[float]]:
        """The soonest bucket with its rows and their true times, after moving on what is due later."""
        while self._order:
            bucket = self._order[0]
            held = self._buckets.pop(bucket)
            rows, due = (self._few if len(held) <= _FEW else self._many)(held, bucket, silence)
            if rows:
                self._buckets[bucket] = array("i", rows)
                return rows, due
            heapq.heappop(self._order)
        return [], []

    def _few(self, held: "array[int]", bucket: int, silence: float) -> tuple[list[int], list[float]]:
        queued = self._devices.view["queued"]
        found = [row for row in sorted(set(held)) if queued[row] == bucket]
        rows, times = [], []
        for row, due in zip(found, self._devices.due_few(found, silence), strict=True):
            if due >= bucket + 1:
                queued[row] = NEVER
                self.arm_one(row, due)
            else:
                rows.append(row)
                times.append(due)
        return rows, times

    def _many(self, held: "array[int]", bucket: int, silence: float) -> tuple[list[int], list[float]]:
        devices, rows = self._devices, np.unique(np.frombuffer(held, np.int32)).astype(np.int64)
        rows = rows[devices.queued[rows] == bucket]
        due = devices.due(rows, silence)
        later = due >= bucket + 1
        devices.queued[rows[later]] = NEVER
        self.arm(rows[later], due[later])
        return rows[~later].tolist(), due[~later].tolist()

    def earliest(self, silence: float) -> float | None:
        """Journal time of the earliest timer. Asked again while it stands, only its own row is looked at."""
        held = self._soonest
        if held is not None and held.silence == silence and self._devices.due_one(held.row, silence) == held.due:
            return held.due
        self._soonest = None
        rows, due = self._settle(silence)
        if not rows:
            return None
        first = min(range(len(due)), key=due.__getitem__)
        self._soonest = Soonest(rows[first], due[first], silence)
        return self._soonest.due

    def soonest(self) -> float:
        """Journal time of the earliest timer as far as it is remembered: who comes sooner must say so by ``arm``."""
        return -math.inf if self._soonest is None else self._soonest.due

    def pop(self, received: float, silence: float, most: float = math.inf) -> tuple[list[int], float]:
        """Rows whose earliest timer is due at or before ``received``; they leave the queue until armed again. About so
        many at most, soonest first, and up to when all of theirs may fire without passing those of others."""
        taken: list[int] = []
        soonest = self.earliest(silence)
        if soonest is None or soonest > received:
            return taken, received
        self._soonest = None
        queued = self._devices.view["queued"]
        while True:
            rows, due = self._settle(silence)
            times = sorted(zip(due, rows, strict=True))
            ready = times[: bisect_right(times, received, key=itemgetter(0))]
            if len(ready) > most - len(taken):
                received = min(received, ready[int(most) - len(taken) - 1][0] + _AT_ONCE)
                ready = times[: bisect_right(times, received, key=itemgetter(0))]
            if not ready:
                return taken, received
            for _, row in ready:
                queued[row] = NEVER
                taken.append(row)
            if len(taken) >= most:
                return taken, min(received, ready[-1][0] + _AT_ONCE)
            if len(ready) < len(times):  # who is left of this second comes next, and nobody sooner
                at, row = times[len(ready)]
                self._soonest = Soonest(row, at, silence)
                return taken, received
