"""What became of sends goes with the next commit, and soon."""

import asyncio

import pytest
from msgspec.structs import replace

from engine.errors import StoreError
from engine.model.moment import Cancel, Decision, Effects, Hold, Message, Moment, Notification, Settle
from engine.model.reason import Reason, Verdict
from engine.model.record import Attempt
from engine.model.signal import Cause
from engine.pipeline.pending import Outcomes, Pending

CAUSE = Cause("n1", "enter", 5.0, fence="cafe")
MOMENT = Moment("m1", "hello", "r1", "p1", "d1", CAUSE, Decision(Verdict.SEND, Reason.OK), 1.0, 900.0)
NOTIFICATION = Notification("n1", "m1", "push", "hello", "r1", "p1", "d1", CAUSE, Message("Hi"), 1.0, 900.0, 900.0)


def outcome(id: str) -> Effects:
    return Effects(settled=[Settle(id, "sent", 1)])


def attempt(row) -> Attempt:
    n = row.notification
    return Attempt(n.id, n.moment, n.person, n.channel, 1, "sent", 1.0)


def waiter() -> Pending:
    return Pending([Attempt("n1", "m1", "p1", "push", 1, "sent", 1.0)], True)


@pytest.mark.parametrize(
    "more",
    [
        Effects(moments=[MOMENT]),
        Effects(notifications=[NOTIFICATION]),
        Effects(cancels=[Cancel(Reason.LEFT, device="d1")]),
        Effects(holds=[Hold("all", "", True)]),
    ],
    ids=["moment", "notification", "cancel", "hold"],
)
async def test_an_outcome_waits_for_whatever_is_committed_next(more: Effects) -> None:
    outcomes, one, other = Outcomes(list), waiter(), waiter()
    waiting = [one]
    assert outcomes.keep(outcome("a"), waiting)
    assert (waiting, len(outcomes)) == ([], 1)
    more.settled = outcome("b").settled
    waiting = [other]
    assert not outcomes.keep(more, waiting)
    assert [settle.notification for settle in more.settled] == ["a", "b"]
    assert waiting == [other, one]
    assert len(outcomes) == 0


async def test_an_outcome_is_committed_soon_where_nothing_else_is(monkeypatch) -> None:
    monkeypatch.setattr(Outcomes, "LONGEST", 0.001)
    woken = asyncio.Event()
    outcomes = Outcomes(woken.set)
    assert outcomes.keep(outcome("a"), [])
    assert outcomes.keep(outcome("b"), [])
    await asyncio.wait_for(woken.wait(), 5)
    last = Effects()
    assert not outcomes.keep(last, [])
    assert [settle.notification for settle in last.settled] == ["a", "b"]
    assert outcomes.keep(outcome("c"), [])  # and from then on anew


async def test_who_sent_is_told_with_the_commit_though_the_frame_was_cut_behind_the_outcome() -> None:
    outcomes, own, last = Outcomes(list), waiter(), outcome("b")
    outcomes.keep(outcome("a"), [])
    waiting = [own]
    assert outcomes.keep(Effects(), waiting)
    assert waiting == []
    last.moments, told = [MOMENT], []
    assert not outcomes.keep(last, told)
    assert told == [own]


async def test_who_asks_for_all_there_is_has_outcomes_committed() -> None:
    outcomes, first = Outcomes(list), waiter()
    outcomes.keep(outcome("a"), [first])
    last, waiting = Effects(), [Pending((), True)]
    assert not outcomes.keep(last, waiting)
    assert [settle.notification for settle in last.settled] == ["a"]
    assert first in waiting


async def test_outcomes_are_committed_while_nothing_else_happens(start, hello) -> None:
    runner = await start()
    await runner.ingest([hello()])
    await runner.flush(applied=True)
    (row,) = await runner.store.rows()
    await runner.store.begin_send([row.notification.id], 0.0)
    async with asyncio.timeout(5):
        await runner.submit([attempt(row)], applied=True)
    (row,) = await runner.store.rows()
    assert row.status == "sent"


async def test_outcomes_go_with_the_commit_of_what_comes_next(start, hello, monkeypatch) -> None:
    monkeypatch.setattr(Outcomes, "LONGEST", 60.0)
    runner = await start()
    await runner.ingest([hello()])
    await runner.flush(applied=True)
    (row,) = await runner.store.rows()
    await runner.store.begin_send([row.notification.id], 0.0)
    commits = []
    plain = runner.store.commit_and_begin

    async def commit_and_begin(partition, previous, offset, effects, *rest):
        commits.append((len(effects.moments), len(effects.settled)))
        return await plain(partition, previous, offset, effects, *rest)

    runner.store.commit_and_begin = commit_and_begin
    told = asyncio.create_task(runner.submit([attempt(row)], applied=True))
    await until(lambda: runner._stepping.behind)
    assert commits == []
    await runner.ingest([hello(2, "d2")])
    await asyncio.wait_for(told, 5)
    assert commits == [(1, 1)]
    assert sorted(row.status for row in await runner.store.rows()) == ["sent", "waiting"]


async def test_no_checkpoint_is_ahead_of_what_is_committed(start, hello, monkeypatch) -> None:
    """A start would take outcomes that are in it for committed, and send again what was sent."""
    monkeypatch.setattr(Outcomes, "LONGEST", 60.0)
    runner = await start()
    await runner.ingest([hello()])
    await runner.flush(applied=True)
    (row,) = await runner.store.rows()
    await runner.store.begin_send([row.notification.id], 0.0)
    told = asyncio.create_task(runner.submit([attempt(row)], applied=True))
    await until(lambda: runner._stepping.behind)
    runner.want_checkpoint()
    await runner.ingest([replace(hello(2, "d2"), event="nothing")])
    await until(lambda: runner._stepping.waiting == 0)
    saved = runner.saving.last
    await runner.flush(applied=True)
    await told
    assert saved <= runner._stepping.committed
    assert saved < runner.core.state.offset
    await until(lambda: runner.saving.last > saved)


async def test_who_waits_for_an_outcome_is_told_when_it_cannot_be_committed_any_more() -> None:
    outcomes, one = Outcomes(list), waiter()
    outcomes.keep(outcome("a"), [one])
    outcomes.fail(StoreError("the server is stopping"))
    with pytest.raises(StoreError, match="stopping"):
        await one.done


async def until(asked) -> None:
    async with asyncio.timeout(5):
        while not asked():
            await asyncio.sleep(0.005)
