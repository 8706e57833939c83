"""How soon a server is ready again after kill -9, and how long a checkpoint keeps its event loop.

    python -m benchmarks.recovery [--devices 1000000] [--fences 100000] [--tail 100000]

A process fills a data folder the real way (see ``memory``), writes a checkpoint while signals keep coming, takes a tail
of further records and dies without a word. Then ``herenow serve`` is started on what it left, with the bytecode of its
modules at hand, as of any server that ran before. ``--keep DIR`` works in that folder and leaves it there; where it is
filled already only the start is measured.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from benchmarks import memory
from benchmarks.http_ingest import cpu, free_port, ready
from engine.author.project import read_bundle
from engine.clock import ManualClock
from engine.model.signal import Signal
from engine.pipeline.runner import Runner

BEAT = 0.001
ENVIRON = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


async def heartbeat(late: list[float]) -> None:
    """How late each beat came."""
    while True:
        began = time.perf_counter()
        await asyncio.sleep(BEAT)
        late.append(time.perf_counter() - began - BEAT)


async def stream(runner: Runner, clock: ManualClock, devices: int, done: asyncio.Event) -> int:
    """Signals in batches of a hundred, at about ten thousand a second, until told to stop."""
    sent = 0
    while not done.is_set():
        clock.set(time.time())
        await runner.ingest(memory.arrivals(sent * 100 % devices, 100, clock.now()))
        sent += 1
        await asyncio.sleep(0.01)
    return sent * 100


async def held(runner: Runner, clock: ManualClock, devices: int, write: bool) -> tuple[float, float, int]:
    """Longest hold of the loop (seconds) under signals, with a checkpoint or without; how long it took, and how many
    signals came meanwhile."""
    done, late = asyncio.Event(), list[float]()
    streaming = asyncio.create_task(stream(runner, clock, devices, done))
    await asyncio.sleep(0.5)
    beating = asyncio.create_task(heartbeat(late))
    began = time.perf_counter()
    if write:
        before = runner.saving.last
        runner.want_checkpoint()
        while runner.saving.last == before or runner.saving.task is None:
            await asyncio.sleep(0.01)
        await runner.saving.task
    else:
        await asyncio.sleep(3.0)
    took = time.perf_counter() - began
    beating.cancel()
    done.set()
    return max(late), took, await streaming


async def fill(folder: Path, args: argparse.Namespace) -> None:
    """Everything up to the kill."""
    clock = memory.Slow(time.time() - 60.0)
    runner = await memory.opened(folder, args.fences, clock)
    await runner.start()
    await runner.activate(read_bundle(runner.config))
    await memory.fill(runner, clock, args.devices)
    print(f"filled: {memory.resident() / 1e6:.0f} MB", flush=True)
    alone, _, _ = await held(runner, clock, args.devices, False)
    worst, took, sent = await held(runner, clock, args.devices, True)
    size = max((folder / "var" / "checkpoints").glob("*.ckpt")).stat().st_size
    print(f"checkpoint: {size / 1e6:.0f} MB in {took:.2f} s, {sent:,} signals meanwhile", flush=True)
    print(f"longest hold of the loop: {1000 * worst:.1f} ms ({1000 * alone:.1f} ms without a checkpoint)", flush=True)
    for at in range(0, args.tail, 1000):
        clock.set(time.time())
        signals: list[Signal] = memory.arrivals(at % args.devices, 1000, clock.now())
        await runner.ingest(signals)
    os._exit(9)


async def start(folder: Path) -> None:
    """The server on what is there."""
    port = free_port()
    command = [sys.executable, "-m", "engine.cli", "serve", "--config", str(folder / "config.toml")]
    with (folder / "log").open("a") as log:
        began = time.perf_counter()
        server = subprocess.Popen([*command, "--port", str(port)], stdout=log, stderr=log, env=ENVIRON)
        try:
            await ready(port, server, 0.01)
            took, busy = time.perf_counter() - began, cpu(server.pid)
            print(f"ready after {took:.2f} s ({busy:.2f} s of CPU)", flush=True)
        finally:
            server.kill()
            server.wait(10)


def main() -> None:
    """Fill in a process of its own, then start on what it left."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=1_000_000)
    parser.add_argument("--fences", type=int, default=100_000)
    parser.add_argument("--tail", type=int, default=100_000)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--fill", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.fill:
        uvloop.run(fill(args.fill, args))
    with tempfile.TemporaryDirectory() as made:
        folder = (args.keep or Path(made)) / "project"
        if not folder.exists():
            given = [f"--{name}={getattr(args, name)}" for name in ("devices", "fences", "tail")]
            filling = [sys.executable, "-m", "benchmarks.recovery", "--fill", str(folder), *given]
            subprocess.run(filling, env=ENVIRON, check=False)
        subprocess.run([sys.executable, "-c", "import engine.app, engine.cli.running"], env=ENVIRON, check=True)
        asyncio.run(start(folder))


if __name__ == "__main__":
    main()
