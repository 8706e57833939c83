"""The live way: queue, group commit, step, commit. What others call, and its life from start to stop."""

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import structlog

import engine
from engine.author.project import Bundle
from engine.clock import Clock
from engine.errors import AuthorError, Busy, Finding, StoreError
from engine.ingest.dedupe import Recent, among
from engine.measure.metrics import Metrics
from engine.model.config import Config
from engine.model.moment import Effects
from engine.model.record import Attempt, Genesis, Record, ReleaseChange
from engine.model.signal import Signal
from engine.pipeline import heap, questions, recovery
from engine.pipeline.appending import Appending
from engine.pipeline.core import Core
from engine.pipeline.feed import Feed
from engine.pipeline.fences import Wish
from engine.pipeline.made import WORTH
from engine.pipeline.meters import Meters
from engine.pipeline.notes import notes_of
from engine.pipeline.releases import Releases
from engine.pipeline.saving import Saving
from engine.pipeline.state import STAGED, checkpoint_pieces
from engine.pipeline.stepping import Stepping
from engine.pipeline.ticker import Ticker
from engine.pipeline.why import LOOK_BACK, Questions
from engine.ports import Sender, Store

log = structlog.get_logger("herenow.runner")

MAX_BATCH = 1024  # signals that are taken in one go
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
        self.notes: dict[str, str] = {}  # what an operator should know, though all works
        self.loops: Literal["python", "coming", "compiled"] = "python"  # what signals are read and sensed by
        self.divergence = 0
        self._stepping = Stepping(store, clock, self.metrics, lambda: self.core, self.feed, self._stepped)
        stepping = self._stepping
        self._appending = Appending(store, clock, self.metrics, lambda: self.recent, stepping.add, stepping.caught_up)
        self._ticker = Ticker(clock, self, lambda: self.core.next_due())
        wake, made = self._stepping.wake, self.releases.made
        self.saving = Saving(store, lambda: self.core, self._pieces, self.notes, wake, made)
        self._tasks: list[asyncio.Task[None]] = []
        self._broken: str | None = None

    # ------------------------------------------------------------------ life

    async def start(self) -> None:
        """Open the store, recover the state, begin to work."""
        await self.store.open(Genesis("herenow", secrets.token_hex(16), 1))
        recovered = await recovery.recover(self.store, self.releases)
        self.core, self.recent, self.divergence = recovered.core, recovered.recent, recovered.divergence
        self._stepping.committed, self.saving.last = recovered.committed, recovered.checkpointed
        self.metrics.replay_divergence.inc(self.divergence)
        self._meters = Meters(self.metrics, self.core)
        if recovered.replayed and recovered.build != engine.__version__:
            await self.checkpoint()  # what this version made of the past is no longer in doubt
        elif recovered.replayed > MAX_BATCH:
            self.want_checkpoint()
        loops = (self._appending.run, self._stepping.run, self._ticker.run)
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
        self._fail_all(StoreError("the server is stopping", retry=True))
        if self._tasks and self._broken is None and not self._stepping.behind:
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
        self._appending.call()
        self._appending.fail(error)
        self._stepping.fail(error)

    def send_with(self, sender: Sender) -> None:
        """``sender`` begins what commits make due, from now on."""
        self._stepping.sender = sender

    # ------------------------------------------------------------------ what others call

    async def submit(self, records: Sequence[Record], applied: bool = False) -> None:
        """Durable on return; with ``applied``, in force too."""
        self._refuse_when_full(0)
        await self._appending.put(records, applied).done

    async def settle(self, attempts: Sequence[Attempt]) -> None:
        """Durable and in force on return."""
        self._refuse_when_full(0)
        await self._appending.put(attempts, applied=True, first=True).done

    async def flush(self, applied: bool = False) -> None:
        """Return when everything queued before is durable (and applied)."""
        if self._tasks and self._broken is None:
            await self._appending.put((), applied).done

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
        return self._appending.put(fresh, False, len(signals) - len(fresh)).done, places

    def before_append(self, call: Callable[[], None]) -> None:
        """``call`` comes once, soon: when the next append begins, which takes along what it offers."""
        if self._tasks and self._broken is None:
            self._appending.before(call)
        else:
            asyncio.get_running_loop().call_soon(call)

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
        self._meters.stands(self.core, self._queued, self._stepping.committed)

    def health(self) -> dict[str, Any]:
        """What an operator needs to know at a glance."""
        found = {"journal": self._appending.trouble(), "commit": self._stepping.trouble, "runner": self._broken or ""}
        problems = {part: problem for part, problem in found.items() if problem}
        return {
            "ready": bool(self._tasks) and not problems,
            "problems": problems,
            "notes": self.notes | notes_of(self.core.state, self.clock.now()),
            "queued": self._queued,
            "unstepped": self._stepping.waiting,
            "offset": self.core.state.offset,
            "committed": self._stepping.committed,
            "release": self.core.state.release,
            "devices": self.core.sense.devices(),
            "people": len(self.core.state.people),
            "replay_divergence": self.divergence,
            "loops": self.loops,
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
        waiting = self._appending.signals()
        for signals in waiting:
            self.recent.forget(signals)
        yield from checkpoint_pieces(self.core.state, self.core.sense.pieces, self.recent.pieces, engine.__version__)
        for signals in waiting:
            self.recent.note(signals, self.clock.now())

    # ------------------------------------------------------------------ the way

    def _refuse_when_full(self, count: int) -> None:
        if self._broken is not None or not self._tasks:
            raise StoreError("the server is not ready", fix="See /healthz.", retry=True)
        if self._queued and self._queued + count > self.config.limits.queue:
            raise Busy(f"{self._queued} records are waiting", after=1.0)

    @property
    def _queued(self) -> int:
        return self._appending.waiting + self._stepping.waiting

    def _stepped(self, effects: Effects) -> None:
        """After each step and its commit, if it had one."""
        if effects.moments:
            self._meters.decided(effects.moments, self.clock.now())
        for hold in effects.holds:
            if hold.on and hold.by == "guard":
                log.error("a rule paused itself", rule=hold.id, why=hold.why)
        self._ticker.look()
        if not self._stepping.behind:
            self.saving.begin_if_due()
