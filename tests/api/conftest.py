"""A real server over a fake engine."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import msgspec
import pytest

from engine.api import application, listen
from engine.api.keys import Keyring
from engine.clock import ManualClock
from engine.decide.state import Audit
from engine.measure.metrics import Metrics
from engine.model.config import Channel, Config, Limits
from engine.model.fence import Circle, Fence
from engine.model.moment import Decision, Hold, Message, Moment, Notification, OutboxRow
from engine.model.person import Person, Position
from engine.model.reason import Reason, Verdict
from engine.model.record import Control, ProfileChange
from engine.model.release import Release
from engine.model.rule import MessageSpec, MessageText, OnEvent, Rule
from engine.model.signal import Cause, Signal
from engine.pipeline.fences import Wish
from engine.pipeline.runtime import RunTimeSet
from engine.pipeline.versions import Compiled
from engine.ports import MomentQuery, StoredMoment

NOW = 1_795_508_200.0


class FakeFeed:
    """Publishes to whoever listens."""

    def __init__(self) -> None:
        self.queues: dict[str, list[asyncio.Queue[Any]]] = {}

    @contextmanager
    def subscribe(self, kind: str) -> Iterator[asyncio.Queue[Any]]:
        queue: asyncio.Queue[Any] = asyncio.Queue()
        self.queues.setdefault(kind, []).append(queue)
        try:
            yield queue
        finally:
            self.queues[kind].remove(queue)

    def publish(self, kind: str, item: Any) -> None:
        for queue in self.queues.get(kind, []):
            queue.put_nowait(item)


class FakeStore:
    """Holds moments and rows in lists."""

    def __init__(self) -> None:
        self.feed: list[StoredMoment] = []
        self.outbox: list[tuple[int, OutboxRow]] = []

    async def moments(self, query: MomentQuery) -> list[StoredMoment]:
        found = [
            s
            for s in reversed(self.feed)
            if (query.before is None or s.seq < query.before)
            and query.rule in (None, s.moment.rule)
            and query.person in (None, s.moment.person)
            and query.decision in (None, str(s.moment.decision.verdict))
        ]
        return found[: query.limit]

    async def moment(self, moment: str) -> StoredMoment | None:
        return next((s for s in self.feed if s.moment.id == moment), None)

    async def row(self, notification: str) -> OutboxRow | None:
        return next((row for _, row in self.outbox if row.notification.id == notification), None)

    async def rows(self, status: str | None = None, person: str | None = None, limit: int = 100) -> list[OutboxRow]:
        return [row for _, row in self.outbox if status in (None, row.status)][:limit]

    async def inbox(self, person: str, channel: str, after: int, limit: int) -> list[tuple[int, OutboxRow]]:
        return [
            (seq, row)
            for seq, row in self.outbox
            if seq > after and row.notification.person == person and row.notification.channel == channel
        ][:limit]

    async def counts(self) -> dict[str, int]:
        return {"sent": len(self.outbox)}


class FakeSense:
    """One device is known: d1."""

    def position(self, device: str, record: int = -1) -> Position | None:
        return Position(NOW, 52.5, 13.4, 10.0) if device == "d1" else None

    def visits(self, device: str) -> list[dict[str, Any]]:
        return [{"fence": "cafe", "state": "inside", "since": NOW, "visit": NOW}] if device == "d1" else []


class FakeReleases:
    """Holds nothing."""

    def __init__(self) -> None:
        self.findings: dict[str, Any] = {}

    async def find(self, name: str) -> None:
        return None

    async def bundle(self, name: str) -> None:
        return None

    def changes(self, old: Any, new: Any) -> list[Any]:
        return []


class FakeEngine:
    """What the API asks of the runner; ``failure`` is raised by everything that would journal."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.clock = ManualClock(NOW)
        self.store, self.feed, self.metrics = FakeStore(), FakeFeed(), Metrics()
        self.releases = FakeReleases()
        self.taken: list[Signal] = []
        self.offered = 0  # requests that came the short way
        self.keys: set[tuple[str, int]] = set()
        self.wishes: list[Wish] = []
        self.records: list[Any] = []
        self.failure: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        rule = Rule("hello", (OnEvent("app_open"),), MessageSpec(MessageText(title="Hi")))
        fence = Fence("cafe", Circle(13.4, 52.5, 100))
        decide = SimpleNamespace(switches={}, audit=[], paces={})
        state = SimpleNamespace(people={}, release="r1", decide=decide, seen="r1", activations=[], faults=[])
        kiosk = Fence("kiosk", Circle(13.402, 52.5, 100), "Kiosk", ("shop",), source="run-time")
        compiled = Compiled.of(Release("r1", (rule,), (fence,))).with_fences(RunTimeSet.of([kiosk]))
        self.core = SimpleNamespace(
            state=state, compiled=compiled, sense=FakeSense(), person_of=lambda device: f"person of {device}"
        )

    async def ingest(self, signals: list[Signal]) -> tuple[int, int]:
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        fresh = [signals[place] for place in self.fresh(signals)]
        self.keys |= {(s.device, s.key) for s in fresh}
        self.taken += fresh
        return len(fresh), len(signals) - len(fresh)

    def offer(self, signals: list[Signal]) -> asyncio.Future[tuple[int, int]]:
        self.offered += 1
        return asyncio.ensure_future(self.ingest(signals))

    def offer_each(self, signals: Sequence[Signal]) -> tuple[asyncio.Future[tuple[int, int]], list[int]]:
        return self.offer(list(signals)), self.fresh(signals)

    def before_append(self, call: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_soon(call)

    def fresh(self, signals: Sequence[Signal]) -> list[int]:
        keys = [(signal.device, signal.key) for signal in signals]
        return [place for place, key in enumerate(keys) if key not in self.keys and key not in keys[:place]]

    async def change_fences(self, wish: Wish) -> None:
        if self.failure is not None:
            raise self.failure
        self.wishes.append(wish)
        wish.count = len(wish.put) + len(wish.drop)

    async def submit(self, records: Sequence[Any], applied: bool = False) -> None:
        if self.failure is not None:
            raise self.failure
        for record in records:
            self.records.append((record, applied))
            if isinstance(record, ProfileChange):
                person = self.core.state.people.setdefault(record.person, Person(record.person))
                person.profile.attributes.update(record.attributes)
                person.devices = list(record.devices or person.devices)
            if isinstance(record, Control):
                on = record.action == "pause"
                hold = Hold(record.scope, record.id, on, record.why, record.by, NOW)
                self.core.state.decide.switches[f"{record.scope}:{record.id}"] = hold
                audit = Audit(NOW, record.by, record.action, record.scope, record.id, record.why, record.drop)
                self.core.state.decide.audit.append(audit)

    async def preview(self, signals: list[Signal]) -> list[dict[str, Any]]:
        return [{"rule": "hello", "would": "send", "signals": len(signals)}]

    async def why(
        self, device: str, rule: str | None = None, at: float | None = None, window: float = 86400.0
    ) -> dict[str, Any]:
        return {"device": device, "rule": rule, "at": at, "window": window}

    async def activate(self, bundle: Any, *args: Any) -> str:
        if self.failure is not None:
            raise self.failure
        self.records.append((bundle, args))
        return str(bundle.hash)

    def health(self) -> dict[str, Any]:
        return {"ready": self.failure is None, "problems": {}}

    def gauge(self) -> None:
        self.metrics.queue_depth.set(0)


def stored(seq: int, rule: str = "hello", verdict: Verdict = Verdict.SEND, person: str = "p1") -> StoredMoment:
    """A moment of the feed."""
    decision = Decision(verdict, Reason.OK if verdict is Verdict.SEND else Reason.CAP)
    cause = Cause(f"c{seq}", "event", NOW, event="app_open")
    return StoredMoment(seq, Moment(f"mom_{seq}", rule, "r1", person, "d1", cause, decision, NOW, NOW + 900))


def sent_row(seq: int, person: str = "p1", channel: str = "inbox") -> tuple[int, OutboxRow]:
    """A message in the in-app channel."""
    cause = Cause(f"c{seq}", "enter", NOW, fence="cafe")
    message = Message(title=f"number {seq}")
    notification = Notification(
        f"ntf_{seq}", f"mom_{seq}", channel, "hello", "r1", person, "d1", cause, message, NOW, NOW + 900, NOW + 900
    )
    return seq, OutboxRow(notification, "sent", 1)


class Server:
    """A running server and a client for it."""

    def __init__(self, engine: FakeEngine, keyring: Keyring, port: int, session: aiohttp.ClientSession) -> None:
        self.engine, self.keyring, self.port, self.session = engine, keyring, port, session
        self.url = f"http://127.0.0.1:{port}"

    async def call(self, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, Any, Any]:
        """Status, headers and the JSON answered (text where it is none)."""
        if isinstance(body, (dict, list)):
            body = msgspec.json.encode(body)
            more.setdefault("headers", {}).setdefault("Content-Type", "application/json")
        async with self.session.request(method, self.url + path, data=body, **more) as response:
            raw = await response.read()
            kind = response.headers.get("Content-Type", "")
            return response.status, response.headers, msgspec.json.decode(raw) if "json" in kind else raw

    async def signals(self, body: Any, **more: Any) -> tuple[int, Any, Any]:
        """POST /v1/signals."""
        return await self.call("POST", "/v1/signals", body, **more)


@pytest.fixture
def stored_moment() -> Callable[..., StoredMoment]:
    return stored


@pytest.fixture
def inbox_row() -> Callable[..., tuple[int, OutboxRow]]:
    return sent_row


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    """Start a server: ``await start(limits=…, keys=…, body_seconds=…, most=…)``."""
    async with AsyncExitStack() as stack:

        async def begin(
            limits: Limits | None = None,
            unknown: str = "warn",
            body_seconds: float = 30.0,
            most: int = 1000,
            keys: bool = False,
        ) -> Server:
            channels = (Channel("console", "console"), Channel("inbox", "inbox"))
            config = Config(limits=limits or Limits(), unknown_fields=unknown, channels=channels)
            engine = FakeEngine(config)
            keyring = Keyring.open(tmp_path, {})
            if keys:
                keyring.create(["admin"])
            app = application(engine, keyring, body_seconds=body_seconds)
            port = await stack.enter_async_context(listen(app, "127.0.0.1", 0, most))
            session = await stack.enter_async_context(aiohttp.ClientSession())
            return Server(engine, keyring, port, session)

        yield begin


@pytest.fixture
async def server(start: Callable[..., Any]) -> Server:
    return await start()
