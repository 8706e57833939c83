"""Time itself becomes a record, only when a timer is due."""

import asyncio
import contextlib
from collections.abc import Callable

from engine.clock import Clock
from engine.errors import Busy, StoreError
from engine.model.record import Tick
from engine.ports import Journal

RETRY = 0.5  # real seconds until a tick that did not get in is tried again
REST = 0.02  # real seconds between two looks at the earliest timer while steps go on: what they armed is seen together
LONGEST_REST = 30.0  # seconds of the clock: one that was set forward is noticed


class Ticker:
    """Appends a tick when ``next_due()`` has come; ``look`` says that it may have changed."""

    def __init__(self, clock: Clock, journal: Journal, next_due: Callable[[], float | None]) -> None:
        self._clock, self._journal, self._next_due = clock, journal, next_due
        self._changed = asyncio.Event()

    def look(self) -> None:
        """Something was stepped: other timers may be the earliest now."""
        self._changed.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._changed.clear()
            due, now = self._next_due(), self._clock.now()
            if due is None or due > now:
                await self._until(None if due is None else min(due - now, LONGEST_REST))
                if self._changed.is_set():
                    await asyncio.sleep(REST)
                continue
            with contextlib.suppress(StoreError, Busy):
                await self._journal.submit([Tick()], applied=True)
            if self._next_due() == due:  # the tick did not get in (or a timer is stuck): never spin
                await asyncio.sleep(RETRY)

    async def _until(self, seconds: float | None) -> None:
        """Until that much of the clock has passed or something was stepped."""
        changed = asyncio.create_task(self._changed.wait())
        waits = {changed} if seconds is None else {changed, asyncio.create_task(self._clock.sleep(seconds))}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waits:
                task.cancel()
