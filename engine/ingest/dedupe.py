"""Repeats are recognised per device: the last 16 signal keys, and 60 s of those that have no time of their own.

Keys are kept by the row that ``sense`` has given the device, whose name is thus in memory once (see ``lastkeys``);
those of a device whose first signals are still on their way to ``sense``, by its name: packed, newest first.
"""

import sys
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from itertools import repeat

import msgspec
import numpy as np
from msgspec import Struct

from engine.ingest import lastkeys
from engine.ingest.identity import BRIEF
from engine.ingest.lastkeys import KEYS, WIDTH, Bools, Ints, LastKeys
from engine.model.pieces import head_of_bytes, pieces
from engine.model.signal import Signal
from engine.model.signals import Lines, Signals
from engine.sense import Names

BRIEF_SECONDS = 60.0
BRIEF_MOST = 500_000  # beyond that the oldest are forgotten early: memory is bounded, recognition is best effort
_KEPT = WIDTH * (KEYS - 1)  # of the keys a device had, beside a new one
_FEW = 24  # signals up to which arrays do not pay


class _Dump(Struct, array_like=True):
    devices: list[str]
    keys: list[bytes]
    brief: list[tuple[str, int, float]]
    counts: bytes = b""  # by row: how many keys, a byte each
    rows: bytes = b""  # the keys by row, one after the other, newest first


class Recent:
    """What was journaled or queued lately. ``names``: who has which row. Not thread-safe; call it from one loop."""

    def __init__(self, names: Names | None = None) -> None:
        self._names = Names() if names is None else names
        self._held = LastKeys()
        self._new: dict[str, bytes] = {}  # by name, of those without a row
        # in order of time; a plain dict would step over all that were forgotten to find the oldest
        self._brief: OrderedDict[tuple[str, int], float] = OrderedDict()

    def size(self) -> int:
        """Bytes held, but for the names of devices."""
        return self._held.nbytes() + sys.getsizeof(self._new) + sum(map(sys.getsizeof, self._new.values()))

    def fresh(self, rows: Ints, keys: Ints, names: Lines, received: float) -> Bools | None:
        """Which of some signals are no repeats (None: all); those are remembered. ``rows``: of their devices, NONE
        where one has none yet; ``received`` is journal time (it must not decrease between calls)."""
        if self._held.size != self._names.size:
            self._settle()
        odd = (rows | keys << 1) < 0  # without a row, or brief
        if not np.count_nonzero(odd):
            return self._many(rows, keys)
        found, plain = (~odd), (~odd).nonzero()[0]
        if len(plain):
            known = self._many(rows[plain], keys[plain])
            if known is not None:
                found[plain] = known
        at: list[int] = odd.nonzero()[0].tolist()
        new = self._each(rows[at].tolist(), keys[at].tolist(), [names.list[k] for k in at], received)
        found[[at[k] for k in new]] = True
        return None if found.all() else found

    def _many(self, rows: Ints, keys: Ints) -> Bools | None:
        """The same of devices with rows. Those that come several times take turns, each time one signal of each; few
        are judged one by one."""
        if lastkeys.loops is not None:
            return self._held.add_compiled(rows, keys)
        if len(rows) > _FEW:
            ordered = np.sort(rows)
            if not np.count_nonzero(ordered[1:] == ordered[:-1]):
                return self._held.add(rows, keys)
        found, left = np.zeros(len(rows), np.bool_), rows.argsort(kind="stable")
        while len(left) > _FEW:
            first = np.ones(len(left), np.bool_)
            np.not_equal(rows[left[1:]], rows[left[:-1]], out=first[1:])
            turn = left[first]
            if len(turn) <= _FEW:
                break
            known = self._held.add(rows[turn], keys[turn])
            found[turn] = True if known is None else known
            left = left[~first]
        found[left[self._each(rows[left].tolist(), keys[left].tolist(), (), 0.0)]] = True
        return None if found.all() else found

    def _each(self, rows: Sequence[int], keys: Sequence[int], devices: Sequence[str], received: float) -> list[int]:
        """The places of those that are no repeats, judged one by one."""
        if self._held.size != self._names.size:
            self._settle()
        add, found = self._held.add_one, []
        for k, row in enumerate(rows):
            key = keys[k]
            if add(row, key) if row >= 0 and key < BRIEF else self._odd(devices[k], key, received):
                found.append(k)
        return found

    def _settle(self) -> None:
        """The keys of those that got a row since are put there."""
        before, rows = self._held.size, self._names.size
        self._held.extend(rows)
        if self._new:
            held = list(map(self._new.pop, self._names.between(before, rows), repeat(b"")))
            ones = [row for row, packed in enumerate(held, before) if len(packed) == WIDTH]  # so it is with most
            self._held.put_ones(ones, b"".join(packed for packed in held if len(packed) == WIDTH))
            for row, packed in enumerate(held, before):
                if len(packed) > WIDTH:
                    self._held.put_one(row, _split(packed)[::-1])
        if not self._new:
            self._new = {}  # a dict does not shrink

    def judge(self, signals: Sequence[Signal], received: float) -> list[int] | None:
        """The places of those that are no repeats (None: all); see ``fresh``."""
        if type(signals) is Signals:
            rows = self._names.rows_of(signals.names, len(signals), add=False)
            signals.rows = self._names, rows
            told = self.fresh(rows, signals.keys, signals.names, received)
            return None if told is None else told.nonzero()[0].tolist()
        devices, keys = [signal.device for signal in signals], [signal.key for signal in signals]
        found = self._each(self._names.find_all(devices), keys, devices, received)
        return None if len(found) == len(signals) else found

    def admit(self, signals: Sequence[Signal], received: float) -> tuple[Sequence[Signal], int]:
        """The signals that are no repeats, in order, and how many were."""
        fresh = among(signals, self.judge(signals, received))
        return fresh, len(signals) - len(fresh)

    def note(self, signals: Sequence[Signal], received: float) -> None:
        """Remember what the journal holds: replay, in order."""
        self.admit(signals, received)

    def forget(self, signals: Sequence[Signal]) -> None:
        """The append of these fresh signals failed: sent again, they are no repeats."""
        devices, keys = [signal.device for signal in signals], [signal.key for signal in signals]
        self.lose(self._names.find_all(devices), keys, devices)

    def lose(self, rows: Sequence[int], keys: Sequence[int], devices: Sequence[str]) -> None:
        """The same; see ``fresh``."""
        self._settle()
        for row, key, device in zip(rows, keys, devices, strict=True):
            if key & BRIEF:
                self._brief.pop((device, key), None)
            elif row >= 0:
                held = self._held.of(row)
                if key in held:
                    self._held.put_one(row, [other for other in held if other != key])
            elif key in (held := _split(self._new.get(device, b""))):
                self._new[device] = _packed([other for other in held if other != key])

    def dump(self) -> bytes:
        """For the checkpoint."""
        return b"".join(self.pieces())

    def pieces(self) -> Iterator[bytes]:
        """The same bit by bit."""
        self._settle()
        yield b"\x95"  # an array of five: see ``_Dump``
        brief = [(device, key, at) for (device, key), at in self._brief.items()]
        for part in (list(self._new), list(self._new.values()), brief):
            yield from pieces(part)
        counts = self._held.counts()
        yield head_of_bytes(len(counts)) + counts
        yield head_of_bytes(sum(counts) * WIDTH)
        yield from self._held.pieces()

    @classmethod
    def load(cls, blob: bytes | memoryview, names: Names | None = None) -> "Recent":
        """The inverse of :meth:`dump`; ``names`` as they were then. Raises ``msgspec.DecodeError`` on damage."""
        dump = msgspec.msgpack.decode(blob, type=_Dump)
        recent = cls(names)
        try:
            recent._held = LastKeys.load(dump.counts, dump.rows)
        except ValueError as error:
            raise msgspec.DecodeError(str(error)) from None
        if recent._held.size > recent._names.size:
            raise msgspec.DecodeError("keys of devices that nobody knows")
        recent._new = dict(zip(dump.devices, dump.keys, strict=False))
        recent._brief.update(((device, key), at) for device, key, at in dump.brief)
        return recent

    def _odd(self, device: str, key: int, received: float) -> bool:
        return self._admit_brief(device, key, received) if key >= BRIEF else self._admit_new(device, key)

    def _admit_new(self, device: str, key: int) -> bool:
        """Of a device without a row."""
        packed, held = key.to_bytes(WIDTH, "little"), self._new.get(device, b"")
        if held.find(packed) >= 0 and key in _split(held):  # it might lie across two others
            return False
        self._new[device] = packed + held[:_KEPT]
        return True

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


def among(signals: Sequence[Signal], places: Sequence[int] | None) -> Sequence[Signal]:
    """Those at some places (None: all)."""
    if places is None:
        return signals
    return signals.take(places) if isinstance(signals, Signals) else [signals[k] for k in places]


def _split(held: bytes) -> list[int]:
    keys: list[int] = np.frombuffer(held, np.int64).tolist()
    return keys


def _packed(keys: list[int]) -> bytes:
    return np.array(keys, np.int64).tobytes()
