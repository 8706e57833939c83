"""Signals per second of ``herenow replay --diff``: two runs in lock step over a journal.

    python -m benchmarks.replay [--signals 300000] [--fences 1000] [--devices 2000]

First comes one run over a journal as the main benchmark's world leaves it (10,000 polygons, devices that report every
ten seconds, 100 rules, ticks as they fall due), with what reading and decoding alone takes of it: of many devices with
ten signals each, and of fewer with a hundred. One run
(``--estimate``) is measured beside the two as well, and what "why" costs on the same past: how long it takes, and the
longest time for which it kept the event loop.
"""

import argparse
import asyncio
import random
import tempfile
import time
from pathlib import Path

from benchmarks import world
from engine.author.config import load_config
from engine.author.project import read_bundle
from engine.cli.histories import Shelf
from engine.cli.replaying import Alone, Wanted, compared, estimate
from engine.clock import ManualClock, monotonic
from engine.ingest import signals as wire
from engine.ingest.dedupe import Recent
from engine.model.record import Genesis, ReleaseChange
from engine.model.signal import Signal
from engine.pipeline.core import Core
from engine.pipeline.releases import Releases
from engine.pipeline.replay import pass_time
from engine.pipeline.state import Checkpoint, encode_checkpoint
from engine.pipeline.why import Questions
from engine.store.embedded import EmbeddedStore
from engine.store.past import Past

START = 1_795_521_600.0
EACH = (10, 100)  # signals of each device: everybody's first are a fifth of a past, or a small part of it


def project(folder: Path, fences: int, least: int) -> Path:
    """Circles on a grid of 1 km, and rules over them."""
    (folder / "rules").mkdir(parents=True)
    (folder / "geofences").mkdir()
    side = int(fences**0.5) + 1
    features = ",".join(
        f'{{"type":"Feature","id":"f{n}","properties":{{"tags":["t{n % 10}"],"radius":150}},'
        f'"geometry":{{"type":"Point","coordinates":[{13 + n % side * 0.0147},{52 + n // side * 0.009}]}}}}'
        for n in range(fences)
    )
    (folder / "geofences" / "all.geojson").write_text(f'{{"type":"FeatureCollection","features":[{features}]}}')
    rules = "".join(
        f"  r{n}:\n    when:\n      enters: tag t{n}\n    only_if:\n      - context.level >= {least}\n    message:\n"
        f"      body: Hello\n"
        for n in range(10)
    )
    (folder / "rules" / "all.yaml").write_text(f"rules:\n{rules}")
    (folder / "config.toml").write_text('[decide]\nquiet_hours = "none"\n')
    return folder / "config.toml"


async def journal(config: Path, signals: int, devices: int, fences: int) -> None:
    """Devices that wander between the circles, written as a server writes them; a checkpoint in the middle."""
    settings = load_config(config, {})
    rng, side = random.Random(1), int(fences**0.5) + 1
    store = EmbeddedStore(Path(settings.paths.data), settings.retention, ManualClock(START))
    await store.open(Genesis("bench", "salt", 1))
    releases = Releases(store)
    bundle = read_bundle(settings)
    await releases.keep(bundle)
    await store.append(0, [ReleaseChange(bundle.hash)], START)
    where = [[rng.uniform(0, side * 0.0147), rng.uniform(0, side * 0.009)] for _ in range(devices)]
    core, now = Core(releases.versions), START
    core.step([frame async for frame in store.read(0)])
    for n in range(0, signals, 1000):
        now += 1.0
        batch = []
        for k in range(n, min(signals, n + 1000)):
            d = rng.randrange(devices)
            where[d][0] += rng.gauss(0, 0.0008)
            where[d][1] += rng.gauss(0, 0.0005)
            facts = {"level": rng.randrange(10)} if rng.random() < 0.05 else None  # it sticks for half an hour
            batch.append(Signal(f"d{d}", now, k, 52 + where[d][1], 13 + where[d][0], 20.0, context=facts))
        core.step([await store.append(0, batch, now)])
        if n == signals // 2000 * 1000:
            blob = encode_checkpoint(Checkpoint(core.state, core.sense.dump(), Recent().dump()))
            await store.save_checkpoint(0, core.state.offset, now, blob)
    await ask(store, releases, core, now)
    await store.close()


async def ask(store: EmbeddedStore, releases: Releases, core: Core, now: float) -> None:
    """One question about each of a few devices, with the longest stall of the loop meanwhile."""
    worst, done = 0.0, False

    async def watch() -> None:
        nonlocal worst
        while not done:
            began = monotonic()
            await asyncio.sleep(0.001)
            worst = max(worst, monotonic() - began - 0.001)

    watching = asyncio.create_task(watch())
    await asyncio.sleep(0.05)
    worst, began = 0.0, monotonic()
    for n in range(5):
        await Questions(store, releases).why(core.state, f"d{n}", None, now)
    took = (monotonic() - began) / 5
    done = True
    await watching
    print(f"why: {took * 1000:.0f} ms over {core.state.offset:,} records, loop kept {worst * 1000:.0f} ms at most")


async def record(config: Path, signals: int, devices: int) -> None:
    """What a server would have journaled: a hundred signals at a time, and the ticks that were due between them."""
    settings, now = load_config(config, {}), time.time()
    store = EmbeddedStore(Path(settings.paths.data), settings.retention, ManualClock(now))
    await store.open(Genesis("bench", "salt", 1))
    releases, bundle = Releases(store), read_bundle(settings)
    await releases.keep(bundle)
    core = Core(releases.versions)
    await store.append(0, [ReleaseChange(bundle.hash)], now)
    core.step([frame async for frame in store.read(0)])
    for body in world.bodies(world.walk(devices), signals // 100, 100):
        now += world.STEP * 100 / devices
        for frame, _ in pass_time(core, now):
            await store.append(0, frame.records, frame.received)
        decoded = wire.decode(body, "application/json", now, settings.limits, "warn", float("inf"))
        core.step([await store.append(0, decoded.signals, now)])
    await store.close()


def plain(folder: Path, signals: int, each: int) -> None:
    """One run over it; ``each``: signals of each device."""
    config = world.write_project(folder, 10_000, 100, 0)
    asyncio.run(record(config, signals, signals // each))
    settings = load_config(config, {})
    began = time.process_time()
    records = sum(len(frame.records) for frame in Past(Path(settings.paths.data)).frames())
    reading = time.process_time() - began
    run = Alone(Wanted(settings))  # compiles
    began = time.process_time()
    moments = sum(len(fx.moments) for fx in run.run("replay"))
    took = time.process_time() - began
    rate = f"{signals / took:,.0f} signals/s of CPU"
    print(f"replay, {each} signals a device: {rate} ({records:,} records, {moments:,} moments)", end="; ")
    print(f"reading and decoding alone {reading / signals * 1e6:.2f} of {took / signals * 1e6:.2f} us a signal")


def main() -> None:
    """Make a past, and replay it."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("signals", 300_000), ("fences", 1000), ("devices", 2000)):
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for each in EACH:
            plain(Path(folder) / f"plain-{each}", args.signals, each)
        config = project(Path(folder) / "old", args.fences, 5)
        new = load_config(project(Path(folder) / "new", args.fences, 4), {})
        asyncio.run(journal(config, args.signals, args.devices, args.fences))
        old = load_config(config, {})
        from msgspec.structs import replace

        files = replace(old, paths=replace(old.paths, rules=new.paths.rules))
        Shelf(None).put(read_bundle(files))  # imports and compiles once
        began = monotonic()
        told = compared(Wanted(files), old)
        took = monotonic() - began
        print(f"--diff: {args.signals / took:,.0f} signals/s ({took:.1f} s; {told.totals})")
        began = monotonic()
        estimate(Wanted(files))
        took = monotonic() - began
        print(f"--estimate: {args.signals / took:,.0f} signals/s ({took:.1f} s)")


if __name__ == "__main__":
    main()
