"""Listening: limits that aiohttp leaves open (connections, keep-alive, inflating), and problems below HTTP."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from engine.api.problems import SERVER, problem
from engine.errors import ConfigError

try:
    import resource
except ImportError:  # no such limits here
    resource = None  # type: ignore[assignment]

MOST_CONNECTIONS = 10_000
SPARE_FILES = 256  # of the process's limit: journal, database, adapters
KEEP_ALIVE = 75.0  # also how long a connection may take to say what it wants
SHUTDOWN = 5.0
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
    """aiohttp's connection, answering malformed HTTP with a problem document."""

    __slots__ = ()

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


def factory(server: web.Server, most: int) -> Callable[[], asyncio.Protocol]:
    """Makes connections, up to ``most`` at a time."""
    loop = asyncio.get_running_loop()

    def connection() -> asyncio.Protocol:
        if len(server.connections) >= most:
            return _Full()
        return Protocol(server, loop=loop, **_OPTIONS)

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
                factory(runner.server, most or most_connections()), host, port, backlog=1024, reuse_address=True
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
