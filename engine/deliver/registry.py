"""Adapters by name: found through the entry-point group ``herenow.adapters``, opened and closed together."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import structlog
from msgspec import Struct

from engine.clock import Clock
from engine.deliver.egress import guarded_session
from engine.deliver.lane import OWN_SETTINGS, TIMEOUT, lane_policy
from engine.errors import ConfigError, HerenowError
from engine.model.config import Channel, Config
from engine.model.moment import Notification
from engine.ports import Adapter, AdapterEnv

_log = structlog.get_logger("deliver")

GROUP = "herenow.adapters"
CLOSING = 5.0  # real seconds an adapter may take to close

Publish = Callable[[str, Notification], None]


class Installed(Struct, frozen=True):
    """An adapter that could be used: its name in config.toml and the package it came with."""

    name: str
    package: str
    version: str


def installed() -> list[Installed]:
    """Every adapter found on this machine, by name."""
    found = _found()
    return [Installed(name, *_package(found[name])) for name in sorted(found)]


@asynccontextmanager
async def open_adapters(
    config: Config, clock: Clock, environ: Mapping[str, str], publish: Publish
) -> AsyncIterator[dict[str, Adapter]]:
    """The adapter of every channel of config.toml, by channel name; all are closed on the way out.

    Each gets an HTTP session of its own, behind the egress guard. Raises ``ConfigError``.
    """
    found = _found()
    async with AsyncExitStack() as stack:
        opened: dict[str, Adapter] = {}
        for channel in config.channels:
            opened[channel.name] = await _open(stack, config, channel, found, (clock, environ, publish))
        yield opened


def notes(adapters: Mapping[str, Adapter]) -> list[str]:
    """What the adapters want said at start, such as that a webhook goes out unsigned."""
    return [f"[channels.{name}] {note}" for name, adapter in adapters.items() for note in getattr(adapter, "notes", ())]


async def _open(
    stack: AsyncExitStack,
    config: Config,
    channel: Channel,
    found: Mapping[str, EntryPoint],
    env: tuple[Clock, Mapping[str, str], Publish],
) -> Adapter:
    clock, environ, publish = env
    where = f"{config.source or 'config.toml'} [channels.{channel.name}]"
    make = _load(channel.adapter, found, where)
    policy = lane_policy(channel)
    session = await stack.enter_async_context(
        guarded_session(config.egress_allow, timeout=TIMEOUT if policy.timeout is None else policy.timeout)
    )
    settings = {key: value for key, value in channel.settings.items() if key not in OWN_SETTINGS}
    given = AdapterEnv(channel.name, clock, session, environ, publish, policy.timeout)
    adapter = _make(make, settings, given, where)
    stack.push_async_callback(_close, channel.name, adapter)
    return adapter


def _make(
    make: Callable[[dict[str, Any], AdapterEnv], Any], settings: dict[str, Any], env: AdapterEnv, where: str
) -> Adapter:
    try:
        adapter: Adapter = make(settings, env)
    except HerenowError:
        raise
    except Exception as error:
        problem = f"the adapter failed when it was made ({type(error).__name__}: {error})."
        raise ConfigError(
            problem, where, "Check the channel's settings; if they are right, the adapter has a bug."
        ) from error
    missing = [name for name in ("idempotent", "send", "close") if not hasattr(adapter, name)]
    if missing:
        raise ConfigError(
            f"the adapter lacks {', '.join(missing)}.", where, "It was made for something else; update it."
        )
    return adapter


async def _close(channel: str, adapter: Adapter) -> None:
    """Close one adapter; its trouble is its own."""
    try:
        async with asyncio.timeout(CLOSING):
            await adapter.close()
    except Exception as error:
        _log.warning("adapter_close", channel=channel, error=type(error).__name__)


def _found() -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value)):
        other = found.setdefault(point.name, point)
        if other.value != point.value:
            problem = (
                f"two installed packages bring an adapter '{point.name}': {_package(other)[0]}, {_package(point)[0]}."
            )
            raise ConfigError(problem, GROUP, "Uninstall one of them.")
    return found


def _load(name: str, found: Mapping[str, EntryPoint], where: str) -> Callable[[dict[str, Any], AdapterEnv], Any]:
    point = found.get(name)
    if point is None:
        near = get_close_matches(name.lower(), found, n=1)
        hint = f"Did you mean '{near[0]}'? " if near else ""
        raise ConfigError(
            f"unknown adapter '{name}'.", where, f"{hint}Installed: {', '.join(sorted(found)) or 'none'}."
        )
    try:
        make = point.load()
    except Exception as error:
        package = _package(point)[0]
        problem = f"adapter '{name}' of {package} cannot be loaded ({type(error).__name__}: {error})."
        raise ConfigError(problem, where, f"Reinstall {package}, or install what it needs.") from error
    if not callable(make):
        raise ConfigError(
            f"adapter '{name}' ({point.value}) is not a function.", where, "It must be open_adapter(settings, env)."
        )
    loaded: Callable[[dict[str, Any], AdapterEnv], Any] = make
    return loaded


def _package(point: EntryPoint) -> tuple[str, str]:
    return (point.dist.name, point.dist.version) if point.dist else (point.value, "")
