"""What is held of devices: positions as of a record, releases, checkpoints, timers in bulk."""

import math

import numpy as np
import pytest

from engine.model.fence import Circle, Fence
from engine.model.release import SensePolicy
from engine.model.rule import DayTime
from engine.model.signal import Signal
from engine.sense import FenceSet, Sense
from engine.sense.columns import Devices
from engine.sense.fork import fork
from engine.sense.timers import TimerQueue


def test_position_is_that_of_the_record_asked_for(town):
    t = town([])
    t.at(0, 1, accuracy=12.3, speed=1.4, battery=0.55)
    signals = [
        t.signal(10, 2, accuracy=5.0, heading=270.0),
        t.signal(11, None, event="open", battery=0.5),
        t.signal(5, 3),
        t.signal(12, 4, device="other"),
        t.signal(13, 5, speed=3.1),
    ]
    t.sense.advance(signals, [1_000_020.0] * 5)
    seen = [t.sense.position("d", k) for k in (0, 1, 2, 3, 4, -1)]
    assert [(p.at - 1_000_000, p.accuracy, p.speed, p.heading, p.battery) for p in seen] == [
        (10, 5.0, None, 270.0, 0.55),
        (10, 5.0, None, 270.0, 0.5),
        (10, 5.0, None, 270.0, 0.5),
        (10, 5.0, None, 270.0, 0.5),
        (13, 0.0, 3.1, None, 0.5),
        (13, 0.0, 3.1, None, 0.5),
    ]
    assert t.sense.position("other", 2).at is None  # it had not yet been heard of
    assert t.sense.position("nobody") is None


def test_visits_say_state_since_and_visit(town, circle):
    t = town([circle()], SensePolicy(min_inside=10.0))
    t.at(0, 0)
    assert t.sense.visits("d") == [{"fence": "cafe", "state": "entering", "since": 1_000_000.0, "visit": None}]
    t.tick(10)
    t.at(20, 900)
    assert t.sense.visits("d") == [{"fence": "cafe", "state": "leaving", "since": 1_000_020.0, "visit": 1_000_010.0}]
    assert t.sense.visits("nobody") == []


def test_state_survives_a_release_even_when_fences_move_in_the_order_of_ids(town, circle):
    t = town([circle("m"), circle("z")])
    t.at(0, 0)
    t.sense.use(FenceSet.compile([circle("a", offset=5000), circle("m", radius=50.0), circle("z")]), t.policy)
    assert t.state() == {"m": "inside", "z": "inside"}
    assert t.at(10, 80) == [("exit", "m", 10)]


def test_a_new_dwell_counts_from_the_visit_but_one_already_past_does_not_fire(town, circle):
    t = town([circle(dwell=(60.0,))])
    t.at(0, 0)
    t.at(300, 0)
    longer = FenceSet.compile([circle(dwell=(60.0,))], {"cafe": (120.0, 600.0)})
    assert t.sense.use(longer, t.policy) == []
    assert t.tick(700) == [("dwell", "cafe", 600)]


def test_a_new_policy_moves_pending_timers(town, circle):
    t = town([circle()], SensePolicy(min_outside=600.0))
    t.at(0, 0)
    t.at(10, 900)
    t.sense.use(t.fences, SensePolicy(min_outside=30.0))
    assert t.tick(40) == [("exit", "cafe", 40)]


def test_a_pending_enter_of_a_deleted_fence_leaves_nothing(town, circle):
    t = town([circle()], SensePolicy(min_inside=60.0))
    t.at(0, 0)
    assert t.sense.use(FenceSet.compile([]), t.policy) == []
    assert t.sense.next_due() is None


def test_a_checkpoint_holds_everything(town, circle):
    t = town([circle(dwell=(600.0,)), circle("gone")], SensePolicy())
    t.at(0, 0, battery=0.5)
    t.at(10, 900)
    t.at(-5, 0)
    again = Sense.load(t.sense.dump(), t.policy, t.fences)
    assert (again.late(), again.devices(), again.next_due()) == (1, 1, t.sense.next_due())
    assert again.visits("d") == t.sense.visits("d")
    assert again.position("d") == t.sense.position("d")
    assert again.dump() == t.sense.dump()
    assert again.tick(1_000_100.0) == t.sense.tick(1_000_100.0)


def test_what_is_loaded_holds_nothing_of_the_checkpoint_it_came_from(town, circle):
    t, later = town([circle(dwell=(600.0,))], SensePolicy()), FenceSet.compile([])
    t.at(0, 0)
    t.sense.use(later, t.policy, 1_000_100.0)  # a visit that is over
    blob = bytearray(t.sense.dump())
    again = Sense.load(memoryview(blob), t.policy, later)
    blob.clear()  # BufferError, where anything still looks at it
    assert again.dump() == t.sense.dump()


def test_ten_thousand_devices_take_little_room_and_all_their_timers_fire(circle):
    fences, policy = FenceSet.compile([circle(dwell=(600.0,))]), SensePolicy()
    sense = Sense(policy)
    sense.use(fences, policy)
    for start in range(0, 10_000, 1000):
        signals = [Signal(f"device-{k}", 1000.0 + k / 100, k, lat=52.5, lon=13.4) for k in range(start, start + 1000)]
        sense.advance(signals, [1200.0 + start] * 1000)
    assert len(sense.dump()) < 200 * 10_000
    assert sense.next_due() == 1200.0 + 600 + 0.0
    fired = sense.tick(1e6)
    assert [t.kind for t in fired].count("dwell") == [t.kind for t in fired].count("lost") == 10_000
    assert [t.due for t in fired] == sorted(t.due for t in fired)
    assert sense.next_due() is None


@pytest.mark.parametrize("restart", [False, True])
def test_many_timers_fire_in_portions_and_in_the_order_of_all(circle, restart):
    fences, policy = FenceSet.compile([circle(dwell=(30.0, 31.0, 600.0))]), SensePolicy()

    def lived():
        sense, rng = Sense(policy), np.random.default_rng(7)
        sense.use(fences, policy)
        for start in range(0, 2000, 500):
            at = 1000.0 + np.round(rng.uniform(0, 20, 500), 2)
            signals = [Signal(f"d{start + k}", t, start + k, lat=52.5, lon=13.4) for k, t in enumerate(at.tolist())]
            sense.advance(signals, [1200.0 + start / 100 + k // 3 / 100 for k in range(500)])  # three at one instant
        return sense

    whole, portions = lived(), lived()
    told = []
    while (due := portions.next_due()) is not None and due <= 1e6:
        some = portions.tick(1e6, 100)
        assert 100 <= len({t.device for t in some}) <= 110 or portions.next_due() is None
        assert told == [] or told[-1].due <= some[0].due
        told += some
        if restart:
            portions = Sense.load(portions.dump(), policy, fences)
    assert told == whole.tick(1e6)
    assert len(told) == 4 * 2000


def test_ticks_cut_anywhere_fire_the_same(town, circle):
    def play(ticks):
        t = town([circle(dwell=(30.0, 90.0)), circle("far", offset=900)], SensePolicy())
        for k in range(40):
            t.at(k * 3.7, [0, 0, 900, 0][k % 4] if k > 20 else 0, device=f"d{k % 5}")
        for tick in ticks:
            t.tick(tick)
        return t.seen

    assert play([4000]) == play(np.linspace(150, 4000, 60).tolist())


def test_a_fork_knows_what_it_was_made_of_and_leaves_it_alone(town, circle):
    t = town([circle(dwell=(60.0,))])
    t.at(0, 0)
    before = t.sense.dump()
    tried = fork(t.sense, ["d", "stranger"])
    assert tried.visits("d") == t.sense.visits("d")
    assert [x.kind for x in tried.advance([t.signal(90, 900)], [1_000_093.0])] == ["dwell", "exit"]
    assert t.sense.dump() == before


@pytest.mark.parametrize("seed", range(3))
def test_the_queue_never_looks_too_late(seed):
    """Against plain minima: rows whose true time moves both ways."""
    rng = np.random.default_rng(seed)
    devices = Devices()
    rows = devices.rows([f"d{k}" for k in range(50)])
    devices.at[rows] = devices.received[rows] = 0.0
    queue, now = TimerQueue(devices), 0.0
    for _ in range(300):
        some = np.unique(rng.integers(0, 50, 5))
        devices.timer[some] = now + rng.uniform(0, 100, len(some))
        devices.timer[some[:1]] = math.inf
        queue.arm(some, devices.due(some, 1.0))
        least = float(devices.timer[:50].min())
        assert queue.earliest(1.0) == (None if least == math.inf else least)
        now += float(rng.exponential(1.0))
        want = np.flatnonzero(devices.timer[:50] <= now).tolist()
        assert sorted(queue.pop(now, 1.0)[0]) == want
        devices.timer[want] = math.inf


@pytest.mark.parametrize("spread", [0.0, 1800.0])
def test_many_armed_timers_cost_nothing_while_idle(spread, monkeypatch):
    """However many there are, and though all be due in the same second: one row is looked at."""
    count, looked = 200_000, []
    devices = Devices()
    rows = devices.rows([f"d{k}" for k in range(count)])
    devices.at[rows] = devices.received[rows] = 0.0
    devices.timer[rows] = 5000.5 + np.linspace(0.0, spread, count)
    queue = TimerQueue(devices)
    queue.arm(rows, devices.due(rows, 1.0))
    assert queue.earliest(1.0) == 5000.5
    due = Devices.due
    monkeypatch.setattr(
        Devices, "due", lambda self, rows, silence: looked.append(len(rows)) or due(self, rows, silence)
    )
    for now in range(0, 5000, 100):
        assert queue.earliest(1.0) == 5000.5
        assert queue.pop(float(now), 1.0)[0] == []
    assert sum(looked) <= 2 * 50
    devices.timer[7] = 4000.25
    queue.arm_one(7, 4000.25)
    assert queue.earliest(1.0) == 4000.25
    devices.timer[7] = math.inf
    assert queue.earliest(1.0) == 5000.5
    assert len(queue.pop(1e6, 1.0)[0]) == count - 1
    assert queue.earliest(1.0) is None


def test_a_schedule_is_one_timer_for_all_who_wait_and_no_poll(town, circle):
    """Who waits for a fence to open is looked at when it opens, not before."""
    shop = (DayTime(tuple(range(7)), 14 * 60 + 50, 15 * 60),)
    t = town([circle(open=shop)])
    for k in range(50):
        t.at(k, 0, device=f"d{k:02}")
    opens = t.sense.next_due()
    assert opens == pytest.approx(1_000_203.0)
    before = t.sense.dump()
    for second in range(50, 200, 10):
        assert t.tick(second) == []
        assert t.sense.next_due() == opens
    assert t.sense.dump() == before
    assert [kind for kind, _, _ in t.tick(200)] == ["enter"] * 50


def test_where_fences_move_can_be_known_before_they_come_into_force():
    old = FenceSet.compile([Fence(name, Circle(13.4, 52.5, 100.0)) for name in "ace"])
    new = FenceSet.compile([Fence(name, Circle(13.4, 52.5, 90.0), dwell=(60.0,) * (name == "c")) for name in "abcd"])
    moved, other = new.moves(old)
    assert (moved.tolist(), other.tolist()) == ([0, 2, -1, -1], [False, True, True])
    assert new.moves(old)[0] is not moved, "found out anew each time"
    new.succeed(old)
    known = new.moves(old)
    assert new.moves(old)[0] is known[0]
    assert [column.tolist() for column in known] == [moved.tolist(), other.tolist()]
    assert new.moves(new)[0].tolist() == [0, 1, 2, 3, -1], "of another set it knows nothing beforehand"
