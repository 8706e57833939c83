"""The run-time fence set: fences put by ``/v1/geofences``, as content-addressed objects in the store.

A set is a manifest of shelves, and a shelf holds the fences whose ids hash to it. The hash of the manifest names the
set: the same fences give the same name whatever way they came, and one changed fence writes one shelf and the manifest,
however many there are.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import TypeVar

import msgspec
from msgspec import Struct

from engine.errors import HerenowError
from engine.model.fence import Fence
from engine.ports import Store

T = TypeVar("T")
SOURCE = "run-time"
_FORMAT = 1
_fences = msgspec.msgpack.Decoder(list[Fence])
_encode = msgspec.msgpack.Encoder().encode


class Manifest(Struct, frozen=True, array_like=True):
    """The content of the object that names a set; an empty shelf has an empty name."""

    format: int
    shelves: tuple[str, ...]


_manifest = msgspec.msgpack.Decoder(Manifest)


class Shelf(Struct, frozen=True):
    """Some fences of a set by id, and the name of the object that holds them."""

    fences: Mapping[str, Fence]
    name: str


_EMPTY = Shelf({}, "")


class RunTimeSet:
    """Immutable. ``hash`` is "" for the set without fences."""

    def __init__(self, shelves: Sequence[Shelf]) -> None:
        self._shelves = tuple(shelves)
        self._count = sum(len(shelf.fences) for shelf in shelves)
        self.manifest = _encode(Manifest(_FORMAT, tuple(shelf.name for shelf in shelves)))
        self.hash = _name(self.manifest) if self._count else ""

    @classmethod
    def of(cls, fences: Iterable[Fence]) -> "RunTimeSet":
        """The set of these fences; of two with one id the later stays."""
        return NONE.changed(list(fences), ())

    def __len__(self) -> int:
        return self._count

    def get(self, id: str) -> Fence | None:
        """A fence of the set."""
        return self._shelf_of(id).fences.get(id)

    def values(self) -> Iterator[Fence]:
        """All fences, in no order that means anything but always the same."""
        return (fence for shelf in self._shelves for fence in shelf.fences.values())

    def changed(self, put: Iterable[Fence], drop: Iterable[str]) -> "RunTimeSet":
        """The set with some fences put (or replaced), then some dropped."""
        after: dict[str, Fence | None] = {fence.id: fence for fence in put}
        after.update(dict.fromkeys(drop))
        count = self._count
        for id, fence in after.items():
            count += (fence is not None) - (self.get(id) is not None)
        if _shelves_for(count) != len(self._shelves):
            kept = {fence.id: fence for fence in self.values() if fence.id not in after}
            return RunTimeSet(_filed({**kept, **after}, [_EMPTY] * _shelves_for(count)))
        return RunTimeSet(_filed(after, self._shelves))

    def objects(self, held: "RunTimeSet") -> Iterator[tuple[str, bytes]]:
        """What the store must keep for this set beside what it keeps for ``held``; the manifest comes last."""
        there = {shelf.name for shelf in held._shelves}
        for shelf in self._shelves:
            if shelf.name and shelf.name not in there:
                yield shelf.name, _body(shelf.fences)
        if self.hash:
            yield self.hash, self.manifest

    def shelves(self) -> Mapping[str, Shelf]:
        """All shelves by name."""
        return {shelf.name: shelf for shelf in self._shelves}

    def _shelf_of(self, id: str) -> Shelf:
        return self._shelves[_place(id, len(self._shelves))]


def _shelves_for(count: int) -> int:
    """About as many shelves as fences on each: a change then writes the least. A power of two."""
    return 1 << ((count.bit_length() + 1) // 2)


def _place(id: str, shelves: int) -> int:
    return int.from_bytes(blake2b(id.encode("utf-8", "surrogatepass"), digest_size=4).digest(), "big") % shelves


def _name(body: bytes) -> str:
    return blake2b(body, digest_size=20).hexdigest()


def _body(fences: Mapping[str, Fence]) -> bytes:
    return _encode([fences[id] for id in sorted(fences)])


def _filed(after: Mapping[str, Fence | None], shelves: Sequence[Shelf]) -> list[Shelf]:
    """The shelves with these changes; None takes a fence away."""
    filed = list(shelves)
    touched: dict[int, dict[str, Fence]] = {}
    for id, fence in after.items():
        place = _place(id, len(filed))
        if place not in touched:
            touched[place] = dict(filed[place].fences)
        if fence is None:
            touched[place].pop(id, None)
        else:
            touched[place][id] = fence
    for place in sorted(touched):
        held = {id: touched[place][id] for id in sorted(touched[place])}
        filed[place] = Shelf(held, _name(_body(held))) if held else _EMPTY
    return filed


NONE = RunTimeSet([_EMPTY])


async def load(store: Store, name: str, held: RunTimeSet = NONE) -> RunTimeSet:
    """The set of that name; shelves that ``held`` has are not read again. ``HerenowError`` when it is not there."""
    if name in ("", held.hash):
        return held if name else NONE
    names = _decoded(_manifest, await _object(store, name)).shelves
    known = held.shelves()
    shelves = []
    for name in names:
        if name and name not in known:
            fences = _decoded(_fences, await _object(store, name))
            shelves.append(Shelf({fence.id: fence for fence in fences}, name))
        else:
            shelves.append(known[name] if name else _EMPTY)
    return RunTimeSet(shelves)


async def _object(store: Store, name: str) -> bytes:
    blob = await store.get_object(name)
    if blob is None:
        raise HerenowError(f"the run-time fences {name[:12]} are not in the store")
    return blob


def _decoded(decoder: "msgspec.msgpack.Decoder[T]", blob: bytes) -> T:
    try:
        return decoder.decode(blob)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise HerenowError("stored run-time fences cannot be read", fix=str(error)) from error
