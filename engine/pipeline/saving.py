"""Checkpoints of a running server: when one is due, and what happens when it cannot be written."""

import asyncio
from collections.abc import Callable

import structlog

from engine.errors import StoreError
from engine.pipeline.core import Core
from engine.pipeline.made import Made
from engine.pipeline.snapshot import Pieces, Snapshot
from engine.ports import Store

log = structlog.get_logger("herenow.saving")

PARTITION = 0
TAIL = 200_000  # records after which a checkpoint is written, so that recovery stays short
LARGE = 1_000  # devices and people from which a checkpoint is written by a process of its own
RETRY = 60.0  # seconds until a checkpoint that failed is tried again


class Saving:
    """Keeps the state of a core, and with it what ``made`` keeps of the fences in force, so that neither is waited for
    at the next start. ``pieces`` is the state as of now, written down; ``wake`` has the next step come, even if there
    is nothing to step; ``notes`` tells the operator. All but ``want`` is called between two steps."""

    def __init__(
        self,
        store: Store,
        core: Callable[[], Core],
        pieces: Pieces,
        notes: dict[str, str],
        wake: Callable[[], None],
        made: Made,
    ) -> None:
        self._store, self._core, self._pieces, self._notes, self._wake = store, core, pieces, notes, wake
        self._made = made
        self.last = 0  # the offset of the newest checkpoint that was begun
        self.task: asyncio.Task[None] | None = None  # the newest that is written beside the steps
        self._wanted = False

    def want(self) -> None:
        """Have the state written after the next step."""
        self._wanted = True
        self._wake()

    def begin_if_due(self) -> None:
        """The state as of now is taken where it is time, and kept while the steps go on."""
        if not self._wanted and self._core().state.offset - self.last < TAIL:
            return
        self._wanted = False
        if self.task is None or self.task.done():
            self.task = asyncio.create_task(self._try(self._snapshot()), name="checkpoint")

    async def save(self) -> None:
        """Write the state as of now. Raises ``StoreError``."""
        await self._keep(self._snapshot())

    def _snapshot(self) -> Snapshot:
        core = self._core()
        state = core.state
        self.last = state.offset  # also of one that will fail: not at each step, what failed once is large
        large = core.sense.devices() + len(state.people) > LARGE
        return Snapshot(self._pieces, large, getattr(self._store, "folder", None), state.offset, state.received)

    async def _keep(self, snapshot: Snapshot) -> None:
        compiled = self._core().compiled
        blob = await snapshot.blob()
        await self._store.save_checkpoint(PARTITION, snapshot.offset, snapshot.received, blob)
        await asyncio.to_thread(self._made.save, compiled.place, compiled.fences)

    async def _try(self, snapshot: Snapshot) -> None:
        try:
            await self._keep(snapshot)
        except StoreError as error:
            log.warning("cannot save a checkpoint", problem=str(error))
            self._notes["checkpoint"] = f"The next start will take longer: {error}"
            asyncio.get_running_loop().call_later(RETRY, self.want)
        else:
            self._notes.pop("checkpoint", None)
