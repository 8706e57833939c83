"""Consecutive signals in columns: what comes in great numbers is not made into objects that nobody looks at."""

import math
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import repeat
from typing import Any, cast, final, overload

import numpy as np
import numpy.typing as npt
from msgspec import Struct
from msgspec.structs import astuple

from engine.model.signal import Reported, Signal

NUMBERS = ("at", "lat", "lon", "accuracy", "speed", "heading", "altitude", "battery")
FEW = 8  # signals up to which columns do not pay
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class More(Struct, frozen=True, array_like=True):
    """What few signals have."""

    event: str | None = None
    reported: Reported | None = None
    context: dict[str, Any] | None = None
    person: str | None = None


_NOTHING = More()
_BREAK = 10  # of a line


class Lines:
    """Texts without line breaks, as a list or joined, whichever is asked for."""

    __slots__ = ("_begins", "_joined", "_list")

    def __init__(self, told: str | list[str]) -> None:
        self._joined: str | None = told if isinstance(told, str) else None
        self._list: list[str] | None = None if isinstance(told, str) else told
        self._begins: memoryview | None = None  # where each begins when joined, and where one more would

    @property
    def list(self) -> list[str]:
        """One by one."""
        if self._list is None:
            self._list = cast(str, self._joined).split("\n")
        return self._list

    @property
    def joined(self) -> str:
        """One a line."""
        if self._joined is None:
            self._joined = "\n".join(cast(list[str], self._list))
        return self._joined

    def some(self, places: Sequence[int]) -> Sequence[str]:
        """Those at these places."""
        if self._list is not None or (begins := self._found()) is None:
            return [self.list[k] for k in places]
        return [self.joined[begins[k] : begins[k + 1] - 1] for k in places]

    def part(self, start: int, stop: int) -> "Lines":
        """Those in a row from ``start`` to before ``stop``."""
        if start >= stop or self._list is not None or (begins := self._found()) is None:
            return Lines(self.list[start:stop])
        return Lines(self.joined[begins[start] : begins[stop] - 1])

    def tell(self, begins: Ints) -> None:
        """By who went through their bytes anyway: where each begins when joined, and where one more would."""
        if self.joined.isascii():
            self._begins = begins.data

    def _found(self) -> memoryview | None:
        """To find a few without making all: for plain ASCII, where a byte is a letter."""
        if self._begins is None and self.joined.isascii():
            after = np.flatnonzero(np.frombuffer(self.joined.encode(), np.uint8) == _BREAK) + 1
            self._begins = np.concatenate(([0], after, [len(self.joined) + 1])).data
        return self._begins


@final
class Signals(Sequence[Signal]):
    """Signals by column: the names of ``devices``; ``keys``; ``numbers``, a row for each of ``NUMBERS``, NaN for None;
    ``ids``, "" for None, None where no signal has one; ``more``, by index, of those that have any. As a sequence it
    makes a ``Signal`` of what is asked for. Not to be changed once it is made.

    ``rows``, for those who looked them up: whose rows, and the row of each device there.
    """

    __slots__ = ("_made", "ids", "keys", "more", "names", "numbers", "rows")

    def __init__(
        self,
        names: Lines,
        keys: Ints,
        numbers: Floats,
        ids: Lines | None = None,
        more: Mapping[int, More] | None = None,
    ) -> None:
        self.names, self.keys, self.numbers, self.ids, self.more = names, keys, numbers, ids, more or {}
        self.rows: tuple[object, Ints] | None = None
        self._made: dict[int, Signal] = {}

    @property
    def devices(self) -> list[str]:
        """The name of each device."""
        return self.names.list

    @classmethod
    def of(cls, signals: Sequence[Signal]) -> "Signals":
        """Columns of signals (one at least); of what has them already, itself."""
        if isinstance(signals, Signals):
            return signals
        devices, at, keys, *places, events, reported, contexts, people, ids = zip(*map(astuple, signals), strict=True)
        size = len(devices)
        numbers = np.empty((len(NUMBERS), size))
        for row, values in zip(numbers, (at, *places), strict=True):
            fill(row, values)
        more = {}
        if any(column.count(None) < size for column in (events, reported, contexts, people)):
            rest = map(More, events, reported, contexts, people)
            more = {k: one for k, one in enumerate(rest) if one != _NOTHING}
        return cls(Lines(list(devices)), np.array(keys, np.int64), numbers, ids_of(ids), more)

    @classmethod
    def join(cls, parts: Sequence["Signals"]) -> "Signals":
        """One after the other."""
        if len(parts) == 1:
            return parts[0]
        more: dict[int, More] = {}
        start = 0
        for part in parts:
            more.update((k + start, one) for k, one in part.more.items())
            start += len(part)
        ids = None
        if any(part.ids is not None for part in parts):
            ids = _joined([part.ids or Lines("\n" * (len(part) - 1)) for part in parts])
        keys, numbers = np.concatenate([p.keys for p in parts]), np.concatenate([p.numbers for p in parts], axis=1)
        whole = cls(_joined([part.names for part in parts]), keys, numbers, ids, more)
        known = [part.rows for part in parts if part.rows is not None]
        if len(known) == len(parts) and all(whose is known[0][0] for whose, _ in known):
            whole.rows = known[0][0], np.concatenate([rows for _, rows in known])
        return whole

    def take(self, order: Sequence[int]) -> "Signals":
        """Those at these places, in this order."""
        places, index = {source: k for k, source in enumerate(order)}, list(order)
        return self._part(index, {places[k]: one for k, one in self.more.items() if k in places})

    def _part(self, some: slice | list[int], more: dict[int, More]) -> "Signals":
        def of(lines: Lines) -> Lines:
            return lines.part(some.start, some.stop) if isinstance(some, slice) else Lines(list(lines.some(some)))

        # a row each, one after the other, as the kernels expect
        numbers = np.ascontiguousarray(self.numbers[:, some])
        part = Signals(of(self.names), self.keys[some], numbers, None if self.ids is None else of(self.ids), more)
        part.rows = None if self.rows is None else (self.rows[0], self.rows[1][some])
        return part

    def __len__(self) -> int:
        return len(self.keys)

    @overload
    def __getitem__(self, at: int) -> Signal: ...

    @overload
    def __getitem__(self, at: slice) -> "Signals": ...

    def __getitem__(self, at: int | slice) -> "Signal | Signals":
        if isinstance(at, slice):
            part = range(len(self))[at]
            if len(part) == len(self):
                return self
            more = {k - part.start: one for k, one in self.more.items() if k in part}
            return self._part(slice(part.start, part.stop), more)
        k = range(len(self))[at]
        return self._made.get(k) or self.each([k])[0]

    def each(self, some: list[int]) -> list[Signal]:
        """Those at these places; they are kept, for who asks about one asks again."""
        made = self._made
        if fresh := [k for k in some if k not in made]:
            names, ids, more = self.names.some(fresh), self.ids.some(fresh) if self.ids else repeat(""), self.more
            rows = zip(fresh, names, ids, self.keys[fresh].tolist(), self.numbers[:, fresh].T.tolist(), strict=False)
            for k, name, id, key, (at, *rest) in rows:
                numbers = [None if value != value else value for value in rest]
                made[k] = _signal((name, at, key, *numbers), more.get(k, _NOTHING), id)
        return [made[k] for k in some]

    def __iter__(self) -> Iterator[Signal]:
        columns = [
            [None if value != value else value for value in row.tolist()] if np.isnan(row).any() else row.tolist()
            for row in self.numbers
        ]
        ids, more = self.ids.list if self.ids else [""] * len(self), self.more
        rows = zip(self.names.list, columns[0], self.keys.tolist(), *columns[1:], strict=True)
        for k, (row, id) in enumerate(zip(rows, ids, strict=True)):
            yield _signal(row, more.get(k, _NOTHING), id)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)


def numbers_of(signals: Sequence[Signal]) -> list[float]:
    """``NUMBERS`` of a handful of signals, one column after the other, NaN for None."""
    rows = [(s.at, s.lat, s.lon, s.accuracy, s.speed, s.heading, s.altitude, s.battery) for s in signals]
    flat = rows[0] if len(rows) == 1 else [value for column in zip(*rows, strict=True) for value in column]
    return [math.nan if value is None else value for value in flat]


def ids_of(ids: Sequence[str | None]) -> Lines | None:
    """Ids as a column."""
    return None if ids.count(None) == len(ids) else Lines([id or "" for id in ids])


def _joined(parts: Sequence[Lines]) -> Lines:
    return Lines("\n".join([part.joined for part in parts]))


def _signal(row: tuple[Any, ...], more: More, id: str) -> Signal:
    values = (*row, more.event, more.reported, more.context, more.person, id or None)
    return Signal(*values)


def telling(signals: Sequence[Signal]) -> set[int]:
    """Places of signals that say more than where a device is: an event, context, a person."""
    some: Iterable[tuple[int, Signal | More]]
    some = signals.more.items() if type(signals) is Signals else enumerate(signals)
    return {k for k, s in some if s.event is not None or s.context is not None or s.person is not None}


def fill(column: Floats, values: Sequence[float | None]) -> None:
    """Put numbers into a column, None as NaN."""
    if None not in values:
        _packer(len(values)).pack_into(column.data, 0, *values)
    elif values.count(None) == len(values):
        column[:] = math.nan
    else:
        column[:] = [math.nan if value is None else value for value in values]


@lru_cache(maxsize=4096)
def _packer(count: int) -> struct.Struct:
    return struct.Struct(f"{count}d")
