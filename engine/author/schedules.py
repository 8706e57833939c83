"""Schedules as people write them: ``every weekday at 11:30``, or a cron line of five fields."""

import re

from engine.author.report import TextError, clip, did_you_mean
from engine.author.times import WEEKDAYS, parse_days
from engine.model.rule import Recurrence

HOUR, DAY = 60, 1440
FIX = 'Write for example every weekday at 11:30, every monday, friday at 08:00, every hour, or "30 11 * * 1-5".'
_YEAR = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS = {name: number for number, name in enumerate(_YEAR, 1)}
_LONGEST = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}
_CLOCK = re.compile(r"(\d{1,2})(?:[:.](\d{2}))?\s*(am|pm)?", re.IGNORECASE)
_WORDS = {"noon": 720, "midday": 720, "midnight": 0}
_OFTEN = re.compile(r"(?:(\d{1,4})\s+)?(minutes?|hours?)", re.IGNORECASE)
_MONTHLY = re.compile(r"(?:month\s+on\s+)?(?:the\s+)?(.+?)(?:\s+of\s+(?:every|each|the)\s+month)?", re.IGNORECASE)
_ORDINAL = re.compile(r"(\d{1,2})(?:st|nd|rd|th)", re.IGNORECASE)
_JOIN = re.compile(r"\s*,\s*(?:and\s+)?|\s+and\s+|\s+or\s+", re.IGNORECASE)
_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day of the month", 1, 31), ("month", 1, 12), ("weekday", 0, 7))


def parse_schedule(text: str) -> Recurrence:
    """A recurrence. Raises ``TextError``: also for one that never comes, such as the 30th of February."""
    words = text.strip().split()
    cron = len(words) == len(_FIELDS) and not words[0][:1].isalpha()
    found = _cron(words) if cron else _plain(text)
    _check_ever(found, text)
    return found


# ------------------------------------------------------------------ plain words


def _plain(text: str) -> Recurrence:
    """``every DAYS at TIMES``, ``every 15 minutes``, ``every 1st of the month at 9``."""
    head = re.match(r"\s*(?:(?:every|each|on)\s+)+", text, re.IGNORECASE)
    start = head.end() if head else 0
    often = _OFTEN.fullmatch(text[start:].strip())
    if often is not None:
        return _often(often, start)
    days, at, times = re.sub(r"\s+", " ", text[start:]).partition(" at ")
    if not at or not days.strip():
        raise TextError(f"'{clip(text)}' is no schedule.", FIX, start)
    clocks = tuple(sorted({_clock(word.strip(), text.find(word.strip())) for word in _JOIN.split(times)}))
    monthly = _ORDINAL.search(days)
    if monthly is not None:
        return Recurrence(clocks, days=_ordinals(days, start))
    numbers = parse_days(days, start)
    return Recurrence(clocks, () if len(numbers) == 7 else numbers)


def _often(found: re.Match[str], column: int) -> Recurrence:
    """``15 minutes``: counted from midnight, so that it comes at the same minutes every hour (and hours every day)."""
    count = int(found[1] or 1)
    whole = HOUR if found[2].lower().startswith("minute") else DAY
    step = count * (1 if whole == HOUR else HOUR)
    if count < 1 or whole % step:
        problem = f"'every {found[0]}' does not come at the same times each {'hour' if whole == HOUR else 'day'}."
        even = ", ".join(str(n) for n in ((5, 10, 15, 20, 30) if whole == HOUR else (1, 2, 3, 4, 6, 8, 12)))
        raise TextError(problem, f"Use one of {even}.", column)
    return Recurrence(tuple(range(0, DAY, step)))


def _clock(word: str, column: int) -> int:
    """``9``, ``09:30``, ``5 pm``, ``noon``: minutes of the day."""
    if word.lower() in _WORDS:
        return _WORDS[word.lower()]
    found = _CLOCK.fullmatch(word)
    hour, minute = (int(found[1]), int(found[2] or 0)) if found else (99, 0)
    half = (found[3] or "").lower() if found else ""
    if half and not 1 <= hour <= 12:
        hour = 99
    if half:
        hour = hour % 12 + (12 if half == "pm" else 0) if hour != 99 else hour
    if hour > 23 or minute > 59:
        raise TextError(f"'{clip(word)}' is not a time of day.", "Write for example 9, 09:30 or 5 pm.", max(0, column))
    return hour * HOUR + minute


def _ordinals(words: str, column: int) -> tuple[int, ...]:
    inner = _MONTHLY.fullmatch(words.strip())
    days: set[int] = set()
    for word in _JOIN.split(inner[1] if inner else words):
        found = _ORDINAL.fullmatch(re.sub(r"^the\s+", "", word.strip(), flags=re.IGNORECASE))
        if found is None or not 1 <= int(found[1]) <= 31:
            raise TextError(f"'{clip(word)}' is no day of a month.", "Write for example 1st and 15th.", column)
        days.add(int(found[1]))
    return tuple(sorted(days))


# ------------------------------------------------------------------ cron


def _cron(words: list[str]) -> Recurrence:
    """``minute hour day month weekday``; where day and weekday are both given, one of them is enough, as in cron."""
    minutes, hours, days, months, weekdays = (_field(i, word) for i, word in enumerate(words))
    every_day, every_weekday = words[2].startswith("*"), words[4].startswith("*")
    return Recurrence(
        times=tuple(hour * HOUR + minute for hour in hours for minute in minutes),
        weekdays=() if words[4] == "*" else tuple(sorted({(day - 1) % 7 for day in weekdays})),
        days=() if words[2] == "*" else days,
        months=() if words[3] == "*" else months,
        either=not every_day and not every_weekday,
    )


def _field(index: int, word: str) -> tuple[int, ...]:
    name, low, high = _FIELDS[index]
    found: set[int] = set()
    for part in word.split(","):
        span, slash, step = part.partition("/")
        if slash and not (step.isdecimal() and 1 <= int(step[:4]) <= high):
            raise TextError(f"'{clip(part)}' is no step of the {name}.", FIX)
        first, dash, last = span.partition("-")
        if span == "*":
            begin, end = low, high if index != 4 else 6
        else:
            begin = _value(index, first)
            end = _value(index, last) if dash else (high if slash else begin)
        if index == 4 and dash and end == 0:
            end = 7  # Sunday, at the end of the week
        if end < begin:
            raise TextError(f"'{clip(span)}' goes backwards.", f"Write: {begin}-{high},{low}-{end}")
        found.update(range(begin, end + 1, int(step) if slash else 1))
    return tuple(sorted(found))


def _value(index: int, word: str) -> int:
    name, low, high = _FIELDS[index]
    if index == 3 and word.lower()[:3] in _MONTHS and word.isalpha():
        return _MONTHS[word.lower()[:3]]
    if index == 4 and word.lower() in WEEKDAYS:
        return (WEEKDAYS[word.lower()] + 1) % 7
    if word.isdecimal() and len(word) < 5 and low <= int(word) <= high:
        return int(word)
    fix = did_you_mean(word, WEEKDAYS if index == 4 else _MONTHS) if word.isalpha() and index > 2 else ""
    raise TextError(f"'{clip(word)}' is no {name} ({low}-{high}).", f"{fix} {FIX}".strip())


def _check_ever(found: Recurrence, text: str) -> None:
    if not found.days or (found.either and found.weekdays):
        return
    months = found.months or tuple(range(1, 13))
    if all(found.days[0] > _LONGEST.get(month, 31) for month in months):
        raise TextError(f"'{clip(text)}' never comes: no such month has that day.", FIX)
