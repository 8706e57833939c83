"""What must be so for a rule's lines to hold: lines that can never hold together are found here.

A line that is unknown never sends, so "holds" and "surely does not hold" are all there is to know: what follows is
plain two-valued logic over what each name's value may be.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from msgspec import Struct, structs

from engine.author.domains import KNOWN, LIST_OR_TEXT, MISSING, Domain, Span, compared, exactly, none_of, numbers
from engine.author.week import week_of
from engine.match.expressions import text_of
from engine.model.rule import (
    AllOf,
    AnyOf,
    Compare,
    Condition,
    Did,
    Expr,
    Expression,
    InSegment,
    Literal_,
    LocalTime,
    Logic,
    Name,
    Near,
    NoneOf,
    Not,
    Segment,
    Visited,
)

_DEEPEST = 12  # segments of segments
_MIRROR = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "!=": "!="}
_OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "=": "!=", "!=": "=", "in": "not-in", "not-in": "in"}


class Bound(Protocol):
    """What one key may be, whatever kind of thing it is."""

    @property
    def empty(self) -> bool: ...
    def meet(self, other: Any) -> Any: ...
    def join(self, other: Any) -> Any: ...


class History(Struct, frozen=True):
    """``at least N times in the last S``: what must hold and what must not."""

    holds: tuple[tuple[int, float], ...] = ()
    fails: tuple[tuple[int, float], ...] = ()

    @property
    def empty(self) -> bool:
        """As often in so short a time means at least as often in a longer one."""
        return any(m <= n and t >= s for n, s in self.holds for m, t in self.fails)

    def meet(self, other: "History") -> "History":
        """Both."""
        return History(self.holds + other.holds, self.fails + other.fails)

    def join(self, other: "History") -> "History":
        """One or the other: nothing is certain unless they are alike."""
        return self if self == other else History()


class Said(Struct, frozen=True):
    """Who says what a value may be: a line, or one comparison in it that holds (or does not)."""

    line: Condition
    compare: Compare | None = None
    holds: bool = True

    @property
    def text(self) -> str:
        """As an author would write it."""
        if self.compare is None:
            return self.line.text
        return text_of(self.compare) if self.holds else f"not {text_of(self.compare)}"


class Clash(Struct, frozen=True):
    """Two things that can never hold together (or one alone, where both are the same)."""

    said: Said
    earlier: Said


Facts = dict[Any, tuple[Bound, Said]]  # key -> what it may be, and who said so last


class Holding:
    """Works out what must be so. ``clashes``: why the whole can never hold; ``partial``: why a part of it cannot."""

    def __init__(self, segments: dict[str, Segment]) -> None:
        self._segments, self._depth = segments, 0
        self.clashes: list[Clash] = []
        self.partial: list[Clash] = []

    def rule(self, only_if: Sequence[Condition], unless: Sequence[Condition]) -> Facts | None:
        """What is so whenever the rule sends; None: it never does."""
        return self.all([*(self._part(c, True) for c in only_if), *(self._part(c, False) for c in unless)])

    def _part(self, condition: Condition, holds: bool) -> Callable[[], Facts | None]:
        return lambda: self.condition(condition, holds)

    def all(self, parts: Iterable[Callable[[], Facts | None]]) -> Facts | None:
        """Every part."""
        met: Facts = {}
        possible = True
        for part in parts:
            facts = part()
            possible = possible and facts is not None
            for key, fact in (facts or {}).items():
                earlier = met.setdefault(key, fact)
                if earlier is fact:
                    continue
                bound, said = fact
                both = earlier[0].meet(bound)
                if both.empty:
                    self.clashes.append(Clash(said, earlier[1]))
                    possible = False
                else:
                    met[key] = (both, said)
        return met if possible else None

    def any(self, parts: Iterable[Callable[[], Facts | None]]) -> Facts | None:
        """At least one part: what all that can hold have in common."""
        before = len(self.clashes)
        live = [facts for part in parts if (facts := part()) is not None]
        if not live:
            return None
        self.partial += self.clashes[before:]
        del self.clashes[before:]
        common = live[0]
        for facts in live[1:]:
            common = {key: (bound.join(facts[key][0]), said) for key, (bound, said) in common.items() if key in facts}
        return common

    # -------------------------------------------------------------- conditions

    def condition(self, condition: Condition, holds: bool) -> Facts | None:
        """What is so when the condition holds (or surely does not)."""
        match condition:
            case Expression(expr=expr):
                return self.expression(expr, holds, condition)
            case LocalTime():
                return {"local_time": (week_of(condition, holds), Said(condition))}
            case Did(event=event, filter=filter_):
                return self._history(("did", event, repr(filter_)), condition, holds)
            case AnyOf(items=items) | AllOf(items=items) | NoneOf(items=items):
                wanted = holds is not isinstance(condition, NoneOf)
                parts = [self._part(item, wanted) for item in items]
                together = holds is not isinstance(condition, AnyOf)
                return self.all(parts) if together else self.any(parts)
            case InSegment():
                return self._segment(condition, holds)
            case Visited(target=target):
                return self._history(("visited", target), condition, holds)
            case Near(target=target, metres=metres):
                span = Span(high=metres) if holds else Span(low=metres, low_open=True)
                return {("near", target): (numbers(span), Said(condition))}
            case _:
                key = repr(structs.replace(condition, text="", where=""))  # equality takes 1 and true for the same
                return {key: (exactly((holds,)), Said(condition))}

    def _history(self, key: Any, condition: Did | Visited, holds: bool) -> Facts:
        asked = ((condition.times, condition.seconds),)
        return {key: (History(asked, ()) if holds else History((), asked), Said(condition))}

    def _segment(self, condition: InSegment, holds: bool) -> Facts | None:
        known = [self._segments[name] for name in condition.segments if name in self._segments]
        if len(known) < len(condition.segments) or self._depth >= _DEEPEST:
            return {}
        self._depth += 1
        before, partly = len(self.clashes), len(self.partial)
        wholes = [AllOf(items=segment.only_if, where=segment.where) for segment in known]
        parts = [self._part(whole, holds) for whole in wholes]
        facts = self.any(parts) if holds else self.all(parts)
        self._depth -= 1
        del self.clashes[before:], self.partial[partly:]  # told where the segment is looked at
        if facts is None:
            self.clashes.append(Clash(Said(condition), Said(condition)))
            return None
        return {key: (bound, Said(condition)) for key, (bound, _) in facts.items()}

    # -------------------------------------------------------------- expressions

    def expression(self, expr: Expr, holds: bool, line: Condition) -> Facts | None:
        """What is so when the expression is true (or surely false)."""
        match expr:
            case Not(item=item):
                return self.expression(item, not holds, line)
            case Logic(op=op, items=items):
                parts = [self._expr(item, holds, line) for item in items]
                return self.all(parts) if (op == "and") is holds else self.any(parts)
            case Compare():
                return self._compare(expr, holds, line)
            case _:
                return {}

    def _expr(self, expr: Expr, holds: bool, line: Condition) -> Callable[[], Facts | None]:
        return lambda: self.expression(expr, holds, line)

    def _compare(self, compare: Compare, holds: bool, line: Condition) -> Facts | None:
        op, left, right = compare.op, compare.left, compare.right
        if isinstance(left, Literal_) and isinstance(right, Name) and op in _MIRROR:
            op, left, right = _MIRROR[op], right, left
        if not isinstance(left, Name):
            return {}
        said = Said(line, compare, holds)
        domain = _domain(op, right, holds)
        if domain.empty:
            self.clashes.append(Clash(said, said))
            return None
        return {".".join(left.path): (domain, said)}


def _domain(op: str, right: Expr | None, holds: bool) -> Domain:
    """The values for which the comparison with a constant is true (or false)."""
    if op == "exists":
        return KNOWN if holds else MISSING
    if op == "contains":
        return LIST_OR_TEXT
    if not isinstance(right, Literal_):
        return KNOWN
    value = right.value
    if op == "between":
        return _between(value, holds)
    if not holds:
        op = _OPPOSITE[op]
    if op in ("=", "in"):
        return exactly(value if isinstance(value, (tuple, list)) else (value,))
    if op in ("!=", "not-in"):
        return none_of(value if isinstance(value, (tuple, list)) else (value,))
    return compared(op, value)


def _between(bounds: Any, holds: bool) -> Domain:
    low, high = bounds
    if isinstance(low, str) or not holds:
        return compared("<", low) if isinstance(low, str) else numbers(Span())
    return numbers(Span(low, high))
