"""The last keys of every device, by row, in columns: never an object per device.

A row's *word* is its one key; or, below zero and with all bits turned, where its keys lie: the number of a chunk, and
in the lowest five bits how many keys there are (from 16 on the place of the oldest). Chunks are as large as a device
needs, oldest key first, and lie in their pool without a hole: the last one fills what is given up.
"""

from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

loops: ModuleType | None = None  # None: go without numba
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

KEYS = 16
WIDTH = 8  # bytes of a key
EMPTY = -1  # the word of a row without keys, and what is in a chunk where no key is yet: no key is below zero
_WIDTHS = (2, 4, 8, KEYS)  # keys that the chunks of each pool hold
STATE = 31  # the bits of a word that tell how many keys there are
_PLACE = 15  # those that tell where the next key goes
_POOL = (0, 0, 0, 1, 1, 2, 2, 2, 2, *[3] * 23)  # by state
_NEXT = np.array([*range(1, 2 * KEYS), KEYS])  # by state, the one after one more key
_POOLS = np.array(_POOL)
_STEP = 1 << 17  # bytes that a large column grows by
_PART = 10_000  # rows written or read at once


class _Column:
    """Numbers, ``width`` to a row, that grow and shrink in place: a large ``bytearray`` is moved by the system and not
    copied."""

    array: npt.NDArray[Any]  # (rows, width), for numpy
    flat: npt.NDArray[Any]  # the same in a line
    view: "memoryview[int]"  # for one number at a time

    def __init__(self, code: Literal["q", "i"], width: int = 1) -> None:
        self.held, self._code, self._width = bytearray(), code, width
        self._bytes = width * np.dtype(code).itemsize
        self._see()

    def _see(self) -> None:
        self.view = memoryview(self.held).cast(self._code)
        self.flat = np.frombuffer(self.view, self._code)
        self.array = self.flat.reshape(-1, self._width) if self._width > 1 else self.flat
        self.address: int = self.flat.ctypes.data

    def _resize(self, size: int) -> None:
        """Nothing may look at it meanwhile."""
        del self.array, self.flat
        self.view.release()
        if size > len(self.held):
            self.held += b"\xff" * (size - len(self.held))
        else:
            del self.held[size:]
        self._see()

    def reserve(self, count: int) -> None:
        """Have room for so many rows."""
        if self._bytes * count > len(self.held):
            self.fit(count)

    def fit(self, count: int) -> None:
        """Have room for so many rows, and not for many more."""
        size, room = self._bytes * count, len(self.held)
        if size > room or 3 * size + _STEP < room:
            self._resize(size + self._bytes * min(8 + count // 8, _STEP // self._bytes))


class _Pool:
    """Chunks of ``width`` keys, and whose row each is."""

    def __init__(self, width: int) -> None:
        self.width, self.bytes, self.size = width, WIDTH * width, 0
        self.keys, self.owner = _Column("q", width), _Column("i")

    def hold(self, size: int) -> int:
        """Have so many chunks, and not room for many more; how many there were."""
        before, self.size = self.size, size
        self.keys.fit(size)
        self.owner.fit(size)
        return before

    def place(self, more: int) -> tuple[int, int, int]:
        """For the compiled loops: the addresses of the chunks and of whose they are, with room for so many more, and
        how many there are."""
        self.keys.reserve(self.size + more)
        self.owner.reserve(self.size + more)
        return self.keys.address, self.owner.address, self.size

    def begin(self, rows: Ints, keys: Ints) -> Ints:
        """Chunks for so many rows; ``keys``: (rows, width)."""
        first = self.hold(self.size + len(rows))
        self.keys.array[first : self.size], self.owner.array[first : self.size] = keys, rows
        return np.arange(first, self.size)

    def begin_one(self, row: int, keys: bytes) -> int:
        """A chunk for a row."""
        chunk = self.hold(self.size + 1)
        self.keys.held[chunk * self.bytes : (chunk + 1) * self.bytes] = keys.ljust(self.bytes, b"\xff")
        self.owner.view[chunk] = row
        return chunk

    def of(self, chunk: int) -> bytes:
        """What it holds."""
        return bytes(self.keys.view[chunk * self.width : (chunk + 1) * self.width])

    def give_up(self, chunks: Ints) -> tuple[Ints, Ints]:
        """Rows whose chunks are others now, and which."""
        last = self.size - len(chunks)
        kept = np.ones(len(chunks), np.bool_)
        kept[chunks[chunks >= last] - last] = False
        holes, movers = chunks[chunks < last], last + kept.nonzero()[0]
        keys, owner = self.keys.array, self.owner.array
        keys[holes], owner[holes] = keys[movers], owner[movers]
        moved = owner[holes]
        del keys, owner
        self.hold(last)
        return moved, holes

    def give_up_one(self, chunk: int) -> int:
        """The row that has this chunk now; EMPTY where nobody has."""
        last, moved = self.size - 1, EMPTY
        if chunk < last:
            self.keys.held[chunk * self.bytes : (chunk + 1) * self.bytes] = self.of(last)
            moved = self.owner.view[chunk] = self.owner.view[last]
        self.hold(last)
        return moved

    def nbytes(self) -> int:
        """Bytes held."""
        return len(self.keys.held) + len(self.owner.held)


class LastKeys:
    """The last ``KEYS`` keys of each row. A key is a number from 0 to 2**63 - 1."""

    def __init__(self) -> None:
        self.size = 0  # rows
        self._words = _Column("q")
        self._pools = [_Pool(width) for width in _WIDTHS]

    def nbytes(self) -> int:
        """Bytes held."""
        return len(self._words.held) + sum(pool.nbytes() for pool in self._pools)

    def extend(self, rows: int) -> None:
        """Have so many rows; new ones have no keys."""
        self._words.fit(rows)
        self.size = rows

    # ------------------------------------------------------------------ one at a time

    def add_one(self, row: int, key: int) -> bool:
        """Remember a key of a row; whether it is new."""
        words = self._words.view
        word = ~words[row]
        if word <= 0:  # one key or none
            if word == ~key:
                return False
            if word:
                self._begin_one(row, [~word, key])
            else:
                words[row] = key
            return True
        state = word & STATE
        pool = self._pools[_POOL[state]]
        column, packed, at = pool.keys, key.to_bytes(WIDTH, "little"), (word >> 5) * pool.bytes
        found = column.held.find(packed, at, at + pool.bytes)
        if found >= 0 and (not found % WIDTH or key in self.of(row)):  # it might lie across two others
            return False
        if state == pool.width < KEYS:
            held = pool.of(word >> 5)
            self._give_up_one(pool, word >> 5)
            self._place_one(row, held + packed)
        else:
            column.view[(at >> 3) + (state & _PLACE)] = key
            words[row] = ~(word + 1 if state < STATE else word - _PLACE)
        return True

    def of(self, row: int) -> list[int]:
        """The keys of a row, oldest first."""
        word = self._words.view[row]
        if word >= EMPTY:
            return [word] if word >= 0 else []
        state, pool = ~word & STATE, self._pools[_POOL[~word & STATE]]
        held: list[int] = np.frombuffer(pool.of(~word >> 5), np.int64).tolist()
        return held[state % KEYS :] + held[: state % KEYS] if state >= KEYS else held[:state]

    def put_one(self, row: int, keys: Sequence[int]) -> None:
        """A row's keys are these, oldest first."""
        word = self._words.view[row]
        if word < EMPTY:
            self._give_up_one(self._pools[_POOL[~word & STATE]], ~word >> 5)
        if len(keys) > 1:
            self._begin_one(row, keys)
        else:
            self._words.view[row] = keys[0] if keys else EMPTY

    def put_ones(self, rows: list[int], keys: bytes) -> None:
        """Rows without keys get one each."""
        self._words.array[rows] = np.frombuffer(keys, np.int64)

    def _begin_one(self, row: int, keys: Sequence[int]) -> None:
        self._place_one(row, b"".join(key.to_bytes(WIDTH, "little") for key in keys))

    def _place_one(self, row: int, keys: bytes) -> None:
        count = len(keys) // WIDTH
        self._words.view[row] = ~(self._pools[_POOL[count]].begin_one(row, keys) << 5 | count)

    def _give_up_one(self, pool: _Pool, chunk: int) -> None:
        moved = pool.give_up_one(chunk)
        if moved >= 0:
            self._words.view[moved] = ~(chunk << 5 | ~self._words.view[moved] & STATE)

    # ------------------------------------------------------------------ many at once

    def add_compiled(self, rows: Ints, keys: Ints) -> Bools | None:
        """The same as ``add`` by the compiled loops, of rows that may come several times."""
        assert loops is not None
        new = np.empty(len(rows), np.bool_)
        pools = np.array([number for pool in self._pools for number in pool.place(len(rows))])
        repeats = loops.add(rows, keys, self._words.flat, pools, new)
        for pool, size in zip(self._pools, pools[2::3].tolist(), strict=True):
            if pool.size != size:
                pool.hold(size)
        return new if repeats else None

    def add(self, rows: Ints, keys: Ints) -> Bools | None:
        """Remember a key each of rows that are all different; which keys are new (None: all)."""
        word = self._words.array.take(rows)
        at = ~word
        state = at & STATE
        if np.count_nonzero((state > _WIDTHS[-2]) & (at > 0)) == len(rows):  # as it is once all have sent enough
            return self._among(KEYS, rows, keys, at, state)
        state[word >= 0] = 1
        new = np.ones(len(rows), np.bool_)
        pool = np.where(state > 1, _POOLS[state], EMPTY)
        for kind in range(EMPTY, len(_WIDTHS)):
            own = (pool == kind).nonzero()[0]
            if len(own):
                part = rows[own], keys[own]
                own_new = (
                    self._first(*part, word[own])
                    if kind == EMPTY
                    else self._among(_WIDTHS[kind], *part, at[own], state[own])
                )
                if own_new is not None:
                    new[own] = own_new
        return None if np.count_nonzero(new) == len(new) else new

    def _first(self, rows: Ints, keys: Ints, word: Ints) -> Bools:
        """Rows with one key or none."""
        new: Bools = word != keys
        none, one = word == EMPTY, (new & (word >= 0)).nonzero()[0]
        self._words.array[rows[none]] = keys[none]
        if len(one):
            self._begin(rows[one], np.stack((word[one], keys[one]), axis=1), 2)
        return new

    def _among(self, width: int, rows: Ints, keys: Ints, at: Ints, state: Ints) -> Bools | None:
        """Rows of one pool."""
        pool, new = self._pools[_POOL[width]], None
        hits = pool.keys.array.take(at >> 5, axis=0) == keys[:, None]
        if np.count_nonzero(hits):
            new = ~hits.any(axis=1)
            rows, keys, at, state = rows[new], keys[new], at[new], state[new]
        if width < KEYS:
            full = state == width
            if np.count_nonzero(full):
                there = ~full
                self._write(pool, rows[there], keys[there], at[there], state[there])
                self._move_up(pool, rows[full], keys[full], at[full] >> 5)
                return new
        self._write(pool, rows, keys, at, state)
        return new

    def _write(self, pool: _Pool, rows: Ints, keys: Ints, at: Ints, state: Ints) -> None:
        """Into chunks that have a place, or whose oldest key goes."""
        pool.keys.flat[(at >> 5) * pool.width + (state & _PLACE)] = keys
        self._words.array[rows] = ~(at - state + _NEXT.take(state))

    def _begin(self, rows: Ints, keys: Ints, count: int) -> None:
        """Chunks with so many keys each; ``keys``: (rows, width)."""
        self._words.array[rows] = ~(self._pools[_POOL[count]].begin(rows, keys) << 5 | count)

    def _move_up(self, pool: _Pool, rows: Ints, keys: Ints, chunks: Ints) -> None:
        """To chunks twice as wide, with a key more."""
        wide = np.full((len(rows), 2 * pool.width), EMPTY)
        wide[:, : pool.width], wide[:, pool.width] = pool.keys.array.take(chunks, axis=0), keys
        self._begin(rows, wide, pool.width + 1)
        moved, to = pool.give_up(chunks)
        self._words.array[moved] = ~(to << 5 | ~self._words.array[moved] & STATE)

    # ------------------------------------------------------------------ checkpoints

    def counts(self) -> bytes:
        """How many keys each row has, a byte each."""
        return b"".join(np.minimum(self._states(at), KEYS).astype(np.uint8).tobytes() for at in self._parts())

    def pieces(self) -> Iterator[bytes]:
        """The keys by row, newest first."""
        for start in self._parts():
            word, state = self._words.array[start : min(start + _PART, self.size)], self._states(start)
            out = np.empty((len(word), KEYS), np.int64)
            out[:, 0] = word
            for kind, pool in enumerate(self._pools):
                own = ((state > 1) & (_POOLS[state] == kind)).nonzero()[0]
                newest_first = (state[own, None] - 1 - np.arange(pool.width)) % pool.width
                held = pool.keys.array.take(~word[own] >> 5, axis=0)
                out[own, : pool.width] = np.take_along_axis(held, newest_first, axis=1)
            yield out[np.arange(KEYS) < np.minimum(state, KEYS)[:, None]].tobytes()

    def _parts(self) -> range:
        return range(0, self.size, _PART)

    def _states(self, start: int) -> Ints:
        word = self._words.array[start : min(start + _PART, self.size)]
        return np.where(word < 0, ~word & STATE, 1)

    @classmethod
    def load(cls, counts: bytes, keys: bytes) -> "LastKeys":
        """The inverse of ``counts`` and ``pieces``. Raises ``ValueError`` where they do not fit together."""
        count, held = np.frombuffer(counts, np.uint8), np.frombuffer(keys, np.int64)
        if (len(count) and count.max() > KEYS) or count.sum() != len(held) or (len(held) and held.min() < 0):
            raise ValueError("the keys are not as many as are counted, or are none")
        made = cls()
        made.extend(len(count))
        ends = count.cumsum(dtype=np.int64)
        for start in made._parts():
            part = slice(start, start + _PART)
            made._restore(start, count[part].astype(np.int64), ends[part], held)
        return made

    def _restore(self, start: int, count: Ints, ends: Ints, held: Ints) -> None:
        """Some rows, of which all that come before them are there."""
        one = (count == 1).nonzero()[0]
        self._words.array[start : start + len(count)] = EMPTY
        self._words.array[start + one] = held[ends[one] - 1]
        for some in range(2, KEYS + 1):
            own = (count == some).nonzero()[0]
            if len(own):
                wide = np.full((len(own), _WIDTHS[_POOL[some]]), EMPTY)
                wide[:, :some] = held[ends[own, None] - 1 - np.arange(some)]
                self._begin(start + own, wide, some)
