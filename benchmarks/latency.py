"""From the sending of a signal to the hand-off of its message to an adapter, at a steady pace; and what holds it.

    python -m benchmarks.latency [--rate 4000] [--seconds 10] [--fences 10000] [--shape frames|arrays|posts]

Signals go at their appointed times, in three shapes: WebSocket frames of one signal each, HTTP arrays of 20, and single
POSTs. The wait is reckoned from the appointed time, so a server that holds the sender up cannot hide it (what the
sender alone is late by is the first line of the breakdown: it shares the machine with the server). One signal in
a hundred is a newcomer in the middle of a fence where a rule greets. The adapter is the in-app one, in a server process
of its own, with a watch on the way (``benchmarks.way``); both processes read the same monotonic clock. Then single
signals, with nothing else going on: each must be a batch of its own.
"""

import argparse
import asyncio
import gc
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import uvloop

from benchmarks import way, world
from benchmarks.http_ingest import cpu, free_port, hastened, post_all, ready, stepped
from engine.hastening import compiled

SOCKETS = 16
BURST = 4  # frames on one socket before the next one's turn
TURN = 0.001  # seconds between two turns of the sender
ARRAY = 20
NEWCOMERS = 100  # every so many signals one
SINGLES = 50
PAUSE = 0.05

Send = Callable[[bytes], None]


def newcomers(fences: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Devices never seen before, each in the middle of a tagged fence."""
    tagged = [f["geometry"]["coordinates"][0][:-1] for f in fences["features"] if f["properties"]["tags"]]
    n = 0
    while True:
        ring = tagged[n % len(tagged)]
        lon, lat = (sum(point[k] for point in ring) / len(ring) for k in (0, 1))
        yield {"device": f"{way.NEW}{n}", "at": time.time(), "lat": lat, "lon": lon, "accuracy": 10.0, "speed": 1.0}
        n += 1


def mixed(walk: Iterator[dict[str, Any]], new: Iterator[dict[str, Any]], count: float) -> list[dict[str, Any]]:
    """So many signals, newcomers among them."""
    return [next(walk) if n % NEWCOMERS else next(new) for n in range(int(count))]


class Frames:
    """WebSocket frames, over a few sockets in turn."""

    size = 1

    def body(self, n: int, signals: list[dict[str, Any]]) -> bytes:
        """What is sent of them."""
        return f'{{"seq":{n + 1},"signals":{json.dumps(signals, separators=(",", ":"))}}}'.encode()

    async def open(self, port: int) -> None:
        """Connect."""
        self._session, self._sent = aiohttp.ClientSession(), 0
        self._sockets = [await self._session.ws_connect(f"http://127.0.0.1:{port}/v1/ws") for _ in range(SOCKETS)]
        self._listening = [asyncio.create_task(self._listen(ws)) for ws in self._sockets]

    async def _listen(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        async for message in ws:
            if '"error"' in message.data:
                raise SystemExit(message.data)

    async def send(self, body: bytes) -> None:
        """Without waiting for the answer."""
        await self._sockets[self._sent // BURST % SOCKETS].send_str(body.decode())
        self._sent += 1

    async def close(self) -> None:
        """Disconnect."""
        for task in self._listening:
            task.cancel()
        await self._session.close()


class _Connection(asyncio.Protocol):
    """HTTP in its barest form: the sender shares the machine with the server, and should take little of it."""

    def __init__(self, free: deque["_Connection"], waiting: deque[bytes]) -> None:
        self._free, self._waiting = free, waiting

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self._free.append(self)

    def data_received(self, data: bytes) -> None:
        if not data.startswith(b"HTTP/1.1 202"):
            raise SystemExit(data.decode())
        if self._waiting:
            self.transport.write(self._waiting.popleft())
        else:
            self._free.append(self)


class Posts:
    """HTTP requests of ``size`` signals, over connections that are kept open."""

    def __init__(self, size: int, connections: int) -> None:
        self.size, self._connections = size, connections

    def body(self, _: int, signals: list[dict[str, Any]]) -> bytes:
        """What is sent of them."""
        body = json.dumps(signals if self.size > 1 else signals[0], separators=(",", ":")).encode()
        head = "POST /v1/signals HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body

    async def open(self, port: int) -> None:
        """Connect."""
        self._free, self._waiting = deque[_Connection](), deque[bytes]()
        loop = asyncio.get_running_loop()
        for _ in range(self._connections):
            await loop.create_connection(lambda: _Connection(self._free, self._waiting), "127.0.0.1", port)

    async def send(self, body: bytes) -> None:
        """Without waiting for the answer; where no connection is free, the next one that is takes it."""
        if self._free:
            self._free.popleft().transport.write(body)
        else:
            self._waiting.append(body)

    async def close(self) -> None:
        """Disconnect."""
        for connection in self._free:
            connection.transport.close()


Shape = Frames | Posts
SHAPES: dict[str, tuple[str, Shape]] = {
    "frames": ("WebSocket frames of one", Frames()),
    "arrays": (f"HTTP arrays of {ARRAY}", Posts(ARRAY, 16)),
    "posts": ("single POSTs", Posts(1, 128)),
}


Times = dict[str, float]  # by device


async def paced(port: int, rate: float, signals: list[dict[str, Any]], shape: Shape) -> tuple[Times, Times]:
    """Send so many a second; when each newcomer was to be sent (monotonic), and when it was."""
    groups = [signals[at : at + shape.size] for at in range(0, len(signals), shape.size)]
    bodies = [shape.body(n, group) for n, group in enumerate(groups)]
    new = [[one["device"] for one in group if one["device"].startswith(way.NEW)] for group in groups]
    every = shape.size / rate
    appointed: Times = {}
    sent: Times = {}
    await shape.open(port)
    gc.collect()
    gc.freeze()
    began, n = time.monotonic(), 0
    while n < len(bodies):
        now = time.monotonic()
        while n < len(bodies) and began + n * every <= now:
            for device in new[n]:
                appointed[device], sent[device] = began + n * every, time.monotonic()
            await shape.send(bodies[n])
            n += 1
        await asyncio.sleep(TURN)
    await asyncio.sleep(1.0)
    await shape.close()
    return appointed, sent


def line(name: str, waits: list[float], missing: int | str = "") -> None:
    """One row of the table."""
    waits.sort()
    shown = [statistics.median(waits), waits[len(waits) * 9 // 10], waits[len(waits) * 99 // 100], waits[-1]]
    print(f"{name:28}{len(waits):8}{missing:>9}" + "".join(f"{1000 * wait:9.2f}" for wait in shown), flush=True)


def breakdown(passed: dict[str, Times], appointed: Times, sent: Times) -> None:
    """From post to post: what each part of the way took."""
    line("    sent", [at - appointed[name] for name, at in sent.items()])
    before = sent
    for post in way.POSTS:
        there = {name: posts[post] for name, posts in passed.items() if post in posts}
        line(f"    {post}", [at - before[name] for name, at in there.items() if name in before])
        before = there


async def measure(port: int, process: "subprocess.Popen[bytes]", file: Path, args: argparse.Namespace) -> None:
    """Every shape, then one signal at a time."""
    signals, new = world.walk(args.devices), newcomers(world.fences(args.fences))
    await post_all(port, world.bodies(signals, 2 * args.devices // 100, 100), 4)
    await stepped(port)
    await paced(port, args.rate, mixed(signals, new, args.rate * 3.0), SHAPES["frames"][1])  # warm
    print(f"{'':28}{'handed':>8}{'missing':>9}{'p50 ms':>9}{'p90':>9}{'p99':>9}{'max':>9}")
    for name in args.shape or SHAPES:
        await stepped(port)
        way.ask(process, file)
        mix = mixed(signals, new, args.rate * args.seconds)
        title, shape = SHAPES[name]
        busy = cpu(process.pid)
        appointed, sent = await paced(port, args.rate, mix, shape)
        busy = (cpu(process.pid) - busy) / args.seconds
        told = way.ask(process, file)
        passed = {device: posts for device, posts in told["passed"].items() if device in appointed}
        waits = [posts["handed off"] - appointed[device] for device, posts in passed.items() if "handed off" in posts]
        line(f"{title}, {args.rate:,.0f}/s", waits, len(appointed) - len(waits))
        breakdown(passed, appointed, sent)
        line("  the loop's own lateness", told["late"])
        line("  the collector's pauses", told["collected"])
        sizes = told["sizes"]
        print(
            f"  server CPU {busy:.2f} of a core; {statistics.mean(sizes):.1f} records an append, {max(sizes)} at most"
        )
    await idle(port, new, lambda: way.ask(process, file))


async def idle(port: int, new: Iterator[dict[str, Any]], ask: Callable[[], dict[str, Any]]) -> None:
    """One signal at a time."""
    waits, missing = [], 0
    passed: dict[str, Times] = {}
    appointed: Times = {}
    shape = SHAPES["posts"][1]
    await shape.open(port)
    for _ in range(SINGLES):
        one = next(new)
        appointed[one["device"]] = time.monotonic()
        await shape.send(shape.body(0, [one]))
        await asyncio.sleep(PAUSE)
        told = ask()
        passed |= told["passed"]
        first = told["sizes"][:1] == [1]  # what follows is the result of the sending
        missing += "handed off" not in told["passed"].get(one["device"], {}) or not first
    waits = [posts["handed off"] - appointed[device] for device, posts in passed.items() if "handed off" in posts]
    line("one signal, idle", waits, missing)
    breakdown(passed, appointed, appointed)
    print(f"  {SINGLES - missing} of {SINGLES} were a batch of one")


async def run(args: argparse.Namespace) -> None:
    """A server, and the measurement."""
    await compiled()  # else it begins without its loops
    with tempfile.TemporaryDirectory() as folder:
        port, file = free_port(), Path(folder) / "told.json"
        config = world.write_project(Path(folder) / "project", args.fences, args.rules, port, "cooldown = '0s'\n")
        log = (Path(folder) / "log").open("w")
        command = [sys.executable, "-m", "benchmarks.way", str(file), "--config", str(config)]
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            await ready(port, process)
            await hastened(port)
            await measure(port, process, file, args)
        finally:
            process.terminate()
            process.wait(30)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=4000.0)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--fences", type=int, default=10_000)
    parser.add_argument("--rules", type=int, default=100)
    parser.add_argument("--devices", type=int, default=10_000)
    parser.add_argument("--shape", action="append", choices=SHAPES)
    uvloop.run(run(parser.parse_args()))
