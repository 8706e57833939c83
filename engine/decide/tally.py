"""Bounded counters: a rule's sends in a window for everybody together, and its sends in the last minute."""

from math import floor
from typing import Literal

from msgspec import Struct, field

from engine.decide import localtime
from engine.decide.zones import load_zone, utc
from engine.model.rule import Cap

PARTS = 128  # a rolling window is counted in this many parts, the oldest one in full: never too few
GUARD_SECONDS = 60


class Tally(Struct, array_like=True):
    """Sends per bucket. Calendar windows: a bucket is a local day (or Monday) of ``zone``; rolling windows: a part of
    the window. At most ``PARTS`` + 2 buckets, and those of messages held for later."""

    per: float | Literal["day", "week"]
    zone: str
    buckets: dict[int, int] = field(default_factory=dict)

    def count(self, at: float) -> int:
        """Sends in the window that ends at ``at``; for rolling windows also those held for later."""
        if isinstance(self.per, str):
            return self.buckets.get(self._bucket(at), 0)
        first = self._bucket(at - self.per)
        return sum(n for bucket, n in self.buckets.items() if bucket >= first)

    def free(self, at: float, allowed: int) -> float | None:
        """The first instant at which fewer than ``allowed`` count, if nothing is added; None: never."""
        if allowed < 1:
            return None
        if isinstance(self.per, str):
            days = 1 if self.per == "day" else 7
            return localtime.day_start(self._bucket(at) + days, load_zone(self.zone) or utc())
        over = self.count(at) - allowed
        first = self._bucket(at - self.per)
        for bucket in sorted(self.buckets):
            over -= self.buckets[bucket] if bucket >= first else 0
            if over < 0:
                return (bucket + 1) * self._width + self.per
        return at

    def add(self, at: float, now: float) -> None:
        """Count one at ``at``; forget what no window that ends at or after ``now`` can see."""
        bucket = self._bucket(at)
        self.buckets[bucket] = self.buckets.get(bucket, 0) + 1
        oldest = self._bucket(now) if isinstance(self.per, str) else self._bucket(now - self.per)
        for old in [b for b in self.buckets if b < oldest]:
            del self.buckets[old]

    def remove(self, at: float) -> None:
        """Take back one that was counted at ``at``."""
        bucket = self._bucket(at)
        left = self.buckets.get(bucket, 0) - 1
        if left > 0:
            self.buckets[bucket] = left
        else:
            self.buckets.pop(bucket, None)

    @property
    def _width(self) -> float:
        assert not isinstance(self.per, str)
        return max(1.0, self.per / PARTS)

    def _bucket(self, at: float) -> int:
        if isinstance(self.per, str):
            day = localtime.day(at, load_zone(self.zone) or utc())
            return day if self.per == "day" else localtime.monday(day)
        return floor(at / self._width)


def tally_key(cap: Cap) -> str:
    """One tally per rule and window: a changed count keeps its tally, a changed window starts a new one."""
    return cap.per if isinstance(cap.per, str) else repr(float(cap.per))


def pace_seconds(estimate: Cap) -> float:
    """The rolling window of an estimate."""
    return {"day": 86400.0, "week": 7 * 86400.0}[estimate.per] if isinstance(estimate.per, str) else estimate.per


def in_last_minute(seconds: dict[int, int], at: float) -> int:
    """Sends in the minute up to ``at``; the oldest second counts in full."""
    last = floor(at)
    return sum(n for second, n in seconds.items() if last - GUARD_SECONDS <= second <= last)


def count_second(seconds: dict[int, int], at: float, now: float) -> None:
    """Count one send at ``at``; seconds that no minute from ``now`` on can see are forgotten."""
    second = floor(at)
    seconds[second] = seconds.get(second, 0) + 1
    if len(seconds) > GUARD_SECONDS:
        oldest = floor(now) - GUARD_SECONDS
        for old in [s for s in seconds if s < oldest]:
            del seconds[old]
