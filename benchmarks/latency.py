"""From the sending of a signal to the hand-off of its message to an adapter, at a steady pace.

    python -m benchmarks.latency [--rate 4000] [--seconds 20] [--fences 10000]

Frames of one signal each go over WebSockets at their appointed times; the wait is reckoned from those, so a server that
holds the sender up cannot hide it. One signal in a hundred is a newcomer in the middle of a fence where a rule greets.
The adapter is the in-app one, in a server process of its own, with a watch on it; both read the same monotonic clock.
Then single signals, with nothing else going on: each must be a batch of its own.
"""

import argparse
import asyncio
import gc
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import uvloop

from benchmarks import world
from benchmarks.http_ingest import cpu, free_port, post_all, ready, stepped

SOCKETS = 16
BURST = 4  # frames on one socket before the next one's turn
TURN = 0.001  # seconds between two turns of the sender
NEWCOMERS = 100  # every so many signals one
SINGLES = 50
PAUSE = 0.05


def serve() -> None:
    """The server, with a watch on hand-offs and on the sizes of journal appends; both are told on SIGUSR1."""
    from adapters.inbox import Inbox
    from engine.cli.main import main as command
    from engine.store.journal import SegmentedJournal

    file, sizes = Path(sys.argv[2]), list[int]()
    handed: dict[str, float] = {}
    send, append = Inbox.send, SegmentedJournal.append

    async def watched(self: Any, notification: Any) -> Any:
        handed.setdefault(notification.device, time.monotonic())
        return await send(self, notification)

    def counted(self: Any, payload: bytes, check: int, count: int, received: float) -> Any:
        sizes.append(count)
        return append(self, payload, check, count, received)

    def tell(*_: Any) -> None:
        part = file.with_suffix(".part")
        part.write_text(json.dumps({"handed": handed, "sizes": sizes}))
        part.rename(file)
        handed.clear()
        sizes.clear()

    Inbox.send, SegmentedJournal.append = watched, counted  # type: ignore[method-assign]
    signal.signal(signal.SIGUSR1, tell)
    sys.argv = ["herenow", "serve", *sys.argv[3:]]
    command()


def told(pid: int, file: Path) -> dict[str, Any]:
    """What was handed off since the last time, and how large the appends were."""
    file.unlink(missing_ok=True)
    os.kill(pid, signal.SIGUSR1)
    while not file.exists():
        time.sleep(0.01)
    answer: dict[str, Any] = json.loads(file.read_text())
    return answer


def newcomers(fences: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Devices never seen before, each in the middle of a tagged fence."""
    tagged = [f["geometry"]["coordinates"][0][:-1] for f in fences["features"] if f["properties"]["tags"]]
    n = 0
    while True:
        ring = tagged[n % len(tagged)]
        lon, lat = (sum(point[k] for point in ring) / len(ring) for k in (0, 1))
        yield {"device": f"new-{n}", "at": time.time(), "lat": lat, "lon": lon, "accuracy": 10.0, "speed": 1.0}
        n += 1


async def paced(port: int, rate: float, signals: list[dict[str, Any]]) -> tuple[dict[str, float], float]:
    """Send so many a second; when each newcomer was to be sent (monotonic), and how late the sender itself was."""
    frames = [
        (
            one["device"] if one["device"].startswith("new-") else "",
            f'{{"seq":{n},"signals":[{json.dumps(one, separators=(",", ":"))}]}}',
        )
        for n, one in enumerate(signals, 1)
    ]
    appointed: dict[str, float] = {}
    async with aiohttp.ClientSession() as session:
        sockets = [await session.ws_connect(f"http://127.0.0.1:{port}/v1/ws") for _ in range(SOCKETS)]

        async def listen(ws: aiohttp.ClientWebSocketResponse) -> None:
            async for message in ws:
                if '"error"' in message.data:
                    raise SystemExit(message.data)

        listening = [asyncio.create_task(listen(ws)) for ws in sockets]
        gc.collect()
        gc.freeze()
        began, n, late = time.monotonic(), 0, 0.0
        while n < len(frames):
            now = time.monotonic()
            late = max(late, now - began - n / rate)
            while n < len(frames) and began + n / rate <= now:
                device, frame = frames[n]
                if device:
                    appointed[device] = began + n / rate
                await sockets[n // BURST % SOCKETS].send_str(frame)
                n += 1
            await asyncio.sleep(TURN)
        await asyncio.sleep(1.0)
        for task in listening:
            task.cancel()
        for ws in sockets:
            await ws.close()
    return appointed, late


def mixed(walk: Iterator[dict[str, Any]], new: Iterator[dict[str, Any]], count: float) -> list[dict[str, Any]]:
    """So many signals, newcomers among them."""
    return [next(walk) if n % NEWCOMERS else next(new) for n in range(int(count))]


def line(name: str, waits: list[float], missing: int) -> None:
    waits.sort()
    shown = [statistics.median(waits), waits[len(waits) * 9 // 10], waits[len(waits) * 99 // 100], waits[-1]]
    print(f"{name:28}{len(waits):8}{missing:9}" + "".join(f"{1000 * wait:9.2f}" for wait in shown), flush=True)


async def measure(port: int, process: subprocess.Popen[bytes], file: Path, args: argparse.Namespace) -> None:
    signals = world.walk(args.devices)
    await post_all(port, world.bodies(signals, 2 * args.devices // 100, 100), 4)
    await stepped(port)
    new = newcomers(world.fences(args.fences))
    await paced(port, args.rate, mixed(signals, new, args.rate * 3.0))  # warm
    await stepped(port)
    told(process.pid, file)
    print(f"{'':28}{'handed':>8}{'missing':>9}{'p50 ms':>9}{'p90':>9}{'p99':>9}{'max':>9}")
    sent = mixed(signals, new, args.rate * args.seconds)
    busy = cpu(process.pid)
    appointed, late = await paced(port, args.rate, sent)
    busy = (cpu(process.pid) - busy) / args.seconds
    seen = told(process.pid, file)
    waits = [seen["handed"][name] - at for name, at in appointed.items() if name in seen["handed"]]
    line(f"{args.rate:,.0f} signals/s", waits, len(appointed) - len(waits))
    sizes = seen["sizes"]
    print(f"  server CPU {busy:.2f} of a core; records per append: {statistics.mean(sizes):.1f}, at most {max(sizes)};")
    print(f"  the sender itself was late by {1000 * late:.1f} ms at most")
    waits, missing = [], 0
    async with aiohttp.ClientSession() as session:
        for _ in range(SINGLES):
            one = next(new)
            began = time.monotonic()
            async with session.post(f"http://127.0.0.1:{port}/v1/signals", json=one) as answer:
                assert answer.status == 202
            await asyncio.sleep(PAUSE)
            seen = told(process.pid, file)
            first = seen["sizes"][:1] == [1]  # what follows is the result of the sending
            missing += one["device"] not in seen["handed"] or not first
            waits += [seen["handed"][one["device"]] - began] if one["device"] in seen["handed"] else []
    line("one signal, idle", waits, missing)
    print(f"  {SINGLES - missing} of {SINGLES} were a batch of one")


async def run(args: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        port, file = free_port(), Path(folder) / "told.json"
        config = world.write_project(Path(folder) / "project", args.fences, args.rules, port, "cooldown = '0s'\n")
        log = (Path(folder) / "log").open("w")
        command = [sys.executable, "-m", "benchmarks.latency", "serve", str(file), "--config", str(config)]
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            await ready(port, process)
            await measure(port, process, file, args)
        finally:
            process.terminate()
            process.wait(30)


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve()
    else:
        parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
        parser.add_argument("--rate", type=float, default=4000.0)
        parser.add_argument("--seconds", type=float, default=20.0)
        parser.add_argument("--fences", type=int, default=10_000)
        parser.add_argument("--rules", type=int, default=100)
        parser.add_argument("--devices", type=int, default=10_000)
        uvloop.run(run(parser.parse_args()))
