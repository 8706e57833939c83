"""A checkpoint of sense, read back into tables. What they say of fences is in numbers as of then; which fences these
are now is another matter (``Sense.of``), so that they can be read while fences are still compiled."""

from typing import Any, NamedTuple

import msgspec

from engine.sense.columns import Devices, Marks, Stays
from engine.sense.names import Names

VERSION = 4
_LISTED = 3  # the rows of stays that are free in a list
_BEFORE = 2  # and the names of devices too


class Dump(msgspec.Struct):
    """What ``Sense.pieces`` gave, joined. Columns are views of it."""

    version: int
    names: dict[str, memoryview] = {}
    ids: list[str] = []  # the names, as they were dumped once
    fences: list[str] = []
    devices: dict[str, memoryview] = {}
    stays: dict[str, memoryview] = {}
    free: int | list[int] = -1  # a list: as they were dumped once
    marks: dict[str, memoryview] = {}
    free_marks: int | list[int] = -1
    endings: dict[str, Any] | None = None
    late: int = 0
    strange: int = 0


_decode = msgspec.msgpack.Decoder(Dump).decode


class Tables(NamedTuple):
    """The tables, and the rest of the dump that they came from."""

    devices: Devices
    stays: Stays
    marks: Marks
    dump: Dump


def read_tables(blob: bytes | memoryview) -> Tables:
    """Nothing of the blob is held by the tables. ValueError on another format."""
    dump = _decode(blob)
    if dump.version not in (VERSION, _LISTED, _BEFORE):
        raise ValueError(f"a checkpoint of sense, format {dump.version}: this build reads {VERSION}")
    found = Tables(Devices(), Stays(), Marks(), dump)
    devices, stays, marks, _ = found
    devices.restore(dump.devices)
    if dump.version == _BEFORE:
        devices.names.rows(dump.ids)
    else:
        devices.names = Names.load(**dump.names)
    stays.restore(dump.stays)
    marks.restore(dump.marks)
    stays.hold_free(dump.free)
    marks.hold_free(dump.free_marks)
    return found
