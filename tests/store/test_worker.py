"""The store's threads."""

import asyncio
import threading

import pytest

from engine.store.worker import Worker


async def test_calls_are_made_in_order_on_one_thread():
    worker, seen = Worker("w"), []

    def note(n):
        seen.append((n, threading.current_thread().name))
        return n * n

    assert await asyncio.gather(*(worker.run(note, n) for n in range(50))) == [n * n for n in range(50)]
    assert seen == [(n, "w") for n in range(50)]
    worker.close()


async def test_an_error_is_the_callers_and_the_thread_goes_on():
    worker = Worker("w")
    with pytest.raises(ZeroDivisionError):
        await worker.run(lambda: 1 // 0)
    assert await worker.run(lambda: 7) == 7
    worker.close()


async def test_a_caller_that_went_away_stops_nothing():
    worker, gate, seen = Worker("w"), threading.Event(), []
    waiting = worker.run(gate.wait, 5.0)
    left = worker.run(seen.append, 1)
    left.cancel()
    gate.set()
    assert await waiting
    assert await worker.run(lambda: len(seen)) == 1
    worker.close()


async def test_the_end_waits_for_what_was_given_and_takes_nothing_more():
    worker, seen = Worker("w"), []
    for n in range(20):
        worker.run(seen.append, n)
    await asyncio.to_thread(worker.close)
    assert seen == list(range(20))
    with pytest.raises(RuntimeError, match="has ended"):
        worker.run(seen.append, 1)
    worker.close()


def test_a_loop_that_closed_is_not_told():
    worker, gate = Worker("w"), threading.Event()

    async def leave():
        worker.run(gate.wait, 5.0)

    asyncio.run(leave())
    gate.set()
    assert asyncio.run(asyncio.wait_for(again(worker), 5)) == 3
    worker.close()


async def again(worker):
    return await worker.run(lambda: 3)
