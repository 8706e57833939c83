"""A rule's lines as one formula that durable-rules can test: flat scalars against constants, joined by and and or.

durable-rules decides what compares a value with a constant, and how the lines come together. What looks at time,
places, histories, lists or sums arrives as a fact that our own conditions worked out. There is no ``not``: a negation
is carried down to the comparisons. Unknown is told apart from no by asking twice (``durable``): once with whatever is
unknown standing for a value that fits, once without it; ``Slot.unknown`` is a value that fits every test made of it.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.match import durable_facts as facts
from engine.match.conditions import Workshop
from engine.match.durable_facts import Scalar
from engine.match.durable_formula import Formula, Some, Test, every, groups, ways, written
from engine.match.expressions import compile_expression, text_of, value_of
from engine.match.situation import Read, Situation
from engine.match.values import Kind, kind
from engine.model.rule import (
    AllOf,
    AnyOf,
    Compare,
    Condition,
    Expr,
    Expression,
    InSegment,
    Literal_,
    Logic,
    NoneOf,
    Not,
    Rule,
)

MAX_TESTS = 180  # of a rule: a fact stays below 200 properties
MAX_GROUPS = 15  # durable-rules keeps 31 steps of a formula, two for each group
MAX_WAYS = 48  # in which one fact can fit: it follows at most 64 at once, and fires for each

USE_INDEXED = 'Write the line in another way, or use [match] engine = "indexed".'
SPLIT = 'Make two rules of it, or use [match] engine = "indexed".'
_MIRRORED = {"=": "=", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_WRITTEN: dict[Kind, tuple[Callable[[Any], Scalar | None], Scalar]] = {
    Kind.NUMBER: (facts.number, facts.HIGHEST),
    Kind.TEXT: (facts.text, facts.UNKNOWN_TEXT),
    Kind.FLAG: (facts.flag, facts.UNKNOWN_FLAG),
}
_ORDER = {"<": "$lt", "<=": "$lte", ">": "$gt", ">=": "$gte"}


class NotDurable(Exception):
    """What durable-rules cannot express: a line, or a rule as a whole. ``where``: file:line."""

    def __init__(self, problem: str, where: str, fix: str = USE_INDEXED) -> None:
        super().__init__(problem)
        self.problem, self.where, self.fix = problem, where, fix


@dataclass(frozen=True, slots=True)
class Slot:
    """One property of a fact: how it is read (None: unknown) and what stands for it while it is unknown."""

    read: Callable[[Situation], Scalar | None]
    unknown: Scalar


@dataclass(frozen=True, slots=True)
class Asked:
    """A rule as durable-rules sees it. ``shape`` is the formula as text: rules that differ only in what they read share
    it."""

    slots: tuple[tuple[str, Slot], ...]
    shape: str


@dataclass(slots=True)
class Translation:
    """One rule under translation."""

    rule: Rule
    workshop: Workshop
    unanswerable: frozenset[str]
    where: str = ""
    tests: int = 0
    slots: dict[str, tuple[str, Slot]] = field(default_factory=dict)

    def asked(self) -> Asked | list[NotDurable]:
        """The whole rule, or each line that cannot be expressed."""
        refused: list[NotDurable] = []
        lines: list[Formula] = []
        for line, wanted in ((line, wanted) for wanted, group in self._lines() for line in group):
            self.where = self.rule.where
            try:
                lines.append(self._condition(line, wanted))
            except NotDurable as error:
                refused.append(error)
        formula = every(lines)
        refused = refused or self._too_large(formula)
        return refused or Asked(tuple(self.slots.values()), json.dumps([written(item) for item in formula.items]))

    def _lines(self) -> tuple[tuple[bool, tuple[Condition, ...]], ...]:
        return (True, self.rule.only_if), (False, self.rule.unless)

    def _too_large(self, formula: Formula) -> list[NotDurable]:
        if groups(formula) > MAX_GROUPS:
            problem = f"Its lines come in {groups(formula)} groups; durable-rules takes {MAX_GROUPS} in a rule."
        elif ways(formula) > MAX_WAYS:
            problem = f"Its lines can hold in {ways(formula)} ways at once; durable-rules takes {MAX_WAYS} of a rule."
        else:
            return []
        return [NotDurable(problem, self.rule.where, SPLIT)]

    # -------------------------------------------------------------- conditions

    def _condition(self, condition: Condition, wanted: bool) -> Formula:
        """What must be so for a condition to hold (or, not ``wanted``, to fail)."""
        self.where = condition.where or self.where
        match condition:
            case Expression():
                return self._expression(condition.expr, wanted)
            case AllOf(items=items) if items:
                return self._join(wanted, (self._condition(item, wanted) for item in items))
            case AnyOf(items=items) if items:
                return self._join(not wanted, (self._condition(item, wanted) for item in items))
            case NoneOf(items=items) if items:
                return self._join(wanted, (self._condition(item, not wanted) for item in items))
            case InSegment(segments=segments):
                return self._join(not wanted, (self._segment(id, wanted) for id in segments))
            case _:
                node = self.workshop.node(condition)
                return self._flag(repr(condition), node.holds, wanted)

    def _segment(self, id: str, wanted: bool) -> Formula:
        segment = self.workshop.segments.get(id)
        if segment is None or not segment.only_if or id in self.unanswerable:
            return self._flag(f"segment {id}", self.workshop.segment(id).holds, wanted)
        return self._join(wanted, (self._condition(line, wanted) for line in segment.only_if))

    # -------------------------------------------------------------- expressions

    def _expression(self, expr: Expr, wanted: bool) -> Formula:
        match expr:
            case Logic():
                return self._join((expr.op == "and") is wanted, (self._expression(i, wanted) for i in expr.items))
            case Not():
                return self._expression(expr.item, not wanted)
            case Compare(op="exists" | "contains"):
                return self._worked_out(expr, wanted)
            case Compare():
                return self._compare(expr, wanted)
            case _:
                return self._flag(repr(expr), value_of(expr, self.workshop.silence), wanted)

    def _compare(self, expr: Compare, wanted: bool) -> Formula:
        left, op, right = expr.left, expr.op, expr.right
        if isinstance(left, Literal_) and isinstance(right, Literal_):
            return self._worked_out(expr, wanted)
        if isinstance(left, Literal_) and op in _MIRRORED and right is not None:
            left, op, right = right, _MIRRORED[op], left
        if not isinstance(right, Literal_):
            raise self._cannot(f"'{text_of(expr)}' compares two values that change; durable-rules takes one.")
        many = isinstance(right.value, list | tuple)
        if many and op not in ("in", "not-in", "between"):
            return self._worked_out(expr, wanted)
        constants = tuple(right.value) if many else (right.value,)
        kinds = {kind(constant) for constant in constants}
        if len(kinds) > 1 and op != "between":
            raise self._cannot(f"'{text_of(expr)}' has a list of several kinds; durable-rules takes one kind.")
        compares = {Kind.NUMBER, Kind.TEXT} if op in _ORDER or op == "between" else {Kind.NUMBER, Kind.TEXT, Kind.FLAG}
        if len(kinds) != 1 or not kinds <= compares:
            return self._worked_out(expr, wanted)  # unknown whatever the value is
        if Kind.TEXT in kinds and (op in _ORDER or op == "between"):
            raise self._cannot(f"'{text_of(expr)}' orders text; durable-rules orders numbers only.")
        if Kind.NUMBER in kinds:
            self._exact(expr, constants)
        return self._against(left, op, constants, wanted)

    def _against(self, left: Expr, op: str, constants: tuple[Any, ...], wanted: bool) -> Formula:
        """A value against constants of one kind that it can be compared with."""
        if op == "between":
            ends = zip((">=", "<="), constants, strict=True)
            return self._join(wanted, [self._order(left, op if wanted else _OPPOSITE[op], c) for op, c in ends])
        if op in _ORDER:
            return self._order(left, op if wanted else _OPPOSITE[op], constants[0])
        return self._one_of(left, constants, wanted is (op in ("=", "in")))

    def _order(self, left: Expr, op: str, constant: Any) -> Formula:
        """An unknown number is below all others where it should be low, above them where it should be high."""
        unknown = -facts.HIGHEST if op in ("<", "<=") else facts.HIGHEST
        slot = self._slot(left, facts.number, unknown)
        return self._test(_ORDER[op], slot, facts.number(constant))

    def _one_of(self, left: Expr, constants: tuple[Any, ...], wanted: bool) -> Formula:
        write, unknown = _WRITTEN[kind(constants[0])]
        slot = self._slot(left, write, unknown)
        values = dict.fromkeys(write(constant) for constant in constants)
        if wanted:
            return Some(tuple(self._test("", slot, value) for value in (*values, unknown)), single=True)
        return self._join(True, [self._test("$neq", slot, value) for value in values])

    def _worked_out(self, expr: Expr, wanted: bool) -> Formula:
        """A line that our own conditions answer."""
        return self._flag(repr(expr), compile_expression(expr, self.workshop.silence).holds, wanted)

    def _flag(self, key: str, read: Read, wanted: bool) -> Formula:
        slot = self._named(f"flag {key}", lambda s: facts.flag(read(s)), facts.UNKNOWN_FLAG)
        return self._test("$neq", slot, 0 if wanted else 1)

    # -------------------------------------------------------------- parts

    def _slot(self, expr: Expr, write: Callable[[Any], Scalar | None], unknown: Scalar) -> str:
        read = value_of(expr, self.workshop.silence)
        return self._named(f"{write.__name__} {unknown} {expr!r}", lambda s: write(read(s)), unknown)

    def _named(self, key: str, read: Callable[[Situation], Scalar | None], unknown: Scalar) -> str:
        if key not in self.slots:
            self.slots[key] = (f"v{len(self.slots)}", Slot(read, unknown))
        return self.slots[key][0]

    def _test(self, op: str, slot: str, value: Scalar | None) -> Test:
        assert value is not None, "a constant is of the kind that its slot is written in"
        self.tests += 1
        if self.tests > MAX_TESTS:
            problem = f"It makes more than {MAX_TESTS} comparisons; durable-rules takes no more in a rule."
            raise NotDurable(problem, self.rule.where, SPLIT)
        return Test(op, slot, value)

    def _join(self, all_: bool, items: Iterable[Formula]) -> Formula:
        parts = tuple(items)
        if len(parts) == 1:
            return parts[0]
        return every(parts) if all_ else Some(parts)

    def _exact(self, expr: Compare, constants: Sequence[Any]) -> None:
        for constant in constants:
            if not facts.exact(constant):
                problem = f"'{text_of(expr)}' needs a number of more than {facts.DECIMALS} decimals or above 4 billion;"
                raise self._cannot(f"{problem} durable-rules would round it.")

    def _cannot(self, problem: str) -> NotDurable:
        return NotDurable(problem, self.where or self.rule.where)


def translate(rule: Rule, workshop: Workshop, unanswerable: frozenset[str]) -> Asked | list[NotDurable]:
    """One rule for durable-rules, or why not. ``unanswerable``: segments that nobody can be asked about."""
    return Translation(rule, workshop, unanswerable).asked()
