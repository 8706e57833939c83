"""Signals that come one by one on many connections in one turn of the loop: each request and frame gets its own answer,
whatever it was read with."""

import asyncio
from functools import partial

import msgspec
import pytest

from engine.api import together
from engine.api.together import Said, Together
from engine.errors import Busy, StoreError
from engine.ingest import fast
from engine.model.config import Limits

FIX = {"lat": 52.5, "lon": 13.4}


@pytest.fixture(autouse=True)
def loops(monkeypatch):
    if not fast.load():
        pytest.skip("numba is not installed")
    monkeypatch.setattr(fast, "FEW", 2)


def body(name, **more):
    return msgspec.json.encode({"device": f"d-{name}", "id": name, **FIX, **more})


async def told(engine, groups):
    """What becomes of groups of bodies that wait together: counts, an error, or None."""
    waiting, receipts = Together(engine), []
    for bodies in groups:
        waiting.put(partial(Said, b",".join(bodies), receipts.append))
    assert receipts == []
    await asyncio.sleep(0)
    assert len(receipts) == len(groups)
    given = [receipt for receipt in receipts if receipt is not None]
    outcomes = iter(await asyncio.gather(*given, return_exceptions=True))
    return [None if receipt is None else next(outcomes) for receipt in receipts]


async def test_what_waits_is_queued_as_one_and_each_is_told_of_its_own(server):
    engine = server.engine
    assert await told(engine, [[body("a")], [body("b"), body("c")], [body("a")], [body("c"), body("d")]]) == [
        (1, 0),
        (2, 0),
        (0, 1),
        (1, 1),
    ]
    assert engine.offered == 1
    assert [signal.id for signal in engine.taken] == ["a", "b", "c", "d"]


async def test_one_that_is_not_plainly_good_has_all_looked_at_by_themselves(server):
    for odd in (body("x", lat=91), body("x", context={"a": 1}), body("x", hue=1), b"{", body("x")[:-1], b"", b"[]"):
        assert await told(server.engine, [[body("a")], [odd], [body("b")]]) == [None, None, None], odd
    assert server.engine.taken == []


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (b'{"device":"a","lat":1,"lon":1},{"device":"b"', b'"lat":1,"lon":1}'),
        (b'{"device":"a","lat":1,"lon":1},{"device":"b","lat":1,"lon":1}', b" "),
        (b'{"device":"a","lat":1,"lon":1', b'{"x":1},"id":"b"}'),
        (b'{"device":"a","lat":1,"lon":1,"id":"', b'{"}'),
        (b'{"device":"a","lat":1,"lon":1}]', b'[{"device":"b","lat":1,"lon":1}'),
    ],
)
async def test_no_signal_goes_on_in_the_next_senders_body(server, first, second):
    outcomes = await told(server.engine, [[first], [second], [body("a")], [body("b")]])
    assert outcomes == [None] * 4
    assert server.engine.taken == []


async def test_a_failure_is_everybodys(server):
    server.engine.failure = StoreError("full disk", retry=True)
    outcomes = await told(server.engine, [[body("a")], [body("b")], [body("c")]])
    assert [str(outcome) for outcome in outcomes] == ["full disk"] * 3


async def test_a_refusal_is_everybodys(server, monkeypatch):
    def full(signals):
        raise Busy("wait", 2.0)

    monkeypatch.setattr(server.engine, "offer_each", full)
    outcomes = await told(server.engine, [[body("a")], [body("b")], [body("c")]])
    assert [str(outcome) for outcome in outcomes] == ["wait"] * 3


async def test_each_request_is_put_in_order_of_time_by_itself(server):
    sent = (("a", 5, 3), ("b", 1, 9), ("a", 4, 2, 1))
    texts = [[body(f"{k}-{n}", device=f"d-{d}", at=1.7e9 + at) for n, at in enumerate(times)]
             for k, (d, *times) in enumerate(sent)]  # fmt: skip
    assert await told(server.engine, texts) == [(2, 0), (2, 0), (3, 0)]
    assert [signal.id for signal in server.engine.taken] == ["0-1", "0-0", "1-0", "1-1", "2-2", "2-1", "2-0"]


async def test_many_are_read_in_parts_and_keep_their_order(server, monkeypatch):
    monkeypatch.setattr(together, "MOST", 5)
    groups = [[body(f"{k}-{n}") for n in range(size)] for k, size in enumerate((3, 2, 4, 1, 9, 3))]
    outcomes = await told(server.engine, groups)
    assert outcomes == [None if len(group) > 5 else (len(group), 0) for group in groups]
    assert server.engine.offered == 3
    assert [signal.id for signal in server.engine.taken] == [
        f"{k}-{n}" for k, size in enumerate((3, 2, 4, 1, 0, 3)) for n in range(size)
    ]


async def test_more_than_a_request_may_have_is_not_taken_together(start):
    server = await start(limits=Limits(queue=3))
    groups = [[body("a")], [body("b"), body("c"), body("d"), body("e")], [body("f"), body("g"), body("h")]]
    assert await told(server.engine, groups) == [None, None, (3, 0)]
    assert [signal.id for signal in server.engine.taken] == ["f", "g", "h"]


async def test_requests_and_frames_of_many_connections_are_each_answered(server):
    posts = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(6)]

    async def post(line, name, **more):
        text = body(name, **more)
        head = b"POST /v1/signals HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(text)
        line[1].write(head + text)
        status = await asyncio.wait_for(line[0].readuntil(b"\r\n\r\n"), 5)
        size = int(status.split(b"Content-Length: ")[1].split(b"\r\n")[0])
        return int(status.split(b" ")[1]), msgspec.json.decode(await line[0].readexactly(size))

    for line in posts:  # heads become known
        await post(line, "000")
    before = server.engine.offered
    good = [post(line, f"10{n}") for n, line in enumerate(posts[:5])]
    *answers, bad = await asyncio.gather(*good, post(posts[5], "1", lat=91.5))
    assert [status for status, _ in answers] == [202] * 5
    assert [told["accepted"] for _, told in answers] == [1] * 5
    assert bad[0] == 422
    again = await asyncio.gather(*(post(line, f"10{n % 3 + 2}") for n, line in enumerate(posts)))
    assert sum(told["duplicates"] for _, told in again) == 6
    assert server.engine.offered > before
    for line in posts:
        line[1].close()


async def test_frames_of_many_sockets_are_acknowledged_each(server):
    sockets = [await server.session.ws_connect(f"{server.url}/v1/ws") for _ in range(4)]
    for turn in range(3):
        await asyncio.gather(
            *(
                socket.send_str(f'{{"seq":{turn},"signals":[{body(f"{n}-{turn}").decode()}]}}')
                for n, socket in enumerate(sockets)
            )
        )
        acks = [msgspec.json.decode((await socket.receive(timeout=5)).data) for socket in sockets]
        assert [(ack["ack"], ack["accepted"]) for ack in acks] == [(turn, 1)] * 4
    assert len(server.engine.taken) == 12
    for socket in sockets:
        await socket.close()
