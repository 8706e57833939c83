"""The HTTP client adapters are given: it reaches no address that :mod:`engine.deliver.addresses` refuses.

The check is made where the socket is made, on the address the socket will connect to: after name resolution, for
literal addresses too, for each address tried. A resolver that answers differently the next time changes nothing.
"""

import asyncio
import contextlib
import errno
import socket
import threading
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from engine.deliver.addresses import AddressGuard

AddrInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[Any, ...]]
MakeSocket = Callable[[AddrInfo], socket.socket]

READ_AHEAD = 65_536  # bytes of a response held before the far side is made to wait
LOOKUPS = 4  # name look-ups under way at once, per session

# The socket is made deep below the request, in the same task: this tells it whether the request goes without TLS.
_plain: ContextVar[bool] = ContextVar("plain_http", default=False)


def guarded_session(
    allow: tuple[str, ...] = (),
    *,
    timeout: float = 30.0,
    resolver: AbstractResolver | None = None,
    make_socket: MakeSocket | None = None,
) -> aiohttp.ClientSession:
    """An HTTP client behind the guard: no redirects, no proxies from the environment, no cookies, nothing inflated.

    ``allow``: networks that may be reached besides public ones. Make it inside the running loop; the caller closes it.
    A refused address surfaces as ``ClientConnectorError`` whose ``os_error`` is a ``PermissionError``; a redirect as
    ``ClientResponseError`` with its status. Raises ``ConfigError`` for a wrong network.
    """
    guard = AddressGuard(allow)
    make = make_socket or _make_socket

    def checked(info: AddrInfo) -> socket.socket:
        problem = guard.refusal(str(info[4][0]), _plain.get())
        if problem:
            raise PermissionError(errno.EACCES, problem)
        return make(info)

    connector = aiohttp.TCPConnector(
        socket_factory=checked,
        resolver=resolver or OwnThreadResolver(),
        limit=0,  # deliver bounds each channel; a second queue here would only hide who waits
        ttl_dns_cache=30,
        keepalive_timeout=4.0,  # many servers hang up after 5 s: a request sent into that moment would be lost
    )
    return aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=timeout),
        middlewares=(_guard_request,),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,  # a small compressed answer must not become a large one here
        read_bufsize=READ_AHEAD,
    )


async def _guard_request(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    if request.proxy is not None:
        raise aiohttp.InvalidURL(request.url, "adapters may not go through a proxy: it would hide the address reached")
    token = _plain.set(request.url.scheme not in ("https", "wss"))
    try:
        response = await handler(request)
    finally:
        _plain.reset(token)
    if 300 <= response.status < 400 and "Location" in response.headers:
        response.close()
        raise aiohttp.ClientResponseError(
            response.request_info, (), status=response.status, message="redirects are refused"
        )
    return response


def _make_socket(info: AddrInfo) -> socket.socket:
    return socket.socket(info[0], info[1], info[2])


class OwnThreadResolver(AbstractResolver):
    """Resolves names in daemon threads of its own: a slow name server holds up neither the loop's executor (where the
    journal is written) nor another channel, nor the end of the process."""

    def __init__(self) -> None:
        self._room = asyncio.Semaphore(LOOKUPS)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Addresses of a host; ``OSError`` when there is none."""
        await self._room.acquire()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[ResolveResult]] = loop.create_future()

        def done(infos: Sequence[ResolveResult] | None, error: OSError | None) -> None:
            self._room.release()  # only now: a look-up nobody waits for any more still holds its thread
            if answer.done():
                return
            if error is not None:
                answer.set_exception(error)
            else:
                answer.set_result(list(infos or ()))

        def look_up() -> None:
            found: list[ResolveResult] | None = None
            problem: OSError | None = None
            try:
                found = _addresses(host, port, family)
            except OSError as error:
                problem = error
            except UnicodeError:
                problem = OSError(f"{host!r} is not a host name")
            with contextlib.suppress(RuntimeError):  # the loop is gone: nobody waits
                loop.call_soon_threadsafe(done, found, problem)

        threading.Thread(target=look_up, daemon=True, name="herenow-resolve").start()
        return await answer

    async def close(self) -> None:
        """Nothing is held."""


def _addresses(host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family, flags=socket.AI_ADDRCONFIG)
    return [
        ResolveResult(hostname=host, host=str(where[0]), port=port, family=kind, proto=proto, flags=0)
        for kind, _, proto, _, where in found
    ]
