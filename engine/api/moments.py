"""The moment feed: listed, one with its trace, and live."""

from collections.abc import Callable
from typing import Any

import msgspec
from aiohttp import web

from engine.api.gate import Caller
from engine.api.problems import Refused
from engine.api.reading import instant_of, named, text_of, whole_of
from engine.api.router import Api, reply
from engine.api.streams import last_event_id, stream
from engine.measure.trace import miss_view, moment_view, summary_view
from engine.model.moment import Miss
from engine.model.reason import Verdict
from engine.ports import MomentQuery, StoredMoment

FILTERS = ("decision", "rule", "person", "device", "since")
CATCH_UP = 1000  # moments that a returning reader gets at most; older ones are in the list
_encode = msgspec.json.Encoder().encode


def _query(request: web.Request) -> MomentQuery:
    decision = text_of(request, "decision")
    if decision is not None and decision not in set(Verdict):
        known = ", ".join(Verdict)
        raise Refused(400, f"decision must be one of {known}", extra={"field": "decision"})
    return MomentQuery(
        decision=decision,
        rule=text_of(request, "rule"),
        person=text_of(request, "person"),
        device=text_of(request, "device"),
        since=instant_of(request, "since"),
        before=whole_of(request, "before", 0, 2**53),
        limit=whole_of(request, "limit", 1, 1000) or 100,
    )


async def get_moments(api: Api, request: web.Request, caller: Caller) -> web.Response:
    """Newest first; ``before`` (the smallest ``seq`` got) pages on."""
    query = _query(request)
    found = await api.engine.store.moments(query)
    following = found[-1].seq if len(found) == query.limit else None
    return reply({"moments": [summary_view(stored) for stored in found], "before": following})


async def get_moment(api: Api, request: web.Request, caller: Caller) -> web.Response:
    """One moment with its whole trace."""
    stored = await api.engine.store.moment(named(request, "id"))
    if stored is None:
        raise Refused(404, "no such moment is held")
    return reply(moment_view(stored))


async def get_stream(api: Api, request: web.Request, caller: Caller) -> web.StreamResponse:
    """SSE: ``moment`` (id = its seq), ``miss`` (a rule woken in vain), ``time`` (the server's clock, once)."""
    query, after = _query(request), last_event_id(request)
    wanted = _filter(query)
    engine = api.engine
    with engine.feed.subscribe("moments") as news:
        async with stream(api, request) as out:
            clock = {"now": engine.clock.now(), "speed": getattr(engine.clock, "speed", 1.0)}
            await out.send(_encode(clock).decode(), event="time")
            sent = -1
            if after is not None:
                for stored in await _since(api, query, after):
                    await out.send(_encode(summary_view(stored)).decode(), event="moment", id=str(stored.seq))
                    sent = stored.seq
            while True:
                item = await news.get()
                if not wanted(item):
                    continue
                if isinstance(item, Miss):
                    await out.send(_encode(miss_view(item)).decode(), event="miss")
                elif item.seq > sent:
                    await out.send(_encode(summary_view(item)).decode(), event="moment", id=str(item.seq))
        return out


async def _since(api: Api, query: MomentQuery, after: int) -> list[StoredMoment]:
    """Moments after a seq, oldest first, at most the newest ``CATCH_UP``."""
    found: list[StoredMoment] = []
    page = msgspec.structs.replace(query, limit=100, before=None)
    while len(found) < CATCH_UP:
        part = await api.engine.store.moments(page)
        fresh = [stored for stored in part if stored.seq > after]
        found += fresh
        if len(fresh) < page.limit:
            break
        page = msgspec.structs.replace(page, before=part[-1].seq)
    return found[::-1]


def _filter(query: MomentQuery) -> Callable[[Any], bool]:
    """Whether a live item is one the reader asked for. Misses have no decision: they show where none was asked for."""

    def wanted(item: Any) -> bool:
        missed = isinstance(item, Miss)
        moment = item if missed else item.moment
        decision = None if missed else str(item.moment.decision.verdict)
        return (
            query.decision in (None, decision)
            and query.rule in (None, moment.rule)
            and query.person in (None, moment.person)
            and query.device in (None, moment.device)
            and (query.since is None or moment.at >= query.since)
        )

    return wanted
