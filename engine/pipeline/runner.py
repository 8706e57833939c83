"""The live way: queue, group commit, step, commit. One appender and one stepper, so fsync and thinking overlap."""

import asyncio
import contextlib
import secrets
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import structlog

from engine.author.project import Bundle
from engine.clock import Clock, monotonic
from engine.errors import Busy, StoreError
from engine.ingest.dedupe import Recent
from engine.measure.metrics import Metrics
from engine.model.config import Config
from engine.model.moment import Effects
from engine.model.record import Frame, Genesis, Record, ReleaseChange, Tick
from engine.model.signal import Signal
from engine.pipeline import questions, recovery
from engine.pipeline.core import Core
from engine.pipeline.feed import Feed
from engine.pipeline.meters import Meters
from engine.pipeline.releases import Releases
from engine.pipeline.replay import cut
from engine.pipeline.state import Checkpoint, encode_checkpoint
from engine.ports import Store, StoredMoment

log = structlog.get_logger("herenow.runner")

PARTITION = 0
MAX_BATCH = 1024  # records a frame or a step: bounds the pause of one step to some milliseconds
TAIL = 500_000  # records after which a checkpoint is written, so that recovery stays short
SPACING = 0.002  # seconds between two appends, and two steps, while work keeps coming: fewer, fuller batches; none idle
FULL = 256  # records that are worth an append or a step at once
COMMIT_RETRY = 0.5  # seconds between tries to commit when the store cannot


class _Pending:
    """Records of one caller, waiting for the next group commit."""

    __slots__ = ("applied", "done", "records")

    def __init__(self, records: Sequence[Record], applied: bool) -> None:
        self.records, self.applied = records, applied
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def finish(self, error: Exception | None = None) -> None:
        if self.done.done():
            return
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)


class Runner:
    """Runs one partition: implements ``ports.Journal`` and owns the core. ``on_commit`` is called after effects
    hold."""

    def __init__(self, config: Config, store: Store, clock: Clock, metrics: Metrics | None = None) -> None:
        self.config, self.store, self.clock = config, store, clock
        self.metrics = metrics or Metrics()
        self.feed = Feed()
        self.releases = Releases(store)
        self.core = Core(self.releases.library)
        self._meters = Meters(self.metrics, self.core)
        self.recent = Recent()
        self.on_commit: Callable[[Effects], None] = lambda effects: None
        self.problems: dict[str, str] = {}  # what keeps the server from being ready
        self.notes: dict[str, str] = {}  # what an operator should know, though all works
        self.divergence = 0
        self._pending: deque[_Pending] = deque()
        self._frames: deque[tuple[Frame, list[_Pending]]] = deque()
        self._queued = self._unstepped = 0
        self._arrived, self._stepping, self._ticking = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._committed = 0
        self._checkpointed = 0
        self._wants_checkpoint = False
        self._tasks: list[asyncio.Task[None]] = []
        self._broken: str | None = None

    # ------------------------------------------------------------------ life

    async def start(self) -> None:
        """Open the store, recover the state, begin to work."""
        await self.store.open(Genesis("herenow", secrets.token_hex(16), 1))
        recovered = await recovery.recover(self.store, self.releases)
        self.core, self.recent, self.divergence = recovered.core, recovered.recent, recovered.divergence
        self._committed, self._checkpointed = recovered.committed, recovered.checkpointed
        self.metrics.replay_divergence.inc(self.divergence)
        self._meters = Meters(self.metrics, self.core)
        if recovered.replayed > MAX_BATCH:
            await self.checkpoint()
        loops = (self._append_loop, self._step_loop, self._tick_loop)
        self._tasks = [asyncio.create_task(self._guarded(loop), name=loop.__name__) for loop in loops]

    async def close(self) -> None:
        """Finish what was accepted, keep the state, stop."""
        with contextlib.suppress(asyncio.CancelledError, StoreError):
            await self.flush(applied=True)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for pending in self._pending:
            pending.finish(StoreError("the server is stopping", retry=True))
        if self._tasks and self._broken is None:
            with contextlib.suppress(StoreError):
                await self.checkpoint()
        self._tasks = []

    async def _guarded(self, loop: Callable[[], Any]) -> None:
        """A loop that dies takes the server's readiness with it: nothing more is accepted, and health says why."""
        try:
            await loop()
        except asyncio.CancelledError:
            raise
        except Exception as error:
            self._broken = f"{loop.__name__}: {error!r}"
            log.exception("stopped working", loop=loop.__name__)
            self._fail_all(StoreError("the server cannot work any more", fix="See /healthz and the log.", retry=True))

    def _fail_all(self, error: StoreError) -> None:
        waiting = [p for _, ps in self._frames for p in ps] + list(self._pending)
        for pending in waiting:
            pending.finish(error)
        self._pending.clear()
        self._queued = 0

    # ------------------------------------------------------------------ what others call

    async def submit(self, records: Sequence[Record], applied: bool = False) -> None:
        """Durable on return; with ``applied``, in force too."""
        await self._enqueue(records, applied).done

    async def flush(self, applied: bool = False) -> None:
        """Return when everything queued before is durable (and applied)."""
        if self._tasks and self._broken is None:
            await self._enqueue((), applied).done

    async def ingest(self, signals: list[Signal]) -> tuple[int, int]:
        """Take signals once: (accepted, duplicates), durable on return. A repeat is acknowledged only when its first
        is."""
        self._refuse_when_full(len(signals))
        fresh, duplicates = self.recent.admit(signals, self.clock.now())
        try:
            await self._enqueue(fresh, False).done
        except StoreError:
            self.recent.forget(fresh)
            raise
        self.metrics.signals_taken(len(fresh), duplicates)
        return len(fresh), duplicates

    async def activate(self, bundle: Bundle, by: str = "", why: str = "", source: str = "folder") -> str:
        """Compile a bundle off the hot path and put it in force; raises ``AuthorError`` and changes nothing if it is
        bad."""
        await self.releases.keep(bundle)
        await self.submit([ReleaseChange(bundle.hash, by, why, source)], applied=True)
        return bundle.hash

    async def preview(self, signals: list[Signal]) -> list[dict[str, Any]]:
        """Per rule what it would do now, and why; nothing is kept or sent."""
        return questions.preview(self.core, signals, self.clock.now())

    async def why(self, device: str, rule: str | None = None, at: float | None = None) -> dict[str, Any]:
        """Recomputed from the journal: why a device's person did or did not get a message around ``at`` (None: now)."""
        return await questions.why(self.store, self.releases, device, rule, self.clock.now() if at is None else at)

    def gauge(self) -> None:
        """Set the gauges to what is; asked for before a scrape."""
        self._meters.stands(self.core, self._queued, self._committed)

    def health(self) -> dict[str, Any]:
        """What an operator needs to know at a glance."""
        problems = dict(self.problems)
        if self._broken:
            problems["runner"] = self._broken
        return {
            "ready": bool(self._tasks) and not problems,
            "problems": problems,
            "notes": dict(self.notes),
            "queued": self._queued,
            "unstepped": self._unstepped,
            "offset": self.core.state.offset,
            "committed": self._committed,
            "release": self.core.state.release,
            "devices": self.core.sense.devices(),
            "people": len(self.core.state.people),
            "replay_divergence": self.divergence,
        }

    def want_checkpoint(self) -> None:
        """Have the state written after the next step."""
        self._wants_checkpoint = True
        self._stepping.set()

    async def _try_checkpoint(self) -> None:
        self._wants_checkpoint = False
        try:
            await self.checkpoint()
        except StoreError as error:
            self.problems["checkpoint"] = str(error)
        else:
            self.problems.pop("checkpoint", None)

    async def checkpoint(self) -> None:
        """Write the state as of now; only called between steps."""
        offset, received = self.core.state.offset, self.core.state.received
        blob = encode_checkpoint(Checkpoint(self.core.state, self.core.sense.dump(), self.recent.dump()))
        await self.store.save_checkpoint(PARTITION, offset, received, blob)
        self._checkpointed = offset

    # ------------------------------------------------------------------ loops

    def _refuse_when_full(self, count: int) -> None:
        if self._broken is not None or not self._tasks:
            raise StoreError("the server is not ready", fix="See /healthz.", retry=True)
        if self._queued and self._queued + count > self.config.limits.queue:
            raise Busy(f"{self._queued} records are waiting", after=1.0)

    def _enqueue(self, records: Sequence[Record], applied: bool) -> _Pending:
        self._refuse_when_full(0)
        pending = _Pending(records, applied)
        self._pending.append(pending)
        self._queued += len(records)
        self._arrived.set()
        return pending

    async def _append_loop(self) -> None:
        last = 0.0
        while True:
            await self._arrived.wait()
            await _spaced(last, self._queued - self._unstepped)
            last = monotonic()
            batch, records = self._take()
            if records:
                started = monotonic()
                try:
                    frame = await self.store.append(PARTITION, records, self.clock.now())
                except StoreError as error:
                    self.problems["journal"] = str(error)
                    self._queued -= len(records)
                    for pending in batch:
                        pending.finish(error)
                    continue
                self.problems.pop("journal", None)
                self.metrics.append_seconds.observe(monotonic() - started)
            else:
                frame = Frame(await self.store.end_offset(PARTITION), 0.0, [])
            *parts, rest = [
                cut(frame, at, at + MAX_BATCH)
                for at in range(frame.offset, max(frame.end, frame.offset + 1), MAX_BATCH)
            ]
            self._frames += [(part, []) for part in parts]
            self._frames.append((rest, [p for p in batch if p.applied]))
            self._unstepped += len(records)
            self._stepping.set()
            for pending in batch:
                if not pending.applied:
                    pending.finish()

    def _take(self) -> tuple[list[_Pending], list[Record]]:
        """Whatever is queued, up to a bound: a batch of one when idle."""
        batch: list[_Pending] = []
        records: list[Record] = []
        while self._pending and len(records) < MAX_BATCH:
            pending = self._pending.popleft()
            batch.append(pending)
            records += pending.records
        if not self._pending:
            self._arrived.clear()
        return batch, records

    async def _step_loop(self) -> None:
        started = 0.0
        while True:
            await self._stepping.wait()
            await _spaced(started, self._unstepped)
            frames, waiting = self._take_frames()
            started = monotonic()
            self.core.watch = self.feed.watched("moments")
            effects = self.core.step(frames) if frames else Effects()
            self.metrics.step_seconds.observe(monotonic() - started)
            seqs = await self._commit(effects) if effects.durable() else []
            stepped = sum(len(frame.records) for frame in frames)
            self._queued -= stepped
            self._unstepped -= stepped
            for pending in waiting:
                pending.finish()
            self._tell(effects, seqs)
            if self._wants_checkpoint or self.core.state.offset - self._checkpointed >= TAIL:
                await self._try_checkpoint()

    def _take_frames(self) -> tuple[list[Frame], list[_Pending]]:
        frames: list[Frame] = []
        waiting: list[_Pending] = []
        count = 0
        while self._frames and count < MAX_BATCH:
            frame, pending = self._frames.popleft()
            if frame.records:
                frames.append(frame)
            waiting += pending
            count += len(frame.records)
        if not self._frames:
            self._stepping.clear()
        return frames, waiting

    async def _commit(self, effects: Effects) -> list[int]:
        """Commit, however long it takes: the state has moved on, so there is no way but forward."""
        offset = self.core.state.offset
        while True:
            try:
                seqs = await self.store.commit(PARTITION, self._committed, offset, effects)
            except StoreError as error:
                self.problems["commit"] = str(error)
                log.warning("cannot commit", problem=str(error))
                await asyncio.sleep(COMMIT_RETRY)
                with contextlib.suppress(StoreError):
                    # A commit whose answer was lost holds all the same: asking again must not raise the guard.
                    if await self.store.committed(PARTITION) == offset:
                        self._committed = offset
                continue
            self.problems.pop("commit", None)
            self._committed = offset
            return seqs

    def _tell(self, effects: Effects, seqs: list[int]) -> None:
        self._meters.stepped(self.core, effects, self.clock.now())
        for seq, moment in zip(seqs, effects.moments, strict=True):
            self.feed.publish("moments", StoredMoment(seq, moment))
        for miss in effects.misses:
            self.feed.publish("moments", miss)
        if effects.durable():
            self.on_commit(effects)
        self._ticking.set()

    async def _tick_loop(self) -> None:
        """Time itself becomes a record, only when a timer is due."""
        while True:
            self._ticking.clear()
            due = self.core.next_due()
            now = self.clock.now()
            if due is not None and due <= now:
                with contextlib.suppress(StoreError):
                    await self.submit([Tick()], applied=True)
                if self.core.next_due() == due:  # the tick did not get in (or a timer is stuck): never spin
                    await asyncio.sleep(COMMIT_RETRY)
                continue
            await self._until(None if due is None else due - now)

    async def _until(self, seconds: float | None) -> None:
        """Until that much of the clock has passed or something was stepped."""
        changed = asyncio.create_task(self._ticking.wait())
        waits = {changed} if seconds is None else {changed, asyncio.create_task(self.clock.sleep(seconds))}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waits:
                task.cancel()


async def _spaced(last: float, count: int) -> None:
    """Let work gather for a moment if the last batch was just now and this one is small; always let others run."""
    wait = 0.0 if count >= FULL else last + SPACING - monotonic()
    await asyncio.sleep(max(0.0, wait))
