"""Live streams over SSE: keep-alive comments, resuming by Last-Event-ID, an end when the server stops."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp_sse import EventSourceResponse

from engine.api.problems import SERVER, Refused
from engine.api.router import Api

PING = 15.0
MOST_STREAMS = 1000


@asynccontextmanager
async def stream(api: Api, request: web.Request) -> AsyncIterator[EventSourceResponse]:
    """An open event stream; it ends with the client, or with the server."""
    if len(api.streams) >= MOST_STREAMS:
        raise Refused(503, f"more than {MOST_STREAMS} streams are open", headers={"Retry-After": "5"})
    task = asyncio.current_task()
    api.streams.add(task)
    response = EventSourceResponse(headers={"Server": SERVER, "X-Content-Type-Options": "nosniff"}, ping_interval=PING)
    try:
        await response.prepare(request)
        yield response
    except ConnectionError:
        pass  # the reader went away
    finally:
        api.streams.discard(task)
        if response.prepared:
            response.stop_streaming()


def last_event_id(request: web.Request) -> int | None:
    """Where the reader left off: the Last-Event-ID header, or ``?after=``; 400 when it is no number."""
    text = request.headers.get("Last-Event-ID") or request.query.get("after") or ""
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise Refused(400, "Last-Event-ID must be a number that this stream gave", extra={"field": "Last-Event-ID"})
    return int(text)


async def end_streams(api: Api) -> None:
    """The server stops: readers reconnect elsewhere, or later."""
    tasks = [task for task in api.streams if task is not None]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
