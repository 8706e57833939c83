"""Recurrences on the line of time: the instants at which a local time comes, right across gaps and folds of the clock.

A local time that a gap swallows comes when the clock has jumped past it; one that the clock shows twice comes once, the
first time. Where several local times fall on one instant they come together, once.
"""

from datetime import date
from functools import lru_cache
from zoneinfo import ZoneInfo

from engine.decide import localtime
from engine.model.rule import Recurrence

SEARCH_DAYS = 366 * 8 + 2  # a 29th of February is at most eight years away


def fits(recurrence: Recurrence, day: int) -> bool:
    """Whether the times come on that local day (days since 1970-01-01)."""
    on = date.fromordinal(day + localtime.EPOCH_ORDINAL)
    if recurrence.months and on.month not in recurrence.months:
        return False
    of_month = not recurrence.days or on.day in recurrence.days
    of_week = not recurrence.weekdays or on.weekday() in recurrence.weekdays
    return (of_month or of_week) if recurrence.either else (of_month and of_week)


@lru_cache(maxsize=65536)  # many rules share their times, and all of a release begin together
def next_coming(recurrence: Recurrence, after: float, zone: ZoneInfo) -> float | None:
    """The first instant after that one; None where it never comes again."""
    first = localtime.day(after, zone) - 1
    for day in range(first, first + SEARCH_DAYS):
        if fits(recurrence, day):
            for minute in recurrence.times:
                instant = localtime.instant(day * localtime.DAY + minute * 60, zone)
                if instant > after:
                    return instant
    return None


def last_coming(recurrence: Recurrence, after: float, until: float, zone: ZoneInfo) -> float | None:
    """The latest instant in (after, until], or None."""
    for day in range(localtime.day(until, zone) + 1, localtime.day(after, zone) - 2, -1):
        if fits(recurrence, day):
            for minute in reversed(recurrence.times):
                instant = localtime.instant(day * localtime.DAY + minute * 60, zone)
                if after < instant <= until:
                    return instant
                if instant <= after:
                    return None
    return None


def newest(recurrence: Recurrence, after: float, until: float, zone: ZoneInfo, most: int) -> list[float]:
    """At most so many of the latest instants in (after, until], in order."""
    found: list[float] = []
    while len(found) < most and (coming := last_coming(recurrence, after, until, zone)) is not None:
        found.append(coming)
        until = coming - 0.5
    return found[::-1]


def wall(recurrence: Recurrence, at: float, zone: ZoneInfo) -> int | None:
    """The local time (wall clock, seconds since 1970 of that clock) that comes at that instant; the latest, where
    several come at once; None where none does."""
    day = localtime.day(at, zone)
    found = (
        of * localtime.DAY + minute * 60
        for of in (day, day - 1)
        if fits(recurrence, of)
        for minute in reversed(recurrence.times)
    )
    return next((one for one in found if localtime.instant(one, zone) == at), None)


def wall_text(of: int) -> str:
    """``2026-11-24T11:30``."""
    day, second = divmod(of, localtime.DAY)
    return f"{localtime.iso_day(day)}T{second // 3600:02d}:{second % 3600 // 60:02d}"


def instant(of: int, zone: ZoneInfo) -> float:
    """The instant of a wall clock: the first that shows it or, in a gap, the end of the gap."""
    return localtime.instant(of, zone)
