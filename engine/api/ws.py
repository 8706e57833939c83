"""``GET /v1/ws``: signals in frames, many in flight, acknowledged in order.

``{"seq": 7, "signals": [...]}`` is answered by ``{"ack": 7, "accepted", "duplicates", "rejected"}`` once durable, or by
``{"seq": 7, "error": problem}``. Answers come in the order of the frames, and an ack says of every frame before it that
it is durable too, unless an error named it: frames that come close together share one, whose counts are those of all
since the last. ``seq`` must rise; a frame that failed is sent again under a new one.

Frames are only put in line as they are read. Whatever waits in line when an append begins is decoded in one call,
queued as one and acknowledged as one, a group; further frames need not wait for it to be durable, unless many groups
are on their way.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web
from msgspec import Struct

from engine.api.gate import Caller
from engine.api.problems import SERVER, document_of
from engine.api.router import Api
from engine.api.signals import bind, count, refuse_all
from engine.api.together import Receipt, Said
from engine.ingest import fast
from engine.ingest.body import BadBody
from engine.ingest.signals import Decoded, decode_frame, decode_frames, singles_in
from engine.model.signal import Signal

IN_FLIGHT = 1024  # frames; beyond that the socket is not read, and TCP holds the sender back
BYTES_IN_FLIGHT = 1 << 20  # likewise, but for a single frame that is larger
GROUP, GROUP_BYTES = 512, 1 << 17  # frames, and about how many bytes of them, that are acknowledged together at most
GROUPS = 2  # of a socket on their way to the disk; while there are so many, frames gather to a larger one
AT_ONCE = 1024  # signals that are queued in one go; more go in parts, and nothing overtakes them
HEARTBEAT = 30.0
_DATA = (WSMsgType.TEXT, WSMsgType.BINARY)
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
    signals: Sequence[Signal] = field(default_factory=list)
    decoded: Decoded | None = None  # of a frame that stands alone, because part of it was rejected or warned of
    error: Exception | None = None
    seq: int | None = None  # of a frame that failed, as far as it is known
    taken: Receipt | None = None


class _Line:
    """The frames of one socket between reading and answering, in order. Bounded: a full line holds the reader back."""

    def __init__(self) -> None:
        self._frames: deque[bytes] = deque()
        self._filled, self._emptied = asyncio.Event(), asyncio.Event()
        self._bytes = 0
        self._closed = False

    def add(self, frame: bytes) -> bool:
        """Put a frame in line; False: it is full now, wait for room before the next."""
        self._frames.append(frame)
        self._bytes += len(frame)
        self._filled.set()
        return not self._full()

    async def room(self) -> None:
        """Return when it is no longer full."""
        while self._full():
            self._emptied.clear()
            await self._emptied.wait()

    def _full(self) -> bool:
        return len(self._frames) >= IN_FLIGHT or self._bytes >= BYTES_IN_FLIGHT

    async def filled(self) -> bool:
        """Return when something waits; False when there will be nothing more."""
        while not self._frames and not self._closed:
            self._filled.clear()
            await self._filled.wait()
        return bool(self._frames)

    def take(self) -> list[bytes]:
        """What waits, up to a bound."""
        frames: list[bytes] = []
        size = 0
        while self._frames and len(frames) < GROUP and size < GROUP_BYTES:
            frames.append(self._frames.popleft())
            size += len(frames[-1])
        self._bytes -= size
        self._emptied.set()
        return frames

    def close(self) -> None:
        """Nothing more will be added."""
        self._closed = True
        self._filled.set()


async def get_ws(api: Api, request: web.Request, caller: Caller) -> web.WebSocketResponse:
    """Serve one socket until it closes."""
    socket = web.WebSocketResponse(
        heartbeat=HEARTBEAT, max_msg_size=api.engine.config.limits.body, compress=False, decode_text=False
    )
    socket.headers["Server"] = SERVER
    await socket.prepare(request)
    api.sockets.add(socket)
    line, begun = _Line(), asyncio.Queue[_Group | None](GROUPS)
    try:
        async with asyncio.TaskGroup() as work:
            work.create_task(_take_in(api, caller, line, begun))
            work.create_task(_answer(socket, begun))
            while (message := await socket.receive()).type in _DATA:
                if not line.add(message.data):
                    await line.room()
            line.close()
    finally:
        api.sockets.discard(socket)
    return socket


async def _take_in(api: Api, caller: Caller, line: _Line, begun: "asyncio.Queue[_Group | None]") -> None:
    """Queue the signals of the frames in line, in their order."""
    last = -1
    while await line.filled():
        groups, last = await _read(api, caller, line, last)
        for group in groups:
            if group.taken is None and group.error is None and group.signals:
                await _queue(api, group)
            await begun.put(group)
    await begun.put(None)


async def _read(api: Api, caller: Caller, line: _Line, last: int) -> tuple[list[_Group], int]:
    """What is in line when the next append begins, as groups, and the last good ``seq``. Frames of one signal each are
    read with what came on other connections; of others the signals are offered, unless they are very many."""
    known: asyncio.Future[tuple[list[_Group], int]] = asyncio.get_running_loop().create_future()

    def ask() -> Said | None:
        frames = line.take()
        plain = singles_in(frames, last) if caller.token is None and fast.loops is not None else None
        if plain is not None:
            return Said(b",".join(plain[1]), lambda receipt: told(frames, plain[0], receipt))
        alone(frames)
        return None

    def told(frames: list[bytes], seqs: list[int], receipt: Receipt | None) -> None:
        if receipt is None:
            alone(frames)
        elif not known.done():  # the socket is still there
            known.set_result(([_Group(seqs, taken=receipt)], seqs[-1]))

    def alone(frames: list[bytes]) -> None:
        groups, newest = _grouped(api, caller, frames, last)
        for group in groups:
            if len(group.signals) > AT_ONCE:
                break  # nothing overtakes them
            _offer(api, group)
        if not known.done():
            known.set_result((groups, newest))

    api.together.put(ask)
    return await known


def _offer(api: Api, group: _Group) -> None:
    if group.error is None and group.signals:
        try:
            group.taken = api.engine.offer(group.signals)
        except Exception as error:
            group.error = error


async def _queue(api: Api, group: _Group) -> None:
    if len(group.signals) <= AT_ONCE:
        _offer(api, group)
        return
    group.taken = asyncio.ensure_future(api.engine.ingest(group.signals))
    await asyncio.wait({group.taken})


async def _answer(socket: web.WebSocketResponse, begun: "asyncio.Queue[_Group | None]") -> None:
    """Answers in the order of the frames, each when its signals are durable. A socket that broke is read to the end all
    the same, so that what it sent is taken and nobody waits on a full line."""
    broken = False
    while (group := await begun.get()) is not None:
        for told in await _outcome(group):
            if broken:
                continue
            try:
                await socket.send_str(_encode(told).decode())
            except ConnectionError:
                broken = True


def _grouped(api: Api, caller: Caller, frames: Sequence[bytes], last: int) -> tuple[list[_Group], int]:
    """The frames as groups, and the last good ``seq``: one group where all is plainly good, as it mostly is."""
    config, now = api.engine.config, api.engine.clock.now()
    plain = decode_frames(frames, last, now, config.policy.sense.max_future)
    if plain is not None and caller.token is None:
        return [_Group(*plain)], plain[0][-1]
    groups: list[_Group] = []
    for data in frames:
        group, last = _examined(api, caller, data, last, now)
        before = groups[-1] if groups else None
        if before is not None and _plain(before) and _plain(group):
            before.seqs += group.seqs
            before.signals = [*before.signals, *group.signals]
        else:
            groups.append(group)
    return groups, last


def _plain(group: _Group) -> bool:
    return group.decoded is None and group.error is None


def _examined(api: Api, caller: Caller, data: bytes, last: int, now: float) -> tuple[_Group, int]:
    """One frame, with whatever is wrong with it, and the last good ``seq``."""
    config = api.engine.config
    seq: int | None = None
    try:
        seq, decoded = decode_frame(data, now, config.limits, config.unknown_fields, config.policy.sense.max_future)
        if seq <= last:
            raise BadBody(422, f"seq {seq} does not rise: the last one was {last}", extra={"seq": seq})
        last = seq
        if caller.token is not None:
            bind(decoded, caller.token)
        said = decoded.rejected or decoded.warnings
        if said:
            count(api, decoded)
        if decoded.rejected and not decoded.signals:
            raise refuse_all(decoded)
        return _Group([seq], decoded.signals, decoded if said else None), last
    except Exception as error:
        known = seq if seq is not None else getattr(error, "extra", {}).get("seq")
        return _Group(error=error, seq=known), last


async def _outcome(group: _Group) -> list[Ack | dict[str, Any]]:
    """One cumulative ack for the group, or an error for each of its frames."""
    accepted = duplicates = 0
    error = group.error
    if group.taken is not None:
        try:
            accepted, duplicates = await group.taken
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
