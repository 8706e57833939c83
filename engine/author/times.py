"""Times as people write them: weekdays and times of day, quiet hours, dates."""

import re
from datetime import date, datetime
from functools import lru_cache

from engine.author.report import TextError, clip, nearest
from engine.match.holidays import known
from engine.model.rule import DayTime

WEEKDAYS: dict[str, int] = {}
for _number, _names in enumerate(("mon monday", "tue tues tuesday", "wed wednesday", "thu thur thurs thursday")):
    WEEKDAYS.update(dict.fromkeys(_names.split(), _number))
WEEKDAYS.update({"fri": 4, "friday": 4, "sat": 5, "saturday": 5, "sun": 6, "sunday": 6})
_GROUPS = {"weekday": range(5), "weekdays": range(5), "weekend": range(5, 7), "weekends": range(5, 7)}
_GROUPS |= {"daily": range(7), "everyday": range(7)}

_SPAN = re.compile(r"(\d{1,2}):(\d{2})\s*(?:-|–|to)\s*(\d{1,2}):(\d{2})")
_JOIN = re.compile(r"\s*,\s*(?:or\s+|and\s+)?|\s+or\s+|\s+and\s+", re.IGNORECASE)
_RANGE = re.compile(r"([a-z]+)(?:\s*[-–]\s*([a-z]+))?")
_TIME_FIX = "Write for example mon-fri 08:00-10:15, or sat, sun, or 22:00-02:00."
_RUNS = re.compile(r"(?:from\s+)?(\S+)?\s*(?:(?:to|until|till)\s+(\S+))?", re.IGNORECASE)
_NOT = re.compile(r"(?:^|[\s,]+)(?:(?:and|but)\s+)?not(?=\s)", re.IGNORECASE)
_DATES = re.compile(r"(\d{4}-\d\d-\d\d)(?:\s+(?:to|until|till)\s+(\d{4}-\d\d-\d\d))?")
_HOLIDAYS = re.compile(r"(?:(?:public|bank)\s+)?holidays?(?:\s+(?:in|of)\s+([a-z]{2}(?:-\w+)?))?")
_SMALL = re.compile(r"(?:^|(?<=\s))(?:on|from)(?=\s|$)")
_DATE_FIX = "Write for example 2026-11-02 to 2027-02-26 (or from 2026-11-02, or until 2027-02-26)."


_Days = tuple[tuple[int, ...], tuple[str, str] | None, str]
"""Weekdays, dates and holidays: all of them must fit."""

_ANY: tuple[int, ...] = tuple(range(7))


@lru_cache(maxsize=4096)
def parse_local_times(text: str) -> tuple[tuple[DayTime, ...], tuple[DayTime, ...]]:
    """The spans, and those left out after ``not``: ``weekdays 08:00-18:00, not holidays in DE``. Raises
    ``TextError``."""
    split = _NOT.search(text)
    if split is None:
        return parse_local_time(text), ()
    before, rest = text[: split.start()], _NOT.sub(lambda found: ",".ljust(len(found[0])), text[split.end() :])
    spans = parse_local_time(before) if before.strip() else (DayTime(_ANY, 0, 1440),)
    try:
        return spans, parse_local_time(rest)
    except TextError as error:
        raise TextError(error.problem, error.fix, error.column + split.end()) from error


@lru_cache(maxsize=4096)
def parse_local_time(text: str) -> tuple[DayTime, ...]:
    """``mon-fri 08:00-10:15``, ``sat, sun 10:00-14:00``, ``08:00-10:00 or 16:00-18:00``, ``2026-12-01 to 2026-12-24``,
    ``holidays in DE 10:00-14:00``. Raises ``TextError``.

    Days listed before a time share it; a time that follows a day and time is for the same days.
    """
    spans: list[DayTime] = []
    waiting: list[_Days] = []  # days that no time was given for yet
    latest: list[_Days] = [(_ANY, None, "")]
    for column, item in _items(text):
        days, times = _day_and_time(item, column)
        waiting += days
        if times is not None:
            latest = _merged(waiting) if waiting else latest
            spans += [DayTime(on, *times, dates, holidays) for on, dates, holidays in latest]
            waiting = []
    spans += [DayTime(on, 0, 1440, dates, holidays) for on, dates, holidays in _merged(waiting)]
    return tuple(spans)


def _merged(days: list[_Days]) -> list[_Days]:
    """Plain weekdays as one, then the others."""
    plain = {day for on, *rest in days if rest == [None, ""] for day in on}
    others = [one for one in dict.fromkeys(days) if one[1:] != (None, "")]
    return [(tuple(sorted(plain)), None, ""), *others] if plain else others


def _items(text: str) -> list[tuple[int, str]]:
    """The parts between commas, ``or`` and ``and``, each with its column."""
    items, at = [], 0
    for joint in _JOIN.finditer(text):
        items.append((at, text[at : joint.start()]))
        at = joint.end()
    return [*items, (at, text[at:])]


def _day_and_time(item: str, column: int) -> tuple[list[_Days], tuple[int, int] | None]:
    found = _SPAN.search(item)
    words = (item if found is None else item[: found.start()]).strip().lower()
    rest = "" if found is None else item[found.end() :].strip()
    if rest or (found is None and not words):
        raise TextError(f"'{clip(item.strip())}' is not a time.", _TIME_FIX, column)
    dates, words = _dates(words, column)
    holidays, words = _holidays(words, column)
    words = _SMALL.sub(" ", words).strip()
    if found is None and any(c.isdigit() for c in words):
        raise TextError(f"'{clip(item.strip())}' is not a span of time.", _TIME_FIX, column)
    times = None if found is None else _span(found, column)
    if not words and dates is None and not holidays:
        return [], times
    return [(tuple(_days(words, column)) if words else _ANY, dates, holidays)], times


def _dates(words: str, column: int) -> tuple[tuple[str, str] | None, str]:
    """``2026-12-01 to 2026-12-24``, or one date, and what else stands there."""
    found = _DATES.search(words)
    if found is None:
        return None, words
    first = parse_date(found[1], column + found.start(1))
    last = parse_date(found[2], column + found.start(2)) if found[2] else first
    if last < first:
        raise TextError(f"The end {last} is before the start {first}.", f"Write: {last} to {first}", column)
    return (first, last), words[: found.start()] + words[found.end() :]


def _holidays(words: str, column: int) -> tuple[str, str]:
    """``holidays in DE-BE``, and what else stands there."""
    found = _HOLIDAYS.search(words)
    if found is None:
        return "", words
    code = (found[1] or "").upper()
    fix = "Write for example holidays in DE, or in a part of it: holidays in DE-BE."
    if not code:
        raise TextError("Which country's holidays is not said.", fix, column)
    country, _, part = code.partition("-")
    if country not in known():
        raise TextError(f"No holidays are known of '{clip(code)}'.", fix, column)
    parts = {one.upper(): one for one in known()[country]}
    if part and part not in parts:
        have = f"Known parts: {', '.join(known()[country])}." if parts else f"Write: holidays in {country}"
        raise TextError(f"No holidays are known of '{clip(code)}'.", have, column)
    return country + (f"-{parts[part]}" if part else ""), words[: found.start()] + words[found.end() :]


def parse_days(text: str, column: int = 0) -> tuple[int, ...]:
    """``weekdays``, ``monday, friday``, ``mon-wed and sat``, ``day``: sorted numbers. Raises ``TextError``."""
    days: set[int] = set()
    for at, item in _items(text):
        days.update(_days(item.strip().lower(), column + at))
    return tuple(sorted(days))


def _days(words: str, column: int) -> list[int]:
    words = re.sub(r"^(on|every)\s+", "", words)
    if words in _GROUPS or words == "day":
        return list(_GROUPS.get(words, range(7)))
    found = _RANGE.fullmatch(words)
    names = [name for name in (found.groups() if found else (words,)) if name]
    for name in names:
        if name not in WEEKDAYS:
            near = nearest(name, (*WEEKDAYS, *_GROUPS))
            fix = f"Did you mean '{near}'? {_TIME_FIX}" if near else _TIME_FIX
            raise TextError(f"'{clip(name)}' is not a day.", fix, column)
    first, last = WEEKDAYS[names[0]], WEEKDAYS[names[-1]]
    return [(first + n) % 7 for n in range((last - first) % 7 + 1)]


def _span(found: re.Match[str], column: int) -> tuple[int, int]:
    """Minutes of the day; an end before the start wraps."""
    hours_and_minutes = [int(part) for part in found.groups()]
    start, end = (60 * hours_and_minutes[i] + hours_and_minutes[i + 1] for i in (0, 2))
    if any(m > 59 for m in hours_and_minutes[1::2]) or start > 1439 or end > 1440:
        raise TextError(f"'{found[0]}' is not within the day.", "Times go from 00:00 to 24:00.", column)
    if start == end:
        raise TextError(f"'{found[0]}' is no time at all.", "Write 00:00-24:00 for the whole day.", column)
    return start, end


def parse_quiet_hours(text: str) -> tuple[int, int] | None:
    """``21:00-08:00`` as minutes of the local day, or None for ``none``. Raises ``TextError``."""
    text = text.strip()
    if text.lower() == "none":
        return None
    found = _SPAN.fullmatch(text)
    if found is None:
        raise TextError(f"'{clip(text)}' are no quiet hours.", 'Write for example "21:00-08:00" or "none".')
    start, end = _span(found, 0)
    if (start, end % 1440) == (0, 0):
        raise TextError("Quiet hours around the clock would never let anything out.", 'Write "none" to have none.')
    return start, end % 1440


def parse_runs(text: str) -> tuple[str | None, str | None]:
    """``2026-11-02 to 2027-02-26``: two local dates, both included; either may be left open. Raises ``TextError``."""
    text = text.strip()
    open_end = text.lower().startswith("from ")
    found = _RUNS.fullmatch(text)
    if found is None or not (found[1] or found[2]):
        raise TextError(f"'{clip(text)}' are no dates.", _DATE_FIX)
    first, last = found[1], found[2]
    if first and first.lower() in ("until", "till", "to"):  # "until" read as the first date
        raise TextError(f"'{clip(text)}' are no dates.", _DATE_FIX)
    start = parse_date(first, found.start(1)) if first else None
    end = parse_date(last, found.start(2)) if last else (None if open_end else start)
    if start and end and end < start:
        raise TextError(f"The end {end} is before the start {start}.", f"Write: {end} to {start}", found.start(2))
    return start, end


def parse_date(text: str, column: int = 0) -> str:
    """An ISO date, checked. Raises ``TextError``."""
    try:
        if len(text) != 10:
            raise ValueError
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise TextError(f"'{clip(text)}' is not a date.", "Write year-month-day: 2026-11-02.", column) from None


def parse_date_or_instant(text: str) -> str:
    """An ISO local date, or an ISO instant with its time zone. Raises ``TextError``."""
    text = text.strip()
    if len(text) == 10:
        return parse_date(text)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        fix = "Write 2027-02-26, or 2027-02-26T18:00:00+01:00."
        raise TextError(f"'{clip(text)}' is not a date, nor an instant with its time zone.", fix)
    return instant.isoformat()
