"""What the customer's own systems tell: facts about places, and what became of messages."""

import math
from typing import Any, Literal

import xxhash
from aiohttp import web
from msgspec import Struct

from engine.api.gate import Caller
from engine.api.problems import Refused
from engine.api.reading import check_plain, instant, named, read_json
from engine.api.router import Api, reply
from engine.author.durations import parse_duration
from engine.author.report import TextError, did_you_mean
from engine.ingest.wire import Id
from engine.measure.times import iso
from engine.model.record import ContextChange, Feedback

FACTS_BYTES = 65_536
LONGEST_TTL = 90 * 86400.0


class ContextIn(Struct, forbid_unknown_fields=True):
    """Facts, nested as rules read them (``fence.weather.temp_c``), and how long they hold: seconds or "15 minutes"."""

    facts: dict[str, Any]
    ttl: float | str


async def put_context(api: Api, request: web.Request, caller: Caller) -> web.Response:
    """Facts of a fence, or of ``global``. Each key is replaced on its own; 200 once in force."""
    scope, engine = named(request, "scope"), api.engine
    fences = engine.core.compiled.fences.fences
    if scope != "global" and scope not in fences:
        raise Refused(404, f"there is no geofence {scope!r}", did_you_mean(scope, ["global", *fences]))
    body = await read_json(request, engine.config.limits, ContextIn)
    check_plain(body.facts, "facts", FACTS_BYTES)
    ttl = _seconds(body.ttl)
    await engine.submit([ContextChange(scope, body.facts, ttl)], applied=True)
    return reply({"scope": scope, "keys": list(body.facts), "stale_at": iso(engine.clock.now() + ttl)})


def _seconds(ttl: float | str) -> float:
    try:
        seconds = parse_duration(ttl) if isinstance(ttl, str) else ttl
    except TextError as error:
        raise Refused(422, f"ttl: {error.problem}", error.fix, {"field": "ttl"}) from None
    if not (math.isfinite(seconds) and 0 < seconds <= LONGEST_TTL):
        raise Refused(422, "ttl must be more than 0 and at most 90 days", extra={"field": "ttl"})
    return seconds


class FeedbackIn(Struct, forbid_unknown_fields=True):
    """What became of a notification (``notification``, ``kind``), or an event of a person (``person``, ``event``)."""

    notification: Id | None = None
    kind: Literal["delivered", "opened", "clicked", "dismissed", "useful", "not_useful"] | None = None
    person: Id | None = None
    event: Id | None = None
    at: float | str | None = None
    value: float | None = None
    id: Id | None = None


async def post_feedback(api: Api, request: web.Request, caller: Caller) -> web.Response:
    """Journaled; 202 once durable. Without ``id`` the same words at the same time are the same feedback."""
    body = await read_json(request, api.engine.config.limits, FeedbackIn)
    at = _at(api, body.at)
    kind, person = await _about(api, body)
    if caller.token is not None and caller.token.person != person:
        raise Refused(403, "this token speaks for another person")
    if kind is None or any(c < " " for c in kind):
        raise Refused(422, "event has a control character", extra={"field": "event"})
    words = repr((body.notification, kind, body.person, body.at or at, body.value))
    identity = body.id or f"fb_{xxhash.xxh3_128_hexdigest(words.encode())}"
    record = Feedback(identity, kind, at, body.notification, person, body.value)
    await api.engine.submit([record])
    return reply({"accepted": 1, "id": identity}, 202)


def _at(api: Api, given: float | str | None) -> float:
    now = api.engine.clock.now()
    if given is None:
        return now
    at = instant(given) if isinstance(given, str) else instant(repr(given))
    if at is None:
        raise Refused(422, "at must be epoch seconds or ISO 8601 with a time zone", extra={"field": "at"})
    if at > now + api.engine.config.policy.sense.max_future:
        raise Refused(422, "at is in the future", extra={"field": "at"})
    return at


async def _about(api: Api, body: FeedbackIn) -> tuple[str | None, str]:
    """What happened, and to whom."""
    if body.notification is not None and body.kind is not None and body.person is None and body.event is None:
        row = await api.engine.store.row(body.notification)
        if row is None:
            raise Refused(404, "no such notification is held", extra={"field": "notification"})
        return body.kind, row.notification.person
    if body.person is not None and body.event is not None and body.notification is None and body.kind is None:
        return body.event, body.person
    fix = 'Send {"notification", "kind", "at"} or {"person", "event", "at", "value"}.'
    raise Refused(422, "feedback is about a notification or about a person's event", fix)
