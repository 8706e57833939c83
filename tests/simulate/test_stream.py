"""Streaming over real HTTP: durable answers are waited for, pressure is obeyed, refusals are told as they came."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from engine.clock import ManualClock
from engine.errors import HerenowError
from engine.simulate.personas import load_personas
from engine.simulate.sandbox import sandbox_start
from engine.simulate.stream import BATCH, send_track, simulate
from engine.simulate.tracks import city_track

PEOPLE = load_personas()


class Far:
    """A server that keeps what it is sent; ``refuse`` answers come first."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.batches: list[list[dict[str, Any]]] = []
        self.facts: list[dict[str, Any]] = []
        self.keys: set[str | None] = set()
        self.refuse: list[web.Response] = []

    async def signals(self, request: web.Request) -> web.Response:
        self.calls.append((request.method, request.path))
        self.keys.add(request.headers.get("Authorization"))
        if self.refuse:
            return self.refuse.pop(0)
        self.batches.append(await request.json())
        return web.json_response({"accepted": len(self.batches[-1]), "duplicates": 0, "rejected": []}, status=202)

    async def put(self, request: web.Request) -> web.Response:
        self.calls.append((request.method, request.path))
        body = await request.json()
        if request.path.startswith("/v1/context"):
            self.facts.append(body["facts"])
        return web.json_response({})

    @property
    def sent(self) -> list[dict[str, Any]]:
        return [body for batch in self.batches for body in batch]


@pytest.fixture
async def far() -> AsyncIterator[tuple[Far, str]]:
    server = Far()
    app = web.Application()
    app.router.add_post("/v1/signals", server.signals)
    app.router.add_put("/v1/{kind}/{id}", server.put)
    async with TestServer(app) as running:
        yield server, str(running.make_url("/"))


async def test_every_signal_up_to_the_end_is_sent_once_and_in_order(far):
    server, url = far
    start, end = sandbox_start(), sandbox_start() + 900
    report = await simulate(url, None, ManualClock(start), PEOPLE, end, pause=ManualClock(), seed=3)
    assert server.sent == list(city_track(PEOPLE, 3, start, end))
    assert report.sent == report.accepted == len(server.sent) > 100
    assert max(map(len, server.batches)) <= BATCH


async def test_people_and_facts_are_told_before_the_first_signal(far):
    server, url = far
    await simulate(url, None, ManualClock(sandbox_start()), PEOPLE, sandbox_start() + 60, pause=ManualClock())
    paths = [path for _, path in server.calls]
    assert sorted(paths[: len(PEOPLE)]) == [f"/v1/profiles/{p.id}" for p in PEOPLE]
    assert paths[len(PEOPLE)] == "/v1/context/global"
    assert server.facts[0]["weather"]["temp_c"] < 12


async def test_pressure_is_obeyed_and_nothing_is_lost(far):
    server, url = far
    server.refuse = [web.Response(status=429, headers={"Retry-After": "7"}), web.Response(status=503)]
    pause = ManualClock()
    report = await send_track(url, None, [{"device": "d", "at": 1.0}], ManualClock(), pause=pause)
    assert pause.now() == 8.0
    assert (report.waits, report.accepted, len(server.sent)) == (2, 1, 1)


async def test_a_server_that_stays_busy_is_given_up_in_the_end(far):
    server, url = far
    server.refuse = [web.Response(status=429) for _ in range(100)]
    with pytest.raises(HerenowError, match="answered 429"):
        await send_track(url, None, [{"device": "d", "at": 1.0}], ManualClock(), pause=ManualClock())


async def test_a_refusal_is_told_in_the_servers_words(far):
    server, url = far
    server.refuse = [web.json_response({"title": "Forbidden", "detail": "this key has no scope ingest"}, status=403)]
    with pytest.raises(HerenowError, match=r"no scope ingest.*HERENOW_KEY"):
        await send_track(url, "secret", [{"device": "d", "at": 1.0}], ManualClock(), pause=ManualClock())
    assert server.keys == {"Bearer secret"}


async def test_no_server_there_is_said_so():
    with pytest.raises(HerenowError, match="Is it running"):
        await send_track("http://127.0.0.1:9", None, [{"device": "d", "at": 1.0}], ManualClock(), pause=ManualClock())


async def test_a_recorded_track_keeps_its_times_and_goes_out_in_batches(far):
    server, url = far
    bodies = [{"device": "d", "at": 100.0 + i} for i in range(250)]
    await send_track(url, None, bodies, ManualClock(5000.0), pause=ManualClock())
    assert server.sent == bodies
    assert [len(batch) for batch in server.batches] == [100, 100, 50]


async def test_a_live_track_begins_now_and_keeps_its_pace(far):
    server, url = far
    clock = ManualClock(5000.0)
    await send_track(
        url, None, [{"device": "d", "at": 100.0 + 10 * i} for i in range(4)], clock, pause=clock, live=True
    )
    assert [body["at"] for body in server.sent] == [5000.0, 5010.0, 5020.0, 5030.0]
    assert clock.now() == 5030.0
