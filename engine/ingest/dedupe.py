"""Repeats are recognised per device: the last 16 signal keys, packed, and 60 s of those that have no time of their own.

The keys of a device are one string of bytes, newest first: a look is a substring search, to remember is to prepend.
"""

import sys
from collections import OrderedDict
from collections.abc import Iterator, Sequence

import msgspec
from msgspec import Struct

from engine.ingest.signals import BRIEF
from engine.model.pieces import pieces
from engine.model.signal import Signal

KEYS = 16
WIDTH = 8  # bytes of a key
BRIEF_SECONDS = 60.0
BRIEF_MOST = 500_000  # beyond that the oldest are forgotten early: memory is bounded, recognition is best effort
_KEPT = WIDTH * (KEYS - 1)  # of the keys a device had, beside a new one


class _Dump(Struct, array_like=True):
    devices: list[str]
    keys: list[bytes]
    brief: list[tuple[str, int, float]]


class Recent:
    """What was journaled or queued lately. Not thread-safe; call it from one loop."""

    def __init__(self) -> None:
        self._keys: dict[str, bytes] = {}
        # in order of time; a plain dict would step over all that were forgotten to find the oldest
        self._brief: OrderedDict[tuple[str, int], float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._keys)

    def size(self) -> int:
        """Bytes held, but for the names of devices."""
        return sys.getsizeof(self._keys) + sum(map(sys.getsizeof, self._keys.values()))

    def admit(self, signals: Sequence[Signal], received: float) -> tuple[list[Signal], int]:
        """The signals that are no repeats, in order, and how many were; the fresh ones are remembered. ``received`` is
        journal time (it must not decrease between calls)."""
        keys = self._keys
        fresh: list[Signal] = []
        for signal in signals:
            key = signal.key
            if key & BRIEF:
                if self._admit_brief(signal, received):
                    fresh.append(signal)
                continue
            packed, device = key.to_bytes(WIDTH, "little"), signal.device
            held = keys.get(device, b"")
            if held.find(packed) >= 0 and _aligned(packed, held):  # `in` would first try the key as a number
                continue
            keys[device] = packed + held[:_KEPT]
            fresh.append(signal)
        return fresh, len(signals) - len(fresh)

    def note(self, signals: Sequence[Signal], received: float) -> None:
        """Remember what the journal holds: replay, in order."""
        self.admit(signals, received)

    def forget(self, signals: Sequence[Signal]) -> None:
        """The append of these fresh signals failed: sent again, they are no repeats."""
        for signal in signals:
            if signal.key & BRIEF:
                self._brief.pop((signal.device, signal.key), None)
                continue
            packed, held = signal.key.to_bytes(WIDTH, "little"), self._keys.get(signal.device, b"")
            if packed in held:
                self._keys[signal.device] = b"".join(key for key in _split(held) if key != packed)

    def dump(self) -> bytes:
        """For the checkpoint."""
        return b"".join(self.pieces())

    def pieces(self) -> Iterator[bytes]:
        """The same bit by bit."""
        yield b"\x93"  # an array of three: see ``_Dump``
        brief = [(device, key, at) for (device, key), at in self._brief.items()]
        for part in (list(self._keys), list(self._keys.values()), brief):
            yield from pieces(part)

    @classmethod
    def load(cls, blob: bytes) -> "Recent":
        """The inverse of :meth:`dump`; raises ``msgspec.DecodeError`` on damage."""
        dump = msgspec.msgpack.decode(blob, type=_Dump)
        recent = cls()
        recent._keys = dict(zip(dump.devices, dump.keys, strict=False))
        recent._brief.update(((device, key), at) for device, key, at in dump.brief)
        return recent

    def _admit_brief(self, signal: Signal, received: float) -> bool:
        brief = self._brief
        while brief:
            oldest = next(iter(brief))
            if brief[oldest] + BRIEF_SECONDS >= received and len(brief) < BRIEF_MOST:
                break
            del brief[oldest]
        identity = (signal.device, signal.key)
        if identity in brief:
            return False
        brief[identity] = received
        return True


def _split(held: bytes) -> list[bytes]:
    return [held[at : at + WIDTH] for at in range(0, len(held), WIDTH)]


def _aligned(packed: bytes, held: bytes) -> bool:
    """Whether a hit is a key, and does not only lie across two of them."""
    return packed in _split(held)
