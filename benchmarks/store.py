"""How fast the embedded store journals and commits, next to a bare write + fdatasync of the same bytes, in one run.

python benchmarks/store.py [--folder DIR] [--seconds 1.0]
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from engine.clock import SystemClock
from engine.model.config import Retention
from engine.model.moment import Decision, Effects, Message, Moment, Notification
from engine.model.reason import Reason, Verdict
from engine.model.record import Genesis
from engine.model.runs import encode_records
from engine.model.signal import Cause, Signal
from engine.store.embedded import EmbeddedStore

SIZES = (1, 64, 256, 1024)


def signals(count: int) -> list[Signal]:
    """Fixes as phones send them."""
    return [
        Signal(
            f"device-{n % 5000}",
            1795508100.25 + n,
            (n * 0x9E3779B97F4A7C15) & (2**64 - 1),
            52.52 + n * 1e-6,
            13.405,
            12.5,
        )
        for n in range(count)
    ]


async def repeat(seconds: float, call: Callable[[], Awaitable[object]]) -> float:
    """Calls per second."""
    calls, begin = 0, time.perf_counter()
    while (spent := time.perf_counter() - begin) < seconds:
        await call()
        calls += 1
    return calls / spent


def bare(folder: Path, payload: bytes, seconds: float) -> float:
    """Writes per second of a program that does nothing else."""
    fd = os.open(folder / "bare", os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    sync = getattr(os, "fdatasync", os.fsync)
    calls, position, begin = 0, 0, time.perf_counter()
    while (spent := time.perf_counter() - begin) < seconds:
        position += os.pwrite(fd, payload, position)
        sync(fd)
        calls += 1
    os.close(fd)
    os.unlink(folder / "bare")
    return calls / spent


async def journal(store: EmbeddedStore, folder: Path, seconds: float) -> None:
    print(f"{'frame':>6} {'append rows/s':>14} {'µs CPU/row':>11} {'bare rows/s':>12} {'share':>6}")
    for size in SIZES:
        batch = signals(size)
        plain = bare(folder, encode_records(list(batch)), seconds / 2) * size
        cpu = time.process_time()
        rate = await repeat(seconds, lambda batch=batch: store.append(0, batch, time.time())) * size
        cpu = (time.process_time() - cpu) / (rate * seconds) * 1e6
        plain = (plain + bare(folder, encode_records(list(batch)), seconds / 2) * size) / 2
        print(f"{size:>6} {rate:>14,.0f} {cpu:>11.2f} {plain:>12,.0f} {rate / plain:>6.0%}")


async def beside(store: EmbeddedStore, seconds: float) -> None:
    """An event loop that is never idle keeps the interpreter lock: how long does a frame of 256 take then?"""
    print(f"\n{'switch interval':>16} {'append p50 ms':>14} {'p99 ms':>8}   beside a busy loop")
    batch, before = signals(256), sys.getswitchinterval()

    async def busy() -> None:
        while True:
            sum(range(20_000))
            await asyncio.sleep(0)

    for interval in (before, 0.0005):
        sys.setswitchinterval(interval)
        task, took = asyncio.create_task(busy()), []

        async def one(took: list[float] = took) -> None:
            begin = time.perf_counter()
            await store.append(0, batch, time.time())
            took.append(time.perf_counter() - begin)

        await repeat(seconds, one)
        task.cancel()
        took.sort()
        print(f"{interval:>16} {took[len(took) // 2] * 1e3:>14.2f} {took[len(took) * 99 // 100] * 1e3:>8.2f}")
    sys.setswitchinterval(before)


async def scan(store: EmbeddedStore) -> None:
    begin, records = time.perf_counter(), 0
    async for frame in store.read(0):
        records += len(frame.records)
    spent = time.perf_counter() - begin
    print(f"\nread: {records:,} records at {records / spent:,.0f} records/s")


def effects(number: int, count: int) -> Effects:
    """So many moments, each with its notification."""
    made = Effects()
    for n in range(count):
        id, cause = f"mom_{number}_{n}", Cause(f"d{n}|cafe|enter|{number}", "enter", 1.0, fence="cafe")
        decision = Decision(Verdict.SEND, Reason.OK)
        made.moments.append(Moment(id, "hello", "r", f"p{n}", f"d{n}", cause, decision, 1.0, 900.0))
        message = Message("Welcome", "Good to see you", data={"offer": "flat-white-20"})
        made.notifications.append(
            Notification(
                f"ntf_{number}_{n}", id, "push", "hello", "r", f"p{n}", f"d{n}", cause, message, 1.0, 900.0, 900.0
            )
        )
    return made


async def commits(store: EmbeddedStore, seconds: float) -> None:
    print(f"\n{'moments':>8} {'commits/s':>10} {'moments/s':>10}")
    number = 0
    for count in (0, 1, 100):

        async def one(count: int = count) -> None:
            nonlocal number
            number += 1
            at = await store.committed(0)
            await store.commit(0, at, at + 1, effects(number, count))

        rate = await repeat(seconds, one)
        print(f"{count:>8} {rate:>10,.0f} {rate * count:>10,.0f}")


async def main(folder: Path, seconds: float) -> None:
    store = EmbeddedStore(folder / "data", Retention(), SystemClock())
    await store.open(Genesis("bench", "salt", 1))
    try:
        await journal(store, folder, seconds)
        await beside(store, seconds)
        await scan(store)
        await commits(store, seconds)
    finally:
        await store.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="where to write (default: a temporary folder here)")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder or Path.cwd()) as made:
        asyncio.run(main(Path(made), given.seconds))
