"""The state of all devices in columns: one row per device, one per stay in a fence; never an object per device."""

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec
import numpy as np

from engine.sense.arithmetic import Bools, Floats, Ints

NONE = -1  # no stay
NEVER = 2**62  # no timer queued


class Table:
    """Columns that grow together. ``columns`` gives each its type and the value of a fresh row."""

    columns: ClassVar[Mapping[str, tuple[Any, float]]] = {}

    def __init__(self) -> None:
        self.size = 0
        self.capacity = 0
        for name, (kind, _) in self.columns.items():
            setattr(self, name, np.zeros(0, kind))

    def reserve(self, rows: int) -> None:
        """Make room for so many more rows; they start fresh."""
        if self.size + rows <= self.capacity:
            return
        self.capacity = max(64, self.size + rows, self.capacity + self.capacity // 2)
        for name, (kind, fresh) in self.columns.items():
            column = np.full(self.capacity, fresh, kind)
            column[: self.size] = getattr(self, name)[: self.size]
            setattr(self, name, column)

    def dump(self) -> dict[str, bytes]:
        """The used part of every column, as bytes."""
        return {name: getattr(self, name)[: self.size].tobytes() for name in self.columns}

    def restore(self, blobs: Mapping[str, bytes]) -> None:
        """The inverse of ``dump``, into an empty table."""
        loaded = {name: np.frombuffer(blobs[name], kind) for name, (kind, _) in self.columns.items()}
        rows = len(next(iter(loaded.values())))
        self.reserve(rows)
        self.size = rows
        for name, column in loaded.items():
            getattr(self, name)[:rows] = column


class Devices(Table):
    """Per device: its clock (``at`` of the newest signal and when that was ``received``), when it was last ``heard``
    with evidence of a place (NaN: never), whether a fix ever ``placed`` it, its newest fix, and its timers.

    ``timer``: device time of the earliest timer but silence; ``live``: stays that silence would end; ``queued``: the
    second in which the timer queue looks at this device; ``head``: its first stay.
    """

    columns: ClassVar[Mapping[str, tuple[Any, float]]] = {
        "at": (np.float64, -np.inf),
        "received": (np.float64, 0.0),
        "heard": (np.float64, np.nan),
        "placed": (np.bool_, False),
        "fixed": (np.float64, np.nan),
        "lat": (np.float64, np.nan),
        "lon": (np.float64, np.nan),
        "accuracy": (np.float64, np.nan),
        "speed": (np.float32, np.nan),
        "heading": (np.float32, np.nan),
        "altitude": (np.float32, np.nan),
        "battery": (np.float32, np.nan),
        "timer": (np.float64, np.inf),
        "live": (np.bool_, False),
        "queued": (np.int64, NEVER),
        "head": (np.int32, NONE),
    }
    at: Floats
    received: Floats
    heard: Floats
    placed: Bools
    fixed: Floats
    lat: Floats
    lon: Floats
    accuracy: Floats
    speed: Floats
    heading: Floats
    altitude: Floats
    battery: Floats
    timer: Floats
    live: Bools
    queued: Ints
    head: Ints

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.row: dict[str, int] = {}

    def rows(self, names: list[str]) -> Ints:
        """The row of each device; unknown ones get fresh rows, in order."""
        known = self.row
        found = [known.get(name, NONE) for name in names]
        if NONE in found:
            self.reserve(len(names))
            for k, name in enumerate(names):
                if found[k] == NONE:
                    row = known.setdefault(name, self.size)
                    if row == self.size:
                        self.ids.append(name)
                        self.size += 1
                    found[k] = row
        return np.array(found, np.int64)

    def restore_ids(self, ids: list[str]) -> None:
        """The names of the rows, after ``restore``."""
        self.ids, self.row = ids, {name: row for row, name in enumerate(ids)}

    def due_at(self, rows: Ints, silence: float) -> Floats:
        """Device time of the earliest timer of each row; infinite where there is none."""
        return np.minimum(self.timer[rows], np.where(self.live[rows], self.heard[rows] + silence, np.inf))

    def due(self, rows: Ints, silence: float) -> Floats:
        """The same as journal time."""
        timer = self.due_at(rows, silence)
        armed = timer < np.inf  # a device that was never heard of has no clock to reckon with
        return np.where(armed, timer - np.where(armed, self.at[rows], 0.0) + self.received[rows], np.inf)


class Stays(Table):
    """Per stay: the fence, its state, when the visit began, when what is pending began (or, unknown: when it was last
    known inside), how many dwells are done, and the device's next stay."""

    columns: ClassVar[Mapping[str, tuple[Any, float]]] = {
        "fence": (np.int32, NONE),
        "next": (np.int32, NONE),
        "state": (np.int8, 0),
        "dwell": (np.int16, 0),
        "visit": (np.float64, 0.0),
        "since": (np.float64, 0.0),
    }
    fence: Ints
    next: Ints
    state: Ints
    dwell: Ints
    visit: Floats
    since: Floats

    def __init__(self) -> None:
        super().__init__()
        self.free: list[int] = []

    def take(self) -> int:
        """A row for a new stay."""
        if self.free:
            return self.free.pop()
        self.reserve(1)
        self.size += 1
        return self.size - 1

    def release(self, row: int) -> None:
        """The stay is over."""
        self.fence[row] = NONE
        self.free.append(row)

    def of(self, heads: Ints) -> tuple[Ints, Ints]:
        """All stays of several devices: (position in ``heads``, stay row)."""
        owners, rows = [], []
        at = np.flatnonzero(heads != NONE)
        stay = heads[at].astype(np.int64)
        while len(at):
            owners.append(at)
            rows.append(stay)
            stay = self.next[stay].astype(np.int64)
            more = stay != NONE
            at, stay = at[more], stay[more]
        if not owners:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        return np.concatenate(owners), np.concatenate(rows)


def pack(parts: dict[str, Any]) -> bytes:
    """A checkpoint blob."""
    return msgspec.msgpack.encode(parts)


def unpack(blob: bytes) -> dict[str, Any]:
    """The inverse of ``pack``."""
    return msgspec.msgpack.decode(blob, type=dict[str, Any])
