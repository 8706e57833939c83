"""An outbox in memory, a journal that settles it as the core would, and a clock that moves only when told."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from engine.deliver.worker import Deliverer
from engine.errors import StoreError
from engine.model.moment import Message, Notification, OutboxRow, Result
from engine.model.record import Attempt
from engine.model.signal import Cause

NOW = 1_795_500_000.0
SENT = Result("sent")


class StandingClock:
    """Sleepers wake when ``move`` reaches their instant."""

    def __init__(self) -> None:
        self._now = NOW
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._now + seconds, future))
        await future

    async def move(self, seconds: float) -> None:
        self._now += seconds
        for due, future in self._sleepers:
            if due <= self._now and not future.done():
                future.set_result(None)
        await settle()


async def settle() -> None:
    """Let everything that can happen without time or network happen."""
    for _ in range(60):
        await asyncio.sleep(0)


class Outbox:
    """The outbox part of the store."""

    def __init__(self) -> None:
        self.rows_by_id: dict[str, OutboxRow] = {}
        self.held: set[str] = set()  # channels
        self.begin_fails: str | None = None  # "before" or "after" the rows were taken
        self.begin_gate: asyncio.Event | None = None  # the answer comes only then

    def add(self, *notifications: Notification, **changes: Any) -> None:
        for n in notifications:
            row = OutboxRow(n, "waiting", due=n.not_before)
            self.rows_by_id[n.id] = msgspec.structs.replace(row, **changes)

    def change(self, id: str, **changes: Any) -> None:
        self.rows_by_id[id] = msgspec.structs.replace(self.rows_by_id[id], **changes)

    def _waiting(self) -> list[OutboxRow]:
        rows = [
            r for r in self.rows_by_id.values() if r.status == "waiting" and r.notification.channel not in self.held
        ]
        return sorted(rows, key=lambda r: r.due)

    async def due(self, now: float, channels: Sequence[str], limit: int) -> list[OutboxRow]:
        return [r for r in self._waiting() if r.due <= now and r.notification.channel in channels][:limit]

    async def next_due(self) -> float | None:
        return next((r.due for r in self._waiting()), None)

    async def begin_send(self, ids: Sequence[str], now: float) -> list[OutboxRow]:
        if self.begin_fails == "before":
            raise StoreError("the disk is full")
        taken = []
        for id in ids:
            row = self.rows_by_id[id]
            if row.status != "waiting" or row.notification.channel in self.held:
                continue
            if now >= row.notification.deadline:
                self.change(id, status="dead", reason="EXPIRED")
                continue
            self.change(id, status="sending")
            taken.append(self.rows_by_id[id])
        if self.begin_gate is not None:
            await self.begin_gate.wait()
        if self.begin_fails == "after":
            raise StoreError("the connection broke")
        return taken

    async def sending(self) -> list[OutboxRow]:
        return [r for r in self.rows_by_id.values() if r.status == "sending"]

    async def row(self, notification: str) -> OutboxRow | None:
        return self.rows_by_id.get(notification)

    async def rows(self, status: str | None = None, person: str | None = None, limit: int = 100) -> list[OutboxRow]:
        return [r for r in self.rows_by_id.values() if status in (None, r.status)][:limit]

    def __getitem__(self, id: str) -> OutboxRow:
        return self.rows_by_id[id]


class Journal:
    """Takes attempts and settles their rows at once; ``refusals`` are raised first, one per
    call; ``lies`` are raised although the records were taken."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self.attempts: list[Attempt] = []
        self.refusals: list[Exception] = []
        self.lies: list[Exception] = []
        self.calls = 0
        self.gate: asyncio.Event | None = None  # the answer comes only then

    async def settle(self, attempts: Sequence[Any]) -> None:
        self.calls += 1
        await (self.gate.wait() if self.gate is not None else asyncio.sleep(0))
        if self.refusals:
            raise self.refusals.pop(0)
        for a in attempts:
            self.attempts.append(a)
            if a.outcome == "retry":
                self._outbox.change(
                    a.notification, status="waiting", attempts=a.number, due=a.retry_at, detail=a.detail
                )
            else:
                status = {"sent": "sent", "failed": "dead", "unknown": "unknown"}[a.outcome]
                self._outbox.change(a.notification, status=status, attempts=a.number, reason=a.reason, detail=a.detail)

        if self.lies:
            raise self.lies.pop(0)

    def outcomes(self, notification: str) -> list[str]:
        return [a.outcome for a in self.attempts if a.notification == notification]


class Scripted:
    """An adapter that answers what it is told: a list of results per notification, a fixed one, or never."""

    def __init__(self, answer: Any = SENT, idempotent: bool = True, schedule: tuple[float, ...] = ()) -> None:
        self.answer, self.idempotent, self.schedule = answer, idempotent, schedule
        self.seen: list[str] = []
        self.gate: asyncio.Event | None = None
        self.cut_off = 0

    async def send(self, notification: Notification) -> Result:
        self.seen.append(notification.id)
        if self.gate is not None:
            try:
                await self.gate.wait()
            except asyncio.CancelledError:
                self.cut_off += 1
                raise
        answer = self.answer(notification) if callable(self.answer) else self.answer
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def close(self) -> None:
        pass


def make_notification(id: str = "ntf_1", channel: str = "push", lasts: float = 900.0, **changes: Any) -> Notification:
    given: dict[str, Any] = {
        "id": id,
        "moment": f"mom_{id}",
        "channel": channel,
        "rule": "hello",
        "release": "r1",
        "person": "anna",
        "device": "phone-1",
        "cause": Cause("phone-1|cafe|enter|1", "enter", NOW - 2.0, fence="cafe"),
        "message": Message(title="Hello", body="Coffee is ready"),
        "not_before": NOW,
        "deadline": NOW + lasts,
        "expires": NOW + lasts,
    }
    return Notification(**(given | changes))


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture
def outbox() -> Outbox:
    return Outbox()


@pytest.fixture
def journal(outbox: Outbox) -> Journal:
    return Journal(outbox)


@pytest.fixture
def notification() -> Callable[..., Notification]:
    return make_notification


@pytest.fixture
def adapter() -> type[Scripted]:
    return Scripted


@pytest.fixture
def quiet() -> Callable[[], Any]:
    return settle


@pytest.fixture
async def running(outbox: Outbox, journal: Journal, clock: StandingClock) -> Any:
    """``await running({"push": adapter}, policies=…)`` starts a deliverer that ends with the test."""
    started: list[tuple[Deliverer, asyncio.Task[None]]] = []

    async def start(channels: dict[str, Any], **options: Any) -> Deliverer:
        options.setdefault("grace", 0.2)
        deliverer = Deliverer(outbox, journal, clock, channels, **options)  # type: ignore[arg-type]
        started.append((deliverer, asyncio.create_task(deliverer.run())))
        await settle()
        return deliverer

    yield start
    for _, task in started:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
