"""``GET /v1/ws``."""

import asyncio

import aiohttp
import msgspec
import pytest

from engine.api.ws import AT_ONCE, GROUPS
from engine.errors import Busy
from engine.model.config import Limits

FIX = {"device": "d1", "lat": 52.5, "lon": 13.4}


def frame(seq, *signals):
    return msgspec.json.encode({"seq": seq, "signals": list(signals)}).decode()


async def answers(socket, count):
    return [msgspec.json.decode((await socket.receive(timeout=5)).data) for _ in range(count)]


async def test_each_frame_is_acknowledged_with_what_became_of_it(server):
    async with server.session.ws_connect(f"{server.url}/v1/ws") as socket:
        await socket.send_str(frame(7, {**FIX, "id": "a"}, {**FIX, "id": "a"}, {"device": "d1", "lng": 1}))
        await socket.send_bytes(frame(8).encode())
        first, second = await answers(socket, 2)
    assert (first["ack"], first["accepted"], first["duplicates"]) == (7, 1, 1)
    assert first["rejected"][0]["index"] == 2
    assert second == {"ack": 8, "accepted": 0, "duplicates": 0, "rejected": [], "warnings": []}


async def test_frames_are_taken_in_while_earlier_ones_wait_for_the_disk(server):
    server.engine.gate.clear()
    async with server.session.ws_connect(f"{server.url}/v1/ws") as socket:
        for seq in range(20):
            await socket.send_str(frame(seq, {**FIX, "id": str(seq)}))
        await asyncio.sleep(0.05)
        assert server.engine.taken == []
        server.engine.gate.set()
        got = []
        while not got or got[-1]["ack"] < 19:
            got += await answers(socket, 1)
    assert [answer["ack"] for answer in got] == sorted({answer["ack"] for answer in got})
    assert len(got) < 20, "frames that come close together share an answer"
    assert sum(answer["accepted"] for answer in got) == 20
    assert [signal.id for signal in server.engine.taken] == [str(seq) for seq in range(20)]


async def test_frames_are_queued_before_earlier_ones_are_durable_but_only_so_many_groups_of_them(server):
    server.engine.gate.clear()
    async with server.session.ws_connect(f"{server.url}/v1/ws") as socket:
        for seq in range(3 * GROUPS):
            await socket.send_str(frame(seq, {**FIX, "id": str(seq)}))
            await asyncio.sleep(0.02)
        assert 2 <= server.engine.offered <= GROUPS + 2
        server.engine.gate.set()
        got = []
        while not got or got[-1]["ack"] < 3 * GROUPS - 1:
            got += await answers(socket, 1)
    assert [answer["ack"] for answer in got] == sorted({answer["ack"] for answer in got})
    assert [signal.id for signal in server.engine.taken] == [str(seq) for seq in range(3 * GROUPS)]


async def test_a_large_frame_is_not_overtaken_by_the_next(server):
    large = [{**FIX, "id": f"a{n}"} for n in range(AT_ONCE + 1)]
    async with server.session.ws_connect(f"{server.url}/v1/ws") as socket:
        await socket.send_str(frame(1, *large))
        await socket.send_str(frame(2, {**FIX, "id": "b"}))
        got = []
        while not got or got[-1]["ack"] < 2:
            got += await answers(socket, 1)
    assert sum(answer["accepted"] for answer in got) == AT_ONCE + 2
    assert server.engine.taken[-1].id == "b"


async def test_bad_frames_get_an_error_in_their_place_and_the_socket_lives(server):
    bad = [
        "{",
        "[]",
        '{"signals":[]}',
        '{"seq":"x","signals":[]}',
        '{"seq":-1,"signals":[]}',
        '{"seq":1}',
        '{"seq":1,"x":1}',
    ]
    bad += ['{"seq":1,"signals":1}', '{"seq":2,"signals":[{"device":"d1"}]}', '{"seq":2,"signals":[]}', "[" * 5000]
    async with server.session.ws_connect(f"{server.url}/v1/ws") as socket:
        for text in bad:
            await socket.send_str(text)
        await socket.send_bytes(b"\xff\xfe")
        await socket.send_str(frame(9, FIX))
        got = await answers(socket, len(bad) + 2)
    assert all(400 <= answer["error"]["status"] < 500 and answer["error"]["detail"] for answer in got[:-1])
    assert [answer["seq"] for answer in got[7:10]] == [1, 2, 2]
    assert got[-1]["ack"] == 9


async def test_a_failure_is_told_of_every_frame_that_shared_it(server):
    server.engine.gate.clear()
    async with server.session.ws_connect(f"{server.url}/v1/ws") as socket:
        for seq in range(5):
            await socket.send_str(frame(seq, {**FIX, "id": str(seq)}))
        await asyncio.sleep(0.05)
        server.engine.failure = Busy("full", after=3.0)
        server.engine.gate.set()
        told: set[int] = set()
        while len(told) < 5:
            (answer,) = await answers(socket, 1)
            told.add(answer.get("seq", answer.get("ack")))
    assert told == set(range(5))


async def test_pressure_is_told_per_frame(server):
    server.engine.failure = Busy("full", after=3.0)
    async with server.session.ws_connect(f"{server.url}/v1/ws") as socket:
        await socket.send_str(frame(1, FIX))
        (refused,) = await answers(socket, 1)
        server.engine.failure = None
        await socket.send_str(frame(2, FIX))
        (taken,) = await answers(socket, 1)
    assert (refused["seq"], refused["error"]["status"]) == (1, 429)
    assert (taken["ack"], taken["accepted"]) == (2, 1)


async def test_a_frame_beyond_the_limit_closes_the_socket(start):
    server = await start(limits=Limits(body=1000))
    async with server.session.ws_connect(f"{server.url}/v1/ws") as socket:
        await socket.send_str(frame(1, {**FIX, "context": {"a": "x" * 2000}}))
        message = await socket.receive(timeout=5)
    assert message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
    assert socket.close_code == 1009


async def test_a_socket_that_vanishes_loses_nothing_that_was_taken(server):
    server.engine.gate.clear()
    socket = await server.session.ws_connect(f"{server.url}/v1/ws")
    for seq in range(3):
        await socket.send_str(frame(seq, {**FIX, "id": str(seq)}))
    await asyncio.sleep(0.05)
    socket._response.connection.transport.abort()
    server.engine.gate.set()
    await asyncio.sleep(0.05)
    assert len(server.engine.taken) == 3
    status, _, _ = await server.signals(FIX)
    assert status == 202


async def test_the_socket_wants_a_key_and_a_token_binds_it(start):
    server = await start(keys=True)
    with pytest.raises(aiohttp.WSServerHandshakeError, match="401"):
        await server.session.ws_connect(f"{server.url}/v1/ws")
    token = server.keyring.mint("d1", "p1")
    async with server.session.ws_connect(f"{server.url}/v1/ws?key={token}") as socket:
        await socket.send_str(frame(1, FIX, {**FIX, "device": "d2"}))
        (answer,) = await answers(socket, 1)
    assert (answer["accepted"], answer["rejected"][0]["field"]) == (1, "device")


async def test_a_plain_get_is_told_what_is_wanted(server):
    status, headers, _ = await server.call("GET", "/v1/ws")
    assert 400 <= status < 500
    assert headers["Content-Type"].startswith("application/problem+json")


async def test_a_frame_is_never_made_of_two_messages_nor_two_of_one(server):
    both = frame(1) + "\n" + frame(2)
    halves = frame(3, {"device": "d1", "event": "a"}).split(",", 1)
    async with server.session.ws_connect(f"{server.url}/v1/ws") as socket:
        for text in ("", both, halves[0], halves[1], frame(4)):
            await socket.send_str(text)
        got = await answers(socket, 5)
    assert ["error" in answer for answer in got] == [True, True, True, True, False]
    assert got[-1]["ack"] == 4
    assert server.engine.taken == []


async def test_a_frame_over_several_lines_is_a_frame(server):
    text = msgspec.json.format(frame(1, FIX), indent=2)
    async with server.session.ws_connect(f"{server.url}/v1/ws") as socket:
        await socket.send_str(text)
        await socket.send_str(frame(2, {**FIX, "id": "b"}))
        got = await answers(socket, 1)
    assert got[0]["accepted"] >= 1


async def test_fixes_are_put_in_order_within_a_frame_and_not_beyond(server):
    server.engine.gate.clear()
    async with server.session.ws_connect(f"{server.url}/v1/ws") as socket:
        await socket.send_str(frame(0))
        for seq, times in enumerate(((5, 3), (4, 2), (1,)), 1):
            await socket.send_str(frame(seq, *({**FIX, "at": 1795508100 + at, "id": str(at)} for at in times)))
        await asyncio.sleep(0.05)
        server.engine.gate.set()
        last = -1
        while last < 3:
            last = (await answers(socket, 1))[0]["ack"]
    assert [signal.id for signal in server.engine.taken] == ["3", "5", "2", "4", "1"]
