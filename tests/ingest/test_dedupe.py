"""Repeats per device."""

import random
import sys
from collections import OrderedDict, deque

import msgspec
import numpy as np
import pytest

from engine.ingest import fast as reading
from engine.ingest import lastkeys
from engine.ingest.dedupe import BRIEF_SECONDS, KEYS, Recent, _split
from engine.ingest.identity import BRIEF
from engine.model.signal import Signal
from engine.model.signals import Lines, Signals
from engine.sense import Names
from engine.sense import fast as sensing
from engine.sense import names as rows_by_name
from engine.sense.fences import FenceSet


def signal(key, device="d1"):
    return Signal(device, 1.0, key)


def fresh(recent, *keys, device="d1", received=0.0):
    return [s.key for s in recent.admit([signal(key, device) for key in keys], received)[0]]


def test_a_repeat_is_recognised_also_within_one_request():
    recent = Recent()
    assert fresh(recent, 1, 2, 1) == [1, 2]
    assert fresh(recent, 2, 3) == [3]
    assert recent.admit([signal(1), signal(9)], 0.0) == ([signal(9)], 1)


def test_devices_do_not_know_each_others_keys():
    recent = Recent()
    assert fresh(recent, 1) == fresh(recent, 1, device="d2") == [1]


def test_the_last_sixteen_are_known():
    recent = Recent()
    fresh(recent, *range(1, KEYS + 1))
    assert fresh(recent, *range(1, KEYS + 1)) == []
    assert fresh(recent, 100) == [100]
    assert fresh(recent, 2) == []
    assert fresh(recent, 1) == [1]


def test_a_failed_append_is_forgotten():
    recent = Recent()
    fresh(recent, 1)
    taken, _ = recent.admit([signal(2), signal(3 | BRIEF)], 0.0)
    recent.forget(taken)
    assert fresh(recent, 1, 2, 3 | BRIEF) == [2, 3 | BRIEF]


def test_a_signal_without_id_and_time_is_known_for_a_minute():
    recent = Recent()
    key = 5 | BRIEF
    assert fresh(recent, key, key) == [key]
    assert fresh(recent, key, received=BRIEF_SECONDS) == []
    assert fresh(recent, key, received=BRIEF_SECONDS + 0.001) == [key]


def test_brief_keys_take_no_place_from_lasting_ones():
    recent = Recent()
    fresh(recent, 1)
    fresh(recent, *(key | BRIEF for key in range(100)))
    assert fresh(recent, 1) == []


def test_it_survives_a_checkpoint():
    recent = Recent()
    fresh(recent, *range(1, 20))
    fresh(recent, 7, device="d2")
    fresh(recent, 3 | BRIEF, received=10.0)
    again = Recent.load(recent.dump())
    assert again.dump() == recent.dump()
    assert fresh(again, *range(1, 21), received=20.0) == fresh(recent, *range(1, 21), received=20.0)
    assert fresh(again, 7, device="d2") == []
    assert fresh(again, 3 | BRIEF, received=30.0) == []


def test_replay_notes_what_was_journaled():
    live, replayed = Recent(), Recent()
    taken, _ = live.admit([signal(1), signal(1), signal(2 | BRIEF)], 5.0)
    replayed.note(taken, 5.0)
    assert replayed.dump() == live.dump()


def test_a_key_that_lies_across_two_others_is_not_taken_for_one():
    recent = Recent()
    a, b = 0x1111111122222222, 0x3333333344444444
    fresh(recent, a, b)
    across = int.from_bytes((a.to_bytes(8, "little") + b.to_bytes(8, "little"))[4:12], "little")
    assert fresh(recent, across) == [across]
    assert fresh(recent, across) == []


@pytest.mark.parametrize("seed", range(5))
def test_it_equals_sixteen_keys_in_a_queue_whenever_devices_get_their_rows(seed):
    rng, names = random.Random(seed), Names()
    recent, model = Recent(names), {}
    for n in range(3000):
        if n % 700 == 350:
            names.rows([f"d{n // 700}"])
        if n % 1000 == 999:
            recent = Recent.load(recent.dump(), names)
        device, key = f"d{rng.randrange(4)}", rng.randrange(1, 30) * 0x0101010101
        known = model.setdefault(device, deque(maxlen=KEYS))
        assert (fresh(recent, key, device=device) == []) == (key in known)
        if key not in known:
            known.append(key)


class Model:
    """Sixteen keys in a queue per device, and brief ones by time."""

    def __init__(self):
        self.held, self.brief = {}, {}

    def fresh(self, device, key, received):
        if key & BRIEF:
            self.brief = {k: at for k, at in self.brief.items() if at + BRIEF_SECONDS >= received}
            known = (device, key) in self.brief
            self.brief.setdefault((device, key), received)
            return not known
        known = self.held.setdefault(device, deque(maxlen=KEYS))
        if key in known:
            return False
        known.append(key)
        return True

    def forget(self, device, key):
        self.brief.pop((device, key), None)
        known = self.held.get(device, ())
        if key in known:
            known.remove(key)


@pytest.fixture
def compiled(monkeypatch, request):
    """Whether by compiled loops."""
    monkeypatch.setattr(lastkeys, "loops", None)
    monkeypatch.setattr(rows_by_name, "loops", None)
    if request.param:
        pytest.importorskip("numba")
        monkeypatch.setattr(reading, "loops", None)
        monkeypatch.setattr(sensing, "kernels", None)
        monkeypatch.setattr(FenceSet, "grounded", False)
        assert reading.load()
        assert sensing.load()
        assert lastkeys.loops is not None
        assert rows_by_name.loops is not None
    return request.param


@pytest.mark.parametrize("compiled", [False, True], indirect=True)
@pytest.mark.parametrize("seed", range(12))
@pytest.mark.usefixtures("compiled")
def test_batches_of_any_size_are_judged_as_one_by_one(seed):
    rng, names, model = random.Random(seed), Names(), Model()
    recent, devices, received = Recent(names), [f"d{k}" for k in range(rng.choice((3, 40, 300)))], 0.0
    for n in range(250):
        received += rng.choice((0.0, 1.0, 9.0))
        size, alone = rng.choice((1, 3, 20, 60, 150)), rng.random() < 0.5
        wanted = rng.sample(devices, min(size, len(devices))) if alone else rng.choices(devices, k=size)
        kind = rng.choice((0, 0, 0.1, 1))  # of them brief
        batch = [
            signal(rng.randrange(40) * 0x0101010101 | (BRIEF if rng.random() < kind else 0), device)
            for device in wanted
        ]
        expected = [s for s in batch if model.fresh(s.device, s.key, received)]
        taken, repeats = recent.admit(Signals.of(batch) if rng.random() < 0.5 else batch, received)
        assert (list(taken), repeats) == (expected, len(batch) - len(expected))
        if rng.random() < 0.1:
            recent.forget(expected)
            for s in expected:
                model.forget(s.device, s.key)
        if rng.random() < 0.3:
            names.rows(rng.sample(devices, min(20, len(devices))))
        if n % 50 == 49:
            blob = recent.dump()
            recent = Recent.load(blob, names)
            assert recent.dump() == blob
    held = recent._held
    by_row = {names[row]: held.of(row) for row in range(held.size)}
    by_name = {name: _split(keys)[::-1] for name, keys in recent._new.items()}
    assert {name: keys for name, keys in (by_row | by_name).items() if keys} == {
        name: list(keys) for name, keys in model.held.items() if keys
    }


@pytest.mark.parametrize("compiled", [False, True], indirect=True)
@pytest.mark.parametrize(("many", "most"), [(1, 10), (2, 32), (4, 50), (8, 85), (16, 150)])
def test_memory_per_device_is_that_of_its_keys(many, most, compiled):
    names, devices = Names(), 20_000
    names.rows([f"d{i}" for i in range(devices)])
    recent, rows = Recent(names), np.arange(devices)
    for n in range(many):
        for some in np.split(rows, 40):
            assert recent.fresh(some, some + n * devices, Lines([]), 0.0) is None
    # a little of each narrower pool stays; the loops have room for as many as come at a time
    assert recent.size() / devices <= most + (0 if many < 3 else 25) + (8 if compiled else 0)
    assert recent.fresh(rows, rows, Lines([]), 0.0).tolist() == [False] * devices


def test_keys_as_they_were_dumped_when_they_were_strings_are_read():
    names = Names()
    names.rows(["d1", "d2", "d3"])
    keys = b"".join(key.to_bytes(8, "little") for key in (9, 8, 7, *range(40, 24, -1)))  # newest first
    old = msgspec.msgpack.encode([[], [], [], bytes([3, 0, 16]), keys])
    recent = Recent.load(old, names)
    assert [recent._held.of(row) for row in range(3)] == [[7, 8, 9], [], list(range(25, 41))]
    assert recent.dump() == Recent.load(recent.dump(), names).dump()
    assert fresh(recent, 41, 25, device="d3") == [41, 25]
    assert fresh(recent, 7, 8, 9) == []


@pytest.mark.parametrize(("counts", "keys"), [(b"\x02", 8), (b"\x11", 136), (b"\x01", 16)])
def test_keys_that_are_not_as_many_as_are_counted_are_refused(counts, keys):
    names = Names()
    names.rows(["d1"])
    with pytest.raises(msgspec.DecodeError, match="counted"):
        Recent.load(msgspec.msgpack.encode([[], [], [], counts, bytes(keys)]), names)


def test_memory_per_device_is_bounded():
    recent = Recent()
    fresh(recent, *range(1, 10_000))
    assert recent.size() <= 8 * KEYS + 40 + sys.getsizeof({"d1": b""}) + sys.getsizeof([])


def test_keys_of_a_failed_append_are_forgotten_of_devices_with_a_row_and_without():
    names = Names()
    names.rows(["d1"])
    recent = Recent(names)
    taken = [signal(1), signal(1, "d2")]
    assert recent.admit(taken, 0.0) == (taken, 0)
    recent.forget(taken)
    assert recent.admit(taken, 0.0) == (taken, 0)
    assert recent.admit(taken, 0.0) == ([], 2)


def test_keys_of_more_devices_than_there_are_rows_are_refused():
    names = Names()
    names.rows(["d1", "d2"])
    with pytest.raises(msgspec.DecodeError):
        Recent.load(Recent(names).dump(), Names())


def test_keys_as_they_were_dumped_before_devices_shared_rows_are_read():
    old = msgspec.msgpack.encode([["d1", "d2"], [(7).to_bytes(8, "little"), (8).to_bytes(8, "little")], []])
    names = Names()
    names.rows(["d2"])
    recent = Recent.load(old, names)
    assert fresh(recent, 7) == []
    assert fresh(recent, 8, device="d2") == []
    assert fresh(recent, 7, device="d2") == [7]


def test_a_key_of_zero_is_a_key_like_others():
    recent = Recent()
    assert fresh(recent, 0, 0) == [0]


def test_brief_keys_leave_oldest_first_and_are_found_without_a_walk():
    recent, many = Recent(), 2000
    for k in range(many):
        recent.admit([signal(k | BRIEF)], k / many)
    assert fresh(recent, BRIEF | many, received=BRIEF_SECONDS + 0.5) == [BRIEF | many]
    assert [key for _, key in recent._brief] == [k | BRIEF for k in range(many // 2, many + 1)]
    # a dict steps over all that were taken out of it before it comes to its first entry
    again = Recent.load(recent.dump())
    assert isinstance(again._brief, OrderedDict)
    assert list(again._brief.items()) == list(recent._brief.items())
