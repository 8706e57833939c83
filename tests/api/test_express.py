"""The short way of signals: the same answers as the long way, whatever the bytes come like."""

import asyncio
import random

import msgspec
import pytest

from engine.api import application, express, listen
from engine.errors import Busy, StoreError


def post(body, *headers, path="/v1/signals"):
    lines = (f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}", *headers)
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def event(name, device="d1"):
    return msgspec.json.encode({"device": device, "event": name, "id": name})


class Line:
    """One kept connection, byte by byte."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    @classmethod
    async def to(cls, port):
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def answer(self):
        """Status, headers and body of the next response."""
        head = (await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 5)).decode()
        first, *lines = head.strip().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        body = await self.reader.readexactly(int(headers.get("Content-Length", 0)))
        return int(first.split(" ")[1]), headers, body

    async def ask(self, data):
        self.writer.write(data)
        return await self.answer()


@pytest.fixture
async def line(server):
    line = await Line.to(server.port)
    yield line
    line.writer.close()


async def test_a_known_head_is_answered_as_an_unknown_one(server, line):
    long = await line.ask(post(event("a")))
    assert server.engine.offered == 0
    short = await line.ask(post(event("b")))
    assert server.engine.offered == 1
    for _, headers, _ in (long, short):
        assert headers.pop("Date")
    assert short == long
    assert [s.event for s in server.engine.taken] == ["a", "b"]


async def test_a_head_is_known_to_all_connections(server, line):
    await line.ask(post(event("a")))
    other = await Line.to(server.port)
    assert (await other.ask(post(event("b"))))[0] == 202
    assert (await other.ask(post(event("c"))))[0] == 202
    assert server.engine.offered >= 1
    other.writer.close()


async def test_a_long_head_is_not_remembered(server, line):
    for name in "ab":
        assert (await line.ask(post(event(name), "X: " + "x" * 3000)))[0] == 202
    assert server.engine.offered == 0


async def test_strangers_push_no_known_head_out(start, monkeypatch):
    monkeypatch.setattr(express, "MOST_HEADS", 1)
    server = await start(keys=True)
    line = await Line.to(server.port)
    bearer = f"Authorization: Bearer {server.keyring.create(['ingest'])[1]}"
    await line.ask(post(event("a"), bearer))
    for n in range(3):
        assert (await line.ask(post(event("b"), f"Authorization: Bearer hk_{n}")))[0] == 401
    assert (await line.ask(post(event("c"), bearer)))[0] == 202
    assert server.engine.offered == 1
    line.writer.close()


async def test_lines_and_arrays_go_the_short_way_too(server, line):
    lines = event("a") + b"\n" + event("b")
    again = event("c") + b"\n" + event("d")
    for body, kind in ((lines, "application/x-ndjson"), (again, "application/x-ndjson")):
        status, _, told = await line.ask(post(body, f"Content-Type: {kind}"))
        assert (status, msgspec.json.decode(told)["accepted"]) == (202, 2)
    for names in ("ef", "gh"):
        body = b"[" + b",".join(event(name) for name in names) + b"]"
        status, _, told = await line.ask(post(body, "Content-Type: application/json"))
        assert (status, msgspec.json.decode(told)["accepted"]) == (202, 2)
    assert server.engine.offered == 2
    assert [s.event for s in server.engine.taken] == list("abcdefgh")


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        (b'{"device":"d1","event":"x","lat":91}', 422, b"lat must be"),
        (b'{"device":"d1","event":"x","lng":1.}', 400, b"not JSON"),
        (b'{"device":"d1","event":"x","lng":11}', 422, b"the name is 'lon'"),
        (b'{"device":"d1","event":"x","hue":11}', 202, b"unknown field 'hue'"),
        (b"[" * 36, 400, b"not JSON"),
    ],
)
async def test_what_is_not_plainly_good_gets_the_words_of_the_long_way(server, line, body, status, word):
    good = b'{"device":"d1","event":"%s"}' % (b"x" * (len(body) - len(b'{"device":"d1","event":""}')))
    assert (await line.ask(post(good)))[0] == 202
    got, _, told = await line.ask(post(body))
    assert (got, word in told) == (status, True), told
    assert (await line.ask(post(good.replace(b"x", b"y"))))[0] == 202
    assert server.engine.offered == 1


@pytest.mark.parametrize(("failure", "status"), [(StoreError("full disk", retry=True), 503), (Busy("wait", 2.0), 429)])
async def test_a_failure_is_told_and_the_connection_goes_on(server, line, failure, status):
    await line.ask(post(event("a")))
    server.engine.failure = failure
    got, headers, told = await line.ask(post(event("b")))
    assert (got, headers["Content-Type"], "Retry-After" in headers) == (status, "application/problem+json", True)
    assert str(failure.problem).encode() in told
    server.engine.failure = None
    assert (await line.ask(post(event("b"))))[0] == 202
    assert [s.event for s in server.engine.taken] == ["a", "b"]


async def test_a_known_head_does_not_outlive_its_key(start):
    server = await start(keys=True)
    line = await Line.to(server.port)
    key, secret = server.keyring.create(["ingest"])
    bearer = f"Authorization: Bearer {secret}"
    for name in "ab":
        assert (await line.ask(post(event(name), bearer)))[0] == 202
    assert (await line.ask(post(event("c"))))[0] == 401
    server.keyring.revoke(key.id)
    assert (await line.ask(post(event("d"), bearer)))[0] == 401
    assert [s.event for s in server.engine.taken] == ["a", "b"]
    line.writer.close()


async def test_a_device_token_speaks_for_its_device_alone(start):
    server = await start(keys=True)
    line = await Line.to(server.port)
    bearer = "Authorization: Bearer " + server.keyring.mint("d1", "p1")
    for name in "ab":
        assert (await line.ask(post(event(name), bearer)))[0] == 202
    status, _, told = await line.ask(post(event("c", "d2"), bearer))
    assert (status, b"this token speaks for 'd1' only" in told) == (422, True)
    assert [(s.event, s.person) for s in server.engine.taken] == [("a", "p1"), ("b", "p1")]
    line.writer.close()


async def test_what_comes_behind_a_waiting_request_is_answered_behind_it(server, line):
    await line.ask(post(event("a")))
    server.engine.gate.clear()
    line.writer.write(post(event("b")))
    await asyncio.sleep(0.02)
    line.writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" + post(event("c")))
    await asyncio.sleep(0.02)
    line.writer.write(post(event("d")))
    await asyncio.sleep(0.02)
    server.engine.gate.set()
    told = [await line.answer() for _ in range(4)]
    assert [status for status, _, _ in told] == [202, 200, 202, 202]
    assert [s.event for s in server.engine.taken] == list("abcd")


async def test_the_end_waits_for_what_is_on_the_short_way(start):
    server = await start()
    async with listen(application(server.engine, server.keyring), "127.0.0.1", 0) as port:
        line = await Line.to(port)
        await line.ask(post(event("a")))
        server.engine.gate.clear()
        line.writer.write(post(event("b")))
        await asyncio.sleep(0.05)
        asyncio.get_running_loop().call_later(0.1, server.engine.gate.set)
    assert (await line.answer())[0] == 202
    assert server.engine.offered == 1
    line.writer.close()


def anything(rng, name):
    """A request of some kind, and the status it deserves."""
    chance = rng.random()
    if chance < 0.8:
        return post(event(name)), 202
    if chance < 0.87:
        return post(b"POST /v1/signals HTTP/1.1\r\n\r\n" + event(name)), 400
    if chance < 0.94:
        return b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 200
    head = b"POST /v1/signals HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(event(name)), event(name)), 202


def pieces(rng, request):
    """The bytes of a request, most often in one piece."""
    cuts = sorted(rng.randrange(len(request)) for _ in range(rng.choice((0, 0, 0, 0, 0, 1, 3))))
    return [request[a:b] for a, b in zip([0, *cuts], [*cuts, len(request)], strict=True)]


@pytest.mark.parametrize("seed", range(12))
async def test_how_the_bytes_are_cut_never_shows(server, seed):
    """Requests of every kind on one connection, cut anywhere, some waited for and some not: each gets its answer."""
    rng = random.Random(seed)
    names = []
    for connection in range(8):
        line, wanted, got = await Line.to(server.port), [], []
        for n in range(12):
            name = f"{seed}-{connection}-{n:02d}"
            request, status = anything(rng, name)
            wanted.append(status)
            names += [name] * (status == 202)
            for piece in pieces(rng, request):
                line.writer.write(piece)
                await asyncio.sleep(rng.choice((0, 0.001)))
            if rng.random() < 0.8:
                got += [(await line.answer())[0] for _ in range(len(wanted) - len(got))]
        got += [(await line.answer())[0] for _ in range(len(wanted) - len(got))]
        assert got == wanted
        line.writer.close()
    assert [s.event for s in server.engine.taken] == names
    assert server.engine.offered >= 3
