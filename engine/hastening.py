"""Going by the compiled loops once they are there (``herenow[fast]``): the same comes out, sooner.

To compile takes a minute, once per version. A thread would share the interpreter with the signals, so a process of its
own does it, at its leisure, and what it made is read from disk.
"""

import asyncio
import contextlib
import os
import sys
from importlib.util import find_spec
from pathlib import Path

import structlog

import engine
from engine.ingest import fast as reading
from engine.pipeline.runner import Runner
from engine.sense import fast as sensing

log = structlog.get_logger("herenow.hastening")

_PATIENCE = 900.0  # seconds that compiling may take
_LEISURE = 10  # how much others go first


async def hasten(runner: Runner) -> None:
    """Read and sense by the compiled loops from here on, where they are installed."""
    if find_spec("numba") is None:
        return
    runner.loops = "coming"
    try:
        await compiled()
        await asyncio.to_thread(load)
        await asyncio.to_thread(lambda: runner.core.compiled.fences.ground)
        runner.core.sense.hasten()
    except Exception:
        log.exception("signals go by Python: the compiled loops cannot be used")
        runner.loops = "python"
    else:
        runner.loops = "compiled"


def load() -> None:
    """Have the loops of all rooms, whatever that takes."""
    reading.load()
    sensing.load()


async def compiled() -> None:
    """Have them compiled by another process, if they are not and numba is there. Where that fails, ``load`` does it."""
    if find_spec("numba") is None or (reading.kept() and sensing.kept()):
        return
    where = {"PYTHONPATH": str(Path(engine.__file__).parent.parent)}
    nowhere = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "engine.hastening"),
        env=os.environ | where,
        stdin=nowhere,
        stdout=nowhere,
        stderr=nowhere,
    )
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                await process.wait()
    finally:
        if process.returncode is None:
            process.kill()


if __name__ == "__main__":
    os.nice(_LEISURE)
    load()
