"""Ids of devices by row, and rows by id: bytes one after the other and an open-addressing table over them, a quarter of
what strings in a ``dict`` take. Those heard of lately are in a small ``dict`` as well, which is quicker."""

from collections.abc import Iterable, Sequence
from sys import getsizeof
from types import ModuleType
from typing import cast

import numpy as np
import numpy.typing as npt

from engine.model.pieces import Column
from engine.model.signals import Lines
from engine.sense.arithmetic import Bools, Ints

NONE, CLOSELY = -1, -2  # a name without a row; one that takes a closer look
Places = npt.NDArray[np.uint64]
loops: ModuleType | None = None  # None: go without numba
_FEW = 24  # names up to which arrays do not pay
_TAG = 0xFFFFFFFF
_BREAK = 10  # of a line
_FULL = 0.7  # of the table, beyond which it grows
NEAR = 65_536  # names in the quick dict; beyond that it begins anew


class Names:
    """Rows are given in order of first sight. How names are spread over the table differs from process to process and
    never shows."""

    def __init__(self) -> None:
        self.size = 0
        self._text = bytearray()
        self._ends = np.zeros(1, np.int64)  # where in the text each name ends; one more, for where the first begins
        self._tags = np.zeros(0, np.uint32)
        self._slots = np.full(64, NONE, np.int32)
        self._near: dict[str, int] = {}
        self._places: Places | None = None  # of the compiled loops
        self._see()

    def _see(self) -> None:
        """For reading and writing one number at a time."""
        self._end, self._tag, self._slot = self._ends.data, self._tags.data, self._slots.data
        self._mask = len(self._slots) - 1

    def __getitem__(self, row: int) -> str:
        return self._text[self._end[row] : self._end[row + 1]].decode("utf-8", "surrogatepass")

    def find(self, name: str) -> int:
        """The row of a name; NONE where there is none."""
        near = self._near.get(name)
        return self._slot[self._place(name, _encoded(name))] if near is None else near

    def one(self, name: str) -> int:
        """The same; an unknown name gets the next row."""
        near = self._near.get(name)
        if near is not None:
            return near
        text = _encoded(name)
        at = self._place(name, text)
        row: int = self._slot[at]
        return self._keep(name, self._add(at, name, text) if row < 0 else row)

    def _keep(self, name: str, row: int) -> int:
        if len(self._near) >= NEAR:
            self._near.clear()
        self._near[name] = row
        return row

    def _place(self, name: str, text: bytes) -> int:
        """The slot that has a name, or is to have it."""
        hashed = hash(name)
        tag, at = hashed & _TAG, hashed & self._mask
        slot, tags, ends = self._slot, self._tag, self._end
        while (row := slot[at]) >= 0 and not (tags[row] == tag and self._text[ends[row] : ends[row + 1]] == text):
            at = (at + 1) & self._mask
        return at

    def _add(self, at: int, name: str, text: bytes) -> int:
        row = self.size
        if row + 1 > _FULL * len(self._slots):
            self._spread(2 * len(self._slots))
            at = self._place(name, text)
        if row + 1 >= len(self._ends):
            self._reserve(row + 1 + row // 8 + 64)
        self._text += text
        self._end[row + 1], self._tag[row], self._slot[at] = len(self._text), hash(name) & _TAG, row
        self.size += 1
        return row

    def _reserve(self, rows: int) -> None:
        ends, tags = np.empty(rows + 1, np.int64), np.empty(rows, np.uint32)
        ends[: self.size + 1], tags[: self.size] = self._ends[: self.size + 1], self._tags[: self.size]
        self._ends, self._tags = ends, tags
        self._see()

    def _spread(self, slots: int) -> None:
        """Another table over the same names."""
        self._slots = np.full(slots, NONE, np.int32)
        self._see()
        self._seat(np.arange(self.size, dtype=np.int32))

    def _seat(self, pending: npt.NDArray[np.int32]) -> None:
        """Put rows into the table that are not there."""
        at = self._tags[pending].astype(np.int64) & self._mask
        while len(pending):
            free = self._slots[at] < 0
            self._slots[at[free]] = pending[free]
            lost = self._slots[at] != pending
            pending, at = pending[lost], (at[lost] + 1) & self._mask

    def _add_all(self, names: list[str]) -> dict[str, int]:
        """The rows of names that had none; none where they are so few that one by one is as quick."""
        if len(names) <= _FEW:
            return {}
        added = {name: row for row, name in enumerate(dict.fromkeys(names), self.size)}
        texts, first, last = [_encoded(name) for name in added], self.size, self.size + len(added)
        while last > _FULL * len(self._slots):
            self._spread(2 * len(self._slots))
        if last >= len(self._ends):
            self._reserve(last + last // 8 + 64)
        sizes = np.fromiter(map(len, texts), np.int64, len(texts))
        self._ends[first + 1 : last + 1] = len(self._text) + sizes.cumsum()
        self._tags[first:last] = np.fromiter(map(hash, added), np.int64, len(added)) & _TAG
        self._text += b"".join(texts)
        self.size = last
        self._seat(np.arange(first, last, dtype=np.int32))
        return added

    def rows_of(self, lines: Lines, count: int, add: bool) -> Ints:
        """The row of each of so many names; unknown ones get fresh rows, in order (``add``), or NONE."""
        if loops is None or lines.joined.count("\n") + 1 != count:
            found = self.rows(lines.list) if add else self.find_all(lines.list)
            return np.array(found, np.int64)
        text = np.frombuffer(_encoded(lines.joined) + loops.PAD, np.uint8)
        begins, mixes, rows = np.empty(count + 1, np.int64), np.empty(count, np.uint64), np.empty(count, np.int64)
        if self._places is None:
            self._places = np.zeros(loops.PLACES, np.uint64)
        held = np.frombuffer(self._text, np.uint8)
        missing = loops.find(text, held, self._ends, self._places, begins, mixes, rows)
        del held  # the names may not grow while anybody looks at them
        lines.tell(begins)
        if missing:
            some = (rows < 0).nonzero()[0]
            names = lines.some(some.tolist())
            rows[some] = self.rows(names) if add else self.find_all(names)
            loops.keep(self._places, mixes, rows, some[rows[some] >= 0])
        return rows

    def rows(self, names: Sequence[str]) -> list[int]:
        """The row of each name; unknown ones get fresh rows, in order."""
        return self._each(names, add=True)

    def find_all(self, names: Sequence[str]) -> list[int]:
        """The row of each name; NONE where there is none."""
        return self._each(names, add=False)

    def _each(self, names: Sequence[str], add: bool) -> list[int]:
        """The row of each name, by the quick dict, by the table at large, or by a closer look."""
        found = list(map(self._near.get, names))
        if None not in found:
            return cast(list[int], found)
        far = [k for k, row in enumerate(found) if row is None]
        rows, added = self._far([names[k] for k in far]), dict[str, int]()
        if add and CLOSELY not in rows:  # else they would get rows in another order
            added = self._add_all([names[k] for k, row in zip(far, rows, strict=True) if row == NONE])
        closely = self.one if add else self.find
        for k, row in zip(far, rows, strict=True):
            at = added.get(names[k], NONE) if row < 0 else row
            found[k] = closely(names[k]) if at < 0 else self._keep(names[k], at)
        return cast(list[int], found)

    def _far(self, names: Sequence[str]) -> list[int]:
        return [CLOSELY] * len(names) if len(names) <= _FEW else self._found(names).tolist()

    def _found(self, names: Sequence[str]) -> Ints:
        """The row of each name; NONE where it has none, CLOSELY where it takes a closer look to tell."""
        hashed = np.fromiter(map(hash, names), np.int64, len(names))
        at, tags = hashed & self._mask, hashed.astype(np.uint32)
        rows = self._slots.take(at).astype(np.int64)
        if not self.size:
            return rows
        while True:
            other = ((rows >= 0) & (self._tags.take(rows, mode="clip") != tags)).nonzero()[0]
            if not len(other):
                break
            at[other] = (at[other] + 1) & self._mask
            rows[other] = self._slots[at[other]]
        rows[(rows >= 0) & ~self._same(names, rows)] = CLOSELY
        return rows

    def _same(self, names: Sequence[str], rows: Ints) -> Bools:
        """Whether each row (or NONE) has that very name; rather no than wrong."""
        text = _encoded("".join(names))
        sizes = np.fromiter(map(len, names), np.int64, len(names))
        known = rows >= 0
        ends = sizes.cumsum()
        if not len(names) or int(ends[-1]) != len(text):  # letters beyond ASCII: one by one
            return np.zeros(len(names), np.bool_)
        begin = self._ends.take(rows, mode="clip")
        known &= self._ends.take(rows + 1, mode="clip") - begin == sizes
        some = known.nonzero()[0]
        if not len(some):
            return known
        sizes, starts = sizes[some], ends[some] - sizes[some]
        lead = sizes.cumsum()
        lead -= sizes
        step = np.arange(int(lead[-1] + sizes[-1]))
        here = np.repeat(starts - lead, sizes)
        here += step
        there = np.repeat(begin[some] - lead, sizes)
        there += step
        equal = np.frombuffer(text, np.uint8).take(here) == np.frombuffer(self._text, np.uint8).take(there)
        if not equal.all():
            known[some] = np.logical_and.reduceat(equal, lead) | (sizes == 0)
        return known

    def dump(self) -> dict[str, Column]:
        """For a checkpoint."""
        return {"text": lambda: bytes(self._text), "ends": self._ends[1 : self.size + 1].tobytes}

    @classmethod
    def load(cls, text: bytes | memoryview, ends: bytes | memoryview) -> "Names":
        """The inverse of ``dump``."""
        names = cls()
        names.size = size = len(ends) // 8
        names._text = bytearray(text)
        names._ends = np.concatenate([np.zeros(1, np.int64), np.frombuffer(ends, np.int64)])
        names._see()
        names._tags = (np.fromiter(map(hash, names.all()), np.int64, size) & _TAG).astype(np.uint32)
        names._spread(max(64, 1 << int(size / _FULL).bit_length()))
        return names

    def all(self) -> Iterable[str]:
        """Every name, in order of rows."""
        return self.between(0, self.size)

    def between(self, first: int, last: int) -> Iterable[str]:
        """The names of rows from ``first`` to before ``last``."""
        begin = int(self._ends[first])
        text = self._text[begin : self._ends[last]]
        if last - first < _FEW or not text.isascii() or _BREAK in text:
            return (self[row] for row in range(first, last))
        lines = np.insert(np.frombuffer(text, np.uint8), self._ends[first + 1 : last] - begin, _BREAK)
        return lines.tobytes().decode("ascii").split("\n")  # a third of what it takes to cut them out one by one

    def nbytes(self) -> int:
        """Bytes held."""
        arrays = self._ends.nbytes + self._tags.nbytes + self._slots.nbytes
        arrays += 0 if self._places is None else self._places.nbytes
        return len(self._text) + arrays + getsizeof(self._near) + sum(map(getsizeof, self._near))


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
