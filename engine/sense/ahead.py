"""What signals and time will do to devices, found out before it is told: for whoever has the records of the next
seconds at hand, as a replay has. Devices do not hang together, so signals need not be parted where a timer of another
device runs out between them; what came of them is told in portions, and timers at their times.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from engine.model.signal import Transition

Faults = list[tuple[int, str, Exception]]  # what failed: record, device, why


class Ahead:
    """``told``: what so many signals (``count``) bring, in record order; ``fired``: what timers tell until the last of
    them, in the order in which they fire; ``faults``: what failed of signals."""

    def __init__(self, count: int, told: Sequence[Transition], fired: Sequence[Transition], faults: Faults) -> None:
        self._count, self._told, self._fired, self._faults = count, told, fired, faults
        self._from = self._to = 0  # the signals of the newest portion
        self._next = self._rung = 0  # what comes next of what was told, and of what fired

    @property
    def over(self) -> bool:
        """Whether all of it is told."""
        return self._to == self._count and self._rung == len(self._fired)

    def record(self, record: float) -> float:
        """A record of the newest portion (-1: what is just after it) as one of the whole."""
        return self._to - 0.5 if record <= -1 else self._from + record

    def take(self, count: int) -> tuple[list[Transition], Faults]:
        """What the next signals bring, and what failed of them; ``record`` is the index among these."""
        first, last, at = self._to, self._to + count, self._next
        self._from, self._to = first, last
        while self._next < len(self._told) and self._told[self._next].record < last:
            self._next += 1
        told = [replace(t, record=t.record - first) for t in self._told[at : self._next]]
        return told, [(k - first, device, why) for k, device, why in self._faults if first <= k < last]

    def next_due(self) -> float | None:
        """Journal time at which the next timer tells something; None where nothing is left."""
        return self._fired[self._rung].due if self._rung < len(self._fired) else None

    def fire(self, received: float) -> list[Transition]:
        """What timers tell by that time, and did not tell yet."""
        at = self._rung
        while (due := self.next_due()) is not None and due <= received:
            self._rung += 1
        return list(self._fired[at : self._rung])
