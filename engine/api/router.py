"""One route, and how a handler is called: admitted by scope, every exception a problem document."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web

from engine.api.engine import Engine, Sending
from engine.api.gate import Caller, Gate
from engine.api.problems import SERVER, problem_of
from engine.api.together import Together
from engine.measure.times import iso

_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Api:
    """What handlers work with."""

    engine: Engine
    gate: Gate
    together: Together
    sending: Sending | None = None
    sockets: set[web.WebSocketResponse] = field(default_factory=set)
    streams: set["Any"] = field(default_factory=set)  # tasks of live streams, ended on shutdown
    bulk: asyncio.Lock = field(default_factory=asyncio.Lock)  # held by the one large upload that is worked on


Handler = Callable[[Api, web.Request, Caller], Awaitable[web.StreamResponse]]
Plain = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Route:
    """One call of the API. ``scope`` None: open to anybody. ``token_ok``: device tokens may call it, bound to their
    subject. ``query_key``: the key may be in ``?key=`` (for clients that cannot set headers)."""

    method: str
    path: str
    scope: str | None
    handler: Handler
    does: str
    takes: Any = None  # the type of the JSON body
    gives: Any = None  # the type of the answer, or a media type that is not JSON
    query: tuple[str, ...] = ()
    status: int = 200
    token_ok: bool = False
    query_key: bool = False


def guarded(api: Api, route: Route) -> Plain:
    """The handler as aiohttp calls it."""
    handler, admit = route.handler, api.gate.admit
    scope, token_ok, query_key = route.scope, route.token_ok, route.query_key

    async def call(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(api, request, admit(request, scope, token_ok, query_key))
        except ConnectionError:
            raise
        except Exception as error:
            return problem_of(error)

    return call


def dated(view: dict[str, Any], *names: str) -> dict[str, Any]:
    """A view whose named instants are written as ISO 8601."""
    return view | {name: iso(view[name]) for name in names if name in view}


def reply(data: Any, status: int = 200) -> web.Response:
    """JSON."""
    headers = {"Server": SERVER, "Content-Type": "application/json", "Cache-Control": "no-store"}
    return web.Response(status=status, body=_encode(data), headers=headers)
