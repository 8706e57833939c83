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
        self._ended: list[tuple[Attempt, asyncio.Future[None]]] = []
        self.tasks: set[asyncio.Task[None]] = set()

    def put(self, attempt: Attempt) -> "asyncio.Future[None]":
        """Done when it is recorded; so it will be, even if nobody waits for it any more."""
        if not self._ended:
            task = asyncio.create_task(self._go(), name="record results")
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ended.append((attempt, done))
        return done

    async def _go(self) -> None:
        ended, self._ended = self._ended, []
        error: BaseException | None = None
        try:
            await self.submit([attempt for attempt, _ in ended])
        except BaseException as raised:
            error = raised
        for _, done in ended:
            if done.done():  # nobody waits any more
                continue
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error)

    async def submit(self, attempts: Sequence[Attempt]) -> None:
        """Offer these, again and again."""
        pause = 0.05
        while True:
            try:
                return await self._journal.settle(attempts)
            except Busy as error:
                await asyncio.sleep(min(max(error.after, 0.01), WORST_PAUSE))
            except StoreError as error:
                self._report(f"{len(attempts)} results cannot be recorded: {error}")
                await asyncio.sleep(pause)
                pause = min(WORST_PAUSE, pause * 2)
