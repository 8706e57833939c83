"""What durable-rules tests of one fact: comparisons with constants, joined by and and or. There is no ``not``."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from typing import Any

from engine.match.durable_facts import Scalar


@dataclass(frozen=True, slots=True)
class Test:
    """One comparison of a slot with a constant; ``op`` empty: equal."""

    op: str
    slot: str
    value: Scalar


@dataclass(frozen=True, slots=True)
class Every:
    """All of them hold."""

    items: "tuple[Formula, ...]"


@dataclass(frozen=True, slots=True)
class Some:
    """At least one holds; ``single``: never more than one does."""

    items: "tuple[Formula, ...]"
    single: bool = False


Formula = Test | Every | Some


def written(formula: Formula) -> dict[str, Any]:
    """A formula in durable-rules' own JSON."""
    match formula:
        case Test(op="", slot=slot, value=value):
            return {slot: value}
        case Test(op=op, slot=slot, value=value):
            return {op: {slot: value}}
        case Every(items=items):
            return {"$and": [written(item) for item in items]}
        case Some(items=items):
            return {"$or": [written(item) for item in items]}


def every(parts: Iterable[Formula]) -> Every:
    """All of them, those of an ``Every`` among them as its parts."""
    flat: list[Formula] = []
    for part in parts:
        flat += part.items if isinstance(part, Every) else (part,)
    return Every(tuple(flat))


def groups(formula: Formula) -> int:
    """How many ands and ors there are."""
    return 0 if isinstance(formula, Test) else 1 + sum(groups(item) for item in formula.items)


def ways(formula: Formula) -> int:
    """How many paths through the formula one fact may take."""
    if isinstance(formula, Test) or (isinstance(formula, Some) and formula.single):
        return 1
    each = [ways(item) for item in formula.items]
    return prod(each) if isinstance(formula, Every) else sum(each)
