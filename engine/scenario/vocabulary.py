"""What the rules of a release speak of: values to compare with, events to wait for. Generated days are made of it."""

from collections.abc import Iterator
from typing import Any

from msgspec import Struct, field

from engine.model.release import Release
from engine.model.rule import Compare, Literal_, Name

NUMBERS_AROUND = (-1.0, 0.0, 1.0)


class Vocabulary(Struct):
    """Dotted names by their first part (profile, event, fence, global, context), with values on either side of what
    rules compare with; and event names. All sorted: the same release gives the same days."""

    values: dict[str, dict[str, tuple[Any, ...]]] = field(default_factory=dict)
    events: tuple[str, ...] = ()


def vocabulary(release: Release) -> Vocabulary:
    """Everything that rules and segments name."""
    found: dict[tuple[str, ...], list[Any]] = {}
    events: set[str] = set()
    for part in _structs([release.rules, list(release.segments.values())]):
        if isinstance(part, Compare) and isinstance(part.left, Name):
            values = part.right.value if isinstance(part.right, Literal_) else True
            found.setdefault(part.left.path, []).extend(_around(values))
        event = getattr(part, "event", "")
        if isinstance(event, str) and event:
            events.add(event)
    told: dict[str, dict[str, tuple[Any, ...]]] = {}
    for path in sorted(path for path in found if len(path) > 1):
        values = sorted(set(found[path]), key=lambda value: (type(value).__name__, str(value)))
        if any(isinstance(value, str) for value in values):
            values.append("something else")
        told.setdefault(path[0], {})[".".join(path[1:])] = tuple(values)
    return Vocabulary(told, tuple(sorted(events)))


def _structs(value: Any) -> Iterator[Struct]:
    """Every struct inside a value, without recursion."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Struct):
            yield one
            waiting += [getattr(one, name) for name in one.__struct_fields__]
        elif isinstance(one, (list, tuple)):
            waiting += one


def _around(values: Any) -> Iterator[Any]:
    """A value, and what is just not it."""
    for value in values if isinstance(values, tuple) else (values,):
        if isinstance(value, bool):
            yield from (value, not value)
        elif isinstance(value, (int, float)):
            yield from (float(value) + step for step in NUMBERS_AROUND)
        else:
            yield value
