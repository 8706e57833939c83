"""Repeats are recognised per device: the last 16 signal keys, packed, and 60 s of those that have no time of their own.

The keys of a device are one string of bytes, newest first: a look is a substring search, to remember is to prepend.
They are kept by the row that ``sense`` has given the device, whose name is thus in memory once; those of a device whose
first signals are still on their way to ``sense``, by its name.
"""

import sys
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise

import msgspec
from msgspec import Struct

from engine.ingest.signals import BRIEF
from engine.model.pieces import head_of_bytes, pieces
from engine.model.signal import Signal
from engine.model.signals import Signals
from engine.sense import Names

KEYS = 16
WIDTH = 8  # bytes of a key
BRIEF_SECONDS = 60.0
BRIEF_MOST = 500_000  # beyond that the oldest are forgotten early: memory is bounded, recognition is best effort
_KEPT = WIDTH * (KEYS - 1)  # of the keys a device had, beside a new one
_PART = 10_000  # devices written at once


class _Dump(Struct, array_like=True):
    devices: list[str]
    keys: list[bytes]
    brief: list[tuple[str, int, float]]
    counts: bytes = b""  # by row: how many keys, a byte each
    rows: bytes = b""  # the keys by row, one after the other


class Recent:
    """What was journaled or queued lately. ``names``: who has which row. Not thread-safe; call it from one loop."""

    def __init__(self, names: Names | None = None) -> None:
        self._names = Names() if names is None else names
        self._held: list[bytes] = []  # by row
        self._new: dict[str, bytes] = {}  # by name, of those without a row
        # in order of time; a plain dict would step over all that were forgotten to find the oldest
        self._brief: OrderedDict[tuple[str, int], float] = OrderedDict()

    def size(self) -> int:
        """Bytes held, but for the names of devices."""
        held = (*self._held, *self._new.values())
        return sys.getsizeof(self._held) + sys.getsizeof(self._new) + sum(map(sys.getsizeof, held))

    def _rows(self, devices: Sequence[str]) -> list[int]:
        """The row of each device, NONE where it has none yet. The keys of those that got one since are put
        there."""
        if len(self._held) == self._names.size:
            return self._names.find_all(devices)
        for row in range(len(self._held), self._names.size):
            self._held.append(self._new.pop(self._names[row], b"") if self._new else b"")
        if not self._new:
            self._new = {}  # a dict does not shrink
        return self._names.find_all(devices)

    def admit(self, signals: Sequence[Signal], received: float) -> tuple[Sequence[Signal], int]:
        """The signals that are no repeats, in order, and how many were; the fresh ones are remembered. ``received`` is
        journal time (it must not decrease between calls)."""
        devices, keys = _identities(signals)
        by_row, by_name = self._held, self._new
        fresh: list[int] = []
        for k, (row, key) in enumerate(zip(self._rows(devices), keys, strict=True)):
            if key & BRIEF:
                if self._admit_brief(devices[k], key, received):
                    fresh.append(k)
                continue
            packed = key.to_bytes(WIDTH, "little")
            held = by_row[row] if row >= 0 else by_name.get(devices[k], b"")
            if held.find(packed) >= 0 and _aligned(packed, held):  # `in` would first try the key as a number
                continue
            held = packed + held[:_KEPT]
            if row >= 0:
                by_row[row] = held
            else:
                by_name[devices[k]] = held
            fresh.append(k)
        if len(fresh) == len(signals):
            return signals, 0
        some = signals.take(fresh) if isinstance(signals, Signals) else [signals[k] for k in fresh]
        return some, len(signals) - len(fresh)

    def note(self, signals: Sequence[Signal], received: float) -> None:
        """Remember what the journal holds: replay, in order."""
        self.admit(signals, received)

    def forget(self, signals: Sequence[Signal]) -> None:
        """The append of these fresh signals failed: sent again, they are no repeats."""
        devices, keys = _identities(signals)
        for device, key, row in zip(devices, keys, self._rows(devices), strict=True):
            if key & BRIEF:
                self._brief.pop((device, key), None)
                continue
            packed = key.to_bytes(WIDTH, "little")
            held = self._held[row] if row >= 0 else self._new.get(device, b"")
            if packed in held:
                held = b"".join(key for key in _split(held) if key != packed)
                if row >= 0:
                    self._held[row] = held
                else:
                    self._new[device] = held

    def dump(self) -> bytes:
        """For the checkpoint."""
        return b"".join(self.pieces())

    def pieces(self) -> Iterator[bytes]:
        """The same bit by bit."""
        self._rows(())
        yield b"\x95"  # an array of five: see ``_Dump``
        brief = [(device, key, at) for (device, key), at in self._brief.items()]
        for part in (list(self._new), list(self._new.values()), brief):
            yield from pieces(part)
        counts = bytes(len(held) // WIDTH for held in self._held)
        yield head_of_bytes(len(counts)) + counts
        yield head_of_bytes(sum(counts) * WIDTH)
        for at in range(0, len(self._held), _PART):
            yield b"".join(self._held[at : at + _PART])

    @classmethod
    def load(cls, blob: bytes, names: Names | None = None) -> "Recent":
        """The inverse of :meth:`dump`; ``names`` as they were then. Raises ``msgspec.DecodeError`` on damage."""
        dump = msgspec.msgpack.decode(blob, type=_Dump)
        recent = cls(names)
        ends = accumulate((WIDTH * count for count in dump.counts), initial=0)
        recent._held = [dump.rows[at:end] for at, end in pairwise(ends)]
        if len(recent._held) > recent._names.size:
            raise msgspec.DecodeError("keys of devices that nobody knows")
        recent._new = dict(zip(dump.devices, dump.keys, strict=False))
        recent._brief.update(((device, key), at) for device, key, at in dump.brief)
        return recent

    def _admit_brief(self, device: str, key: int, received: float) -> bool:
        brief = self._brief
        while brief:
            oldest = next(iter(brief))
            if brief[oldest] + BRIEF_SECONDS >= received and len(brief) < BRIEF_MOST:
                break
            del brief[oldest]
        identity = (device, key)
        if identity in brief:
            return False
        brief[identity] = received
        return True


def _identities(signals: Sequence[Signal]) -> tuple[list[str], list[int]]:
    """Their devices and keys."""
    if isinstance(signals, Signals):
        return signals.devices, signals.keys.tolist()
    return [signal.device for signal in signals], [signal.key for signal in signals]


def _split(held: bytes) -> list[bytes]:
    return [held[at : at + WIDTH] for at in range(0, len(held), WIDTH)]


def _aligned(packed: bytes, held: bytes) -> bool:
    """Whether a hit is a key, and does not only lie across two of them."""
    return packed in _split(held)
