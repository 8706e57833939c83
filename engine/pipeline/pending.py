"""What waits for the next group commit."""

import asyncio
from collections.abc import Sequence

from engine.clock import monotonic
from engine.model.record import Record

SPACING = 0.002  # seconds between two appends, and two steps, while work keeps coming: fewer, fuller batches; none idle
FULL = 256  # records that are worth an append or a step at once


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


async def spaced(last: float, count: int) -> None:
    """Let work gather for a moment if the last batch was just now and this one is small; always let others run."""
    wait = 0.0 if count >= FULL else last + SPACING - monotonic()
    await asyncio.sleep(max(0.0, wait))
