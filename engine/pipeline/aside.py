"""A question about the past, handed to a process of its own (``beside``), so that the server does not notice."""

import asyncio
import contextlib
import os
import sys
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

import engine
from engine.errors import HerenowError
from engine.pipeline.excerpt import Known

LONGEST = 120.0  # seconds, starting included


class Question(Struct, frozen=True):
    """Whose, about which rule (None: all), up to when, and how long before that."""

    known: Known
    rule: str | None
    at: float
    window: float


async def ask(folder: str, question: Question) -> dict[str, Any]:
    """The answer, worked out elsewhere; raises ``HerenowError`` with what went wrong there."""
    home = str(Path(engine.__file__).parents[1])
    path = os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH"))))
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "engine.pipeline.beside", folder),
        stdin=pipe, stdout=pipe, stderr=pipe, env=os.environ | {"PYTHONPATH": path},
    )  # fmt: skip
    try:
        out, err = await asyncio.wait_for(process.communicate(msgspec.json.encode(question)), LONGEST)
    except TimeoutError:
        fix = "Ask about a shorter time (?window=1h), or use herenow replay."
        raise HerenowError(f"there is more history than {LONGEST:g} seconds are enough for", fix=fix) from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode != 0:
        raise HerenowError(f"the question could not be answered: {err[-300:].decode('utf-8', 'replace').strip()}")
    answer: dict[str, Any] = msgspec.json.decode(out)
    return answer
