"""Options and helpers that commands share."""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import click
import msgspec

from engine.author.config import load_config
from engine.errors import HerenowError
from engine.model.config import Config

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

DEFAULT_CONFIG = "config.toml"


def config_option(command: F) -> F:
    """``--config PATH``."""
    text = f"The configuration file (default: {DEFAULT_CONFIG} in this folder, if there is one)."
    return click.option("--config", "config_path", type=click.Path(dir_okay=False), help=text)(command)


def format_option(command: F) -> F:
    """``--format text|json``."""
    choice = click.Choice(["text", "json"])
    return click.option("--format", "form", type=choice, default="text", help="How to print the answer.")(command)


def server_options(command: F) -> F:
    """``--url`` and ``--key`` of a running server."""
    url = click.option("--url", help="The running server (default: where config.toml says it listens).")
    key = click.option("--key", envvar="HERENOW_KEY", help="An API key (or set HERENOW_KEY); not needed on loopback.")
    return url(key(command))


def configured(config_path: str | None) -> Config:
    """The configuration at ``config_path``, or at the usual place, or the defaults."""
    if config_path is not None and not Path(config_path).is_file():
        raise HerenowError(f"there is no file {config_path}", fix="Name an existing file with --config.")
    path = Path(config_path) if config_path else Path(DEFAULT_CONFIG)
    return load_config(path if path.is_file() else None, os.environ)


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run on uvloop where it exists."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main)
    return uvloop.run(main)


def print_json(value: Any) -> None:
    """Pretty JSON on standard output."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def local_time(instant: float | None) -> str:
    """An instant for reading: UTC, to the second."""
    return "never" if instant is None else datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def instant(text: str | None, option: str = "--at") -> float | None:
    """``--at``: ISO 8601 with a zone, or epoch seconds."""
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        pass
    try:
        told = datetime.fromisoformat(text)
    except ValueError:
        told = None
    if told is None or told.tzinfo is None:
        fix = "Write 2026-11-24T08:15:00Z, with its zone, or epoch seconds."
        raise HerenowError(f"'{text}' is not an instant", option, fix)
    return told.timestamp()


def server_url(config: Config, url: str | None) -> str:
    """Where the server is."""
    return (url or f"http://{config.server.host}:{config.server.port}").rstrip("/")


@contextmanager
def counting(what: str) -> Iterator[Callable[[int], None]]:
    """How many are done so far, on a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda more: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda more: bar.advance(task, more)


async def call(method: str, url: str, key: str | None, body: Any = None, params: dict[str, str] | None = None) -> Any:
    """One JSON call to a running server; its problem's own words become the error."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    data = None if body is None else msgspec.json.encode(body)
    if data is not None:
        headers["Content-Type"] = "application/json"
    timeout = aiohttp.ClientTimeout(total=300)
    try:
        async with (
            aiohttp.ClientSession(headers=headers, timeout=timeout) as session,
            session.request(method, url, data=data, params=params, allow_redirects=False) as answer,
        ):
            raw = await answer.read()
            status = answer.status
    except aiohttp.ClientError as error:
        raise HerenowError(f"no server answers at {url}: {error}", fix="Start it with: herenow serve") from error
    try:
        told = msgspec.json.decode(raw) if raw else {}
    except msgspec.DecodeError:
        told = {"detail": raw[:200].decode("utf-8", "replace")}
    if status >= 400:
        words = told.get("detail") or told.get("title") if isinstance(told, dict) else ""
        fix = "Give a key with --key or HERENOW_KEY." if status in (401, 403) else ""
        raise HerenowError(f"the server answered {status}: {words}", fix=fix)
    return told
