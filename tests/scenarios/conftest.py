"""Stories: a running server on a clock that only the story moves, a person's way through a day, and who was told what.

story = await begin(RULES)
await story.time("Tue 09:00")
await story.enters("anna", "cafe")
assert story.told() == ["Tue 09:00 anna hello"]
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from aiohttp import web

from tests.support import Running, circle, running, write_project

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = datetime(2026, 11, 23, tzinfo=BERLIN)
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
PLACES = {"cafe": (52.52, 13.405), "park": (52.53, 13.43), "street": (52.60, 13.50)}

CONFIG = """
[server]
port = 0
[decide]
time_zone = "Europe/Berlin"
{decide}
[test]
people = ["tess"]
channels = ["inbox"]
[egress]
allow = ["127.0.0.1/32"]
{more}
[channels.push]
adapter = "webhook"
url = "http://127.0.0.1:{port}/push"
[channels.inbox]
adapter = "inbox"
[channels.slow]
adapter = "webhook"
url = "http://127.0.0.1:{port}/slow"
"""


class StoryClock:
    """Stands still until the story goes on; whoever sleeps wakes when his time has come."""

    def __init__(self, start: float) -> None:
        self._now = start
        self._moved = asyncio.Event()

    def now(self) -> float:
        return self._now

    def set(self, instant: float) -> None:
        self._now = max(self._now, instant)
        self._moved.set()
        self._moved = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        until = self._now + seconds
        while self._now < until:
            await self._moved.wait()


class Sink:
    """Where webhooks arrive. ``answers`` are the next statuses for a path, then 200; "hang" never answers."""

    def __init__(self, clock: StoryClock) -> None:
        self._clock = clock
        self.answers: dict[str, list[int | str]] = {}
        self.got: list[dict[str, Any]] = []
        self.open = asyncio.Event()

    async def take(self, request: web.Request) -> web.Response:
        body = await request.json()
        wanted = self.answers.get(request.path.strip("/"), [])
        answer = wanted.pop(0) if wanted else 200
        told = {"at": self._clock.now(), "id": request.headers["webhook-id"], "answer": answer, **body["data"]}
        self.got.append(told)
        if answer == "hang":
            await self.open.wait()
            answer = 200
        return web.Response(status=int(answer))


def instant(text: str) -> float:
    """``Tue 09:30`` of the story's week, Berlin time."""
    day, clock = text.split()
    hours, minutes = clock.split(":")
    date = MONDAY + timedelta(days=DAYS.index(day))
    return date.replace(hour=int(hours), minute=int(minutes)).timestamp()


def words(at: float) -> str:
    """The inverse."""
    moment = datetime.fromtimestamp(at, BERLIN)
    return f"{DAYS[moment.weekday()]} {moment:%H:%M}"


class Story:
    """A server, its people, and what they were told."""

    def __init__(self, config: Path, clock: StoryClock, sink: Sink, stack: AsyncExitStack) -> None:
        self.config, self.clock, self.sink = config, clock, sink
        self.here: Running
        self._server, self._stack, self._n = AsyncExitStack(), stack, 0

    async def start(self) -> None:
        self._server = AsyncExitStack()
        self.here = await self._server.enter_async_context(running(self.config, clock=self.clock))

    async def stop(self) -> None:
        await self._server.aclose()

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    # ------------------------------------------------------------------ what happens

    async def time(self, text: str) -> None:
        """Time passes, through every instant at which something is due."""
        target = instant(text)
        while True:
            await self.settle()
            due = await self._due()
            if due is None or due > target:
                break
            self.clock.set(due)
        self.clock.set(target)
        await self.settle()

    async def _due(self) -> float | None:
        runner = self.here.server.runner
        found = [due for due in (runner.core.next_due(), await runner.store.next_due()) if due is not None]
        return min((due for due in found if due > self.clock.now()), default=None)

    async def settle(self) -> None:
        """Everything that can happen now has happened."""
        runner = self.here.server.runner
        async with asyncio.timeout(10):
            for _ in range(2):
                await runner.flush(applied=True)
                while await self._busy():
                    await asyncio.sleep(0.005)

    async def _busy(self) -> bool:
        runner, now = self.here.server.runner, self.clock.now()
        due = runner.core.next_due()
        if due is not None and due <= now:
            return True
        lanes = {lane.channel for lane in self.here.server.deliverer.status() if lane.breaker == "closed"}
        under_way = [row for row in await runner.store.sending() if row.notification.channel != "slow"]
        return bool(under_way or await runner.store.due(now, sorted(lanes - {"slow"}), 1))

    async def send(self, device: str, **fields: Any) -> dict[str, Any]:
        """One signal, now unless it says when."""
        self._n += 1
        signal = {"device": device, "at": self.clock.now(), "id": f"s{self._n}", **fields}
        answer: dict[str, Any] = await self.here.post("/v1/signals", signal)
        await self.settle()
        return answer

    def instant(self, text: str) -> float:
        """Epoch seconds of ``Tue 09:30``."""
        return instant(text)

    def position(self, place: str) -> dict[str, float]:
        lat, lon = PLACES[place]
        return {"lat": lat, "lon": lon, "accuracy": 5.0}

    async def enters(self, device: str, place: str, **fields: Any) -> None:
        await self.send(device, **self.position(place), **fields)

    async def leaves(self, device: str, **fields: Any) -> None:
        """On the street for longer than the exit takes."""
        await self.send(device, **self.position("street"), **fields)
        await self.time(words(self.clock.now() + 120))

    async def event(self, device: str, name: str = "hi", **fields: Any) -> None:
        await self.send(device, event=name, **fields)

    async def post(self, path: str, **body: Any) -> None:
        await self.here.post(path, body, 200)
        await self.settle()

    async def patch(self, person: str, **body: Any) -> None:
        url = f"{self.here.server.url}/v1/profiles/{person}"
        async with self.here.session.patch(url, json=body) as answer:
            assert answer.status == 200, await answer.text()
        await self.settle()

    def write(self, rules: str) -> None:
        (self.config.parent / "rules" / "all.yaml").write_text(rules)

    async def until(self, asked: Callable[[], bool]) -> None:
        """Real time, for what the machine's own clock drives (hot reload)."""
        async with asyncio.timeout(10):
            while not asked():
                await asyncio.sleep(0.02)

    # ------------------------------------------------------------------ what became of it

    def told(self) -> list[str]:
        """Whom webhooks told what, when; failed tries are left out."""
        return [f"{words(m['at'])} {m['person']} {m['rule']}" for m in self.sink.got if m["answer"] == 200]

    async def decided(self, **filters: str) -> list[str]:
        """Decisions, oldest first: ``Tue 09:00 anna hello send OK``."""
        return [
            f"{words(datetime.fromisoformat(m['at']).timestamp())} {m['person']} {m['rule']} "
            f"{m['decision']['verdict']} {m['decision']['reason']}"
            for m in await self.here.moments(**filters)
        ]

    async def outbox(self) -> list[str]:
        """Every row, oldest first: ``push sent``, ``push cancelled LEFT``."""
        rows = (await self.here.get("/v1/outbox"))["rows"]
        return [" ".join(filter(None, (r["channel"], r["status"], r["reason"]))) for r in reversed(rows)]


Begin = Callable[..., Awaitable[Story]]


@pytest.fixture
async def begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Begin]:
    """Begin a story on Monday at noon; ``decide`` and ``more`` go into config.toml. Files are looked at often."""
    monkeypatch.setattr("engine.schedule.RELOAD_SECONDS", 0.1)
    async with AsyncExitStack() as stack:
        clock = StoryClock(instant("Mon 12:00"))
        sink = Sink(clock)
        app = web.Application()
        app.router.add_post("/{name}", sink.take)
        site = web.AppRunner(app, shutdown_timeout=0.1)
        await site.setup()
        stack.push_async_callback(site.cleanup)
        listening = web.TCPSite(site, "127.0.0.1", 0)
        await listening.start()
        port = site.addresses[0][1]

        async def start(rules: str, decide: str = "", more: str = "", places: Mapping[str, Any] | None = None) -> Story:
            text = CONFIG.format(decide=decide, more=more, port=port)
            features = [circle(id, *PLACES[id], 150.0, tags=["here"]) for id in ("cafe", "park")]
            story = Story(write_project(tmp_path, text, rules, features), clock, sink, stack)
            await story.start()
            stack.push_async_callback(story.stop)
            return story

        yield start
        sink.open.set()
