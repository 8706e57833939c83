"""Large geofence files as they were read once: to parse a hundred thousand fences takes many times as long as to decode
them, and a start waits for it.

What is kept is named by everything it depends on (the file's name and bytes, and the code that read them) and carries
its own check sum: what is damaged, cut short or of another build is not used, and made anew.
"""

import contextlib
import os
from collections.abc import Callable, Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path

import msgspec

import engine
from engine.author.geojson import read_fences
from engine.errors import Finding
from engine.model.fence import Fence
from engine.model.fences import Fences

Read = Callable[[str, bytes], tuple[Sequence[Fence], list[Finding]]]
"""The fences of a file (name, bytes) and what was found."""

WORTH = 1_000_000  # bytes of a file from which it is kept
FILES = 8  # the newest stay
_SUM = 32  # bytes
_decoder = msgspec.msgpack.Decoder(tuple[list[bytes], list[Finding]])


class Kept:
    """Reads geofence files, and keeps the large ones in a folder. Where that cannot be written it only reads."""

    def __init__(self, folder: Path, read: Read = read_fences) -> None:
        self._folder, self._read = folder, read

    def read(self, name: str, data: bytes) -> tuple[Sequence[Fence], list[Finding]]:
        """As ``read_fences``."""
        if len(data) < WORTH:
            return self._read(name, data)
        path = self._folder / f"{_key(name, data)}.fences"
        found = _load(path)
        if found is None:
            read, told = self._read(name, data)
            fences = Fences.of(read)
            if len(fences) < len(read):  # an id comes twice: that is for others to say
                return read, told
            found = fences, told
            with contextlib.suppress(OSError):
                self._save(path, found)
        return found

    def _save(self, path: Path, found: tuple[Fences, list[Finding]]) -> None:
        body = msgspec.msgpack.encode((list(found[0].lists()), found[1]))
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_bytes(sha256(body).digest() + body)
        os.replace(part, path)
        held = sorted(self._folder.glob("*.fences"), key=lambda file: file.stat().st_mtime_ns)
        for old in held[:-FILES]:
            old.unlink(missing_ok=True)


def _load(path: Path) -> tuple[Fences, list[Finding]] | None:
    try:
        blob = path.read_bytes()
        body = memoryview(blob)[_SUM:]
        if sha256(body).digest() == blob[:_SUM]:
            lists, told = _decoder.decode(body)
            return Fences.read(lists), told
    except (OSError, msgspec.MsgspecError, RecursionError):
        pass
    return None


def _key(name: str, data: bytes) -> str:
    of = sha256(build("author", "model"))
    of.update(f"{len(name)}:{name}".encode("utf-8", "surrogatepass"))
    of.update(data)
    return of.hexdigest()


@cache
def build(*rooms: str) -> bytes:
    """Which code it was: a hash of the sources of these rooms."""
    of = sha256(engine.__version__.encode())
    home = Path(engine.__file__).parent
    for file in sorted(file for room in rooms for file in home.glob(f"{room}/*.py")):
        of.update(file.name.encode())
        of.update(file.read_bytes())
    return of.digest()
