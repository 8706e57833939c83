"""What a name's value may be while a rule's lines hold: sets of numbers, texts and yes/no that are met and joined."""

import math
from collections.abc import Iterable
from typing import Any

from msgspec import Struct, structs

_INF = math.inf


class Span(Struct, frozen=True):
    """Numbers from ``low`` to ``high``; an open end does not belong to it."""

    low: float = -_INF
    high: float = _INF
    low_open: bool = False
    high_open: bool = False

    @property
    def empty(self) -> bool:
        """No number fits."""
        return self.low > self.high or (self.low == self.high and (self.low_open or self.high_open))

    def meet(self, other: "Span") -> "Span":
        """The numbers of both."""
        low, low_open = max((self.low, self.low_open), (other.low, other.low_open))
        high, high_closed = min((self.high, not self.high_open), (other.high, not other.high_open))
        return Span(low, high, low_open, not high_closed)

    def join(self, other: "Span") -> "Span":
        """The least span that holds both."""
        low, low_open = min((self.low, self.low_open), (other.low, other.low_open))
        high, high_closed = max((self.high, not self.high_open), (other.high, not other.high_open))
        return Span(low, high, low_open, not high_closed)

    def holds(self, value: float) -> bool:
        """Whether the number belongs to it."""
        return not self.meet(Span(value, value)).empty


class Domain(Struct, frozen=True):
    """What may be: numbers, texts (``only`` these, or any but ``never``), yes/no, anything else (lists), or nothing."""

    span: Span | None = Span()
    only: frozenset[str] | None = None
    never: frozenset[Any] = frozenset()
    texts: bool = True
    flags: frozenset[bool] = frozenset((True, False))
    others: bool = True
    missing: bool = True

    @property
    def empty(self) -> bool:
        """Nothing may be: the lines contradict each other."""
        return not (self.missing or self.others or self.flags or self._numbers() or self._texts())

    def _numbers(self) -> bool:
        if self.span is None or self.span.empty:
            return False
        return self.span.low != self.span.high or self.span.low not in _numbers_of(self.never)

    def _texts(self) -> bool:
        return self.texts and (self.only is None or bool(self.only - self.never))

    def meet(self, other: "Domain") -> "Domain":
        """What both allow."""
        only = self.only if other.only is None else other.only if self.only is None else self.only & other.only
        return Domain(
            span=None if self.span is None or other.span is None else self.span.meet(other.span),
            only=only,
            never=self.never | other.never,
            texts=self.texts and other.texts,
            flags=self.flags & other.flags,
            others=self.others and other.others,
            missing=self.missing and other.missing,
        )

    def join(self, other: "Domain") -> "Domain":
        """What one or the other allows (or more: never less)."""
        if self.empty or other.empty:
            return other if self.empty else self
        spans = [span for span in (self.span, other.span) if span is not None and not span.empty]
        only = None
        if not (self._texts() and other._texts()):
            only = self.only if self._texts() else other.only
        elif self.only is not None and other.only is not None:
            only = self.only | other.only
        return Domain(
            span=None if not spans else spans[0] if len(spans) == 1 else spans[0].join(spans[1]),
            only=only,
            never=self.never & other.never,
            texts=self._texts() or other._texts(),
            flags=self.flags | other.flags,
            others=self.others or other.others,
            missing=self.missing or other.missing,
        )


_NOTHING = Domain(span=None, texts=False, flags=frozenset(), others=False, missing=False)
KNOWN = Domain(missing=False)
MISSING = structs.replace(_NOTHING, missing=True)
LIST_OR_TEXT = Domain(span=None, flags=frozenset(), missing=False)


def numbers(span: Span) -> Domain:
    """Numbers alone."""
    return structs.replace(_NOTHING, span=span)


def exactly(values: Iterable[Any]) -> Domain:
    """One of these constants."""
    domain = _NOTHING
    for value in values:
        domain = domain.join(_one(value))
    return domain


def _one(value: Any) -> Domain:
    if isinstance(value, bool):
        return structs.replace(_NOTHING, flags=frozenset((value,)))
    if isinstance(value, (int, float)):
        return numbers(Span(value, value))
    return structs.replace(_NOTHING, texts=True, only=frozenset((str(value),)))


def none_of(values: Iterable[Any]) -> Domain:
    """Any value of the kinds of these constants but these. (A value of another kind does not compare at all.)"""
    domain = _NOTHING
    for value in values:
        if isinstance(value, bool):
            kind = structs.replace(_NOTHING, flags=frozenset((not value,)))
        elif isinstance(value, (int, float)):
            kind = structs.replace(_NOTHING, span=Span(), never=frozenset((value,)))
        else:
            kind = structs.replace(_NOTHING, texts=True, never=frozenset((str(value),)))
        never = domain.never | kind.never
        domain = structs.replace(domain.join(kind), never=never)
    return domain


def compared(op: str, value: float | str) -> Domain:
    """What compares so with a number or a text that has an order (a date)."""
    if isinstance(value, str):
        return structs.replace(_NOTHING, texts=True)
    if op in ("<", "<="):
        return numbers(Span(high=value, high_open=op == "<"))
    return numbers(Span(low=value, low_open=op == ">"))


def _numbers_of(values: frozenset[Any]) -> list[float]:
    return [value for value in values if isinstance(value, (int, float)) and not isinstance(value, bool)]
