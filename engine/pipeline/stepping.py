"""What is durable is stepped and committed. One appender and one stepper, so that fsync and thinking overlap."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable

import structlog

from engine.clock import Clock, monotonic
from engine.errors import StoreError
from engine.measure.metrics import Metrics
from engine.model.moment import Effects
from engine.model.record import Frame
from engine.pipeline.core import Core
from engine.pipeline.feed import Feed
from engine.pipeline.pending import Outcomes, Pace, Pending, Portion, give_way
from engine.pipeline.replay import parted, take_frames
from engine.ports import Sender, Store, StoredMoment

log = structlog.get_logger("herenow.stepping")

PARTITION = 0
MOST = 4096  # records of a step where they are cheap; ``Portion`` makes it fewer where they would take long
PACE = (1024, 0.02)  # records that are worth a step at once, and seconds that fewer may gather for it
BEHIND = 2 * MOST  # records that wait to be stepped from which the next append waits, too
PATIENCE = 0.25  # seconds that it does: a commit that cannot get through must not keep signals from the journal
COMMIT_RETRY = 0.5  # seconds between tries to commit when the store cannot


class Stepping:
    """Advances the core and commits what comes of it. ``sender``, where there is one, begins what commits make due;
    ``then`` is called when that is done, between two steps."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        metrics: Metrics,
        core: Callable[[], Core],
        feed: Feed,
        then: Callable[[Effects], None],
    ) -> None:
        self._store, self._clock, self._metrics = store, clock, metrics
        self._core, self._feed, self._then = core, feed, then
        self.sender: Sender | None = None
        self.waiting = 0  # records that are durable and not applied yet
        self.committed = 0  # the offset
        self.behind = False  # the state holds effects that are not committed yet
        self.trouble = ""  # why the commit under way does not get through
        self._frames: deque[tuple[Frame, list[Pending]]] = deque()
        self._woken = asyncio.Event()
        self._near = asyncio.Event()  # no more wait than may
        self._near.set()
        self._outcomes = Outcomes(self.wake)
        self._telling: list[Pending] = []  # who waits for the step under way

    def add(self, frame: Frame, waiting: list[Pending]) -> None:
        """Step through this, too; who waits is told when it is applied."""
        *parts, rest = parted(frame, MOST)
        self._frames += [(part, []) for part in parts]
        self._frames.append((rest, waiting))
        self.waiting += len(frame.records)
        if self.waiting > BEHIND:
            self._near.clear()
        self._woken.set()

    async def caught_up(self) -> None:
        """Return when no more waits than may, or after a while. Whoever sends more than is stepped waits for the answer
        a little longer then, long before anybody is refused, and what is decided is not seconds old."""
        if not self._near.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._near.wait(), PATIENCE)

    def wake(self) -> None:
        """Take a step even if there is nothing to step."""
        self._woken.set()

    def fail(self, error: StoreError) -> None:
        """Tell everybody."""
        for pending in [*self._telling, *(pending for _, waiting in self._frames for pending in waiting)]:
            pending.finish(error)
        self._outcomes.fail(error)

    async def run(self) -> None:
        """Step through whatever is there, until cancelled."""
        pace, portion = Pace(*PACE), Portion(MOST)
        while True:
            slept = not self._woken.is_set()
            await self._woken.wait()
            await pace.rest(self.waiting if self.waiting < portion.most else MOST, slept)
            frames, waiting = take_frames(self._frames, portion.most)
            self._telling = waiting
            if not self._frames:
                self._woken.clear()
            effects, took = self._step(frames)
            seqs = [] if self._outcomes.keep(effects, waiting) else await self._commit(effects)
            self.behind = len(self._outcomes) > 0
            stepped = sum(len(frame.records) for frame in frames)
            portion.learn(stepped, took)
            self.waiting -= stepped
            if self.waiting <= BEHIND:
                self._near.set()
            for pending in waiting:
                pending.finish()
            self._publish(effects, seqs)
            self._then(effects)
            await give_way(took)

    def _step(self, frames: list[Frame]) -> tuple[Effects, float]:
        """What comes of them, and how many seconds it took."""
        core, started = self._core(), monotonic()
        core.watch = self._feed.watched("moments")
        effects = core.step(frames) if frames else Effects()
        took = monotonic() - started
        self._metrics.step_seconds.observe(took)
        core.faults.report()
        self.behind = self.behind or effects.durable()
        return effects, took

    async def _commit(self, effects: Effects) -> list[int]:
        """Commit, however long it takes: the state has moved on, so there is no way but forward."""
        offset, sender = self._core().state.offset, self.sender
        while True:
            ids = sender.choose(effects.notifications) if sender is not None else ()
            try:
                seqs, begun = await self._store.commit_and_begin(
                    PARTITION, self.committed, offset, effects, ids, self._clock.now()
                )
            except StoreError as error:
                if sender is not None:
                    sender.failed(ids)
                if self.trouble != str(error):
                    log.warning("cannot commit", problem=str(error))
                self.trouble = str(error)
                await asyncio.sleep(COMMIT_RETRY)
                with contextlib.suppress(StoreError):
                    # A commit whose answer was lost holds all the same: asking again must not raise the guard.
                    if await self._store.committed(PARTITION) == offset:
                        self.committed = offset
                continue
            self.trouble, self.committed = "", offset
            if sender is not None:
                sender.committed(effects, begun)
            return seqs

    def _publish(self, effects: Effects, seqs: list[int]) -> None:
        for seq, moment in zip(seqs, effects.moments, strict=True):
            self._feed.publish("moments", StoredMoment(seq, moment))
        for miss in effects.misses:
            self._feed.publish("moments", miss)
