"""A small world for sensing: circles around one place, devices that stand at a distance from it."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from engine.model.fence import Circle, Fence, Polygons
from engine.model.release import SensePolicy
from engine.model.signal import Reported, Signal, Transition
from engine.sense import FenceSet, Sense

LAT, LON = 52.5, 13.4
NORTH = 111_267.0  # metres per degree of latitude there
EAST = NORTH * math.cos(math.radians(LAT)) * 1.00337
START = 1_000_000.0
DELAY = 3.0  # the journal hears of a signal three seconds after it was made


class Town:
    """Fences, a ``Sense`` over them, and the transitions so far as readable tuples."""

    def __init__(
        self, fences: Sequence[Fence], policy: SensePolicy | None = None, dwells: dict | None = None, **wants: Any
    ) -> None:
        self.policy = policy or SensePolicy(min_outside=0.0)
        self.fences = FenceSet.compile(fences, dwells, **wants)
        self.sense = Sense(self.policy)
        self.sense.use(self.fences, self.policy)
        self.seen: list[Transition] = []

    def signal(self, t: float, metres: float | None = None, **fields: object) -> Signal:
        """A signal at ``t`` seconds after the start, ``metres`` north of the place (None: without a fix)."""
        device, east = str(fields.pop("device", "d")), float(fields.pop("east", 0.0))  # type: ignore[arg-type]
        if metres is not None:
            fields |= {"lat": LAT + metres / NORTH, "lon": LON + east / EAST}
            fields.setdefault("accuracy", 0.0)
        return Signal(device, START + t, 0, **fields)  # type: ignore[arg-type]

    def at(self, t: float, metres: float | None = None, received: float | None = None, **fields: object) -> list:
        """Apply one such signal; what came of it, as tuples (kind, fence, seconds after the start)."""
        journal = START + (t + DELAY if received is None else received)
        return self.note(self.sense.advance([self.signal(t, metres, **fields)], [journal]))

    def tick(self, t: float) -> list:
        """Journal time passes, to ``t`` seconds after the start plus the delay."""
        return self.note(self.sense.tick(START + t + DELAY))

    def note(self, transitions: list[Transition]) -> list:
        self.seen += transitions
        return [(t.kind, t.fence, round(t.at - START, 6)) for t in transitions]

    def state(self, device: str = "d") -> dict[str, str]:
        return {visit["fence"]: visit["state"] for visit in self.sense.visits(device)}


@pytest.fixture
def circle() -> Callable[..., Fence]:
    """A circle ``offset`` metres north of the place."""

    def make(name: str = "cafe", radius: float = 100.0, offset: float = 0.0, **fields: object) -> Fence:
        return Fence(name, Circle(LON, LAT + offset / NORTH, radius), **fields)  # type: ignore[arg-type]

    return make


@pytest.fixture
def square() -> Callable[..., Fence]:
    """A square whose sides are ``half`` metres from its middle."""

    def make(name: str = "yard", half: float = 100.0, holes: Sequence[float] = (), **fields: object) -> Fence:
        east = NORTH * math.cos(math.radians(LAT)) * 1.00337

        def ring(size: float) -> tuple[tuple[float, float], ...]:
            corners = ((-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1))
            return tuple((LON + x * size / east, LAT + y * size / NORTH) for x, y in corners)

        return Fence(name, Polygons(((ring(half), *map(ring, holes)),)), **fields)  # type: ignore[arg-type]

    return make


@pytest.fixture
def town() -> type[Town]:
    return Town


@pytest.fixture
def exits() -> Reported:
    return Reported("exit", "cafe")


@pytest.fixture
def encode() -> Callable[[list[Transition]], bytes]:
    """Transitions as bytes, for comparing them exactly."""
    return msgspec.msgpack.Encoder().encode
