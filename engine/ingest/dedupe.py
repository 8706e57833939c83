"""Repeats are recognised per device: the last 16 signal keys, packed, and 60 s of those that have no time of their own.

128 bytes of keys and one of position per device, in one block: a look is a substring search in the device's stretch.
"""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from engine.ingest.signals import BRIEF
from engine.model.signal import Signal

KEYS = 16
WIDTH = 8 * KEYS
BRIEF_SECONDS = 60.0
BRIEF_MOST = 500_000  # beyond that the oldest are forgotten early: memory is bounded, recognition is best effort


class _Dump(Struct, array_like=True):
    devices: list[str]
    keys: bytes
    heads: bytes
    brief: list[tuple[str, int, float]]


class Recent:
    """What was journaled or queued lately. Not thread-safe; call it from one loop."""

    def __init__(self) -> None:
        self._rows: dict[str, int] = {}
        self._keys = bytearray()
        self._heads = bytearray()
        self._brief: dict[tuple[str, int], float] = {}  # in order of time

    def __len__(self) -> int:
        return len(self._rows)

    def admit(self, signals: Sequence[Signal], received: float) -> tuple[list[Signal], int]:
        """The signals that are no repeats, in order, and how many were; the fresh ones are remembered. ``received`` is
        journal time (it must not decrease between calls)."""
        rows, keys, heads = self._rows, self._keys, self._heads
        fresh: list[Signal] = []
        for signal in signals:
            key = signal.key
            if key & BRIEF:
                if self._admit_brief(signal, received):
                    fresh.append(signal)
                continue
            packed = key.to_bytes(8, "little")
            row = rows.get(signal.device)
            if row is None:
                row = self._add(signal.device)
            start = row * WIDTH
            found = keys.find(packed, start, start + WIDTH)
            if found >= 0 and (found % 8 == 0 or self._aligned(packed, found, start)):
                continue
            head = heads[row]
            keys[start + 8 * head : start + 8 * head + 8] = packed
            heads[row] = (head + 1) % KEYS
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
            row = self._rows.get(signal.device)
            if row is None:
                continue
            start, packed = row * WIDTH, signal.key.to_bytes(8, "little")
            for place in range(start, start + WIDTH, 8):
                if self._keys[place : place + 8] == packed:
                    self._keys[place : place + 8] = bytes(8)

    def dump(self) -> bytes:
        """For the checkpoint."""
        brief = [(device, key, at) for (device, key), at in self._brief.items()]
        return msgspec.msgpack.encode(_Dump(list(self._rows), bytes(self._keys), bytes(self._heads), brief))

    @classmethod
    def load(cls, blob: bytes) -> "Recent":
        """The inverse of :meth:`dump`; raises ``msgspec.DecodeError`` on damage."""
        dump = msgspec.msgpack.decode(blob, type=_Dump)
        recent = cls()
        recent._rows = {device: row for row, device in enumerate(dump.devices)}
        recent._keys, recent._heads = bytearray(dump.keys), bytearray(dump.heads)
        recent._brief = {(device, key): at for device, key, at in dump.brief}
        return recent

    def _add(self, device: str) -> int:
        row = self._rows[device] = len(self._heads)
        self._keys.extend(bytes(WIDTH))
        self._heads.append(0)
        return row

    def _aligned(self, packed: bytes, found: int, start: int) -> bool:
        """Whether a hit that lies across two keys is followed by a true one."""
        while found >= 0 and found % 8:
            found = self._keys.find(packed, found + 1, start + WIDTH)
        return found >= 0

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
