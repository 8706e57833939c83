"""The embedded store: one process, one folder, one partition (0), no server.

<folder>/lock            one process at a time
<folder>/journal/        segment files                        the journal thread writes
<folder>/store.db        outbox, moments, offset, objects     the writer thread writes, another reads,
                                                              a third one empties its log
<folder>/checkpoints/    the core's state now and then        the side thread writes
"""

import asyncio
import sqlite3
import zlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar, TypeVarTuple

from engine.clock import Clock
from engine.errors import StoreError
from engine.model.config import Retention
from engine.model.moment import Effects, OutboxRow
from engine.model.record import Frame, Genesis, Record
from engine.model.runs import encode_records
from engine.ports import MomentQuery, Store, StoredMoment
from engine.store import database, moments, outbox, reading
from engine.store.checkpoints import Checkpoints
from engine.store.database import Database
from engine.store.emptying import Emptying
from engine.store.files import Files, FolderLock, explained
from engine.store.journal import SEGMENT_BYTES, SegmentedJournal
from engine.store.reading import Span
from engine.store.upkeep import Upkeep
from engine.store.worker import Worker

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class EmbeddedStore(Store):
    """See ``Store`` for what it promises. ``notices`` are sentences for the operator: what was found and mended."""

    def __init__(
        self,
        folder: Path,
        retention: Retention,
        clock: Clock,
        files: Files | None = None,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> None:
        self.folder = folder
        self.notices: list[str] = []
        self._clock = clock
        self._files = files or Files()
        self._lock = FolderLock(folder)
        self._journal = SegmentedJournal(folder / "journal", self._files, segment_bytes)
        self._checkpoints = Checkpoints(folder / "checkpoints", self._files)
        self._retention = retention
        self._state = "new"
        self._committed = 0
        self._db: Database
        self._reader: Database
        self._log: Emptying

    # ------------------------------------------------------------------ opening and closing

    async def open(self, genesis: Genesis) -> Genesis:
        """One partition only, whatever is asked; the genesis is the journal's first record."""
        if self._state != "new":
            raise StoreError("this store was opened before.", str(self.folder), "Make a new one.", retry=False)
        self._state = "opening"
        self._journal_thread = Worker("journal")
        self._writer_thread = Worker("store-writer")
        self._reader_thread = Worker("store-reader")
        self._side_thread = Worker("store-side")
        try:
            in_force = await self._run(self._journal_thread, self._open, genesis)
        except BaseException:
            await self.close()
            raise
        self._state = "open"
        return in_force

    def _open(self, genesis: Genesis) -> Genesis:
        with explained("open the data folder", self.folder):
            self._files.make_folder(self.folder)
        self._lock.take()
        self._checkpoints.open()
        self._db = Database(self.folder / "store.db", writes=True)
        self._reader = Database(self.folder / "store.db", writes=False)
        self._log = Emptying(self.folder / "store.db")
        self._upkeep = Upkeep(self._journal, self._checkpoints, self._db, self._files, self._retention)
        self.notices += self._journal.open()
        with self._db.explained("read"):
            self._committed = database.get_committed(self._db.sql)
            stored = database.get_genesis(self._db.sql)
        self._check_whole(stored)
        return stored or self._create(genesis)

    def _check_whole(self, stored: Genesis | None) -> None:
        """The journal is written before all else, so it never ends before what was made of it."""
        known = [self._committed, int(stored is not None), *(s.offset for s in self._checkpoints.saved())]
        if self._journal.end < max(known):
            raise StoreError(
                f"the journal ends at record {self._journal.end} but records up to {max(known)} were acknowledged.",
                str(self._journal.folder),
                "Restore the whole data folder from one backup.",
                retry=False,
            )

    def _create(self, genesis: Genesis) -> Genesis:
        """The journal's first record decides: it may be there from a start that was cut short."""
        if self._journal.end == 0:
            payload = encode_records([genesis])
            self._journal.append(payload, zlib.crc32(payload), 1, self._clock.now())
        cursor = reading.seek(self._journal.segments, 0)
        frames, _ = reading.read_some(self._files, self._journal.segments, cursor, Span(0, 1))
        first = frames[0].records[0]
        if not isinstance(first, Genesis):
            raise StoreError(
                "the journal does not begin with a genesis record.", str(self._journal.folder), retry=False
            )
        with self._db.transaction("write") as sql:
            database.set_genesis(sql, first)
        return first

    async def close(self) -> None:
        """Waits for what was accepted; also after a failed ``open``."""
        if self._state in ("new", "closed"):
            self._state = "closed"
            return
        self._state = "closed"
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        for thread in (self._journal_thread, self._writer_thread, self._reader_thread, self._side_thread):
            thread.close()
        self._journal.close()
        for db in ("_log", "_reader", "_db"):
            if hasattr(self, db):
                getattr(self, db).close()
        self._lock.release()

    # ------------------------------------------------------------------ journal

    async def append(self, partition: int, records: Sequence[Record], received: float) -> Frame:
        self._check(partition)
        kept = list(records) if isinstance(records, list) else records
        if not kept:
            return Frame(self._journal.end, max(received, self._journal.received), kept)
        # Encoded and summed here: the thread then needs the interpreter lock for little but its one system call.
        payload = encode_records(kept)
        check = zlib.crc32(payload)
        offset, received = await self._run(
            self._journal_thread, self._journal.append, payload, check, len(kept), received
        )
        return Frame(offset, received, kept)

    def read(self, partition: int, start: int = 0) -> AsyncIterator[Frame]:
        self._check(partition)
        return self._frames(Span(start, self._journal.end))

    async def _frames(self, span: Span) -> AsyncIterator[Frame]:
        first = self._journal.segments[0].base
        if span.start < first:
            raise StoreError(
                f"record {span.start} is no longer held; history begins at {first}.",
                str(self._journal.folder),
                "Ask for what is held (`first_offset`).",
                retry=False,
            )
        if span.start >= span.end:
            return
        cursor = reading.seek(self._journal.segments, span.start)
        while cursor.offset < span.end:
            segments = self._journal.segments
            frames, cursor = await self._run(self._side_thread, reading.read_some, self._files, segments, cursor, span)
            for frame in frames:
                yield frame

    async def first_offset(self, partition: int) -> int:
        self._check(partition)
        return self._journal.segments[0].base

    async def end_offset(self, partition: int) -> int:
        self._check(partition)
        return self._journal.end

    # ------------------------------------------------------------------ commit

    async def commit(self, partition: int, previous: int, offset: int, effects: Effects) -> list[int]:
        seqs, _ = await self.commit_and_begin(partition, previous, offset, effects, (), 0.0)
        return seqs

    async def commit_and_begin(
        self, partition: int, previous: int, offset: int, effects: Effects, ids: Sequence[str], now: float
    ) -> tuple[list[int], list[OutboxRow]]:
        self._check(partition)
        if not previous <= offset <= self._journal.end:
            problem = f"cannot commit from record {previous} to {offset}: the journal ends at {self._journal.end}."
            raise StoreError(problem, str(self.folder), retry=False)
        committed = await self._run(self._writer_thread, self._commit, previous, offset, effects, ids, now)
        self._log.written()
        return committed

    def _commit(
        self, previous: int, offset: int, effects: Effects, ids: Sequence[str], now: float
    ) -> tuple[list[int], list[OutboxRow]]:
        with self._db.transaction("commit to") as sql:
            if not database.move_committed(sql, previous, offset):
                problem = f"this commit follows record {previous}, but {database.get_committed(sql)} is committed."
                raise StoreError(problem, str(self.folder), "Reload the state and go on from there.", retry=False)
            seqs = moments.insert(sql, effects.moments)
            # Where nothing can stop them between here and ``begin_send``, rows begin as they are written.
            free = bool(ids) and not (effects.cancels or effects.holds) and outbox.unhindered(sql)
            begun = outbox.insert(sql, effects.notifications, frozenset(ids if free else ()), now)
            outbox.settle(sql, effects.settled)
            for cancel in effects.cancels:
                later = effects.notifications[cancel.before :] if cancel.before is not None else []
                outbox.cancel(sql, cancel, [n.id for n in later])
            for hold in effects.holds:
                outbox.switch(sql, hold)
            rest = [id for id in ids if id not in begun]
            begun.update((row.notification.id, row) for row in outbox.begin_send(sql, rest, now))
        self._committed = offset
        return seqs, [begun[id] for id in dict.fromkeys(ids) if id in begun]

    async def committed(self, partition: int) -> int:
        self._check(partition)
        return self._committed

    # ------------------------------------------------------------------ checkpoints and objects

    async def save_checkpoint(self, partition: int, offset: int, received: float, blob: bytes | memoryview) -> None:
        self._check(partition)
        if offset > self._journal.end:
            problem = f"a checkpoint at record {offset} is ahead of the journal, which ends at {self._journal.end}."
            raise StoreError(problem, str(self._checkpoints.folder), retry=False)
        await self._run(self._side_thread, self._upkeep.save_checkpoint, offset, received, blob)

    async def load_checkpoint(self, partition: int, at_most: float | None = None) -> tuple[int, bytes] | None:
        self._check(partition)
        found, passed = await self._run(self._side_thread, self._checkpoints.load, at_most)
        self.notices += passed
        return found

    async def put_object(self, key: str, blob: bytes) -> None:
        await self._write(database.put_object, key, blob)

    async def get_object(self, key: str) -> bytes | None:
        return await self._look(database.get_object, key)

    # ------------------------------------------------------------------ outbox

    async def due(self, now: float, channels: Sequence[str], limit: int) -> list[OutboxRow]:
        return await self._look(outbox.due, now, channels, limit)

    async def next_due(self) -> float | None:
        return await self._look(outbox.next_due)

    async def begin_send(self, ids: Sequence[str], now: float) -> list[OutboxRow]:
        return await self._write(outbox.begin_send, ids, now)

    async def sending(self) -> list[OutboxRow]:
        return await self._look(outbox.sending)

    async def row(self, notification: str) -> OutboxRow | None:
        return await self._look(outbox.row, notification)

    async def rows(self, status: str | None = None, person: str | None = None, limit: int = 100) -> list[OutboxRow]:
        return await self._look(outbox.rows, status, person, limit)

    async def inbox(self, person: str, channel: str, after: int, limit: int) -> list[tuple[int, OutboxRow]]:
        return await self._look(outbox.inbox, person, channel, after, limit)

    async def counts(self) -> Mapping[str, int]:
        return await self._look(outbox.counts)

    # ------------------------------------------------------------------ feed

    async def moments(self, query: MomentQuery) -> list[StoredMoment]:
        return await self._look(moments.query, query)

    async def moment(self, moment: str) -> StoredMoment | None:
        return await self._look(moments.one, moment)

    # ------------------------------------------------------------------ upkeep

    async def retain(self, now: float) -> None:
        self._check()
        floor = await self._run(self._side_thread, self._upkeep.prune_checkpoints, now, self._committed)
        dropped = await self._run(self._journal_thread, self._upkeep.release_segments, now, floor)
        await self._run(self._side_thread, self._upkeep.unlink, dropped)
        while await self._run(self._writer_thread, self._upkeep.forget_traces, now):
            pass

    # ------------------------------------------------------------------ threads

    def _check(self, partition: int = 0) -> None:
        if self._state != "open":
            raise StoreError("the store is not open.", str(self.folder), retry=False)
        if partition != 0:
            raise StoreError(f"there is no partition {partition} here.", str(self.folder), retry=False)

    async def _run(self, thread: Worker, call: Callable[[*Ts], T], *args: *Ts) -> T:
        try:
            done = thread.run(call, *args)
        except RuntimeError as error:  # shut down while a reader was under way
            raise StoreError("the store was closed.", str(self.folder), retry=False) from error
        return await done

    async def _look(self, ask: Callable[[sqlite3.Connection, *Ts], T], *args: *Ts) -> T:
        """Ask the reading connection."""
        self._check()
        return await self._run(self._reader_thread, self._looking, ask, args)

    def _looking(self, ask: Callable[[sqlite3.Connection, *Ts], T], args: tuple[*Ts]) -> T:
        with self._reader.explained("read"):
            return ask(self._reader.sql, *args)

    async def _write(self, change: Callable[[sqlite3.Connection, *Ts], T], *args: *Ts) -> T:
        """One transaction of the writing connection."""
        self._check()
        written = await self._run(self._writer_thread, self._writing, change, args)
        self._log.written()
        return written

    def _writing(self, change: Callable[[sqlite3.Connection, *Ts], T], args: tuple[*Ts]) -> T:
        with self._db.transaction("write") as sql:
            return change(sql, *args)
