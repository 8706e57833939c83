"""What waits for the next group commit."""

import asyncio
from collections.abc import Callable, Sequence

from engine.clock import monotonic
from engine.model.moment import Effects, Settle
from engine.model.record import Record

SPACING = 0.0005  # seconds between two appends, and two steps, while work keeps coming; none when idle

LONG = 0.002  # seconds of a step after which others have several turns before the next
TURNS = 3  # rounds of the loop: an instant that has come, the task that sleeps until then, and what that one hands on


class Pending:
    """Records of one caller; ``applied``: the caller waits until they are in force, too. ``duplicates``: how many
    signals came beside them that were repeats; None where they are no signals."""

    __slots__ = ("applied", "done", "duplicates", "records")

    def __init__(self, records: Sequence[Record], applied: bool, duplicates: int | None = None) -> None:
        self.records, self.applied, self.duplicates = records, applied, duplicates
        self.done: asyncio.Future[tuple[int, int]] = asyncio.get_running_loop().create_future()

    def finish(self, error: Exception | None = None) -> None:
        """Tell the caller, who may be gone."""
        if self.done.done():
            return
        if error is None:
            self.done.set_result((len(self.records), self.duplicates or 0))
        else:
            self.done.set_exception(error)


class Pace:
    """How long work may gather before the next append or step. One over many costs little more than one over few: while
    the loop has time to spare they come often, and the later the loop comes round to it, the fuller it lets them get.
    ``full``: records that are worth one at once; ``longest``: seconds between two of them."""

    GATHER = 3.0  # seconds of rest for each second that the loop was late

    def __init__(self, full: int, longest: float) -> None:
        self._full, self._longest = full, longest
        self._began = self._late = 0.0

    async def rest(self, count: int, slept: bool = False) -> None:
        """Return when it should begin, where ``count`` records wait as of now. Others run meanwhile, or ran before:
        ``slept`` says that there was nothing to do until now."""
        now = monotonic()
        spacing = min(self._longest, SPACING + self.GATHER * self._late)
        due = now if count >= self._full else max(now, self._began + spacing)
        if due > now or not slept:
            await asyncio.sleep(due - now)
            self._late = (self._late + monotonic() - due) / 2
        self._began = monotonic()


async def give_way(seconds: float) -> None:
    """After so long a step: whoever waits gets on before the next one, also who waits for somebody that waits."""
    if seconds >= LONG:
        for _ in range(TURNS):
            await asyncio.sleep(0)


class Portion:
    """How many records a step takes: ``most``, or fewer where the last ones took long, so that one step does not hold
    up everybody. How records are cut into steps never shows in what comes out."""

    HOLD = 0.015  # seconds that a step may take
    LEAST = 16  # records: of fewer nothing is learnt, for one release or tick may take as long as a thousand signals

    def __init__(self, most: int) -> None:
        self._bound = self.most = most
        self._each = 0.0

    def learn(self, count: int, seconds: float) -> None:
        """A step over so many records took so long."""
        if count >= self.LEAST:
            self._each = (self._each + seconds / count) / 2
            self.most = max(self.LEAST, min(self._bound, int(self.HOLD / max(self._each, 1e-9))))


class Outcomes:
    """What became of sends: it is durable in the journal, and so goes into the outbox with the next commit that there
    is. One by itself would hold up whatever is to be stepped meanwhile. ``wake`` has the next step come."""

    LONGEST = 0.03  # seconds after which it is committed all the same

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._settled: list[Settle] = []
        self._waiting: list[Pending] = []
        self._timer: asyncio.TimerHandle | None = None
        self._ripe = False

    def __len__(self) -> int:
        return len(self._settled)

    def keep(self, effects: Effects, waiting: list[Pending]) -> bool:
        """Whether there is nothing to commit now: ``waiting`` is left with those who need wait no longer: nobody while
        something is kept. If there is, what was kept is put before it. Who waits for nothing of their own wants all
        that there is."""
        more = effects.moments or effects.notifications or effects.cancels or effects.holds
        if more or self._ripe or not all(len(one.records) for one in waiting):
            self._take(effects, waiting)
            return not effects.durable()
        self._settled += effects.settled
        if self._settled:  # also those whose frame was cut behind it
            self._waiting += waiting
            waiting.clear()
            self._timer = self._timer or asyncio.get_running_loop().call_later(self.LONGEST, self._ripen)
        return True

    def fail(self, error: Exception) -> None:
        """Tell everybody."""
        for pending in self._waiting:
            pending.finish(error)

    def _take(self, effects: Effects, waiting: list[Pending]) -> None:
        effects.settled = self._settled + effects.settled
        waiting += self._waiting
        self._settled, self._waiting, self._ripe = [], [], False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ripen(self) -> None:
        self._ripe = True
        self._wake()
