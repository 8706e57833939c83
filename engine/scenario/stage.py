"""A core with time and people's phones around it, in memory: records go in at their times, timers fire when they are
due, and what is decided is sent on channels that always answer at once."""

import heapq
from collections.abc import Collection

import msgspec
from msgspec import Struct, field

from engine.model.ids import share
from engine.model.moment import Effects, Message, Miss, Moment, Notification
from engine.model.moment import Outcome as OutcomeWord
from engine.model.reason import Reason, Verdict
from engine.model.record import Attempt, Control, Frame, Genesis, Record, ReleaseChange
from engine.model.signal import Transition
from engine.pipeline.core import Core
from engine.pipeline.replay import MAX_TICKS, drive, next_due, pass_time
from engine.pipeline.state import CoreState
from engine.pipeline.versions import Compiled
from engine.sense import fork

PROJECT = "scenario"
LATER = 5400.0  # seconds within which a second attempt is made, at most
_decoder = msgspec.msgpack.Decoder(CoreState)


class Outcome(Struct):
    """A moment and what became of it: sent (on ``channel``, at ``sent_at``), or ended with a reason, or waiting."""

    moment: Moment
    sent_at: float | None = None
    channel: str = ""
    message: Message | None = None
    notification: str = ""
    ended: str = ""
    ended_at: float = 0.0
    ended_why: str = ""

    @property
    def reason(self) -> str:
        """Why it was not sent; "" while it may be, or was."""
        if self.moment.decision.verdict is Verdict.SUPPRESS:
            return str(self.moment.decision.reason)
        return self.ended

    @property
    def held(self) -> bool:
        """Whether it was decided to go later."""
        return self.moment.decision.verdict is Verdict.HOLD


class Seen(Struct):
    """All that a play showed, each in the order in which it came."""

    outcomes: list[Outcome] = field(default_factory=list)
    misses: list[Miss] = field(default_factory=list)  # none unless they are watched
    transitions: list[tuple[float, Transition]] = field(default_factory=list)  # with journal time


class Prepared:
    """A release in force and nothing else: what every stage begins with, made once."""

    def __init__(self, compiled: Compiled) -> None:
        self.compiled = compiled
        core = Core({compiled.release.hash: compiled})
        self.frame = Frame(0, 0.0, [Genesis(PROJECT, "", 1), ReleaseChange(compiled.release.hash)])
        core.step([self.frame])
        self._state, self._sense = msgspec.msgpack.encode(core.state), core.sense
        self.sampled = [rule.id for rule in compiled.release.rules if rule.control_group > 0]
        self._timed = next_due(core) is not None  # nothing else can be due yet but a schedule

    def core(self, begins: float) -> tuple[Core, Frame]:
        """A core of one's own, and the frame with which it began. Schedules count from ``begins``."""
        versions = {self.compiled.release.hash: self.compiled}
        if not self._timed:
            return Core(versions, _decoder.decode(self._state), fork(self._sense, ())), self.frame
        core, frame = Core(versions), msgspec.structs.replace(self.frame, received=begins)
        core.step([frame])
        return core, frame


class Stage:
    """One core, from its first record on. ``failing`` channels refuse every message, ``flaky`` is the share of messages
    that take two attempts; ``journal`` keeps every frame, where it is asked to (``keep``); ``watch``: what rules that
    were woken in vain saw is kept, too."""

    def __init__(
        self, prepared: Prepared, begins: float, failing: Collection[str] = (), flaky: float = 0.0,
        keep: bool = False, watch: bool = False,
    ) -> None:  # fmt: skip
        self.core, first = prepared.core(begins)
        self.core.watch, self.core.keep_transitions = watch, True
        self.now = begins
        self.seen = Seen()
        self.journal: list[Frame] | None = [first] if keep else None
        self._failing, self._flaky = frozenset(failing), flaky
        self._by_moment: dict[str, Outcome] = {}
        self._due: list[tuple[float, int, Notification]] = []
        self._parked: list[Notification] = []
        self._count = 0

    def put(self, record: Record, at: float | None = None) -> None:
        """Let time pass until ``at`` (None: now), then append the record."""
        at = self.now if at is None else max(at, self.now)
        if at > self.now or (self._due and self._due[0][0] <= at):
            self.advance(at)
        for frame, fx in drive(self.core, [Frame(self.core.state.offset, self.now, [record])]):
            self._took(frame, fx)
        if type(record) is Control and record.action == "resume":
            parked, self._parked = self._parked, []
            for notification in parked:
                self._wait(notification, self.now)
            self.advance(self.now)

    def advance(self, until: float) -> None:
        """Timers fire, schedules come and messages are sent, each at its own time, up to and at ``until``."""
        for _ in range(MAX_TICKS):
            due = self._due[0][0] if self._due else None
            target = until if due is None else min(until, due)
            if self._time(target):
                continue
            if due is None or due > until:
                self.now = max(self.now, until)
                return
            self.now = max(self.now, due)
            self._send(heapq.heappop(self._due)[2])

    def _time(self, target: float) -> bool:
        """Let time pass up to ``target``; True where a message may go before that."""
        for frame, fx in pass_time(self.core, target):
            self._took(frame, fx)
            if self._due and self._due[0][0] < target:
                return True
        return False

    def forget(self) -> None:
        """What was seen so far is not of interest."""
        self.seen = Seen()
        self._by_moment.clear()

    # ------------------------------------------------------------------ what comes of it

    def _step(self, frame: Frame) -> None:
        self._took(frame, self.core.step([frame]))

    def _took(self, frame: Frame, fx: Effects) -> None:
        self.now = max(self.now, frame.received)
        if self.journal is not None:
            self.journal.append(frame)
        seen = self.seen
        for moment in fx.moments:
            outcome = Outcome(moment)
            seen.outcomes.append(outcome)
            self._by_moment[moment.id] = outcome
        seen.misses += fx.misses
        seen.transitions += [(frame.received, t) for t in fx.transitions]
        for notification in fx.notifications:
            self._wait(notification, max(self.now, notification.not_before))
        if fx.cancels:
            self._cancelled()

    def _wait(self, notification: Notification, due: float) -> None:
        self._count += 1
        heapq.heappush(self._due, (due, self._count, notification))

    def _cancelled(self) -> None:
        """Messages that wait and may not go any more."""
        for notification in [*(entry[2] for entry in self._due), *self._parked]:
            flying = self.core.state.inflight.get(notification.id)
            if flying is not None and flying.cancelled:
                self._end(notification, flying.cancelled)

    def _end(self, notification: Notification, reason: str, why: str = "") -> None:
        outcome = self._by_moment.get(notification.moment)
        if outcome is not None and not outcome.ended:
            outcome.ended, outcome.ended_at, outcome.ended_why = reason, self.now, why

    # ------------------------------------------------------------------ sending

    def _send(self, notification: Notification) -> None:
        """One attempt, unless it is refused as ``begin_send`` refuses it."""
        flying = self.core.state.inflight.get(notification.id)
        if flying is None or flying.cancelled:
            self._end(notification, flying.cancelled if flying is not None else Reason.EXPIRED.value)
        elif self.now >= min(notification.deadline, notification.expires):
            late = Reason.QUIET_HOURS if notification.deadline < notification.expires else Reason.EXPIRED
            self._end(notification, late.value)
        elif self._paused(notification):
            self._parked.append(notification)
        else:
            self._attempt(notification)

    def _paused(self, n: Notification) -> bool:
        switch = self.core.state.decide.switch
        scopes = (("all", ""), ("rule", n.rule), ("channel", n.channel), ("geofence", n.cause.fence or ""))
        return any(switch(scope, id) is not None for scope, id in scopes)

    def _attempt(self, n: Notification) -> None:
        """The far side takes it, refuses it for good, or (a flaky one) asks to be tried again later."""
        fails = n.channel in self._failing
        number = self.core.state.inflight[n.id].attempts + 1
        flaky = number == 1 and not fails and share("flaky", n.id) < self._flaky
        outcome: OutcomeWord = "failed" if fails else "retry" if flaky else "sent"
        retry_at = self.now + LATER * share("later", n.id) if flaky else None
        reason = Reason.REJECTED.value if fails else ""
        told = self._by_moment.get(n.moment)
        if told is not None and outcome == "sent":
            told.sent_at, told.channel, told.message, told.notification = self.now, n.channel, n.message, n.id
        before = self._count
        record = Attempt(n.id, n.moment, n.person, n.channel, number, outcome, self.now, "", retry_at, reason)
        self._step(Frame(self.core.state.offset, self.now, [record]))
        if retry_at is not None and n.id in self.core.state.inflight:
            self._wait(n, retry_at)
        elif outcome != "sent" and self._count == before:
            self._end(n, reason or Reason.EXPIRED.value, f"{n.channel} fails" if fails else "")
