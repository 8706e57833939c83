"""The keys of config.toml: for each section and key, what reads its value. Readers raise ``TextError``."""

from collections.abc import Callable, Mapping
from ipaddress import ip_network
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from engine.author.durations import parse_cap, parse_duration, parse_size
from engine.author.report import NotYet, TextError, clip, did_you_mean
from engine.author.times import parse_quiet_hours
from engine.match import durable
from engine.model.rule import Cap

Reader = Callable[[Any], Any]


def text(value: Any) -> str:
    """A text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise TextError("This must be a text.", 'Write it in quotes: "…".')
    return value.strip()


class Shaped:
    """A reader that knows the shape of what it takes, as JSON Schema has it."""

    def __init__(self, read: Reader, shape: Mapping[str, Any]) -> None:
        self._read, self.shape = read, shape

    def __call__(self, value: Any) -> Any:
        return self._read(value)


def number(low: float, high: float) -> Reader:
    """A number in a range; text that holds one is taken (environment variables are text)."""

    def read(value: Any) -> float:
        try:
            found = float(value) if isinstance(value, (str, int, float)) and not isinstance(value, bool) else None
        except (ValueError, OverflowError):
            found = None
        if found is None or not low <= found <= high:
            raise TextError(f"'{clip(str(value)[:80])}' is no number from {low:g} to {high:g}.")
        return found

    return Shaped(read, {"type": "number", "minimum": low, "maximum": high})


def whole(low: int, high: int) -> Reader:
    """A whole number in a range."""
    read_number = number(low, high)

    def read(value: Any) -> int:
        found: float = read_number(value)
        if found != int(found):
            raise TextError(f"{found:g} is no whole number.")
        return int(found)

    return Shaped(read, {"type": "integer", "minimum": low, "maximum": high})


def duration(value: Any) -> float:
    """``"30m"``: seconds."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value:
        raise TextError(f"{value} has no unit.", f'Write "{value}s" for seconds, or for example "30m".')
    return parse_duration("0" if value == 0 else text(value))


def size(value: Any) -> int:
    """``"8MB"`` or a number of bytes."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**60:
        return value
    return parse_size(text(value))


def texts(value: Any) -> tuple[str, ...]:
    """A list of texts; one text with commas is taken too."""
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise TextError("This must be a list of texts.", 'Write ["a", "b"].')
    return tuple(item.strip() for item in items if item.strip())


def caps(value: Any) -> tuple[Cap, ...]:
    """``["3 per day", "10 per 7 days"]``; none: ``[]``."""
    return tuple(parse_cap(item) for item in texts(value))


def networks(value: Any) -> tuple[str, ...]:
    """Networks such as ``127.0.0.1/32``."""
    found = texts(value)
    for item in found:
        try:
            ip_network(item)
        except ValueError as error:
            raise TextError(f"{error}.", 'Write for example "127.0.0.1/32".') from error
    return found


def one_of(*allowed: str) -> Reader:
    """One of some words."""

    def read(value: Any) -> str:
        if value not in allowed:
            raise TextError(f"'{clip(str(value))}' is not possible.", did_you_mean(str(value), allowed))
        return str(value)

    return Shaped(read, {"type": "string", "enum": list(allowed)})


def time_zone(value: Any) -> str:
    """An IANA time zone."""
    name = text(value)
    try:
        ZoneInfo(name)
    except (OSError, ValueError):  # ZoneInfoNotFoundError is a KeyError on purpose of the library
        raise _no_zone(name) from None
    except KeyError:
        raise _no_zone(name) from None
    return name


def _no_zone(name: str) -> TextError:
    return TextError(
        f"'{clip(name)}' is no time zone.", did_you_mean(name, available_timezones()) or 'Write "Europe/Berlin".'
    )


def store_url(value: Any) -> str:
    """``embedded:``; the cluster's store is announced."""
    url = text(value)
    if url.startswith(("redis", "rediss", "valkey")):
        raise NotYet("redis://")
    if not url.startswith("embedded:"):
        raise TextError(f"'{clip(url)}' is no store.", 'Write "embedded:".')
    return url


def matcher(value: Any) -> str:
    """``indexed``, or ``durable`` where durable-rules is installed."""
    name = str(one_of("indexed", "durable")(value))
    problem = durable.missing() if name == "durable" else None
    if problem is not None:
        raise TextError(f"durable-rules cannot be loaded: {problem}.", durable.INSTALL)
    return name


def quiet_hours(value: Any) -> tuple[int, int] | None:
    """``"21:00-08:00"`` or ``"none"``."""
    return parse_quiet_hours(text(value))


_LONG = 3650.0
SECTIONS: Mapping[str, Mapping[str, Reader]] = {
    "server": {"host": text, "port": whole(0, 65535)},
    "paths": {"rules": text, "geofences": text, "data": text},
    "store": {"url": store_url},
    "retention": {"journal_days": number(0.01, _LONG), "journal_max": size, "traces_days": number(0.01, _LONG)},
    "limits": {"body": size, "inflated": size, "depth": whole(4, 256), "queue": whole(1, 100_000_000)},
    "ingest": {"unknown_fields": one_of("warn", "reject")},
    "match": {"engine": matcher},
    "sense": {
        "default_accuracy": number(0, 10_000),
        "max_accuracy": number(1, 1_000_000),
        "enter_probability": number(0.5, 0.999),
        "exit_probability": number(0.5, 0.999),
        "min_inside": duration,
        "min_outside": duration,
        "silence": duration,
        "resume_within": duration,
        "max_future": duration,
    },
    "decide": {
        "time_zone": time_zone,
        "quiet_hours": quiet_hours,
        "caps": caps,
        "cooldown": duration,
        "send_within": duration,
        "window": duration,
    },
    "guard": {"sends_per_minute": whole(1, 1_000_000_000)},
    "test": {"people": texts, "channels": texts},
    "egress": {"allow": networks},
}
