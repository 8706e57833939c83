"""Times and places as scenarios write them."""

import re
from collections.abc import Collection
from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from engine.author.durations import parse_duration, parse_metres
from engine.author.report import TextError, clip, did_you_mean
from engine.author.scenario_parts import MINUTE, Place, Span, TimeOfDay
from engine.author.times import parse_date

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ELSEWHERE = "elsewhere"

_DAY = r"(?:(mon|tue|wed|thu|fri|sat|sun)[a-z]*,?\s+)?"
_CLOCK = re.compile(_DAY + r"(\d{4}-\d{2}-\d{2})[ T]+(\d{1,2}):(\d{2})(?::(\d{2}))?\s*(\S+)?", re.IGNORECASE)
_OFFSET = re.compile(r"[+-]\d{2}:?\d{2}|Z|UTC", re.IGNORECASE)
_TIME = re.compile(
    r"(?:(next day|\d{4}-\d{2}-\d{2}|(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*)\s+)?(\d{1,2}):(\d{2})(?::(\d{2}))?",
    re.IGNORECASE,
)
_SPAN = re.compile(r"(.+?)\s*(?:\s+to\s+|-(?=\d\d?:))(.+)")
_POINT = re.compile(r"(-?\d{1,3}(?:\.\d+)?)\s*,\s*(-?\d{1,3}(?:\.\d+)?)")
_OFF = re.compile(r"(.+?)\s+(?:from|outside|outside of)\s+(\S+)")
_NAME = re.compile(r"[^\s,]{1,200}")
_ROUTE = re.compile(r"(?:(?:from\s+)?(?P<a>.+?)\s+)?to\s+(?P<b>.+)")
_IN = re.compile(r",\s*(?:in|for)\s+([^,]+)$")
_STAY = re.compile(r"(?:(?P<place>.+?),\s*)?(?:for\s+)?(?P<length>[^,]+)")
_CLOCK_FIX = "Write for example 2026-11-24 08:00 Europe/Berlin."
_TIME_FIX = "Write for example 08:05, next day 08:05, fri 18:00 or 2026-11-25 08:05."
_PLACE_FIX = "Write a fence id, 52.5219, 13.4031, 300 m from cafe-mitte, or elsewhere."


def parse_clock(text: str, zone: str) -> tuple[float, str]:
    """``[tue] 2026-11-24 08:00 [Europe/Berlin]``: the instant, and the zone in which the scenario's times are meant.
    Raises ``TextError``."""
    found = _CLOCK.fullmatch(text.strip())
    if found is None:
        raise TextError(f"'{clip(text)}' is no date and time.", _CLOCK_FIX)
    day = date.fromisoformat(parse_date(found[2], found.start(2)))
    weekday = found[1]
    if weekday and DAYS[day.weekday()] != weekday.lower():
        raise TextError(
            f"{day} is a {DAYS[day.weekday()]}, no {weekday.lower()}.", f"Write: {DAYS[day.weekday()]} {day}"
        )
    seconds = seconds_of(found[3], found[4], found[5], text)
    named = found[6] or zone
    if _OFFSET.fullmatch(named):
        iso = (
            f"{day}T{int(found[3]):02}:{found[4]}:{found[5] or '00'}{'Z' if named.upper() == 'UTC' else named.upper()}"
        )
        return datetime.fromisoformat(iso).timestamp(), "UTC" if named.upper() in ("Z", "UTC") else zone
    try:
        return local_instant(day, seconds, check_zone(named))
    except ValueError as error:
        raise TextError(f"{error}", "Choose a time that the clocks of that day show.") from None


def check_zone(name: str) -> str:
    """The name, where it is one of a time zone. Raises ``TextError``."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        near = did_you_mean(name, available_timezones())
        raise TextError(f"'{clip(name)}' is no time zone.", near or "Write for example Europe/Berlin.") from None
    return name


@lru_cache(maxsize=4096)
def local_instant(day: date, seconds: float, zone: str) -> tuple[float, str]:
    """The instant of a local time (the first, where clocks go back), and its zone. ``ValueError`` where clocks skip
    it."""
    z = ZoneInfo(zone)
    local = datetime(day.year, day.month, day.day, tzinfo=z) + timedelta(seconds=seconds)
    instant = local.timestamp()
    if datetime.fromtimestamp(instant, z).replace(tzinfo=None) != local.replace(tzinfo=None):
        raise ValueError(f"Clocks in {zone} skip {local:%H:%M} on {local:%Y-%m-%d}.")
    return instant, zone


def seconds_of(hours: str, minutes: str, seconds: str | None, text: str) -> float:
    """Seconds of the day. Raises ``TextError``."""
    h, m, s = int(hours), int(minutes), int(seconds or 0)
    if h > 23 or m > 59 or s > 59:
        raise TextError(f"'{clip(text)}' is no time of the day.", "Times go from 00:00 to 23:59.")
    return h * 3600.0 + m * 60.0 + s


def parse_time(text: str) -> TimeOfDay:
    """``08:05``, ``next day 08:05``, ``fri 18:00``, ``2026-11-25 08:05``. Raises ``TextError``."""
    found = _TIME.fullmatch(text.strip())
    if found is None:
        raise TextError(f"'{clip(text)}' is no time.", _TIME_FIX)
    seconds = seconds_of(found[2], found[3], found[4], text)
    day: str | int | None = found[1]
    if isinstance(day, str):
        day = day.lower()
        day = "next" if day == "next day" else parse_date(day) if day[0].isdigit() else DAYS.index(day[:3])
    return TimeOfDay(seconds, 1.0 if found[4] else MINUTE, day)


def parse_time_span(text: str) -> Span:
    """``08:05``, or ``08:05 to 08:10``. Raises ``TextError``."""
    if _TIME.fullmatch(text.strip()) or (found := _SPAN.fullmatch(text.strip())) is None:
        one = parse_time(text)
        return Span(one, one)
    first, last = parse_time(found[1]), parse_time(found[2])
    if first.day is None and last.day is None and last.seconds < first.seconds:
        raise TextError(f"'{clip(text)}' ends before it begins.", "Name the days where it goes past midnight.")
    return Span(first, last)


def parse_place(text: str, named: Collection[str]) -> Place:
    """A fence id, a name of ``places``, ``LAT, LON``, ``300 m from FENCE`` or ``elsewhere``. Raises ``TextError``."""
    text = text.strip()
    if text.lower() == ELSEWHERE:
        return Place(text=ELSEWHERE)
    if (point := _POINT.fullmatch(text)) is not None:
        return Place(point=parse_point(point[1], point[2]), text=text)
    if (off := _OFF.fullmatch(text)) is not None:
        return Place(off[2], metres=parse_metres(off[1]), text=text)
    if text.lower().startswith("tag "):
        raise TextError(f"'{clip(text)}' is not one place.", "Name one fence that has this tag.")
    if not _NAME.fullmatch(text) and text not in named:
        raise TextError(f"'{clip(text)}' is no place.", _PLACE_FIX)
    return Place(text, text=text)


def parse_point(lat: str, lon: str) -> tuple[float, float]:
    """Degrees, checked. Raises ``TextError``."""
    point = float(lat), float(lon)
    if abs(point[0]) > 90 or abs(point[1]) > 180:
        raise TextError(f"{lat}, {lon} is not on Earth.", "Latitude comes first: 52.5219, 13.4031.")
    return point


def parse_route(text: str, named: Collection[str]) -> tuple[Place | None, Place, float | None]:
    """``[A] to B[, in 10 minutes]``: from, to, seconds. Raises ``TextError``."""
    rest, seconds = _clause(text)
    found = _ROUTE.fullmatch(rest.strip())
    if found is None:
        raise TextError(f"'{clip(text)}' is no way.", "Write for example: cafe-mitte to office-park, in 10 minutes")
    start = None if found["a"] is None else parse_place(found["a"], named)
    return start, parse_place(found["b"], named), seconds


def _clause(text: str) -> tuple[str, float | None]:
    found = _IN.search(text)
    if found is None:
        return text, None
    seconds = parse_duration(found[1])
    if seconds <= 0:
        raise TextError(f"'{clip(found[1])}' is no time.", "Write for example: in 10 minutes", found.start(1))
    return text[: found.start()], seconds


def parse_stay(text: str, named: Collection[str]) -> tuple[Place | None, float]:
    """``20 minutes`` (where one is), or ``cafe-mitte, for 20 minutes``. Raises ``TextError``."""
    rest, seconds = _clause(text)
    if seconds is not None:
        return parse_place(rest, named), seconds
    found = _STAY.fullmatch(text.strip())
    if found is None or found["place"]:
        raise TextError(f"'{clip(text)}' is no stay.", "Write for example: cafe-mitte, for 20 minutes")
    return None, parse_duration(found["length"])
