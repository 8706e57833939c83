"""The state is written down as of one instant while it changes, by a process that holds nothing of the server's."""

import asyncio
import os
import socket

import pytest

import engine
from engine.errors import StoreError
from engine.ingest.dedupe import Recent
from engine.pipeline import saving
from engine.pipeline.snapshot import Snapshot
from engine.pipeline.state import decode_checkpoint


def of(pieces, folder, large: bool = True) -> Snapshot:
    return Snapshot(pieces, large, folder, 7, 1.5)


@pytest.mark.parametrize("large", [False, True])
async def test_what_changes_afterwards_is_not_in_it(tmp_path, large) -> None:
    state = [b"as it was"]
    snapshot = of(lambda: iter(state), tmp_path, large)
    state[0] = b"changed"
    assert bytes(await snapshot.blob()) == b"as it was"
    assert os.listdir(tmp_path) == []


async def test_a_failed_one_is_told_and_may_be_tried_again(tmp_path) -> None:
    def pieces():
        yield b"a part"
        raise ValueError

    with pytest.raises(StoreError) as told:
        await of(pieces, tmp_path).blob()
    assert told.value.retry


async def test_where_no_process_can_be_made_it_is_written_on_the_spot(tmp_path, monkeypatch) -> None:
    def refused() -> int:
        raise OSError("no more processes")

    monkeypatch.setattr(os, "fork", refused)
    assert await of(lambda: [b"all of it"], tmp_path).blob() == b"all of it"


async def test_one_that_nobody_waits_for_any_more_ends(tmp_path) -> None:
    def pieces():
        while True:
            yield b"." * 1000

    snapshot = of(pieces, tmp_path)
    child = snapshot._pid
    waiting = asyncio.create_task(snapshot.blob())
    await asyncio.sleep(0.05)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


async def test_it_keeps_no_port_of_the_server(tmp_path) -> None:
    """Else a server killed meanwhile could not be started again before the writing ends."""
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]

    def pieces():
        while True:
            yield b"."

    snapshot = of(pieces, tmp_path)
    waiting = asyncio.create_task(snapshot.blob())
    await asyncio.sleep(0.1)
    listening.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
    waiting.cancel()


async def test_the_loop_does_not_write_down_the_state_of_a_thousand_people(start, hello) -> None:
    runner = await start()
    await runner.ingest([hello(n, f"d{n}") for n in range(1000)])
    await runner.flush(applied=True)
    snapshot = runner.saving._snapshot()
    assert snapshot._whole is None
    assert decode_checkpoint(await snapshot.blob()).state.people.keys() == runner.core.state.people.keys()


async def test_signals_are_decided_while_a_large_state_is_written(start, hello, kill, monkeypatch) -> None:
    """And a start from there gives what was there: the state as of the checkpoint, and what came after it."""
    monkeypatch.setattr(saving, "LARGE", 0)
    runner = await start()
    await runner.ingest([hello(1, "d1")])
    await runner.flush(applied=True)
    gate = asyncio.Event()
    whole = runner.store.save_checkpoint

    async def slow(*arguments: object) -> None:
        await gate.wait()
        await whole(*arguments)

    runner.store.save_checkpoint = slow
    runner.want_checkpoint()
    await runner.ingest([hello(2, "d2")])
    await runner.flush(applied=True)
    assert set(runner.core.state.people) == {"d1", "d2"}
    gate.set()
    await runner.saving.task
    offset, blob = await runner.store.load_checkpoint(0)
    saved = decode_checkpoint(blob)
    assert saved.state.offset == offset
    assert "d1" in saved.state.people
    recent = Recent.load(saved.recent, runner.core.sense.names)
    assert recent.admit([hello(1, "d1")], runner.clock.now()) == ([], 1)
    await kill(runner)
    again = await start(rules=None)
    assert set(again.core.state.people) == {"d1", "d2"}
    assert again.divergence == 0


async def test_another_version_writes_its_own_before_it_takes_traffic(start, hello, kill, monkeypatch) -> None:
    runner = await start()
    await runner.checkpoint()
    await runner.ingest([hello(1)])
    await runner.flush(applied=True)
    await kill(runner)
    monkeypatch.setattr(engine, "__version__", "another")
    again = await start(rules=None)
    offset, blob = await again.store.load_checkpoint(0)
    assert decode_checkpoint(blob).build == "another"
    assert offset == again.core.state.offset
