"""Listening: limits that aiohttp leaves open (connections, keep-alive, inflating), and problems below HTTP."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.http import RawRequestMessage

from engine.api.express import END, EXPRESS, Express, granted
from engine.api.problems import SERVER, problem
from engine.api.together import Receipt
from engine.errors import ConfigError

try:
    import resource
except ImportError:  # no such limits here
    resource = None  # type: ignore[assignment]

MOST_CONNECTIONS = 10_000
SPARE_FILES = 256  # of the process's limit: journal, database, adapters
KEEP_ALIVE = 75.0  # also how long a connection may take to say what it wants
SHUTDOWN = 5.0
_LOST = -1  # it is not known where a request ends
_OPTIONS: dict[str, Any] = {
    "access_log": None,
    "keepalive_timeout": KEEP_ALIVE,
    "auto_decompress": False,  # bodies are inflated by ingest.body, within bounds
    "lingering_time": 2.0,  # how long the rest of a refused body is read, so that the sender sees the answer
    "max_line_size": 8190,
    "max_field_size": 8190,
    "max_headers": 64,
}


class Protocol(web.RequestHandler):
    """aiohttp's connection, answering malformed HTTP with a problem document, and known posts of signals by the short
    way (see ``express``)."""

    __slots__ = ("_express", "_later", "_owed", "_taken")

    def __init__(self, server: web.Server, express: Express | None, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(server, loop=loop, **_OPTIONS)
        self._express = express
        self._owed = 0 if express else _LOST  # bytes still to come of the request whose head was read last
        self._taken: bytes | None = None  # the request that is on the short way
        self._later = b""  # what came behind it

    def data_received(self, data: bytes) -> None:
        """Bytes of the connection; ``b""``: aiohttp asks to go on with what it has."""
        if self._taken is not None and data:
            self._later += data
            self._pause_transport_reading()
        elif not data or self._owed == _LOST:
            super().data_received(data)
        elif self._owed:
            self._owed = self._owed - len(data) if len(data) <= self._owed else _LOST
            super().data_received(data)
        else:
            self._begin(data)

    def _begin(self, data: bytes) -> None:
        """A request begins: the short way where its head is known, nothing is under way and all of it is here."""
        express, end = self._express, data.find(END) + len(END)
        assert express is not None
        idle = self._waiter is not None and not self._messages and not (self._close or self._force_close)
        head = express.head(data, end) if idle and not self._paused else None
        if head is None:
            self._parse(express, data, end)
            return
        self._taken = data
        self._request_in_progress = True  # a shutdown waits for it
        self._next_keepalive_close_time = self._loop.time() + KEEP_ALIVE
        express.take(head, data[end:], self._told)

    def _parse(self, express: Express, data: bytes, end: int) -> None:
        """The long way; keeps count of the body's bytes, to know where the next request begins."""
        before = self._request_count
        super().data_received(data)
        self._owed = _LOST
        if self._request_count != before + 1 or end < len(END) or self._upgraded:
            return
        message = self._messages[-1][0]
        if not isinstance(message, RawRequestMessage) or message.chunked:
            return
        length = int(message.headers.get("Content-Length", 0))
        self._owed = max(_LOST, end + length - len(data))
        express.learn(data, end, message, length)

    def _told(self, receipt: Receipt | None) -> None:
        if receipt is None:
            self._answer(None)
        else:
            receipt.add_done_callback(self._answer)

    def _answer(self, receipt: Receipt | None) -> None:
        """The signals are durable, or could not be (None: not even queued): then the request goes the long way, which
        says why."""
        data, later, self._taken, self._later = self._taken, self._later, None, b""
        self._request_in_progress = False
        failed = receipt is None or receipt.cancelled() or receipt.exception() is not None
        if self.transport is not None and data is not None:
            if failed or receipt is None:
                super().data_received(data)
            else:
                self.transport.write(granted(*receipt.result()))
            if later:
                self._resume_transport_reading()
                self.data_received(later)
        if self._handler_waiter is not None and not self._handler_waiter.done():
            self._handler_waiter.set_result(None)

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """What is no valid HTTP request, or escaped every handler."""
        if status >= 500 and exc is not None:
            self.log_exception("Error handling request", exc_info=exc)
        detail = (message or "the request is not valid HTTP").splitlines()[0] if status < 500 else "an unexpected error"
        response = problem(status, detail)
        response.force_close()
        return response


class _Full(asyncio.Protocol):
    """Answers a connection that is one too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        text = b'{"type":"about:blank","title":"Service Unavailable","status":503,"detail":"too many connections"}'
        head = f"HTTP/1.1 503 Service Unavailable\r\nServer: {SERVER}\r\nRetry-After: 5\r\nConnection: close\r\n"
        kind = f"Content-Type: application/problem+json\r\nContent-Length: {len(text)}\r\n\r\n"
        transport.write((head + kind).encode() + text)
        transport.close()


def factory(server: web.Server, most: int, express: Express | None = None) -> Callable[[], asyncio.Protocol]:
    """Makes connections, up to ``most`` at a time."""
    loop = asyncio.get_running_loop()

    def connection() -> asyncio.Protocol:
        if len(server.connections) >= most:
            return _Full()
        return Protocol(server, express, loop)

    return connection


def most_connections() -> int:
    """As many as the process may have open files for, within reason."""
    if resource is None:
        return MOST_CONNECTIONS
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_CONNECTIONS if soft < 0 else max(SPARE_FILES, min(MOST_CONNECTIONS, soft - SPARE_FILES))


@asynccontextmanager
async def listen(app: web.Application, host: str, port: int, most: int | None = None) -> AsyncIterator[int]:
    """Serve until the context ends; yields the port (the one chosen, where 0 was asked). Raises ``ConfigError`` when
    the address is taken. On the way out: no new connection, streams end, requests get some seconds to finish."""
    runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=SHUTDOWN, access_log=None)
    await runner.setup()
    assert runner.server is not None
    try:
        try:
            server = await asyncio.get_running_loop().create_server(
                factory(runner.server, most or most_connections(), app.get(EXPRESS)),
                host,
                port,
                backlog=1024,
                reuse_address=True,
            )
        except OSError as error:
            fix = "Stop what listens there, or set another [server] port in config.toml."
            raise ConfigError(f"cannot listen on {host}:{port}: {error.strerror}.", fix=fix) from error
        try:
            yield int(server.sockets[0].getsockname()[1])
        finally:
            server.close()
    finally:
        await runner.cleanup()
