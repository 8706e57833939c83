"""What the core holds of a person: plain data, changed only inside a step, in record order."""

from operator import attrgetter
from typing import Any

from msgspec import Struct, field

from engine.model.past import Happened, Visit, deeds, pack, stays_in

__all__ = ["Happened", "Person", "Position", "Profile", "Sent", "Visit"]


class Profile(Struct, array_like=True):
    """What the customer told us. ``consent`` keys: a purpose, a channel, or ``purpose.channel``; missing means yes for
    every purpose but where a key says False."""

    attributes: dict[str, Any] = field(default_factory=dict)
    consent: dict[str, bool] = field(default_factory=dict)
    language: str | None = None
    time_zone: str | None = None


class Sent(Struct, array_like=True):
    """A decided send, reserved against limits until an attempt result gives it back. ``at`` is journal time: when it
    went; until that is known, of the decision, or of the first allowed instant where it is held till then. ``until``:
    while it may still go, the instant before which it does; 0 once it went. ``offer``: one of its stock is taken;
    ``totals``: the rule's windows in which it counts; ``code``: the one-time code of the offer that it says."""

    moment: str
    rule: str
    fence: str | None
    at: float
    capped: bool  # counts against the person's caps
    offer: str | None = None
    totals: tuple[str, ...] = ()
    until: float = 0.0
    code: str = ""


class Person(Struct, array_like=True):
    """One person: profile, history, sends, and sticky group assignments (rule -> control/variant).

    ``stays`` are the visits that last, by their beginning; what is over is packed in ``past``. ``visits`` and
    ``events`` spread all of it out: they are copies, to be set anew, not changed in place. ``place`` is the time zone
    of the geofence last entered; ``moved`` the time zone that was theirs before the present one, and the journal time
    at which it ceased. ``codes``: by offer, the one-time codes they have, and how many messages say each.
    """

    id: str
    profile: Profile = field(default_factory=Profile)
    devices: list[str] = field(default_factory=list)
    stays: list[Visit] = field(default_factory=list)
    past: bytes = b""
    sent: list[Sent] = field(default_factory=list)
    groups: dict[str, str] = field(default_factory=dict)
    place: str = ""
    moved: tuple[str, float] | None = None
    heard: list[int] = field(default_factory=list)  # feedback of theirs, the newest: what comes again says nothing new
    codes: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def visits(self) -> list[Visit]:
        """All visits, oldest first."""
        return sorted([*stays_in(self.past, None), *self.stays], key=attrgetter("enter"))

    @visits.setter
    def visits(self, visits: list[Visit]) -> None:
        over = [visit for visit in visits if visit.exit is not None]
        self.past = pack(over, deeds(self.past, None))
        self.stays = sorted((visit for visit in visits if visit.exit is None), key=attrgetter("enter"))

    @property
    def events(self) -> list[Happened]:
        """All events, oldest first."""
        return deeds(self.past, None)

    @events.setter
    def events(self, events: list[Happened]) -> None:
        self.past = pack(stays_in(self.past, None), events)


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
    still: float | None = None  # seconds for which it has stayed where it is
