"""Triggers: what may stand under ``when``."""

from typing import Literal

from engine.author.durations import parse_duration, parse_metres
from engine.author.nodes import Mapping, Node
from engine.author.report import TextError, clip, nearest, renamed
from engine.author.source import Source
from engine.author.targets import note_target, parse_clause, parse_target, read_names, read_target, split_clauses
from engine.author.timed import read_after, read_schedule
from engine.model.rule import OnEvent, OnTransition, Target, Trigger

Initial = Literal["fire", "ignore"]

KINDS = ("enters", "exits", "dwells", "crosses", "approaches", "event", "schedule", "after")
EXTRAS = ("initial",)
SCHEDULE_EXTRAS = ("to", "in")  # whom it is for, and by whose clock
_TRANSITIONS: dict[str, Literal["enter", "exit", "cross"]] = {"enters": "enter", "exits": "exit", "crosses": "cross"}
MAX_NEAR, MAX_ARRIVAL = 20_000.0, 3600.0  # metres, seconds
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
    kinds = [key for key in entry.entries if key in KINDS]
    for key in entry.entries:
        if key not in kinds and key not in EXTRAS and not (key in SCHEDULE_EXTRAS and "schedule" in kinds):
            _unknown(source, entry.keys[key], key, kinds)
    if len(kinds) > 1:
        place = entry.keys[kinds[1]]
        fix = f"For any of them begin each with '- ': - {kinds[0]}: …, then - {kinds[1]}: …"
        source.error(place, "WRONG_TYPE", "Two triggers share one entry.", fix)
        return []
    if not kinds:
        if not entry.entries or set(entry.entries) <= set(EXTRAS):
            source.error(node, "MISSING", "There is no trigger here.", _FIX)
        return []
    return _trigger(source, entry, kinds[0])


def _unknown(source: Source, place: Node, key: str, kinds: list[str]) -> None:
    if key in SCHEDULE_EXTRAS and kinds:
        return source.error(place, "UNKNOWN_KEY", f"'{key}' has no meaning for '{kinds[0]}'.", "Delete it.")
    if key == "sequence":
        fix = "Put it under only_if, and wake the rule by its last step."
        return source.error(place, "UNKNOWN_TRIGGER", "'sequence' is a condition, no trigger.", fix)
    near = nearest(key, (*KINDS, *EXTRAS))
    fix = f"Did you mean '{near}'?" if near else f"Known: {', '.join(KINDS)}."
    edit = renamed(key, (*KINDS, *EXTRAS))
    return source.error(place, "UNKNOWN_TRIGGER", f"'{clip(key)}' is no trigger.", fix, edit=edit)


def _trigger(source: Source, entry: Mapping, kind: str) -> list[Trigger]:
    place, value = entry.keys[kind], entry.entries[kind]
    initial = _initial(source, entry, kind)
    if kind == "event":
        return [OnEvent(name, source.where(place)) for name in read_names(source, value, "event") or ()]
    if kind == "dwells":
        return _dwells(source, place, value, initial)
    if kind == "approaches":
        return _approaches(source, place, value, initial)
    if kind == "schedule":
        return [*read_schedule(source, entry)]
    if kind == "after":
        return [*read_after(source, entry)]
    target = read_target(source, value, kind)
    if target is None:
        return []
    return [OnTransition(_TRANSITIONS[kind], target, 0.0, initial, source.where(place))]


def _initial(source: Source, entry: Mapping, kind: str) -> Initial:
    node = entry.entries.get("initial")
    if node is None:
        return "fire"
    if kind not in ("enters", "dwells", "approaches"):
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


def _approaches(source: Source, place: Node, value: Node, initial: Initial) -> list[Trigger]:
    """``TARGET, within 300 m`` or ``TARGET, within 5 minutes``; in a list each with its own."""

    def parser(text: str) -> tuple[Target, float, float]:
        of, clauses = split_clauses(text)
        timed: list[bool] = []

        def near(text: str) -> float:
            timed.append(not _is_length(text))
            return _seconds(text) if timed[-1] else _metres(text)

        amount = parse_clause(clauses, "within", of, near, "300 m")
        return parse_target(of), amount if timed[-1] else 0.0, 0.0 if timed[-1] else amount

    triggers: list[Trigger] = []
    for item in source.each(value, "approaches"):
        found = source.parse(item, "approaches", parser)
        if found is not None:
            target, seconds, metres = found
            note_target(source, item, target)
            triggers.append(OnTransition("approach", target, seconds, initial, source.where(place), metres))
    return triggers


def _is_length(text: str) -> bool:
    try:
        parse_metres(text)
    except TextError:
        return False
    return True


def _metres(text: str) -> float:
    metres = parse_metres(text)
    if metres > MAX_NEAR:
        raise TextError("That is not near.", f"Write at most {MAX_NEAR / 1000:g} km.")
    return metres


def _seconds(text: str) -> float:
    seconds = parse_duration(text)
    if seconds > MAX_ARRIVAL:
        raise TextError("So long before nobody is known to arrive.", "Write at most 60 minutes.")
    return seconds
