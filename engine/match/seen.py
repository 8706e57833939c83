"""What a condition saw when it was looked at: a small tree, flattened to the lines of a trace."""

from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from engine.match.situation import Situation, Truth
from engine.model.moment import Check
from engine.model.reason import Reason


def never() -> None:
    """Nobody knows when this answer turns."""


class Seen(Struct, frozen=True, eq=False):
    """One condition as it came out. ``free``: when the answer turns by itself, where that is known; asked only of what
    is told, for it takes longer than all the rest."""

    name: str
    ok: bool | None
    saw: Any = None
    needs: str = ""
    note: str = ""
    where: str = ""
    free: Callable[[], float | None] = never
    parts: "tuple[Seen, ...]" = ()


class Node(Struct, frozen=True, eq=False):
    """A compiled condition: the fast answer, and the same answer with everything it saw. Equal lines share both; what a
    line is called and where it stands is its own."""

    holds: Truth
    seen: Callable[[Situation], Seen]
    name: str = ""
    where: str = ""

    def look(self, s: Situation) -> Seen:
        """The answer, and what it saw."""
        seen = self.seen(s)
        if not (self.name or self.where):
            return seen
        return replace(seen, name=self.name or seen.name, where=self.where)


def negated(answer: bool | None) -> bool | None:
    """Kleene's not."""
    return None if answer is None else not answer


def all_of(answers: Iterator[bool | None]) -> bool | None:
    """Kleene's and, stopping at the first False."""
    result: bool | None = True
    for answer in answers:
        if answer is False:
            return False
        if answer is None:
            result = None
    return result


def any_of(answers: Iterator[bool | None]) -> bool | None:
    """Kleene's or, stopping at the first True."""
    result: bool | None = False
    for answer in answers:
        if answer:
            return True
        if answer is None:
            result = None
    return result


def line(node: Node, s: Situation, unless: bool) -> tuple[Check, ...]:
    """A line of ``only_if`` or ``unless`` as checks: first the line itself, with its reason, then its parts, deeper.

    ``ok`` of the line says whether it lets the rule pass; of the parts, whether they hold.
    """
    seen = node.seen(s)
    where = node.where if node.name or node.where else seen.where
    ok = negated(seen.ok) if unless else seen.ok
    needs = (f"not {seen.needs}" if seen.needs else "must not hold") if unless else seen.needs
    reason = None if ok else (Reason.CONDITION if ok is False else Reason.UNKNOWN_VALUE)
    note = seen.note or (_unknown_parts(seen) if ok is None else "")
    free = None if ok else seen.free()
    head = Check(node.name or seen.name, ok, seen.saw, needs, where, reason, free, note, 0)
    return (head, *_parts(seen, 1)) if seen.parts else (head,)


def _parts(seen: Seen, depth: int) -> Iterator[Check]:
    for part in seen.parts:
        free = part.free()
        yield Check(part.name, part.ok, part.saw, part.needs, part.where, None, free, part.note, depth)
        yield from _parts(part, depth + 1)


def _unknown_parts(seen: Seen) -> str:
    """The notes of the parts that are unknown, so that the line itself names the field."""
    notes: list[str] = []
    for part in seen.parts:
        if part.ok is None:
            note = part.note or _unknown_parts(part)
            notes += [note] if note and note not in notes else []
    return "; ".join(notes)
