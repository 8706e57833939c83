"""``POST /v1/signals``, ``/v1/preview``, ``/v1/owntracks``. The first is the hot path: nothing here is done twice."""

import asyncio
from typing import Any

import msgspec
from aiohttp import web
from msgspec import Struct, field

from engine.api.gate import Caller, basic_user
from engine.api.keys import Token
from engine.api.problems import SERVER, Refused
from engine.api.reading import SMALL, read_body
from engine.api.router import Api, reply
from engine.ingest import owntracks as owntracks_format
from engine.ingest.diagnose import Rejection
from engine.ingest.signals import Decoded, decode
from engine.pipeline.questions import MOST

_JSON = {"Server": SERVER, "Content-Type": "application/json"}


class Receipt(Struct):
    """What became of the signals of a request."""

    accepted: int = 0
    duplicates: int = 0
    rejected: list[Rejection] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class Previewed(Struct):
    """Per rule what it would do now, and why; and the signals that could not be asked about."""

    rules: list[dict[str, Any]]
    rejected: list[Rejection] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


async def post_signals(api: Api, request: web.Request, caller: Caller) -> web.Response:
    """Journal what is good, list what is not. 202 only once it is durable."""
    decoded = await _decoded(api, request)
    if caller.token is not None:
        bind(decoded, caller.token)
    signals = decoded.signals
    if decoded.rejected or decoded.warnings:
        count(api, decoded)
    if decoded.rejected and not signals:
        raise refuse_all(decoded)
    taken, duplicates = await api.engine.ingest(signals) if signals else (0, 0)
    if decoded.rejected or decoded.warnings:
        return reply(Receipt(taken, duplicates, decoded.rejected, decoded.warnings), 202)
    return web.Response(status=202, body=accepted(taken, duplicates), headers=_JSON)


def accepted(taken: int, duplicates: int) -> bytes:
    """The receipt when there is nothing else to say."""
    return b'{"accepted":%d,"duplicates":%d,"rejected":[],"warnings":[]}' % (taken, duplicates)


async def post_preview(api: Api, request: web.Request, caller: Caller) -> web.Response:
    """What would happen; nothing is journaled or sent."""
    decoded = await _decoded(api, request)
    if decoded.rejected and not decoded.signals:
        raise refuse_all(decoded)
    if len(decoded.signals) > MOST:
        problem = f"a preview takes at most {MOST} signals, these are {len(decoded.signals)}"
        raise Refused(413, problem, "Ask about fewer at a time; herenow replay compares whole days.")
    rules = await api.engine.preview(decoded.signals) if decoded.signals else []
    return reply(Previewed(rules, decoded.rejected, decoded.warnings))


async def post_owntracks(api: Api, request: web.Request, caller: Caller) -> web.Response:
    """OwnTracks as phones send it. Any 2xx is final for the phone: it comes only after the commit."""
    engine = api.engine
    limits, sense = engine.config.limits, engine.config.policy.sense
    body = await read_body(request, limits)
    user = request.headers.get("X-Limit-U", "") or basic_user(request)
    device = request.headers.get("X-Limit-D", "")
    signals = owntracks_format.decode(body, user, device, engine.clock.now(), sense.max_future)
    if signals:
        await engine.ingest(signals)
    return web.Response(body=b"[]", headers=_JSON)


async def _decoded(api: Api, request: web.Request) -> Decoded:
    config, content_type = api.engine.config, request.headers.get("Content-Type", "")
    body = await read_body(request, config.limits)
    arguments = (
        body,
        content_type,
        api.engine.clock.now(),
        config.limits,
        config.unknown_fields,
        config.policy.sense.max_future,
    )
    if len(body) > 4 * SMALL:
        return await asyncio.to_thread(decode, *arguments)
    return decode(*arguments)


def bind(decoded: Decoded, token: Token) -> None:
    """A device token speaks for its own device and person alone."""
    kept, indexes = [], []
    for signal, index in zip(decoded.signals, decoded.indexes, strict=True):
        if signal.device != token.device:
            decoded.rejected.append(Rejection(index, "device", f"this token speaks for {token.device!r} only"))
            continue
        if signal.person is None and token.person is not None:
            signal = msgspec.structs.replace(signal, person=token.person)
        if signal.person != token.person:
            decoded.rejected.append(Rejection(index, "person", "this token speaks for another person"))
            continue
        kept.append(signal)
        indexes.append(index)
    decoded.signals, decoded.indexes = kept, indexes


def count(api: Api, decoded: Decoded) -> None:
    """What was not taken, and what was not understood."""
    api.engine.metrics.signals_taken(rejected=len(decoded.rejected))
    api.engine.metrics.warned(decoded.unknown)


def refuse_all(decoded: Decoded) -> Refused:
    """422: nothing in the request was acceptable."""
    first = decoded.rejected[0]
    extra = msgspec.to_builtins(Receipt(0, 0, decoded.rejected, decoded.warnings))
    return Refused(422, f"no signal was acceptable: {first.problem}", extra=extra)
