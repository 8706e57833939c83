"""A local endpoint that answers what it is told, and what an adapter is given."""

from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web

from engine.clock import Clock, SystemClock
from engine.deliver import guarded_session
from engine.model.moment import Message, Notification
from engine.model.signal import Cause
from engine.ports import AdapterEnv


class Sink:
    """Remembers every request; ``answers`` are given in turn, the last one for ever."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.answers: list[Any] = [web.Response]
        self.url = ""

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.requests.append((request.path, dict(request.headers), await request.read()))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        made = answer(request) if getattr(answer, "wants_request", False) else answer()
        return await made if not isinstance(made, web.StreamResponse) else made


@pytest.fixture
async def sink():
    sink = Sink()
    runner = web.ServerRunner(web.Server(sink.handle))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sink.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield sink
    await runner.cleanup()


@pytest.fixture
async def env():
    """``env(channel=…, clock=…, secrets=…, allow=…)``; sessions close with the test."""
    sessions = []

    def make(
        channel: str = "push",
        clock: Clock | None = None,
        secrets: dict[str, str] | None = None,
        allow: tuple[str, ...] = ("127.0.0.1/32",),
        publish: Callable[[str, Notification], None] = lambda channel, notification: None,
        timeout: float | None = None,
    ) -> AdapterEnv:
        session = guarded_session(allow)
        sessions.append(session)
        return AdapterEnv(channel, clock or SystemClock(), session, secrets or {}, publish, timeout)

    yield make
    for session in sessions:
        await session.close()


@pytest.fixture
def notification() -> Callable[..., Notification]:
    def make(**changes: Any) -> Notification:
        given: dict[str, Any] = {
            "id": "ntf_1",
            "moment": "mom_1",
            "channel": "push",
            "rule": "morning-coffee",
            "release": "r1",
            "person": "p9",
            "device": "d1",
            "cause": Cause("d1|cafe|enter|1", "enter", 1_795_508_098.0, fence="cafe-mitte"),
            "message": Message("Cold out, Ana", "20 % off", "shop://offers/1", {"code": "FLAT20"}),
            "not_before": 1_795_508_100.0,
            "deadline": 1_795_508_998.0,
            "expires": 1_795_508_998.0,
        }
        return Notification(**(given | changes))

    return make
