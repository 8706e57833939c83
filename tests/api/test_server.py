"""Below and beside the routes: slow bodies, connections, malformed HTTP, probes, the page."""

import asyncio
import time

import pytest
from aiohttp import web

from engine.api import listen, probes
from engine.errors import ConfigError, StoreError


async def exchange(port, data, wait=5.0):
    """Send raw bytes; everything that comes back until the server closes (or the time is over)."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    await writer.drain()
    try:
        async with asyncio.timeout(wait):
            return await reader.read()
    finally:
        writer.close()


async def test_a_body_that_dawdles_is_408(start):
    server = await start(body_seconds=0.2)
    head = (
        b"POST /v1/signals HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
    )
    answer = await exchange(server.port, head + b'{"device":')
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"application/problem+json" in answer
    status, _, _ = await server.call("GET", "/healthz")
    assert status == 200


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 20_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"".join(b"X%d: 1\r\n" % i for i in range(200)) + b"\r\n",
        b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /v1/signals HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
        b"POST /v1/signals HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/signals HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /v1/signals HTTP/1.1\r\nHost: localhost\r\nExpect: miracles\r\nConnection: close\r\n\r\n",
    ],
)
async def test_malformed_http_is_a_problem_document_too(server, data):
    answer = await exchange(server.port, data)
    assert answer.split(b" ")[1].startswith(b"4"), answer[:100]
    assert b"application/problem+json" in answer
    status, _, _ = await server.call("GET", "/healthz")
    assert status == 200


async def test_expect_100_continue_is_met(server):
    body = b'{"device":"d1","event":"x"}'
    status, _, _ = await server.signals(body, headers={"Content-Type": "application/json"}, expect100=True)
    assert status == 202


async def test_a_connection_too_many_is_503(start):
    server = await start(most=3)
    waiting = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(3)]
    await asyncio.sleep(0.05)
    answer = await exchange(server.port, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 503")
    assert b"Retry-After" in answer
    for _, writer in waiting:
        writer.close()
    await asyncio.sleep(0.05)
    status, _, _ = await server.call("GET", "/healthz")
    assert status == 200


async def test_a_taken_port_is_named(start):
    server = await start()
    with pytest.raises(ConfigError, match=str(server.port)):
        async with listen(web.Application(), "127.0.0.1", server.port):
            pass


async def test_open_streams_and_sockets_do_not_hold_up_the_end(start, tmp_path):
    from engine.api import application

    server = await start()
    began = time.monotonic()
    async with listen(application(server.engine, server.keyring), "127.0.0.1", 0) as port:
        response = await server.session.get(f"http://127.0.0.1:{port}/v1/moments/stream")
        socket = await server.session.ws_connect(f"http://127.0.0.1:{port}/v1/ws")
        closing = asyncio.create_task(socket.receive())
        await asyncio.sleep(0.05)
    assert time.monotonic() - began < 4
    assert (await closing).data == 1001
    response.close()


async def test_ready_says_why_not(server):
    assert (await server.call("GET", "/readyz"))[0] == 200
    server.engine.failure = StoreError("x")
    status, _, answer = await server.call("GET", "/readyz")
    assert (status, answer["ready"]) == (503, False)


async def test_metrics_are_prometheus(server):
    status, headers, text = await server.call("GET", "/metrics")
    assert (status, headers["Content-Type"].split(";")[0]) == (200, "text/plain")
    assert b"herenow_signals_total" in text


async def test_the_page_comes_with_a_strict_policy(server, tmp_path, monkeypatch):
    (tmp_path / "index.html").write_text("<p>hello")
    (tmp_path / "app.js").write_text("1")
    (tmp_path / "secret.txt").write_text("no")
    monkeypatch.setattr(probes, "STATIC", tmp_path)
    status, headers, text = await server.call("GET", "/")
    assert (status, text, headers["Content-Type"]) == (200, b"<p>hello", "text/html; charset=utf-8")
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    _, headers, _ = await server.call("GET", "/static/app.js")
    assert headers["Content-Type"].startswith("text/javascript")
    for path in (
        "/static/secret.txt",
        "/static/none.js",
        "/static/..%2fkeys.json",
        "/static/a%2fapp.js",
    ):
        assert (await server.call("GET", path))[0] == 404, path


async def test_answers_do_not_say_what_they_run_on(server):
    for path in ("/healthz", "/nothing", "/v1/moments"):
        _, headers, _ = await server.call("GET", path)
        assert headers["Server"] == "herenow"


async def test_bytes_that_are_no_utf8_in_path_query_and_headers_are_harmless(server):
    for line, header in (
        (b"GET /v1/moments/\xff\xfe", b""),
        (b"GET /nowhere\xff", b""),
        (b"GET /v1/moments?rule=\xff", b""),
        (b"GET /v1/devices/%ff%fe", b""),
        (b"GET /v1/why?device=%ed%a0%80", b""),
        (b"GET /v1/inbox/\xff", b""),
        (b"POST /v1/rules/\xff/pause", b""),
        (b"POST /v1/signals", b"Content-Type: \xff\xfe\r\n"),
        (b"POST /v1/owntracks", b"X-Limit-U: \xff\r\nX-Limit-D: d\r\n"),
    ):
        body = b'{"_type":"location","lat":1,"lon":2,"tst":1795508100}' if line.startswith(b"POST") else b""
        head = line + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + header
        answer = await exchange(server.port, head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        assert answer.split(b" ")[1][:1] in (b"2", b"4"), (line, answer[:200])
    assert server.engine.taken == []


async def test_a_key_that_is_no_utf8_is_unknown(start):
    server = await start(keys=True)
    head = b"GET /v1/moments HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    answer = await exchange(server.port, head + b"Authorization: Bearer \xff\xfe\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 401")


async def test_readiness_shows_its_inside_only_to_those_who_may_read(start):
    server = await start(keys=True)
    _, secret = server.keyring.create(["read"])
    _, _, answer = await server.call("GET", "/readyz")
    assert answer == {"ready": True}
    _, _, answer = await server.call("GET", "/readyz", headers={"Authorization": f"Bearer {secret}"})
    assert "problems" in answer
