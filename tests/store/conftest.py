"""Files that fail, and files that forget: what a disk can do to a store."""

import contextlib
import errno
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from engine.model.record import Frame
from engine.model.runs import encode_records
from engine.model.signal import Signal
from engine.store import reading
from engine.store.files import Files
from engine.store.journal import SegmentedJournal


class FaultyFiles(Files):
    """Calls of ``inner`` (real files, if not told otherwise); those numbered in ``plan`` go wrong. A fault is an errno
    and whether the call's effect happens all the same ("after"), in part ("part") or not at all ("before")."""

    def __init__(self, inner: Files | None = None) -> None:
        super().__init__()
        self.inner = inner or Files()
        self.plan: dict[int, tuple[int, str]] = {}
        self.calls = 0
        self.log: list[str] = []
        self.read, self.size, self.close = self.inner.read, self.inner.size, self.inner.close
        self.names, self.make_folder = self.inner.names, self.inner.make_folder

    def _go(self, name: str, call: Callable[[], Any], part: Callable[[], Any] | None = None) -> Any:
        fault = self.plan.get(self.calls)
        self.calls += 1
        self.log.append(name)
        if fault is None:
            return call()
        code, when = fault
        if when == "part" and part is not None:
            return part()
        if when == "after" and name != "open":  # its effect would be a descriptor that nobody has
            call()
        raise OSError(code, os.strerror(code))

    def open(self, path: Path, flags: int) -> int:
        return self._go("open", lambda: self.inner.open(path, flags))

    def write_durably(self, fd: int, buffers: Sequence[bytes], position: int) -> int:
        def part() -> int:
            return self.inner.write(fd, b"".join(buffers)[: sum(map(len, buffers)) // 2], position)

        return self._go("write_durably", lambda: self.inner.write_durably(fd, buffers, position), part)

    def write(self, fd: int, buffer: bytes | memoryview, position: int) -> int:
        return self._go("write", lambda: self.inner.write(fd, buffer, position))

    def sync(self, fd: int) -> None:
        self._go("sync", lambda: self.inner.sync(fd))

    def truncate(self, fd: int, size: int) -> None:
        self._go("truncate", lambda: self.inner.truncate(fd, size))

    def rename(self, old: Path, new: Path) -> None:
        self._go("rename", lambda: self.inner.rename(old, new))

    def unlink(self, path: Path) -> None:
        self._go("unlink", lambda: self.inner.unlink(path))

    def sync_folder(self, folder: Path) -> None:
        self._go("sync_folder", lambda: self.inner.sync_folder(folder))


class PowerCut(Exception):
    """Everything stops here."""


@dataclass
class _File:
    data: bytearray = field(default_factory=bytearray)
    durable: bytes = b""


class ForgetfulFiles(Files):
    """A disk in memory that keeps what was synced. The power goes at call number ``cut`` (of those that change
    something), before it does anything, or half-way where ``half``; ``after_cut`` gives what a restart may find."""

    def __init__(self, cut: int | None = None, half: bool = False) -> None:
        self.cut, self.half, self.calls = cut, half, 0
        self.names_now: dict[Path, _File] = {}
        self.names_durable: dict[Path, _File] = {}
        self._open: dict[int, _File] = {}

    def _step(self) -> bool:
        """Whether the power goes during this call."""
        self.calls += 1
        return self.cut is not None and self.calls > self.cut

    def _change(self) -> None:
        if self._step():
            raise PowerCut

    def open(self, path: Path, flags: int) -> int:
        if flags & os.O_CREAT and path not in self.names_now:
            self._change()
            self.names_now[path] = _File()
        if path not in self.names_now:
            raise FileNotFoundError(errno.ENOENT, "no such file")
        if flags & os.O_TRUNC:
            self.names_now[path].data.clear()
        fd = 1000 + len(self._open)
        self._open[fd] = self.names_now[path]
        return fd

    def write_durably(self, fd: int, buffers: Sequence[bytes], position: int) -> int:
        whole = b"".join(buffers)
        if self._step():
            if self.half:
                self._put(fd, whole[: len(whole) // 2], position)
            raise PowerCut
        self._put(fd, whole, position)
        self._open[fd].durable = bytes(self._open[fd].data)
        return len(whole)

    def write(self, fd: int, buffer: bytes | memoryview, position: int) -> int:
        self._change()
        self._put(fd, bytes(buffer), position)
        return len(buffer)

    def _put(self, fd: int, data: bytes, position: int) -> None:
        self._open[fd].data[position : position + len(data)] = data

    def read(self, fd: int, size: int, position: int) -> bytes:
        return bytes(self._open[fd].data[position : position + size])

    def size(self, fd: int) -> int:
        return len(self._open[fd].data)

    def sync(self, fd: int) -> None:
        self._change()
        self._open[fd].durable = bytes(self._open[fd].data)

    def truncate(self, fd: int, size: int) -> None:
        self._change()
        del self._open[fd].data[size:]

    def close(self, fd: int) -> None:
        pass

    def rename(self, old: Path, new: Path) -> None:
        self._change()
        self.names_now[new] = self.names_now.pop(old)

    def unlink(self, path: Path) -> None:
        self._change()
        self.names_now.pop(path, None)

    def names(self, folder: Path) -> list[str]:
        return sorted(path.name for path in self.names_now if path.parent == folder)

    def make_folder(self, folder: Path) -> None:
        pass

    def sync_folder(self, folder: Path) -> None:
        self._change()
        others = {path: file for path, file in self.names_durable.items() if path.parent != folder}
        self.names_durable = others | {path: file for path, file in self.names_now.items() if path.parent == folder}

    def get(self, path: Path) -> bytes:
        """What is in a file now."""
        return bytes(self.names_now[path].data)

    def put(self, path: Path, content: bytes) -> None:
        """Someone changes a file behind the store's back."""
        self.names_now[path] = self.names_durable[path] = _File(bytearray(content), content)

    def after_cut(self) -> Iterator["ForgetfulFiles"]:
        """What a restart may find: any mix of only what was synced and all that was written, names and contents apart,
        and contents half-way between."""
        for names in (self.names_durable, self.names_now):
            for share in (0.0, 0.5, 1.0):
                disk = ForgetfulFiles()
                for path, file in names.items():
                    disk.put(path, _mixed(file, share))
                yield disk


def _mixed(file: _File, share: float) -> bytes:
    """Of what was written after the last sync, this share from the front."""
    if share == 1.0 or file.durable == bytes(file.data):
        return bytes(file.data)
    if share == 0.0:
        return file.durable
    middle = (len(file.durable) + len(file.data)) // 2
    return bytes(file.data[:middle]) + file.durable[middle:]


class Disk:
    """Helpers over a bare journal."""

    FaultyFiles, ForgetfulFiles, PowerCut = FaultyFiles, ForgetfulFiles, PowerCut

    def signal(self, number: int) -> Signal:
        return Signal(f"device-{number}", 1000.0 + number, number, lat=52.5, lon=13.4)

    def journal(self, folder: Path, files: Files | None = None, segment_bytes: int = 1 << 20) -> SegmentedJournal:
        return SegmentedJournal(folder, files or Files(), segment_bytes)

    def opened(self, folder: Path, files: Files | None = None, segment_bytes: int = 1 << 20) -> SegmentedJournal:
        journal = self.journal(folder, files, segment_bytes)
        journal.open()
        return journal

    def append(self, journal: SegmentedJournal, *numbers: int, received: float = 0.0) -> Frame:
        records = [self.signal(n) for n in numbers]
        payload = encode_records(records)
        offset, received = journal.append(payload, zlib.crc32(payload), len(records), received)
        return Frame(offset, received, records)

    def frames(self, journal: SegmentedJournal, start: int = 0, chunk: int = 1 << 20) -> list[Frame]:
        files = getattr(journal._files, "inner", journal._files)  # looking does not count as a call
        found: list[Frame] = []
        span = reading.Span(start, journal.end)
        cursor = reading.seek(journal.segments, start)
        while cursor.offset < span.end:
            some, cursor = reading.read_some(files, journal.segments, cursor, span, chunk)
            found += some
        return found

    @contextlib.contextmanager
    def reopened(self, folder: Path, files: Files | None = None) -> Iterator[SegmentedJournal]:
        journal = self.opened(folder, files)
        try:
            yield journal
        finally:
            journal.close()


@pytest.fixture
def disk() -> Disk:
    return Disk()
