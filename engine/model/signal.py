"""What devices say, and what the engine senses from it."""

from typing import Any, Literal

from msgspec import Struct, field

Scalar = str | int | float | bool
RegionKind = Literal["enter", "exit", "dwell"]
TransitionKind = Literal["enter", "exit", "dwell", "cross", "approach", "lost", "resumed", "ended"]


class Reported(Struct, frozen=True, array_like=True, gc=False):
    """A region report of the phone's own OS: evidence for one fence alone."""

    kind: RegionKind
    fence: str


class Signal(Struct, frozen=True, array_like=True, tag="signal", gc=False):
    """One accepted report from a device, normalised by ingest.

    ``at`` is the device's time (epoch seconds), ``key`` the 64-bit id that recognises a repeat. Position is WGS 84
    degrees; ``accuracy`` is the radius of 68 % confidence in metres; ``speed`` m/s; ``heading`` degrees; ``altitude``
    metres; ``battery`` 0-1. ``lat`` and ``lon`` are both set or both None.
    """

    device: str
    at: float
    key: int
    lat: float | None = None
    lon: float | None = None
    accuracy: float | None = None
    speed: float | None = None
    heading: float | None = None
    altitude: float | None = None
    battery: float | None = None
    event: str | None = None
    reported: Reported | None = None
    context: dict[str, Any] | None = None
    person: str | None = None
    id: str | None = None


class Transition(Struct, frozen=True, gc=False):
    """A change between one device and one fence, in the order it was sensed.

    ``at`` is device time (a fired timer's due time, never the tick's); ``visit`` the device time at which the visit
    began; ``record`` the index, in the sensed batch, of the signal that caused it (-1: a timer fired by a tick);
    ``due`` the journal time a fired timer was due at (None: caused by a signal). ``lost``, ``resumed`` and ``ended``
    are silent: they keep histories right and never wake a rule.
    """

    kind: TransitionKind
    device: str
    fence: str
    at: float
    visit: float
    record: int
    seconds: float = 0.0  # dwell: the duration that was reached; approach: the time to arrival asked for
    probability: float | None = None  # P(inside) that decided, where a fix did
    metres: float | None = None  # signed distance to the border, positive inside
    initial: bool = False  # the device's first fix ever, already inside
    due: float | None = None
    within: float = 0.0  # approach: the metres to the border that were asked for (0: ``seconds`` to arrival were)


class Cause(Struct, frozen=True):
    """What woke a rule. ``id`` comes from the cause alone (device, signal, fence, visit), never from a position."""

    id: str
    kind: str  # enter exit dwell cross approach event schedule after
    at: float
    fence: str | None = None
    event: str | None = None
    seconds: float | None = None
    data: dict[str, Any] = field(default_factory=dict)
    within: float | None = None  # metres
