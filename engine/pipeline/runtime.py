"""The run-time fence set: fences put by ``/v1/geofences``, as content-addressed objects in the store.

A set is a manifest of shelves, and a shelf holds the fences whose ids hash to it. The hash of the manifest names the
set: the same fences give the same name whatever way they came, and one changed fence writes one shelf and the manifest,
however many there are.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import Any, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Struct
from msgspec.structs import replace

from engine.errors import HerenowError
from engine.model.fence import Fence
from engine.model.fences import EMPTY, Fences, Ints
from engine.model.fences import NONE as GONE
from engine.model.pieces import head_of_list
from engine.ports import Store

T = TypeVar("T")
SOURCE = "run-time"
_FORMAT = 1
Hashes = npt.NDArray[np.uint32]
_encode = msgspec.msgpack.Encoder().encode


def run_time(fence: Fence) -> Fence:
    """The fence as it is kept here. Facts go by their names: written in another order they are no other fence."""
    return replace(fence, source=SOURCE, metadata=_sorted(fence.metadata))


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(each) for each in value] if isinstance(value, list) else value


class Manifest(Struct, frozen=True, array_like=True):
    """The content of the object that names a set; an empty shelf has an empty name."""

    format: int
    shelves: tuple[str, ...]


_manifest = msgspec.msgpack.Decoder(Manifest)


class RunTimeSet:
    """Immutable. ``hash`` is "" for the set without fences. ``fences``: all of them; which shelf one lies on is told by
    the hash of its id. ``changes``: in how many it differs from the set it was made of."""

    def __init__(self, fences: Fences, hashes: Hashes, names: Sequence[str], changes: int = 0) -> None:
        self.fences, self._hashes, self._names, self.changes = fences, hashes, tuple(names), changes
        self.manifest = _encode(Manifest(_FORMAT, self._names))
        self.hash = _name(self.manifest) if len(fences) else ""

    @classmethod
    def of(cls, fences: Iterable[Fence]) -> "RunTimeSet":
        """The set of these fences; of two with one id the later stays."""
        return NONE.changed(fences, ())

    def __len__(self) -> int:
        return len(self.fences)

    def get(self, id: str) -> Fence | None:
        """A fence of the set."""
        return self.fences.get(id)

    def values(self) -> Iterator[Fence]:
        """All fences by id."""
        return iter(self.fences)

    def changed(self, put: Iterable[Fence], drop: Iterable[str]) -> "RunTimeSet":
        """The set with some fences put (or replaced), then some dropped."""
        fences = self.fences.changed(put, drop)
        here, there = fences.alike(self.fences)
        moved = fences.whereabouts(self.fences, (here, there))[:-1]
        stays = moved != GONE
        hashes = _hashes(fences.ids, moved[stays], self._hashes[stays])
        shelves = _shelves_for(len(fences))
        if shelves != len(self._names):
            names, touched = [""] * shelves, np.arange(shelves)
        else:
            fresh = np.ones(len(fences), np.bool_)
            fresh[here] = False
            names = list(self._names)
            touched = np.unique(np.append(hashes[fresh], self._hashes[~stays]) % shelves)
        after = RunTimeSet(fences, hashes, names)
        for place, body in after._bodies(touched.tolist()):
            names[place] = _name(body) if body else ""
        return RunTimeSet(fences, hashes, names, len(fences) - len(here) + int(np.count_nonzero(~stays)))

    def objects(self, held: "RunTimeSet") -> Iterator[tuple[str, bytes]]:
        """What the store must keep for this set beside what it keeps for ``held``; the manifest comes last."""
        there = {"", *held._names}
        for place, body in self._bodies([place for place, name in enumerate(self._names) if name not in there]):
            yield self._names[place], body
        if self.hash:
            yield self.hash, self.manifest

    def shelves(self) -> dict[str, bytes]:
        """What lies on each shelf, by its name."""
        return {self._names[place]: body for place, body in self._bodies(range(len(self._names))) if body}

    def _bodies(self, places: Collection[int]) -> Iterator[tuple[int, bytes]]:
        """What lies on these shelves: fences by id; nothing on an empty one."""
        shelf = self._hashes % np.uint32(len(self._names))
        order = np.argsort(shelf, kind="stable")
        starts = np.searchsorted(shelf[order], np.arange(len(self._names) + 1))
        for place in sorted(places):
            rows = order[starts[place] : starts[place + 1]].tolist()
            bodies = [self.fences.body(row) for row in rows]
            yield place, head_of_list(len(rows)) + b"".join(bodies) if rows else b""


def _shelves_for(count: int) -> int:
    """About as many shelves as fences on each: a change then writes the least. A power of two."""
    return 1 << ((count.bit_length() + 1) // 2)


def _hashes(ids: Sequence[str], rows: Ints, known: Hashes) -> Hashes:
    """Of all ids; of those in ``rows`` they are known."""
    hashes, new = np.zeros(len(ids), np.uint32), np.ones(len(ids), np.bool_)
    hashes[rows], new[rows] = known, False
    for row in np.flatnonzero(new).tolist():
        hashes[row] = _hash(ids[row])
    return hashes


def _hash(id: str) -> int:
    return int.from_bytes(blake2b(id.encode("utf-8", "surrogatepass"), digest_size=4).digest(), "big")


def _name(body: bytes) -> str:
    return blake2b(body, digest_size=20).hexdigest()


NONE = RunTimeSet(EMPTY, np.zeros(0, np.uint32), [""])


async def load(store: Store, name: str, held: RunTimeSet = NONE) -> RunTimeSet:
    """The set of that name; shelves that ``held`` has are not read again. ``HerenowError`` when it is not there."""
    if name in ("", held.hash):
        return held if name else NONE
    names = _decoded(_manifest, await _object(store, name)).shelves
    known = held.shelves() if len(held) else {}
    bodies = [known[name] if name in known else await _object(store, name) for name in names if name]
    try:
        fences = Fences.read(bodies)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise HerenowError("stored run-time fences cannot be read", fix=str(error)) from error
    return RunTimeSet(fences, np.fromiter(map(_hash, fences.ids), np.uint32, len(fences)), names)


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
