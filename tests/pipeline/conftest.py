"""A runner over a real store whose calls can be made to wait or fail."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from engine.author.project import Bundle
from engine.clock import SystemClock
from engine.errors import StoreError
from engine.model.config import Config, Limits, Retention
from engine.model.moment import Effects, OutboxRow
from engine.model.record import Frame, Record
from engine.model.release import DecidePolicy, Policy
from engine.model.signal import Signal
from engine.pipeline.runner import Runner
from engine.store.embedded import EmbeddedStore

RULES = b"""
rules:
  hello:
    purpose: transactional
    when:
      event: hello
    message:
      body: Hello
"""


class ShakyStore(EmbeddedStore):
    """The embedded store; ``full`` makes appends and commits fail, ``gate`` makes appends wait until it is set."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, Retention(), SystemClock())
        self.full: set[str] = set()
        self.gate = asyncio.Event()
        self.gate.set()
        self.begun = asyncio.Event()

    def _refuse(self, call: str) -> None:
        if call in self.full:
            raise StoreError("cannot write: No space left on device.")

    async def append(self, partition: int, records: Sequence[Record], received: float) -> Frame:
        self.begun.set()
        await self.gate.wait()
        self._refuse("append")
        return await super().append(partition, records, received)

    async def commit_and_begin(
        self, partition: int, previous: int, offset: int, effects: Effects, ids: Sequence[str], now: float
    ) -> tuple[list[int], list[OutboxRow]]:
        self._refuse("commit")
        return await super().commit_and_begin(partition, previous, offset, effects, ids, now)

    async def save_checkpoint(self, partition: int, offset: int, received: float, blob: bytes | memoryview) -> None:
        self._refuse("checkpoint")
        await super().save_checkpoint(partition, offset, received, blob)


Start = Callable[..., Awaitable[Runner]]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Start a runner over the test's folder; one that is still running at the end is stopped without a farewell."""
    runners: list[Runner] = []

    async def begin(queue: int = 100_000, rules: bytes | None = RULES, **decide: Any) -> Runner:
        policy = Policy(decide=DecidePolicy(**{"quiet_hours": None, "send_within": 1e9, **decide}))
        config = Config(limits=Limits(queue=queue), policy=policy)
        runner = Runner(config, ShakyStore(tmp_path / "var"), SystemClock())
        await runner.start()
        runners.append(runner)
        if rules is not None:
            await runner.activate(Bundle({"rules/all.yaml": rules}, policy))
        return runner

    yield begin
    for runner in runners:
        await die(runner)


async def die(runner: Runner) -> None:
    """What a kill leaves: nothing is finished, nothing is written."""
    for task in runner._tasks:
        task.cancel()
    await asyncio.gather(*runner._tasks, return_exceptions=True)
    runner._tasks = []
    await runner.store.close()


@pytest.fixture
def kill() -> Callable[[Runner], Awaitable[None]]:
    return die


@pytest.fixture
def hello() -> Callable[..., Signal]:
    """An event that sets off the rule."""

    def make(n: int = 1, device: str = "d1", **fields: Any) -> Signal:
        return Signal(device, SystemClock().now(), n, id=str(n), event="hello", **fields)

    return make
