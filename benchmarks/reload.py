"""How long the event loop of a server stands still while a large folder of rules is loaded again under load.

python -m benchmarks.reload [--rules 10000]

A server in this process takes batches of signals from another process; its rule files change, and it takes them as it
always does: read, judged and compiled beside the loop, put in force between two records. A heartbeat in the loop notes
how late it is woken, as in ``benchmarks.fences_swap``: ``pause`` is what this process itself computed in such a delay
(in any thread), ``wall`` all of it.
"""

import argparse
import asyncio
import multiprocessing
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.check import PER_FILE, rule, write_project
from benchmarks.fences_swap import CONFIG, client, heartbeat
from engine.app import Server, open_server
from engine.author.config import load_config

LONGEST = 100.0  # seconds that a change may take to be in force


def rewrite(folder: Path, count: int, words: str) -> None:
    """The first ``count`` rules say something else."""
    for start in range(0, count, PER_FILE):
        text = "".join(rule(n).replace("Campaign", words) for n in range(start, start + PER_FILE))
        file = folder / "rules" / f"r{start // PER_FILE:04}.yaml"
        file.with_suffix(".new").write_text(f"rules:\n{text}")
        file.with_suffix(".new").replace(file)


async def in_force(server: Server, before: str) -> None:
    """Wait until another release is."""
    async with asyncio.timeout(LONGEST):
        while server.runner.core.state.release == before:
            await asyncio.sleep(0.01)


async def phase(server: Server, name: str, change: Any, late: list[tuple[float, float]], load: Any) -> None:
    """Change the files, and print how the loop fared until they were in force and what was before was given back."""
    late.clear()
    load.send("since")
    await asyncio.to_thread(load.recv)
    before, start, cpu = server.runner.core.state.release, time.perf_counter(), time.process_time()
    if change is None:
        await asyncio.sleep(5.0)
    else:
        await asyncio.to_thread(change)
        await in_force(server, before)
    took = time.perf_counter() - start
    await asyncio.sleep(1.0)
    load.send("since")
    acks = np.array(await asyncio.to_thread(load.recv)) * 1000
    wall, own = np.array(late).T * 1000
    shown = (took, time.process_time() - cpu, own.max(), np.percentile(own, 99), wall.max())
    shown = (*shown, *np.percentile(acks, (50, 99)), acks.max())
    print(f"{name:24} " + " ".join(f"{value:9.2f}" for value in shown), flush=True)


async def run(server: Server, folder: Path, count: int) -> None:
    """Signals all the time, and a change of one file, of all, and of one again."""
    spawn = multiprocessing.get_context("spawn")
    load, end = spawn.Pipe()
    worker = spawn.Process(target=client, args=(server.url, end), daemon=True)
    worker.start()
    late: list[tuple[float, float]] = []
    beating = asyncio.create_task(heartbeat(late))
    heads = ("took s", "CPU s", "pause max", "p99 ms", "wall max", "ack p50", "p99", "max ms")
    print(f"{'':24} " + " ".join(f"{head:>9}" for head in heads))
    await phase(server, "signals alone", None, late, load)
    await phase(server, "one file changed", lambda: rewrite(folder, PER_FILE, "Action"), late, load)
    await phase(server, f"all {count} rules changed", lambda: rewrite(folder, count, "Drive"), late, load)
    beating.cancel()
    load.send("stop")
    await asyncio.to_thread(worker.join, 10)


async def main(count: int) -> None:
    """Set up a project of that size in a folder of its own, and serve it."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        write_project(project, count, 0)
        (project / "config.toml").write_text(CONFIG)
        async with open_server(load_config(project / "config.toml", {}), {}) as server:
            await run(server, project, count)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rules", type=int, default=10_000)
    asyncio.run(main(parser.parse_args().rules))
