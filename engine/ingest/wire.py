"""The signal as it is sent: exact types and bounds, and the words for each field that is wrong."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

EARLIEST = 631_152_000.0  # 1990-01-01: older than any position a device can hold
MILLISECONDS = 1e11  # the year 5138 in seconds; 1973 in milliseconds: nothing real lies on both sides
CONTEXT_KEYS = 50
CONTEXT_BYTES = 4096
SIGNAL_BYTES = 16384

BOUNDS = {
    "lat": (-90.0, 90.0),
    "lon": (-180.0, 180.0),
    "accuracy": (0.0, 1e7),
    "speed": (0.0, 1e5),
    "heading": (0.0, 360.0),
    "altitude": (-2e4, 1e7),
    "battery": (0.0, 1.0),
}
TEXT, EVENT = 200, 100  # characters

Instant = Annotated[datetime, Meta(tz=True)] | Annotated[float, Meta(ge=EARLIEST, lt=MILLISECONDS)]
Id = Annotated[str, Meta(min_length=1, max_length=TEXT)]
EventName = Annotated[str, Meta(min_length=1, max_length=EVENT)]
Whole = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]  # what msgpack, and so the journal, can carry
Plain = str | Whole | float | bool | None
ContextValue = Plain | list[Plain] | dict[str, Plain]
ContextKey = Annotated[str, Meta(min_length=1, max_length=100)]


def _within(name: str) -> Meta:
    least, most = BOUNDS[name]
    return Meta(ge=least, le=most)


class ReportedIn(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A region report of the phone's own OS."""

    kind: Literal["enter", "exit", "dwell"]
    fence: Id


class SignalIn(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """One signal. Required: ``device`` and at least one of ``lat`` + ``lon``, ``event``, ``reported``.

    ``gc=False``: context is bounded to one level below its keys, so no cycle can form.
    """

    device: Id
    at: Instant | None = None
    lat: Annotated[float, _within("lat")] | None = None
    lon: Annotated[float, _within("lon")] | None = None
    accuracy: Annotated[float, _within("accuracy")] | None = None
    speed: Annotated[float, _within("speed")] | None = None
    heading: Annotated[float, _within("heading")] | None = None
    altitude: Annotated[float, _within("altitude")] | None = None
    battery: Annotated[float, _within("battery")] | None = None
    event: EventName | None = None
    reported: ReportedIn | None = None
    context: Annotated[dict[ContextKey, ContextValue], Meta(max_length=CONTEXT_KEYS)] | None = None
    person: Id | None = None
    id: Id | None = None


class LooseSignalIn(SignalIn, frozen=True, forbid_unknown_fields=False, omit_defaults=True, gc=False):
    """The same, for a signal whose unknown fields were looked at and found harmless."""


FIELDS = SignalIn.__struct_fields__

NEEDS = {
    "device": "device must be text of 1 to 200 characters",
    "at": 'at must be ISO 8601 with a time zone ("2026-11-24T08:15:00Z") or epoch seconds (1795508100.25)',
    "lat": "lat must be a number from -90 to 90 (degrees)",
    "lon": "lon must be a number from -180 to 180 (degrees)",
    "accuracy": "accuracy must be a number of metres, 0 or more; leave it out when it is not known",
    "speed": "speed must be a number of metres per second, 0 or more; leave it out when it is not known",
    "heading": "heading must be a number from 0 to 360 (degrees); leave it out when it is not known",
    "altitude": "altitude must be a number of metres from -20000 to 10000000",
    "battery": "battery must be a number from 0 to 1",
    "event": "event must be text of 1 to 100 characters",
    "reported": 'reported must be an object such as {"kind": "enter", "fence": "cafe-mitte"}; '
    "kind is enter, exit or dwell",
    "context": "context must be an object of at most 50 keys; values are text, numbers, true, false, or one list or "
    "object of those",
    "person": "person must be text of 1 to 200 characters",
    "id": "id must be text of 1 to 200 characters",
}

# Names that other systems use for ours, lower case without separators: sent by mistake far more often than on purpose.
SYNONYMS = {
    "lng": "lon",
    "long": "lon",
    "longitude": "lon",
    "latitude": "lat",
    "timestamp": "at",
    "time": "at",
    "ts": "at",
    "tst": "at",
    "datetime": "at",
    "recordedat": "at",
    "deviceid": "device",
    "deviceuuid": "device",
    "userid": "person",
    "user": "person",
    "uid": "person",
    "personid": "person",
    "customerid": "person",
    "acc": "accuracy",
    "hacc": "accuracy",
    "horizontalaccuracy": "accuracy",
    "velocity": "speed",
    "vel": "speed",
    "bearing": "heading",
    "course": "heading",
    "cog": "heading",
    "alt": "altitude",
    "elevation": "altitude",
    "batt": "battery",
    "batterylevel": "battery",
    "eventname": "event",
    "eventtype": "event",
    "region": "reported",
    "ctx": "context",
    "messageid": "id",
    "signalid": "id",
}
