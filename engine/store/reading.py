"""Reading the journal while it is written: small steps that hold no file open, so that nothing leaks when one stops."""

import os
import zlib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from engine.errors import StoreError
from engine.model.record import Frame
from engine.model.runs import decode_records
from engine.store.files import Files, explained
from engine.store.frames import FRAME_HEADER, SEGMENT_HEADER, Head, Segment, damage, parse_head, parse_segment
from engine.store.scanning import scan

CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Cursor:
    """The next frame lies at byte ``position`` of the segment that begins at ``base``, and holds record ``offset``."""

    base: int
    position: int
    offset: int


@dataclass(frozen=True, slots=True)
class Span:
    """The records wanted: from ``start`` up to ``end``."""

    start: int
    end: int


def seek(segments: Sequence[Segment], start: int) -> Cursor:
    """Where to begin looking for a record."""
    segment = segments[bisect_right(segments, start, key=lambda s: s.base) - 1]
    return Cursor(segment.base, SEGMENT_HEADER, segment.base)


def read_some(
    files: Files, segments: Sequence[Segment], cursor: Cursor, span: Span, chunk: int = CHUNK
) -> tuple[list[Frame], Cursor]:
    """The wanted frames among the next ``chunk`` bytes (at least one frame is read), and where to go on.

    The end is reached when the cursor's offset is. Frames that begin before ``start`` are cut to begin there.
    """
    index = bisect_right(segments, cursor.base, key=lambda s: s.base) - 1
    if index < 0 or segments[index].base != cursor.base:
        oldest = segments[0].base
        raise StoreError(f"record {cursor.offset} is no longer held; history begins at {oldest}.", retry=False)
    segment = segments[index]
    end = min(span.end, segments[index + 1].base) if index + 1 < len(segments) else span.end
    with explained("read the journal", segment.path):
        fd = files.open(segment.path, os.O_RDONLY)
        try:
            frames, position, offset = _walk(files, fd, segment, cursor, Span(span.start, end), chunk)
        finally:
            files.close(fd)
    if offset < span.end and offset == end:
        return frames, Cursor(end, SEGMENT_HEADER, end)
    return frames, Cursor(cursor.base, position, offset)


def _walk(
    files: Files, fd: int, segment: Segment, cursor: Cursor, span: Span, chunk: int
) -> tuple[list[Frame], int, int]:
    """The wanted frames of one chunk, and the position and offset after the last one seen."""
    buffer = memoryview(files.read(fd, chunk, cursor.position))
    frames: list[Frame] = []
    at, offset = 0, cursor.offset
    while offset < span.end:
        head = parse_head(segment, buffer, at)
        if head is None or at + FRAME_HEADER + head.size > len(buffer):
            if at:
                break
            buffer, head = _one(files, fd, segment, cursor)
        if head.offset != offset or head.end > span.end:
            raise damage(segment.path, cursor.position + at, f"record {offset} is expected here and another found")
        payload = buffer[at + FRAME_HEADER : at + FRAME_HEADER + head.size]
        if head.end > span.start:
            frames.append(_decode(segment, head, payload, cursor.position + at, span.start))
        at, offset = at + FRAME_HEADER + head.size, head.end
    return frames, cursor.position + at, offset


def _one(files: Files, fd: int, segment: Segment, cursor: Cursor) -> tuple[memoryview, Head]:
    """The single frame at the cursor, however large; it must be there."""
    head = parse_head(segment, files.read(fd, FRAME_HEADER, cursor.position), 0)
    if head is None:
        raise damage(segment.path, cursor.position, f"the frame of record {cursor.offset} is damaged")
    buffer = memoryview(files.read(fd, FRAME_HEADER + head.size, cursor.position))
    if len(buffer) < FRAME_HEADER + head.size:
        raise damage(segment.path, cursor.position, f"the frame of record {cursor.offset} is cut short")
    return buffer, head


def _decode(segment: Segment, head: Head, payload: memoryview, position: int, start: int) -> Frame:
    if zlib.crc32(payload) != head.check:
        raise damage(segment.path, position, f"the frame of record {head.offset} is damaged")
    try:
        records = decode_records(payload)
    except msgspec.DecodeError as error:
        raise damage(
            segment.path, position, f"the frame of record {head.offset} cannot be understood ({error})"
        ) from error
    if len(records) != head.count:
        raise damage(segment.path, position, f"the frame of record {head.offset} holds another number of records")
    skip = max(0, start - head.offset)
    return Frame(head.offset + skip, head.received, records[skip:] if skip else records)


def read_header(files: Files, path: Path) -> Segment:
    """What a segment file says of itself."""
    fd = files.open(path, os.O_RDONLY)
    try:
        return parse_segment(path, files.read(fd, SEGMENT_HEADER, 0))
    finally:
        files.close(fd)


def read_folder(folder: Path, start: int | None = None) -> Iterator[Frame]:
    """Every frame of a journal folder from record ``start`` on, oldest first, without opening the store: a running
    server does not mind. A frame that is being written just now is left out. Raises ``StoreError`` on damage."""
    segments, end, _ = span_of(folder)
    if not segments:
        return
    files, start = Files(), segments[0].base if start is None else start
    cursor, span = seek(segments, start), Span(start, end)
    while cursor.offset < end:
        frames, cursor = read_some(files, segments, cursor, span)
        yield from frames


def span_of(folder: Path) -> tuple[list[Segment], int, float]:
    """The segments of a journal folder, and the offset after its last whole frame and that one's journal time (0 where
    there is none)."""
    files = Files()
    with explained("read the journal", folder):
        paths = [folder / name for name in files.names(folder) if name.endswith(".seg")]
        segments = [read_header(files, path) for path in paths]
        if not segments:
            return [], 0, 0.0
        fd = files.open(segments[-1].path, os.O_RDONLY)
        try:
            found = scan(files, fd, segments[-1])
            return segments, found.end, found.received
        finally:
            files.close(fd)
