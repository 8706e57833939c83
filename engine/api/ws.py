"""``GET /v1/ws``: signals in frames, many in flight, acknowledged in order.

``{"seq": 7, "signals": [...]}`` is answered by ``{"ack": 7, "accepted", "duplicates", "rejected"}`` once durable, or by
``{"seq": 7, "error": problem}``. Answers come in the order of the frames, and an ack says of every frame before it that
it is durable too, unless an error named it: frames that come close together share one, whose counts are those of all
since the last. ``seq`` must rise; a frame that failed is sent again under a new one.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web
from msgspec import Struct

from engine.api.gate import Caller
from engine.api.problems import SERVER, document_of
from engine.api.router import Api
from engine.api.signals import bind, count, refuse_all
from engine.ingest.body import BadBody
from engine.ingest.signals import Decoded, decode_frame
from engine.model.signal import Signal

IN_FLIGHT = 1024  # frames; beyond that the socket is not read, and TCP holds the sender back
GROUP = 1024  # signals that are acknowledged together at most
HEARTBEAT = 30.0
_encode = msgspec.json.Encoder().encode


class Ack(Struct):
    """The answer to a frame."""

    ack: int
    accepted: int
    duplicates: int
    rejected: list[Any]
    warnings: list[str] = msgspec.field(default_factory=list)


@dataclass(slots=True)
class _Group:
    """Frames that are acknowledged together: those without anything to say of them follow each other into one."""

    seqs: list[int] = field(default_factory=list)
    signals: list[Signal] = field(default_factory=list)
    decoded: Decoded | None = None  # of a frame that stands alone, because part of it was rejected or warned of
    error: Exception | None = None
    seq: int | None = None  # of a frame that failed, as far as it is known


class _Line:
    """The groups of one socket between reading and answering, in order. Bounded: a full line holds the reader back."""

    def __init__(self) -> None:
        self._groups: deque[_Group] = deque()
        self._filled, self._emptied = asyncio.Event(), asyncio.Event()
        self._frames = self._signals = 0
        self._closed = False

    async def add(self, group: _Group) -> None:
        """Put a frame in line, into the last group where it fits there."""
        last = self._groups[-1] if self._groups else None
        if last is not None and _plain(last) and _plain(group) and len(last.signals) < GROUP:
            last.seqs += group.seqs
            last.signals += group.signals
        else:
            self._groups.append(group)
        self._frames += 1
        self._signals += len(group.signals)
        self._filled.set()
        while self._frames >= IN_FLIGHT or self._signals >= 4 * GROUP:
            self._emptied.clear()
            await self._emptied.wait()

    async def take(self) -> _Group | None:
        """The next group; None when there will be none."""
        while not self._groups:
            if self._closed:
                return None
            self._filled.clear()
            await self._filled.wait()
        group = self._groups.popleft()
        self._frames -= max(1, len(group.seqs))
        self._signals -= len(group.signals)
        self._emptied.set()
        return group

    def close(self) -> None:
        """Nothing more will be added."""
        self._closed = True
        self._filled.set()


def _plain(group: _Group) -> bool:
    return group.decoded is None and group.error is None


async def get_ws(api: Api, request: web.Request, caller: Caller) -> web.WebSocketResponse:
    """Serve one socket until it closes."""
    socket = web.WebSocketResponse(
        heartbeat=HEARTBEAT, max_msg_size=api.engine.config.limits.body, compress=False, decode_text=False
    )
    socket.headers["Server"] = SERVER
    await socket.prepare(request)
    api.sockets.add(socket)
    line = _Line()
    writer = asyncio.create_task(_answer(api, socket, line))
    try:
        await _read(api, socket, caller, line)
        line.close()
        await writer
    finally:
        api.sockets.discard(socket)
        writer.cancel()
    return socket


async def _read(api: Api, socket: web.WebSocketResponse, caller: Caller, line: _Line) -> None:
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
            said = decoded.rejected or decoded.warnings
            if said:
                count(api, decoded)
            if decoded.rejected and not decoded.signals:
                raise refuse_all(decoded)
            await line.add(_Group([seq], decoded.signals, decoded if said else None))
        except Exception as error:
            known = seq if seq is not None else getattr(error, "extra", {}).get("seq")
            await line.add(_Group(error=error, seq=known))


def _decode(api: Api, data: bytes, last: int) -> tuple[int, Decoded]:
    config = api.engine.config
    seq, decoded = decode_frame(
        data, api.engine.clock.now(), config.limits, config.unknown_fields, config.policy.sense.max_future
    )
    if seq <= last:
        raise BadBody(422, f"seq {seq} does not rise: the last one was {last}", extra={"seq": seq})
    return seq, decoded


async def _answer(api: Api, socket: web.WebSocketResponse, line: _Line) -> None:
    """Answers in the order of the frames, each when its signals are durable. A socket that broke is read to the end all
    the same, so that nobody waits on a full line."""
    broken = False
    while (group := await line.take()) is not None:
        for frame in await _outcome(api, group):
            if broken:
                continue
            try:
                await socket.send_str(_encode(frame).decode())
            except ConnectionError:
                broken = True


async def _outcome(api: Api, group: _Group) -> list[Ack | dict[str, Any]]:
    """One cumulative ack for the group, or an error for each of its frames."""
    accepted = duplicates = 0
    error = group.error
    if error is None and group.signals:
        try:
            accepted, duplicates = await api.engine.ingest(group.signals)
        except Exception as failure:
            error = failure
    if error is not None:
        problem = document_of(error)
        failed: list[int | None] = [*group.seqs] or [group.seq]
        return [{"seq": seq, "error": problem} for seq in failed]
    if group.decoded is None:
        return [Ack(group.seqs[-1], accepted, duplicates, [])]
    return [Ack(group.seqs[-1], accepted, duplicates, group.decoded.rejected, group.decoded.warnings)]


async def close_sockets(api: Api) -> None:
    """Tell every socket that the server goes away."""
    await asyncio.gather(
        *(socket.close(code=WSCloseCode.GOING_AWAY, message=b"the server stops") for socket in list(api.sockets)),
        return_exceptions=True,
    )
