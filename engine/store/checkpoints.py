"""Checkpoint files: the core's state as of an offset. Each is whole or absent; damaged ones are passed over."""

import os
import re
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

from engine.errors import StoreError
from engine.store.files import Files, explained, read_fully, write_whole

_NAME = re.compile(r"(\d{20})-(.+)\.ckpt")
_MAGIC = b"HERENOWC"
# magic, format, offset, received, size of the state, its check sum; then the check sum of the header
_HEADER = struct.Struct("<8sIQdQI")
_SUM = struct.Struct("<I")
_FORMAT = 1
_FIRST_BYTES = _HEADER.size + _SUM.size

HOUR, DAY = 3600.0, 86400.0
KEEP_AT_LEAST = 2


@dataclass(frozen=True, slots=True)
class Saved:
    """A checkpoint that is on disk. ``received`` is the journal time of the state."""

    path: Path
    offset: int
    received: float


class Checkpoints:
    """The checkpoint folder. Methods may be called from any one thread at a time."""

    def __init__(self, folder: Path, files: Files) -> None:
        self.folder = folder
        self._files = files

    def open(self) -> None:
        """Make the folder; remove what an interrupted save left."""
        with explained("open the checkpoints", self.folder):
            self._files.make_folder(self.folder)
            for name in self._files.names(self.folder):
                if name.endswith(".tmp"):
                    self._files.unlink(self.folder / name)

    def saved(self) -> list[Saved]:
        """What is there, oldest first."""
        with explained("list the checkpoints", self.folder):
            names = self._files.names(self.folder)
        found = [(name, match) for name in names if (match := _NAME.fullmatch(name))]
        saved = [Saved(self.folder / name, int(match[1]), float(match[2])) for name, match in found]
        return sorted(saved, key=lambda s: (s.offset, s.received))

    def save(self, offset: int, received: float, blob: bytes | memoryview) -> None:
        """Keep the state, atomically and durably."""
        path = self.folder / f"{offset:020d}-{received!r}.ckpt"
        header = _HEADER.pack(_MAGIC, _FORMAT, offset, received, len(blob), zlib.crc32(blob))
        with explained("save a checkpoint", path):
            write_whole(self._files, path, (header, _SUM.pack(zlib.crc32(header)), blob))

    def load(self, at_most: float | None) -> tuple[tuple[int, bytes] | None, list[str]]:
        """The newest readable one whose ``received`` is not after ``at_most``, and a sentence for each passed over."""
        passed: list[str] = []
        for saved in reversed(self.saved()):
            if at_most is not None and saved.received > at_most:
                continue
            try:
                return (saved.offset, self.read(saved)), passed
            except (OSError, StoreError) as error:
                passed.append(f"{saved.path}: this checkpoint cannot be read and was passed over ({error}).")
        return None, passed

    def prune(self, now: float, days: float, journal_start: int = 0) -> None:
        """Keep the first of each hour for a day and the first of each day for ``days``, and the two newest in any case.
        One before ``journal_start`` is of no use once the journal begins there."""
        saved = self.saved()
        keep = set(_thinned(saved, now, days, journal_start)) | {s.path for s in saved[-KEEP_AT_LEAST:]}
        gone = [s.path for s in saved if s.path not in keep]
        if not gone:
            return
        with explained("remove old checkpoints", self.folder):
            for path in gone:
                self._files.unlink(path)
            self._files.sync_folder(self.folder)

    def read(self, saved: Saved) -> bytes:
        """The state of one; raises ``OSError`` or ``StoreError`` where it is damaged or gone."""
        fd = self._files.open(saved.path, os.O_RDONLY)
        try:
            first = self._files.read(fd, _FIRST_BYTES, 0)
            if (
                len(first) < _FIRST_BYTES
                or zlib.crc32(first[: _HEADER.size]) != _SUM.unpack_from(first, _HEADER.size)[0]
            ):
                raise StoreError("the header is damaged")
            magic, version, offset, _, size, check = _HEADER.unpack_from(first)
            if magic != _MAGIC or version != _FORMAT or offset != saved.offset:
                raise StoreError("the header is of another kind")
            blob = read_fully(self._files, fd, size, _FIRST_BYTES)
        finally:
            self._files.close(fd)
        if len(blob) != size or zlib.crc32(blob) != check:
            raise StoreError("the content is damaged")
        return blob


def _thinned(saved: list[Saved], now: float, days: float, journal_start: int) -> list[Path]:
    """The first of each hour of the last day, and the first of each day before."""
    seen: set[tuple[float, float]] = set()
    kept = []
    for s in saved:
        age = now - s.received
        if age > days * DAY or s.offset < journal_start:
            continue
        step = HOUR if age <= DAY else DAY
        if (step, s.received // step) not in seen:
            seen.add((step, s.received // step))
            kept.append(s.path)
    return kept
