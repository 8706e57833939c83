"""Names: where ``profile.first_name`` or ``fence.weather.temp_c`` is read. Missing and stale values are None."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from engine.match.situation import Read, Situation
from engine.model.fence import Fence
from engine.model.person import Position

STALE_POSITION = 1800.0  # a fix older than this says nothing about now; the release's [sense] silence replaces it
STOPPED = 140.0  # seconds within 70 metres after which a device counts as stopped
MOTION = ("lat", "lon", "accuracy", "speed", "heading", "altitude", "battery")


@lru_cache(maxsize=4096)  # rules share few names: one reader for each keeps ten thousand rules in the processor's cache
def read_name(path: tuple[str, ...], silence: float = STALE_POSITION) -> Read:
    """How to read one dotted name; the way is worked out once, when a rule is compiled."""
    root, rest = path[0], path[1:]
    if not rest:
        return _unknown
    makers: dict[str, Callable[[tuple[str, ...]], Read]] = {
        "profile": _profile,
        "context": _context,
        "fence": _fence,
        "device": lambda parts: _device(parts, silence),
        "person": _person,
        "event": _event,
        "global": _global,
    }
    maker = makers.get(root)
    return maker(rest) if maker is not None else _unknown


def position_of(s: Situation, silence: float) -> Position | None:
    """The device's position unless it is too old to tell where the device is now."""
    position = s.position
    if position is None or (position.at is not None and s.device_now - position.at > silence):
        return None
    return position


# ------------------------------------------------------------------ nested values


def _walk(value: Any, parts: tuple[str, ...]) -> Any:
    for part in parts:
        if not isinstance(value, Mapping):
            return None
        value = value.get(part)
    return value


def _ways(parts: tuple[str, ...]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """``a.b.c`` may be kept under "a.b.c", or nested under "a.b" or "a": longest key first."""
    return tuple((".".join(parts[:n]), parts[n:]) for n in range(len(parts), 0, -1))


def _dotted(get: Callable[[str], Any], ways: tuple[tuple[str, tuple[str, ...]], ...]) -> Any:
    for key, rest in ways:
        value = get(key)
        if value is not None:
            return _walk(value, rest)
    return None


# ------------------------------------------------------------------ one reader per root


def _unknown(s: Situation) -> Any:
    return None


def _profile(parts: tuple[str, ...]) -> Read:
    ways = _ways(parts)
    if len(parts) > 1:
        return lambda s: _dotted(s.person.profile.attributes.get, ways)
    key = parts[0]
    if key == "language":
        return lambda s: s.person.profile.language or s.person.profile.attributes.get(key)
    if key == "time_zone":
        return lambda s: s.person.profile.time_zone or s.person.profile.attributes.get(key)
    return lambda s: s.person.profile.attributes.get(key)


def _context(parts: tuple[str, ...]) -> Read:
    ways = _ways(parts)
    if len(parts) == 1:
        key = parts[0]
        return lambda s: s.world.sticky(s.device, key, s.device_now)
    return lambda s: _dotted(lambda key: s.world.sticky(s.device, key, s.device_now), ways)


def _global(parts: tuple[str, ...]) -> Read:
    ways = _ways(parts)
    if len(parts) == 1:
        key = parts[0]
        return lambda s: s.world.fact("global", key, s.now)
    return lambda s: _dotted(lambda key: s.world.fact("global", key, s.now), ways)


def _fence(parts: tuple[str, ...]) -> Read:
    """What was pushed for the fence wins over its metadata; id, name and tags are the fence's own."""
    ways, whole = _ways(parts), ".".join(parts)

    def read(s: Situation) -> Any:
        fence = s.fence
        if fence is None:
            return None
        pushed = s.world.fact(fence.id, whole, s.now)
        return pushed if pushed is not None else nested(fence, s)

    def nested(fence: Fence, s: Situation) -> Any:
        for key, rest in ways[1:]:
            pushed = s.world.fact(fence.id, key, s.now)
            if pushed is not None:
                told = _walk(pushed, rest)
                return told if told is not None else _dotted(fence.metadata.get, ways)
        return _dotted(fence.metadata.get, ways)

    own: dict[tuple[str, ...], Read] = {
        ("id",): lambda s: s.fence.id if s.fence is not None else None,
        ("name",): lambda s: (s.fence.name or s.fence.id) if s.fence is not None else None,
        ("tags",): lambda s: s.fence.tags if s.fence is not None else None,
    }
    return own.get(parts, read)


def _device(parts: tuple[str, ...], silence: float) -> Read:
    key = ".".join(parts)

    def motion(s: Situation) -> Any:
        position = position_of(s, silence)
        return getattr(position, key) if position is not None else None

    def age(s: Situation) -> float | None:
        at = s.position.at if s.position is not None else None
        return None if at is None else max(0.0, s.device_now - at)

    if key in MOTION:
        return motion

    def still(s: Situation) -> float | None:
        position = position_of(s, silence)
        return None if position is None or position.still is None else position.still

    def stopped(s: Situation) -> bool | None:
        seconds = still(s)
        return None if seconds is None else seconds >= STOPPED

    def stopped_for(s: Situation) -> float | None:
        seconds = still(s)
        return None if seconds is None else seconds if seconds >= STOPPED else 0.0

    own: dict[str, Read] = {
        "id": lambda s: s.device or None,
        "age": age,
        "stopped": stopped,
        "stopped_for": stopped_for,
    }
    return own.get(key, _unknown)


def _person(parts: tuple[str, ...]) -> Read:
    return (lambda s: s.person.id) if parts == ("id",) else _unknown


def _event(parts: tuple[str, ...]) -> Read:
    """The event that woke the rule; inside the filter of ``did``, the event of the history that is looked at."""
    ways = _ways(parts)

    def name(s: Situation) -> str | None:
        if s.happened is not None:
            return s.happened.event
        return s.cause.event or (s.signal.event if s.signal is not None else None)

    def read(s: Situation) -> Any:
        if s.happened is not None:
            return _dotted((s.happened.data or {}).get, ways)
        value = _dotted(s.cause.data.get, ways)
        if value is None and s.signal is not None and s.signal.context:
            return _dotted(s.signal.context.get, ways)
        return value

    return name if parts == ("name",) else read
