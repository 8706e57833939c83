"""The ``date`` filter: instants as text, in the person's zone and the message's language, never by a clock."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time

from babel import Locale
from babel.dates import format_date

from engine.compose.problems import TemplateError

NAMED = ("short", "medium", "long", "full")
_FIX = "Give a time in ISO form such as 2026-11-24T08:15:00Z, a number of epoch seconds, or now."


def format_instant(value: object, form: object, now: datetime, locale: Locale) -> str:
    """``value`` written as ``form``: ``%`` directives, or a date as the language has it: short, medium, long, full.

    Raises ``TemplateError`` when either cannot be read. ``now`` carries the zone.
    """
    if not isinstance(form, str) or not form:
        raise TemplateError("The date filter needs a form.", fix="Write for example | date: '%H:%M'.")
    instant = to_instant(value, now)
    if form in NAMED:
        return str(format_date(instant.date(), form, locale))
    return _directives(form, instant, locale)


def to_instant(value: object, now: datetime) -> datetime:
    """A date, an instant, epoch seconds or ISO text as a datetime in the zone of ``now``."""
    if isinstance(value, str) and value in ("now", "today"):
        return now
    try:
        return _read(value, now)
    except (ValueError, OverflowError, OSError) as error:
        raise TemplateError(f"{str(value)[:60]!r} is not a date.", fix=_FIX) from error


def _read(value: object, now: datetime) -> datetime:
    if isinstance(value, datetime):
        return _zoned(value, now)
    if isinstance(value, date):
        return datetime.combine(value, time.min, now.tzinfo)
    if isinstance(value, str):
        text = value.strip()
        value = float(text) if text.isdecimal() else datetime.fromisoformat(text)
        return _read(value, now)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return datetime.fromtimestamp(float(value), UTC).astimezone(now.tzinfo)
    raise ValueError(value)


def _zoned(instant: datetime, now: datetime) -> datetime:
    """Text without a zone is local to the person."""
    return instant.replace(tzinfo=now.tzinfo) if instant.tzinfo is None else instant.astimezone(now.tzinfo)


def _name(kind: str, width: str, index: Callable[[datetime], int]) -> Callable[[datetime, Locale], str]:
    def write(d: datetime, locale: Locale) -> str:
        names = locale.days if kind == "days" else locale.months
        return str(names["format"][width][index(d)])

    return write


def _period(d: datetime, locale: Locale) -> str:
    return "AM" if d.hour < 12 else "PM"


def _zone(d: datetime, locale: Locale) -> str:
    offset = d.utcoffset()
    minutes = int(offset.total_seconds() // 60) if offset is not None else 0
    sign = "-" if minutes < 0 else "+"
    return f"{sign}{abs(minutes) // 60:02d}{abs(minutes) % 60:02d}"


# Not strftime: that one depends on the machine's C library and locale.
_WRITE: dict[str, Callable[[datetime, Locale], str]] = {
    "Y": lambda d, _: f"{d.year:04d}",
    "y": lambda d, _: f"{d.year % 100:02d}",
    "m": lambda d, _: f"{d.month:02d}",
    "d": lambda d, _: f"{d.day:02d}",
    "e": lambda d, _: f"{d.day:2d}",
    "j": lambda d, _: f"{d.timetuple().tm_yday:03d}",
    "H": lambda d, _: f"{d.hour:02d}",
    "k": lambda d, _: f"{d.hour:2d}",
    "I": lambda d, _: f"{d.hour % 12 or 12:02d}",
    "l": lambda d, _: f"{d.hour % 12 or 12:2d}",
    "M": lambda d, _: f"{d.minute:02d}",
    "S": lambda d, _: f"{d.second:02d}",
    "u": lambda d, _: str(d.isoweekday()),
    "w": lambda d, _: str(d.isoweekday() % 7),
    "F": lambda d, _: f"{d.year:04d}-{d.month:02d}-{d.day:02d}",
    "T": lambda d, _: f"{d.hour:02d}:{d.minute:02d}:{d.second:02d}",
    "R": lambda d, _: f"{d.hour:02d}:{d.minute:02d}",
    "A": _name("days", "wide", lambda d: d.weekday()),
    "a": _name("days", "abbreviated", lambda d: d.weekday()),
    "B": _name("months", "wide", lambda d: d.month),
    "b": _name("months", "abbreviated", lambda d: d.month),
    "p": _period,
    "z": _zone,
    "Z": lambda d, _: d.tzname() or "",
    "%": lambda d, _: "%",
}


def _directives(form: str, instant: datetime, locale: Locale) -> str:
    out: list[str] = []
    at = 0
    while at < len(form):
        if form[at] != "%":
            out.append(form[at])
            at += 1
            continue
        short = form[at + 1 : at + 2] == "-"  # %-d: no padding
        letter = form[at + 1 + short : at + 2 + short]
        write = _WRITE.get(letter)
        if write is None:
            known = " ".join(f"%{name}" for name in _WRITE)
            raise TemplateError(f"The date filter does not know '%{letter}'.", fix=f"Known are {known}.")
        text = write(instant, locale)
        out.append((text.lstrip(" 0") or "0") if short else text)
        at += 2 + short
    return "".join(out)
