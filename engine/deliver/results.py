"""What became of tries, on its way into the journal."""

import asyncio
from collections.abc import Callable, Sequence

from engine.errors import Busy, StoreError
from engine.model.record import Attempt
from engine.ports import Journal

WORST_PAUSE = 5.0  # real seconds between tries to record a result


class Results:
    """Offers records to the journal until it has them and their step is committed. Tries that end in the same turn of
    the loop go together. ``report`` is told what keeps them out."""

    def __init__(self, journal: Journal, report: Callable[[str], None]) -> None:
        self._journal, self._report = journal, report
        self._ended: list[Attempt] = []
        self._next: asyncio.Task[None] | None = None  # that will take them
        self.tasks: set[asyncio.Task[None]] = set()

    async def put(self, attempt: Attempt) -> None:
        """Return when it is recorded; so it will be, even if nobody waits for it any more."""
        self._ended.append(attempt)
        if self._next is None:
            self._next = asyncio.create_task(self._go(), name="record results")
            self.tasks.add(self._next)
            self._next.add_done_callback(self.tasks.discard)
        await asyncio.shield(self._next)

    async def _go(self) -> None:
        ended, self._ended, self._next = self._ended, [], None
        await self.submit(ended)

    async def submit(self, attempts: Sequence[Attempt]) -> None:
        """Offer these, again and again."""
        pause = 0.05
        while True:
            try:
                return await self._journal.submit(attempts, applied=True)
            except Busy as error:
                await asyncio.sleep(min(max(error.after, 0.01), WORST_PAUSE))
            except StoreError as error:
                self._report(f"{len(attempts)} results cannot be recorded: {error}")
                await asyncio.sleep(pause)
                pause = min(WORST_PAUSE, pause * 2)
