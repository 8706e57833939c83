"""What compiling made of large fence sets, kept on disk: a start that needs the same set reads it in a tenth of a
second instead of compiling for seconds.

A file is named by the set (release and run-time fences, by hash) and by the code that compiled it, and carries its own
check sum: what is damaged, cut short or of another build is not used, and made anew. The folder may be deleted at any
time.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from itertools import accumulate
from pathlib import Path
from struct import Struct
from typing import Any
from zlib import crc32

import msgspec
import numpy as np

from engine.author.kept import build
from engine.sense import Columns, FenceSet

WORTH = 5_000  # fences from which a set is kept
FILES = 3  # the newest stay: the set in force, the one before, and the authored fences alone
_HEAD = Struct("<4sII")  # magic, size of the description, check sum of all that follows the head
_MAGIC = b"HNFS"
_ALIGNED = 64  # bytes: columns begin there, as the kernels want them
_Column = tuple[str, str, tuple[int, ...]]  # name, type, shape


class Made:
    """Reads and writes compiled sets in a folder (None: keeps nothing). Where that cannot be written it only reads."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def load(self, place: str, count: int) -> Columns | None:
        """The columns of so many fences, or None where they are not there as they should be."""
        if self._folder is None or count < WORTH or not place:
            return None
        try:
            found = read_columns(self._path(self._folder, place))
        except (OSError, ValueError, TypeError, msgspec.MsgspecError):
            return None
        return found if found is not None and len(found["kind"]) == count else None

    def save(self, place: str, fences: FenceSet) -> None:
        """Keep a set, if it is large and not kept yet."""
        if self._folder is None or len(fences.ids) < WORTH or not place:
            return
        path = self._path(self._folder, place)
        with contextlib.suppress(OSError):
            if path.exists():
                os.utime(path)
                return
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            part = path.with_suffix(".part")
            write_columns(part, fences.columns())
            os.replace(part, path)
            held = sorted(self._folder.glob("*.compiled"), key=lambda file: file.stat().st_mtime_ns)
            for old in held[:-FILES]:
                old.unlink(missing_ok=True)

    def _path(self, folder: Path, place: str) -> Path:
        named = blake2b(build("author", "model", "sense"), digest_size=20)
        named.update(place.encode())
        return folder / f"{named.hexdigest()}.compiled"


def write_columns(path: Path, columns: Columns) -> None:
    """Columns by name, laid out so that one read has each where the kernels want it."""
    described = [(name, column.dtype.str, column.shape) for name, column in columns.items()]
    text = msgspec.json.encode(described)
    text += b" " * (-(_HEAD.size + len(text)) % _ALIGNED)
    check = crc32(text)
    for piece in _padded(columns):
        check = crc32(piece, check)
    with path.open("wb") as out:
        out.write(_HEAD.pack(_MAGIC, len(text), check) + text)
        for piece in _padded(columns):
            out.write(piece)


def _padded(columns: Mapping[str, Any]) -> Iterator[Any]:
    for column in columns.values():
        yield np.ascontiguousarray(column).reshape(-1).view(np.uint8).data
        yield bytes(-column.nbytes % _ALIGNED)


def read_columns(path: Path) -> Columns | None:
    """The inverse; None where the file is not whole. It may raise OSError, or what msgspec and numpy raise."""
    with path.open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        whole = np.empty(size + _ALIGNED, np.uint8)
        start = -whole.ctypes.data % _ALIGNED
        whole = whole[start : start + size]
        if file.readinto(whole.data) != size or size < _HEAD.size:
            return None
    magic, length, check = _HEAD.unpack_from(whole.data)
    if magic != _MAGIC or crc32(whole[_HEAD.size :].data) != check:
        return None
    at = _HEAD.size + length
    described = msgspec.json.decode(whole[_HEAD.size : at].tobytes(), type=list[_Column])
    sizes = [np.dtype(kind).itemsize * int(np.prod(shape)) for _, kind, shape in described]
    starts = accumulate((bytes_ + -bytes_ % _ALIGNED for bytes_ in sizes), initial=at)
    return {
        name: whole[begin : begin + bytes_].view(kind).reshape(shape)
        for (name, kind, shape), bytes_, begin in zip(described, sizes, starts, strict=False)
    }
