"""Finding the end of the newest segment after a crash: what is whole stays, a torn last frame is cut off."""

import zlib
from dataclasses import dataclass, replace

from engine.store.files import Files
from engine.store.frames import FRAME_HEADER, FRAME_MAGIC, SEGMENT_HEADER, Segment, damage, parse_head

CHUNK = 4 << 20


@dataclass(frozen=True, slots=True)
class Scan:
    """``position`` bytes are sound and hold records up to ``end``; ``torn`` bytes behind are an unfinished frame."""

    position: int
    end: int
    first_received: float | None
    received: float
    torn: int = 0


def scan(files: Files, fd: int, segment: Segment) -> Scan:
    """Check every frame of the segment. Raises ``StoreError`` where anything sound lies behind a damaged frame: that is
    no torn write but lost data."""
    size = files.size(fd)
    found = Scan(SEGMENT_HEADER, segment.base, None, segment.received)
    while (further := _chunk(files, fd, segment, found, size)).position > found.position:
        found = further
    if found.position < size:
        _refuse_damage(files, fd, segment, found.position, size)
    return replace(found, torn=size - found.position)


def _chunk(files: Files, fd: int, segment: Segment, found: Scan, size: int) -> Scan:
    """What was found so far, and the sound frames of one more chunk (of at least one frame)."""
    buffer = memoryview(files.read(fd, CHUNK, found.position))
    head = parse_head(segment, buffer, 0)
    if head is None or found.position + FRAME_HEADER + head.size > size:
        return found
    if FRAME_HEADER + head.size > len(buffer):
        buffer = memoryview(files.read(fd, FRAME_HEADER + head.size, found.position))
    first = head.received if found.first_received is None else found.first_received
    at, end, received = 0, found.end, found.received
    while head is not None and at + FRAME_HEADER + head.size <= len(buffer):
        payload = buffer[at + FRAME_HEADER : at + FRAME_HEADER + head.size]
        if zlib.crc32(payload) != head.check:
            break
        if head.offset != end:
            raise damage(segment.path, found.position + at, f"records {end} to {head.offset - 1} are missing")
        at, end, received = at + FRAME_HEADER + head.size, head.end, head.received
        head = parse_head(segment, buffer, at)
    return Scan(found.position + at, end, first, received) if at else found


def _refuse_damage(files: Files, fd: int, segment: Segment, position: int, size: int) -> None:
    """Look for a sound frame header behind a bad frame. One write is under way at a time, so a crash leaves none."""
    start = position + 1
    while start < size:
        # Never beyond the size seen at first: another process may be writing there now.
        buffer = files.read(fd, min(CHUNK, size - start), start)
        at = buffer.find(FRAME_MAGIC)
        while at >= 0:
            window = files.read(fd, FRAME_HEADER, start + at)
            if parse_head(segment, window, 0) is not None:
                raise damage(segment.path, position, "a journal frame is damaged and others follow it")
            at = buffer.find(FRAME_MAGIC, at + 1)
        if start + len(buffer) >= size:
            return
        start += max(1, len(buffer) - len(FRAME_MAGIC) + 1)
