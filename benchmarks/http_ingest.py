"""Signals per core-second of the whole server, next to a bare aiohttp handler, in one run.

    python -m benchmarks.http_ingest [--fences 10000] [--rules 100] [--devices 10000]

Server CPU is read from the process (user + system), so a slow client or a noisy neighbour shows in wall time only.
"""

import argparse
import asyncio
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

from benchmarks import world

TICKS = os.sysconf("SC_CLK_TCK")


def cpu(pid: int) -> float:
    """User + system seconds of a process, all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


async def ready(port: int, process: subprocess.Popen[bytes]) -> None:
    async with aiohttp.ClientSession() as session:
        for _ in range(1200):
            try:
                async with session.get(f"http://127.0.0.1:{port}/readyz") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            if process.poll() is not None:
                break
            await asyncio.sleep(0.1)
    raise SystemExit("the server did not get ready")


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


async def run(args: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as tmp:
        port, bare_port = free_port(), free_port()
        config = world.write_project(Path(tmp) / "project", args.fences, args.rules, port)
        log = (Path(tmp) / "log").open("w")
        serve = [sys.executable, "-m", "engine.cli", "serve", "--config", str(config)]
        server = subprocess.Popen(serve, stdout=log, stderr=log)
        bare = subprocess.Popen([sys.executable, "-m", "benchmarks.bare", str(bare_port)])
        try:
            await ready(bare_port, bare)
            await ready(port, server)
            await compare(server.pid, bare.pid, port, bare_port, args)
        finally:
            server.terminate()
            bare.terminate()
            server.wait(30)
            bare.wait(10)


async def compare(pid: int, bare: int, port: int, bare_port: int, args: argparse.Namespace) -> None:
    signals = world.walk(args.devices)
    await post_all(port, world.bodies(signals, 2 * args.devices // 100, 100), 4)  # every device is where it is
    await stepped(port)
    print(f"{args.fences} fences, {args.rules} rules, {args.devices} devices, median of {args.runs} runs")
    print(f"{'':24}{'signals/core-s':>16}{'bare handler':>16}{'ratio':>8}{'signals/s wall':>16}")
    kinds = (("HTTP arrays of 100", 100, 4), ("WebSocket frames", 0, 8), ("single POSTs", 1, 64))
    for name, size, connections in kinds:
        rows = []
        for _ in range(args.runs):
            count = args.batches * 100 if size == 100 else args.singles
            bodies = world.bodies(signals, count // (size or 1), size or 1)
            send = post_all if size else stream_all

            async def work(send=send, bodies=bodies, connections=connections) -> None:  # type: ignore[no-untyped-def]
                await send(port, bodies, connections)
                await stepped(port)

            ours = await measure(pid, count, work)
            floor = await measure(bare, count, lambda: send(bare_port, bodies, connections))  # noqa: B023
            rows.append((ours[0], floor[0], ours[0] / floor[0], ours[1]))
        a, b, c, d = (statistics.median(column) for column in zip(*rows, strict=True))
        print(f"{name:24}{a:16,.0f}{b:16,.0f}{c:8.2f}{d:16,.0f}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fences", type=int, default=10_000)
    parser.add_argument("--rules", type=int, default=100)
    parser.add_argument("--devices", type=int, default=10_000)
    parser.add_argument("--batches", type=int, default=600)
    parser.add_argument("--singles", type=int, default=6_000)
    parser.add_argument("--runs", type=int, default=3)
    asyncio.run(run(parser.parse_args()))
