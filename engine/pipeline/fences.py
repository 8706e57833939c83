"""How run-time fences change: compiled and kept off the hot path, put in force between two records."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import structlog

from engine.errors import HerenowError, StoreError
from engine.model.fence import Fence
from engine.model.fences import ById, Fences
from engine.model.record import FenceChange, ReleaseChange
from engine.model.runs import Run, others
from engine.pipeline import runtime
from engine.pipeline.made import Made
from engine.pipeline.runtime import NONE, RunTimeSet
from engine.pipeline.state import CoreState
from engine.pipeline.undisturbed import bury, undisturbed
from engine.pipeline.versions import EMPTY, NOTHING_MADE, Compiled, place
from engine.ports import Journal, Store
from engine.sense import Outlines

log = structlog.get_logger("herenow.fences")

MAX_FENCES = 1_000_000
PAIRS = 2  # releases with a run-time set that are kept compiled: the one in force and the one before
LARGE = 5_000  # fences from which memory is given back with care


class Authored(HerenowError):
    """The fences of files cannot be changed at run time."""


@dataclass
class Wish:
    """One caller's change. ``replace``: what is not put is dropped; ``drawn``: outlines of what is put, where they are
    compiled. ``count`` is how many fences it changed."""

    put: Sequence[Fence]
    drop: Sequence[str] = ()
    replace: bool = False
    action: Literal["put", "delete", "bulk"] = "bulk"
    by: str = ""
    keep: frozenset[str] = frozenset()  # of a replacement: ids that stay as they are
    drawn: Outlines | None = None
    count: int = 0
    done: bool = False
    error: Exception | None = None


class RunTimeFences:
    """Compiles every release that is in force together with a run-time set beside the releases themselves."""

    def __init__(self, store: Store, versions: dict[str, Compiled], made: Made = NOTHING_MADE) -> None:
        self._store, self._versions, self._made = store, versions, made
        self._newest: Compiled | None = None
        self._wishes: list[Wish] = []
        self.lock = asyncio.Lock()  # held while anything that is in force changes

    # ------------------------------------------------------------------ compiling

    async def prepare(self, state: CoreState, records: Run) -> None:
        """Compile what these records will put in force, one after the other, from ``state`` on."""
        release, fences = state.release, state.fences
        for _, record in others(records):
            if type(record) is ReleaseChange and record.release in self._versions:
                await self.ensure(record.release, fences)
                release = record.release
            elif type(record) is FenceChange and await self.ensure(release, record.fences):
                fences = record.fences

    async def ensure(self, release: str, fences: str) -> bool:
        """Have a release compiled with a set of the store. False, and said, where that cannot be."""
        if not fences or place(release, fences) in self._versions:
            return True
        held = NONE if self._newest is None else self._newest.runtime
        try:
            with undisturbed(not len(held)):
                await self.compile(release, await runtime.load(self._store, fences, held))
        except HerenowError as error:
            log.error("run-time fences cannot be put in force", fences=fences, problem=str(error))
            return False
        return True

    async def compile(self, release: str, fences: RunTimeSet, drawn: Sequence[Outlines] = ()) -> Compiled:
        """A compiled release with this set, made in a thread. ``HerenowError`` where it is not there."""
        base = self._versions.get(release)
        if base is None:
            if release:
                raise HerenowError(f"the release {release[:12]} is not compiled")
            base = Compiled.of(EMPTY)
        if not fences.hash:
            self._newest = None
            return base
        compiled = self._versions.get(place(release, fences.hash))
        if compiled is None:
            compiled = await asyncio.to_thread(base.with_fences, fences, self._newest, self._made, drawn)
            self._versions[compiled.place] = compiled
        self._newest = compiled
        self._forget()
        return compiled

    def _forget(self) -> None:
        pairs = [name for name, compiled in self._versions.items() if compiled.runtime.hash]
        for name in pairs[:-PAIRS]:
            bury(self._versions.pop(name), LARGE)

    # ------------------------------------------------------------------ changing

    async def change(self, wish: Wish, journal: Journal, in_force: Callable[[], Compiled]) -> None:
        """Make a change; in force on return. Changes that wait for one another are made together. Raises ``Authored``,
        ``HerenowError`` when there would be too many, and what the journal raises."""
        self._wishes.append(wish)
        async with self.lock:
            if not wish.done:
                wishes, self._wishes = self._wishes, []
                try:
                    compiled = in_force()
                    with undisturbed(sum(_size(each, compiled.runtime) for each in wishes) >= LARGE):
                        await self._apply(wishes, journal, compiled)
                except BaseException as error:
                    for each in wishes:
                        each.error = each.error or (error if isinstance(error, Exception) else _cut_short())
                    raise
                finally:
                    for each in wishes:
                        each.done = True
        if wish.error is not None:
            raise wish.error

    async def _apply(self, wishes: Sequence[Wish], journal: Journal, compiled: Compiled) -> None:
        before = after = compiled.runtime
        for wish in wishes:
            after = await asyncio.to_thread(_changed, after, wish, compiled.authored)
        if after.hash == before.hash:
            return
        for name, blob in after.objects(before):
            await self._store.put_object(name, blob)
        drawn = [wish.drawn for wish in wishes if wish.drawn is not None]
        made = await self.compile(compiled.release.hash, after, drawn)
        await asyncio.to_thread(made.fences.succeed, compiled.fences)
        await journal.submit([_record(wishes, after)], applied=True)
        bury(self._versions.pop(compiled.place, None) if before.hash else None, LARGE)


def _size(wish: Wish, before: RunTimeSet) -> int:
    return len(wish.put) + len(wish.drop) + (len(before) if wish.replace else 0)


def _changed(before: RunTimeSet, wish: Wish, authored: Collection[str]) -> RunTimeSet:
    """The set after one wish; one that cannot be fulfilled changes nothing and has its error."""
    put = Fences.of(wish.put)
    hidden = [id for id in wish.drop if id in authored]
    fewer, more = (authored, ById(put)) if len(authored) < len(put) else (put.ids, authored)
    hidden += [id for id in fewer if id in more]
    if hidden:
        wish.error = Authored(f"'{hidden[0]}' is authored in a file", fix="Change the file, or use another id.")
        return before
    drop = list(wish.drop)
    if wish.replace:
        staying = {*put.ids, *wish.keep}
        drop += [id for id in before.fences.ids if id not in staying]
    after = before.changed(put, drop)
    if len(after) > max(MAX_FENCES, len(before)):
        wish.error = HerenowError(f"there would be more than {MAX_FENCES} run-time geofences")
        return before
    wish.count = after.changes
    return after


def _record(wishes: Sequence[Wish], after: RunTimeSet) -> FenceChange:
    made = [wish for wish in wishes if wish.error is None]
    count, by = sum(wish.count for wish in made), ", ".join(dict.fromkeys(wish.by for wish in made if wish.by))
    if len(made) == 1 and made[0].action != "bulk":
        (wish,) = made
        id = wish.put[0].id if wish.put else wish.drop[0]
        return FenceChange(after.hash, wish.action, id, count, by)
    return FenceChange(after.hash, "bulk", "", count, by)


def _cut_short() -> StoreError:
    return StoreError("the server is stopping", retry=True)
