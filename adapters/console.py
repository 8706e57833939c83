"""The ``console`` adapter: one line per notification on standard output, for development and the sandbox.

Settings: ``format = "text"`` (default) or ``"json"``.
"""

import asyncio
import contextlib
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

import msgspec
from msgspec import Struct

from adapters._settings import read_settings
from engine.model.moment import Notification, Result
from engine.ports import AdapterEnv

WIDEST = 500  # characters of one field on a text line


class Settings(Struct, frozen=True):
    """``[channels.NAME]`` of a console channel."""

    format: Literal["text", "json"] = "text"


def open_adapter(settings: Mapping[str, Any], env: AdapterEnv) -> "Console":
    """Made for each console channel. Raises ``ConfigError``."""
    return Console(sys.stdout, env.clock.now, read_settings(settings, Settings, env.channel).format)


class Console:
    """Writes to ``stream`` from a thread of its own: a pager or a full pipe holds up this channel only."""

    idempotent = False  # nobody on the other side knows a line again

    def __init__(self, stream: TextIO, now: Callable[[], float], form: Literal["text", "json"] = "text") -> None:
        self._stream, self._now, self._form = stream, now, form
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="herenow-console")

    async def send(self, notification: Notification) -> Result:
        """Write the line and flush."""
        try:
            line = as_json(notification) if self._form == "json" else as_text(notification, self._now())
            await asyncio.get_running_loop().run_in_executor(self._writer, self._write, line)
        except (OSError, ValueError, TypeError, RuntimeError) as error:
            return Result("failed", f"the console cannot be written to ({type(error).__name__})")
        return Result("sent")

    async def close(self) -> None:
        """What is being written is not waited for."""
        self._writer.shutdown(wait=False, cancel_futures=True)

    def _write(self, line: str) -> None:
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        self._stream.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
        self._stream.flush()


def as_text(notification: Notification, now: float) -> str:
    """``07:31:05 anna <- morning-coffee [push] Title: body (link)``, one printable line."""
    message = notification.message
    said = ": ".join(part for part in (_clean(message.title), _clean(message.body)) if part) or "(empty message)"
    link = f" ({_clean(message.link)})" if message.link else ""
    place = f" @ {_clean(notification.cause.fence)}" if notification.cause.fence else ""
    test = " test" if notification.test else ""
    who, rule, channel = (_clean(part) for part in (notification.person, notification.rule, notification.channel))
    return f"{_clock_time(now)} {who} <- {rule}{place} [{channel}{test}] {said}{link}"


def as_json(notification: Notification) -> str:
    """The whole notification on one line."""
    return msgspec.json.encode(notification).decode()


def _clock_time(now: float) -> str:
    with contextlib.suppress(OverflowError, ValueError, OSError):
        return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    return str(now)


def _clean(text: str) -> str:
    """Printable, on one line, bounded: what people are called must not steer a terminal."""
    kept = "".join(c if c.isprintable() else " " for c in text[: WIDEST + 1])
    return kept if len(kept) <= WIDEST else kept[: WIDEST - 1] + "…"
