"""The JSON Schema of config.toml, made from the table of settings: each reader knows the shape of what it reads."""

from typing import Any
from zoneinfo import available_timezones

from engine.author.config import CHANNEL_NAME
from engine.author.schema_shapes import CAP, DRAFT, DURATION, Shape
from engine.author.settings import (
    SECTIONS,
    Reader,
    Shaped,
    caps,
    duration,
    matcher,
    networks,
    quiet_hours,
    size,
    store_url,
    text,
    texts,
    time_zone,
)

_TEXTS: Shape = {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "string"}]}
_SIZE: Shape = {
    "anyOf": [
        {"type": "integer", "minimum": 0},
        {"type": "string", "pattern": r"^\s*\d{1,15}(?:\.\d{1,6})?\s*(?:[kKmMgGtT][iI]?)?[bB]?\s*$"},
    ]
}
_CLOCK = r"\d{1,2}:\d{2}"
_SHAPES: dict[Reader, Shape] = {
    text: {"type": "string", "minLength": 1},
    duration: DURATION,
    size: _SIZE,
    texts: _TEXTS,
    networks: _TEXTS,
    caps: {"type": "array", "items": CAP},
    time_zone: {"type": "string", "enum": sorted(available_timezones())},
    store_url: {"type": "string", "minLength": 1},
    matcher: {"enum": ["indexed", "durable"]},
    quiet_hours: {
        "type": "string",
        "pattern": r"^\s*(?:[nN][oO][nN][eE]|\d{1,2}:\d{2}\s*(?:-|–|to)\s*\d{1,2}:\d{2})\s*$",
    },
}


def shape_of(reader: Reader) -> Shape:
    """What a setting's reader takes."""
    return reader.shape if isinstance(reader, Shaped) else _SHAPES.get(reader, {})


def schema() -> dict[str, Any]:
    """Of the whole file."""
    sections: dict[str, Any] = {
        section: {
            "type": "object",
            "properties": {key: dict(shape_of(reader)) for key, reader in keys.items()},
            "additionalProperties": False,
        }
        for section, keys in SECTIONS.items()
    }
    channel = {"type": "object", "required": ["adapter"], "properties": {"adapter": {"type": "string", "minLength": 1}}}
    sections["channels"] = {
        "type": "object",
        "additionalProperties": channel,
        "propertyNames": {"pattern": f"^{CHANNEL_NAME.pattern}$"},
        "description": "Named routes to people. The first one takes every message that names none.",
    }
    return {
        "$schema": DRAFT,
        "title": "Herenow config.toml",
        "type": "object",
        "properties": sections,
        "additionalProperties": False,
    }
