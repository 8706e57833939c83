"""What is sensed ahead of its telling comes out as if each signal and each timer had come in its turn."""

import random
from collections.abc import Sequence

import pytest

from engine.model.fence import Circle, Fence
from engine.model.person import Position
from engine.model.release import SensePolicy
from engine.model.rule import DayTime
from engine.model.signal import Reported, Signal
from engine.sense import FenceSet, Sense, fast, names
from engine.sense.single import Single

LAT, LON = 48.85, 2.35
DEVICES = [f"d{n}" for n in range(12)]
Said = list[tuple[Signal, float]]  # with journal times

pytest.importorskip("numba")


@pytest.fixture(autouse=True)
def kernels(monkeypatch):
    monkeypatch.setattr(fast, "kernels", None)
    monkeypatch.setattr(names, "loops", None)
    monkeypatch.setattr(FenceSet, "grounded", False)
    assert fast.load()


def town(rng: random.Random, hours: bool) -> FenceSet:
    """Circles with dwells of several lengths; some with hours, for which the kernels need help."""
    open_now = (DayTime(tuple(range(7)), 13 * 60 + 50, 14 * 60),)  # the walk begins at 13:46:40 UTC
    return FenceSet.compile(
        [
            Fence(
                f"{k:02}",
                Circle(LON + rng.gauss(0, 0.002), LAT + rng.gauss(0, 0.0015), rng.choice([40.0, 90.0, 200.0])),
                dwell=rng.choice([(), (45.0,), (20.0, 300.0)]),
                open=open_now if hours and k % 4 == 0 else (),
            )
            for k in range(14)
        ]
    )


def walk(seed: int, steps: int, reports: bool) -> Said:
    """Walks, waits, long silences, late fixes, wrong clocks, several signals at one instant, region reports."""
    rng, now, made = random.Random(seed), 1_000_000.0, []
    places = {device: [0.0, 0.0] for device in DEVICES}
    for key in range(steps):
        now += rng.choice([0.0, 0.5, 0.5, 3.0, 3.0, 30.0] + [900.0] * (rng.random() < 0.1))
        place = places[device := rng.choice(DEVICES)]
        place[:] = [0.96 * (part + rng.gauss(0, 0.0006)) for part in place]
        told = Reported(rng.choice(["enter", "exit"]), f"{rng.randrange(16):02}")
        at = now - rng.choice([0.0, 0.0, 0.0, 2.0, 90.0]) + (500.0 if device == "d3" else 0.0)
        fix = {"lat": LAT + place[0], "lon": LON + place[1], "accuracy": rng.choice([None, 0.0, 15.0, 40.0, 4e3])}
        report = told if reports and rng.random() < 0.05 else None
        made.append((Signal(device, at, key, speed=rng.choice([None, 1.25]), reported=report, **fix), now))
    return made


def tell(sense: Sense, said: Said, at_once: int) -> list:
    """All that can be asked, as journal time goes by. Timers that tell nothing have no time of their own; of whom
    nobody has heard yet nothing is known, whether there is a row or not."""
    seen: list = []

    def wait(until: float) -> None:
        while (due := sense.next_due()) is not None and due <= until:
            if told := sense.tick(due):
                look([due, told], due)

    def look(told: list, now: float) -> None:
        seen.append([*told, [(sense.position(device) or Position(), sense.clock(device, now)) for device in DEVICES]])

    while said:
        now = said[0][1]
        wait(now)
        some = [signal for signal, received in said[:at_once] if received == now]
        said = said[len(some) :]
        told = sense.advance(some, [now] * len(some))
        look([told, [sense.position(s.device, k - 0.5) for k, s in enumerate(some)]], now)
    return seen


def stretches(sense: Sense, said: Said, rng: random.Random) -> list:
    """The same, with so much sensed beforehand."""
    seen: list = []
    while said:
        stop = next(
            (k for k in range(rng.choice([1, 5, 60, 300]), len(said)) if said[k][1] > said[k - 1][1]), len(said)
        )
        stretch, said = said[:stop], said[stop:]
        while (due := sense.next_due()) is not None and due <= stretch[0][1]:
            if told := sense.tick(due):
                seen.append([due, told, [(sense.position(d) or Position(), sense.clock(d, due)) for d in DEVICES]])
        sense.foresee([signal for signal, _ in stretch], [now for _, now in stretch], stretch[-1][1])
        seen += tell(sense, stretch, 7)
    return seen


POLICIES = [
    SensePolicy(min_outside=20.0),
    SensePolicy(min_inside=8.0, min_outside=15.0, silence=200.0, resume_within=400.0),
    SensePolicy(min_outside=0.0, silence=120.0, resume_within=100.0, default_accuracy=0.0),
]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_what_is_foreseen_is_told_as_it_would_have_come(seed, plain, policy):
    compiled, said = town(random.Random(seed), hours=not plain), walk(seed, 1500, reports=not plain)
    ahead, law = Sense(policy), Sense(policy)
    ahead.use(compiled, policy)
    law.use(compiled, policy)
    expected, seen = tell(law, said, 7), stretches(ahead, said, random.Random(seed))
    assert len([one for one in expected if one[1]]) > 100
    for k, one in enumerate(expected):
        assert seen[k] == one
    assert len(seen) == len(expected)
    assert [ahead.visits(device) for device in DEVICES] == [law.visits(device) for device in DEVICES]
    assert (ahead.late(), ahead.strange()) == (law.late(), law.strange())


@pytest.mark.faulty
def test_a_signal_that_fails_is_told_of_in_its_turn(monkeypatch):
    sense = Sense(SensePolicy())
    sense.use(FenceSet.compile([Fence("cafe", Circle(LON, LAT, 200.0))]), sense.policy)
    told = Single._told
    monkeypatch.setattr(Single, "_told", lambda self, report, seen: told(self, report, seen) and 1 / 0)
    signals = [Signal(f"d{k}", 1e6 + k, k, lat=LAT, lon=LON, accuracy=5.0) for k in range(6)]
    signals[3] = Signal("d3", 1e6 + 3, 3, reported=Reported("enter", "cafe"))
    sense.foresee(signals, [1e6 + k for k in range(6)], 1e6 + 6)
    assert [t.record for t in sense.advance(signals[:2], [1e6, 1e6 + 1])] == [0, 1]
    assert sense.faults == []
    assert [(t.device, t.record) for t in sense.advance(signals[2:], _since(1e6 + 2, 4))] == [
        ("d2", 0),
        ("d4", 2),
        ("d5", 3),
    ]
    assert [(record, device, type(error)) for record, device, error in sense.faults] == [(1, "d3", ZeroDivisionError)]


def test_without_kernels_nothing_is_foreseen(monkeypatch):
    monkeypatch.setattr(fast, "kernels", None)
    sense = Sense(SensePolicy())
    sense.use(FenceSet.compile([Fence("cafe", Circle(LON, LAT, 200.0))]), sense.policy)
    signal = Signal("d", 1e6, 1, lat=LAT, lon=LON, accuracy=5.0)
    sense.foresee([signal], [1e6], 1e6)
    assert sense.visits("d") == []
    assert [t.kind for t in sense.advance([signal], [1e6])] == ["enter"]


def _since(start: float, count: int) -> Sequence[float]:
    return [start + k for k in range(count)]
