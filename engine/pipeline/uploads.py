"""Geofences that come in one body, read and compiled before they are put in force.

A hundred thousand take some ten seconds of one core. A thread would share the interpreter with the signals all the
while, so what is large is read by a process of its own (``python -m engine.pipeline.uploads FOLDER``), and comes back
packed: the fences, what was found, and their compiled outlines, in files of a folder that is gone afterwards.
"""

import asyncio
import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import msgspec
import structlog

import engine
from engine.author.geojson import Told, read_upload
from engine.errors import Finding
from engine.model.fence import Fence
from engine.model.fences import Fences
from engine.pipeline.made import read_columns, write_columns
from engine.pipeline.runtime import run_time
from engine.pipeline.undisturbed import undisturbed
from engine.sense import Outlines

log = structlog.get_logger("herenow.uploads")

MOST = 100_000  # features of one upload
APART = 1_000_000  # bytes of a body from which a process of its own reads it
_PATIENCE = 900.0  # seconds that it may take
_KINDNESS = 5  # the server comes first
_ROOM = "upload-"  # what the folder's name begins with
_BODY, _HIDDEN, _FOUND, _DRAWN = "body", "hidden", "found", "drawn"  # files
_AUTHORED_FIX = "Change the file, or use another id."
_decode = msgspec.msgpack.Decoder(tuple[list[Told], int, list[memoryview]]).decode


@dataclass(frozen=True)
class Sifted:
    """The fences of a body that can be put in force; what was found, by feature; how many features there were; and
    the outlines of those fences, where they were compiled."""

    fences: Fences
    told: list[Told]
    features: int
    drawn: Outlines | None = None


async def sifted(body: bytes | bytearray, authored: Collection[str], folder: Path | None) -> Sifted:
    """Read a body. ``authored``: ids that cannot be put; ``folder``: where there is room for some hundred megabytes."""
    if len(body) >= APART:
        try:
            return await _apart(body, authored, folder)
        except (OSError, TimeoutError, msgspec.MsgspecError, ValueError) as error:
            log.warning("geofences could not be read by a process of their own", problem=repr(error))
    with undisturbed(len(body) >= APART):
        return await asyncio.to_thread(_sift, body, authored)


def _sift(body: bytes | bytearray, authored: Collection[str]) -> Sifted:
    upload = read_upload("body", body, MOST)
    good, told = dict[str, Fence](), list(upload.told)
    for fence, number in zip(upload.fences, upload.numbers, strict=True):
        if fence.id in authored:
            told.append(_refused(fence, number, "AUTHORED", "it is authored in a file", _AUTHORED_FIX))
        elif fence.id in good:
            told.append(_refused(fence, number, "DUPLICATE_FENCE", "an earlier feature has this id"))
        else:
            good[fence.id] = run_time(fence)
    return Sifted(Fences.of(good.values()), told, upload.features)


def _refused(fence: Fence, number: int, code: str, problem: str, fix: str = "") -> Told:
    line = int(fence.source.rpartition(":")[2])
    return Told(number, fence.id, Finding("body", line, 0, "error", code, problem, fix))


# ------------------------------------------------------------------ beside the server


async def _apart(body: bytes | bytearray, authored: Collection[str], folder: Path | None) -> Sifted:
    with await asyncio.to_thread(_room, folder) as name:
        room = Path(name)
        await asyncio.to_thread((room / _BODY).write_bytes, body)
        await asyncio.to_thread((room / _HIDDEN).write_bytes, msgspec.msgpack.encode(list(authored)))
        await _work(room)
        return await asyncio.to_thread(_taken, room)


def _room(folder: Path | None) -> "tempfile.TemporaryDirectory[str]":
    """A folder that goes with its block; what a server that was killed left behind goes now. There is but one."""
    for old in () if folder is None else folder.glob(f"{_ROOM}*"):
        shutil.rmtree(old, ignore_errors=True)
    return tempfile.TemporaryDirectory(dir=folder, prefix=_ROOM)


async def _work(room: Path) -> None:
    """Have the other process read it; OSError where that fails."""
    home, nowhere = str(Path(engine.__file__).parents[1]), asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "engine.pipeline.uploads", str(room)),
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH"))))},
        stdin=nowhere, stdout=nowhere, stderr=nowhere,
    )  # fmt: skip
    try:
        async with asyncio.timeout(_PATIENCE):
            code = await process.wait()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if code:
        raise OSError(f"it ended with {code}")


def _taken(room: Path) -> Sifted:
    told, features, lists = _decode((room / _FOUND).read_bytes())
    fences, columns = Fences.read(map(bytes, lists)), read_columns(room / _DRAWN)  # one by one: others have their turn
    return Sifted(fences, told, features, None if columns is None else Outlines(fences, made=columns))


def _main(room: Path) -> None:
    hidden = set(msgspec.msgpack.decode((room / _HIDDEN).read_bytes(), type=list[str]))
    found = _sift((room / _BODY).read_bytes(), hidden)
    lists = list(found.fences.lists())
    (room / _FOUND).write_bytes(msgspec.msgpack.encode((found.told, found.features, lists)))
    write_columns(room / _DRAWN, Outlines(found.fences).columns())


if __name__ == "__main__":
    os.nice(_KINDNESS)
    _main(Path(sys.argv[1]))
