"""``GET /v1/ws``: signals in frames, many in flight, acknowledged in order.

``{"seq": 7, "signals": [...]}`` is answered by ``{"ack": 7, "accepted", "duplicates", "rejected"}`` once durable, or by
``{"seq": 7, "error": problem}``. Answers come in the order of the frames, so an ack says of every frame before it that
it is durable too, unless an error named it. ``seq`` must rise; a frame that failed is sent again under a new one.
"""

import asyncio
from typing import Any

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web
from msgspec import Struct, field

from engine.api.gate import Caller
from engine.api.problems import SERVER, document_of
from engine.api.router import Api
from engine.api.signals import bind, count, refuse_all
from engine.ingest.body import BadBody
from engine.ingest.signals import Decoded, decode_frame

IN_FLIGHT = 64  # frames; beyond that the socket is not read, and TCP holds the sender back
HEARTBEAT = 30.0
_encode = msgspec.json.Encoder().encode


class Ack(Struct):
    """The answer to a frame."""

    ack: int
    accepted: int
    duplicates: int
    rejected: list[Any]
    warnings: list[str] = field(default_factory=list)


_Answer = tuple[int | None, Decoded | None, "asyncio.Task[tuple[int, int]] | None", Exception | None]


async def get_ws(api: Api, request: web.Request, caller: Caller) -> web.WebSocketResponse:
    """Serve one socket until it closes."""
    socket = web.WebSocketResponse(
        heartbeat=HEARTBEAT, max_msg_size=api.engine.config.limits.body, compress=False, decode_text=False
    )
    socket.headers["Server"] = SERVER
    await socket.prepare(request)
    api.sockets.add(socket)
    queue: asyncio.Queue[_Answer | None] = asyncio.Queue(IN_FLIGHT)
    writer = asyncio.create_task(_answer(socket, queue))
    try:
        await _read(api, socket, caller, queue)
        await queue.put(None)
        await writer
    finally:
        api.sockets.discard(socket)
        writer.cancel()
    return socket


async def _read(
    api: Api, socket: web.WebSocketResponse, caller: Caller, queue: "asyncio.Queue[_Answer | None]"
) -> None:
    last = -1
    async for message in socket:
        if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
            break
        seq: int | None = None
        try:
            seq, decoded = _decode(api, message.data, last)
            last = seq
            if caller.token is not None:
                bind(decoded, caller.token)
            if decoded.rejected or decoded.warnings:
                count(api, decoded)
            if decoded.rejected and not decoded.signals:
                raise refuse_all(decoded)
            task = asyncio.ensure_future(api.engine.ingest(decoded.signals)) if decoded.signals else None
            await queue.put((seq, decoded, task, None))
        except Exception as error:
            await queue.put((seq if seq is not None else getattr(error, "extra", {}).get("seq"), None, None, error))


def _decode(api: Api, data: bytes, last: int) -> tuple[int, Decoded]:
    config = api.engine.config
    seq, decoded = decode_frame(
        data, api.engine.clock.now(), config.limits, config.unknown_fields, config.policy.sense.max_future
    )
    if seq <= last:
        raise BadBody(422, f"seq {seq} does not rise: the last one was {last}", extra={"seq": seq})
    return seq, decoded


async def _answer(socket: web.WebSocketResponse, queue: "asyncio.Queue[_Answer | None]") -> None:
    """Answers in the order of the frames, each when its signals are durable. A socket that broke is read to the end all
    the same, so that nobody waits on a full queue."""
    broken = False
    while (item := await queue.get()) is not None:
        frame = await _outcome(item)
        if broken:
            continue
        try:
            await socket.send_str(_encode(frame).decode())
        except ConnectionError:
            broken = True


async def _outcome(item: _Answer) -> Ack | dict[str, Any]:
    seq, decoded, task, error = item
    accepted = duplicates = 0
    if task is not None:
        try:
            accepted, duplicates = await task
        except Exception as failure:
            error = failure
    if seq is None or decoded is None or error is not None:
        return {"seq": seq, "error": document_of(error or ValueError("a frame without outcome"))}
    return Ack(seq, accepted, duplicates, decoded.rejected, decoded.warnings)


async def close_sockets(api: Api) -> None:
    """Tell every socket that the server goes away."""
    await asyncio.gather(
        *(socket.close(code=WSCloseCode.GOING_AWAY, message=b"the server stops") for socket in list(api.sockets)),
        return_exceptions=True,
    )
