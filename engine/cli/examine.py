"""What ``herenow doctor`` looks at: each examination says what it found and what to do."""

import http.client
import os
import platform
import shutil
import socket
import sqlite3
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from engine.api import keys
from engine.author.checking import check
from engine.cli.shared import configured
from engine.clock import SystemClock, monotonic
from engine.errors import HerenowError
from engine.model.config import Config

FREE_BYTES = 1_000_000_000
SLOW_SYNC_SECONDS = 0.1
SYNCS = 20
ASK_SECONDS = 2.0
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104  asked, not bound
EARLIEST = 1_767_225_600.0  # 2026-01-01: a clock before this was never set


class Result(Struct, frozen=True):
    """One examination."""

    name: str
    ok: bool
    found: str
    fix: str = ""


def everything(config_path: str | None, environ: Mapping[str, str]) -> Iterator[Result]:
    """All examinations, in the order a person would make them."""
    version = platform.python_version()
    yield Result("python", sys.version_info >= (3, 11), version, "Herenow needs Python 3.11 or newer.")
    yield Result("sqlite", sqlite3.sqlite_version_info >= (3, 35), sqlite3.sqlite_version, "Use a newer Python.")
    now = SystemClock().now()
    yield Result("clock", now > EARLIEST, f"epoch {now:.0f}", "Set this machine's clock (NTP).")
    try:
        config = configured(config_path)
    except HerenowError as error:
        yield Result("configuration", False, error.problem, error.fix)
        return
    yield Result("configuration", True, config.source or "defaults (no config.toml here)")
    yield _folder(Path(config.paths.data))
    yield _disk(Path(config.paths.data))
    yield _port(config)
    yield _keys(config, environ)
    yield _secrets(config, environ)
    yield _files(config)


def _folder(data: Path) -> Result:
    """Writable, and how long it takes until a write is safe on this disk."""
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=data) as file:
            started = monotonic()
            for _ in range(SYNCS):
                file.write(b"x" * 4096)
                file.flush()
                os.fsync(file.fileno())
            each = (monotonic() - started) / SYNCS
    except OSError as error:
        return Result("data folder", False, f"{data}: {error.strerror}", "Make it writable, or set [paths] data.")
    found = f"{data}, a safe write takes {each * 1000:.1f} ms"
    return Result(
        "data folder", each < SLOW_SYNC_SECONDS, found, "This disk is slow to sync: acknowledgements will be too."
    )


def _disk(data: Path) -> Result:
    free = shutil.disk_usage(data if data.exists() else data.parent).free
    return Result(
        "disk space", free > FREE_BYTES, f"{free / 1e9:.1f} GB free", "Make room: a full disk stops acknowledging."
    )


def _port(config: Config) -> Result:
    place = f"{config.server.host}:{config.server.port}"
    with socket.socket(socket.AF_INET6 if ":" in config.server.host else socket.AF_INET) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind((config.server.host, config.server.port))
        except OSError as error:
            if _is_herenow(config.server.host, config.server.port):
                return Result("port", True, f"{place} is in use by Herenow itself: it runs and answers")
            fix = "Another program has this port: stop it, or set [server] port."
            return Result("port", False, f"{place}: {error.strerror}", fix)
    return Result("port", True, f"{place} is free")


def _is_herenow(host: str, port: int) -> bool:
    """Whether what listens there answers /healthz as Herenow does."""
    asked = http.client.HTTPConnection(_ANY.get(host, host), port, timeout=ASK_SECONDS)
    try:
        asked.request("GET", "/healthz")
        answer = asked.getresponse()
        answer.read(1000)
        return answer.status == 200 and (answer.getheader("Server") or "").lower().startswith("herenow")
    except (OSError, http.client.HTTPException):
        return False
    finally:
        asked.close()


def _keys(config: Config, environ: Mapping[str, str]) -> Result:
    try:
        ring = keys.Keyring.open(Path(config.paths.data), environ)
        keys.must_be_loopback(config, ring)
    except HerenowError as error:
        return Result("keys", False, error.problem, error.fix)
    return Result("keys", True, "loopback only, no keys" if ring.empty else "keys are set")


def _secrets(config: Config, environ: Mapping[str, str]) -> Result:
    missing = [
        f"{channel.name}: {value}"
        for channel in config.channels
        for key, value in sorted(channel.settings.items())
        if key.endswith("_env") and isinstance(value, str) and not environ.get(value)
    ]
    if missing:
        return Result("secrets", False, f"not in the environment: {', '.join(missing)}", "Set them before serving.")
    return Result("secrets", True, "all that channels name are set")


def _files(config: Config) -> Result:
    errors = [f for f in check(config) if f.severity == "error"]
    if errors:
        return Result("rule files", False, f"{len(errors)} error(s), first: {errors[0]}", "Run: herenow check")
    return Result("rule files", True, f"{config.paths.rules}, {config.paths.geofences}")
