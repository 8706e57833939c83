"""Group commit: whatever is queued becomes durable in one append, then it is acknowledged and handed on."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

import structlog

from engine.clock import Clock, monotonic
from engine.errors import StoreError
from engine.ingest.dedupe import Recent
from engine.measure.metrics import Metrics
from engine.model.record import Frame, Record
from engine.model.runs import Run, signals_of, together
from engine.model.signal import Signal
from engine.pipeline.pending import Pace, Pending
from engine.ports import Store

log = structlog.get_logger("herenow.appending")

PARTITION = 0
MOST = 4096  # records of an append, or more where one caller has so many: they go whole
PACE = (256, 0.001)  # records that are worth an append at once, and seconds that fewer may gather for it
HALF_OPEN = 5.0  # seconds after a failed append in which nothing is expected of the next one


class Appending:
    """What waits for the journal. ``hand_on`` is given each frame that is durable, and who waits until it is applied;
    ``caught_up`` returns when there may be more of them; the keys of signals that did not get in are forgotten by
    ``recent()``."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        metrics: Metrics,
        recent: Callable[[], Recent],
        hand_on: Callable[[Frame, list[Pending]], None],
        caught_up: Callable[[], Awaitable[None]],
    ) -> None:
        self._store, self._clock, self._metrics = store, clock, metrics
        self._recent, self._hand_on, self._caught_up = recent, hand_on, caught_up
        self.waiting = 0  # records that are not durable yet
        self._queue: deque[Pending] = deque()
        self._calls: list[Callable[[], None]] = []  # who puts in what it has, once there is an append to take it
        self._batch: list[Pending] = []  # what is being written
        self._arrived = asyncio.Event()
        self._trouble = ""
        self._failed = float("-inf")  # when, in seconds of this process

    def put(
        self, records: Sequence[Record], applied: bool, duplicates: int | None = None, first: bool = False
    ) -> Pending:
        """Queue the records of one caller, or put them ``first``: signals that wait are not parted by them then, and
        stay in columns."""
        pending = Pending(records, applied, duplicates)
        if first:
            self._queue.appendleft(pending)
        else:
            self._queue.append(pending)
        self.waiting += len(records)
        self._arrived.set()
        return pending

    def before(self, call: Callable[[], None]) -> None:
        """Call back when the next append begins, which takes along what is put by then."""
        self._calls.append(call)
        self._arrived.set()

    def signals(self) -> list[Sequence[Signal]]:
        """Those that may never reach the journal."""
        return [signals for pending in (*self._batch, *self._queue) for signals in signals_of(pending.records)]

    def trouble(self) -> str:
        """Why the last append failed; nothing after a while, for only the next one can tell, and nobody sends one to a
        server that says it is not ready."""
        return self._trouble if monotonic() - self._failed <= HALF_OPEN else ""

    def fail(self, error: StoreError) -> None:
        """Tell everybody."""
        for pending in (*self._batch, *self._queue):
            pending.finish(error)

    async def run(self) -> None:
        """Append whatever is queued, until cancelled."""
        pace = Pace(*PACE)
        while True:
            slept = not self._arrived.is_set()
            await self._arrived.wait()
            await self._caught_up()
            await pace.rest(self.waiting, slept)
            self.call()
            records = self._take()
            if not self._batch:
                continue
            try:
                frame = await self._append(records)
            except Exception as error:
                self._not_appended(error)
            else:
                self._appended(frame)
            self.waiting -= len(records)
            self._batch = []

    def call(self) -> None:
        """Those who asked put in what they have."""
        calls, self._calls = self._calls, []
        for call in calls:
            try:
                call()
            except Exception:
                log.exception("what waited could not be put in")

    def _take(self) -> Run:
        """Whatever is queued, up to a bound: a batch of one when idle."""
        count = 0
        while self._queue and (not self._batch or count + len(self._queue[0].records) <= MOST):
            pending = self._queue.popleft()
            self._batch.append(pending)
            count += len(pending.records)
        if not self._queue and not self._calls:
            self._arrived.clear()
        return together(pending.records for pending in self._batch)

    async def _append(self, records: Run) -> Frame:
        if not len(records):
            return Frame(await self._store.end_offset(PARTITION), 0.0, [])
        started = monotonic()
        frame = await self._store.append(PARTITION, records, self._clock.now())
        self._trouble = ""
        self._metrics.append_seconds.observe(monotonic() - started)
        return frame

    def _appended(self, frame: Frame) -> None:
        self._hand_on(frame, [pending for pending in self._batch if pending.applied])
        for pending in self._batch:
            if not pending.applied:
                pending.finish()
        taken = [pending for pending in self._batch if pending.duplicates is not None]
        self._metrics.signals_taken(sum(len(p.records) for p in taken), sum(p.duplicates or 0 for p in taken))

    def _not_appended(self, error: Exception) -> None:
        """Nothing of the batch is journaled, and nothing that was queued behind it may be acknowledged: it may hold
        repeats of what was in it. The keys are forgotten before anybody else is judged by them."""
        if isinstance(error, StoreError):
            self._trouble, self._failed = str(error), monotonic()
            told = error
        else:
            log.error("records cannot be journaled", error=repr(error), exc_info=error)
            told = StoreError(f"the records cannot be journaled: {error}", retry=False)
        for signals in self.signals():
            self._recent().forget(signals)
        self.fail(told)
        self.waiting -= sum(len(pending.records) for pending in self._queue)
        self._queue.clear()
        if not self._calls:
            self._arrived.clear()
