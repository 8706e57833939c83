"""What every adapter owes, run over every adapter that is installed under ``herenow.adapters``.

A new adapter gets an entry in ``CASES``: the settings it needs to work against the local sink.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from engine.clock import ManualClock, SystemClock
from engine.deliver import Deliverer, installed, lane_policies, open_adapters
from engine.errors import ConfigError
from engine.model.config import Channel, Config, Retention
from engine.model.moment import Decision, Effects, Message, Moment, Notification, Result, Settle
from engine.model.reason import Reason, Verdict
from engine.model.record import Attempt, Genesis
from engine.model.signal import Cause
from engine.ports import Adapter
from engine.store.embedded import EmbeddedStore

CASES: dict[str, Callable[[str], dict[str, Any]]] = {
    "console": lambda sink: {},
    "inbox": lambda sink: {},
    "webhook": lambda sink: {"url": sink},
}
NAMES = sorted(found.name for found in installed())


def test_every_installed_adapter_is_in_this_suite() -> None:
    assert sorted(CASES) == NAMES, "add the adapter to CASES above"


def cause() -> Cause:
    return Cause("d1|cafe|enter|1", "enter", 1_795_508_098.0, fence="cafe")


def note(**changes: Any) -> Notification:
    given: dict[str, Any] = {
        "id": "ntf_1",
        "moment": "mom_1",
        "channel": "c",
        "rule": "r",
        "release": "x",
        "person": "p",
        "device": "d",
        "cause": cause(),
        "message": Message("Hello", "there"),
        "not_before": 1_795_508_100.0,
        "deadline": 1_795_508_998.0,
        "expires": 1_795_508_998.0,
    }
    return Notification(**(given | changes))


def nested(depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for _ in range(depth):
        found = {"x": found}
    return found


HOSTILE = {
    "huge": note(message=Message("t" * 1_000_000, "b" * 1_000_000, data={"k": "v" * 1_000_000})),
    "empty": note(id="", person="", rule="", device="", message=Message()),
    "every kind of text": note(
        message=Message("Ünïcødé 👩‍👩‍👧‍👦 \u202e\u0000", "שלום\u2028\x1b[31m\r\nX: y", "javascript:x")
    ),
    "lone surrogates": note(person="\ud800", message=Message("\udfff", "\ud83d")),
    "headers in the id": note(id="a\r\nX-Evil: 1"),
    "an id beyond ASCII": note(id="ntf_é☕\ud800"),
    "a very long id": note(id="i" * 100_000),
    "endless numbers": note(not_before=float("inf"), expires=float("nan"), cause=Cause("c", "enter", 1e300)),
    "negative times": note(not_before=-1e18, expires=-1.0),
    "data that is no JSON": note(message=Message(data={"k": object(), "s": {1, 2}, "n": float("nan"), "b": b"\xff"})),
    "deep data": note(message=Message(data=nested(100_000))),
    "huge whole numbers": note(message=Message(data={"n": 10**400})),
    "wrong types": note(message=Message(title=None, body=5, link=[]), person=7),  # type: ignore[arg-type]
}


@pytest.fixture
async def sink() -> AsyncIterator[tuple[str, list[str]]]:
    """A far side that takes everything; lists the ids it saw."""
    seen: list[str] = []

    async def take(request: web.BaseRequest) -> web.Response:
        await request.read()
        seen.append(request.headers.get("webhook-id", ""))
        return web.Response()

    runner = web.ServerRunner(web.Server(take))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/hook", seen
    await runner.cleanup()


def config(name: str, url: str) -> Config:
    return Config(channels=(Channel("c", name, CASES[name](url)),), egress_allow=("127.0.0.1/32",))


@pytest.fixture(params=NAMES)
async def adapter(request, sink) -> AsyncIterator[Adapter]:
    async with open_adapters(config(request.param, sink[0]), SystemClock(), {}, lambda channel, n: None) as adapters:
        yield adapters["c"]


async def test_an_ordinary_notification_is_sent(adapter) -> None:
    assert (await adapter.send(note())).outcome == "sent"


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_notification_gets_an_answer_not_an_exception(adapter, name: str) -> None:
    result = await adapter.send(HOSTILE[name])
    assert isinstance(result, Result)
    assert result.outcome in ("sent", "failed", "retry")
    assert len(result.detail) < 2000
    assert (await adapter.send(note())).outcome == "sent"  # and the next one is none the worse


async def test_many_sends_at_once_all_get_their_answer(adapter) -> None:
    results = await asyncio.gather(*(adapter.send(note(id=f"ntf_{i}")) for i in range(100)))
    assert {result.outcome for result in results} == {"sent"}


async def test_a_send_can_be_cut_off_at_any_point_and_the_next_one_works(adapter) -> None:
    for steps in range(12):
        task = asyncio.create_task(adapter.send(note()))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    assert (await adapter.send(note())).outcome == "sent"


async def test_idempotent_is_said_and_means_that_the_id_reaches_the_far_side(adapter, sink) -> None:
    assert isinstance(adapter.idempotent, bool)
    await adapter.send(note(id="ntf_known"))
    if sink[1]:  # it talks to a far side
        assert adapter.idempotent == ("ntf_known" in sink[1])


async def test_it_closes_twice_without_complaint_and_answers_after(adapter) -> None:
    await adapter.close()
    await adapter.close()
    assert isinstance(await adapter.send(note()), Result)


async def test_optional_attributes_have_their_shapes(adapter) -> None:
    assert all(isinstance(wait, float) and wait > 0 for wait in getattr(adapter, "schedule", ()))
    assert all(isinstance(note, str) and note for note in getattr(adapter, "notes", ()))


@pytest.mark.parametrize("name", NAMES)
async def test_an_unknown_setting_is_refused_by_name(name: str, sink) -> None:
    settings = CASES[name](sink[0]) | {"zzz": 1}
    given = Config(channels=(Channel("c", name, settings),))
    with pytest.raises(ConfigError, match=r"unknown setting 'zzz'"):
        async with open_adapters(given, SystemClock(), {}, lambda channel, n: None):
            pass


@pytest.mark.parametrize("name", NAMES)
async def test_from_the_real_outbox_through_the_worker_to_the_far_side(name: str, sink, tmp_path: Path) -> None:
    clock = ManualClock(1_795_508_100.0)
    store = EmbeddedStore(tmp_path, Retention(), clock)
    await store.open(Genesis("demo", "salt", 1))
    moment = Moment(
        "mom_1", "r", "x", "p", "d", cause(), Decision(Verdict.SEND, Reason.OK), 1_795_508_100.0, 1_795_508_998.0
    )
    await store.commit(0, 0, 1, Effects(moments=[moment], notifications=[note()]))

    class Settling:
        """A journal that does at once what the core would."""

        async def settle(self, attempts: Any) -> None:
            assert all(isinstance(attempt, Attempt) for attempt in attempts)
            settled = [Settle(a.notification, "sent", a.number, detail=a.detail) for a in attempts]
            frame = await store.append(0, attempts, clock.now())
            await store.commit(0, frame.offset, frame.end, Effects(settled=settled))

    given = config(name, sink[0])
    async with open_adapters(given, clock, {}, lambda channel, n: None) as adapters:
        deliverer = Deliverer(store, Settling(), clock, adapters, policies=lane_policies(given))
        await deliverer.recover()
        task = asyncio.create_task(deliverer.run())
        async with asyncio.timeout(10):
            while (await store.counts())["sent"] == 0:
                await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    row = await store.row("ntf_1")
    await store.close()
    assert row is not None
    assert (row.status, row.attempts) == ("sent", 1)
    assert sink[1] in ([], ["ntf_1"])
