"""Sends that begin with the commit which makes them: chosen before it, sent after it, as many as there is room for."""

import asyncio

import pytest

from engine.deliver.lane import LanePolicy
from engine.deliver.worker import Deliverer
from engine.model.moment import Effects, Hold, Result, Settle
from engine.model.reason import Reason


@pytest.fixture
def commit(outbox):
    """What the runner does with the notifications of one commit; the ids that were chosen."""

    async def carry_out(deliverer, *notifications, effects=None):
        effects = effects or Effects(notifications=list(notifications))
        ids = deliverer.choose(effects.notifications)
        outbox.add(*effects.notifications)
        deliverer.committed(effects, await outbox.begin_send(ids, deliverer._clock.now()))
        return ids

    return carry_out


def forget_the_rest(outbox):
    """From now on the outbox tells nobody what waits in it."""

    async def nothing(*_):
        return []

    outbox.due = nothing


async def test_what_begins_with_its_commit_is_sent_without_a_look_into_the_outbox(
    running, outbox, adapter, notification, quiet, commit
) -> None:
    push = adapter()
    deliverer = await running({"push": push})
    forget_the_rest(outbox)
    assert await commit(deliverer, notification("a"), notification("b")) == ["a", "b"]
    await quiet()
    assert push.seen == ["a", "b"]
    assert outbox["b"].status == "sent"


async def test_sends_that_end_together_are_recorded_together(
    running, outbox, journal, adapter, notification, quiet, commit
) -> None:
    deliverer = await running({"push": adapter()})
    await commit(deliverer, *map(notification, "abc"))
    await quiet()
    assert [attempt.notification for attempt in journal.attempts] == ["a", "b", "c"]
    assert journal.calls == 1


async def test_slots_are_free_again_before_results_are_in_the_journal_but_only_so_many(
    running, outbox, journal, adapter, notification, quiet, commit
) -> None:
    push = adapter()
    deliverer = await running({"push": push}, policies={"push": LanePolicy(concurrency=2)})
    gate = journal.gate = asyncio.Event()
    for n in range(0, 10, 2):
        await commit(deliverer, notification(f"a{n}"), notification(f"a{n + 1}"))
        await quiet()
    assert push.seen == [f"a{n}" for n in range(8)], "four times as many as slots"
    gate.set()
    for _ in range(3):
        await quiet()
    assert push.seen == [f"a{n}" for n in range(10)]
    assert len(journal.attempts) == 10


async def test_no_more_begin_than_the_lane_has_room_for_and_the_rest_follows(
    running, outbox, adapter, notification, quiet, commit
) -> None:
    push = adapter()
    push.gate = asyncio.Event()
    deliverer = await running({"push": push}, policies={"push": LanePolicy(concurrency=3)})
    assert await commit(deliverer, *(notification(f"a{n}") for n in range(5))) == ["a0", "a1", "a2"]
    assert await commit(deliverer, notification("later")) == []  # it would overtake a3 and a4
    await quiet()
    assert push.seen == ["a0", "a1", "a2"]
    push.gate.set()
    for _ in range(5):
        await quiet()
    assert push.seen == ["a0", "a1", "a2", "a3", "a4", "later"]


async def test_slots_chosen_for_a_commit_are_kept_until_it_is_done(running, outbox, adapter, notification, quiet):
    push = adapter()
    push.gate = asyncio.Event()
    deliverer = await running({"push": push}, policies={"push": LanePolicy(concurrency=1)})
    a = notification("a")
    assert deliverer.choose([a]) == ["a"]
    outbox.add(notification("b"))
    deliverer.wake()
    await quiet()
    assert push.seen == []
    outbox.add(a)
    deliverer.committed(Effects(notifications=[a]), await outbox.begin_send(["a"], a.not_before))
    await quiet()
    assert push.seen == ["a"]


async def test_nothing_is_chosen_for_a_channel_that_is_left_alone_or_unknown_or_before_its_time(
    running, outbox, adapter, notification, clock, quiet
) -> None:
    push = adapter(Result("retry", "down"))
    outbox.add(*(notification(f"n{i}") for i in range(5)))
    deliverer = await running({"push": push, "mail": adapter()}, policies={"push": LanePolicy(failures=5)})
    await quiet()
    chosen = [
        notification("a"), notification("b", "fax"), notification("c", "mail", not_before=clock.now() + 1.0),
        notification("d", "mail"),
    ]  # fmt: skip
    assert deliverer.choose(chosen) == ["d"]


async def test_a_row_that_is_not_begun_yet_sent_when_its_time_comes(
    running, outbox, adapter, notification, clock, quiet, commit
) -> None:
    push = adapter()
    deliverer = await running({"push": push})
    assert await commit(deliverer, notification("later", not_before=clock.now() + 5.0)) == []
    await quiet()
    assert push.seen == []
    await clock.move(5.0)
    assert push.seen == ["later"]


async def test_what_a_switch_held_is_looked_for_when_the_switch_is_released(
    running, outbox, adapter, notification, quiet, commit
) -> None:
    push = adapter()
    deliverer = await running({"push": push})
    outbox.held.add("push")
    await commit(deliverer, notification("a"))
    await quiet()
    assert push.seen == []
    outbox.held.clear()
    await commit(deliverer, effects=Effects(holds=[Hold("channel", "push", False)]))
    await quiet()
    assert push.seen == ["a"]


async def test_a_retry_that_comes_due_is_looked_for(running, outbox, adapter, notification, clock, quiet, commit):
    push = adapter()
    deliverer = await running({"push": push})
    outbox.add(notification("a"), due=clock.now() + 3.0, attempts=1)
    await commit(deliverer, effects=Effects(settled=[Settle("a", "waiting", 1, clock.now() + 3.0, Reason.OK)]))
    await quiet()
    await clock.move(3.0)
    assert push.seen == ["a"]


async def test_rows_of_a_commit_that_failed_and_held_all_the_same_wait_again(
    running, outbox, journal, adapter, notification, clock, quiet
) -> None:
    push = adapter()
    deliverer = await running({"push": push})
    ids = deliverer.choose([notification("a")])
    outbox.add(notification("a"), status="sending")
    deliverer.failed(ids)
    assert deliverer.choose([notification("b")]) == []
    await quiet()
    assert (push.seen, journal.outcomes("a")) == ([], ["retry"])
    await clock.move(2.0)
    assert push.seen == ["a"]
    assert deliverer.choose([notification("b")]) == ["b"]


async def test_nothing_is_chosen_before_the_deliverer_runs_and_while_it_stops(
    outbox, journal, adapter, notification, clock, quiet
) -> None:
    push = adapter()
    push.gate = asyncio.Event()
    deliverer = Deliverer(outbox, journal, clock, {"push": push}, grace=5.0)
    assert deliverer.choose([notification("a")]) == []  # recover would take it for one that a crash left
    task = asyncio.create_task(deliverer.run())
    await quiet()
    ids = deliverer.choose([notification("b")])
    task.cancel()
    await quiet()
    assert deliverer.choose([notification("c")]) == []
    outbox.add(notification("b"))
    deliverer.committed(Effects(notifications=[notification("b")]), await outbox.begin_send(ids, clock.now()))
    push.gate.set()
    await asyncio.gather(task, return_exceptions=True)
    assert outbox["b"].status == "sent"
