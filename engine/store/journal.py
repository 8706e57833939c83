"""The journal on disk: segment files, appended by one thread, read by others.

An append is one durable write. One that fails leaves no trace: the file is cut back, and where that fails too, or where
the disk reported a fault (after which the kernel may forget what it could not write), a new segment is begun at the
same offset. A reader leaves a segment where the next one begins, so nothing behind that point is ever seen.
"""

import contextlib
import errno
import math
import os
from pathlib import Path

from engine.errors import StoreError
from engine.store.files import Files, explained, file_trouble, write_whole
from engine.store.frames import (
    FRAME_HEADER,
    MAX_PAYLOAD,
    SEGMENT_HEADER,
    Head,
    Segment,
    new_segment,
    pack_head,
)
from engine.store.reading import read_header
from engine.store.scanning import scan

SEGMENT_BYTES = 64 << 20


class SegmentedJournal:
    """All methods but ``segments`` and ``end`` belong to one thread. ``end`` is the offset the next record will get,
    ``received`` the journal time of the last one."""

    def __init__(self, folder: Path, files: Files, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.folder = folder
        self.segments: tuple[Segment, ...] = ()  # oldest first; replaced whole, so that readers may look at any time
        self.end = 0
        self.received = -math.inf
        self.first_received: float | None = None  # of the newest segment
        self._files = files
        self._limit = segment_bytes
        self._fd: int | None = None
        self._position = 0
        self._spoilt = False  # never write to the newest segment again

    def open(self) -> list[str]:
        """Open or create; cuts a torn tail. Returns what was found and mended, in sentences."""
        with explained("open the journal", self.folder):
            self._files.make_folder(self.folder)
            names = self._files.names(self.folder)
            for name in names:
                if name.endswith(".tmp"):
                    self._files.unlink(self.folder / name)
            self.segments = tuple(
                read_header(self._files, self.folder / name) for name in names if name.endswith(".seg")
            )
        if not self.segments:
            self._begin_segment()
            return []
        return self._resume()

    def append(self, payload: bytes, check: int, count: int, received: float) -> tuple[int, float]:
        """Make one frame durable; its offset and ``received``. ``check`` is the crc32 of the payload."""
        if len(payload) > MAX_PAYLOAD:
            raise StoreError(f"a frame of {len(payload)} bytes is too large.", str(self.folder), retry=False)
        if self._spoilt or self._position >= self._limit:
            self._begin_segment()
        assert self._fd is not None
        segment, offset = self.segments[-1], self.end
        received = max(received, self.received)
        head = pack_head(segment, Head(len(payload), check, offset, received, count))
        try:
            written = self._files.write_durably(self._fd, (head, payload), self._position)
            if written != FRAME_HEADER + len(payload):
                raise OSError(errno.ENOSPC, f"only {written} bytes were taken")
        except OSError as error:
            self._undo(error)
            raise file_trouble("append to the journal", segment.path, error) from error
        self._position += written
        self.end, self.received = offset + count, received
        if self.first_received is None:
            self.first_received = received
        return offset, received

    def roll(self) -> None:
        """Begin a new segment, so that retention can drop the present one when its time comes."""
        if self.end > self.segments[-1].base:
            self._begin_segment()

    def forget(self, floor: int) -> list[Segment]:
        """Take the segments out of use that hold only records before ``floor``; the caller unlinks their files."""
        segments = self.segments
        keep = 0
        while keep < len(segments) - 1 and segments[keep + 1].base <= floor:
            keep += 1
        self.segments = segments[keep:]
        return list(segments[:keep])

    def close(self) -> None:
        """Safe to call twice."""
        if self._fd is None:
            return
        if self._spoilt:
            with contextlib.suppress(StoreError):
                self._begin_segment()
        with contextlib.suppress(OSError):
            self._files.close(self._fd)
        self._fd = None

    # ------------------------------------------------------------------ opening

    def _resume(self) -> list[str]:
        newest = self.segments[-1]
        with explained("open the journal", newest.path):
            fd = self._files.open(newest.path, os.O_RDWR)
            try:
                found = scan(self._files, fd, newest)
                if found.torn:
                    self._files.truncate(fd, found.position)
                # What a killed process wrote may still be in the cache only: it is about to be relied on.
                self._files.sync(fd)
            except BaseException:
                self._files.close(fd)
                raise
        self._fd, self._position, self.end = fd, found.position, found.end
        self.received, self.first_received = found.received, found.first_received
        if not found.torn:
            return []
        return [f"{newest.path}, byte {found.position}: cut off {found.torn} bytes of an unfinished frame."]

    # ------------------------------------------------------------------ writing

    def _begin_segment(self) -> None:
        """A new file, complete before it has its name. It replaces a segment of the same offset, which is empty."""
        self._spoilt = True  # from the first step on: a half-made successor must not be overtaken by its predecessor
        segment, header = new_segment(self.folder, self.end, self.received)
        with explained("begin a journal segment", segment.path):
            write_whole(self._files, segment.path, (header,))
            fd = self._files.open(segment.path, os.O_RDWR)
        if self._fd is not None:
            with contextlib.suppress(OSError):
                self._files.close(self._fd)
        self.segments = (*(s for s in self.segments if s.base != segment.base), segment)
        self._fd, self._position, self._spoilt = fd, SEGMENT_HEADER, False
        self.first_received = None

    def _undo(self, error: OSError) -> None:
        """Leave nothing of a failed append. The sync also rewrites the last block, which earlier frames share."""
        assert self._fd is not None
        self._spoilt = error.errno == errno.EIO
        try:
            self._files.truncate(self._fd, self._position)
            self._files.sync(self._fd)
        except OSError:
            self._spoilt = True
        if self._spoilt:
            with contextlib.suppress(StoreError):
                self._begin_segment()
