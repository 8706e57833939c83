"""What the core holds of a person: plain data, changed only inside a step, in record order."""

from typing import Any

from msgspec import Struct, field

from engine.model.past import Happened, Visit, pack, unpack

__all__ = ["Happened", "Person", "Position", "Profile", "Sent", "Visit"]


class Profile(Struct, array_like=True):
    """What the customer told us. ``consent`` keys: a purpose, a channel, or ``purpose.channel``; missing means yes for
    every purpose but where a key says False."""

    attributes: dict[str, Any] = field(default_factory=dict)
    consent: dict[str, bool] = field(default_factory=dict)
    language: str | None = None
    time_zone: str | None = None


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
    """One person: profile, histories (oldest first), sends, and sticky group assignments (rule -> control/variant).

    The history is either spread out in ``stays`` and ``deeds``, or packed in ``past`` (and then ``stays`` has a copy of
    the visits that last); ``visits`` and ``events`` are the way to it. ``place`` is the time zone of the geofence last
    entered; ``moved`` the time zone that was theirs before the present one, and the journal time at which it ceased.
    """

    id: str
    profile: Profile = field(default_factory=Profile)
    devices: list[str] = field(default_factory=list)
    stays: list[Visit] = field(default_factory=list)
    deeds: list[Happened] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    groups: dict[str, str] = field(default_factory=dict)
    place: str = ""
    moved: tuple[str, float] | None = None
    past: bytes = b""

    @property
    def visits(self) -> list[Visit]:
        """All visits, oldest first; to be changed in place or set anew."""
        self.wake()
        return self.stays

    @visits.setter
    def visits(self, visits: list[Visit]) -> None:
        self.wake()
        self.stays = visits

    @property
    def events(self) -> list[Happened]:
        """All events, oldest first; to be changed in place or set anew."""
        self.wake()
        return self.deeds

    @events.setter
    def events(self, events: list[Happened]) -> None:
        self.wake()
        self.deeds = events

    def present(self) -> list[Visit]:
        """The visits that last, looked up without waking the person; not to be changed."""
        return [visit for visit in self.stays if visit.exit is None]

    def wake(self) -> None:
        """Spread the history out, where it is packed."""
        if self.past:
            self.stays, self.deeds = unpack(self.past)
            self.past = b""

    def rest(self) -> None:
        """Pack the history, until somebody asks for it. Nothing of it changes."""
        if not self.past:
            self.past = pack(self.stays, self.deeds)
            self.stays, self.deeds = self.present(), []


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
