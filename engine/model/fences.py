"""Many fences at once, kept packed: as structs a hundred thousand of them would be a million small objects, which take
three times the memory and hold up every thread when they are made, looked through or freed.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from heapq import merge
from itertools import accumulate, chain, count, pairwise
from typing import Any, overload

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Struct

from engine.model.fence import Fence
from engine.model.pieces import head_of_list

Ints = npt.NDArray[np.int64]
NONE = -1
_PORTION = 1000  # fences worked on at a time, so that a thread at work never holds up the others for long
_BLOB = 2500  # fences in a blob: more than a megabyte, so that it goes back when it is let go of
_BLOBS = 2048  # beyond so many, or where half of what they hold is no fence any more, all are packed anew
_QUICK = 12_288  # fences kept decoded (some 900 bytes each); beyond that they begin anew: a city's are all there
_SEARCHES = 16  # fences looked for among so many times as many are each searched; more are looked up in a table
_serials = count(1)
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Fence).decode
_raws = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode


class Head(Struct, frozen=True):
    """What is asked of every fence when it comes: its id, and what few fences have."""

    id: str
    tags: tuple[str, ...] = ()
    dwell: tuple[float, ...] = ()
    cross: bool = False
    open: tuple[Any, ...] = ()
    but: tuple[Any, ...] = ()
    valid: tuple[str | None, str | None] = (None, None)
    source: str = ""


_heads = msgspec.msgpack.Decoder(list[Head]).decode


class Blob(Struct, frozen=True):
    """Msgpack of fences one after the other, and a number that no other blob of this process has."""

    data: bytes
    serial: int


class Few(Struct, frozen=True):
    """Fences that ask for more than others, by id: for dwells, to be told of passing through, not to be always open."""

    dwells: dict[str, tuple[float, ...]] = {}
    crossed: dict[str, None] = {}
    timed: dict[str, None] = {}

    def changed(self, put: Iterable[Fence | Head], gone: Iterable[str]) -> "Few":
        """With some put, after others went."""
        dwells, crossed, timed = dict(self.dwells), dict(self.crossed), dict(self.timed)
        for held in (dwells, crossed, timed) if dwells or crossed or timed else ():
            for id in gone:
                held.pop(id, None)
        for one in put:
            if one.dwell:
                dwells[one.id] = one.dwell
            if one.cross:
                crossed[one.id] = None
            if one.open or one.but or one.valid != (None, None):
                timed[one.id] = None
        return Few(dwells, crossed, timed)

    def joined(self, other: "Few") -> "Few":
        """These and others."""
        return Few(self.dwells | other.dwells, self.crossed | other.crossed, self.timed | other.timed)


class Fences(Sequence[Fence]):
    """In the order of their ids, each id once; immutable. ``ids`` are theirs; a fence is decoded when it is asked for.
    ``few`` are those that ask for more than the others; ``quick``, by id, those kept decoded."""

    def __init__(self, ids: list[str], blobs: Sequence[Blob], place: npt.NDArray[np.int32], few: Few) -> None:
        self.ids, self.few = ids, few
        self._blobs, self._place = tuple(blobs), place  # place: blob, start and size of each
        self._view = self._place.data
        self.quick: dict[str, Fence] = {}

    @classmethod
    def of(cls, fences: Iterable[Fence]) -> "Fences":
        """These; of two with one id the later."""
        return fences if isinstance(fences, Fences) else _of({fence.id: fence for fence in fences})

    @classmethod
    def read(cls, lists: Iterable[bytes]) -> "Fences":
        """Of msgpack lists of fences, each with an id of its own. msgspec's errors where they are no fences."""
        blobs, places = list[Blob](), [_NOWHERE]
        ids, asking, tags = list[str](), list[Head](), set[str]()
        for number, data in enumerate(lists):
            raws, heads = _raws(data), _heads(data)
            sizes = np.fromiter(map(len, raws), np.int32, len(raws))
            starts = np.int32(len(data)) - sizes[::-1].cumsum(dtype=np.int32)[::-1]
            places.append(np.column_stack([np.full(len(sizes), number, np.int32), starts, sizes]))
            blobs.append(Blob(data, next(_serials)))
            ids += [head.id for head in heads]  # heads go as they come: a hundred thousand at once hold up others
            asking += [head for head in heads if head.dwell or head.cross or head.open or head.but or any(head.valid)]
            tags |= {tag for head in heads for tag in head.tags}
        few, place = Few().changed(asking, ()), np.concatenate(places)
        if (ordered := in_order(ids)) != ids:
            at = {id: number for number, id in enumerate(ids)}
            place = place[np.fromiter(map(at.__getitem__, ordered), np.int64, len(ids))]
        fences = cls(ordered, blobs, place, few)
        fences.tags = dict.fromkeys(sorted(tags))
        return fences

    @classmethod
    def joined(cls, lots: Iterable[Sequence[Fence]]) -> Sequence[Fence]:
        """All of several lots: packed where one of them is, unless an id comes twice."""
        held = [lot for lot in lots if lot]
        if not any(isinstance(lot, Fences) for lot in held):
            return list(chain.from_iterable(held))
        whole = EMPTY
        for lot in held:
            whole = whole.over(cls.of(lot))
        return whole if len(whole) == sum(map(len, held)) else list(chain.from_iterable(held))

    # ------------------------------------------------------------------ looking

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, row: int) -> Fence: ...
    @overload
    def __getitem__(self, row: slice) -> "tuple[Fence, ...]": ...
    def __getitem__(self, row: int | slice) -> "Fence | tuple[Fence, ...]":
        if isinstance(row, slice):
            return tuple(self[k] for k in range(*row.indices(len(self))))
        if not -len(self) <= row < len(self):
            raise IndexError(row)
        return _decode(self.body(row))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Sequence) and len(other) == len(self):
            return all(a == b for a, b in zip(self, other, strict=True))
        return False

    __hash__ = None  # type: ignore[assignment]  # as of any sequence that is compared by what it holds

    def body(self, row: int) -> memoryview:
        """A fence as msgpack."""
        view = self._view
        start = view[row, 1]
        return memoryview(self._blobs[view[row, 0]].data)[start : start + view[row, 2]]

    def find(self, id: str) -> int:
        """The row of a fence; NONE where there is none."""
        ids = self.ids
        row = bisect_left(ids, id)
        return row if row < len(ids) and ids[row] == id else NONE

    def rows(self, ids: Sequence[str]) -> Ints:
        """The rows of fences; NONE where there is none. Of many it is told without a search for each."""
        if len(ids) * _SEARCHES < len(self):
            return np.fromiter(map(self.find, ids), np.int64, len(ids))
        at: dict[str, int] = {}
        for first in range(0, len(self), _PORTION):
            at.update(zip(self.ids[first : first + _PORTION], count(first)))
        found = [[at.get(id, NONE) for id in ids[first : first + _PORTION]] for first in range(0, len(ids), _PORTION)]
        return np.array(list(chain.from_iterable(found)), np.int64)

    def get(self, id: str) -> Fence | None:
        """The fence of that id."""
        row = self.find(id)
        return None if row == NONE else self[row]

    def known(self, id: str) -> Fence:
        """The fence of that id, which is here."""
        return self[self.find(id)]

    def heads(self) -> Iterator[Head]:
        """What is asked of every fence."""
        return chain.from_iterable(map(_heads, self.lists()))

    @cached_property
    def tags(self) -> dict[str, None]:
        """Every tag that one of them has, sorted."""
        return _tags(self.heads())

    def holds(self, fence: Fence) -> bool:
        """Whether it is here just so."""
        row = self.find(fence.id)
        return row != NONE and (self.body(row) == _encode(fence) or self[row] == fence)

    def pieces(self) -> list[Any]:
        """Its large parts, to be let go of one by one."""
        return [self.ids, self._place, *self._blobs]

    def lists(self) -> Iterator[bytes]:
        """All of them as msgpack lists, as ``read`` takes them."""
        for at in range(0, len(self), _BLOB):
            some = [self.body(row) for row in range(at, min(at + _BLOB, len(self)))]
            yield head_of_list(len(some)) + b"".join(some)

    def nbytes(self) -> int:
        """Bytes of what is packed."""
        return sum(len(blob.data) for blob in self._blobs) + self._place.nbytes

    # ------------------------------------------------------------------ changing

    def changed(self, put: Iterable[Fence] = (), drop: Iterable[str] = ()) -> "Fences":
        """With some put (or replaced; of two with one id the later), then some dropped. What stays is shared."""
        gone = list(drop)
        fresh = put if isinstance(put, Fences) else _of({fence.id: fence for fence in put})
        return fresh._without(gone).over(self._without(gone))._tidy()

    def over(self, other: "Fences") -> "Fences":
        """These, and those of the others whose ids are not here."""
        if not len(self) or not len(other):
            return self if len(self) else other
        less = len(self) <= len(other)  # to look for the fewer among the many is less work
        rest = other._less(other.rows(self.ids) if less else np.flatnonzero(self.rows(other.ids) != NONE))
        if not len(rest):
            return self
        ids, at = _merged(rest.ids, self.ids)
        own = self._place + np.array([len(rest._blobs), 0, 0], np.int32)
        few = rest.few.joined(self.few)
        return Fences(ids, (*rest._blobs, *self._blobs), np.insert(rest._place, at, own, axis=0), few)

    def _without(self, gone: Sequence[str]) -> "Fences":
        return self._less(self.rows(gone)) if gone else self

    def _less(self, rows: Ints) -> "Fences":
        """Without these (NONE: none)."""
        gone = np.unique(rows[rows != NONE])
        if len(gone) in (0, len(self)):
            return EMPTY if len(gone) else self
        kept: list[str] = []
        for before, row in pairwise([NONE, *gone.tolist(), len(self.ids)]):
            kept += self.ids[before + 1 : row]
        few = self.few.changed((), [self.ids[row] for row in gone.tolist()])
        return Fences(kept, self._blobs, np.delete(self._place, gone, axis=0), few)

    def _tidy(self) -> "Fences":
        """The same, packed anew where too much of what is packed is no fence any more."""
        held, needed = sum(len(blob.data) for blob in self._blobs), int(self._place[:, 2].sum())
        if len(self._blobs) <= max(_BLOBS, len(self) // _PORTION) and held <= 2 * needed + _PORTION:
            return self
        blobs, places = list[Blob](), [_NOWHERE]
        for at in range(0, len(self), _BLOB):
            some = [self.body(row) for row in range(at, min(at + _BLOB, len(self)))]
            blob, place = _blob(some, len(blobs))
            blobs.append(blob)
            places.append(place)
        return Fences(self.ids, blobs, np.concatenate(places), self.few)

    # ------------------------------------------------------------------ from one to the other

    def alike(self, other: "Fences", but: Ints | None = None) -> tuple[Ints, Ints]:
        """The rows, here and there, of the fences that are in both just so; ascending. ``but``: rows here that are not
        worth to be compared."""
        mine, theirs = self._keys(), other._keys()
        _, here, there = np.intersect1d(mine, theirs, assume_unique=True, return_indices=True)
        known = np.full(len(self), NONE, np.int64)
        known[here] = there
        if len(here) < min(len(self), len(other)):
            wanted = known == NONE
            wanted[[] if but is None else but] = False
            rows = np.flatnonzero(wanted)
            at = other.rows([self.ids[row] for row in rows.tolist()])
            maybe = (at != NONE) & (self._place[rows, 2] == other._place[at, 2])
            for row, there_ in zip(rows[maybe].tolist(), at[maybe].tolist(), strict=True):
                if self.body(row) == other.body(there_):
                    known[row] = there_
        here = np.flatnonzero(known != NONE)
        return here, known[here]

    def _keys(self) -> Ints:
        serials = np.array([blob.serial for blob in self._blobs] or [0], np.int64)
        keys: Ints = (serials[self._place[:, 0]] << 32) | self._place[:, 1]
        return keys

    def whereabouts(self, old: "Fences", alike: tuple[Ints, Ints] | None = None) -> Ints:
        """For each fence of another set its row here, NONE where it is gone; one more NONE at the end. ``alike``, if
        that is known already."""
        here, there = alike or self.alike(old)
        moved = np.full(len(old) + 1, NONE, np.int64)
        moved[there] = here
        rest = np.flatnonzero(moved[:-1] == NONE)
        moved[rest] = self.rows([old.ids[row] for row in rest.tolist()])
        return moved


class ById(Mapping[str, Fence]):
    """Fences by id. Those asked for lately are kept decoded, for all who look them up in the same ``Fences``."""

    def __init__(self, fences: Fences) -> None:
        self.listed, self._quick = fences, fences.quick

    def __getitem__(self, id: str) -> Fence:
        found = self.get(id)
        if found is None:
            raise KeyError(id)
        return found

    def get(self, id: str, default: Any = None) -> Fence | Any:
        """The fence of that id."""
        found = self._quick.get(id)
        if found is None and (found := self.listed.get(id)) is not None:
            if len(self._quick) >= _QUICK:
                self._quick.clear()
            self._quick[found.id] = found
        return default if found is None else found

    def __contains__(self, id: object) -> bool:
        return isinstance(id, str) and self.listed.find(id) != NONE

    def __iter__(self) -> Iterator[str]:
        return iter(self.listed.ids)

    def __len__(self) -> int:
        return len(self.listed)


def heads(fences: Sequence[Fence]) -> "Iterable[Fence | Head]":
    """What is asked of every fence; they are not decoded for it."""
    return fences.heads() if isinstance(fences, Fences) else fences


def in_order(names: list[str]) -> list[str]:
    """The names sorted; many of them in portions, for sorting in one go would hold up every other thread."""
    portions = [sorted(names[at : at + _PORTION]) for at in range(0, len(names), _PORTION)]
    if all(before[-1] <= after[0] for before, after in pairwise(portions)):
        return list(chain.from_iterable(portions))
    return list(merge(*portions))


def _tags(heads: Iterable[Head]) -> dict[str, None]:
    return dict.fromkeys(sorted({tag for head in heads for tag in head.tags}))


def _of(fences: Mapping[str, Fence]) -> Fences:
    """These, packed."""
    ids = in_order(list(fences))
    blobs, places = list[Blob](), [_NOWHERE]
    for at in range(0, len(ids), _BLOB):
        blob, place = _blob([_encode(fences[id]) for id in ids[at : at + _BLOB]], len(blobs))
        blobs.append(blob)
        places.append(place)
    return Fences([_copy(id) for id in ids], blobs, np.concatenate(places), Few().changed(fences.values(), ()))


def _blob(bodies: Sequence[bytes | memoryview], number: int) -> tuple[Blob, npt.NDArray[np.int32]]:
    sizes = [len(body) for body in bodies]
    starts = list(accumulate(sizes, initial=0))[:-1]
    place = np.array([(number, *of) for of in zip(starts, sizes, strict=True)], np.int32)
    return Blob(b"".join(bodies), next(_serials)), place


def _copy(id: str) -> str:
    """Another string: one that lay among what is let go of would keep the page that it lies on."""
    return id.encode("utf-8", "surrogatepass").decode("utf-8", "surrogatepass")


def _merged(ids: list[str], fresh: list[str]) -> tuple[list[str], list[int]]:
    """Both in order, and where in the first the others came."""
    if not fresh or not ids:
        return ids or fresh, [0] * len(fresh)
    at = [bisect_left(ids, id) for id in fresh]
    merged: list[str] = []
    for id, (before, here) in zip(fresh, pairwise([0, *at]), strict=True):
        if here > before:
            merged += ids[before:here]
        merged.append(id)
    return merged + ids[at[-1] :], at


_NOWHERE = np.zeros((0, 3), np.int32)
EMPTY = Fences([], (), _NOWHERE, Few())
