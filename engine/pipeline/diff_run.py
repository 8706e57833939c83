"""Two cores over the same frames, in lock step: what was, and what would have been.

The journal's attempts belong to the run that was. A message that only the other run sends has none: it is taken as sent
at the first instant at which it could be, unless a switch, its deadline or a cancellation stands in the way then. So
caps, cooldowns and stock are used up in both runs as they would be.
"""

import heapq
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from engine.errors import HerenowError
from engine.model.moment import Effects
from engine.model.record import Attempt, FenceChange, Frame, Record, ReleaseChange, ScheduleDue, Tick
from engine.model.runs import joined, others, signals_of
from engine.model.signals import Signals
from engine.pipeline.core import Core
from engine.pipeline.replay import MAX_TICKS, cut, fire, next_due

SPAN = 1.0  # seconds of frames that are stepped together, unless a timer is due between them
MOST = 4096  # records
LAG = 5.0  # seconds after which both runs have told of the same message: a live server is never later
MEMORY, FEW = 60.0, 1000  # seconds for which launches are remembered, once there are more than a few

APART = (ReleaseChange, FenceChange, ScheduleDue)  # stepped alone, or left out

Ensure = Callable[[Core, Record], None]
"""Have compiled what a record names, before it is stepped."""


@dataclass
class Side:
    """One run. ``follows``: the journal's releases hold, and it says when schedules came; else its own release, which
    was put in force at the start. ``assumes``: no attempt of the journal belongs to it, so all that it sends is taken
    as sent."""

    core: Core
    follows: bool = False
    assumes: bool = False
    fx: Effects = field(default_factory=Effects)  # since it was last taken
    launched: dict[str, float] = field(default_factory=dict)  # notifications of late, and when
    sending: list[tuple[float, str]] = field(default_factory=list)  # perhaps to be taken as sent: when, which

    def take(self) -> Effects:
        """What happened since this was asked last."""
        fx, self.fx = self.fx, Effects()
        return fx

    def next_due(self) -> float:
        """When time alone has something to do; infinite: never."""
        due = next_due(self.core, not self.follows)
        return math.inf if due is None else due

    def add(self, fx: Effects) -> None:
        for name in ("moments", "notifications", "holds", "misses", "transitions"):
            getattr(self.fx, name).extend(getattr(fx, name))


class LockStep:
    """Drives the sides; ``ensure`` is called before a record that changes what is in force is stepped."""

    def __init__(self, sides: Sequence[Side], ensure: Ensure) -> None:
        self.sides, self._ensure = tuple(sides), ensure

    def run(self, frames: Iterable[Frame]) -> Iterator[tuple[float, int]]:
        """(journal time, records) after each batch; what came of it is in the sides, to be taken."""
        for stretch in _stretches(frames):
            self.wait(stretch[0].received)
            if not _apart(stretch[0]):
                self._foresee(stretch)
            yield from self._run(stretch)

    def _foresee(self, frames: Sequence[Frame]) -> None:
        """Have all signals sensed at once, which costs less than between ticks, and leaves what is told then in the
        processor's caches. Nothing in these frames changes what is in force."""
        runs = [(run, frame.received) for frame in frames for run in signals_of(frame.records) if len(run)]
        if not runs:
            return
        signals = joined([item for run, _ in runs for item in ((run,) if isinstance(run, Signals) else run)])
        times = [received for run, received in runs for _ in range(len(run))]
        for side in self.sides:
            side.core.sense.foresee(signals, times, frames[-1].received)

    def _run(self, frames: Iterable[Frame]) -> Iterator[tuple[float, int]]:
        batch: list[Frame] = []
        records, until = 0, 0.0
        for frame in frames:
            if batch and (frame.received >= until or records + len(frame.records) > MOST):
                self._batch(batch)
                yield batch[-1].received, records
                batch, records = [], 0
            if not batch:
                due = self.wait(frame.received)
                if _ticks(frame):  # what was due then has been done just now
                    yield frame.received, 1
                    continue
                sends = [side.sending[0][0] for side in self.sides if side.sending]
                until = min(frame.received + SPAN, due, *sends)
            batch.append(frame)
            records += len(frame.records)
        if batch:
            self._batch(batch)
            yield batch[-1].received, records

    def wait(self, until: float) -> float:
        """Time passes: timers fire, and what is taken as sent is. When time alone has something to do next."""
        return min(self._wait(side, until) for side in self.sides)

    def _wait(self, side: Side, until: float) -> float:
        due, again = side.next_due(), 0
        while True:
            if side.sending and side.sending[0][0] <= min(until, due):
                self._sent(side)
                due = side.next_due()
            elif due <= until:
                self._keep(side, fire(side.core, due, not side.follows)[1])
                before, due = due, side.next_due()
                again = again + 1 if due == before else 0
                if again > MAX_TICKS:
                    raise HerenowError(f"a timer due at {due} does not advance", fix="Report this with the journal.")
            else:
                return due

    def _batch(self, frames: Sequence[Frame]) -> None:
        for side in self.sides:
            for part in self._parts(side, frames):
                self._keep(side, side.core.step(part))
            late = frames[-1].received - MEMORY
            if len(side.launched) > FEW and next(iter(side.launched.values())) < late:
                side.launched = {id: at for id, at in side.launched.items() if at >= late}

    def _parts(self, side: Side, frames: Sequence[Frame]) -> Iterator[list[Frame]]:
        """Frames up to a record that changes what is in force, then that record alone; those not meant for this side
        are left out."""
        part: list[Frame] = []
        for frame in frames:
            start = frame.offset
            for n, record in others(frame.records):
                if type(record) not in APART:
                    continue
                at = frame.offset + n
                yield [*part, cut(frame, start, at)]
                part, start = [], at + 1
                if side.follows or type(record) is FenceChange:
                    self._ensure(side.core, record)
                    yield [Frame(at, frame.received, [record])]
            part.append(frame if start == frame.offset else cut(frame, start))
        yield part

    def _keep(self, side: Side, fx: Effects) -> None:
        """Add to what happened. What the other run will have sent too is known a little later: by then it has."""
        side.add(fx)
        now, decided = side.core.state.received, {moment.id: moment.at for moment in fx.moments}
        for n in fx.notifications:
            side.launched[n.id] = now
            if not side.follows:
                known = decided.get(n.moment, n.not_before) + LAG
                heapq.heappush(side.sending, (max(n.not_before, known), n.id))

    def _sent(self, side: Side) -> None:
        """The message at the head of the queue is sent, as far as anybody can tell: unless the other run sent it as
        well, so that the journal knows."""
        at, id = heapq.heappop(side.sending)
        state, first = side.core.state, self.sides[0]
        flying = state.inflight.get(id)
        if flying is None or flying.cancelled:
            return
        if not side.assumes and (id in first.launched or id in first.core.state.inflight):
            return
        n = flying.notification
        if at >= n.deadline:
            return
        scopes = (("all", ""), ("rule", n.rule), ("channel", n.channel), ("geofence", n.cause.fence or ""))
        if any(state.decide.switch(*scope) for scope in scopes):
            heapq.heappush(side.sending, (at + 2 * LAG, id))  # looked at again: a pause may end in time
            return
        attempt = Attempt(n.id, n.moment, n.person, n.channel, flying.attempts + 1, "sent", at, "assumed by replay")
        self._keep(side, side.core.step([Frame(state.offset, max(at, state.received), [attempt])]))


def _stretches(frames: Iterable[Frame]) -> Iterator[list[Frame]]:
    """Frames of so many records, or one alone with a record that changes what is in force."""
    stretch, records = list[Frame](), 0
    for frame in frames:
        apart = _apart(frame)
        if stretch and (apart or records + len(frame.records) > MOST):
            yield stretch
            stretch, records = [], 0
        if apart:
            yield [frame]
            continue
        stretch.append(frame)
        records += len(frame.records)
    if stretch:
        yield stretch


def _apart(frame: Frame) -> bool:
    return any(type(record) in APART for _, record in others(frame.records))


def _ticks(frame: Frame) -> bool:
    """Whether it is a tick of the run that was, and nothing else."""
    return len(frame.records) == 1 and type(frame.records[0]) is Tick
