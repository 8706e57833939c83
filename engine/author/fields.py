"""``rules/schema.yaml``: the fields that people, places and events have, with their types."""

import re
from typing import Literal

from msgspec import Struct

from engine.author.nodes import Items, Mapping, Node, Scalar, word
from engine.author.report import clip
from engine.author.source import Source
from engine.author.words import ROOTS

Type = Literal["text", "number", "yes/no", "list", "date", "any"]
TYPES: tuple[Type, ...] = ("text", "number", "yes/no", "list", "date", "any")
_TYPE: dict[str, Type] = {name: name for name in TYPES}
KEYS = ("type", "choices", "always", "about")
DECLARABLE = tuple(root for root in ROOTS if root not in ("device", "person"))
ALWAYS = "always"
_CHOICES = re.compile(r"one of\s+(.+)")
_JOIN = re.compile(r"\s*,\s*(?:or\s+)?|\s+or\s+")
_PATH = re.compile(r"\w+(?:-\w+)*(?:\.\w+(?:-\w+)*)+")
_FIX = "Write text, number, yes/no, list, date, any, or: one of gold, silver, bronze"


class Field(Struct, frozen=True):
    """One declared field. ``choices`` are its only values; ``always`` says that it is never missing."""

    name: str
    type: Type
    choices: tuple[str, ...] = ()
    always: bool = False
    file: str = ""
    line: int = 0
    column: int = 0


def read_fields(source: Source) -> dict[str, Field]:
    """``fields:``, each a full name with its type. Mistakes are told to the source."""
    fields: dict[str, Field] = {}
    root = source.root
    if root is None or (isinstance(root, Scalar) and root.empty):
        return fields
    top = source.mapping(root, "the file", ("fields",))
    if top is None or "fields" not in top.entries:
        return fields
    for key, place, node in source.entries(top.entries["fields"], "fields"):
        if key.partition(".")[0] not in DECLARABLE or not _PATH.fullmatch(key):
            fix = f"Names begin with {', '.join(DECLARABLE)}: profile.{clip(key.rpartition('.')[2])}"
            source.error(place, "BAD_VALUE", f"'{clip(key)}' is no full name.", fix)
            continue
        found = _type(source, node)
        if found is not None:
            kind, choices, always = found
            fields[key] = Field(key, kind, choices, always, source.file, place.line, place.column)
    return fields


def _type(source: Source, node: Node) -> tuple[Type, tuple[str, ...], bool] | None:
    """A word, ``one of a, b``, a list of choices, or a mapping with ``type``, ``choices`` and ``always``."""
    if isinstance(node, Items):
        return "text", _listed(source, node), False
    if not isinstance(node, Mapping):
        return _short(source, node)
    field = source.mapping(node, "a field", KEYS)
    if field is None:
        return None
    choices = _listed(source, field.entries["choices"]) if "choices" in field.entries else ()
    kind: str | None = "text"
    if "type" in field.entries:
        kind = source.choice(field.entries["type"], "type", TYPES)
    elif not choices:
        source.error(node, "MISSING", "The field has no 'type'.", _FIX)
    always = source.choice(field.entries[ALWAYS], ALWAYS, _YES_NO) in _YES if ALWAYS in field.entries else False
    if "about" in field.entries:
        source.text(field.entries["about"], "about")
    return None if kind is None else (_TYPE[kind], choices, always)


_YES = ("true", "yes")
_YES_NO = (*_YES, "false", "no")


def _short(source: Source, node: Node) -> tuple[Type, tuple[str, ...], bool] | None:
    text = source.text(node, "type")
    if text is None:
        return None
    chosen = _CHOICES.fullmatch(text)
    if chosen is not None:
        return "text", tuple(_JOIN.split(chosen[1])), False
    word, comma, rest = text.partition(",")
    if comma and rest.strip() != ALWAYS:
        fix = f"Write: one of {text}" if word.strip() not in TYPES else f"Write: {word.strip()}, {ALWAYS}"
        source.error(node, "BAD_VALUE", f"'{clip(text)}' is no type.", fix)
        return None
    kind = _word(source, node, word.strip())
    return None if kind is None else (kind, (), bool(comma))


def _word(source: Source, node: Node, name: str) -> Type | None:
    if name in _TYPE:
        return _TYPE[name]
    source.choice(word(node.line, node.column, name, quoted=True), "type", TYPES)
    return None


def _listed(source: Source, node: Node) -> tuple[str, ...]:
    if isinstance(node, Items):
        return tuple(
            text for item in source.each(node, "choices") if (text := source.text(item, "choices")) is not None
        )
    text = source.text(node, "choices")
    return () if text is None else tuple(_JOIN.split(text))
