"""``sequence``: what a person went through, step by step, each within a time of the one before."""

import re
from collections.abc import Callable

from engine.author.durations import duration_text, parse_duration, parse_span
from engine.author.nodes import Items, Mapping, Node, Scalar
from engine.author.report import TextError, clip, nearest
from engine.author.source import Source
from engine.author.targets import note_target, parse_target
from engine.model.rule import Expr, InOrder, Step

KINDS = {"enters": "enter", "exits": "exit", "dwells": "dwell", "event": "event"}
LOOK_BACK = 86400.0  # where the first step does not say how long ago it may be
_MOST = 20
_TAIL = re.compile(r",\s*(within|for|in the last|in the past)\s+([^,]*)$", re.IGNORECASE)
_EVENT = re.compile(r"[^\s,]{1,100}")
_FIX = "Write for example - enters: tag shop, in the last 4 hours, then - event: view, within 30 minutes"

ReadExpression = Callable[[Source, Scalar, str, int, str | None], Expr | None]


def read_sequence(source: Source, node: Node, at: dict[str, str], expression: ReadExpression) -> InOrder | None:
    """The steps in order; None where anything is wrong."""
    if not isinstance(node, Items) or not 2 <= len(node.items) <= _MOST:
        source.error(node, "WRONG_TYPE", f"A sequence is a list of 2 to {_MOST} steps.", _FIX)
        return None
    steps: list[Step] = []
    seconds = LOOK_BACK
    for number, item in enumerate(node.items):
        found = _step(source, item, number == 0, expression)
        if found is None:
            return None
        step, last = found
        steps.append(step)
        seconds = last or seconds
    at = {**at, "text": f"sequence of {len(steps)} steps in the last {duration_text(seconds)}"}
    return InOrder(steps=tuple(steps), seconds=seconds, **at)


def _step(source: Source, node: Node, first: bool, expression: ReadExpression) -> tuple[Step, float | None] | None:
    """One step, and for the first how far back it may lie."""
    if not isinstance(node, Mapping) or len(node.entries) != 1:
        source.error(node, "WRONG_TYPE", "A step is one trigger or event.", _FIX)
        return None
    key, value = next(iter(node.entries.items()))
    if key not in KINDS:
        near = nearest(key, KINDS)
        fix = f"Did you mean '{near}'?" if near else f"Known: {', '.join(KINDS)}."
        source.error(node.keys[key], "UNKNOWN_TRIGGER", f"'{clip(key)}' is no step.", fix)
        return None
    text = source.text(value, key)
    if text is None or not isinstance(value, Scalar):
        return None
    try:
        of, times = _clauses(text, key, first)
        return _made(source, value, key, of, times, expression)
    except TextError as error:
        shift = error.column + value.quoted if value.line == value.end_line else 0
        source.error(value, "BAD_VALUE", f"{key}: {error.problem}", error.fix, shift)
        return None


def _clauses(text: str, kind: str, first: bool) -> tuple[str, dict[str, float]]:
    """What stands before the clauses, and the seconds of each. Raises ``TextError``."""
    times: dict[str, float] = {}
    rest = text
    while (tail := _TAIL.search(rest)) is not None:
        word = "last" if tail[1].lower().startswith("in") else tail[1].lower()
        wanted = {"last"} if first else {"within"}
        if word not in wanted | ({"for"} if kind == "dwells" else set()):
            raise TextError(f"'{clip(tail[0].strip(', '))}' does not fit here.", _FIX, tail.start(1))
        try:
            times[word] = (parse_span if word == "last" else parse_duration)(tail[2])
        except TextError as error:
            raise TextError(error.problem, error.fix, tail.start(2) + error.column) from error
        rest = rest[: tail.start()]
    of = rest.strip()
    if not first and not times.get("within"):
        raise TextError("Within what time of the step before is not said.", f"Write: {clip(of)}, within 30 minutes")
    if kind == "dwells" and not times.get("for"):
        raise TextError("How long is not said.", f"Write: {clip(of)}, for 10 minutes")
    if first and times.get("last") == 0:
        raise TextError("'in the last' needs some time.", "Write for example: in the last 4 hours")
    return of, times


def _made(
    source: Source, node: Scalar, key: str, of: str, times: dict[str, float], expression: ReadExpression
) -> tuple[Step, float | None] | None:
    within, last = times.get("within", 0.0), times.get("last")
    if key == "event":
        name, where, text = of.partition(" where ")
        name = name.strip()
        if not _EVENT.fullmatch(name):
            raise TextError(f"'{clip(name)}' is no event.", "Write: EVENT[ where EXPRESSION][, within 30 minutes]")
        filtered = expression(source, node, text, of.find(text, len(name) + 1), "event") if where else None
        return None if where and filtered is None else (Step("event", within, event=name, filter=filtered), last)
    target = note_target(source, node, parse_target(of))
    if key == "dwells":
        source.use("dwell", f"dwells: {clip(of)}", node, times["for"])
        return Step("dwell", within, target, times["for"]), last
    return (Step("enter", within, target) if key == "enters" else Step("exit", within, target)), last
