"""A small world to ask rules in: facts, sticky context and distances are plain dicts."""

from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from engine.match import Situation
from engine.model.fence import Circle, Fence
from engine.model.person import Person, Position
from engine.model.rule import Segment
from engine.model.signal import Cause
from tests.match import engines

NOW = 1_795_508_100.0  # Tuesday 2026-11-24 08:15 UTC


@dataclass
class FakeWorld:
    fences: dict[str, Fence] = field(default_factory=dict)
    facts: dict[tuple[str, str], Any] = field(default_factory=dict)
    sticking: dict[tuple[str, str], Any] = field(default_factory=dict)
    distances: dict[str, float] = field(default_factory=dict)

    def fence(self, id: str) -> Fence | None:
        return self.fences.get(id)

    def fact(self, scope: str, key: str, now: float) -> Any | None:
        return self.facts.get((scope, key))

    def sticky(self, device: str, key: str, at: float) -> Any | None:
        return self.sticking.get((device, key))

    def distance(self, fence: str, lat: float, lon: float) -> float:
        return self.distances[fence]

    def segment(self, id: str) -> Segment | None:
        return None


@pytest.fixture
def world() -> FakeWorld:
    return FakeWorld()


@pytest.fixture
def cafe() -> Fence:
    return Fence("cafe-mitte", Circle(13.4, 52.5, 50.0), "Café Mitte", ("cafe", "central"), metadata={"seats": 40})


@pytest.fixture
def situation(world: FakeWorld, cafe: Fence) -> Situation:
    world.fences[cafe.id] = cafe
    return Situation(
        now=NOW,
        device_now=NOW - 2.0,
        cause=Cause("d1|cafe-mitte|enter|1.0", "enter", NOW - 2.0, fence=cafe.id),
        person=Person("p9"),
        device="d1",
        position=Position(at=NOW - 2.0, lat=52.5, lon=13.4, accuracy=20.0, speed=1.5),
        fence=cafe,
        signal=None,
        zone=ZoneInfo("UTC"),
        world=world,
    )


@pytest.fixture(params=engines.ENGINES)
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The test runs with each matcher."""
    if request.param == "durable":
        engines.need_durable()
    monkeypatch.setattr(engines, "chosen", request.param)
    return str(request.param)
