"""Local wall clocks on the line of epoch seconds: right across gaps and folds (daylight saving, zone changes).

A *wall* is the local date and time written as seconds since 1970-01-01 00:00 of the same clock; a *day* is the number
of local days since then. All functions are pure; ``zone`` decides everything.
"""

from datetime import UTC, date, datetime
from functools import lru_cache
from math import ceil, floor
from zoneinfo import ZoneInfo

DAY = 86400
QUARTER = 900
EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday; Monday is 0


def offset(t: float, zone: ZoneInfo) -> int:
    """Seconds east of UTC at ``t``. Zones change on whole seconds, so the fraction is cut off, never rounded up."""
    second = floor(t)
    known = _of_quarter(second // QUARTER, zone)
    return _offset(second, zone) if known is None else known


@lru_cache(maxsize=65536)
def _of_quarter(quarter: int, zone: ZoneInfo) -> int | None:
    """The offset throughout a quarter of an hour; None where it changes inside."""
    start, end = _offset(quarter * QUARTER, zone), _offset((quarter + 1) * QUARTER - 1, zone)
    return start if start == end else None


def _offset(second: int, zone: ZoneInfo) -> int:
    delta = datetime.fromtimestamp(second, zone).utcoffset()
    return 0 if delta is None else round(delta.total_seconds())


def wall(t: float, zone: ZoneInfo) -> float:
    """The local wall clock at ``t``."""
    return t + offset(t, zone)


def instant(at: int, zone: ZoneInfo) -> float:
    """The first instant at which the wall clock shows ``at`` or, where a gap swallows it, something later."""
    low, high = at - DAY, at + DAY
    before, after = offset(low, zone), offset(high, zone)
    if before == after:
        return float(at - before)
    turn = change(low, high, zone)
    return float(at - before if at < turn + before else max(turn, at - after))


def change(low: float, high: float, zone: ZoneInfo) -> int:
    """The first whole second in (low, high] whose offset differs from that at ``low``; one change lies between."""
    a, b, start = floor(low), ceil(high), offset(low, zone)
    while b - a > 1:
        middle = (a + b) // 2
        if offset(middle, zone) == start:
            a = middle
        else:
            b = middle
    return b


def day(t: float, zone: ZoneInfo) -> int:
    """The local day at ``t``."""
    return floor(wall(t, zone) / DAY)


def monday(of: int) -> int:
    """The Monday on or before that local day."""
    return of - (of + EPOCH_WEEKDAY) % 7


@lru_cache(maxsize=16384)
def day_start(of: int, zone: ZoneInfo) -> float:
    """The first instant of that local day: not always midnight."""
    return instant(of * DAY, zone)


def iso_day(of: int) -> str:
    """``2026-11-24``."""
    return date.fromordinal(of + EPOCH_ORDINAL).isoformat()


def day_of_iso(text: str) -> int:
    """The day of an ISO date; raises ``ValueError``."""
    return date.fromisoformat(text).toordinal() - EPOCH_ORDINAL


def instant_of_iso(text: str, zone: ZoneInfo) -> float:
    """The instant of an ISO date and time; without an offset it is local. Raises ``ValueError``."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is not None:
        return moment.timestamp()
    return instant(floor(moment.replace(tzinfo=UTC).timestamp()), zone)
