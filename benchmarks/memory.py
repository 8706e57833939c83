"""Resident memory of a server's core with many devices and fences, by part.

    python -m benchmarks.memory [--devices 1000000] [--fences 100000]

Everything goes the real way but HTTP: the files through ``author``, the signals through the runner (journal, core,
commit). One device in twenty is inside a fence, the others are between them: idle, with a place and the keys of their
last signals.
"""

import argparse
import asyncio
import gc
import os
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks import world
from engine.author.config import load_config
from engine.author.project import read_bundle
from engine.clock import ManualClock
from engine.model.signal import Signal
from engine.pipeline import heap
from engine.pipeline.runner import Runner
from engine.store.embedded import EmbeddedStore

INSIDE = 0.05
OVER_A_POINT = 1.8  # fences of ``world`` over each point
BATCH = 1000
GOALS = {"fences": 2048, "devices": 250}  # bytes each
PAGE = os.sysconf("SC_PAGE_SIZE")


def resident() -> int:
    """Bytes of this process in memory."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


class Slow(ManualClock):
    """Does not hurry to the next timer: time is what the signals say."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0.05)


async def opened(folder: Path, fences: int, clock: ManualClock) -> Runner:
    """A runner over a project with so many fences and a hundred rules."""
    config = load_config(world.write_project(folder, fences, 100, 0), {})
    return Runner(config, EmbeddedStore(Path(config.paths.data), config.retention, clock), clock)


async def fill(runner: Runner, clock: ManualClock, devices: int) -> None:
    """A fix of every device."""
    for at in range(0, devices, 20 * BATCH):
        signals = arrivals(at, min(20 * BATCH, devices - at), clock.now())
        for part in range(0, len(signals), BATCH):
            clock.set(clock.now() + 0.01)
            await runner.ingest(signals[part : part + BATCH])
        await runner.flush(applied=True)


def arrivals(first: int, count: int, now: float) -> list[Signal]:
    """A fix of each of these devices (``first`` a multiple of a hundred), where it always is but for some metres; so
    thinly spread that few are inside a fence."""
    reach, found = world.HALF_KM * (OVER_A_POINT / INSIDE) ** 0.5, []
    for block in range(first, first + count, 100):
        rng = np.random.default_rng(block)
        lat, lon = world.LAT + rng.uniform(-reach, reach, 100) * world.LAT_KM, rng.uniform(-reach, reach, 100)
        lat += np.random.default_rng(int(now)).normal(0.0, 0.005, 100) * world.LAT_KM
        columns = zip(lat.tolist(), (world.LON + lon * world.LON_KM).tolist(), strict=True)
        found += [
            Signal(f"device-{block + k:07}", now, (int(now * 1e6) << 8) + k, lat=y, lon=x, accuracy=5.0 + k % 16)
            for k, (y, x) in enumerate(columns)
        ]
    return found[:count]


def parts(runner: Runner) -> dict[str, int]:
    """Bytes that the parts of a device's state hold, by their own account."""
    sense, recent = runner.core.sense, runner.recent
    columns = sum(getattr(sense._devices, name).nbytes for name in sense._devices.columns)
    stays = sum(getattr(sense._stays, name).nbytes for name in sense._stays.columns)
    names = sense._devices.names.nbytes()
    return {"columns": columns, "stays": stays, "names": names, "repeats": recent.size()}


async def main(args: argparse.Namespace) -> None:
    """Fill it, and print what each part takes."""
    heap.keep_large_blocks_apart()  # as the server does
    clock = Slow(time.time())
    with tempfile.TemporaryDirectory() as folder:
        runner = await opened(Path(folder) / "project", args.fences, clock)
        await runner.start()
        steps = [("started", 1, resident())]
        await runner.activate(read_bundle(runner.config))
        steps.append(("fences", args.fences, resident()))
        began = time.process_time()
        await fill(runner, clock, args.devices)
        took = time.process_time() - began
        steps.append(("devices", args.devices, resident()))
        print(f"{'':12}{'MB':>8}{'more':>8}{'bytes each':>12}{'goal':>8}")
        before = 0
        for name, count, now in steps:
            each, goal = ("", "") if count == 1 else (f"{(now - before) / count:,.0f}", f"{GOALS[name]:,}")
            print(f"{name:12}{now / 1e6:8.0f}{(now - before) / 1e6:8.0f}{each:>12}{goal:>8}")
            before = now
        people = len(runner.core.state.people)
        print(f"{people:,} people have a history; {took / args.devices * 1e6:.1f} us of CPU per new device")
        told = ", ".join(f"{name} {size / args.devices:.0f}" for name, size in parts(runner).items())
        print(f"bytes per device, by part: {told}")
        await runner.close()
        await runner.store.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=1_000_000)
    parser.add_argument("--fences", type=int, default=100_000)
    asyncio.run(main(parser.parse_args()))
