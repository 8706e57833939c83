"""Repeats per device."""

import random
import sys
from collections import OrderedDict, deque

import msgspec
import pytest

from engine.ingest.dedupe import BRIEF_SECONDS, KEYS, Recent
from engine.ingest.signals import BRIEF
from engine.model.signal import Signal
from engine.sense import Names


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


def test_memory_per_device_is_small():
    names = Names()
    recent = Recent(names)
    for i in range(2000):
        fresh(recent, i + 1, device=f"d{i}")
    names.rows([f"d{i}" for i in range(2000)])
    assert fresh(recent, 1, device="d0") == []
    assert recent.size() <= 2000 * 58


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
