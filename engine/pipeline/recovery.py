"""Start: load the newest checkpoint, replay the tail, compare what it says with what was committed."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import msgspec
import structlog

from engine.author.collector import paused
from engine.errors import StoreError
from engine.ingest.dedupe import Recent
from engine.model.moment import Effects
from engine.model.record import FenceChange, Frame, ReleaseChange
from engine.model.runs import others, signals_of
from engine.pipeline.core import Core
from engine.pipeline.releases import Releases
from engine.pipeline.replay import cut, releases_in
from engine.pipeline.state import CoreState, decode_checkpoint
from engine.ports import MomentQuery, Store
from engine.sense import Sense, read_tables

log = structlog.get_logger("herenow.recovery")

PARTITION = 0
PAGE = 1000  # moments looked at once
MOST = 4096  # records stepped at once


@dataclass
class Recovered:
    """A core as of the journal's end; ``divergence`` counts moments on which replay and commit disagree."""

    core: Core
    recent: Recent
    committed: int = 0
    checkpointed: int = 0
    replayed: int = 0
    divergence: int = 0
    build: str = ""  # the version that wrote the checkpoint


async def load(store: Store, releases: Releases, at_most: float | None = None) -> Recovered:
    """The newest usable checkpoint at or before ``at_most`` (journal time), or an empty core."""
    found = await store.load_checkpoint(PARTITION, at_most)
    if found is None:
        return _nothing(releases)
    try:
        with paused():
            return await _loaded(releases, *found)
    except msgspec.DecodeError as error:
        log.error("a checkpoint is of another version; replaying the journal instead", problem=str(error))
        return _nothing(releases)


async def _loaded(releases: Releases, offset: int, blob: bytes) -> Recovered:
    checkpoint = decode_checkpoint(blob)
    state = checkpoint.state
    reading = asyncio.to_thread(read_tables, checkpoint.sense)
    tables, _ = await asyncio.gather(reading, _compiled(releases, state))  # half of each lets the interpreter go
    core = Core(releases.versions, state)
    core.sense = Sense.of(tables, core.compiled.release.policy.sense, core.compiled.fences)
    recent = Recent.load(checkpoint.recent, core.sense.names) if checkpoint.recent else Recent(core.sense.names)
    return Recovered(core, recent, checkpointed=offset, build=checkpoint.build)


async def _compiled(releases: Releases, state: CoreState) -> None:
    """Have what is in force at hand."""
    await releases.ensure([state.release])
    await releases.fences.ensure(state.release, state.fences)


def _nothing(releases: Releases) -> Recovered:
    """An empty core, for the journal to be replayed from its beginning."""
    core = Core(releases.versions)
    return Recovered(core, Recent(core.sense.names))


async def recover(store: Store, releases: Releases) -> Recovered:
    """Everything as it was: effects up to the committed offset are compared, later ones are committed now."""
    found = await load(store, releases)
    first = await store.first_offset(PARTITION)
    if first > found.checkpointed:  # consent, profiles and limits would be forgotten, and sent against
        problem = f"history begins at record {first}, and no state as of that record or later can be read."
        fix = "Run the version that wrote it, or restore the whole data folder from one backup."
        raise StoreError(problem, fix=fix, retry=False)
    since, given = found.core.state.received, set[str]()
    found.committed = committed = await store.committed(PARTITION)
    async for frames in _together(store.read(PARTITION, found.checkpointed)):
        await releases.ensure(releases_in(frames[0].records))
        await releases.fences.prepare(found.core.state, frames[0].records)
        for frame in frames:
            for signals in signals_of(frame.records):
                found.recent.note(signals, frame.received)
            found.replayed += len(frame.records)
        before = [cut(frame, frame.offset, committed) for frame in frames if frame.offset < committed]
        after = [cut(frame, max(committed, frame.offset)) for frame in frames if frame.end > committed]
        if before:
            found.divergence += await _compare(store, found.core.step(before), given)
        if after:
            await _emit(store, found, after, given)
    if found.replayed:
        found.divergence += await _extra(store, since, given)
    found.core.faults.report()
    if found.divergence:
        log.error("replay and commit disagree", moments=found.divergence)
    return found


async def _together(frames: AsyncIterator[Frame]) -> AsyncIterator[list[Frame]]:
    """Frames to be stepped at once: a tail of single signals is not taken one by one. Only the first of them may change
    what is in force."""
    batch, records = list[Frame](), 0
    async for frame in frames:
        changes = any(type(record) in (ReleaseChange, FenceChange) for _, record in others(frame.records))
        if batch and (changes or records + len(frame.records) > MOST):
            yield batch
            batch, records = [], 0
        batch.append(frame)
        records += len(frame.records)
    if batch:
        yield batch


async def _compare(store: Store, effects: Effects, given: set[str]) -> int:
    """Moments that replay gives and the store does not have: counted and shown, never sent."""
    given.update(moment.id for moment in effects.moments)
    missing = [moment.id for moment in effects.moments if await store.moment(moment.id) is None]
    for moment in missing:
        log.error("replay gives a moment that was never committed", moment=moment)
    return len(missing)


async def _extra(store: Store, since: float, given: set[str]) -> int:
    """Moments that were committed after that journal time and that replay does not give: counted and shown."""
    extra, before = 0, None
    while True:
        page = await store.moments(MomentQuery(since=since, before=before, limit=PAGE))
        for moment in (stored.moment for stored in page):
            if moment.at > since and moment.id not in given:
                log.error("a moment was committed that replay does not give", moment=moment.id)
                extra += 1
        if len(page) < PAGE:
            return extra
        before = page[-1].seq


async def _emit(store: Store, found: Recovered, frames: list[Frame], given: set[str]) -> None:
    """The journal was ahead of the commit: go on as if nothing had happened."""
    effects = found.core.step(frames)
    given.update(moment.id for moment in effects.moments)
    if effects.durable():
        offset = found.core.state.offset
        await store.commit(PARTITION, found.committed, offset, effects)
        found.committed = offset
