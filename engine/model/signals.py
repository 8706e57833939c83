"""Consecutive signals in columns: what comes in great numbers is not made into objects that nobody looks at."""

import math
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, overload

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


class Signals(Sequence[Signal]):
    """Signals by column: ``devices``; ``keys``; ``numbers``, a row for each of ``NUMBERS``, NaN for None; ``ids``, None
    where no signal has one; ``more``, by index, of those that have any. As a sequence it makes a ``Signal`` of what is
    asked for. Not to be changed once it is made."""

    __slots__ = ("devices", "ids", "keys", "more", "numbers")

    def __init__(
        self,
        devices: list[str],
        keys: Ints,
        numbers: Floats,
        ids: list[str | None] | None = None,
        more: Mapping[int, More] | None = None,
    ) -> None:
        self.devices, self.keys, self.numbers, self.ids, self.more = devices, keys, numbers, ids, more or {}

    @classmethod
    def of(cls, signals: Sequence[Signal]) -> "Signals":
        """Columns of signals (one at least); of what has them already, itself."""
        if isinstance(signals, Signals):
            return signals
        devices, at, keys, *places, events, reported, contexts, people, ids = zip(*map(astuple, signals), strict=True)
        numbers = np.empty((len(NUMBERS), len(devices)))
        for row, values in zip(numbers, (at, *places), strict=True):
            fill(row, values)
        more = {}
        if any(events) or any(reported) or any(contexts) or any(people) or any(c is not None for c in contexts):
            rest = map(More, events, reported, contexts, people)
            more = {k: one for k, one in enumerate(rest) if one != _NOTHING}
        named = list(ids) if any(one is not None for one in ids) else None
        return cls(list(devices), np.array(keys, np.int64), numbers, named, more)

    @classmethod
    def join(cls, parts: Sequence["Signals"]) -> "Signals":
        """One after the other."""
        if len(parts) == 1:
            return parts[0]
        devices: list[str] = []
        ids: list[str | None] | None = [] if any(part.ids is not None for part in parts) else None
        more: dict[int, More] = {}
        for part in parts:
            more.update((k + len(devices), one) for k, one in part.more.items())
            devices += part.devices
            if ids is not None:
                ids += part.ids or [None] * len(part)
        keys = np.concatenate([part.keys for part in parts])
        return cls(devices, keys, np.concatenate([part.numbers for part in parts], axis=1), ids, more)

    def take(self, order: Sequence[int]) -> "Signals":
        """Those at these places, in this order."""
        places = {source: k for k, source in enumerate(order)}
        return Signals(
            [self.devices[k] for k in order],
            self.keys[list(order)],
            np.ascontiguousarray(self.numbers[:, list(order)]),
            None if self.ids is None else [self.ids[k] for k in order],
            {places[k]: one for k, one in self.more.items() if k in places},
        )

    def column(self, name: str) -> Floats:
        """The numbers of that name."""
        row: Floats = self.numbers[NUMBERS.index(name)]
        return row

    def __len__(self) -> int:
        return len(self.devices)

    @overload
    def __getitem__(self, at: int) -> Signal: ...

    @overload
    def __getitem__(self, at: slice) -> "Signals": ...

    def __getitem__(self, at: int | slice) -> "Signal | Signals":
        if isinstance(at, slice):
            part = range(len(self))[at]
            return self if len(part) == len(self) else self._cut(part)
        k = range(len(self))[at]
        time, *rest = self.numbers[:, k].tolist()
        numbers = [None if value != value else value for value in rest]
        row = self.devices[k], time, int(self.keys[k]), *numbers
        return _signal(row, self.more.get(k, _NOTHING), self.ids[k] if self.ids else None)

    def _cut(self, part: range) -> "Signals":
        some = slice(part.start, part.stop)
        return Signals(
            self.devices[some],
            self.keys[some],
            np.ascontiguousarray(self.numbers[:, some]),  # a row each, one after the other, as the kernels expect
            None if self.ids is None else self.ids[some],
            {k - part.start: one for k, one in self.more.items() if k in part},
        )

    def __iter__(self) -> Iterator[Signal]:
        columns = [
            [None if value != value else value for value in row.tolist()] if np.isnan(row).any() else row.tolist()
            for row in self.numbers
        ]
        ids, more = self.ids or [None] * len(self), self.more
        rows = zip(self.devices, columns[0], self.keys.tolist(), *columns[1:], strict=True)
        for k, (row, id) in enumerate(zip(rows, ids, strict=True)):
            yield _signal(row, more.get(k, _NOTHING), id)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)


def _signal(row: tuple[Any, ...], more: More, id: str | None) -> Signal:
    values = (*row, more.event, more.reported, more.context, more.person, id)
    return Signal(*values)


def telling(signals: Sequence[Signal]) -> set[int]:
    """Places of signals that say more than where a device is: an event, context, a person."""
    some: Iterable[tuple[int, Signal | More]]
    some = signals.more.items() if isinstance(signals, Signals) else enumerate(signals)
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
