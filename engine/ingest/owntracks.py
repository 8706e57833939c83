"""OwnTracks HTTP as phones send it: every ``_type`` is understood or knowingly ignored.

Zero fields are omitted by the apps and -1 stands for unknown; ``vel`` is km/h; ``batt`` percent. The device is
``user/device``, the person the user.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
import xxhash

from engine.ingest.body import BadBody, check_utf8
from engine.ingest.diagnose import plain_json_error
from engine.ingest.identity import BRIEF
from engine.ingest.signals import has_control
from engine.ingest.wire import EARLIEST, MILLISECONDS
from engine.model.signal import Reported, Signal

_any = msgspec.json.Decoder()
_pack = msgspec.msgpack.Encoder().encode
_KINDS: dict[str, Any] = {"enter": "enter", "leave": "exit"}
MOST = 1000
_TOPIC_PARTS = 3  # owntracks/user/device


def decode(
    body: bytes, user: str, device: str, arrival: float, max_future: float = 300.0, depth: int = 32
) -> list[Signal]:
    """The signals of one message or an array of them, oldest first; types that say nothing of a place give none.

    ``user`` and ``device`` come from the headers X-Limit-U / X-Limit-D (empty: from ``topic``). Raises BadBody: 400
    when it is not JSON, 422 naming the field when it is not an OwnTracks message.
    """
    loaded = _load(body)
    messages = loaded if isinstance(loaded, list) else [loaded]
    if len(messages) > MOST:
        raise BadBody(413, f"more than {MOST} messages in one request")
    signals = []
    for message in messages:
        if not isinstance(message, dict) or not isinstance(message.get("_type"), str):
            raise _bad("_type", 'an OwnTracks message is an object with a "_type"')
        if message["_type"] in ("location", "transition"):
            signals.append(_signal(message, user, device, arrival, max_future))
    return sorted(signals, key=lambda signal: signal.at)


def _load(body: bytes) -> Any:
    check_utf8(body)
    try:
        return _any.decode(body)
    except RecursionError:
        raise BadBody(400, "the body is nested too deeply") from None
    except (msgspec.DecodeError, ValueError) as error:
        raise BadBody(400, f"the body is not JSON: {plain_json_error(error)}") from None


def _bad(field: str, problem: str) -> BadBody:
    return BadBody(422, problem, extra={"field": field})


def _signal(message: Mapping[str, Any], user: str, device: str, arrival: float, max_future: float) -> Signal:
    person, name = _who(message, user, device)
    at = _number(message, "tst", EARLIEST, MILLISECONDS)
    if at is not None and at > arrival + max_future:
        raise _bad("tst", "tst is in the future: check the phone's clock")
    lat, lon = _number(message, "lat", -90, 90), _number(message, "lon", -180, 180)
    reported = _region(message) if message["_type"] == "transition" else None
    if (lat is None) != (lon is None) or (lat is None and reported is None):
        raise _bad("lat" if lat is None else "lon", "lat and lon are needed")
    speed, battery = _known(message, "vel", 1e5), _known(message, "batt", 100)
    # the digest stands for the payload as sent: order and spacing of a phone's own JSON do not change between tries
    key = xxhash.xxh3_64_intdigest(_pack([name, *((k, repr(v)) for k, v in message.items())])) & (BRIEF - 1)
    return Signal(
        device=name,
        at=arrival if at is None else at,
        key=key if at is not None else key | BRIEF,
        lat=lat,
        lon=lon,
        accuracy=_known(message, "acc", 1e7),
        speed=None if speed is None else speed / 3.6,
        heading=_known(message, "cog", 360),
        altitude=_number(message, "alt", -2e4, 1e7),
        battery=None if battery is None else battery / 100,
        reported=reported,
        person=person,
    )


def _who(message: Mapping[str, Any], user: str, device: str) -> tuple[str, str]:
    """Person and device id, from the headers or else the topic."""
    if not (user and device):
        topic = message.get("topic")
        parts = topic.split("/") if isinstance(topic, str) else []
        if len(parts) >= _TOPIC_PARTS:
            user, device = user or parts[1], device or parts[2]
    if not (user and device):
        raise _bad(
            "topic", "no user and device: set both in the app (headers X-Limit-U and X-Limit-D), or send a topic"
        )
    name = f"{user}/{device}"
    if len(name) > 200 or has_control(name):
        raise _bad("topic", "user and device must be at most 200 characters without control characters")
    return user, name


def _region(message: Mapping[str, Any]) -> Reported | None:
    kind = _KINDS.get(str(message.get("event")))
    if kind is None:
        raise _bad("event", 'event of a transition must be "enter" or "leave"')
    fence = message.get("desc") or message.get("rid")
    if not isinstance(fence, str) or not 0 < len(fence) <= 200 or has_control(fence):
        raise _bad("desc", "desc of a transition must name the region, in 1 to 200 characters")
    return None if fence.startswith("+") else Reported(kind, fence)  # +follow: the app's own moving region


def _number(message: Mapping[str, Any], name: str, low: float, high: float) -> float | None:
    value = message.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise _bad(name, f"{name} must be a number from {low:g} to {high:g}")
    return float(value)


def _known(message: Mapping[str, Any], name: str, high: float) -> float | None:
    """A measure that the apps send as -1 when they do not know it."""
    value = _number(message, name, -1, high)
    return None if value is None or value < 0 else value
