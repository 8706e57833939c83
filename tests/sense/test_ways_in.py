"""However a day reaches the server, its visits are the same: live, at once in the evening, shuffled within a request,
cut into other requests, sent twice, by a device whose clock is wrong, across restarts."""

import random
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.ingest.dedupe import Recent
from engine.ingest.signals import decode
from engine.model.config import Limits
from engine.model.fence import Circle, Corridor, Fence, Polygons
from engine.model.release import SensePolicy
from engine.model.rule import DayTime
from engine.model.signal import Signal, Transition
from engine.sense import FenceSet, Sense

LAT, LON = 52.5, 13.4
MORNING = 1_795_505_000.0
YARD = tuple((LON + x * 0.0015, LAT + y * 0.0009) for x, y in ((-1, -1), (1, -1), (1, 1), (0, 0.1), (-1, 1), (-1, -1)))
FENCES = FenceSet.compile(
    [
        Fence("cafe", Circle(LON, LAT, 100.0), dwell=(60.0, 600.0)),
        Fence("yard", Polygons(((YARD,),)), dwell=(300.0,)),
        Fence("road", Corridor(((LON - 0.01, LAT - 0.001), (LON + 0.01, LAT + 0.001)), 40.0), cross=True),
        Fence("shop", Circle(LON + 0.001, LAT, 120.0), open=(DayTime(tuple(range(7)), 480, 540),)),
    ],
    approaches={"cafe": (150.0, -60.0)},
)
POLICIES = [SensePolicy(), SensePolicy(min_inside=40.0, silence=600.0, resume_within=3000.0)]
Fix = dict[str, Any]


def day(seed: int, steps: int) -> list[Fix]:
    """The signals of one device as it made them: walks, waits, silences, bad fixes, events."""
    rng = random.Random(seed)
    at, north, east, made = MORNING, 0.0, 0.0, []
    for key in range(steps):
        at += rng.choice([1.0, 5.0, 20.0, 20.0, 60.0, 240.0, 2500.0])
        north, east = (0.95 * (place + rng.gauss(0, 40)) for place in (north, east))
        fix: Fix = {"device": "d", "id": str(key), "at": at}
        fix |= {"lat": LAT + north / 111_267, "lon": LON + east / 67_900, "accuracy": rng.choice([0, 5, 15, 40, 1500])}
        if rng.random() < 0.1:
            fix = {"device": "d", "id": str(key), "at": at, "event": "open"}
        made.append(fix)
    return made


def told(
    requests: Iterable[tuple[float, Sequence[Fix]]], policy: SensePolicy, restarts: frozenset[int] = frozenset()
) -> list[Transition]:
    """What comes of requests (when they arrived, and what they held), ticks coming in time between them."""
    sense, recent, seen = Sense(policy), Recent(), list[Transition]()
    sense.use(FENCES, policy)
    for number, (arrival, request) in enumerate([*requests, (MORNING + 9e6, ())]):
        while (due := sense.next_due()) is not None and due <= arrival:
            seen += sense.tick(due)
        if number in restarts:
            sense, recent = Sense.load(sense.dump(), policy, FENCES), Recent.load(recent.dump())
        if request:
            decoded = decode(msgspec.json.encode(request), "application/json", arrival, Limits(), "warn", 300.0)
            assert decoded.rejected == []
            signals, _ = recent.admit(decoded.signals, arrival)
            seen += sense.advance(signals, [arrival] * len(signals))
    return seen


def bare(transitions: Sequence[Transition]) -> list[tuple[object, ...]]:
    return [(t.kind, t.fence, t.at, t.visit, t.seconds, t.within, t.metres, t.probability) for t in transitions]


@settings(max_examples=70, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    steps=st.integers(2, 90),
    policy=st.sampled_from(POLICIES),
    late=st.sampled_from([-250.0, 0.0, 2.5, 7_200.0]),  # the device's clock is wrong by so much
    cuts=st.lists(st.integers(1, 30), min_size=1, max_size=6),
    twice=st.booleans(),
    restarts=st.frozensets(st.integers(0, 30), max_size=3),
)
def test_every_way_in_gives_the_visits_that_the_day_had(
    seed: int, steps: int, policy: SensePolicy, late: float, cuts: list[int], twice: bool, restarts: frozenset[int]
):
    made, rng = day(seed, steps), random.Random(seed)
    live = bare(told([(fix["at"] + late, [fix]) for fix in made], policy))
    evening = made[-1]["at"] + 20_000.0
    assert bare(told([(evening, rng.sample(made, steps))], policy)) == live
    requests, start = [], 0
    while start < steps:
        part = made[start : start + cuts[len(requests) % len(cuts)]]
        start += len(part)
        requests.append((evening + len(requests), rng.sample(part, len(part))))
        if twice and len(part) <= 16:
            requests.append((evening + len(requests), rng.sample(part, len(part))))
    assert bare(told(requests, policy, restarts)) == live


def test_the_days_are_not_boring():
    kinds = {t.kind for seed in range(12) for t in told([(MORNING + 9e5, day(seed, 90))], POLICIES[1])}
    assert kinds == {"enter", "exit", "dwell", "lost", "resumed", "ended", "cross", "approach"}


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    share=st.floats(-0.5, 0.5),
    accuracy=st.floats(5, 65),
    every=st.floats(2, 5),
)
def test_who_stands_at_a_border_visits_at_most_once(seed: int, share: float, accuracy: float, every: float):
    """Half an hour of jitter as phones have it, across the border of a fence that is large enough to be entered."""
    rng, sigma = random.Random(seed), accuracy / 1.51
    fences, policy, sense = FenceSet.compile([Fence("f", Circle(LON, LAT, 300.0))]), SensePolicy(), Sense(SensePolicy())
    sense.use(fences, policy)
    signals = [
        Signal(
            "d",
            MORNING + every * k,
            k,
            lat=LAT + (300.0 + rng.gauss(share, 1.0) * sigma) / 111_267,
            lon=LON + rng.gauss(0, sigma) / 67_900,
            accuracy=accuracy,
        )
        for k in range(int(1800 / every))
    ]
    kinds = [t.kind for t in sense.advance(signals, [s.at for s in signals])]
    assert kinds.count("enter") <= 1
    assert kinds.count("exit") <= 1
