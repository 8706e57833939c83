"""SSE: moments live, the inbox, resuming."""

import asyncio

import msgspec

from engine.model.moment import Miss
from engine.model.reason import Reason, Verdict
from engine.model.signal import Cause


async def events(response, count):
    """The next events: (event, id, data)."""
    got, fields = [], {}
    async with asyncio.timeout(5):
        while len(got) < count:
            line = (await response.content.readline()).decode().rstrip("\r\n")
            if line.startswith(":"):
                continue
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif fields:
                got.append((fields.get("event"), fields.get("id"), msgspec.json.decode(fields["data"])))
                fields = {}
    return got


async def test_moments_come_live_with_the_clock_first(server, stored_moment):
    async with server.session.get(f"{server.url}/v1/moments/stream") as response:
        assert response.headers["Content-Type"] == "text/event-stream"
        ((kind, _, clock),) = await events(response, 1)
        assert (kind, clock["speed"]) == ("time", 1.0)
        cause = Cause("c", "event", 1.0, event="app_open")
        server.engine.feed.publish("moments", stored_moment(5))
        server.engine.feed.publish("moments", Miss("hello", "p1", "d1", cause, 1.0, Reason.CONDITION))
        first, second = await events(response, 2)
    assert (first[0], first[1], first[2]["id"]) == ("moment", "5", "mom_5")
    assert (second[0], second[1], second[2]["rule"]) == ("miss", None, "hello")


async def test_a_reader_that_returns_gets_what_it_missed_once(server, stored_moment):
    server.engine.store.feed = [stored_moment(seq) for seq in range(1, 251)]
    url = f"{server.url}/v1/moments/stream"
    async with server.session.get(url, headers={"Last-Event-ID": "3"}) as response:
        got = await events(response, 248)
        server.engine.feed.publish("moments", stored_moment(250))
        server.engine.feed.publish("moments", stored_moment(251))
        got += await events(response, 1)
    assert [int(id) for _, id, _ in got[1:]] == list(range(4, 252))


async def test_filters_hold_for_the_stream(server, stored_moment):
    async with server.session.get(f"{server.url}/v1/moments/stream?decision=suppress&rule=hello") as response:
        await events(response, 1)
        for moment in (
            stored_moment(1),
            stored_moment(2, "other", Verdict.SUPPRESS),
            stored_moment(3, "hello", Verdict.SUPPRESS),
        ):
            server.engine.feed.publish("moments", moment)
        ((_, id, _),) = await events(response, 1)
    assert id == "3"


async def test_a_bad_last_event_id_or_filter_is_400(server):
    for path, headers in (
        ("/v1/moments/stream", {"Last-Event-ID": "x"}),
        ("/v1/inbox/p1", {"Last-Event-ID": "-1"}),
        ("/v1/inbox/p1?after=1.5", {}),
        ("/v1/moments/stream?decision=maybe", {}),
        ("/v1/moments?limit=0", {}),
        ("/v1/moments?limit=ten", {}),
        ("/v1/moments?since=yesterday", {}),
        ("/v1/moments?before=-1", {}),
    ):
        status, _, answer = await server.call("GET", path, headers=headers)
        assert status == 400, path
        assert answer["field"]


async def test_the_inbox_gives_what_is_held_then_what_comes(server, inbox_row):
    store = server.engine.store
    store.outbox = [inbox_row(1), inbox_row(2, person="p2"), inbox_row(3)]
    async with server.session.get(f"{server.url}/v1/inbox/p1") as response:
        held = await events(response, 2)
        new = inbox_row(4)
        server.engine.feed.publish("inbox:inbox:p1", new[1].notification)
        await asyncio.sleep(0.06)  # the row follows the news
        store.outbox.append(new)
        live = await events(response, 1)
    assert [(id, data["message"]["title"]) for _, id, data in held + live] == [
        ("1", "number 1"), ("3", "number 3"), ("4", "number 4"),
    ]  # fmt: skip


async def test_the_inbox_resumes_after_the_last_event(server, inbox_row):
    server.engine.store.outbox = [inbox_row(seq) for seq in range(1, 6)]
    async with server.session.get(f"{server.url}/v1/inbox/p1", headers={"Last-Event-ID": "3"}) as response:
        got = await events(response, 2)
    assert [id for _, id, _ in got] == ["4", "5"]


async def test_an_inbox_that_is_not_there_is_404(server):
    status, _, answer = await server.call("GET", "/v1/inbox/p1?channel=push")
    assert status == 404
    assert "inbox" in answer["fix"]


async def test_listing_pages_by_seq(server, stored_moment):
    server.engine.store.feed = [stored_moment(seq) for seq in range(1, 8)]
    _, _, first = await server.call("GET", "/v1/moments?limit=4")
    _, _, second = await server.call("GET", f"/v1/moments?limit=4&before={first['before']}")
    assert [m["seq"] for m in first["moments"] + second["moments"]] == [7, 6, 5, 4, 3, 2, 1]
    assert second["before"] is None


async def test_one_moment_has_its_trace_and_an_unknown_one_is_404(server, stored_moment):
    server.engine.store.feed = [stored_moment(1)]
    status, _, answer = await server.call("GET", "/v1/moments/mom_1")
    assert (status, answer["id"]) == (200, "mom_1")
    assert "conditions" in answer
    status, _, _ = await server.call("GET", "/v1/moments/mom_9")
    assert status == 404
