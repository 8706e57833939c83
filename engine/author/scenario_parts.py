"""Scenarios as data: what an authored ``*.test.yaml`` says, with the place of every line. Times are epoch seconds,
durations seconds, distances metres."""

from typing import Any, Literal

from msgspec import Struct, field

MINUTE = 60.0


class Mark(Struct, frozen=True):
    """Where something stands, and its text."""

    line: int = 0
    column: int = 0
    text: str = ""


class Place(Struct, frozen=True):
    """``fence``: well inside it; ``metres`` set: that far outside of its border. ``point``: (lat, lon). Neither:
    elsewhere, outside of every fence."""

    fence: str = ""
    point: tuple[float, float] | None = None
    metres: float | None = None
    text: str = ""


class TimeOfDay(Struct, frozen=True):
    """A local time; ``day`` is an ISO date, a weekday (0 = Monday), ``next`` (the day after) or None (the same day, or
    any). ``precision``: how long it lasts, a minute or a second."""

    seconds: float
    precision: float = MINUTE
    day: str | int | None = None


class Span(Struct, frozen=True):
    """From the first time to the end of the last."""

    first: TimeOfDay
    last: TimeOfDay


class PersonGiven(Struct, frozen=True):
    """One person as the customer knows them. ``consent`` as in profiles."""

    attributes: dict[str, Any] = field(default_factory=dict)
    consent: dict[str, bool] = field(default_factory=dict)
    language: str | None = None
    time_zone: str | None = None


class Past(Struct, frozen=True):
    """Something of the past: a stay in ``fence``, or an ``event`` with its ``data``; ``ago`` seconds before the
    clock."""

    ago: float
    fence: str = ""
    lasted: float = 0.0
    event: str = ""
    data: dict[str, Any] = field(default_factory=dict)


class Given(Struct, frozen=True):
    """How things stand when a scenario begins. ``clock`` None: with the first point of the track it follows."""

    clock: float | None = None
    zone: str = "UTC"
    person: str = "somebody"
    device: str = ""
    profile: PersonGiven | None = None
    people: dict[str, PersonGiven] = field(default_factory=dict)
    context: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    past: tuple[Past, ...] = ()
    control_group: tuple[str, ...] = ()
    failing: tuple[str, ...] = ()

    def device_of(self, person: str) -> str:
        """The device that a person carries where none is named."""
        return self.device if self.device and person == self.person else f"{person}-phone"


class Step(Struct, frozen=True):
    """One step: ``action`` is a key of ``scenario_keys.STEPS``; the other fields are set where the action has them."""

    action: str
    mark: Mark
    at: TimeOfDay | None = None
    person: str | None = None
    device: str | None = None
    place: Place | None = None
    start: Place | None = None
    seconds: float | None = None
    accuracy: float | None = None
    speed: float | None = None
    every: float | None = None
    late: float = 0.0
    name: str = ""  # of an event, a fence reported, a rule, a track file, what is paused
    kind: str = ""  # of a report, a feedback, a switch
    data: dict[str, Any] = field(default_factory=dict)
    profile: PersonGiven | None = None
    drop: bool = False
    silent: bool = False


Kind = Literal["moment", "held", "suppressed", "none"]


class Expected(Struct, frozen=True):
    """One line of ``expect``. ``rule`` empty: any rule."""

    kind: Kind
    mark: Mark
    rule: str = ""
    person: str | None = None
    at: Span | None = None
    until: Span | None = None
    times: int = 1
    channel: str | None = None
    says: tuple[str, ...] = ()
    never_says: tuple[str, ...] = ()
    link: str | None = None
    reason: str | None = None
    because: str | None = None


class Scenario(Struct, frozen=True):
    """One scenario of a file. ``strict``: a moment that ``expect`` does not name fails it."""

    name: str
    file: str
    mark: Mark
    given: Given
    steps: tuple[Step, ...]
    expect: tuple[Expected, ...]
    strict: bool = True
    folder: str = ""  # where its track files lie
