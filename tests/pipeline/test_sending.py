"""The runner and who sends: what a commit makes due begins with it, once, whatever fails around it."""

import asyncio

import pytest
from msgspec.structs import replace

from engine.deliver.worker import Deliverer
from engine.errors import StoreError
from engine.model.moment import Result
from engine.model.record import Control


class Adapter:
    """Takes everything; ``looks`` are how each row stood when the adapter was called."""

    def __init__(self, runner, idempotent=True):
        self.runner, self.idempotent = runner, idempotent
        self.seen: list[str] = []
        self.looks: list[str] = []

    async def send(self, notification):
        self.seen.append(notification.id)
        row = await self.runner.store.row(notification.id)
        self.looks.append(row.status)
        return Result("sent")

    async def close(self):
        pass


@pytest.fixture
async def sending():
    """``sending(runner, adapter)``: a deliverer at work on what the runner commits."""
    tasks = []

    async def begin(runner, adapter):
        deliverer = Deliverer(runner.store, runner, runner.clock, {"console": adapter}, grace=0.2)
        await deliverer.recover()
        runner.send_with(deliverer)
        tasks.append(asyncio.create_task(deliverer.run()))
        await until(lambda: deliverer._lanes["console"].clear)
        return deliverer

    yield begin
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def until(asked):
    async with asyncio.timeout(5):
        while not asked():
            await asyncio.sleep(0.005)


async def sent(runner):
    while True:
        rows = await runner.store.rows()
        if rows and all(row.status == "sent" for row in rows):
            return
        await asyncio.sleep(0.005)


async def test_what_a_commit_makes_due_begins_with_it(start, hello, sending) -> None:
    runner = await start()
    adapter = Adapter(runner)
    await sending(runner, adapter)
    begun = []

    async def begin_send(ids, now):
        begun.extend(ids)
        return []

    runner.store.begin_send = begin_send
    await runner.ingest([hello(1), hello(2, "d2")])
    async with asyncio.timeout(5):
        await sent(runner)
    assert (len(adapter.seen), adapter.looks, begun) == (2, ["sending", "sending"], [])


async def test_a_pause_in_the_step_that_decides_keeps_the_message_back(start, hello, sending) -> None:
    runner = await start()
    adapter = Adapter(runner)
    await sending(runner, adapter)
    runner.store.gate.clear()
    runner.store.begun.clear()
    first = runner.offer([replace(hello(1), event="nothing")])
    await runner.store.begun.wait()
    queued = runner.offer([hello(2)])  # with the pause behind it: one batch, one step, one commit
    pause = asyncio.create_task(runner.submit([Control("pause", "rule", "hello")], applied=True))
    await asyncio.sleep(0)
    runner.store.gate.set()
    await asyncio.gather(first, queued, pause)
    await asyncio.sleep(0.05)
    assert [row.status for row in await runner.store.rows()] == ["waiting"]
    assert adapter.seen == []
    await runner.submit([Control("resume", "rule", "hello")], applied=True)
    async with asyncio.timeout(5):
        await sent(runner)
    assert len(adapter.seen) == 1


class Dead:
    """Has rows begin, and is gone before it calls anybody."""

    def choose(self, notifications):
        return [n.id for n in notifications]

    def committed(self, effects, begun):
        pass

    def failed(self, ids):
        pass


@pytest.mark.parametrize(("idempotent", "seen"), [(True, 1), (False, 0)])
async def test_a_kill_between_commit_and_call_leaves_the_attempt_ambiguous(
    start, hello, kill, sending, idempotent, seen
) -> None:
    runner = await start()
    runner.send_with(Dead())
    await runner.ingest([hello()])
    await runner.flush(applied=True)
    assert [row.status for row in await runner.store.sending()] == ["sending"]
    await kill(runner)
    again = await start(rules=None)
    adapter = Adapter(again, idempotent)
    await sending(again, adapter)
    await until(lambda: len(adapter.seen) == seen)
    await again.flush(applied=True)
    if seen:
        await sent(again)
    else:
        assert [(row.status, row.reason) for row in await again.store.rows()] == [("unknown", "AMBIGUOUS")]


async def test_a_commit_whose_answer_was_lost_sends_once(start, hello, sending) -> None:
    runner = await start()
    adapter = Adapter(runner)
    await sending(runner, adapter)
    commit, lost = runner.store.commit_and_begin, []

    async def forgetful(partition, previous, offset, effects, ids, now):
        answer = await commit(partition, previous, offset, effects, ids, now)
        if ids and not lost:
            lost.extend(ids)
            raise StoreError("the answer was lost", retry=True)
        return answer

    runner.store.commit_and_begin = forgetful
    await runner.ingest([hello()])
    async with asyncio.timeout(10):
        await sent(runner)
    assert adapter.seen == lost
    assert len(lost) == 1
