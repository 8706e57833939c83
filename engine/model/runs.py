"""Records in a row, signals among them in columns; and how the journal writes them."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, cast, overload

import msgspec
import numpy as np
from msgspec import Struct, field

from engine.model.record import Record
from engine.model.signal import Signal
from engine.model.signals import FEW, NUMBERS, Lines, More, Signals

Run = Sequence[Record]
_SINGLES = 32  # records that came one by one for which columns do not pay


class Runs(Sequence[Record]):
    """Records of which some are signals in columns. ``parts``: one after the other, each a ``Signals`` or a list."""

    __slots__ = ("parts",)

    def __init__(self, parts: Sequence[Run]) -> None:
        self.parts = parts

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    @overload
    def __getitem__(self, at: int) -> Record: ...

    @overload
    def __getitem__(self, at: slice) -> Run: ...

    def __getitem__(self, at: int | slice) -> Record | Run:
        if isinstance(at, slice):
            first, last, _ = at.indices(len(self))
            return _one(list(self._between(first, last)))
        place = range(len(self))[at]
        return next(self._between(place, place + 1))[0]

    def _between(self, first: int, last: int) -> Iterator[Run]:
        for part in self.parts:
            if first < len(part) and last > 0:
                yield part[max(first, 0) : last]
            first, last = first - len(part), last - len(part)

    def __iter__(self) -> Iterator[Record]:
        return (record for part in self.parts for record in part)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)


_COLUMNS = (Signals, Runs)


def runs(records: Run) -> Sequence[Run]:
    """The parts of records: ``Signals``, or others (single signals may be among them)."""
    return records.parts if type(records) is Runs else (records,)


def others(records: Run) -> Iterator[tuple[int, Record]]:
    """Records that are not in columns, each with its place."""
    start = 0
    for run in runs(records):
        if type(run) is not Signals:
            yield from enumerate(run, start)
        start += len(run)


def signals_of(records: Run) -> Iterator[Sequence[Signal]]:
    """The signals among records, in order."""
    for run in runs(records):
        yield run if isinstance(run, Signals) else [record for record in run if type(record) is Signal]


def together(parts: Iterable[Run]) -> Run:
    """Records one after the other; signals that follow each other go into columns where they are more than a few, or
    where some that came one by one are many."""
    parts = list(parts)
    if sum(map(len, parts)) <= _SINGLES and not any(type(part) in _COLUMNS for part in parts):
        return [record for part in parts for record in part]
    items = (item for part in parts for item in items_of(part))
    return _one(
        joined(cast(list[Signal | Signals], list(group))) if alike else cast(list[Record], list(group))
        for alike, group in groupby(items, key=lambda item: type(item) is Signal or type(item) is Signals)
    )


def items_of(records: Run) -> Iterator[Record | Signals]:
    """Records, with signals in columns as one."""
    for run in runs(records):
        if type(run) is Signals:
            yield run
        else:
            yield from run


def joined(items: Sequence[Signal | Signals]) -> Sequence[Signal]:
    """Signals one after the other: in columns, or a list where they are few and not in columns all."""
    if all(type(item) is Signals for item in items):
        return Signals.join(cast(list[Signals], items))
    if len(items) <= FEW and all(type(item) is Signal for item in items):
        return cast(list[Signal], items)
    if sum(len(item) if type(item) is Signals else 1 for item in items) <= FEW:
        return [signal for item in items for signal in (item if type(item) is Signals else (item,))]
    found: list[Signals] = []
    for columns, group in groupby(items, key=lambda item: type(item) is Signals):
        same = list(group)
        found += cast(list[Signals], same) if columns else [Signals.of(cast(list[Signal], same))]
    return Signals.join(found)


def _one(parts: Iterable[Run]) -> Run:
    """Parts as few as can be: lists that meet become one."""
    found: list[Run] = []
    for part in parts:
        if found and isinstance(part, list) and isinstance(found[-1], list):
            found[-1] = found[-1] + part
        elif len(part):
            found.append(part)
    return found[0] if len(found) == 1 else Runs(found) if found else []


# ------------------------------------------------------------------ in the journal


class _Block(Struct, frozen=True, array_like=True, tag="signals"):
    """Signals in columns: of ``NUMBERS`` those that any signal has (``given``: a bit for each); texts one a line."""

    names: str
    keys: bytes
    given: int
    numbers: bytes
    ids: str | None = None
    more: dict[int, More] = field(default_factory=dict)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[Record | _Block])


def encode_records(records: Run) -> bytes:
    """Records as one msgpack array."""
    if isinstance(records, list):
        return _encoder.encode(records)
    items: list[Any] = []
    for run in runs(records):
        items += [_block(run)] if isinstance(run, Signals) and _has_lines(run) else run
    return _encoder.encode(items)


def _has_lines(signals: Signals) -> bool:
    """Whether each text is one line; nothing else comes in by ``ingest``."""
    columns = [signals.names, *([signals.ids] if signals.ids else [])]
    return all(column.joined.count("\n") == len(signals) - 1 for column in columns)


def decode_records(payload: bytes | memoryview) -> Run:
    """The inverse of :func:`encode_records`; raises ``msgspec.DecodeError`` on damage."""
    items = _decoder.decode(payload)
    found: list[Run] = []
    for block, group in groupby(items, key=lambda item: type(item) is _Block):
        same = list(group)
        found += map(_columns, cast(list[_Block], same)) if block else [cast(list[Record], same)]
    return _one(found)


def _block(signals: Signals) -> _Block:
    absent = np.logical_and.reduce(np.isnan(signals.numbers), axis=1).tolist()
    given = [k for k, nothing in enumerate(absent) if not nothing]
    numbers = signals.numbers if len(given) == len(NUMBERS) else signals.numbers[given]
    return _Block(
        signals.names.joined,
        signals.keys.astype("<i8", copy=False).tobytes(),
        sum(1 << k for k in given),
        numbers.astype("<f8", copy=False).tobytes(),
        None if signals.ids is None else signals.ids.joined,
        dict(signals.more),
    )


def _columns(block: _Block) -> Signals:
    size, given = len(block.keys) // 8, [k for k in range(len(NUMBERS)) if block.given >> k & 1]
    lines = [text.count("\n") + 1 for text in (block.names, block.ids) if text is not None]
    fit = len(block.keys) == 8 * size and len(block.numbers) == 8 * size * len(given) and {*lines} == {size}
    if not fit or not all(0 <= k < size for k in block.more):
        raise msgspec.DecodeError("columns that do not fit each other")
    numbers = np.full((len(NUMBERS), size), np.nan)
    numbers[given] = np.frombuffer(block.numbers, "<f8").reshape(len(given), size)
    ids = None if block.ids is None else Lines(block.ids)
    return Signals(Lines(block.names), np.frombuffer(block.keys, "<i8"), numbers, ids, block.more)
