"""``expect`` of a scenario: what must come of it, and nothing else."""

from collections.abc import Callable
from typing import Any

from engine.author.nodes import Items, Mapping, Node, Scalar
from engine.author.report import TextError, clip, did_you_mean, nearest
from engine.author.scenario_given import read_id
from engine.author.scenario_keys import EXPECT
from engine.author.scenario_parts import Expected, Mark
from engine.author.scenario_times import parse_time_span
from engine.author.source import Source
from engine.author.targets import one_line
from engine.model.reason import Reason

Fields = dict[str, Any]
_ALL_KEYS = frozenset((*EXPECT, *(key for keys in EXPECT.values() for key in keys)))
_REASONS = frozenset(Reason.__members__) - {"OK"}
NONE = "none"
_MOST_TIMES = 1000
ANY = "any"


def read_expect(source: Source, node: Node) -> tuple[Expected, ...]:
    """``none``, or a list of expectations; wrong ones are told and left out."""
    if isinstance(node, Scalar):
        if node.text.strip().lower() == NONE:
            return (Expected("none", Mark(node.line, node.column, NONE)),)
        fix = "Write 'expect: none', or below it '- moment: RULE'."
        source.error(node, "BAD_VALUE", f"'{clip(node.text)}' says nothing about what is expected.", fix)
        return ()
    found = (_expected(source, item) for item in source.each(node, "expect"))
    return tuple(expected for expected in found if expected is not None)


def _expected(source: Source, node: Node) -> Expected | None:
    if not isinstance(node, Mapping) or not node.entries:
        fix = f"Write - {' , or - '.join(f'{kind}: RULE' for kind in EXPECT)}"
        source.error(node, "WRONG_TYPE", f"'{clip(one_line(node)) or 'This'}' is no expectation.", fix)
        return None
    before = source.told.get("error", 0)
    kind = _kind(source, node)
    if kind is None:
        return None
    fields = {"rule": _rule(source, node.entries[kind], kind)}
    for key, value in node.entries.items():
        if key != kind and key in _READERS:
            fields |= _READERS[key](source, value)
    if source.told.get("error", 0) > before:
        return None
    text = f"{kind}: {one_line(node.entries[kind])}"
    return Expected(kind=kind, mark=Mark(node.line, node.column, text), **fields)  # type: ignore[arg-type]


def _kind(source: Source, node: Mapping) -> str | None:
    kinds = [key for key in node.entries if key in EXPECT]
    for key, place in node.keys.items():
        allowed = (*kinds[:1], *EXPECT[kinds[0]]) if kinds else tuple(_ALL_KEYS)
        if key in allowed or (key in EXPECT and kinds):
            continue
        near = nearest(key, allowed)
        what = f"of '{kinds[0]}' here" if kinds else "that can be expected"
        fix = f"Did you mean '{near}'?" if near else f"Known: {', '.join(sorted(allowed))}."
        source.error(place, "UNKNOWN_KEY", f"'{clip(key)}' is no key {what}.", fix)
    if len(kinds) > 1:
        second = node.keys[kinds[1]]
        fix = f"Begin this line with '- ': - {kinds[1]}: …"
        source.error(second, "WRONG_TYPE", "Two expectations share one item.", fix)
        return None
    if not kinds:
        if all(key in _ALL_KEYS for key in node.entries):
            source.error(node, "MISSING", "What is expected is not said.", f"Add one of: {', '.join(EXPECT)}.")
        return None
    return kinds[0]


def _rule(source: Source, node: Node, kind: str) -> str:
    rule = read_id(source, node, kind) or ""
    if rule in ("", ANY):
        return ""
    source.use("rule", rule, node)
    return rule


def _texts(name: str) -> Callable[[Source, Node], Fields]:
    def read(source: Source, node: Node) -> Fields:
        items = node.items if isinstance(node, Items) else [node]
        return {name: tuple(text for item in items if (text := source.text(item, name)) is not None)}

    return read


def _channel(source: Source, node: Node) -> Fields:
    channel = read_id(source, node, "channel")
    if channel is not None:
        source.use("channel", channel, node)
    return {"channel": channel}


def _reason(source: Source, node: Node) -> Fields:
    def parser(text: str) -> str:
        word = text.upper().replace(" ", "_")
        if word not in _REASONS:
            fix = did_you_mean(word, _REASONS) or f"One of: {', '.join(sorted(_REASONS))}."
            raise TextError(f"'{clip(text)}' is no reason.", fix)
        return word

    return {"reason": source.parse(node, "reason", parser)}


def _times(source: Source, node: Node) -> Fields:
    def parser(text: str) -> int:
        if not text.isdecimal() or not 1 <= int(text) <= _MOST_TIMES:
            fix = f"Write a number from 1 to {_MOST_TIMES}; for never write - none: RULE."
            raise TextError(f"'{clip(text)}' is no count.", fix)
        return int(text)

    return {"times": source.parse(node, "times", parser) or 1}


_READERS: dict[str, Callable[[Source, Node], Fields]] = {
    "person": lambda source, node: {"person": read_id(source, node, "person")},
    "at": lambda source, node: {"at": source.parse(node, "at", parse_time_span)},
    "until": lambda source, node: {"until": source.parse(node, "until", parse_time_span)},
    "times": _times,
    "channel": _channel,
    "says": _texts("says"),
    "never_says": _texts("never_says"),
    "link": lambda source, node: {"link": source.text(node, "link")},
    "reason": _reason,
    "because": lambda source, node: {"because": source.text(node, "because")},
}
