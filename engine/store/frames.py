"""How the journal lies on disk: a segment header, then frames, each a fixed header and its payload.

All little-endian. A frame's header has a check sum of its own, so that a damaged length is told from a torn tail; it is
seeded with a random number of its segment, so that bytes inside a payload can never pass for a frame.
"""

import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

from engine.errors import StoreError

FORMAT = 1
SEGMENT_MAGIC = b"HERENOWJ"
FRAME_MAGIC = b"\xf5HNf"  # never inside UTF-8 text

# magic, version, seed, offset of the first record, the last ``received`` before it; then the check sum
_SEGMENT = struct.Struct("<8sIIQd")
# magic, payload length, payload check sum, offset, received, number of records; then the check sum
_FRAME = struct.Struct("<4sIIQdI")
_SUM = struct.Struct("<I")

SEGMENT_HEADER = _SEGMENT.size + _SUM.size
FRAME_HEADER = _FRAME.size + _SUM.size
MAX_PAYLOAD = (1 << 32) - 1


@dataclass(frozen=True, slots=True)
class Segment:
    """One file: ``base`` is the offset of its first record, ``received`` the last journal time before it."""

    path: Path
    base: int
    received: float
    seed: int


@dataclass(frozen=True, slots=True)
class Head:
    """A frame's header. ``size`` is the payload's length in bytes, ``check`` its crc32, ``count`` how many records."""

    size: int
    check: int
    offset: int
    received: float
    count: int

    @property
    def end(self) -> int:
        """The offset after its last record."""
        return self.offset + self.count


def new_segment(folder: Path, base: int, received: float) -> tuple[Segment, bytes]:
    """A segment to be, and its header."""
    seed = int.from_bytes(os.urandom(4), "little")
    fields = _SEGMENT.pack(SEGMENT_MAGIC, FORMAT, seed, base, received)
    segment = Segment(folder / f"{base:020d}.seg", base, received, seed)
    return segment, fields + _SUM.pack(zlib.crc32(fields))


def parse_segment(path: Path, header: bytes) -> Segment:
    """Raises ``StoreError`` where the header is not one of ours."""
    if (
        len(header) < SEGMENT_HEADER
        or zlib.crc32(header[: _SEGMENT.size]) != _SUM.unpack_from(header, _SEGMENT.size)[0]
    ):
        raise damage(path, 0, "the segment header is damaged")
    magic, version, seed, base, received = _SEGMENT.unpack_from(header)
    if magic != SEGMENT_MAGIC:
        raise damage(path, 0, "this is not a journal segment")
    if version != FORMAT:
        problem = f"journal format {version} is not known to this version (it knows {FORMAT})."
        raise StoreError(problem, str(path), "Run the version that wrote it.", retry=False)
    if path.name != f"{base:020d}.seg":
        raise damage(path, 0, f"the file is named for another offset than it begins with ({base})")
    return Segment(path, base, received, seed)


def pack_head(segment: Segment, head: Head) -> bytes:
    """The bytes before a payload."""
    fields = _FRAME.pack(FRAME_MAGIC, head.size, head.check, head.offset, head.received, head.count)
    return fields + _SUM.pack(zlib.crc32(fields, segment.seed))


def parse_head(segment: Segment, buffer: bytes | memoryview, at: int) -> Head | None:
    """The frame header at ``at``, or None where there is no whole and sound one."""
    if len(buffer) - at < FRAME_HEADER:
        return None
    fields = buffer[at : at + _FRAME.size]
    if zlib.crc32(fields, segment.seed) != _SUM.unpack_from(buffer, at + _FRAME.size)[0]:
        return None
    magic, size, check, offset, received, count = _FRAME.unpack(fields)
    return Head(size, check, offset, received, count) if magic == FRAME_MAGIC else None


def damage(path: Path, byte: int, what: str) -> StoreError:
    """Damage that no crash explains: never skipped in silence."""
    fix = "Restore the file from a backup, or move the data folder away to begin a new journal."
    return StoreError(f"{what}.", f"{path}, byte {byte}", fix, retry=False)
