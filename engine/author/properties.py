"""The id and the properties of a GeoJSON feature that is a fence."""

import math
import re
from collections.abc import Callable
from typing import Any, Literal

from msgspec import Struct, field

from engine.author.durations import parse_duration, parse_metres
from engine.author.report import TextError, clip, nearest
from engine.author.shapes import MAX_RADIUS
from engine.author.times import parse_local_times, parse_runs
from engine.model.rule import DayTime

KNOWN = (*("id", "name", "tags", "schedule", "valid", "on_open", "dwell", "catchment", "cross", "metadata", "radius"),)
_LIKE = 80.0  # similarity from which an unknown property is taken for a slip of the pen
_MAX_DEPTH = 16
_SILENT = ("subType",)  # Azure's mark of a circle


class Properties(Struct):
    """What was read; ``strangers`` are the unknown ones, kept in ``metadata``."""

    name: str = ""
    tags: tuple[str, ...] = ()
    dwell: tuple[float, ...] = ()
    catchment: float = 0.0
    radius: float | None = None
    cross: bool = False
    schedule: str | None = None
    open: tuple[DayTime, ...] = ()
    but: tuple[DayTime, ...] = ()
    valid: tuple[str | None, str | None] = (None, None)
    on_open: Literal["enter", "ignore"] = "enter"
    metadata: dict[str, Any] = field(default_factory=dict)
    strangers: list[str] = field(default_factory=list)


def read_id(outer: Any, inner: Any) -> str | None:
    """The id of a fence: the feature's own, else the property; None when there is none. Raises ``TextError``."""
    found = inner if outer is None or outer == "" else outer
    if found is None or found == "":
        return None
    if isinstance(found, bool) or not isinstance(found, (str, int, float)):
        raise TextError("The id must be a text.", 'Write "id": "cafe-mitte".')
    fence = found.strip() if isinstance(found, str) else f"{found:g}" if isinstance(found, float) else str(found)
    words = fence.lower().split()
    if not fence or len(fence) > 128 or "," in fence or not fence.isprintable():
        raise TextError(f"'{clip(fence)}' cannot be an id.", "Use up to 128 letters, digits, - and _.")
    if words[0] == "tag" or "or" in words:
        raise TextError(f"'{clip(fence)}' cannot be an id.", "Rules would take 'tag' and 'or' for their own words.")
    return fence


def slug(name: Any) -> str:
    """An id to propose for a name."""
    words = re.findall(r"\w+", name.lower()) if isinstance(name, str) else []
    return "-".join(words)[:60] or "cafe-mitte"


def read(facts: dict[str, Any]) -> Properties:
    """The properties of a fence. Raises ``TextError`` for the first that is wrong."""
    read_ = Properties()
    metadata = facts.get("metadata")
    if metadata is not None and not isinstance(metadata, dict):
        raise TextError("'metadata' must be an object.", 'Write "metadata": {"key": "value"}.')
    _strangers(facts, read_)
    read_.metadata.update(metadata or {})
    _bounded(read_.metadata, 0)
    read_.name = _name(facts.get("name"))
    read_.tags = _tags(facts.get("tags"))
    read_.dwell = _dwell(facts.get("dwell"))
    read_.catchment = _metres(facts, "catchment") or 0.0
    read_.radius = _metres(facts, "radius")
    if read_.radius == 0:
        raise TextError("'radius' is 0.", "Write the radius in metres, for example 100.")
    _opening(facts, read_)
    read_.cross = facts.get("cross") or False
    if not isinstance(read_.cross, bool):
        raise TextError("'cross' must be true or false.", 'Write "cross": true.')
    return read_


def _opening(facts: dict[str, Any], read_: Properties) -> None:
    """When the fence is open: ``schedule``, ``valid`` and ``on_open``."""
    schedule, valid, on_open = (facts.get(key) or None for key in ("schedule", "valid", "on_open"))
    if schedule is not None:
        if not isinstance(schedule, str):
            raise TextError("'schedule' must be a text.", 'Write "schedule": "mon-fri 08:00-18:00".')
        read_.schedule = schedule.strip()
        read_.open, read_.but = parse_local_times(read_.schedule)
        if any(span.holidays for span in (*read_.open, *read_.but)):
            fix = "Leave holidays to the rules: only_if: - local_time: weekdays, not holidays in DE"
            raise TextError("'schedule': A geofence does not know holidays.", fix)
    if valid is not None:
        if not isinstance(valid, str):
            raise TextError("'valid' must be a text.", 'Write "valid": "2026-11-01 to 2026-12-24".')
        read_.valid = parse_runs(valid)
    if on_open is not None:
        if on_open not in ("enter", "ignore"):
            raise TextError(f"'{clip(str(on_open))}' is no choice of 'on_open'.", 'Write "on_open": "ignore".')
        read_.on_open = on_open


def _strangers(facts: dict[str, Any], read_: Properties) -> None:
    for key, value in facts.items():
        if key in KNOWN or key in _SILENT:
            continue
        near = nearest(key, KNOWN, _LIKE)
        if near is not None:
            raise TextError(f"'{clip(key)}' is no property of a fence.", f"Did you mean '{near}'?")
        read_.strangers.append(key)
        read_.metadata[key] = value


def _bounded(value: Any, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise TextError(f"The properties are nested deeper than {_MAX_DEPTH}.", "Nest less.")
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for child in children:
        if isinstance(child, int) and not -(2**63) <= child < 2**64:
            raise TextError(f"The number {clip(str(child)[:70])} is too large.", "Write it as a text.")
        if isinstance(child, (dict, list)):
            _bounded(child, depth + 1)


def _name(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise TextError("'name' must be a text.", 'Write "name": "Café Mitte".')
    return str(value).strip()


def _tags(value: Any) -> tuple[str, ...]:
    """A list of texts, or one text with commas."""
    if value is None:
        return ()
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise TextError("'tags' must be a list of texts.", 'Write "tags": ["cafe", "city"].')
    tags = tuple(dict.fromkeys(item.strip() for item in items if item.strip()))
    for tag in tags:
        if len(tag) > 64 or "," in tag or "or" in tag.lower().split() or not tag.isprintable():
            raise TextError(f"'{clip(tag)}' cannot be a tag.", "Use one word of up to 64 letters.")
    return tags


def _dwell(value: Any) -> tuple[float, ...]:
    """A duration or a list of them; a plain number counts seconds."""
    if value is None:
        return ()
    items = value if isinstance(value, list) else [value]
    found = {_amount(item, "dwell", parse_duration, 'Write "dwell": "10 minutes".') for item in items}
    if 0.0 in found:
        raise TextError("A dwell of nothing is an enter.", 'Write "dwell": "10 minutes".')
    return tuple(sorted(found))


def _metres(facts: dict[str, Any], key: str) -> float | None:
    value = facts.get(key)
    return None if value is None else _amount(value, key, parse_metres, f'Write "{key}": 100 (metres).')


def _amount(value: Any, key: str, parser: Callable[[str], float], fix: str) -> float:
    if isinstance(value, str) and value.strip():
        amount = float(value) if value.strip().isdecimal() and len(value) < 16 else parser(value[:100])
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        amount = float(value) if abs(value) < 1e18 else math.inf
    else:
        raise TextError(f"'{key}' must be a number.", fix)
    if not 0 <= amount <= (MAX_RADIUS if key != "dwell" else 3660 * 86400.0):
        raise TextError(f"'{key}' is out of range.", fix)
    return amount
