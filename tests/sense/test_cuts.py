"""How signals are cut into segments, and where the process is restarted, never shows."""

import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.model.fence import Circle, Corridor, Fence, Polygons
from engine.model.release import SensePolicy
from engine.model.rule import DayTime
from engine.model.signal import Reported, Signal
from engine.sense import FenceSet, Sense

LAT, LON = 52.5, 13.4
ALWAYS = tuple(range(7))
FENCES = [
    Fence("a", Circle(LON, LAT, 150.0), dwell=(20.0, 90.0)),
    Fence("b", Circle(LON, LAT + 0.001, 60.0)),
    Fence("c", Corridor(((LON - 0.01, LAT), (LON, LAT + 0.0005), (LON + 0.01, LAT)), 30.0)),
    Fence("d", Polygons(((((LON, LAT), (LON + 0.002, LAT), (LON + 0.001, LAT + 0.002), (LON, LAT)),),))),
    Fence(
        "e",
        Polygons(((((LON, LAT), (LON + 0.004, LAT), (LON + 0.004, LAT + 0.003), (LON, LAT + 0.003), (LON, LAT)),),)),
        catchment=20.0,
    ),
    Fence("far", Circle(LON + 5, LAT, 150.0)),
    Fence("g", Circle(LON + 0.001, LAT + 0.0012, 40.0), cross=True),
    # the journeys begin on Monday 1970-01-12 at 14:46 in Berlin
    Fence("h", Circle(LON, LAT + 0.0008, 120.0), open=(DayTime(ALWAYS, 820, 900), DayTime(ALWAYS, 915, 930))),
    Fence("i", Circle(LON, LAT + 0.001, 120.0), open=(DayTime(ALWAYS, 895, 980),), on_open="ignore", dwell=(30.0,)),
    Fence("j", Circle(LON + 0.0004, LAT, 60.0), valid=("1970-01-12", "1970-01-12"), cross=True),
]
WANTS = {"crosses": {"c", "b"}, "approaches": {"b": (-240.0, 60.0), "far": (5000.0,), "g": (-60.0, 90.0)}}
POLICIES = [
    SensePolicy(),
    SensePolicy(min_inside=15.0, silence=200.0, resume_within=400.0),
    SensePolicy(min_outside=0.0, default_accuracy=0.0),
    SensePolicy(enter_probability=0.4, exit_probability=0.8),
]


def journey(seed: int, steps: int) -> list[tuple[Signal | None, float]]:
    """Signals of four devices around the fences, with gaps, repeats, late ones and bad ones, and ticks (None)."""
    rng = random.Random(seed)
    t = 1_000_000.0
    journal: list[tuple[Signal | None, float]] = []
    places = {name: [0.0, 0.0] for name in "wxyz"}
    for key in range(steps):
        t += rng.choice([0.0, 0.0, 1.0, 7.5, 30.0, 30.0, 300.0])
        if rng.random() < 0.08:
            journal.append((None, t))
            continue
        device = rng.choice("wwxyz")
        place = places[device]
        place[:] = [(p + rng.gauss(0, 0.0008)) * 0.9 for p in place]
        at = t - rng.choice([0.0, 0.3, 2.0, 2.0, 60.0])
        fix = {"lat": LAT + 0.0007 + place[0], "lon": LON + 0.0005 + place[1], "accuracy": rng.choice(ACCURACIES)}
        reported = Reported(rng.choice(["enter", "exit", "dwell"]), rng.choice("abq")) if rng.random() < 0.05 else None
        if rng.random() < 0.1:
            fix = {"event": "open", "battery": 0.5}
        heading = rng.choice([None, rng.uniform(0, 360)])
        speed = rng.choice([None, rng.random() * 3])
        journal.append((Signal(device, at, key, reported=reported, speed=speed, heading=heading, **fix), t))
    return journal


ACCURACIES = [None, 0.0, 5.0, 20.0, 60.0, 200.0, 3000.0]


def play(journal, policy, cuts=frozenset(), restarts=frozenset()):
    """Run a journal. ``cuts``: indexes before which a segment ends though it need not. Returns all that can be seen,
    transitions with their place in the journal."""
    fences = FenceSet.compile(FENCES, **WANTS)
    sense = Sense(policy)
    sense.use(fences, policy)
    seen, dues, places, signals = [], [], [], []
    for index, (signal, received) in enumerate([*journal, (None, journal[-1][1])]):
        if signals and (signal is None or index in cuts):
            start = index - len(signals)
            found = sense.advance([s for s, _ in signals], [r for _, r in signals])
            seen += [replace(t, record=start + t.record) for t in found]
            places += [sense.position(s.device, k) for k, (s, _) in enumerate(signals)]
            signals = []
        if index in restarts:
            sense = Sense.load(sense.dump(), policy, fences)
        if signal is None:
            seen += sense.tick(received)
            dues.append(sense.next_due())
        else:
            signals.append((signal, received))
    ends = {device: (sense.visits(device), sense.position(device)) for device in "wxyz"}
    return seen, places, dues, sense.late(), ends


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    policy=st.sampled_from(POLICIES),
    every=st.sampled_from([1, 2, 7, 1000]),
    restart=st.sets(st.integers(0, 120), max_size=4),
)
def test_cuts_and_restarts_never_show(seed, policy, every, restart):
    journal = journey(seed, 120)
    whole = play(journal, policy)
    assert play(journal, policy, frozenset(range(0, 121, every)) | restart, restart) == whole


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), policy=st.sampled_from(POLICIES))
def test_few_signals_and_many_go_by_one_arithmetic(seed, policy):
    """Plain numbers for a handful of signals, columns for many: the same transitions and state, bit by bit."""
    journal = journey(seed, 150)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("engine.sense.sense.FEW", 0)
        columns = play(journal, policy)
        patch.setattr("engine.sense.sense.FEW", 10**9)
        assert play(journal, policy) == columns


def test_the_journeys_are_not_boring():
    kinds, states = set(), set()
    for seed in range(8):
        for policy in POLICIES:
            seen, *_, ends = play(journey(seed, 200), policy)
            kinds |= {t.kind for t in seen} | {("h", t.kind) for t in seen if t.fence == "h"}
            states |= {visit["state"] for visits, _ in ends.values() for visit in visits}
    assert {("h", "enter"), ("h", "ended")} <= kinds
    assert states >= {"inside", "leaving", "closed", "unknown", "entering"}
    kinds = {kind for kind in kinds if isinstance(kind, str)}
    assert kinds == {"enter", "exit", "dwell", "lost", "resumed", "ended", "cross", "approach"}


def test_who_else_is_in_the_batch_does_not_matter():
    """The same device among many strangers and alone: the same transitions, bit for bit."""
    crowd = [(s, r) for s, r in journey(7, 400) if s is not None]
    fences, policy = FenceSet.compile(FENCES), SensePolicy(min_outside=0.0)

    def run(pairs):
        sense = Sense(policy)
        sense.use(fences, policy)
        return [t for t in sense.advance([s for s, _ in pairs], [r for _, r in pairs]) if t.device == "x"]

    def bare(transitions):
        return [(t.kind, t.at, t.visit, t.probability, t.metres) for t in transitions]

    together, alone = run(crowd), run([(s, r) for s, r in crowd if s.device == "x"])
    assert len(alone) > 3
    assert bare(together) == bare(alone)


def test_a_blob_of_another_format_is_refused():
    with pytest.raises(ValueError, match="format 99"):
        Sense.load(msgspec.msgpack.encode({"version": 99}), SensePolicy(), FenceSet.compile([]))


def test_a_checkpoint_that_lists_its_free_rows_is_read(circle, town):
    """As written before they hung together: they are used again, last freed first, and no stay is lost."""
    here = town([circle(), circle("yard", offset=5000.0)])
    for k, place in enumerate([0.0, 0.0, 5000.0, 5000.0]):
        here.at(k, place, device=f"d{k}")
    for k in (0, 2):
        here.at(10.0 + k, 1000.0, device=f"d{k}")
    parts = msgspec.msgpack.decode(here.sense.dump())
    assert parts["version"] == 4
    rows = len(parts["stays"]["fence"]) // 4
    old = parts | {"version": 3, "free": [2, 0], "free_marks": []}
    sense = Sense.load(msgspec.msgpack.encode(old), here.policy, here.fences)
    here.sense = sense
    here.at(20.0, 0.0, device="d0")
    here.at(21.0, 0.0, device="d2")
    assert [here.state(f"d{k}") for k in range(4)] == [{"cafe": "inside"}] * 3 + [{"yard": "inside"}]
    assert len(msgspec.msgpack.decode(sense.dump())["stays"]["fence"]) // 4 == rows == 4
