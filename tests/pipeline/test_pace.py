"""How long work gathers before a step, and how often timers are looked at."""

import asyncio
from collections import deque

import pytest

from engine.clock import ManualClock
from engine.model.record import FenceChange, Frame, ReleaseChange, Tick
from engine.pipeline import pending, ticker
from engine.pipeline.pending import LONG, SPACING, Pace, Pending, Portion, give_way
from engine.pipeline.replay import parted, take_frames
from engine.pipeline.ticker import Ticker

FULL, LONGEST = 1024, 0.02


class Loop:
    """A clock that only rests move, each a little late."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.late, self.rests = 100.0, 0.0, list[float]()
        monkeypatch.setattr(pending, "monotonic", lambda: self.now)
        monkeypatch.setattr(pending.asyncio, "sleep", self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.rests.append(round(seconds, 6))
        self.now += seconds + self.late


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Loop:
    return Loop(monkeypatch)


async def test_a_record_after_a_pause_is_stepped_at_once(loop: Loop) -> None:
    pace = Pace(FULL, LONGEST)
    await pace.rest(1)
    loop.now += 1.0
    await pace.rest(1)
    assert loop.rests == [0.0, 0.0]


async def test_steps_follow_each_other_closely_while_the_loop_has_time(loop: Loop) -> None:
    pace = Pace(FULL, LONGEST)
    for _ in range(4):
        await pace.rest(10)
    assert loop.rests == [0.0] + 3 * [SPACING]


async def test_a_late_loop_lets_work_gather_up_to_a_bound(loop: Loop) -> None:
    pace = Pace(FULL, LONGEST)
    loop.late = 0.004
    for _ in range(20):
        await pace.rest(10)
    assert loop.rests[1] < loop.rests[2] < loop.rests[-1] == pytest.approx(SPACING + Pace.GATHER * 0.004, abs=1e-5)
    loop.late = 1.0
    for _ in range(5):
        await pace.rest(10)
    assert loop.rests[-1] == LONGEST


async def test_a_full_batch_waits_for_nothing(loop: Loop) -> None:
    pace = Pace(FULL, LONGEST)
    loop.late = 0.004
    for _ in range(5):
        await pace.rest(FULL)
    assert loop.rests == 5 * [0.0]


async def test_what_comes_after_a_pause_in_which_others_ran_begins_in_that_turn_of_the_loop(loop: Loop) -> None:
    pace = Pace(FULL, LONGEST)
    await pace.rest(1, slept=True)
    assert loop.rests == []
    await pace.rest(1, slept=True)
    assert loop.rests == [SPACING], "the one before is too near"
    await pace.rest(FULL)
    assert loop.rests == [SPACING, 0.0], "others have not run"


@pytest.mark.parametrize(("seconds", "gets_on"), [(LONG, True), (LONG / 2, False)])
async def test_after_a_long_step_who_waits_for_another_that_waits_gets_on(seconds: float, gets_on: bool) -> None:
    soon, told = asyncio.get_running_loop().call_soon, list[str]()
    soon(soon, soon, told.append, "told")
    await give_way(seconds)
    assert bool(told) == gets_on


async def test_many_steps_are_one_look_at_the_timers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticker, "REST", 3600.0)
    asked = 0

    def next_due() -> float | None:
        nonlocal asked
        asked += 1
        return None

    watch = Ticker(ManualClock(0.0), None, next_due)  # type: ignore[arg-type]  # nothing is due: nothing is appended
    task = asyncio.create_task(watch.run())
    for _ in range(50):
        await asyncio.sleep(0)
        watch.look()
    task.cancel()
    assert asked == 1


def test_a_step_takes_fewer_records_where_they_take_long_and_more_again_later() -> None:
    portion = Portion(1024)
    portion.learn(1024, 0.005)
    assert portion.most == 1024
    for _ in range(10):
        portion.learn(400, 0.08)
    assert portion.most == pytest.approx(Portion.HOLD / 0.0002, abs=2)
    portion.learn(100, 10.0)
    assert portion.most == Portion.LEAST
    for _ in range(30):
        portion.learn(portion.most, portion.most * 1e-5)
    assert portion.most == 1024


def test_a_step_over_few_records_says_nothing_of_their_cost() -> None:
    portion = Portion(1024)
    portion.learn(1, 5.0)
    portion.learn(0, 0.0)
    assert portion.most == 1024


async def test_frames_are_taken_in_order_and_cut_where_they_are_much_too_long() -> None:
    first, second, third, fourth = (Pending([], True) for _ in range(4))
    queue = deque(
        [
            (Frame(10, 1.0, tuple(Tick() for _ in range(3))), [first]),
            (Frame(13, 2.0, tuple(Tick() for _ in range(3))), [second]),
            (Frame(16, 2.0, tuple(Tick() for _ in range(11))), [third]),
            (Frame(27, 3.0, ()), [fourth]),
        ]
    )
    seen = []
    while queue:
        frames, waiting = take_frames(queue, 4)
        seen.append(([(f.offset, f.end, f.received) for f in frames], waiting))
    assert seen == [
        ([(10, 13, 1.0), (13, 16, 2.0)], [first, second]),
        ([(16, 20, 2.0)], []),
        ([(20, 24, 2.0)], []),
        ([(24, 27, 2.0)], [third, fourth]),
    ]


async def test_a_frame_that_does_not_fit_behind_others_waits_whole() -> None:
    queue = deque([(Frame(at, 1.0, tuple(Tick() for _ in range(5))), []) for at in (10, 15)])
    assert [[frame.offset for frame in take_frames(queue, 6)[0]] for _ in range(2)] == [[10], [15]]


async def test_what_changes_fences_or_rules_is_a_step_by_itself() -> None:
    tick, fences, release = Tick(), FenceChange("f", "bulk", "", 1, ""), ReleaseChange("r")
    frame = Frame(10, 1.0, [tick, tick, fences, release, tick])
    last = Pending((), False)
    *parts, rest = parted(frame, 1024)
    queue = deque(
        [*((part, []) for part in parts), (rest, [last]), (Frame(15, 2.0, [tick]), []), (Frame(16, 2.0, []), [])]
    )
    steps = []
    while queue:
        frames, waiting = take_frames(queue, 1024)
        steps.append(([(f.offset, f.end) for f in frames], waiting))
    assert steps == [
        ([(10, 12)], []),
        ([(12, 13)], []),
        ([(13, 14)], []),
        ([(14, 15), (15, 16)], [last]),
    ]


@pytest.mark.parametrize("records", [0, 1, 4, 5, 11])
async def test_a_frame_is_parted_by_number(records: int) -> None:
    parts = parted(Frame(10, 1.0, [Tick()] * records), 4)
    assert [len(part.records) for part in parts] == ([4] * (records // 4) + [records % 4] * (records % 4 > 0) or [0])
    assert [part.offset for part in parts] == list(range(10, 10 + max(records, 1), 4))


async def test_a_change_at_either_end_leaves_no_empty_part() -> None:
    change = FenceChange("f", "bulk", "", 1, "")
    for records, sizes in (([change], [1]), ([change, Tick(), Tick()], [1, 2]), ([Tick(), change], [1, 1])):
        assert [len(part.records) for part in parted(Frame(0, 1.0, records), 1024)] == sizes
