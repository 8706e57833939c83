"""The ``webhook`` adapter: one signed POST per notification, as Standard Webhooks says.

Settings of ``[channels.NAME]``:
- ``url``: where to post. ``https``; plain ``http`` works only to networks under ``[egress] allow``.
- ``secret_env``: the environment variable that holds the signing secret (``whsec_…``; several, separated by spaces,
  sign side by side while a secret is replaced). Without it requests go unsigned, and that is said at start.
- ``headers_env``: extra headers, each named with the environment variable that holds its value, for example
  ``headers_env = { Authorization = "PUSH_AUTH" }``.

What an answer means: 2xx sent · 410 failed, and the endpoint is left alone for an hour · 400, 413, 422 failed (the same
body would be refused again) · 3xx failed (redirects are never followed) · everything else, and no answer, is tried
again after 5 s, 5 min, 30 min, 2 h … while there is time, or when ``Retry-After`` says. ``webhook-id`` is the id of the
notification on every try.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import msgspec
from msgspec import Struct, field
from standardwebhooks.webhooks import Webhook as Signer
from yarl import URL

from adapters._settings import place, read_settings
from engine.errors import ConfigError
from engine.model.moment import Notification, Result
from engine.ports import AdapterEnv

TIMEOUT = 15.0  # seconds, where config.toml does not say
READ_MOST = 65_536  # bytes of an answer
EXCERPT = 160  # characters of an answer that are kept with the attempt
GONE_FOR = 3600.0  # seconds an endpoint that answered 410 is left alone
SHORTEST_SECRET = 24  # bytes, as Standard Webhooks asks
STANDARD_WAITS = (5.0, 300.0, 1800.0, 7200.0, 18000.0, 36000.0, 50400.0, 72000.0, 86400.0)

_REFUSED_FOR_GOOD = frozenset({400, 413, 422})
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OURS = frozenset({"content-type", "content-length", "host", "webhook-id", "webhook-timestamp", "webhook-signature"})


class Settings(Struct, frozen=True):
    """``[channels.NAME]`` of a webhook channel."""

    url: str = ""
    secret_env: str | None = None
    headers_env: dict[str, str] = field(default_factory=dict)


def open_adapter(settings: Mapping[str, Any], env: AdapterEnv) -> "Webhook":
    """Made for each webhook channel. Raises ``ConfigError``."""
    read = read_settings(settings, Settings, env.channel)
    where = place(env.channel)
    url = _url(read.url, where)
    signers = _signers(_secret(env.secrets, read.secret_env, "secret_env", where), where) if read.secret_env else ()
    headers = {name: _header(env.secrets, name, variable, where) for name, variable in read.headers_env.items()}
    return Webhook(url, signers, headers, env.session, env.clock.now, env.timeout or TIMEOUT)


class Webhook:
    """Posts to one endpoint."""

    idempotent = True  # the receiver knows a repeat by its webhook-id
    schedule = STANDARD_WAITS

    def __init__(
        self,
        url: URL,
        signers: tuple[Signer, ...],
        headers: Mapping[str, str],
        session: aiohttp.ClientSession,
        now: Callable[[], float],
        timeout: float = TIMEOUT,
    ) -> None:
        self._url, self._signers, self._extra = url, signers, dict(headers)
        self._session, self._now = session, now
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._gone_until = float("-inf")
        self.notes = _notes(url, signers)

    async def send(self, notification: Notification) -> Result:
        """Post once."""
        now = self._now()
        if now < self._gone_until:
            return Result("failed", "the endpoint answered 410 Gone; it is asked again within an hour")
        try:
            body = encode_body(notification)
            headers = self._headers(notification.id, body, now)
        except (ValueError, TypeError, OverflowError, RecursionError, OSError) as error:
            return Result("failed", f"the message cannot be written as JSON ({type(error).__name__})")
        try:
            async with self._session.post(
                self._url, data=body, headers=headers, allow_redirects=False, timeout=self._timeout
            ) as response:
                return self._judge(response.status, response.headers, await self._excerpt(response))
        except aiohttp.ClientResponseError as error:
            if 300 <= error.status < 400:  # the session refuses redirects by itself
                return self._judge(error.status, {}, "")
            return Result("retry", "the endpoint's answer is not HTTP")
        except aiohttp.InvalidURL:
            return Result("failed", "the endpoint's address is refused: it is not written in the usual way")
        except aiohttp.ClientSSLError as error:  # it may lack the os_error its base has
            return Result("retry", f"no secure connection ({type(error).__name__})")
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, PermissionError):
                return Result("failed", f"refused by the egress guard: {error.os_error.strerror}")
            return Result("retry", f"cannot connect: {error.os_error.strerror or type(error.os_error).__name__}")
        except TimeoutError:
            return Result("retry", f"no answer within {self._timeout.total:g} s")
        except (aiohttp.ClientError, OSError) as error:
            return Result("retry", f"no answer ({type(error).__name__})")
        except Exception as error:
            return Result("failed", f"the request cannot be made ({type(error).__name__})")

    async def close(self) -> None:
        """The session belongs to whoever gave it."""

    def _headers(self, notification: str, body: bytes, now: float) -> dict[str, str]:
        headers = {
            **self._extra,
            "Content-Type": "application/json",
            "User-Agent": "herenow",
            "webhook-id": notification,
            "webhook-timestamp": str(int(now)),
        }
        if self._signers:
            at, text = datetime.fromtimestamp(int(now), UTC), body.decode()
            headers["webhook-signature"] = " ".join(signer.sign(notification, at, text) for signer in self._signers)
        return headers

    def _judge(self, status: int, headers: Mapping[str, str], said: str) -> Result:
        answer = f"the endpoint answered {status}" + (f": {said}" if said else "")
        if 200 <= status < 300:
            return Result("sent", str(status))
        if status == 410:
            self._gone_until = self._now() + GONE_FOR
            return Result("failed", f"{answer} (Gone); the endpoint is left alone for an hour")
        if 300 <= status < 400:
            return Result("failed", f"{answer}; redirects are not followed, configure the final address")
        if status in _REFUSED_FOR_GOOD:
            return Result("failed", answer)
        return Result("retry", answer, retry_after(headers.get("Retry-After"), self._now()))

    async def _excerpt(self, response: aiohttp.ClientResponse) -> str:
        """The first words of an answer that was not a yes. A body beyond the bound is cut off with its connection."""
        read = bytearray()
        while len(read) <= READ_MOST:
            chunk = await response.content.read(READ_MOST + 1 - len(read))
            if not chunk:
                break
            read += chunk
        else:
            response.close()
        if response.status < 300 or "Content-Encoding" in response.headers:
            return ""
        text = bytes(read[:READ_MOST]).decode("utf-8", "replace")
        for value in sorted(self._extra.values(), key=len, reverse=True):  # an endpoint may echo what it was sent
            text = text.replace(value, "***")
        return "".join(c if c.isprintable() else " " for c in text[:EXCERPT]).strip()


# ------------------------------------------------------------------ the body


def encode_body(notification: Notification) -> bytes:
    """The body, the same bytes for every try."""
    cause, message = notification.cause, notification.message
    trigger: dict[str, Any] = {"kind": cause.kind, "fence": cause.fence, "at": iso(cause.at)}
    if cause.event is not None:
        trigger["event"] = cause.event
    if cause.seconds is not None:
        trigger["seconds"] = cause.seconds
    data = {
        "moment": notification.moment,
        "notification": notification.id,
        "rule": notification.rule,
        "release": notification.release,
        "variant": notification.variant,
        "person": notification.person,
        "device": notification.device,
        "trigger": trigger,
        "channel": notification.channel,
        "message": {"title": message.title, "body": message.body, "link": message.link, "data": message.data},
        "expires_at": iso(notification.expires),
    }
    return msgspec.json.encode({"type": "moment", "timestamp": iso(notification.not_before), "data": data})


def iso(instant: float) -> str:
    """``2026-11-24T08:15:00Z``, with milliseconds where there are any. Raises ``ValueError`` outside years 1-9999."""
    try:
        at = datetime.fromtimestamp(round(instant, 3), UTC)
    except (OverflowError, OSError) as error:
        raise ValueError(f"{instant!r} is no instant") from error
    return at.isoformat(timespec="milliseconds" if at.microsecond else "seconds").replace("+00:00", "Z")


def retry_after(value: str | None, now: float) -> float | None:
    """Seconds of a ``Retry-After`` header (a number or an HTTP date), or None where it says nothing usable."""
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value[:12])
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return max(0.0, at.timestamp() - now)


# ------------------------------------------------------------------ settings


def _url(text: str, where: str) -> URL:
    example = 'Write for example url = "https://api.example.com/herenow".'
    if not text:
        raise ConfigError("url is missing.", where, example)
    try:
        url = URL(text)
        host, port = url.host, url.port
    except ValueError as error:
        raise ConfigError(f"url is not an address ({error}).", where, example) from None
    if url.scheme not in ("https", "http") or not host or port is None:
        raise ConfigError("url is not an http(s) address with a host.", where, example)
    if url.user is not None or url.password is not None:
        fix = 'Take them out and use headers_env = { Authorization = "VARIABLE" }.'
        raise ConfigError("url holds a user name or a password.", where, fix)
    return url.with_fragment(None)


def _secret(environ: Mapping[str, str], variable: str, key: str, where: str) -> str:
    value = environ.get(variable, "").strip()
    if not value:
        raise ConfigError(
            f"{key} names {variable}, which is not set.", where, f"Set the environment variable {variable}."
        )
    return value


def _signers(secrets: str, where: str) -> tuple[Signer, ...]:
    fix = "Use whsec_ followed by the base64 of 24 to 64 random bytes."
    signers = []
    for secret in secrets.split():
        encoded = secret.removeprefix("whsec_")
        try:
            raw = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
        except (binascii.Error, ValueError):
            raise ConfigError("the signing secret is not base64.", where, fix) from None
        if len(raw) < SHORTEST_SECRET:
            problem = f"the signing secret has {len(raw)} bytes, which is too short."
            raise ConfigError(problem, where, fix)
        signers.append(Signer(raw))
    return tuple(signers)


def _header(environ: Mapping[str, str], name: str, variable: str, where: str) -> str:
    if not _TOKEN.fullmatch(name) or name.lower() in _OURS:
        problem = f"headers_env names '{name}', which is not a header that can be set."
        raise ConfigError(problem, where, "Remove it.")
    value = _secret(environ, variable, "headers_env", where)
    if not value.isprintable() or not value.isascii():
        problem = f"the value of {variable} cannot stand in a header."
        raise ConfigError(problem, where, "Use printable ASCII, on one line.")
    return value


def _notes(url: URL, signers: tuple[Signer, ...]) -> tuple[str, ...]:
    notes = []
    if not signers:
        notes.append("posts unsigned: receivers cannot tell who sent a message. Set secret_env to sign.")
    if url.scheme == "http":
        notes.append("uses plain http: it works only to networks under [egress] allow.")
    return tuple(notes)
