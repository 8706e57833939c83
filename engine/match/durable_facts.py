"""Values as durable-rules can hold them without harm: short plain text, and whole numbers written as decimals.

It compares text with numbers, cuts text at quotes, refuses exponents and rounds. So a value is written in a form in
which none of that can matter, and in which it compares with a constant of a rule exactly as it does itself.
"""

from hashlib import blake2b
from typing import Any

from engine.match.values import Kind, kind

Scalar = str | int | float

DECIMALS = 6  # of a constant in a rule
LARGEST = 4_000_000_000  # of a constant in a rule; an instant in epoch seconds is below it
UNIT = 1_000_000
BEYOND = 2.0 * LARGEST * UNIT + 1.0  # every number above the largest: less than 2**53, so no digit is lost
HIGHEST = BEYOND + 2.0  # stands for an unknown number: above all of them, equal to none
MAX_TEXT = 200

UNKNOWN_TEXT = "?"
UNKNOWN_FLAG = 2


def number(value: Any) -> float | None:
    """Fixed point in halves of a millionth: even where the value is one, odd between two of them. So ``<``, ``=`` and
    ``>`` against any constant that is an even one come out as they do for the value itself. None: not a number."""
    if kind(value) is not Kind.NUMBER:
        return None
    if not -LARGEST <= value <= LARGEST:
        return BEYOND if value > 0 else -BEYOND
    if isinstance(value, int):
        return float(2 * value * UNIT)
    top, bottom = value.as_integer_ratio()
    below = top * UNIT // bottom
    for whole in (below, below + 1):
        if value == whole / UNIT:
            return float(2 * whole)
    return float(2 * below + 1)


def exact(constant: Any) -> bool:
    """Whether a rule may compare with this number."""
    written = number(constant)
    return written is not None and written % 2 == 0


def text(value: Any) -> str | None:
    """Text marked with ``=``; one that is long or holds a quote, a backslash or a control character as its digest.
    None: not a text."""
    if kind(value) is not Kind.TEXT:
        return None
    if len(value) <= MAX_TEXT and value.isprintable() and '"' not in value and "\\" not in value:
        return "=" + str(value)
    return "#" + blake2b(value.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def flag(value: Any) -> int | None:
    """1 for true, 0 for false. None: neither."""
    return int(value) if isinstance(value, bool) else None
