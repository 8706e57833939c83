"""Quiet hours: a span of the local wall clock, start included, end not; it may wrap midnight.

Whether it is quiet depends on the wall clock alone. So an hour that the clock shows twice is quiet twice, and where a
gap swallows the end the quiet is over as soon as the clock has jumped past it.
"""

from math import floor
from zoneinfo import ZoneInfo

from engine.decide import localtime

Quiet = tuple[int, int] | None  # minutes of the local day

MAX_STEPS = 16  # each step reaches a boundary or a change of the zone's offset


def is_quiet(t: float, zone: ZoneInfo, quiet: Quiet) -> bool:
    """Whether the wall clock at ``t`` stands in the span. Start = end is no span."""
    if quiet is None:
        return False
    start, end = quiet
    second = floor(localtime.wall(t, zone)) % localtime.DAY
    if start <= end:
        return start * 60 <= second < end * 60
    return second >= start * 60 or second < end * 60


def quiet_until(now: float, zone: ZoneInfo, quiet: Quiet) -> float | None:
    """The first instant after ``now`` that is not quiet; None when it is not quiet now."""
    return _first(now, zone, quiet, False) if is_quiet(now, zone, quiet) else None


def next_quiet(now: float, zone: ZoneInfo, quiet: Quiet) -> float | None:
    """The first instant at or after ``now`` that is quiet; None when none ever is."""
    return None if quiet is None or quiet[0] == quiet[1] else _first(now, zone, quiet, True)


def _first(now: float, zone: ZoneInfo, quiet: Quiet, wanted: bool) -> float | None:
    """The first instant at or after ``now`` at which it is (not) quiet: from boundary to boundary, stopping at each
    change of the zone's offset, because there the wall clock jumps."""
    if quiet is None:
        return None
    boundary = (quiet[0] if wanted else quiet[1]) * 60
    t = now
    for _ in range(MAX_STEPS):
        if is_quiet(t, zone, quiet) is wanted:
            return t
        shift = localtime.offset(t, zone)
        today = floor(t + shift) // localtime.DAY * localtime.DAY
        next_wall = today + boundary
        if next_wall <= t + shift:
            next_wall += localtime.DAY
        target = float(next_wall - shift)
        same = localtime.offset(target, zone) == shift
        t = target if same else float(localtime.change(t, target, zone))
    return None  # not reachable with a span shorter than a day
