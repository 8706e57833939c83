"""Triggers: what may stand under ``when``."""

from typing import Literal

from engine.author.durations import parse_duration
from engine.author.nodes import Mapping, Node
from engine.author.report import clip, nearest
from engine.author.source import Source
from engine.author.targets import note_target, parse_clause, parse_target, read_names, read_target, split_clauses
from engine.model.rule import OnEvent, OnTransition, Target, Trigger

Initial = Literal["fire", "ignore"]

_KINDS = ("enters", "exits", "dwells", "event")
_LATER = ("crosses", "approaches", "schedule", "after", "sequence")
_EXTRAS = ("initial",)
_FIX = "Write for example enters: tag cafe"


def read_when(source: Source, node: Node) -> tuple[Trigger, ...]:
    """All triggers of a rule; a list means any of them. Wrong ones are told and left out."""
    triggers: list[Trigger] = []
    for item in source.each(node, "when"):
        triggers += _entry(source, item)
    return tuple(triggers)


def _entry(source: Source, node: Node) -> list[Trigger]:
    entry = source.mapping(node, "when")
    if entry is None:
        return []
    kinds = [key for key in entry.entries if key in _KINDS or key in _LATER]
    for key, place in entry.keys.items():
        if key not in kinds and key not in _EXTRAS and not (key == "to" and "schedule" in kinds):
            _unknown(source, place, key)
    if len(kinds) > 1:
        place = entry.keys[kinds[1]]
        fix = f"For any of them begin each with '- ': - {kinds[0]}: …, then - {kinds[1]}: …"
        source.error(place, "WRONG_TYPE", "Two triggers share one entry.", fix)
        return []
    if not kinds:
        if not entry.entries or set(entry.entries) <= set(_EXTRAS):
            source.error(node, "MISSING", "There is no trigger here.", _FIX)
        return []
    return _trigger(source, entry, kinds[0])


def _unknown(source: Source, place: Node, key: str) -> None:
    near = nearest(key, (*_KINDS, *_LATER, *_EXTRAS))
    fix = f"Did you mean '{near}'?" if near else f"Known: {', '.join(_KINDS)}."
    source.error(place, "UNKNOWN_TRIGGER", f"'{clip(key)}' is no trigger.", fix)


def _trigger(source: Source, entry: Mapping, kind: str) -> list[Trigger]:
    place, value = entry.keys[kind], entry.entries[kind]
    if kind in _LATER:
        source.error(place, "NOT_YET", f"'{kind}' comes with a later version.", f"Until then use {', '.join(_KINDS)}.")
        return []
    initial = _initial(source, entry, kind)
    if kind == "event":
        return [OnEvent(name, source.where(place)) for name in read_names(source, value, "event") or ()]
    if kind == "dwells":
        return _dwells(source, place, value, initial)
    target = read_target(source, value, kind)
    if target is None:
        return []
    return [OnTransition("enter" if kind == "enters" else "exit", target, 0.0, initial, source.where(place))]


def _initial(source: Source, entry: Mapping, kind: str) -> Initial:
    node = entry.entries.get("initial")
    if node is None:
        return "fire"
    if kind not in ("enters", "dwells"):
        fix = "Delete it: it is about devices that are inside at their first fix."
        source.error(entry.keys["initial"], "UNKNOWN_KEY", f"'initial' has no meaning for '{kind}'.", fix)
        return "fire"
    return "ignore" if source.choice(node, "initial", ("fire", "ignore")) == "ignore" else "fire"


def _dwells(source: Source, place: Node, value: Node, initial: Initial) -> list[Trigger]:
    """``TARGET, for 10 minutes``; in a list each with its own time."""

    def parser(text: str) -> tuple[Target, float]:
        of, clauses = split_clauses(text)
        seconds = parse_clause(clauses, "for", of, parse_duration, "10 minutes")
        return parse_target(of), seconds

    triggers: list[Trigger] = []
    for item in source.each(value, "dwells"):
        found = source.parse(item, "dwells", parser)
        if found is not None:
            target, seconds = found
            note_target(source, item, target)
            source.use("dwell", f"dwells: {clip(str(getattr(item, 'text', '')))}", item, seconds)
            triggers.append(OnTransition("dwell", target, seconds, initial, source.where(place)))
    return triggers
