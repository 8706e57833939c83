"""The live way: queue, group commit, step, commit. One appender and one stepper, so fsync and thinking overlap."""

import asyncio
import contextlib
import secrets
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import structlog

import engine
from engine.author.project import Bundle
from engine.clock import Clock, monotonic
from engine.errors import AuthorError, Busy, Finding, StoreError
from engine.ingest.dedupe import Recent, among
from engine.measure.metrics import Metrics
from engine.model.config import Config
from engine.model.moment import Effects
from engine.model.record import Frame, Genesis, Record, ReleaseChange
from engine.model.runs import Run, signals_of, together
from engine.model.signal import Signal
from engine.pipeline import heap, questions, recovery
from engine.pipeline.core import Core
from engine.pipeline.feed import Feed
from engine.pipeline.fences import Wish
from engine.pipeline.made import WORTH
from engine.pipeline.meters import Meters
from engine.pipeline.notes import notes_of
from engine.pipeline.pending import Pace, Pending, Portion, give_way
from engine.pipeline.releases import Releases
from engine.pipeline.replay import cut, take_frames
from engine.pipeline.saving import Saving
from engine.pipeline.state import STAGED, checkpoint_pieces
from engine.pipeline.ticker import Ticker
from engine.pipeline.why import LOOK_BACK, Questions
from engine.ports import Sender, Store, StoredMoment

log = structlog.get_logger("herenow.runner")

PARTITION = 0
MAX_BATCH = 1024  # records a frame or a step: bounds the pause of one step to some milliseconds
APPENDS = (256, 0.001)  # records that are worth an append at once, and seconds that fewer may gather for it
STEPS = (MAX_BATCH, 0.02)  # the same of steps
COMMIT_RETRY = 0.5  # seconds between tries to commit when the store cannot
HALF_OPEN = 5.0  # seconds after a failed append in which nothing is expected of the next one
FAREWELL = 5.0  # seconds that a stop waits for what was accepted to be applied


class Runner:
    """Runs one partition: implements ``ports.Journal`` and owns the core. ``sender``, where there is one, begins what
    commits make due."""

    def __init__(self, config: Config, store: Store, clock: Clock, metrics: Metrics | None = None) -> None:
        self.config, self.store, self.clock = config, store, clock
        self.metrics = metrics or Metrics()
        self.feed = Feed()
        self.releases = Releases(store)
        self._questions = Questions(store, self.releases)
        self.core = Core(self.releases.versions)
        self._meters = Meters(self.metrics, self.core)
        self.recent = Recent(self.core.sense.names)
        self.sender: Sender | None = None
        self.problems: dict[str, str] = {}  # what keeps the server from being ready
        self.notes: dict[str, str] = {}  # what an operator should know, though all works
        self.divergence = 0
        self._pending: deque[Pending] = deque()
        self._frames: deque[tuple[Frame, list[Pending]]] = deque()
        self._queued = self._unstepped = 0
        self._arrived, self._stepping = asyncio.Event(), asyncio.Event()
        self._ticker = Ticker(clock, self, lambda: self.core.next_due())
        self.saving = Saving(store, lambda: self.core, self._pieces, self.notes, self._stepping.set, self.releases.made)
        self._committed = 0
        self._appending: list[Pending] = []
        self._append_failed = float("-inf")  # when, in seconds of this process
        self._behind = False  # the state holds effects that are not committed yet
        self._tasks: list[asyncio.Task[None]] = []
        self._broken: str | None = None

    # ------------------------------------------------------------------ life

    async def start(self) -> None:
        """Open the store, recover the state, begin to work."""
        await self.store.open(Genesis("herenow", secrets.token_hex(16), 1))
        recovered = await recovery.recover(self.store, self.releases)
        self.core, self.recent, self.divergence = recovered.core, recovered.recent, recovered.divergence
        self._committed, self.saving.last = recovered.committed, recovered.checkpointed
        self.metrics.replay_divergence.inc(self.divergence)
        self._meters = Meters(self.metrics, self.core)
        if recovered.replayed and recovered.build != engine.__version__:
            await self.checkpoint()  # what this version made of the past is no longer in doubt
        elif recovered.replayed > MAX_BATCH:
            self.want_checkpoint()
        loops = (self._append_loop, self._step_loop, self._ticker.run)
        self._tasks = [asyncio.create_task(self._guarded(loop), name=loop.__qualname__) for loop in loops]

    async def close(self) -> None:
        """Finish what was accepted, keep the state, stop. A store that cannot is not waited for: the journal has what
        was acknowledged, and the next start makes of it what was not committed."""
        with contextlib.suppress(asyncio.CancelledError, StoreError, TimeoutError):
            async with asyncio.timeout(FAREWELL):
                await self.flush(applied=True)
        stopping = [*self._tasks, *([self.saving.task] if self.saving.task is not None else [])]
        for task in stopping:
            task.cancel()
        await asyncio.gather(*stopping, return_exceptions=True)
        for pending in (*self._appending, *self._pending, *(p for _, waiting in self._frames for p in waiting)):
            pending.finish(StoreError("the server is stopping", retry=True))
        if self._tasks and self._broken is None and not self._behind:
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
            self._broken = f"{loop.__qualname__}: {error!r}"
            log.exception("stopped working", loop=loop.__qualname__)
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
            await self._put((), applied).done

    async def ingest(self, signals: Sequence[Signal]) -> tuple[int, int]:
        """Take signals once: (accepted, duplicates), durable on return. A repeat is acknowledged only when its first
        is. Many are taken in parts: of a request that fails in between, what was journaled is known when it is sent
        again."""
        accepted = duplicates = 0
        for at in range(0, len(signals), MAX_BATCH):
            fresh, repeated = await self.offer(signals[at : at + MAX_BATCH])
            accepted, duplicates = accepted + fresh, duplicates + repeated
        return accepted, duplicates

    def offer(self, signals: Sequence[Signal]) -> asyncio.Future[tuple[int, int]]:
        """The same without a wait: refused at once, or the answer to be."""
        return self.offer_each(signals)[0]

    def offer_each(self, signals: Sequence[Signal]) -> tuple[asyncio.Future[tuple[int, int]], Sequence[int] | None]:
        """The same, and the places of those that are no repeats (None: all)."""
        self._refuse_when_full(len(signals))
        places = self.recent.judge(signals, self.clock.now())
        fresh = among(signals, places)
        return self._put(fresh, False, len(signals) - len(fresh)).done, places

    async def activate(
        self, bundle: Bundle, by: str = "", why: str = "", source: str = "folder", approved_by: str = ""
    ) -> str:
        """Compile a bundle off the hot path and put it in force (``staged``: make it known); raises ``AuthorError`` and
        changes nothing if it is bad, or cannot be put in force."""
        await self.releases.keep(bundle, told=source != "folder")
        async with self.releases.fences.lock:
            await self.releases.fences.ensure(bundle.hash, self.core.state.fences)
            await self.submit([ReleaseChange(bundle.hash, by, why, source, approved_by)], applied=True)
            if source != STAGED and self.core.state.release != bundle.hash:
                problem = "The release could not be put in force; the last good one runs on."
                raise AuthorError([Finding("", 0, 0, "error", "NOT_IN_FORCE", problem, "See the log for the error.")])
        self.notes.pop("release", None)
        if len(self.core.compiled.fences.ids) >= WORTH:
            await asyncio.to_thread(heap.trim)
        return bundle.hash

    async def change_fences(self, wish: Wish) -> None:
        """Change the run-time fences; in force on return. See ``RunTimeFences.change`` for what it raises."""
        await self.releases.fences.change(wish, self, lambda: self.core.compiled)
        if wish.count >= WORTH:
            compiled = self.core.compiled  # else a start soon after would compile them all again
            await asyncio.to_thread(self.releases.made.save, compiled.place, compiled.fences)
            await asyncio.to_thread(heap.trim)

    async def preview(self, signals: Sequence[Signal]) -> list[dict[str, Any]]:
        """Per rule what it would do now, and why; nothing is kept or sent."""
        return await questions.preview(self.core, signals, self.clock.now())

    async def why(
        self, device: str, rule: str | None = None, at: float | None = None, window: float = LOOK_BACK
    ) -> dict[str, Any]:
        """Recomputed from the journal: why a device's person did or did not get a message in the ``window`` seconds
        before ``at`` (None: now)."""
        at = self.clock.now() if at is None else at
        return await self._questions.why(self.core.state, device, rule, at, window)

    def gauge(self) -> None:
        """Bring the metrics up to what is; asked for before a scrape."""
        self._meters.stands(self.core, self._queued, self._committed)

    def health(self) -> dict[str, Any]:
        """What an operator needs to know at a glance."""
        problems = dict(self.problems)
        if monotonic() - self._append_failed > HALF_OPEN:
            # Only the next append can tell, and nobody sends one to a server that says it is not ready.
            problems.pop("journal", None)
        if self._broken:
            problems["runner"] = self._broken
        return {
            "ready": bool(self._tasks) and not problems,
            "problems": problems,
            "notes": self.notes | notes_of(self.core.state, self.clock.now()),
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
        self.saving.want()

    async def checkpoint(self) -> None:
        """Write the state as of now; only called between steps."""
        await self.saving.save()

    def _pieces(self) -> Iterator[bytes]:
        """A checkpoint; of the keys seen without those of signals that may never reach the journal: after a crash their
        sender tries again, and must not be told that they are repeats."""
        waiting = [s for p in (*self._appending, *self._pending) for s in signals_of(p.records)]
        for signals in waiting:
            self.recent.forget(signals)
        yield from checkpoint_pieces(self.core.state, self.core.sense.pieces, self.recent.pieces, engine.__version__)
        for signals in waiting:
            self.recent.note(signals, self.clock.now())

    # ------------------------------------------------------------------ loops

    def _refuse_when_full(self, count: int) -> None:
        if self._broken is not None or not self._tasks:
            raise StoreError("the server is not ready", fix="See /healthz.", retry=True)
        if self._queued and self._queued + count > self.config.limits.queue:
            raise Busy(f"{self._queued} records are waiting", after=1.0)

    def _enqueue(self, records: Sequence[Record], applied: bool) -> Pending:
        self._refuse_when_full(0)
        return self._put(records, applied)

    def _put(self, records: Sequence[Record], applied: bool, duplicates: int | None = None) -> Pending:
        pending = Pending(records, applied, duplicates)
        self._pending.append(pending)
        self._queued += len(records)
        self._arrived.set()
        return pending

    async def _append_loop(self) -> None:
        pace = Pace(*APPENDS)
        while True:
            await self._arrived.wait()
            await pace.rest(self._queued - self._unstepped)
            batch, records = self._take()
            if len(records):
                started = monotonic()
                self._appending = batch
                try:
                    frame = await self.store.append(PARTITION, records, self.clock.now())
                except Exception as error:
                    self._not_appended(error)
                    continue
                self._appending = []
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
            taken = [p for p in batch if p.duplicates is not None]
            self.metrics.signals_taken(sum(len(p.records) for p in taken), sum(p.duplicates or 0 for p in taken))

    def _not_appended(self, error: Exception) -> None:
        """Nothing of the batch is journaled, and nothing that was queued behind it may be acknowledged: it may hold
        repeats of what was in it. The keys are forgotten before anybody else is judged by them."""
        if isinstance(error, StoreError):
            self.problems["journal"], self._append_failed = str(error), monotonic()
            told = error
        else:
            log.error("records cannot be journaled", error=repr(error), exc_info=error)
            told = StoreError(f"the records cannot be journaled: {error}", retry=False)
        failed = [*self._appending, *self._pending]
        self._appending = []
        self._pending.clear()
        self._arrived.clear()
        self._queued -= sum(len(pending.records) for pending in failed)
        for signals in (s for pending in failed for s in signals_of(pending.records)):
            self.recent.forget(signals)
        for pending in failed:
            pending.finish(told)

    def _take(self) -> tuple[list[Pending], Run]:
        """Whatever is queued, up to a bound: a batch of one when idle."""
        batch: list[Pending] = []
        count = 0
        while self._pending and count < MAX_BATCH:
            pending = self._pending.popleft()
            batch.append(pending)
            count += len(pending.records)
        if not self._pending:
            self._arrived.clear()
        return batch, together(pending.records for pending in batch)

    async def _step_loop(self) -> None:
        pace, portion = Pace(*STEPS), Portion(MAX_BATCH)
        while True:
            await self._stepping.wait()
            await pace.rest(self._unstepped if self._unstepped < portion.most else MAX_BATCH)
            frames, waiting = take_frames(self._frames, portion.most)
            if not self._frames:
                self._stepping.clear()
            started = monotonic()
            self.core.watch = self.feed.watched("moments")
            effects = self.core.step(frames) if frames else Effects()
            took = monotonic() - started
            self.metrics.step_seconds.observe(took)
            self.core.faults.report()
            self._behind = effects.durable()
            seqs = await self._commit(effects) if self._behind else []
            self._behind = False
            stepped = sum(len(frame.records) for frame in frames)
            portion.learn(stepped, took)
            self._queued -= stepped
            self._unstepped -= stepped
            for pending in waiting:
                pending.finish()
            self._tell(effects, seqs)
            self.saving.begin_if_due()
            await give_way(took)

    async def _commit(self, effects: Effects) -> list[int]:
        """Commit, however long it takes: the state has moved on, so there is no way but forward."""
        offset, sender = self.core.state.offset, self.sender
        while True:
            ids = sender.choose(effects.notifications) if sender is not None else ()
            try:
                seqs, begun = await self.store.commit_and_begin(
                    PARTITION, self._committed, offset, effects, ids, self.clock.now()
                )
            except StoreError as error:
                if sender is not None:
                    sender.failed(ids)
                if self.problems.get("commit") != str(error):
                    log.warning("cannot commit", problem=str(error))
                self.problems["commit"] = str(error)
                await asyncio.sleep(COMMIT_RETRY)
                with contextlib.suppress(StoreError):
                    # A commit whose answer was lost holds all the same: asking again must not raise the guard.
                    if await self.store.committed(PARTITION) == offset:
                        self._committed = offset
                continue
            self.problems.pop("commit", None)
            self._committed = offset
            if sender is not None:
                sender.committed(effects, begun)
            return seqs

    def _tell(self, effects: Effects, seqs: list[int]) -> None:
        if effects.moments:
            self._meters.decided(effects.moments, self.clock.now())
        for seq, moment in zip(seqs, effects.moments, strict=True):
            self.feed.publish("moments", StoredMoment(seq, moment))
        for miss in effects.misses:
            self.feed.publish("moments", miss)
        for hold in effects.holds:
            if hold.on and hold.by == "guard":
                log.error("a rule paused itself", rule=hold.id, why=hold.why)
        self._ticker.look()
