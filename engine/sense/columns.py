"""The state of all devices in columns: one row per device, one per stay in a fence; never an object per device."""

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from struct import Struct
from typing import Any, ClassVar

import numpy as np

from engine.model.pieces import Column
from engine.model.signals import Signals
from engine.sense.arithmetic import Bools, Floats, Ints
from engine.sense.names import Names

NONE = -1  # no stay
NEVER = 2**62  # no timer queued
HELD = 8  # stays of a device that its row can hold
MANY = 100_000  # rows from which less is kept in reserve
_BLOCK = 1024  # rows made ready at once
STATE = 28  # bits of a fence's position; those above tell the state of a stay that is not simply inside


class Table:
    """Columns that grow together, kept row by row: what is known of one device lies side by side in memory. ``columns``
    gives each its type and the value of a fresh row; those read most come first. ``buffer``: the rows as bytes,
    ``width`` each."""

    columns: ClassVar[Mapping[str, tuple[Any, float]]] = {}
    derived: ClassVar[frozenset[str]] = frozenset()  # not dumped: worked out anew

    def __init__(self) -> None:
        self.size = 0
        self.capacity = 0
        self._begun = 0  # rows that are in use or fresh
        self.view: dict[str, Any] = {}  # the columns for plain reading and writing, one number at a time
        self.kind = self.row()
        self.width = self.kind.itemsize
        self._set(np.zeros(0, self.kind))

    @classmethod
    def row(cls) -> "np.dtype[Any]":
        """How a row lies in memory."""
        return np.dtype([(name, kind) for name, (kind, _) in cls.columns.items()], align=True)

    def _set(self, table: Any) -> None:
        self.table, self._bytes = table, _as_bytes(table)
        self.buffer = table.view(np.uint8).data
        for name in self.columns:
            setattr(self, name, table[name])
            self.view[name] = table[name].data

    def reserve(self, rows: int) -> None:
        """Make room for so many more rows; they start fresh."""
        wanted = self.size + rows
        if wanted > self._begun:
            if wanted > self.capacity:
                self._enlarge(wanted)
            self._begin(min(self.capacity, max(wanted, self._begun + _BLOCK)))

    def _enlarge(self, rows: int) -> None:
        """What is beyond the rows in use is not touched, and so takes no memory yet."""
        spare = self.capacity // (2 if self.capacity < MANY else 8)
        self.capacity = max(64, rows, self.capacity + spare)
        table = np.empty(self.capacity, self.kind)
        _as_bytes(table)[: self._begun] = self._bytes[: self._begun]
        self._set(table)

    def _begin(self, rows: int) -> None:
        for name, (_, fresh) in self.columns.items():
            self.table[name][self._begun : rows] = fresh
        self._begun = rows

    def take(self, rows: Ints) -> Any:
        """A copy of some rows."""
        return self._bytes.take(rows).view(self.kind)

    def put(self, rows: Ints, table: Any) -> None:
        """Write rows back; of one that comes twice the last counts."""
        self._bytes[rows] = _as_bytes(table)

    def dump(self) -> dict[str, Column]:
        """The used part of every column, as bytes to be."""
        kept = [name for name in self.columns if name not in self.derived]
        return {name: getattr(self, name)[: self.size].tobytes for name in kept}

    def restore(self, blobs: Mapping[str, bytes | memoryview]) -> None:
        """The inverse of ``dump``, into an empty table."""
        kept = [(name, kind) for name, (kind, _) in self.columns.items() if name not in self.derived]
        # a column that came later than the checkpoint begins fresh
        loaded = {name: np.frombuffer(blobs[name], kind) for name, kind in kept if name in blobs}
        rows = len(next(iter(loaded.values())))
        if rows > self.capacity:
            self._enlarge(rows)
        for start in range(0, rows, _BLOCK):  # a few rows at a time stay in the cache for all their columns
            part = slice(start, min(start + _BLOCK, rows))
            for name, (_, fresh) in self.columns.items():
                self.table[name][part] = loaded[name][part] if name in loaded else fresh
        self.size = self._begun = rows


def _as_bytes(table: Any) -> Any:
    """The rows as lumps of bytes: numpy moves those many times faster than structs."""
    return table.view(np.dtype((np.void, table.dtype.itemsize)))


class Devices(Table):
    """Per device: its clock (``at`` of the newest signal and when that was ``received``), when it was last ``heard``
    with evidence of a place (NaN: never), whether a fix ever ``placed`` it, its newest fix, where it stands
    (``stand_lat``, ``stand_lon``, ``stand_since``, ``still``: see ``stops``), until when visits were ``told`` of it in
    fences that are gone (a fix may come that is older), and its timers.

    ``timer``: device time of the earliest timer but silence; ``live``: stays that silence would end; ``queued``: the
    second in which the timer queue looks at this device; ``head``: its first stay; ``marks``: its first mark. For quick
    reading: ``count`` of its stays, and ``held``, their fences while there is room for all (and above
    ``STATE`` bits the state of those it is not simply inside of).
    """

    columns: ClassVar[Mapping[str, tuple[Any, float]]] = {
        "at": (np.float64, -np.inf),
        "received": (np.float64, 0.0),
        "heard": (np.float64, np.nan),
        "timer": (np.float64, np.inf),
        "told": (np.float64, -np.inf),
        "head": (np.int32, NONE),
        "held": (np.dtype((np.int32, (HELD,))), NONE),
        "count": (np.int16, 0),
        "placed": (np.bool_, False),
        "live": (np.bool_, False),
        "fixed": (np.float64, np.nan),
        "lat": (np.float64, np.nan),
        "lon": (np.float64, np.nan),
        "accuracy": (np.float64, np.nan),
        "stand_since": (np.float64, np.nan),
        "queued": (np.int64, NEVER),
        "stand_lat": (np.float32, np.nan),
        "stand_lon": (np.float32, np.nan),
        "still": (np.float32, np.nan),
        "speed": (np.float32, np.nan),
        "heading": (np.float32, np.nan),
        "altitude": (np.float32, np.nan),
        "battery": (np.float32, np.nan),
        "marks": (np.int32, NONE),
    }
    derived = frozenset(("held", "count", "queued"))
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
    stand_lat: Floats
    stand_lon: Floats
    stand_since: Floats
    still: Floats
    timer: Floats
    live: Bools
    queued: Ints
    head: Ints
    marks: Ints
    told: Floats
    held: Ints
    count: Ints

    def __init__(self) -> None:
        super().__init__()
        self.names = Names()

    def rows_of(self, signals: Signals) -> Ints:
        """The row of each signal's device; unknown ones get fresh rows, in order."""
        whose, rows = signals.rows or (None, None)
        if whose is not self.names or rows is None or rows.min() < 0:
            self.reserve(len(signals))
            rows = self.names.rows_of(signals.names, len(signals), add=True)
            self.size = self.names.size
        return rows

    def rows(self, names: Sequence[str]) -> Ints:
        """The row of each device; unknown ones get fresh rows, in order."""
        self.reserve(len(names))
        rows: Ints = packed(self.names.rows(names), "q")
        self.size = self.names.size
        return rows

    def one(self, name: str) -> int:
        """The row of one device; a fresh one where it is unknown."""
        self.reserve(1)
        row = self.names.one(name)
        self.size = self.names.size
        return row

    def due_at(self, rows: Ints, silence: float) -> Floats:
        """Device time of the earliest timer of each row; infinite where there is none."""
        return np.minimum(self.timer[rows], np.where(self.live[rows], self.heard[rows] + silence, np.inf))

    def due(self, rows: Ints, silence: float) -> Floats:
        """The same as journal time."""
        timer = self.due_at(rows, silence)
        armed = timer < np.inf  # a device that was never heard of has no clock to reckon with
        return np.where(armed, timer - np.where(armed, self.at[rows], 0.0) + self.received[rows], np.inf)

    def due_one(self, row: int, silence: float) -> float:
        """The same for one row."""
        return self.due_few((row,), silence)[0]

    def due_few(self, rows: Iterable[int], silence: float) -> list[float]:
        """The same for a few rows."""
        own, found = self.view, list[float]()
        timer, live, heard, at, received = own["timer"], own["live"], own["heard"], own["at"], own["received"]
        for row in rows:
            due = timer[row]
            if live[row]:
                silent = heard[row] + silence
                due = silent if silent < due else due
            found.append(due - at[row] + received[row] if due < math.inf else math.inf)
        return found


class Chained(Table):
    """Rows that hang together in chains, one chain per device, and are used again: those that are ``free`` hang
    together too."""

    fence: Ints
    next: Ints

    def __init__(self) -> None:
        super().__init__()
        self.free = NONE  # the first of them

    def fresh(self) -> int:
        """A row for a new one."""
        row = self.free
        if row != NONE:
            self.free = self.view["next"][row]
            return row
        self.reserve(1)
        self.size += 1
        return self.size - 1

    def release(self, row: int) -> None:
        """It is over."""
        self.view["fence"][row], self.view["next"][row] = NONE, self.free
        self.free = row

    def room(self, rows: int) -> int:
        """Make ready so many rows more, one at least; so many are ready then, in all."""
        self.reserve(max(rows, 1))
        return self._begun

    def hold_free(self, free: int | list[int]) -> None:
        """Of a checkpoint: the first row that is free, or (in an old one) a list of all."""
        if isinstance(free, int):
            self.free = free
        else:
            self.release_all(np.array(free, np.int64))

    def release_all(self, rows: Ints) -> None:
        """These are over; the last of them is used first."""
        if len(rows):
            self.fence[rows] = NONE
            self.next[rows[0]], self.next[rows[1:]] = self.free, rows[:-1]
            self.free = int(rows[-1])

    def of(self, heads: Ints) -> tuple[Ints, Ints]:
        """All of several devices, one device after the other, each in the order of its chain: (position in ``heads``,
        row)."""
        count = np.zeros(len(heads), np.int64)
        rounds = []
        at = np.flatnonzero(heads != NONE)
        row = heads[at].astype(np.int64)
        while len(at):
            count[at] += 1
            rounds.append((at, row))
            row = self.next[row].astype(np.int64)
            more = row != NONE
            at, row = at[more], row[more]
        first = np.cumsum(count) - count
        rows = np.zeros(int(count.sum()), np.int64)
        for nth, (at, row) in enumerate(rounds):
            rows[first[at] + nth] = row
        return np.repeat(np.arange(len(heads)), count), rows


class Marks(Chained):
    """Per approach told of, or passed over in silence: the fence, the wish (metres, or seconds below zero), how many
    metres from the border the device must have been before it counts again, and the device's next mark."""

    columns: ClassVar[Mapping[str, tuple[Any, float]]] = {
        "wish": (np.float64, 0.0),
        "beyond": (np.float64, 0.0),
        "fence": (np.int32, NONE),
        "next": (np.int32, NONE),
    }
    wish: Floats
    beyond: Floats


class Stays(Chained):
    """Per stay: the fence, its state, when the visit began, when what is pending began (or, unknown: when it was last
    known inside), how many dwells are done, and the device's next stay."""

    columns: ClassVar[Mapping[str, tuple[Any, float]]] = {
        "visit": (np.float64, 0.0),
        "since": (np.float64, 0.0),
        "fence": (np.int32, NONE),
        "next": (np.int32, NONE),
        "dwell": (np.int16, 0),
        "state": (np.int8, 0),
    }
    state: Ints
    dwell: Ints
    visit: Floats
    since: Floats


def packed(values: Sequence[Any], code: str) -> Any:
    """A column of plain numbers: ``code`` "d" for floats, "q" for integers."""
    held, packer = bytearray(8 * len(values)), _packer(len(values), code)
    packer.pack_into(held, 0, *values)
    return np.frombuffer(held, code)


@lru_cache(maxsize=4096)
def _packer(count: int, code: str) -> Struct:
    return Struct(f"{count}{code}")
