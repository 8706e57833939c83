"""Targets and the clauses that follow them: ``cafe-mitte or tag bakery, at least 2 times, in the last 7 days``."""

import re
from collections.abc import Callable
from functools import lru_cache

from engine.author.durations import parse_span
from engine.author.nodes import Items, Node, Scalar
from engine.author.report import TextError, clip
from engine.author.source import Source
from engine.model.rule import Target

_OR = re.compile(r"\s+or\s+")
_TIMES = re.compile(r"at least\s+(?:(\d{1,6})\s+times?|(once|twice))", re.IGNORECASE)
_LAST = re.compile(r"(?:in|within|over|during) the (?:last|past)\s+(.+)", re.IGNORECASE)
_WORD_TIMES = {"once": 1, "twice": 2}


def split_clauses(text: str) -> tuple[str, list[tuple[str, int]]]:
    """What stands before the first comma, and the clauses between the others with their columns."""
    parts, clauses, at = text.split(","), list[tuple[str, int]](), 0
    for part in parts:
        clauses.append((part.strip(), at + len(part) - len(part.lstrip())))
        at += len(part) + 1
    return clauses[0][0], clauses[1:]


@lru_cache(maxsize=4096)
def parse_target(text: str) -> Target:
    """``cafe-mitte or tag bakery``. Raises ``TextError``."""
    fences: list[str] = []
    tags: list[str] = []
    for raw in _OR.split(text.strip()):
        part = raw.strip()
        if part.lower().startswith("tag ") and part[4:].strip():
            tags.append(part[4:].strip())
        elif not part or part.lower() in ("tag", "or") or part.endswith(" or"):
            raise TextError("A fence id or 'tag NAME' is missing.", "Write for example: tag cafe or cafe-mitte")
        else:
            fences.append(part)
    return Target(tuple(fences), tuple(tags))


def read_target(source: Source, node: Node, what: str) -> Target | None:
    """A target, or a list of them; every fence and tag is noted for the cross-check."""
    texts: list[str] = []
    for item in source.each(node, what):
        text = source.text(item, what)
        if text is None:
            return None
        texts.append(text)
    if not texts:
        return None
    joined = " or ".join(texts)
    if "," in joined:
        source.error(
            node, "BAD_VALUE", f"{what}: A comma cannot join targets.", f"Write: {re.sub(', *', ' or ', joined)}"
        )
        return None
    try:
        return note_target(source, node, parse_target(joined))
    except TextError as error:
        source.error(node, "BAD_VALUE", f"{what}: {error.problem}", error.fix)
        return None


def note_target(source: Source, node: Node, target: Target) -> Target:
    """Note the fences and tags of a target for the cross-check; returns it."""
    for fence in target.fences:
        source.use("fence", fence, node)
    for tag in target.tags:
        source.use("tag", tag, node)
    return target


def read_names(source: Source, node: Node, what: str) -> tuple[str, ...] | None:
    """``a or b`` (or a list, or commas): names."""
    names: list[str] = []
    for item in source.each(node, what):
        text = source.text(item, what)
        if text is None:
            return None
        names += [name.strip() for part in text.split(",") for name in _OR.split(part)]
    if not names:
        return None
    if not all(names):
        source.error(node, "BAD_VALUE", f"{what}: A name is missing.", "Join names with 'or': commuter or student")
        return None
    return tuple(dict.fromkeys(names))


def parse_times(text: str) -> int:
    """``at least 2 times``. Raises ``TextError`` where it is none."""
    found = _TIMES.fullmatch(text)
    if found is None:
        raise TextError(f"'{clip(text)}' is no count.", "Write for example: at least 2 times")
    times = int(found[1]) if found[1] else _WORD_TIMES[found[2].lower()]
    if times < 1:
        raise TextError("At least 0 times always holds.", "Write a count of 1 or more.")
    return times


@lru_cache(maxsize=4096)
def parse_last(text: str) -> float:
    """``in the last 7 days``: seconds. Raises ``TextError`` where it is none."""
    found = _LAST.fullmatch(text)
    if found is None:
        raise TextError(f"'{clip(text)}' is no time in the past.", "Write for example: in the last 7 days")
    seconds = parse_span(found[1])
    if seconds <= 0:
        raise TextError("'in the last' needs some time.", "Write for example: in the last 7 days")
    return seconds


def parse_history(clauses: list[tuple[str, int]], of: str) -> tuple[int, float]:
    """The count (else 1) and the seconds of ``at least N times, in the last …``. Raises ``TextError``."""
    times, seconds = 1, None
    for clause, column in clauses:
        try:
            if clause.lower().startswith("at least"):
                times = parse_times(clause)
            else:
                seconds = parse_last(clause)
        except TextError as error:
            raise TextError(error.problem, error.fix, column) from error
    if seconds is None:
        raise TextError("How far back is not said.", f"Write for example: {clip(of)}, in the last 7 days")
    return times, seconds


def parse_clause(
    clauses: list[tuple[str, int]], word: str, of: str, parser: Callable[[str], float], example: str
) -> float:
    """The one clause ``WORD VALUE`` that must follow a target. Raises ``TextError``."""
    fix = f"Write: {clip(of)}, {word} {example}"
    if not clauses:
        raise TextError(f"'{word} {example}' or the like is missing.", fix)
    clause, column = clauses[0]
    if len(clauses) > 1 or not clause.lower().startswith(f"{word} "):
        raise TextError(f"'{clip(clause)}' is not understood.", fix, column)
    try:
        value = parser(clause[len(word) + 1 :])
    except TextError as error:
        raise TextError(error.problem, error.fix, column + len(word) + 1 + error.column) from error
    if value <= 0:
        raise TextError(f"'{clip(clause)}' is nothing.", fix, column)
    return value


def one_line(node: Node) -> str:
    """A node as it would stand on one line, for traces."""
    if isinstance(node, Items):
        return " or ".join(one_line(item) for item in node.items)
    return " ".join(node.text.split()) if isinstance(node, Scalar) else ""
