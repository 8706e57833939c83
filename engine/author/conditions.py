"""Conditions: what may stand under ``only_if``, ``unless``, ``any_of``, ``all_of`` and ``none_of``."""

import re
from collections.abc import Callable

from engine.author.durations import parse_metres
from engine.author.expression import ExpressionError, parse
from engine.author.nodes import Items, Mapping, Node, Scalar
from engine.author.report import TextError, clip, nearest, renamed
from engine.author.sequences import read_sequence
from engine.author.source import Source
from engine.author.targets import (
    note_target,
    one_line,
    parse_clause,
    parse_history,
    parse_target,
    read_names,
    read_target,
    split_clauses,
)
from engine.author.times import parse_local_times
from engine.model.rule import (
    AllOf,
    AnyOf,
    Condition,
    Did,
    Expr,
    Expression,
    InSegment,
    Inside,
    LocalTime,
    Near,
    NoneOf,
    Visited,
)

_TAIL = re.compile(
    r",\s*(at least\s+(?:\d{1,6}\s+times?|once|twice)|(?:in|within|over|during) the (?:last|past)\s+[^,]*)$"
)
_EVENT = re.compile(r"[^\s,]{1,100}")


def read_conditions(source: Source, node: Node, what: str) -> tuple[Condition, ...]:
    """A list of conditions (a single one is a list of one). Wrong ones are told and left out."""
    if isinstance(node, Scalar) and node.empty:
        source.wrong(node, what, "list")
        return ()
    if isinstance(node, Mapping) and len(node.entries) > 1:
        key = next(iter(node.entries))
        source.error(node, "WRONG_TYPE", f"'{what}' must be a list.", f"Begin every line with '- ': - {clip(key)}: …")
        return ()
    found = [read_condition(source, item) for item in source.each(node, what)]
    return tuple([condition for condition in found if condition is not None])


def read_condition(source: Source, node: Node) -> Condition | None:
    """One condition, or None where it was wrong."""
    if isinstance(node, Scalar):
        return _expression(source, node)
    if isinstance(node, Items) or not isinstance(node, Mapping) or not node.entries:
        source.error(node, "WRONG_TYPE", "A condition is one line.", "Write for example - profile.tier = gold")
        return None
    if len(node.entries) > 1:
        second = list(node.keys.values())[1]
        source.error(
            second, "WRONG_TYPE", "Two conditions share one item.", f"Begin this line with '- ': - {second.text}: …"
        )
        return None
    key, value = next(iter(node.entries.items()))
    reader = READERS.get(key)
    if reader is None:
        _unknown(source, node, key, value)
        return None
    return reader(source, value, {"text": f"{key}: {one_line(value)}".rstrip(": "), "where": source.where(node)})


def _unknown(source: Source, node: Mapping, key: str, value: Node) -> None:
    place = node.keys[key]
    if "." in key or " " in key:
        fix = f"An expression has no colon. Write: - {clip(key)} = {clip(one_line(value))}"
        return source.error(place, "UNKNOWN_CONDITION", f"'{clip(key)}' is no condition.", fix)
    near, edit = nearest(key, READERS), renamed(key, READERS)
    fix = f"Did you mean '{near}'?" if near else f"Known: {', '.join(READERS)}; or an expression."
    return source.error(place, "UNKNOWN_CONDITION", f"'{clip(key)}' is no condition.", fix, edit=edit)


def _expression(source: Source, node: Scalar) -> Condition | None:
    text = source.text(node, "condition")
    expr = None if text is None else read_expression(source, node, text)
    if text is None or expr is None:
        return None
    return Expression(text=" ".join(text.split()), where=source.where(node), expr=expr)


def read_expression(source: Source, node: Scalar, text: str, shift: int = 0, root: str | None = None) -> Expr | None:
    """Parse an expression that begins ``shift`` characters into the node's text; wrong ones are told."""
    try:
        return parse(text, source.fields, root)
    except ExpressionError as error:
        column = error.column - 1 + shift + node.quoted if node.line == node.end_line else 0
        source.error(node, "EXPRESSION", error.problem, error.fix, column, error.edit)
        return None


def _local_time(source: Source, node: Node, at: dict[str, str]) -> Condition | None:
    times = source.parse(node, "local_time", parse_local_times)
    return None if times is None else LocalTime(spans=times[0], but=times[1], **at)


def _in_segment(source: Source, node: Node, at: dict[str, str]) -> Condition | None:
    names = read_names(source, node, "in_segment")
    for name in names or ():
        source.use("segment", name, node)
    return None if names is None else InSegment(segments=names, **at)


def _inside(source: Source, node: Node, at: dict[str, str]) -> Condition | None:
    target = read_target(source, node, "inside")
    return None if target is None else Inside(target=target, **at)


def _near(source: Source, node: Node, at: dict[str, str]) -> Condition | None:
    def parser(text: str) -> Near:
        of, clauses = split_clauses(text)
        metres = parse_clause(clauses, "within", of, parse_metres, "500 m")
        return Near(target=parse_target(of), metres=metres, **at)

    near = source.parse(node, "near", parser)
    if near is not None:
        note_target(source, node, near.target)
    return near


def _visited(source: Source, node: Node, at: dict[str, str]) -> Condition | None:
    def parser(text: str) -> Visited:
        of, clauses = split_clauses(text)
        times, seconds = parse_history(clauses, of)
        return Visited(target=parse_target(of), times=times, seconds=seconds, **at)

    visited = source.parse(node, "visited", parser)
    if visited is not None:
        note_target(source, node, visited.target)
    return visited


def _did(source: Source, node: Node, at: dict[str, str]) -> Condition | None:
    """``EVENT[ where EXPR][, at least N times], in the last …``: commas inside the expression stay with it."""
    text = source.text(node, "did")
    if text is None or not isinstance(node, Scalar):
        return None
    clauses: list[tuple[str, int]] = []
    rest = text
    while (tail := _TAIL.search(rest)) is not None:
        clauses.insert(0, (tail[1].strip(), tail.start(1)))
        rest = rest[: tail.start()]
    event, where, filter_text = rest.partition(" where ")
    event = event.strip()
    try:
        history, wrong = parse_history(clauses, rest), None if _EVENT.fullmatch(event) else event
    except TextError as error:
        shift = error.column + node.quoted if node.line == node.end_line else 0
        source.error(node, "BAD_VALUE", f"did: {error.problem}", error.fix, shift)
        return None
    if wrong is not None:
        fix = "Write: EVENT[ where EXPRESSION][, at least N times], in the last 24 hours"
        source.error(node, "BAD_VALUE", f"did: '{clip(wrong)}' is no event.", fix)
        return None
    shift = text.find(filter_text, len(event) + len(where) - 1)
    filtered = read_expression(source, node, filter_text, shift, "event") if where else None
    if where and filtered is None:
        return None
    return Did(event=event, times=history[0], seconds=history[1], filter=filtered, **at)


def _sequence(source: Source, node: Node, at: dict[str, str]) -> Condition | None:
    return read_sequence(source, node, at, read_expression)


def _nested(
    kind: type[AnyOf] | type[AllOf] | type[NoneOf],
) -> Callable[[Source, Node, dict[str, str]], Condition | None]:
    name = {AnyOf: "any_of", AllOf: "all_of", NoneOf: "none_of"}[kind]

    def read(source: Source, node: Node, at: dict[str, str]) -> Condition | None:
        items = read_conditions(source, node, name)
        return kind(items=items, text=name, where=at["where"]) if items else None

    return read


READERS: dict[str, Callable[[Source, Node, dict[str, str]], Condition | None]] = {
    "local_time": _local_time,
    "in_segment": _in_segment,
    "inside": _inside,
    "near": _near,
    "visited": _visited,
    "did": _did,
    "sequence": _sequence,
    "any_of": _nested(AnyOf),
    "all_of": _nested(AllOf),
    "none_of": _nested(NoneOf),
}
