"""API keys and device tokens.

A key is 256 random bits, so one SHA-256 of it is as good at rest as a slow hash; looked up by that hash, nothing that
an attacker can steer is compared byte by byte.

A device token is ``hdt_`` + base64url JSON {device, person, exp} + ``.`` + base64url HMAC-SHA256 of that text, under
the secret in ``<data>/token.secret`` or ``HERENOW_TOKEN_SECRET``.
"""

import base64
import binascii
import hashlib
import hmac
import ipaddress
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import structlog
from msgspec import Struct, field

from engine.clock import Clock, SystemClock, monotonic
from engine.errors import ConfigError
from engine.model.config import Config

log = structlog.get_logger("herenow.keys")

SCOPES = ("ingest", "read", "operate", "publish", "admin")
KEY_PREFIX, TOKEN_PREFIX = "hk_", "hdt_"
SECRET_ENV = "HERENOW_TOKEN_SECRET"  # noqa: S105  # a name, not a secret
MIN_SECRET = 32
LOOK_EVERY = 1.0  # seconds between looks at the file: a revoked key stops working within that
MAX_TOKEN_SECONDS = 30 * 86400.0


class Key(Struct, frozen=True):
    """One key as it is kept: never the key itself. ``created`` is epoch seconds."""

    id: str
    hash: str
    scopes: tuple[str, ...]
    created: float
    note: str = ""


class Token(Struct, frozen=True):
    """What a device token is bound to."""

    device: str
    person: str | None
    exp: float


class _File(Struct):
    keys: list[Key] = field(default_factory=list)


class Keyring:
    """``<data>/keys.json`` and the token secret. Another process may change the files; they are looked at again."""

    def __init__(self, folder: Path, environ: Mapping[str, str], clock: Clock | None = None) -> None:
        self._file, self._secret_file = folder / "keys.json", folder / "token.secret"
        self._clock = clock or SystemClock()
        self._given = environ.get(SECRET_ENV, "").encode()
        if self._given and len(self._given) < MIN_SECRET:
            raise ConfigError(f"it has fewer than {MIN_SECRET} characters.", SECRET_ENV, "Use `openssl rand -hex 32`.")
        self._seen: tuple[int, int, int] | None = None
        self._looked = float("-inf")
        self._by_hash: dict[str, Key] = {}
        self._read()

    @classmethod
    def open(cls, folder: Path, environ: Mapping[str, str], clock: Clock | None = None) -> "Keyring":
        """Read what is there; nothing is created. Raises ``ConfigError`` when the file is damaged."""
        return cls(folder, environ, clock)

    @property
    def empty(self) -> bool:
        """Whether there is no key at all."""
        return not self._by_hash

    def refresh(self) -> None:
        """Look at the file again, at most once a second. While it is damaged, the keys read last stay in force."""
        now = monotonic()
        if now - self._looked < LOOK_EVERY:
            return
        self._looked = now
        try:
            self._read()
        except ConfigError as error:
            log.error("keys stay as they were", problem=str(error))

    def _read(self) -> None:
        try:
            stat = self._file.stat()
            seen = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            if seen == self._seen:
                return
            held = msgspec.json.decode(self._file.read_bytes(), type=_File)
        except FileNotFoundError:
            self._by_hash, self._seen = {}, None
            return
        except (msgspec.DecodeError, ValueError, OSError) as error:
            raise ConfigError(f"cannot be read: {error}.", str(self._file), "Restore it, or create new keys.") from None
        self._by_hash, self._seen = {key.hash: key for key in held.keys}, seen

    # ------------------------------------------------------------------ keys

    def find(self, secret: str) -> Key | None:
        """The key that this is, or None."""
        return self._by_hash.get(hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest())

    def list(self) -> list[Key]:
        """All keys, oldest first."""
        self._read()
        return sorted(self._by_hash.values(), key=lambda key: (key.created, key.id))

    def create(self, scopes: Sequence[str], note: str = "") -> tuple[Key, str]:
        """Make a key; its text is returned once and kept nowhere. Raises ``ConfigError`` on a bad scope."""
        unknown = [scope for scope in scopes if scope not in SCOPES]
        if unknown or not scopes:
            what = f"'{unknown[0]}' is not a scope." if unknown else "a key needs a scope."
            raise ConfigError(what, fix=f"Scopes are {', '.join(SCOPES)}.")
        self._read()
        secret = KEY_PREFIX + secrets.token_urlsafe(32)
        wanted = tuple(scope for scope in SCOPES if scope in scopes)
        digest = hashlib.sha256(secret.encode()).hexdigest()
        key = Key("key_" + secrets.token_hex(4), digest, wanted, self._clock.now(), note)
        self._write([*self._by_hash.values(), key])
        return key, secret

    def revoke(self, id: str) -> bool:
        """Remove a key; False when there is none of that id. The last one may go: then only loopback is served."""
        self._read()
        rest = [key for key in self._by_hash.values() if key.id != id]
        if len(rest) == len(self._by_hash):
            return False
        self._write(rest)
        return True

    def _write(self, keys: Sequence[Key]) -> None:
        _write_private(self._file, msgspec.json.format(msgspec.json.encode(_File(list(keys))), indent=2))
        self._read()

    # ------------------------------------------------------------------ device tokens

    def mint(self, device: str, person: str | None = None, seconds: float = 3600.0) -> str:
        """A token for one device (and its person), valid for ``seconds`` from now, at most 30 days."""
        if not device or not 0 < seconds <= MAX_TOKEN_SECONDS:
            raise ConfigError("a token needs a device, and a life of at most 30 days.")
        payload = _b64(msgspec.json.encode(Token(device, person, self._clock.now() + seconds)))
        return f"{TOKEN_PREFIX}{payload}.{_b64(self._sign(payload, self._secret(create=True)))}"

    def token(self, text: str) -> Token | None:
        """The token, if it is ours and alive."""
        payload, _, signature = text.removeprefix(TOKEN_PREFIX).partition(".")
        secret = self._secret(create=False)
        if not secret:
            return None
        try:
            given = _unb64(signature)
            if not hmac.compare_digest(given, self._sign(payload, secret)):
                return None
            token = msgspec.json.decode(_unb64(payload), type=Token)
        except (binascii.Error, ValueError, msgspec.DecodeError):
            return None
        return token if token.exp > self._clock.now() and token.device else None

    @staticmethod
    def _sign(payload: str, secret: bytes) -> bytes:
        return hmac.digest(secret, payload.encode(), "sha256")

    def _secret(self, create: bool) -> bytes:
        """The shared secret; b"" when there is none and none is to be made."""
        if self._given:
            return self._given
        try:
            return self._secret_file.read_bytes().strip()
        except FileNotFoundError:
            if not create:
                return b""
        secret = secrets.token_hex(32).encode()
        _write_private(self._secret_file, secret + b"\n")
        return secret


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unb64(text: str) -> bytes:
    return base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _write_private(path: Path, data: bytes) -> None:
    """Readable by its owner alone from the first byte on; replaced whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise


def is_loopback(host: str) -> bool:
    """Whether a bind address reaches this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def must_be_loopback(config: Config, keyring: Keyring) -> None:
    """Refuse to serve others without keys: raises ``ConfigError``."""
    if keyring.empty and not is_loopback(config.server.host):
        raise ConfigError(
            f"without any key the server listens on this machine only, not on {config.server.host}.",
            "[server] host",
            "Create a key first: herenow keys create --scope ingest",
        )
