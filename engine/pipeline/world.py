"""What conditions and templates may look at: the core's memory seen from one record."""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from math import inf
from typing import Any
from zoneinfo import ZoneInfo

from engine.decide import resolve_zone
from engine.model.fence import Fence
from engine.model.record import ContextChange
from engine.model.rule import Segment
from engine.pipeline.state import CoreState
from engine.pipeline.versions import Compiled

STICKY_SECONDS = 1800.0
MAX_STICKY_KEYS = 64
FORGOTTEN_AFTER = 86400.0  # seconds beyond that: signals of that day may still come late
LOOKED_AT = 64  # devices whose context is looked at with each tick
MAX_ZONES = 65_536  # geofences whose time zone is remembered
MAX_FACTS = 1000  # of one fence; beyond that those that are stale soonest make room


class CoreWorld:
    """Implements ``match.World`` over the core's state and the release in force."""

    def __init__(self, state: CoreState, compiled: Compiled) -> None:
        self._state = state
        self._compiled = compiled
        self._zones: dict[str, ZoneInfo] = {}

    def zone(self, fence: Fence) -> ZoneInfo:
        """By whose clock those live in a geofence who have none of their own."""
        zone = self._zones.get(fence.id)
        if zone is None:
            if len(self._zones) >= MAX_ZONES:
                self._zones.clear()
            project = self._compiled.release.policy.decide.time_zone
            zone = self._zones[fence.id] = resolve_zone(None, fence, project)[0]
        return zone

    def fence(self, id: str) -> Fence | None:
        found: Fence | None = self._compiled.fences.fences.get(id)
        return found

    def fact(self, scope: str, key: str, now: float) -> Any | None:
        value, stale_at = self._state.facts.get(scope, {}).get(key, (None, 0.0))
        return value if now < stale_at else None

    def sticky(self, device: str, key: str, at: float) -> Any | None:
        value, told = self._state.sticky.get(device, {}).get(key, (None, 0.0))
        return value if at - told <= STICKY_SECONDS else None

    def distance(self, fence: str, lat: float, lon: float) -> float:
        return self._compiled.fences.distance(fence, lat, lon)

    def segment(self, id: str) -> Segment | None:
        return self._compiled.release.segments.get(id)


def flatten(facts: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested facts as dotted keys: ``{"weather": {"temp_c": 4}}`` gives ``("weather.temp_c", 4)``."""
    for key, value in facts.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            yield from flatten(value, f"{name}.")
        else:
            yield name, value


def nest(flat: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of :func:`flatten`, for templates."""
    out: dict[str, Any] = {}
    for key, value in flat.items():
        *path, last = key.split(".")
        node = out
        for part in path:
            child = node.get(part)
            if not isinstance(child, dict):
                child = node[part] = {}
            node = child
        node[last] = value
    return out


def stick(state: CoreState, device: str, context: Mapping[str, Any], at: float) -> None:
    """A signal's context sticks to the device, per key, with its time; stale keys make room."""
    held = state.sticky.setdefault(device, {})
    for key, value in flatten(context):
        told = held.get(key)
        if told is None or told[1] <= at:
            held[key] = (value, at)
    if len(held) > MAX_STICKY_KEYS:
        newest = sorted(held.items(), key=lambda item: (-item[1][1], item[0]))[:MAX_STICKY_KEYS]
        state.sticky[device] = dict(newest)


def unstick(state: CoreState, clock: Callable[[str, float], float], now: float) -> None:
    """Forget context of devices that were not heard of for a day beyond the time for which it sticks: a few devices at
    a time, each in its turn. ``clock``: a device's own time at a journal time."""
    sticky = state.sticky
    for device in list(islice(sticky, LOOKED_AT)):  # at once: the way to the first passes all that went before
        held = sticky.pop(device)
        newest = max((told for _, told in held.values()), default=-inf)
        if clock(device, now) - newest <= STICKY_SECONDS + FORGOTTEN_AFTER:
            sticky[device] = held


def push(state: CoreState, record: ContextChange, now: float) -> None:
    """Facts for a fence or ``global``, each with its time to live; what is stale makes room."""
    held = state.facts.get(record.scope, {})
    live = {key: told for key, told in held.items() if now < told[1]}
    live.update({key: (value, now + record.ttl) for key, value in flatten(record.facts)})
    if len(live) > MAX_FACTS:
        longest = sorted(live.items(), key=lambda item: (-item[1][1], item[0]))[:MAX_FACTS]
        live = dict(longest)
    state.facts[record.scope] = live
