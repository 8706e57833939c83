"""The live way: what is acknowledged, what a failing store may do, and what a stop leaves behind."""

import asyncio

import pytest
from msgspec.structs import replace

from engine.errors import StoreError
from engine.ingest.dedupe import Recent
from engine.model.moment import Effects
from engine.model.record import Attempt, Control, Tick
from engine.model.signal import Signal
from engine.pipeline import stepping
from engine.pipeline.runner import MAX_BATCH
from engine.pipeline.state import decode_checkpoint
from engine.ports import MomentQuery


async def soon(condition, seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


# ------------------------------------------------------------------ acknowledgements


async def test_who_waits_for_a_step_that_breaks_is_told(start, monkeypatch) -> None:
    runner = await start()

    def broken(frames):
        raise ValueError("boom")

    monkeypatch.setattr(runner.core, "step", broken)
    with pytest.raises(StoreError):
        await asyncio.wait_for(runner.submit([Tick()], applied=True), 5.0)


async def test_a_large_request_is_taken_in_parts_and_counted_whole(start, hello) -> None:
    runner = await start()
    many = [hello(n, f"d{n}") for n in range(MAX_BATCH + 10)]
    assert await runner.ingest([*many, many[0]]) == (MAX_BATCH + 10, 1)
    frames = [frame async for frame in runner.store.read(0, 1)]
    assert max(len(frame.records) for frame in frames) <= MAX_BATCH
    assert [r.id for frame in frames for r in frame.records if isinstance(r, Signal)] == [s.id for s in many]


async def test_who_sends_more_than_is_stepped_waits_for_the_answer(start, hello, monkeypatch) -> None:
    monkeypatch.setattr(stepping, "BEHIND", 3)
    monkeypatch.setattr(stepping, "PATIENCE", 3600.0)
    monkeypatch.setattr(stepping, "COMMIT_RETRY", 0.01)
    runner = await start()
    runner.store.full.add("commit")
    assert await runner.ingest([hello(n, f"d{n}") for n in range(4)]) == (4, 0)
    more = asyncio.create_task(runner.ingest([hello(9, "d9")]))
    assert (await asyncio.wait({more}, timeout=0.05))[1] == {more}
    runner.store.full.clear()
    assert await asyncio.wait_for(more, 5.0) == (1, 0)


async def test_signals_get_into_the_journal_though_commits_do_not_get_through(start, hello, monkeypatch) -> None:
    monkeypatch.setattr(stepping, "BEHIND", 3)
    monkeypatch.setattr(stepping, "PATIENCE", 0.01)
    runner = await start()
    runner.store.full.add("commit")
    assert await runner.ingest([hello(n, f"d{n}") for n in range(4)]) == (4, 0)
    assert await asyncio.wait_for(runner.ingest([hello(9, "d9")]), 5.0) == (1, 0)
    runner.store.full.clear()


async def test_a_large_request_that_fails_half_way_is_known_when_it_comes_again(start, hello) -> None:
    runner = await start()
    many = [hello(n, f"d{n}") for n in range(2 * MAX_BATCH)]
    append = runner.store.append
    appended: list[int] = []

    async def once(*given):
        appended.append(1)
        return await append(*given)

    async def fail():
        raise StoreError("cannot write")

    runner.store.append = lambda *given: fail() if appended else once(*given)
    with pytest.raises(StoreError):
        await runner.ingest(many)
    runner.store.append = append
    assert await runner.ingest(many) == (MAX_BATCH, MAX_BATCH)


async def test_a_repeat_is_not_acknowledged_when_the_append_of_its_first_fails(start, hello) -> None:
    runner = await start()
    store = runner.store
    store.gate.clear()
    store.begun.clear()
    first = asyncio.create_task(runner.ingest([hello()]))
    await store.begun.wait()
    repeat = asyncio.create_task(runner.ingest([hello()]))
    await asyncio.sleep(0.05)
    store.full = {"append"}
    store.gate.set()
    told = await asyncio.gather(first, repeat, return_exceptions=True)
    assert [type(answer) for answer in told] == [StoreError, StoreError]
    store.full = set()
    assert await runner.ingest([hello()]) == (1, 0)


async def test_a_repeat_that_comes_in_the_very_moment_of_a_failed_append_is_not_acknowledged(start, hello) -> None:
    runner = await start()
    repeats: list[asyncio.Task[tuple[int, int]]] = []
    whole = runner.store.append

    async def failing(*_: object) -> None:
        # The repeat is judged right behind the failure, before anybody that waits for the first is told of it.
        repeats.append(asyncio.ensure_future(runner.ingest([hello()])))
        runner.store.append = whole
        raise StoreError("cannot write")

    runner.store.append = failing
    with pytest.raises(StoreError):
        await runner.ingest([hello()])
    assert await repeats[0] == (1, 0)


async def test_what_waits_for_an_append_goes_with_it_and_a_failed_one_before_is_not_its_own(start, hello) -> None:
    runner = await start()
    store, answers = runner.store, []

    def wait_with(*names: int) -> None:
        for n in names:
            runner.before_append(lambda n=n: answers.append(runner.offer([hello(n)])))

    wait_with(1, 2)
    assert not answers
    await soon(lambda: len(answers) == 2)
    assert await asyncio.gather(*answers) == [(1, 0)] * 2
    assert [len(frame.records) async for frame in store.read(0, 1)][-1] == 2
    store.gate.clear()
    store.begun.clear()
    first = asyncio.create_task(runner.ingest([hello(3)]))
    await store.begun.wait()
    runner.before_append(store.full.clear)
    wait_with(3)
    store.full.add("append")
    store.gate.set()
    with pytest.raises(StoreError):
        await first
    await soon(lambda: len(answers) == 3)
    assert await answers[2] == (1, 0), "it was not judged by what did not get in"


async def test_who_asks_while_others_put_in_is_called_with_the_next_append(start) -> None:
    runner, called = await start(), []
    runner.before_append(lambda: runner.before_append(lambda: called.append(1)))
    await soon(lambda: called == [1])


async def test_what_waits_for_an_append_that_raises_stops_nobody(start, hello) -> None:
    runner = await start()
    runner.before_append(lambda: 1 / 0)
    assert await runner.ingest([hello(1)]) == (1, 0)


async def test_what_waits_for_an_append_that_never_comes_is_refused(start, hello) -> None:
    runner = await start()
    told = []

    def offer() -> None:
        with pytest.raises(StoreError) as refused:
            runner.offer([hello(1)])
        told.append(refused.value.problem)

    async def broken() -> None:
        runner.before_append(offer)
        raise ZeroDivisionError

    await runner._guarded(broken)
    runner.before_append(offer)
    await soon(lambda: len(told) == 2)
    assert told == ["the server is not ready"] * 2


async def test_what_became_of_a_send_is_journaled_before_signals_that_wait(start, hello) -> None:
    runner = await start()
    runner.store.gate.clear()
    runner.store.begun.clear()
    waiting = [asyncio.create_task(runner.ingest([hello(1)]))]
    await runner.store.begun.wait()
    waiting += [asyncio.create_task(runner.ingest([hello(n, f"d{n}")])) for n in (2, 3)]
    await asyncio.sleep(0)
    attempt = Attempt("ntf_1", "mom_1", "p", "inbox", 1, "sent", runner.clock.now())
    waiting.append(asyncio.create_task(runner.settle([attempt])))
    await asyncio.sleep(0)
    runner.store.gate.set()
    await asyncio.gather(*waiting)
    records = [record async for frame in runner.store.read(0, 1) for record in frame.records]
    told = [record.id if isinstance(record, Signal) else type(record) for record in records]
    assert told[-4:] == ["1", Attempt, "2", "3"]


async def test_a_checkpoint_does_not_know_signals_that_are_not_journaled_yet(start, hello) -> None:
    """Else a crash before their append would make the sender's second try a repeat of nothing."""
    runner = await start()
    await runner.ingest([hello(1)])
    runner.store.gate.clear()
    runner.store.begun.clear()
    under_way = asyncio.create_task(runner.ingest([hello(2)]))
    await runner.store.begun.wait()
    queued = asyncio.create_task(runner.ingest([hello(3)]))
    await asyncio.sleep(0.05)
    await runner.checkpoint()
    _, blob = await runner.store.load_checkpoint(0)
    recent = Recent.load(decode_checkpoint(blob).recent, runner.core.sense.names)
    fresh, _ = recent.admit([hello(1), hello(2), hello(3)], runner.clock.now())
    assert [signal.id for signal in fresh] == ["2", "3"]
    runner.store.gate.set()
    assert await under_way == (1, 0)
    assert await queued == (1, 0)
    assert await runner.ingest([hello(2), hello(3)]) == (0, 2), "they are recognised all the same"


# ------------------------------------------------------------------ a store that cannot


async def test_a_full_disk_while_stopping_holds_nobody_up_and_loses_no_moment(start, hello, kill) -> None:
    runner = await start()
    runner.store.full = {"commit"}
    await runner.ingest([hello()])
    await soon(lambda: "commit" in runner.health()["problems"])
    async with asyncio.timeout(15):
        await runner.close()
    await runner.store.close()
    again = await start(rules=None)
    rows = await again.store.rows()
    assert [row.notification.rule for row in rows] == ["hello"]
    assert again.divergence == 0


async def test_time_goes_on_when_the_queue_was_full(start, hello) -> None:
    runner = await start(queue=10)
    runner.store.gate.clear()
    signals = [asyncio.create_task(runner.ingest([hello(n) for n in range(10)]))]
    await asyncio.sleep(0.02)
    attempts = [Attempt("ntf_x", "mom_x", "d1", "console", n, "sent", 0.0) for n in range(3)]
    signals.append(asyncio.create_task(runner.submit(attempts)))
    await asyncio.sleep(0.02)
    runner.core.next_due = lambda: 1.0  # a timer is due while nothing more is taken
    runner._ticker.look()
    await asyncio.sleep(0.1)
    del runner.core.next_due
    runner.store.gate.set()
    await asyncio.gather(*signals)
    await runner.flush(applied=True)
    await runner.submit([Tick()], applied=True)
    assert runner.health()["ready"], runner.health()


async def test_ready_again_after_a_full_disk_though_nobody_sends(start, hello, monkeypatch) -> None:
    """A load balancer sends nothing to a server that is not ready: it must not take a signal to find out."""
    monkeypatch.setattr("engine.pipeline.appending.HALF_OPEN", 0.2)
    runner = await start()
    runner.store.full = {"append"}
    with pytest.raises(StoreError):
        await runner.ingest([hello()])
    assert not runner.health()["ready"]
    runner.store.full = set()
    await asyncio.sleep(0.3)
    assert runner.health()["ready"]


async def test_a_checkpoint_that_fails_is_told_tried_again_and_stops_nothing(start, hello, monkeypatch) -> None:
    monkeypatch.setattr("engine.pipeline.saving.RETRY", 0.1)
    runner = await start()
    runner.store.full = {"checkpoint"}
    runner.want_checkpoint()
    await soon(lambda: "checkpoint" in runner.health()["notes"])
    assert runner.health()["ready"]
    runner.store.full = set()
    await soon(lambda: "checkpoint" not in runner.health()["notes"])
    assert (await runner.store.load_checkpoint(0))[0] == runner.core.state.offset


async def test_a_record_that_cannot_be_written_does_not_stop_the_server(start, hello) -> None:
    runner = await start()
    with pytest.raises(StoreError):
        await runner.ingest([hello(1, context={"n": 2**70})])
    assert await runner.ingest([hello(2)]) == (1, 0)
    assert runner.health()["ready"]


# ------------------------------------------------------------------ starting again


async def test_a_start_without_the_state_that_the_journal_no_longer_holds_is_refused(start, hello, kill) -> None:
    """Profiles, consent and limits live in the state: a server that forgot them would send against them."""
    runner = await start()
    for n in range(3):
        await runner.ingest([hello(n)])
        await runner.store._run(runner.store._journal_thread, runner.store._journal.roll)
    runner.store._journal.segments = runner.store._journal.segments[1:]
    for path in sorted((runner.store.folder / "journal").glob("*.seg"))[:1]:
        path.unlink()
    await kill(runner)
    with pytest.raises(StoreError, match="no state as of that record"):
        await start(rules=None)


async def test_what_replay_gives_and_the_store_does_not_have_is_counted_and_not_sent(start, hello, kill) -> None:
    runner = await start()
    await runner.ingest([hello()])
    await runner.flush(applied=True)
    sql = runner.store._db.sql
    sql.execute("DELETE FROM moments")
    sql.execute("DELETE FROM outbox")
    await kill(runner)
    again = await start(rules=None)
    assert again.divergence == 1
    assert await again.store.rows() == []


async def test_what_the_store_has_and_replay_does_not_give_is_counted(start, hello, kill) -> None:
    runner = await start()
    await runner.ingest([hello()])
    await runner.flush(applied=True)
    (stored,) = await runner.store.moments(MomentQuery())
    end = await runner.store.committed(0)
    await runner.store.commit(0, end, end, Effects(moments=[replace(stored.moment, id="mom_nobody_decided")]))
    await kill(runner)
    again = await start(rules=None)
    assert again.divergence == 1
    await again.close()


async def test_why_in_whole_seconds_means_all_of_that_second(start, hello) -> None:
    runner = await start()
    await runner.ingest([hello()])
    await runner.flush(applied=True)
    received = runner.core.state.received
    asked = await runner.why("d1", at=float(int(received)))
    assert [line["rule"] for line in asked["findings"]] == ["hello"]
    assert (await runner.why("d1", at=received - 1.001))["findings"] == []


async def test_applied_is_answered_once_the_effects_hold_and_not_before(start) -> None:
    runner = await start()
    commit, gate = runner.store.commit_and_begin, asyncio.Event()

    async def slow(*args):
        await gate.wait()
        return await commit(*args)

    runner.store.commit_and_begin = slow
    pause = asyncio.create_task(runner.submit([Control("pause", "all")], applied=True))
    await asyncio.sleep(0.1)
    assert not pause.done()
    gate.set()
    await pause
    held = runner.store._db.sql.execute("SELECT scope FROM holds").fetchall()
    assert held == [("all",)]


async def test_a_clock_that_was_set_back_is_told(start, hello) -> None:
    runner = await start()
    await runner.ingest([hello()])
    await runner.flush(applied=True)
    assert "clock" not in runner.health()["notes"]
    runner.core.state.received += 600.0
    assert "is 6" in runner.health()["notes"]["clock"]
