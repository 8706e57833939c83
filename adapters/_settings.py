"""Reading ``[channels.NAME]`` settings into a typed struct, with errors that name the key and the fix."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, TypeVar

import msgspec
from msgspec.structs import fields

from engine.errors import ConfigError

T = TypeVar("T", bound=msgspec.Struct)


def place(channel: str) -> str:
    """Where a channel's settings stand."""
    return f"config.toml [channels.{channel}]"


def read_settings(settings: Mapping[str, Any], kind: type[T], channel: str) -> T:
    """The settings as ``kind``; unknown keys and wrong types raise ``ConfigError``."""
    known = [field.name for field in fields(kind)]
    for key in settings:
        if key not in known:
            near = get_close_matches(key, known, n=1)
            hint = f"Did you mean '{near[0]}'?" if near else f"Known: {', '.join(known) or 'none'}."
            raise ConfigError(f"unknown setting '{key}'.", place(channel), hint)
    try:
        return msgspec.convert(dict(settings), kind)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{error}.", place(channel), f"Known settings: {', '.join(known)}.") from None
