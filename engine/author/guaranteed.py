"""Names that are surely known whenever a condition holds (or surely does not): unknown is neither."""

from typing import Any

from engine.model.rule import AllOf, AnyOf, Compare, Expression, InSegment, Logic, Name, NoneOf, Not, Segment

_NOTHING: frozenset[str] = frozenset()


def known_when(thing: Any, holds: bool, segments: dict[str, Segment] | None = None, depth: int = 0) -> frozenset[str]:
    """The names of a condition or expression without which it could not hold (``holds`` False: surely not hold)."""
    if depth > 40:
        return _NOTHING
    deeper = (segments, depth + 1)
    match thing:
        case Expression(expr=expr):
            return known_when(expr, holds, *deeper)
        case Compare(op="exists"):
            return names(thing) if holds else _NOTHING
        case Compare():
            return names(thing)
        case Not(item=item):
            return known_when(item, not holds, *deeper)
        case Logic(op=op, items=items):
            return _joined([known_when(item, holds, *deeper) for item in items], (op == "and") is holds)
        case AnyOf(items=items):
            return _joined([known_when(item, holds, *deeper) for item in items], not holds)
        case AllOf(items=items):
            return _joined([known_when(item, holds, *deeper) for item in items], holds)
        case NoneOf(items=items):
            return _joined([known_when(item, not holds, *deeper) for item in items], holds)
        case InSegment(segments=(one,)) if segments is not None and one in segments:
            return _joined([known_when(item, holds, *deeper) for item in segments[one].only_if], holds)
        case _:
            return _NOTHING


def _joined(parts: list[frozenset[str]], every: bool) -> frozenset[str]:
    """All that any part knows where every part must hold; else only what they all know."""
    if not parts:
        return _NOTHING
    return frozenset().union(*parts) if every else frozenset.intersection(*parts)


def names(thing: Any) -> frozenset[str]:
    """Every name in an expression."""
    if isinstance(thing, Name):
        return frozenset((".".join(thing.path),))
    found = _NOTHING
    for side in ("left", "right"):
        value = getattr(thing, side, None)
        if value is not None:
            found |= names(value)
    return found
