"""Instants as people read them."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo


def iso(t: float | None) -> str | None:
    """``2026-11-24T08:15:00Z``, with milliseconds where there are any; None where the calendar does not reach."""
    if t is None:
        return None
    try:
        instant = datetime.fromtimestamp(round(t * 1000) // 1000, UTC) + timedelta(milliseconds=round(t * 1000) % 1000)
    except (OverflowError, ValueError, OSError):
        return None
    text = instant.isoformat(timespec="milliseconds" if instant.microsecond else "seconds")
    return text.removesuffix("+00:00") + "Z"


def clock(t: float, near: float, zone_name: str) -> str:
    """``16:02 (Europe/Berlin)``; with the date where it is not the day of ``near``."""
    zone = _zone(zone_name)
    there, here = _local(t, zone), _local(near, zone)
    if there is None:
        return "a time beyond the calendar"
    day = "" if here is not None and there.date() == here.date() else f"{there:%Y-%m-%d} "
    return f"{day}{there:%H:%M} ({zone.key})"


def lasting(seconds: float) -> str:
    """``2 hours``, ``1 hour 5 minutes``, ``40 seconds``: rounded up, two units at most."""
    seconds = max(1, -int(-seconds // 1))
    if seconds < 60:
        return _count(seconds, "second")
    minutes = -(-seconds // 60)
    if minutes < 60:
        return _count(minutes, "minute")
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return _count(hours, "hour") + (f" {_count(minutes, 'minute')}" if minutes else "")
    days, hours = divmod(hours + (1 if minutes else 0), 24)
    return _count(days, "day") + (f" {_count(hours, 'hour')}" if hours else "")


def _count(n: int, unit: str) -> str:
    return f"{n} {unit}{'' if n == 1 else 's'}"


def _local(t: float, zone: ZoneInfo) -> datetime | None:
    try:
        return datetime.fromtimestamp(t, UTC).astimezone(zone)
    except (OverflowError, ValueError, OSError):
        return None


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return ZoneInfo("UTC")
