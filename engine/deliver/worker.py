"""The outbox worker: due rows → point of no return → adapter → the attempt's record.

Nothing here decides anything: what a result means for the moment is the core's, told by the ``Attempt`` record.
"""

import asyncio
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import structlog

from engine.clock import Clock
from engine.deliver import call
from engine.deliver.lane import Lane, LanePolicy, LaneStatus
from engine.deliver.results import Results
from engine.deliver.retry import attempt_of, homeless, interrupted
from engine.errors import StoreError
from engine.model.moment import Effects, Notification, OutboxRow, Result
from engine.ports import Adapter, Journal, Sender, Store

_log = structlog.get_logger("deliver")

POLL = 1.0  # real seconds between looks while rows are due that cannot begin (paused, breaker open, lane full)
LONGEST_REST = 30.0  # seconds of the clock: a clock that was set forward is noticed
SWEEP = 256  # rows looked through for expired ones in a lane that cannot begin any
PROBES = 16  # rows a half-open breaker chooses its probe from
CHUNK = 512  # records given to the journal at once at start


class Deliverer(Sender):
    """Sends what is due, each channel in its own lane: slots, time bound, breaker. None holds up another.

    ``recover`` once at start, before ``run`` and while the journal takes records; the runner tells of every commit (see
    ``ports.Sender``): what it makes due begins with it where its lane has room and nothing older waits there, all else
    is looked for in the outbox. A result that the journal refuses is kept and offered until it is in; its row stays
    ``sending`` meanwhile and is not sent again.
    """

    def __init__(
        self,
        store: Store,
        journal: Journal,
        clock: Clock,
        channels: Mapping[str, Adapter],
        *,
        policies: Mapping[str, LanePolicy] | None = None,
        random: Random | None = None,
        grace: float = 5.0,
    ) -> None:
        """``policies``: bounds per channel (see ``lane_policies``); ``grace``: real seconds that sends under way are
        given when ``run`` is cancelled."""
        self._store, self._clock = store, clock
        self._results = Results(journal, self._report)
        given = policies or {}
        self._lanes = {name: Lane(name, channels[name], given.get(name, LanePolicy())) for name in sorted(channels)}
        self._random = random or Random()  # noqa: S311  jitter, not a secret
        self._grace = grace
        self._woken = asyncio.Event()
        self._hand: set[str] = set()  # notifications begun here whose record is not yet applied
        self._tasks: set[asyncio.Task[bool]] = set()
        self._doubtful: list[str] = []
        self._chosen: list[Lane] = []  # the lane of each row that the commit under way is to begin
        self._told = asyncio.Event()  # there is none
        self._told.set()
        self._stopping = True  # until ``run``
        self._trouble = ""

    # ------------------------------------------------------------------ what others call

    def wake(self) -> None:
        """Something may be due."""
        self._woken.set()

    def status(self) -> list[LaneStatus]:
        """How every channel stands."""
        return [lane.status() for lane in self._lanes.values()]

    def problems(self) -> list[str]:
        """Sentences for health: what keeps messages from leaving."""
        found = [f"outbox: {self._trouble}"] if self._trouble else []
        for status in self.status():
            if status.breaker != "closed":
                found.append(f"channel '{status.channel}' is left alone after repeated failures ({status.problem})")
            if status.unrecorded:
                found.append(f"channel '{status.channel}': {status.unrecorded} results wait for the journal")
        return found

    # ------------------------------------------------------------------ with a commit

    def choose(self, notifications: Sequence[Notification]) -> list[str]:
        """Those whose lane has room for them now, and in which nothing waits that is older."""
        if self._stopping or self._doubtful:
            return []
        now = self._clock.now()
        ids: list[str] = []
        for n in notifications:
            lane = self._lanes.get(n.channel)
            if lane is None or n.not_before > now:
                continue
            lane.clear = lane.clear and lane.breaker.until is None and lane.room(now) > 0
            if lane.clear:
                lane.kept += 1
                self._chosen.append(lane)
                self._told.clear()
                ids.append(n.id)
        return ids

    def committed(self, effects: Effects, begun: Sequence[OutboxRow]) -> None:
        """Send what has begun; look for the rest."""
        self._let_go()
        for row in begun:
            self._begin(self._lanes[row.notification.channel], row)
        rest = len(begun) < len(effects.notifications)
        if rest or effects.holds or any(settle.status == "waiting" for settle in effects.settled):
            self.wake()

    def failed(self, ids: Sequence[str]) -> None:
        """Rows that may have been taken are looked for before any other begins."""
        self._let_go()
        if ids:
            self._doubtful += ids
            self.wake()

    def _let_go(self) -> None:
        for lane in self._chosen:
            lane.kept -= 1
        self._chosen.clear()
        self._told.set()

    # ------------------------------------------------------------------ from start to stop

    async def recover(self) -> None:
        """Settle what a stopped process left behind: tries that never came back, rows of channels that are gone.

        Raises ``StoreError`` when the outbox cannot be read; waits until the journal has taken the records.
        """
        now = self._clock.now()
        ended = [interrupted(row, now, self._idempotent(row)) for row in await self._store.sending()]
        waiting = await self._store.rows("waiting", None, 100_000)
        ended += [homeless(row, now) for row in waiting if row.notification.channel not in self._lanes]
        for at in range(0, len(ended), CHUNK):
            await self._results.submit(ended[at : at + CHUNK])
        if ended:
            _log.warning("recovered", attempts=len(ended), unknown=sum(a.outcome == "unknown" for a in ended))

    async def run(self) -> None:
        """Send until cancelled; then begin nothing more and give sends under way ``grace`` seconds to be recorded."""
        self._stopping = False
        dispatcher = asyncio.create_task(self._dispatch(), name="deliver")
        try:
            await asyncio.shield(dispatcher)
        finally:
            self._stopping = True
            self.wake()
            await self._drain(dispatcher)

    # ------------------------------------------------------------------ choosing

    async def _dispatch(self) -> None:
        while not self._stopping:
            self._woken.clear()
            try:
                begun = await self._round()
                self._trouble = ""
                if not begun:
                    await self._rest(await self._store.next_due())
            except StoreError as error:
                self._report(str(error))
                await self._wait(None, POLL)

    async def _round(self) -> bool:
        """Begin what may begin, bury what ran out of time. True when there may be more at once."""
        now = self._clock.now()
        chosen: list[str] = []
        kept: list[Lane] = []
        more = False
        try:
            for lane in self._lanes.values():
                over, live = await self._candidates(lane, now)
                more = more or bool(over)
                chosen += [row.notification.id for row in (*over, *live)]  # begin_send makes those out of time dead
                kept += [lane] * len(live)
                lane.kept += len(live)
            begun = await self._begin_send(chosen, now)
        finally:
            for lane in kept:
                lane.kept -= 1
        for row in begun:
            self._begin(self._lanes[row.notification.channel], row)
        return more or bool(begun)

    async def _begin_send(self, chosen: list[str], now: float) -> list[OutboxRow]:
        """Take rows past the point of no return."""
        if self._doubtful:
            await self._undo_doubtful(now)
        if not chosen:
            return []
        try:
            return await self._store.begin_send(chosen, now)
        except StoreError:
            self._doubtful += chosen
            raise

    async def _undo_doubtful(self, now: float) -> None:
        """Rows of a ``begin_send`` that failed, yet was carried out: no adapter was called, so they wait again."""
        back = []
        for id in dict.fromkeys(self._doubtful):
            row = await self._store.row(id)
            if row is not None and row.status == "sending" and id not in self._hand:
                result = Result("retry", "the store failed before the adapter was called; nothing was sent")
                back.append(attempt_of(row, result, now, (), self._random))
        if back:
            await self._results.submit(back)
        self._doubtful = []

    async def _candidates(self, lane: Lane, now: float) -> tuple[list[OutboxRow], list[OutboxRow]]:
        """Rows of one lane whose time is over, and rows that may begin."""
        room = lane.room(now)
        probing = lane.breaker.until is not None
        lane.clear = False
        if room <= 0:  # nothing may begin, yet what waits in vain must not wait for ever
            if now < lane.swept + POLL:
                return [], []
            lane.swept = now
            room = 0
        look = room if room and not probing else PROBES if room else SWEEP
        found = await self._store.due(now, (lane.name,), look)
        lane.clear = len(found) < look and room > 0 and not probing
        due = [row for row in found if row.notification.id not in self._hand]
        over = [row for row in due if now >= row.notification.deadline]
        live = [row for row in due if now < row.notification.deadline]
        if probing:  # the least tried: one message that always fails must not keep the breaker open
            live.sort(key=lambda row: row.attempts)
        return over, live[:room]

    # ------------------------------------------------------------------ one row

    def _begin(self, lane: Lane, row: OutboxRow) -> None:
        id = row.notification.id
        lane.in_flight += 1
        lane.breaker.begun(id)
        self._hand.add(id)
        begun = call.start(lane.adapter, row.notification)
        task = asyncio.create_task(self._send(lane, row, begun), name=f"deliver {id}")
        self._tasks.add(task)

        def done(finished: asyncio.Task[bool]) -> None:
            self._hand.discard(id)
            self._tasks.discard(finished)
            if not finished.cancelled() and (error := finished.exception()) is not None:
                self._report(f"'{id}' stays sending until the next start: {type(error).__name__}: {error}")
            elif not finished.cancelled() and finished.result() and lane.clear and lane.breaker.until is None:
                return  # nothing waits for it
            self.wake()

        task.add_done_callback(done)

    def _free(self, lane: Lane) -> None:
        """A call is over: another may begin, before its result is in the journal."""
        lane.in_flight -= 1
        if not lane.clear:
            self.wake()

    async def _send(self, lane: Lane, row: OutboxRow, task: "asyncio.Task[Result]") -> bool:
        """See a try to its end; whether it went."""
        try:
            result = await call.outcome(task, lane.name, lane.timeout, lane.adapter.idempotent)
            now = self._clock.now()
            self._judge(lane, row, result, now)
        finally:
            if task.done():
                self._free(lane)
            else:  # told to stop, yet at work
                task.add_done_callback(lambda _: self._free(lane))
        lane.unrecorded += 1
        try:
            await self._results.put(attempt_of(row, result, now, lane.schedule, self._random))
        finally:
            lane.unrecorded -= 1
        if not task.done():  # it ignores that it was told to stop: it keeps a slot of its own lane, no other's
            await asyncio.wait({task})
        return result.outcome == "sent"

    def _judge(self, lane: Lane, row: OutboxRow, result: Result, now: float) -> None:
        was = lane.breaker.state
        if result.outcome in ("sent", "failed"):
            lane.breaker.succeeded()
        else:
            lane.breaker.failed(row.notification.id, now, result.detail, result.after)
        if lane.breaker.state != was:
            _log.warning("breaker", channel=lane.name, state=lane.breaker.state, problem=lane.breaker.detail)

    # ------------------------------------------------------------------ waiting

    async def _rest(self, next_due: float | None) -> None:
        """Until the next row is due, a breaker may be probed, or somebody wakes us."""
        now = self._clock.now()
        instants = [lane.breaker.until for lane in self._lanes.values() if lane.breaker.until is not None]
        if next_due is not None:
            instants.append(next_due)
        ahead = [instant for instant in instants if instant > now]
        stuck = next_due is not None and next_due <= now
        await self._wait(min(min(ahead) - now, LONGEST_REST) if ahead else None, POLL if stuck else None)

    async def _wait(self, seconds: float | None, at_most: float | None) -> None:
        """Until woken, ``seconds`` of the clock are over, or ``at_most`` real seconds are."""
        waits: set[asyncio.Task[Any]] = {asyncio.create_task(self._woken.wait())}
        if seconds is not None:
            waits.add(asyncio.create_task(self._clock.sleep(seconds)))
        try:
            await asyncio.wait(waits, timeout=at_most, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _drain(self, dispatcher: "asyncio.Task[None]") -> None:
        """Let the round and the commit under way and their sends finish; what does not is left to ``recover``."""
        told = asyncio.create_task(self._told.wait())
        await asyncio.wait({dispatcher, told, *self._tasks}, timeout=self._grace)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._grace)
        left = [dispatcher, told, *self._tasks, *self._results.tasks]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def _report(self, problem: str) -> None:
        if problem != self._trouble:
            _log.error("deliver_trouble", problem=problem)
        self._trouble = problem

    def _idempotent(self, row: OutboxRow) -> bool:
        lane = self._lanes.get(row.notification.channel)
        return lane is not None and lane.adapter.idempotent
