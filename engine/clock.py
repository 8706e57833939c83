"""The only reader of time. Everything else is handed an instant, or a :class:`Clock`."""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Journal and sending time for a whole process."""

    def now(self) -> float:
        """Epoch seconds."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Sleep that many seconds of this clock."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))


class SimulatedClock:
    """Starts at ``start`` and runs ``speed`` times as fast as the machine's monotonic clock (sandbox, demos)."""

    def __init__(self, start: float, speed: float = 1.0) -> None:
        self._start, self.speed, self._zero = start, speed, time.monotonic()

    def now(self) -> float:
        return self._start + (time.monotonic() - self._zero) * self.speed

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds) / self.speed)


class ManualClock:
    """Stands still until told: for tests and replays."""

    def __init__(self, start: float = 0.0) -> None:
        self._now = start

    def now(self) -> float:
        return self._now

    def set(self, instant: float) -> None:
        """Move to ``instant``; never backwards."""
        self._now = max(self._now, instant)

    async def sleep(self, seconds: float) -> None:
        self._now += max(0.0, seconds)
        await asyncio.sleep(0)


def monotonic() -> float:
    """Seconds that never go back: for deadlines of this process, never for decisions."""
    return time.monotonic()
