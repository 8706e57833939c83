"""How long the event loop of a server stands still while run-time fences come and go under load.

python -m benchmarks.fences_swap [--fences 100000]

A server in this process takes batches of signals from another process while a third one uploads fences. A heartbeat in
the server's loop notes how late it is woken: the longest delay is the longest pause of the signal path. ``pause`` is
what this process itself was computing in such a delay, ``wall`` all of it (on a busy machine others take their share
too). The client notes how long acknowledgements took.
"""

import argparse
import asyncio
import json
import multiprocessing
import tempfile
import time
import urllib.request
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.sense import EAST, NORTH, SOUTH, WEST, metro
from engine.app import Server, open_server
from engine.author.config import load_config
from engine.author.outgoing import feature_of
from engine.pipeline.undisturbed import settled

CONFIG = """
[server]
port = 0
[decide]
quiet_hours = "none"
[guard]
sends_per_minute = 1000000
[channels.nowhere]
adapter = "inbox"
"""
RULE = "rules:\n  hello:\n    when:\n      enters: tag cafe\n    message:\n      body: Hi\n"
HALL = {
    "type": "Feature",
    "id": "hall",
    "geometry": {"type": "Point", "coordinates": [13.4, 53.5]},
    "properties": {"radius": 100, "tags": ["cafe"]},
}
BEAT = 0.001


def call(url: str, method: str, path: str, body: Any) -> tuple[float, Any]:
    """Seconds, and the answer."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(url + path, data, {"Content-Type": "application/json"}, method=method)
    start = time.perf_counter()
    with urllib.request.urlopen(request, timeout=600) as answer:
        told = json.loads(answer.read())
    return time.perf_counter() - start, told


def collection(count: int, seed: int) -> bytes:
    """GeoJSON with so many polygons of 20 vertices."""
    features = [feature_of(fence) for fence in metro(count, seed)]
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()


def client(url: str, pipe: Connection) -> None:
    """Post batches of 100 signals until told to stop; each question is answered with the latencies since the last."""
    rng, seen = np.random.default_rng(5), []
    for n in range(10**9):
        lat, lon = rng.uniform(SOUTH, NORTH, 100), rng.uniform(WEST, EAST, 100)
        rows = zip(range(100), lat.tolist(), lon.tolist(), strict=True)
        batch = [{"device": f"d{n % 100}-{k}", "lat": y, "lon": x, "accuracy": 20} for k, y, x in rows]
        seen.append(call(url, "POST", "/v1/signals", batch)[0])
        time.sleep(0.02)
        if pipe.poll():
            if pipe.recv() == "stop":
                return
            pipe.send(seen)
            seen = []


def uploads(url: str, pipe: Connection, count: int) -> None:
    """Carry out calls as they are told; a number for a body means so many fences drawn with that seed."""
    large = {seed: collection(count, seed) for seed in (1, 2)}
    pipe.send("ready")
    while (order := pipe.recv()) != "stop":
        method, path, body = order
        pipe.send(call(url, method, path, large[body] if isinstance(body, int) else body))


async def heartbeat(late: list[tuple[float, float]]) -> None:
    while True:
        start, busy = time.perf_counter(), time.process_time()
        await asyncio.sleep(BEAT)
        wall = time.perf_counter() - start - BEAT
        late.append((wall, min(wall, time.process_time() - busy)))


async def phase(
    name: str, order: tuple[str, str, Any] | None, late: list[tuple[float, float]], pipes: tuple[Any, Any]
) -> None:
    load, work = pipes
    late.clear()
    load.send("since")
    await asyncio.to_thread(load.recv)
    cpu, took = time.process_time(), 5.0
    if order is None:
        await asyncio.sleep(took)
    else:
        work.send(order)
        took, _ = await asyncio.to_thread(work.recv)
        await asyncio.sleep(1.0)  # what is given back afterwards counts too
    load.send("since")
    acks = np.array(await asyncio.to_thread(load.recv)) * 1000
    wall, own = np.array(late).T * 1000
    cpu = time.process_time() - cpu
    shown = (took, cpu, own.max(), np.percentile(own, 99), wall.max(), *np.percentile(acks, (50, 99)), acks.max())
    print(f"{name:34} " + " ".join(f"{value:9.2f}" for value in shown), flush=True)


async def run(server: Server, count: int) -> None:
    spawn = multiprocessing.get_context("spawn")
    ends = [spawn.Pipe() for _ in range(2)]
    workers = [
        spawn.Process(target=client, args=(server.url, ends[0][1]), daemon=True),
        spawn.Process(target=uploads, args=(server.url, ends[1][1], count), daemon=True),
    ]
    for worker in workers:
        worker.start()
    pipes = (ends[0][0], ends[1][0])
    await asyncio.to_thread(pipes[1].recv)
    late: list[tuple[float, float]] = []
    beating = asyncio.create_task(heartbeat(late))
    heads = ("took s", "CPU s", "pause max", "p99 ms", "wall max", "ack p50", "p99", "max ms")
    print(f"{'':34} " + " ".join(f"{head:>9}" for head in heads))
    one = HALL | {"id": "one", "geometry": {"type": "Point", "coordinates": [13.3, 52.5]}}
    await phase("signals alone", None, late, pipes)
    await phase(f"bulk of {count}", ("POST", "/v1/geofences", 1), late, pipes)
    await phase("one fence put among them", ("PUT", "/v1/geofences/one", one), late, pipes)
    await phase("one fence deleted", ("DELETE", "/v1/geofences/one", b""), late, pipes)
    await phase(f"all replaced by {count} others", ("PUT", "/v1/geofences", 2), late, pipes)
    nothing = {"type": "FeatureCollection", "features": []}
    await phase("all taken away", ("PUT", "/v1/geofences", nothing), late, pipes)
    beating.cancel()
    for pipe, worker in zip(pipes, workers, strict=True):
        pipe.send("stop")
        await asyncio.to_thread(worker.join, 10)


async def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        for name in ("rules", "geofences"):
            (project / name).mkdir()
        (project / "rules" / "all.yaml").write_text(RULE)
        (project / "geofences" / "hall.geojson").write_text(json.dumps(HALL))
        (project / "config.toml").write_text(CONFIG)
        async with open_server(load_config(project / "config.toml", {}), {}) as server:
            await asyncio.sleep(0)
            while server.runner.loops == "coming":
                await asyncio.sleep(0.1)
            with settled():  # as ``serve`` does
                await run(server, count)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fences", type=int, default=100_000)
    asyncio.run(main(parser.parse_args().fences))
