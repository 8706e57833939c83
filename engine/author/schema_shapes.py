"""JSON Schema of the values that people write: durations, caps, shares, targets. Draft 7, for editors know it best."""

from collections.abc import Iterable, Mapping
from typing import Any

from engine.author.durations import METRES, UNITS

Shape = Mapping[str, Any]
Words = Mapping[str, tuple[Shape, str]]  # key -> the shape of its value, and what it says

DRAFT = "http://json-schema.org/draft-07/schema#"


def _any_case(word: str) -> str:
    """A pattern for the word in capitals or not: JSON Schema knows no flags."""
    return "".join(f"[{c.lower()}{c.upper()}]" if c.isalpha() else c for c in word)


def _one_of(words: Iterable[str]) -> str:
    return "(?:" + "|".join(_any_case(word) for word in sorted(words, key=lambda word: (-len(word), word))) + ")"


_AMOUNT = rf"\s*\d{{1,12}}(?:\.\d{{1,9}})?\s*{_one_of(UNITS)}\s*(?:and\s+|,\s*)?"
_PER = _one_of(("per", "a", "an", "every", "in"))
_PERCENT = rf"^\s*(?:\d{{1,3}}(?:\.\d{{1,6}})?\s*%|{_any_case('none')}|0)\s*$"
_DAY_PATTERN = r"^\s*\d{4}-\d{2}-\d{2}"

TEXT: Shape = {"type": ["string", "number", "boolean"]}
ANY: Shape = {}
MAP: Shape = {"type": "object"}
DURATION: Shape = {"anyOf": [{"type": "string", "pattern": f"^(?:{_AMOUNT})+$"}, {"enum": ["0", 0]}]}
METRES_TEXT: Shape = {"type": "string", "pattern": rf"^\s*\d{{1,9}}(?:\.\d{{1,6}})?\s*{_one_of(METRES)}\s*$"}
CAP: Shape = {
    "type": "string",
    "pattern": rf"^\s*[1-9]\d{{0,8}}\s*(?:{_any_case('time')}[sS]?\s+)?(?:{_PER}|/)\s*\S",
}
SHARE: Shape = {"anyOf": [{"type": "string", "pattern": _PERCENT}, {"const": 0}]}
DATE: Shape = {"type": "string", "pattern": _DAY_PATTERN}
NAME: Shape = {"type": "string", "minLength": 1}
YES_NO: Shape = {"enum": [True, False, "yes", "no"]}


def choice(words: Iterable[str]) -> Shape:
    """One of some words."""
    return {"type": "string", "enum": list(words)}


def number(low: float, high: float) -> Shape:
    """A number in a range."""
    return {"type": "number", "minimum": low, "maximum": high}


def one_or_many(shape: Shape) -> Shape:
    """A value, or a list of them."""
    return {"anyOf": [shape, {"type": "array", "items": shape, "minItems": 1}]}


def keyed(keys: Iterable[str], words: Words, **more: Any) -> dict[str, Any]:
    """A mapping with these keys and no others. A key that ``words`` does not know may hold anything."""
    properties = {key: described(key, words) for key in keys}
    return {"type": "object", "properties": properties, "additionalProperties": False, **more}


def described(key: str, words: Words) -> dict[str, Any]:
    """The shape of a key's value, with what editors show about it."""
    shape, says = words.get(key, (ANY, ""))
    return {**shape, "description": says} if says else dict(shape)


def named(shape: Shape, names: str = r"^[^\s,:]") -> Shape:
    """Things by their names."""
    return {"type": "object", "additionalProperties": shape, "propertyNames": {"pattern": names}}


def ref(name: str) -> Shape:
    """A definition of the same schema."""
    return {"$ref": f"#/definitions/{name}"}
