"""``GET /v1/inbox/{person}``: the in-app channel over SSE. The store is the truth, live news only wake the reader."""

import asyncio
from collections import deque
from typing import Any

import msgspec
from aiohttp import web
from aiohttp_sse import EventSourceResponse

from engine.api.engine import News
from engine.api.gate import Caller
from engine.api.problems import Refused
from engine.api.reading import named, text_of
from engine.api.router import Api
from engine.api.streams import last_event_id, stream
from engine.measure.times import iso
from engine.measure.trace import message_view, trigger_view
from engine.model.config import Config
from engine.model.moment import OutboxRow

PAGE = 100
LOOK_AGAIN = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)  # a message wakes us when it is handed over, its row follows the commit
LOOK_ANYWAY = 15.0
REMEMBERED = 1000
_encode = msgspec.json.Encoder().encode


async def get_inbox(api: Api, request: web.Request, caller: Caller) -> web.StreamResponse:
    """Everything held for the person after Last-Event-ID, then live."""
    person = named(request, "person")
    if caller.token is not None and caller.token.person != person:
        raise Refused(403, "this token speaks for another person")
    channel = _channel(api.engine.config, text_of(request, "channel"))
    sent = last_event_id(request) or 0
    with api.engine.feed.subscribe(f"inbox:{channel}:{person}") as news:
        async with stream(api, request) as out:
            shown: deque[str] = deque(maxlen=REMEMBERED)
            sent = await _send_new(api, out, person, channel, sent, shown)
            while True:
                woken = await _wait(news)
                for pause in LOOK_AGAIN:
                    sent = await _send_new(api, out, person, channel, sent, shown)
                    if woken is None or woken in shown:
                        break
                    await asyncio.sleep(pause)
        return out


def _channel(config: Config, asked: str | None) -> str:
    names = [channel.name for channel in config.channels if channel.adapter == "inbox"]
    if asked is not None and asked not in names:
        raise Refused(404, f"no inbox channel is called {asked!r}", f"There is: {', '.join(names) or 'none'}.")
    if not names:
        raise Refused(404, "there is no inbox channel", 'Add [channels.inbox] with adapter = "inbox" to config.toml.')
    return asked or names[0]


async def _wait(news: News) -> str | None:
    """The id of the notification that woke us; None after a while without any."""
    try:
        async with asyncio.timeout(LOOK_ANYWAY):
            return str((await news.get()).id)
    except TimeoutError:
        return None


async def _send_new(
    api: Api, out: EventSourceResponse, person: str, channel: str, after: int, shown: deque[str]
) -> int:
    """Send every stored row after a seq, and note the ids; the last seq sent."""
    while True:
        rows = await api.engine.store.inbox(person, channel, after, PAGE)
        for after, row in rows:  # the last one sent is where the next page begins
            await out.send(_encode(_message(row)).decode(), id=str(after), event="notification")
            shown.append(row.notification.id)
        if len(rows) < PAGE:
            return after


def _message(row: OutboxRow) -> dict[str, Any]:
    """What an app shows: the same names as in the webhook body."""
    n = row.notification
    return {
        "notification": n.id,
        "moment": n.moment,
        "rule": n.rule,
        "release": n.release,
        "variant": n.variant,
        "person": n.person,
        "device": n.device,
        "trigger": trigger_view(n.cause),
        "channel": n.channel,
        "message": message_view(n.message),
        "expires_at": iso(n.expires),
    }
