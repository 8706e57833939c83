"""The short way of ``POST /v1/signals``: from a connection's bytes to the queue, past the web framework.

A sender that keeps its connection says the same head with every request. A head that aiohttp has parsed, in a request
that it took as a plain post of signals, is known by its bytes from then on: where the same bytes come again there is
nothing to parse, to route or to build. The short way can only say yes (202, nothing rejected, nothing to warn of).
Whatever it does not know or cannot grant goes the long way, which finds the words.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aiohttp import web
from aiohttp.helpers import rfc822_formatted_time
from aiohttp.http import HttpVersion11, RawRequestMessage

from engine.api.gate import Caller
from engine.api.problems import SERVER
from engine.api.reading import SMALL
from engine.api.router import Api, Route
from engine.api.signals import accepted, bind
from engine.api.together import Receipt, Said
from engine.ingest import fast
from engine.ingest.body import BadBody, kind_of
from engine.ingest.signals import decode_plain

Told = Callable[[Receipt | None], None]
END = b"\r\n\r\n"
MOST_HEADS = 4096  # beyond, the oldest is forgotten, and parsed again when it comes back
LONGEST_HEAD = 2048  # bytes: what is remembered is bounded, whoever sends
_UNCOMMON = ("Content-Encoding", "Expect", "Transfer-Encoding", "Upgrade")
_HEAD = f"HTTP/1.1 202 Accepted\r\nServer: {SERVER}\r\nContent-Type: application/json\r\nContent-Length: %d\r\nDate: %s"


@dataclass(frozen=True, slots=True)
class Head:
    """A parsed head: what the gate asks for, and the length of the body that follows, and whether it is NDJSON."""

    headers: Mapping[str, str]
    query: Mapping[str, str]
    length: int
    lines: bool


class Express:
    """The heads known so far, and what is done with a body that follows one of them."""

    def __init__(self, api: Api, route: Route) -> None:
        self._api, self._route = api, route
        self._start = f"{route.method} {route.path} HTTP/1.1\r\n".encode()
        self._heads: dict[bytes, Head] = {}

    def head(self, data: bytes, end: int) -> Head | None:
        """The head that ends at ``end``, if it is known and ``data`` is its whole request and nothing more."""
        head = self._heads.get(data[:end])
        return head if head is not None and len(data) == end + head.length else None

    def learn(self, data: bytes, end: int, message: RawRequestMessage, length: int) -> None:
        """``message`` is what aiohttp made of the head that ends at ``end``."""
        plain = (
            data.startswith(self._start)
            and end <= LONGEST_HEAD
            and message.version == HttpVersion11
            and not message.should_close
            and 0 < length <= min(4 * SMALL, self._api.engine.config.limits.body)
            and not any(name in message.headers for name in _UNCOMMON)
        )
        if not plain:
            return
        try:
            head = Head(message.headers, {}, length, kind_of(message.headers.get("Content-Type", "")) == "ndjson")
            self._admit(head)
        except BadBody:
            return  # strangers are not remembered, and push out nobody
        if len(self._heads) >= MOST_HEADS:
            del self._heads[next(iter(self._heads))]
        self._heads[data[:end]] = head

    def take(self, head: Head, body: bytes, told: Told) -> None:
        """Queue the signals; ``told``: of what will become of them, or None, where nothing was done and they have to go
        the long way. Those that may be read with others wait for what other connections have."""
        try:
            caller = self._admit(head)
        except Exception:  # the long way meets it again, and tells the sender
            told(None)
            return
        text = b"" if caller.token is not None or head.lines or fast.loops is None else _signals_in(body)
        if text:
            said = Said(text, lambda receipt: told(receipt or self._alone(caller, head, body)))
            self._api.together.put(lambda: said)
        else:
            told(self._alone(caller, head, body))

    def _alone(self, caller: Caller, head: Head, body: bytes) -> Receipt | None:
        engine = self._api.engine
        try:
            config = engine.config
            latest = config.policy.sense.max_future
            decoded = decode_plain(body, engine.clock.now(), config.limits, latest, head.lines)
            if caller.token is not None:
                bind(decoded, caller.token)
            if decoded.rejected or not decoded.signals:
                return None
            return engine.offer(decoded.signals)
        except Exception:  # whatever it is, here too
            return None

    def _admit(self, head: Head) -> Caller:
        route = self._route
        return self._api.gate.admit(head, route.scope, route.token_ok, route.query_key)


def _signals_in(body: bytes) -> bytes:
    """The signals of a body that looks plain; nothing of another."""
    if body.startswith(b"{") and fast.braces(body) == 1:
        return body
    return body[1:-1] if body.startswith(b"[{") and body.endswith(b"}]") and not fast.rich(body) else b""


def granted(taken: int, duplicates: int) -> bytes:
    """The whole response."""
    body = accepted(taken, duplicates)
    return (_HEAD % (len(body), rfc822_formatted_time())).encode() + END + body


EXPRESS = web.AppKey("express", Express)
