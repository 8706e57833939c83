"""Whatever comes in whatever order, visits are possible ones, and there is no storm of them."""

import random
from collections.abc import Sequence

from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.model.fence import Circle, Corridor, Fence
from engine.model.release import SensePolicy
from engine.model.rule import DayTime
from engine.model.signal import Reported, Signal, Transition
from engine.sense import FenceSet, Sense

LAT, LON = 52.5, 13.4
START = 1_000_000.0  # a Monday, 14:46:40 in Berlin
ALWAYS = tuple(range(7))
SHOP = (DayTime(ALWAYS, 14 * 60 + 50, 15 * 60), DayTime(ALWAYS, 15 * 60 + 10, 15 * 60 + 30))
FENCES = [
    Fence("cafe", Circle(LON, LAT, 100.0), dwell=(30.0, 200.0)),
    Fence("near", Circle(LON, LAT + 0.0012, 100.0), dwell=(30.0,), cross=True),
    Fence("shop", Circle(LON, LAT + 0.0005, 120.0), dwell=(20.0,), open=SHOP),
    Fence("mall", Circle(LON, LAT + 0.0005, 150.0), open=SHOP, on_open="ignore"),
    Fence("road", Corridor(((LON - 0.01, LAT), (LON + 0.01, LAT)), 60.0), valid=("1970-01-12", "1970-01-12")),
]
OTHERS = [
    FENCES,
    FENCES[1:],
    [replace(FENCES[0], open=SHOP), replace(FENCES[2], open=()), *FENCES[3:]],
    [replace(fence, dwell=(30.0, 60.0)) for fence in FENCES],
]
POLICIES = [
    SensePolicy(),
    SensePolicy(min_inside=45.0, silence=300.0, resume_within=900.0),
    SensePolicy(min_outside=0.0, silence=200.0, resume_within=400.0),
    SensePolicy(min_inside=20.0, min_outside=400.0, silence=250.0),
]
PLACES = [0.0, 60.0, 95.0, 130.0, 200.0, 600.0]  # metres north
Event = tuple[Signal | list[Fence] | None, float]


def day(seed: int, steps: int, releases: bool = True) -> list[Event]:
    """A journal: signals of three devices (late, repeated, skewed, buffered), ticks (None) and releases (fences)."""
    rng = random.Random(seed)
    now, journal, buffered = START, list[Event](), dict[str, list[Signal]]()
    skew = {"a": 0.0, "b": -400.0, "c": 250.0}
    for key in range(steps):
        now += rng.choice([0.0, 1.0, 10.0, 10.0, 40.0, 70.0, 400.0])
        kind = rng.random()
        if kind < 0.25:
            journal.append((None, now))
            continue
        if kind < 0.28 and releases:
            journal.append((rng.choice(OTHERS), now))
            continue
        device = rng.choice("aabc")
        at = now + skew[device] - rng.choice([0.0, 0.0, 2.0, 30.0, 90.0])
        place = {
            "lat": LAT + rng.choice(PLACES) / 111_267.0,
            "lon": LON,
            "accuracy": rng.choice([0.0, 5.0, 30.0, 2000.0]),
        }
        if rng.random() < 0.1:
            place = {"reported": Reported(rng.choice(["enter", "exit", "dwell"]), rng.choice(["cafe", "shop"]))}
        signal = Signal(device, at, key, **place)
        queue = buffered.setdefault(device, [])
        queue.append(signal)
        if rng.random() < 0.15:  # no network: it comes later, with the others
            continue
        journal += [(one, now) for one in sorted(queue, key=lambda s: s.at)]
        if rng.random() < 0.1:
            journal += journal[-len(queue) :]
        queue.clear()
    return journal


def play(journal: Sequence[Event], policy: SensePolicy) -> list[Transition]:
    sense, seen = Sense(policy), list[Transition]()
    sense.use(FenceSet.compile(FENCES), policy)
    for event, now in journal:
        if event is None:
            seen += sense.tick(now)
        elif isinstance(event, list):
            seen += sense.use(FenceSet.compile(event, like=sense.fences), policy, now)
        else:
            seen += sense.advance([event], [now])
    return seen


class Visits:
    """What may follow upon what, for one device and fence."""

    def __init__(self) -> None:
        self.open: float | None = None
        self.over = float("-inf")
        self.lost = False
        self.dwells: list[float] = []

    def take(self, t: Transition) -> None:
        if t.kind in ("cross", "approach"):
            return
        if t.kind == "enter":
            assert self.open is None, "two open visits"
            assert t.visit == t.at >= self.over, "it begins before the one before it is over"
            self.open, self.lost, self.dwells = t.visit, False, []
            return
        assert t.visit == self.open, "of no visit that is open"
        assert t.at >= t.visit, "before the enter"
        if t.kind == "dwell":
            assert t.at == t.visit + t.seconds
            assert t.seconds not in self.dwells
            assert not self.lost
            self.dwells.append(t.seconds)
        elif t.kind in ("lost", "resumed"):
            assert self.lost == (t.kind == "resumed")
            self.lost = t.kind == "lost"
        else:
            assert t.kind == "ended" or not self.lost, "an exit of somebody of whom nothing is known"
            self.open, self.over = None, t.at


@settings(max_examples=250, deadline=None)
@example(seed=33318, steps=46, policy=POLICIES[0])  # other hours, and a fix of before the last closing
@given(seed=st.integers(0, 10**6), steps=st.integers(1, 150), policy=st.sampled_from(POLICIES))
def test_no_visit_is_impossible(seed: int, steps: int, policy: SensePolicy):
    visits: dict[tuple[str, str], Visits] = {}
    for t in play(day(seed, steps), policy):
        visits.setdefault((t.device, t.fence), Visits()).take(t)


def test_a_timer_that_ended_a_visit_moves_no_enter_elsewhere_but_one_of_the_same_fence(town, circle):
    t = town([circle(), circle("next", offset=1000)], SensePolicy())
    t.at(0, 0)
    t.at(10, 1000, device="other")
    t.at(20, 500)
    assert t.tick(80) == [("exit", "cafe", 80)]
    assert t.state() == {}
    assert t.at(60, 1000) == [("enter", "next", 60)]  # made before, and came after
    assert t.at(70, 0) == [("enter", "cafe", 80)]
