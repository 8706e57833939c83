"""Who may call what: one answer per request, from its key, its device token or (without any key) its being local."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol
from urllib.parse import urlsplit

from aiohttp import web

from engine.api.keys import SCOPES, TOKEN_PREFIX, Keyring, Token
from engine.api.problems import Refused

_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="herenow"'}


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom a request comes from. ``token``: bound to one device (and its person)."""

    name: str
    scopes: frozenset[str]
    token: Token | None = None

    def may(self, scope: str) -> bool:
        """Whether the scope is held; ``admin`` holds all."""
        return scope in self.scopes or "admin" in self.scopes


ANYBODY = Caller("anybody", frozenset())
LOCAL = Caller("local", frozenset(SCOPES))


class Asking(Protocol):
    """What the gate looks at in a request."""

    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def query(self) -> Mapping[str, str]: ...


class Gate:
    """Lets requests in. ``loopback``: the server is bound to this machine only, so it may be open as long as it has
    never had a key."""

    def __init__(self, keyring: Keyring, loopback: bool) -> None:
        self._keyring, self._loopback = keyring, loopback
        self._keyed = not keyring.empty  # once keyed, always keyed: losing the last key must not open the doors

    def admit(self, request: Asking, scope: str | None, token_ok: bool, query_key: bool) -> Caller:
        """The caller, or ``Refused`` 401/403. ``scope`` None is open to anybody."""
        keyring = self._keyring
        keyring.refresh()
        self._keyed = self._keyed or not keyring.empty
        if self._loopback and not self._keyed:
            _must_be_local(request)
            return LOCAL
        secret = _secret_of(request, query_key)
        if scope is None:
            return (self._who(secret) if secret else None) or ANYBODY
        if secret is None:
            fix = "Send Authorization: Bearer KEY; make one with: herenow keys create"
            raise Refused(401, "a key is needed", fix, headers=_CHALLENGE)
        caller = self._who(secret)
        if caller is None:
            raise Refused(401, "this key is not known, or the token is no longer valid", headers=_CHALLENGE)
        if caller.token is not None and not token_ok:
            raise Refused(403, "a device token may not do this", "Use a key from a server.")
        if not caller.may(scope) and caller.token is None:
            raise Refused(403, f"this key lacks the scope '{scope}'", f"It has: {', '.join(sorted(caller.scopes))}.")
        return caller

    def _who(self, secret: str) -> Caller | None:
        if secret.startswith(TOKEN_PREFIX):
            token = self._keyring.token(secret)
            return None if token is None else Caller(f"token:{token.device}", frozenset(), token)
        key = self._keyring.find(secret)
        return None if key is None else Caller(key.id, frozenset(key.scopes))


def _secret_of(request: Asking, query_key: bool) -> str | None:
    """The key from Bearer, from Basic as the password, or (only where allowed) from ``?key=``."""
    header = request.headers.get("Authorization")
    if header is None:
        return (request.query.get("key") or None) if query_key else None
    kind, _, value = header.partition(" ")
    kind = kind.lower()
    if kind == "bearer":
        return value.strip()
    if kind == "basic":
        return basic(value)[1]
    return None


def basic(value: str) -> tuple[str, str]:
    """User and password of a Basic credential; empty when it is none."""
    try:
        user, _, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return "", ""
    return user, password


def _must_be_local(request: Asking) -> None:
    """Without keys, a web page elsewhere must not reach this server through its reader's browser: neither under a name
    of its own (DNS rebinding, seen by Host) nor across sites (seen by Origin)."""
    headers = request.headers
    if not _local_host(headers.get("Host", "")):
        raise Refused(403, "without any key this server answers to localhost only", "Call it as http://127.0.0.1.")
    origin = headers.get("Origin")
    if origin is not None and not _local_origin(origin):
        raise Refused(403, "without any key this server takes no requests from other web pages")


@lru_cache(maxsize=256)
def _local_host(host: str) -> bool:
    try:
        return urlsplit(f"//{host}").hostname in _LOCAL_NAMES
    except ValueError:
        return False


@lru_cache(maxsize=256)
def _local_origin(origin: str) -> bool:
    try:
        return urlsplit(origin).hostname in _LOCAL_NAMES
    except ValueError:
        return False


def basic_user(request: web.Request) -> str:
    """The user name of Basic credentials, for formats that name their sender so."""
    kind, _, value = request.headers.get("Authorization", "").partition(" ")
    return basic(value)[0] if kind.lower() == "basic" else ""
