"""What the contract suites run over. A new implementation of a port is added here, and nowhere else."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

import pytest
from msgspec.structs import replace

from engine.clock import ManualClock
from engine.model.config import Retention
from engine.model.moment import Decision, Effects, Message, Moment, Notification
from engine.model.reason import Reason, Verdict
from engine.model.record import Genesis
from engine.model.signal import Cause, Signal
from engine.ports import Store
from engine.store.embedded import EmbeddedStore

GENESIS = Genesis("demo", "0123e4", 1)
RETENTION = Retention(journal_days=7.0, journal_max=20_000_000_000, traces_days=90.0)


class World(Protocol):
    """A place where stores keep their data; each ``store()`` is a new, unopened one over the same data."""

    def store(self) -> Store: ...


class EmbeddedWorld:
    """Segments so small that every test crosses several."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def store(self) -> Store:
        return EmbeddedStore(self.folder / "data", RETENTION, ManualClock(100.0), segment_bytes=700)


WORLDS: dict[str, Callable[[Path], World]] = {"embedded": EmbeddedWorld}


@pytest.fixture(params=sorted(WORLDS))
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    return WORLDS[request.param](tmp_path)


@pytest.fixture
async def store(world: World) -> AsyncIterator[Store]:
    """An open store of a new world."""
    store = world.store()
    await store.open(GENESIS)
    yield store
    await store.close()


@pytest.fixture
async def reopen(world: World) -> AsyncIterator[Callable[[Store], Awaitable[Store]]]:
    """Close a store and open another over the same data."""
    opened: list[Store] = []

    async def again(store: Store) -> Store:
        await store.close()
        opened.append(world.store())
        await opened[-1].open(GENESIS)
        return opened[-1]

    yield again
    for store in opened:
        await store.close()


class Make:
    """Plain examples, with the fields a test cares about put in."""

    genesis = GENESIS
    retention = RETENTION

    def signal(self, number: int, **fields: Any) -> Signal:
        return replace(Signal(f"d{number}", 1000.0 + number, number, lat=52.5, lon=13.4, accuracy=10.0), **fields)

    def cause(self, **fields: Any) -> Cause:
        return replace(Cause("d1|cafe|enter|5.0", "enter", 5.0, fence="cafe"), **fields)

    def moment(self, id: str, verdict: Verdict = Verdict.SEND, **fields: Any) -> Moment:
        moment = Moment(
            id, "hello", "r1", "p1", "d1", self.cause(), Decision(verdict, Reason.OK), at=1000.0, expires=1900.0
        )
        return replace(moment, **fields)

    def notification(self, id: str, **fields: Any) -> Notification:
        made = Notification(
            id,
            f"m-{id}",
            "push",
            "hello",
            "r1",
            "p1",
            "d1",
            self.cause(),
            Message("Hi", "There"),
            1000.0,
            1900.0,
            1900.0,
        )
        return replace(made, **fields)

    async def commit(self, store: Store, effects: Effects) -> list[int]:
        """Journal a record and commit these effects with it."""
        frame = await store.append(0, [self.signal(1)], 1000.0)
        return await store.commit(0, await store.committed(0), frame.end, effects)

    async def waiting(self, store: Store, *notifications: Notification) -> None:
        """Put rows into the outbox."""
        await self.commit(store, Effects(notifications=list(notifications)))


@pytest.fixture
def make() -> Make:
    return Make()
