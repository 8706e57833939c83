"""Visits that end with their fences: in columns and in portions as one by one."""

import numpy as np
import pytest

from engine.model.fence import Circle, Fence
from engine.model.release import SensePolicy
from engine.model.signal import Reported, Signal
from engine.sense import FenceSet, Sense
from engine.sense import sense as room

POLICY = SensePolicy(min_inside=5.0)
FENCES = [Fence(f"f{k}", Circle(13.4 + 0.002 * (k % 5), 52.5, 300.0 + 40 * k), dwell=(40.0,)) for k in range(12)]
LATER = [fence for k, fence in enumerate(FENCES) if k % 3]


def walk(seed: int, steps: int, start: float = 1000.0) -> list[tuple[list[Signal], list[float]]]:
    rng, found = np.random.default_rng(seed), []
    for step in range(steps):
        now = start + 12.0 * step
        devices = rng.permutation(40)[: rng.integers(1, 40)].tolist()
        signals = [
            Signal(f"d{d}", now, step * 100 + d, 52.5 + rng.normal(0, 0.003), 13.404 + rng.normal(0, 0.004), 20.0)
            for d in devices
            if d % 7 or step < 4  # some fall silent, and become unknown
        ]
        signals += [Signal("d3", now, step * 100 + 99, reported=Reported("enter", "f4"))] * (step == 5)
        found.append((signals, [now + 0.1] * len(signals)))
    return found


def lived(many: int, monkeypatch) -> Sense:
    monkeypatch.setattr(room, "MANY", many)
    sense = Sense(POLICY)
    sense.use(FenceSet.compile(FENCES), POLICY)
    for signals, received in walk(1, 200):
        sense.advance(signals, received)
        sense.tick(received[0] if received else 0.0)
    return sense


def state(sense: Sense) -> dict:
    return {name: sense.visits(name) for name in sense.names.all()}


@pytest.mark.parametrize("restart", [False, True])
def test_in_columns_as_one_by_one(monkeypatch, restart) -> None:
    plain, columns = lived(10**9, monkeypatch), lived(0, monkeypatch)
    later, now = FenceSet.compile(LATER), 1000.0 + 12.0 * 200
    monkeypatch.setattr(room, "MANY", 10**9)
    ended = plain.use(later, POLICY, now)
    monkeypatch.setattr(room, "MANY", 0)
    told = columns.use(later, POLICY, now)
    assert told == []
    assert len({t.fence for t in ended}) == 4, "all that are gone had visits"
    if restart:
        columns = Sense.load(columns.dump(), POLICY, later)
        plain = Sense.load(plain.dump(), POLICY, later)
    assert columns.next_due() <= now, "somebody is to ask for them at once"
    while part := columns.endings(now, 7):
        assert len(part) <= 7
        told += part
    assert told == ended
    assert state(columns) == state(plain)
    for signals, received in walk(2, 60, now):
        assert columns.advance(signals, received) == plain.advance(signals, received)
        if received:
            assert columns.tick(received[0]) == plain.tick(received[0])
    assert state(columns) == state(plain)


def test_some_devices_come_first(monkeypatch) -> None:
    sense = lived(0, monkeypatch)
    sense.use(FenceSet.compile([]), POLICY, 4000.0)
    first = sense.endings(4000.0, of=["d1", "nobody", "d2"])
    assert {t.device for t in first} == {"d1", "d2"}
    rest = sense.endings(4001.0)
    assert rest
    assert not {t.device for t in rest} & {"d1", "d2"}
    assert sense.endings(4002.0) == []


def test_nobody_is_looked_at_who_is_in_no_fence_any_more(monkeypatch) -> None:
    sense = lived(0, monkeypatch)
    sense.use(FenceSet.compile([]), POLICY, 4000.0)
    sense.endings(4000.0)
    assert sense.next_due() is None
    assert sense.tick(1e9) == []
