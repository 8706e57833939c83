"""Expressions as closures: values, truths, and the same truths with what they saw."""

import operator
from collections.abc import Callable, Iterator
from typing import Any

from engine.match.names import read_name
from engine.match.seen import Node, Seen, all_of, any_of, negated
from engine.match.situation import Read, Situation, Truth
from engine.match.values import OPERATIONS, Kind, Operation, calculate, kind, mismatch, shown
from engine.model.rule import Arith, Compare, Expr, Literal_, Logic, Name, Not

_SYMBOLS = {"not-in": "not in"}
_NUMERIC: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def compile_expression(expr: Expr, silence: float) -> Node:
    """A truth and its explanation. A value that stands alone must be true or false, else it is unknown."""
    match expr:
        case Logic():
            return _logic(expr, silence)
        case Not():
            return _negation(expr, silence)
        case Compare(op="exists"):
            return _exists(expr, silence)
        case Compare():
            return _comparison(expr, silence)
        case _:
            return _alone(expr, silence)


def value_of(expr: Expr, silence: float) -> Read:
    """How to read an expression's value; None is unknown."""
    match expr:
        case Name():
            return read_name(expr.path, silence)
        case Literal_():
            constant = tuple(expr.value) if isinstance(expr.value, list) else expr.value
            return lambda s: constant
        case Arith():
            left, right, op = value_of(expr.left, silence), value_of(expr.right, silence), expr.op
            return lambda s: calculate(op, left(s), right(s))
        case _:
            return compile_expression(expr, silence).holds


def text_of(expr: Expr | None) -> str:
    """An expression as an author would write it."""
    match expr:
        case Name():
            return ".".join(expr.path)
        case Literal_():
            return _constant(expr.value)
        case Compare(op="between", right=Literal_(value=(low, high))):
            return f"{text_of(expr.left)} between {_constant(low)} and {_constant(high)}"
        case Compare(op="exists"):
            return f"{text_of(expr.left)} exists"
        case Compare():
            return f"{text_of(expr.left)} {_SYMBOLS.get(expr.op, expr.op)} {text_of(expr.right)}"
        case Arith():
            sides = [f"({text_of(e)})" if isinstance(e, Arith) else text_of(e) for e in (expr.left, expr.right)]
            return f"{sides[0]} {expr.op} {sides[1]}"
        case Logic():
            return f" {expr.op} ".join(f"({text_of(i)})" if isinstance(i, Logic) else text_of(i) for i in expr.items)
        case Not():
            return f"not ({text_of(expr.item)})"
        case _:
            return ""


def _constant(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ", ".join(_constant(item) for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


# ------------------------------------------------------------------ leaves


def _comparison(expr: Compare, silence: float) -> Node:
    op = OPERATIONS[expr.op]
    left = value_of(expr.left, silence)
    right_expr = _listed(expr)
    right = value_of(right_expr, silence)
    holds = _fast(expr, op, left, right_expr) or _general(op, left, right)
    words: tuple[str, str] | None = None

    def look(s: Situation) -> Seen:
        nonlocal words
        words = words or _words(expr, right_expr)  # when somebody asks: ten thousand rules have many lines
        (name, needs), note = words, ""
        a, b, ok = left(s), right(s), holds(s)
        if ok is None:
            note = _unknown(_fields(expr, silence), s) or (
                mismatch(expr.op, a, b) if a is not None and b is not None else "not computable"
            )
        if not isinstance(right_expr, Literal_):
            needs = f"{needs} ({_constant(shown(b))})"
        return Seen(name, ok, shown(a), needs, note)

    return Node(holds, look)


def _words(expr: Compare, right: Expr) -> tuple[str, str]:
    """The line as its author would write it, and what it needs of its left side."""
    name = text_of(expr)
    if isinstance(right, Literal_):
        return name, name.removeprefix(f"{text_of(expr.left)} ")
    return name, f"{_SYMBOLS.get(expr.op, expr.op)} {text_of(right)}"


def _listed(expr: Compare) -> Expr:
    """``in`` takes a list, also of one."""
    assert expr.right is not None, "only `exists` has no right side"
    right = expr.right
    if expr.op in ("in", "not-in") and isinstance(right, Literal_) and not isinstance(right.value, list | tuple):
        return Literal_((right.value,))
    return right


def _general(op: Operation, left: Read, right: Read) -> Truth:
    def holds(s: Situation) -> bool | None:
        a = left(s)
        return None if a is None else op(a, right(s))

    return holds


def _fast(expr: Compare, op: Operation, left: Read, right: Expr) -> Truth | None:
    """The common lines, a field against a constant number or text, without looking at kinds twice."""
    if not isinstance(right, Literal_) or expr.op not in _NUMERIC:
        return None
    constant, compare = right.value, _NUMERIC[expr.op]
    if kind(constant) is Kind.NUMBER:

        def number(s: Situation) -> bool | None:
            a = left(s)
            if type(a) is int or (type(a) is float and a - a == 0.0):
                return compare(a, constant)
            return None if a is None else op(a, constant)

        return number
    if type(constant) is str:

        def text(s: Situation) -> bool | None:
            a = left(s)
            return compare(a, constant) if type(a) is str else None if a is None else op(a, constant)

        return text
    return None


def _exists(expr: Compare, silence: float) -> Node:
    """Always definite: asking whether a value is known has an answer."""
    read, name = value_of(expr.left, silence), text_of(expr)

    def holds(s: Situation) -> bool:
        return kind(read(s)) is not Kind.NONE

    return Node(holds, lambda s: Seen(name, holds(s), shown(read(s)), "a known value"))


def _alone(expr: Expr, silence: float) -> Node:
    read, name, fields = value_of(expr, silence), text_of(expr), _fields(expr, silence)

    def holds(s: Situation) -> bool | None:
        value = read(s)
        return value if isinstance(value, bool) else None

    def look(s: Situation) -> Seen:
        value, ok = read(s), holds(s)
        note = "" if ok is not None else _unknown(fields, s) or f"{name} is {shown(value)!r}, neither true nor false"
        return Seen(name, ok, shown(value), "true", note)

    return Node(holds, look)


# ------------------------------------------------------------------ and, or, not


def _logic(expr: Logic, silence: float) -> Node:
    nodes = [compile_expression(item, silence) for item in expr.items]
    truths = tuple(node.holds for node in nodes)
    holds = conjunction(truths) if expr.op == "and" else disjunction(truths)
    join = all_of if expr.op == "and" else any_of
    name = text_of(expr)

    def look(s: Situation) -> Seen:
        parts = tuple(node.look(s) for node in nodes)
        return Seen(name, join(part.ok for part in parts), parts=parts)

    return Node(holds, look)


def _negation(expr: Not, silence: float) -> Node:
    node, name = compile_expression(expr.item, silence), text_of(expr)

    def look(s: Situation) -> Seen:
        part = node.look(s)
        return Seen(name, negated(part.ok), parts=(part,))

    return Node(opposite(node.holds), look)


def opposite(truth: Truth) -> Truth:
    """Kleene's not of a closure."""

    def holds(s: Situation) -> bool | None:
        answer = truth(s)
        return None if answer is None else not answer

    return holds


def conjunction(truths: tuple[Truth, ...]) -> Truth:
    """Kleene's and of closures; stops at the first that is False."""
    if len(truths) < 2:
        return truths[0] if truths else lambda s: True
    first, others = truths[0], truths[1:]

    def holds(s: Situation) -> bool | None:
        result = first(s)
        if result is False:  # which most say
            return False
        for truth in others:
            answer = truth(s)
            if answer is False:
                return False
            if answer is None:
                result = None
        return result

    return holds


def disjunction(truths: tuple[Truth, ...]) -> Truth:
    """Kleene's or of closures; stops at the first that is True."""
    if len(truths) == 1:
        return truths[0]

    def holds(s: Situation) -> bool | None:
        result: bool | None = False
        for truth in truths:
            answer = truth(s)
            if answer:
                return True
            if answer is None:
                result = None
        return result

    return holds


# ------------------------------------------------------------------ naming what is unknown


def _fields(expr: Expr, silence: float) -> tuple[tuple[str, Read], ...]:
    """Every name in an expression, once, with how it is read."""
    paths = list(dict.fromkeys(_paths(expr)))
    return tuple((".".join(path), read_name(path, silence)) for path in paths)


def _paths(expr: Expr | None) -> Iterator[tuple[str, ...]]:
    match expr:
        case Name():
            yield expr.path
        case Compare() | Arith():
            yield from _paths(expr.left)
            yield from _paths(expr.right)
        case Logic():
            for item in expr.items:
                yield from _paths(item)
        case Not():
            yield from _paths(expr.item)


def _unknown(fields: tuple[tuple[str, Read], ...], s: Situation) -> str:
    missing = [name for name, read in fields if kind(read(s)) is Kind.NONE]
    if not missing:
        return ""
    return f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} unknown: never told, or too old"
