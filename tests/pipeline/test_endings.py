"""Fences that go while many are inside: visits end in portions, and what waits for the place goes at once."""

import pytest

from engine.author.bundle import Bundle
from engine.model.fence import Circle, Fence
from engine.model.moment import Effects
from engine.model.reason import Reason
from engine.model.record import FenceChange, Frame, Genesis, Record, ReleaseChange, Tick
from engine.model.release import DecidePolicy, Policy
from engine.model.signal import Signal
from engine.pipeline import force
from engine.pipeline.core import Core
from engine.pipeline.releases import compile_all
from engine.pipeline.replay import pass_time
from engine.pipeline.runtime import RunTimeSet
from engine.pipeline.versions import place
from engine.sense import sense

START = 1_795_505_000.0
RULES = b"""
rules:
  hello:
    when:
      enters: tag cafe
    message:
      body: Hello
"""
QUIET = RULES.replace(b"enters: tag cafe", b"event: never")
HALL = b"""{"type": "Feature", "id": "hall", "properties": {"radius": 100, "tags": ["cafe"]},
 "geometry": {"type": "Point", "coordinates": [20, 20]}}"""
KIOSK = Fence("kiosk", Circle(13.405, 52.52, 140.0), "Kiosk", ("cafe",), source="run-time")
WITH = RunTimeSet.of([KIOSK])


@pytest.fixture(autouse=True)
def few(monkeypatch) -> None:
    monkeypatch.setattr(sense, "MANY", 2)
    monkeypatch.setattr(force, "PORTION", 3)


class Line:
    """A core with one run-time fence."""

    def __init__(self, rules: bytes = QUIET) -> None:
        policy = Policy(decide=DecidePolicy(quiet_hours=None), channels=("console",))
        base, _ = compile_all(Bundle({"geofences/hall.geojson": HALL, "rules/all.yaml": rules}, policy))
        whole = base.with_fences(WITH)
        self.core = Core({base.release.hash: base, place(base.release.hash, WITH.hash): whole})
        self.core.keep_transitions = True
        self.now, self.count = START, 0
        self.take(Genesis("p", "salt", 1), ReleaseChange(base.release.hash), FenceChange(WITH.hash))

    def take(self, *records: Record) -> Effects:
        self.now += 1.0
        fx = self.core.step([Frame(self.count, self.now, [*records])])
        self.count += len(records)
        return fx

    def arrive(self, devices: range) -> Effects:
        return self.take(*(Signal(f"d{k}", self.now + 1.0, k, 52.52, 13.405, 10.0) for k in devices))


def test_the_first_tick_tells_a_portion_and_the_next_ones_the_rest() -> None:
    line = Line()
    line.arrive(range(10))
    fx = line.take(FenceChange(""))
    assert fx.transitions == []
    assert line.core.next_due() == line.now, "the next portion is to come at once"
    told = [line.take(Tick()).transitions for _ in range(5)]
    assert [len(some) for some in told] == [3, 3, 3, 1, 0]
    assert [t.device for some in told for t in some] == [f"d{k}" for k in range(10)]
    assert {(t.kind, t.fence) for some in told for t in some} == {("ended", "kiosk")}


def test_what_waits_because_of_the_place_is_cancelled_in_the_same_step() -> None:
    line = Line(RULES)
    sent = line.arrive(range(10)).notifications
    assert len(sent) == 10
    fx = line.take(FenceChange(""))
    assert [cancel.moment for cancel in fx.cancels if cancel.reason == Reason.LEFT] == [n.moment for n in sent]


def test_a_fence_that_comes_back_finds_every_visit_ended() -> None:
    line = Line()
    line.arrive(range(10))
    line.take(FenceChange(""))
    fx = line.take(FenceChange(WITH.hash))
    assert len([t for t in fx.transitions if t.kind == "ended"]) == 10
    assert len([t for t in line.arrive(range(10)).transitions if t.kind == "enter"]) == 10


def test_where_time_is_passed_without_a_server_all_are_told() -> None:
    line = Line()
    line.arrive(range(10))
    line.take(FenceChange(""))
    told = [t for _, fx in pass_time(line.core, line.now) for t in fx.transitions]
    assert len(told) == 10


def test_where_many_timers_are_due_each_tick_fires_a_portion() -> None:
    line = Line()
    for k in range(10):
        line.arrive(range(k, k + 1))
    line.now += 3600.0  # nobody is heard of
    told = [line.take(Tick()).transitions for _ in range(5)]
    assert [[t.device for t in some] for some in told] == [
        ["d0", "d1", "d2"],
        ["d3", "d4", "d5"],
        ["d6", "d7", "d8"],
        ["d9"],
        [],
    ]
    assert {t.kind for some in told for t in some} == {"lost"}


def test_the_next_portion_of_timers_is_due_at_once() -> None:
    line = Line()
    for k in range(10):
        line.arrive(range(k, k + 1))
    line.now += 3600.0
    line.take(Tick())
    assert line.core.next_due() < line.now
    assert sum(len(fx.transitions) for _, fx in pass_time(line.core, line.now)) == 7
