"""Every kind of condition to a :class:`Node`; segments are compiled once and shared."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec import msgpack, structs

from engine.match.expressions import compile_expression, conjunction, disjunction, opposite
from engine.match.places import Resolve, compile_inside, compile_near
from engine.match.seen import Node, Seen, all_of, any_of, negated
from engine.match.sequence import compile_sequence
from engine.match.situation import Situation, Truth
from engine.match.times import compile_local_time
from engine.match.windows import compile_did, compile_visited
from engine.model.rule import (
    AllOf,
    AnyOf,
    Condition,
    Did,
    Expression,
    InOrder,
    InSegment,
    Inside,
    LocalTime,
    Near,
    NoneOf,
    Segment,
    Visited,
)

_encode = msgpack.Encoder().encode
MAX_SEGMENTS_BELOW = 50
MAX_SEGMENT_LINES = 2_000  # segments may name segments; without a bound forty short ones can ask 2**40 lines


def _key(plain: Condition) -> bytes:
    """Equal for the same line alone; equality itself would take 1, 1.0 and true for the same."""
    try:
        return _encode(plain)
    except OverflowError:  # a whole number of more than 64 bits
        return repr(plain).encode()


@dataclass(slots=True)
class Workshop:
    """What compiling conditions needs of a release. ``silence``: seconds after which a position says nothing.

    Rules often say the same: equal lines share their closures (not their place in a file), which keeps ten thousand
    rules near the processor.
    """

    segments: Mapping[str, Segment]
    resolve: Resolve
    silence: float
    done: dict[str, Node] = field(default_factory=dict)
    lines: dict[bytes, Node] = field(default_factory=dict)
    verdicts: dict[tuple[Truth, ...], Truth] = field(default_factory=dict)
    opposites: dict[Truth, Truth] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for id, problem in _unanswerable(self.segments):
            self.done[id] = _never_known(id, problem)
        weights = dict.fromkeys(self.done, 1)
        for id in self.segments:
            if _weight(id, self.segments, weights) > MAX_SEGMENT_LINES:
                problem = f"segment {id} asks more than {MAX_SEGMENT_LINES} lines through the segments it names"
                self.done[id] = _never_known(id, problem)

    def verdict(self, only_if: Sequence[Node], unless: Sequence[Node]) -> Truth:
        """True when all of ``only_if`` hold and none of ``unless``; any definite failure is False; else unknown."""
        truths = (*(node.holds for node in only_if), *(self._opposite(node.holds) for node in unless))
        if truths not in self.verdicts:
            self.verdicts[truths] = conjunction(truths)
        return self.verdicts[truths]

    def node(self, condition: Condition) -> Node:
        """Compile one condition."""
        plain = structs.replace(condition, text="", where="")
        key = _key(plain)
        shared = self.lines.get(key)
        if shared is None:
            shared = self.lines[key] = self._compile(plain)
        return Node(shared.holds, shared.seen, condition.text, condition.where)

    def _compile(self, condition: Condition) -> Node:
        match condition:
            case Expression():
                return compile_expression(condition.expr, self.silence)
            case LocalTime():
                return compile_local_time(condition)
            case Inside():
                return compile_inside(condition, self.resolve)
            case Near():
                return compile_near(condition, self.resolve, self.silence)
            case Visited():
                return compile_visited(condition, self.resolve)
            case Did():
                return compile_did(condition, self.silence)
            case InOrder():
                return compile_sequence(condition, self.resolve, self.silence)
            case InSegment():
                return self._in_segment(condition)
            case AnyOf() | AllOf() | NoneOf():
                return self._group(condition)

    def _opposite(self, truth: Truth) -> Truth:
        if truth not in self.opposites:
            self.opposites[truth] = opposite(truth)
        return self.opposites[truth]

    def _group(self, condition: AnyOf | AllOf | NoneOf) -> Node:
        nodes = [self.node(item) for item in condition.items]
        truths = tuple(node.holds for node in nodes)
        every, none = isinstance(condition, AllOf), isinstance(condition, NoneOf)
        inner = conjunction(truths) if every else disjunction(truths)
        join = all_of if every else any_of
        name = condition.text or ("all_of" if every else "none_of" if none else "any_of")
        needs = "every one" if every else "none" if none else "at least one"

        def holds(s: Situation) -> bool | None:
            answer = inner(s)
            return None if answer is None else answer is not none

        def look(s: Situation) -> Seen:
            parts = tuple(node.look(s) for node in nodes)
            answer = join(part.ok for part in parts)
            return Seen(name, negated(answer) if none else answer, None, needs, where=condition.where, parts=parts)

        return Node(holds, look)

    def _in_segment(self, condition: InSegment) -> Node:
        nodes = [(id, self.segment(id)) for id in condition.segments]
        holds = disjunction(tuple(node.holds for _, node in nodes))
        name = condition.text or "in_segment"
        needs = " or ".join(condition.segments)

        def look(s: Situation) -> Seen:
            parts = tuple(node.look(s) for _, node in nodes)
            saw = [id for (id, _), part in zip(nodes, parts, strict=True) if part.ok]
            return Seen(name, any_of(part.ok for part in parts), saw, needs, where=condition.where, parts=parts)

        return Node(holds, look)

    def any_segment(self, ids: tuple[str, ...]) -> Truth:
        """Whether a person is in any of these segments."""
        return disjunction(tuple(self.segment(id).holds for id in ids))

    def segment(self, id: str) -> Node:
        """A segment as a node; one that is not defined, or that leads back to itself, is unknown to everybody."""
        known = self.done.get(id)
        if known is not None:
            return known
        segment = self.segments.get(id)
        if segment is None:
            return _never_known(id, f"segment {id} is not defined")
        node = self.done[id] = _segment(segment, [self.node(item) for item in segment.only_if])
        return node


def _unanswerable(segments: Mapping[str, Segment]) -> Iterator[tuple[str, str]]:
    """Segments that lead back to themselves, where asking would never end, or that build on too many others."""
    leads = {id: list(dict.fromkeys(_mentions(segment.only_if))) for id, segment in segments.items()}
    for id in sorted(leads):
        seen: set[str] = set()
        ahead = list(leads[id])
        while ahead:
            other = ahead.pop()
            if other not in seen:
                seen.add(other)
                ahead += leads.get(other, [])
        if id in seen:
            yield id, f"segment {id} leads back to itself"
        elif len(seen) > MAX_SEGMENTS_BELOW:
            yield id, f"segment {id} builds on more than {MAX_SEGMENTS_BELOW} other segments"


def _weight(id: str, segments: Mapping[str, Segment], known: dict[str, int]) -> int:
    """How many lines asking a segment means, through all the segments it names; none of those in a cycle."""
    if id not in known:
        segment = segments.get(id)
        known[id] = 1 if segment is None else _lines(segment.only_if, segments, known)
    return known[id]


def _lines(conditions: Iterable[Condition], segments: Mapping[str, Segment], known: dict[str, int]) -> int:
    total = 1
    for condition in conditions:
        match condition:
            case InSegment():
                total += sum(_weight(other, segments, known) for other in condition.segments)
            case AnyOf() | AllOf() | NoneOf():
                total += _lines(condition.items, segments, known)
            case _:
                total += 1
    return min(total, MAX_SEGMENT_LINES + 1)


def _mentions(conditions: Iterable[Condition]) -> Iterator[str]:
    for condition in conditions:
        match condition:
            case InSegment():
                yield from condition.segments
            case AnyOf() | AllOf() | NoneOf():
                yield from _mentions(condition.items)
            case _:
                pass


def _segment(segment: Segment, nodes: list[Node]) -> Node:
    holds = conjunction(tuple(node.holds for node in nodes))

    def look(s: Situation) -> Seen:
        parts = tuple(node.look(s) for node in nodes)
        return Seen(f"segment {segment.id}", all_of(part.ok for part in parts), where=segment.where, parts=parts)

    return Node(holds, look)


def _never_known(id: str, note: str) -> Node:
    return Node(lambda s: None, lambda s: Seen(f"segment {id}", None, None, "", note))
