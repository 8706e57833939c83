"""Signals per core-second of the whole server, next to a bare aiohttp handler and to a plain baseline, in one run; and
where the time goes.

    python -m benchmarks.http_ingest [--fences 10000] [--rules 100] [--devices 10000] [--past 10]

Server CPU is read from the process (user + system, all its threads), so a slow client or a noisy neighbour shows in
wall time only. ``bare`` reads the body and answers; ``baseline`` is what one would write in an afternoon, without
durability, repeats, uncertainty or rules. The table of stages comes from a second server with a watch on each.
Devices have a past (``--past``: signals of each before anything is measured): what a server does once for a device, a
fence or a process is not what it costs to run it. ``--past 2`` shows the first seconds.
"""

import argparse
import asyncio
import functools
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp

from benchmarks import stages, world
from engine.hastening import compiled

TICKS = os.sysconf("SC_CLK_TCK")


def cpu(pid: int) -> float:
    """User + system seconds of a process, all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


async def ready(port: int, process: subprocess.Popen[bytes], pause: float = 0.1) -> None:
    async with aiohttp.ClientSession() as session:
        for _ in range(int(120 / pause)):
            try:
                async with session.get(f"http://127.0.0.1:{port}/readyz") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            if process.poll() is not None:
                break
            await asyncio.sleep(pause)
    raise SystemExit("the server did not get ready")


async def hastened(port: int) -> None:
    """Return when signals go by the compiled loops, where those are installed; a server is ready seconds before."""
    async with aiohttp.ClientSession() as session:
        while True:
            async with session.get(f"http://127.0.0.1:{port}/readyz") as answer:
                if (await answer.json())["loops"] != "coming":
                    return
            await asyncio.sleep(0.1)


async def post_all(port: int, bodies: list[bytes], connections: int) -> None:
    """Post every body once over that many connections."""
    queue = iter(bodies)
    headers = {"Content-Type": "application/json"}

    async def worker(session: aiohttp.ClientSession) -> None:
        for body in queue:
            async with session.post(f"http://127.0.0.1:{port}/v1/signals", data=body, headers=headers) as answer:
                if answer.status != 202:
                    raise SystemExit(f"{answer.status} {await answer.text()}")
                await answer.read()

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=connections)) as session:
        await asyncio.gather(*(worker(session) for _ in range(connections)))


async def stream_all(port: int, frames: list[bytes], connections: int) -> None:
    """Send every frame over WebSockets, up to 256 unacknowledged each."""
    parts = [frames[i::connections] for i in range(connections)]

    async def worker(session: aiohttp.ClientSession, part: list[bytes]) -> None:
        async with session.ws_connect(f"http://127.0.0.1:{port}/v1/ws") as ws:
            window, acked = asyncio.Semaphore(256), 0

            async def send() -> None:
                for seq, frame in enumerate(part, 1):
                    await window.acquire()
                    await ws.send_str(f'{{"seq":{seq},"signals":[{frame.decode()}]}}')

            sender = asyncio.create_task(send())
            while acked < len(part):
                told = await ws.receive_json()
                for _ in range(told["ack"] - acked):
                    window.release()
                acked = told["ack"]
            await sender

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(worker(session, part) for part in parts))


async def stepped(port: int) -> None:
    """Return when everything acknowledged has been decided too."""
    async with aiohttp.ClientSession() as session:
        while True:
            async with session.get(f"http://127.0.0.1:{port}/readyz") as answer:
                told = await answer.json()
                if told.get("queued", 0) == 0:
                    return
            await asyncio.sleep(0.02)


async def measure(pid: int, count: int, work: Callable[[], Awaitable[None]]) -> tuple[float, float]:
    """Signals per core-second and per wall second."""
    before, started = cpu(pid), time.perf_counter()
    await work()
    return count / max(1e-6, cpu(pid) - before), count / (time.perf_counter() - started)


class Servers:
    """The processes that are measured, on ports of their own."""

    def __init__(self, folder: Path, args: argparse.Namespace) -> None:
        self.ports = {name: free_port() for name in ("herenow", "watched", "bare", "baseline")}
        self.told = folder / "stages.json"
        configs = {
            name: world.write_project(folder / name, args.fences, args.rules, self.ports[name])
            for name in ("herenow", "watched")
        }
        fences = folder / "herenow" / "geofences" / "metro.geojson"
        self._log = (folder / "log").open("w")
        self.pids = {
            name: self._start(*arguments)
            for name, arguments in (
                ("herenow", ("engine.cli", "serve", "--config", configs["herenow"])),
                ("watched", ("benchmarks.stages", self.told, "--config", configs["watched"])),
                ("bare", ("benchmarks.bare", self.ports["bare"])),
                ("baseline", ("benchmarks.baseline", self.ports["baseline"], fences)),
            )
        }

    def _start(self, module: str, *arguments: object) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", module, *map(str, arguments)]
        return subprocess.Popen(command, stdout=self._log, stderr=self._log)

    async def ready(self) -> None:
        for name, process in self.pids.items():
            await ready(self.ports[name], process)
        for name in ("herenow", "watched"):
            await hastened(self.ports[name])

    def stop(self) -> None:
        for process in self.pids.values():
            process.terminate()
        for process in self.pids.values():
            process.wait(30)


KINDS = (("HTTP arrays of 100", 100, 64), ("WebSocket frames", 0, 64), ("single POSTs", 1, 64))
AGAINST = ("herenow", "bare", "baseline")


async def run(args: argparse.Namespace) -> None:
    await compiled()  # else servers begin without their loops
    with tempfile.TemporaryDirectory() as tmp:
        servers = Servers(Path(tmp), args)
        try:
            await servers.ready()
            await compare(servers, args)
        finally:
            servers.stop()


async def compare(servers: Servers, args: argparse.Namespace) -> None:
    signals = world.walk(args.devices)
    everyone = world.bodies(signals, args.past * args.devices // 100, 100)
    for name in ("herenow", "watched", "baseline"):
        await post_all(servers.ports[name], everyone, 4)
        await stepped(servers.ports[name])
    print(f"{args.fences} fences, {args.rules} rules, {args.devices} devices, median of {args.runs} runs")
    print("signals per second of one core (server CPU); ratios: ours to the bare handler, ours to the plain baseline")
    heads = ("connections", "herenow", "bare", "baseline", "/bare", "/baseline", "signals/s wall")
    print(f"{'':20}" + "".join(f"{head:>15}" for head in heads))
    spent: dict[str, list[dict[str, float]]] = {}
    for name, size, connections in KINDS:
        rows = []
        for _ in range(args.runs):
            count = {100: 100 * args.batches, 0: args.frames, 1: args.singles}[size]
            bodies = world.bodies(signals, count // (size or 1), size or 1)
            work = functools.partial(exchange, post_all if size else stream_all, bodies, connections)
            ours, bare, baseline = [
                await measure(servers.pids[who].pid, count, functools.partial(work, servers.ports[who]))
                for who in AGAINST
            ]
            rows.append((ours[0], bare[0], baseline[0], ours[0] / bare[0], ours[0] / baseline[0], ours[1]))
            before = stages.ask(servers.pids["watched"].pid, servers.told)
            await work(servers.ports["watched"])
            after = stages.ask(servers.pids["watched"].pid, servers.told)
            spent.setdefault(name, []).append({s: (after[s] - before[s]) / count * 1e6 for s in stages.STAGES})
        a, b, c, d, e, f = (statistics.median(column) for column in zip(*rows, strict=True))
        print(f"{name:20}{connections:15}{a:15,.0f}{b:15,.0f}{c:15,.0f}{d:15.2f}{e:15.2f}{f:15,.0f}", flush=True)
    table(spent)


async def exchange(send: Callable[..., Awaitable[None]], bodies: list[bytes], connections: int, port: int) -> None:
    """Send everything, and wait until it is decided."""
    await send(port, bodies, connections)
    await stepped(port)


def table(spent: dict[str, list[dict[str, float]]]) -> None:
    """Where the time goes."""
    print("\nCPU microseconds per signal and stage, measured in a server of its own (watching costs a little, too)")
    print(f"{'':20}" + "".join(f"{name:>22}" for name in spent))
    medians = {
        name: {s: statistics.median(run[s] for run in runs) for s in stages.STAGES} for name, runs in spent.items()
    }
    for stage in stages.STAGES:
        print(f"{stage:20}" + "".join(f"{column[stage]:22.2f}" for column in medians.values()))
    print(f"{'sum':20}" + "".join(f"{sum(column.values()):22.2f}" for column in medians.values()))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fences", type=int, default=10_000)
    parser.add_argument("--rules", type=int, default=100)
    parser.add_argument("--devices", type=int, default=10_000)
    parser.add_argument("--past", type=int, default=10)
    parser.add_argument("--batches", type=int, default=2_000)
    parser.add_argument("--frames", type=int, default=30_000)
    parser.add_argument("--singles", type=int, default=6_000)
    parser.add_argument("--runs", type=int, default=3)
    asyncio.run(run(parser.parse_args()))
