"""How two values compare. Nothing is converted silently: where kinds differ the answer is unknown.

Numbers compare with numbers, text with text (case matters), true/false with true/false. NaN and infinities are no
values.
"""

import math
from collections.abc import Callable
from enum import IntEnum
from typing import Any

Answer = bool | None
Operation = Callable[[Any, Any], Answer]

MAX_SHOWN_TEXT = 200
MAX_SHOWN_ITEMS = 20


class Kind(IntEnum):
    """What a value is, for comparing."""

    NONE = 0
    NUMBER = 1
    TEXT = 2
    FLAG = 3
    LIST = 4
    OTHER = 5


_KINDS: dict[type, Kind] = {
    bool: Kind.FLAG,
    int: Kind.NUMBER,
    str: Kind.TEXT,
    list: Kind.LIST,
    tuple: Kind.LIST,
    dict: Kind.OTHER,
    type(None): Kind.NONE,
}
_WORDS = {
    Kind.NONE: "unknown",
    Kind.NUMBER: "a number",
    Kind.TEXT: "text",
    Kind.FLAG: "true/false",
    Kind.LIST: "a list",
    Kind.OTHER: "a group of values",
}


def kind(value: Any) -> Kind:
    """The kind of a value; a number that is not finite is NONE."""
    known = _KINDS.get(type(value))
    if known is not None:
        return known
    if isinstance(value, float):
        return Kind.NUMBER if math.isfinite(value) else Kind.NONE
    for base, name in ((int, Kind.NUMBER), (str, Kind.TEXT), (list, Kind.LIST), (tuple, Kind.LIST)):
        if isinstance(value, base):
            return name
    return Kind.OTHER


def _same(a: Any, b: Any) -> Kind:
    """The kind that both share, if it is one that compares; else NONE."""
    shared = kind(a)
    return shared if shared is kind(b) and shared in (Kind.NUMBER, Kind.TEXT, Kind.FLAG) else Kind.NONE


def equal(a: Any, b: Any) -> Answer:
    """``=``."""
    return bool(a == b) if _same(a, b) else None


def differ(a: Any, b: Any) -> Answer:
    """``!=``."""
    return bool(a != b) if _same(a, b) else None


def _ordered(a: Any, b: Any) -> bool:
    return _same(a, b) in (Kind.NUMBER, Kind.TEXT)


def less(a: Any, b: Any) -> Answer:
    """``<``; text by code point."""
    return bool(a < b) if _ordered(a, b) else None


def at_most(a: Any, b: Any) -> Answer:
    """``<=``."""
    return bool(a <= b) if _ordered(a, b) else None


def more(a: Any, b: Any) -> Answer:
    """``>``."""
    return bool(a > b) if _ordered(a, b) else None


def at_least(a: Any, b: Any) -> Answer:
    """``>=``."""
    return bool(a >= b) if _ordered(a, b) else None


def among(value: Any, options: Any) -> Answer:
    """``in``: unknown when there are options but none of the value's kind."""
    if kind(options) is not Kind.LIST or kind(value) in (Kind.NONE, Kind.LIST, Kind.OTHER):
        return None
    answers = [equal(value, option) for option in options]
    if True in answers:
        return True
    return None if answers and False not in answers else False


def not_among(value: Any, options: Any) -> Answer:
    """``not in``."""
    answer = among(value, options)
    return None if answer is None else not answer


def contains(whole: Any, part: Any) -> Answer:
    """``contains``: a list has the item, or a text has the part."""
    if kind(whole) is Kind.LIST:
        return among(part, whole)
    if _same(whole, part) is Kind.TEXT:
        return part in whole
    return None


def between(value: Any, bounds: Any) -> Answer:
    """``between a and b``, both ends included."""
    if kind(bounds) is not Kind.LIST or len(bounds) != 2:
        return None
    low, high = bounds
    if not (_ordered(value, low) and _ordered(value, high)):
        return None
    return bool(low <= value <= high)


OPERATIONS: dict[str, Operation] = {
    "=": equal,
    "!=": differ,
    "<": less,
    "<=": at_most,
    ">": more,
    ">=": at_least,
    "in": among,
    "not-in": not_among,
    "contains": contains,
    "between": between,
}


def calculate(op: str, a: Any, b: Any) -> int | float | None:
    """``a op b`` on numbers; unknown for anything else, for division by zero, and where the result is no number."""
    if kind(a) is not Kind.NUMBER or kind(b) is not Kind.NUMBER:
        return None
    try:
        if op == "+":
            result = a + b
        elif op == "-":
            result = a - b
        elif op == "*":
            result = a * b
        else:
            result = a / b
        return result if math.isfinite(result) else None
    except (ZeroDivisionError, OverflowError):
        return None


def mismatch(op: str, left: Any, right: Any) -> str:
    """Why two known values do not compare, in words for a trace."""
    a = _WORDS[kind(left)]
    if op in ("in", "not-in", "between") and kind(right) is Kind.LIST:
        kinds = sorted({kind(item) for item in right})
        b = " and ".join(_WORDS[k] for k in kinds)
    else:
        b = _WORDS[kind(right)]
    if a == b:
        return f"{a} cannot be compared with '{op}'"
    return f"{a} ({shown(left)!r}) does not compare with {b}"


def shown(value: Any) -> Any:
    """A value as a trace keeps it: long text and long lists cut, what is no plain value as text."""
    if isinstance(value, str):
        return value if len(value) <= MAX_SHOWN_TEXT else value[:MAX_SHOWN_TEXT] + "…"
    if isinstance(value, list | tuple):
        items = [shown(item) for item in value[:MAX_SHOWN_ITEMS]]
        return [*items, "…"] if len(value) > MAX_SHOWN_ITEMS else items
    if isinstance(value, dict):
        return {str(k): shown(v) for k, v in list(value.items())[:MAX_SHOWN_ITEMS]}
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int) else str(value)[:MAX_SHOWN_TEXT]
