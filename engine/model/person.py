"""What the core holds of a person: plain data, changed only inside a step, in record order."""

from typing import Any

from msgspec import Struct, field


class Profile(Struct, array_like=True):
    """What the customer told us. ``consent`` keys: a purpose, a channel, or ``purpose.channel``; missing means yes for
    every purpose but where a key says False."""

    attributes: dict[str, Any] = field(default_factory=dict)
    consent: dict[str, bool] = field(default_factory=dict)
    language: str | None = None
    time_zone: str | None = None


class Visit(Struct, array_like=True):
    """One stay of one device in one fence, device times; ``exit`` None while it lasts; ``lost`` while unknown."""

    fence: str
    device: str
    enter: float
    exit: float | None = None
    lost: bool = False


class Happened(Struct, array_like=True):
    """An event of the person: device time, and its data."""

    event: str
    at: float
    data: dict[str, Any] | None = None


class Sent(Struct, array_like=True):
    """A decided send, reserved against limits until an attempt result gives it back. ``at`` is journal time: of the
    decision, or of the first allowed instant where it is held till then. ``offer``: one of its stock is taken;
    ``totals``: the rule's windows in which it counts."""

    moment: str
    rule: str
    fence: str | None
    at: float
    capped: bool  # counts against the person's caps
    offer: str | None = None
    totals: tuple[str, ...] = ()


class Person(Struct, array_like=True):
    """One person: profile, histories (oldest first), sends, and sticky group assignments (rule -> control/variant)."""

    id: str
    profile: Profile = field(default_factory=Profile)
    devices: list[str] = field(default_factory=list)
    visits: list[Visit] = field(default_factory=list)
    events: list[Happened] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    groups: dict[str, str] = field(default_factory=dict)


class Position(Struct, frozen=True):
    """Where a device is and how it moves, as of one record. Times are device times; None: never told."""

    at: float | None = None
    lat: float | None = None
    lon: float | None = None
    accuracy: float | None = None
    speed: float | None = None
    heading: float | None = None
    altitude: float | None = None
    battery: float | None = None
