"""Which devices to look at, and when: rows in buckets of one second of journal time.

A device sits in one bucket, never later than its earliest timer. When the bucket's turn comes the true time is worked
out; a device whose timer has moved on (silence, with every fix) goes to a later bucket. So a fix moves nothing here,
and a million armed timers cost four bytes each and, while nothing happens, the look at one row.
"""

import heapq
import math
from array import array
from typing import NamedTuple

import numpy as np

from engine.sense.arithmetic import Floats, Ints
from engine.sense.columns import NEVER, Devices


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
        if self._soonest is not None and len(due) and float(due.min()) < self._soonest.due:
            self._soonest = None
        sooner = (due < self._devices.queued[rows]).nonzero()[0]  # NEVER is beyond any time
        if not len(sooner):
            return
        for row, at in zip(rows[sooner].tolist(), due[sooner].tolist(), strict=True):
            self.arm_one(row, at)

    def arm_one(self, row: int, due: float) -> None:
        """The same for one row."""
        if self._soonest is not None and due < self._soonest.due:
            self._soonest = None
        bucket = math.floor(due) if due < NEVER else NEVER
        if bucket < self._devices.view["queued"][row]:
            self._put(row, bucket)

    def _put(self, row: int, bucket: int) -> None:
        self._devices.view["queued"][row] = bucket
        rows = self._buckets.get(bucket)
        if rows is None:
            rows = self._buckets[bucket] = array("i")
            heapq.heappush(self._order, bucket)
        rows.append(row)

    def _settle(self, silence: float) -> tuple[Ints, Floats]:
        """The soonest bucket with its rows and their true times, after moving on what is due later."""
        devices = self._devices
        while self._order:
            bucket = self._order[0]
            rows = np.frombuffer(self._buckets.pop(bucket), np.int32).astype(np.int64)
            rows = np.unique(rows[devices.queued[rows] == bucket])
            due = devices.due(rows, silence)
            later = np.floor(np.minimum(due, float(NEVER))) > bucket
            devices.queued[rows[later]] = NEVER
            heapq.heappop(self._order)
            self.arm(rows[later], due[later])
            rows, due = rows[~later], due[~later]
            if len(rows):
                self._buckets[bucket] = array("i", rows.tolist())
                heapq.heappush(self._order, bucket)
                return rows, due
        return np.zeros(0, np.int64), np.zeros(0)

    def earliest(self, silence: float) -> float | None:
        """Journal time of the earliest timer. Asked again while it stands, only its own row is looked at."""
        held = self._soonest
        if held is not None and held.silence == silence and self._due(held.row, silence) == held.due:
            return held.due
        self._soonest = None
        rows, due = self._settle(silence)
        if not len(due):
            return None
        first = int(due.argmin())
        self._soonest = Soonest(int(rows[first]), float(due[first]), silence)
        return self._soonest.due

    def _due(self, row: int, silence: float) -> float:
        return float(self._devices.due(np.array([row]), silence)[0])

    def pop(self, received: float, silence: float) -> list[int]:
        """Rows whose earliest timer is due at or before ``received``; they leave the queue until armed again."""
        taken: list[int] = []
        soonest = self.earliest(silence)
        if soonest is None or soonest > received:
            return taken
        self._soonest = None
        while True:
            rows, due = self._settle(silence)
            ready = due <= received
            if not ready.any():
                return taken
            taken.extend(rows[ready].tolist())
            self._devices.queued[rows[ready]] = NEVER
