"""Triggers that wait for time or for what became of a message: ``schedule`` and ``after``."""

import re
from typing import Literal, get_args

from engine.author.durations import parse_duration
from engine.author.nodes import Mapping, Node
from engine.author.report import TextError, clip, nearest
from engine.author.schedules import parse_schedule
from engine.author.source import Source
from engine.author.targets import one_line, parse_clause, read_names, read_target, split_clauses
from engine.model.rule import Audience, OnAfter, OnSchedule, Outcome

_OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
_MISSING: tuple[Outcome, ...] = ("opened", "clicked", "converted")
_AFTER = re.compile(r"(\S+)\s+(not\s+)?(\S+)", re.IGNORECASE)
_AFTER_FIX = "Write for example after: hello clicked, within 2 hours (or: hello not converted, within 1 day)"
LONGEST_AFTER = 30 * 86400.0  # what became of older messages is not kept


def read_schedule(source: Source, entry: Mapping) -> list[OnSchedule]:
    """``schedule`` with ``to`` and ``in``; several schedules in a list share them."""
    place, value = entry.keys["schedule"], entry.entries["schedule"]
    audience = _audience(source, entry.entries["to"]) if "to" in entry.entries else Audience()
    clock: Literal["person", "project"] = "person"
    if "in" in entry.entries and source.choice(entry.entries["in"], "in", ("person", "project")) == "project":
        clock = "project"
    found: list[OnSchedule] = []
    for item in source.each(value, "schedule"):
        recurrence = source.parse(item, "schedule", parse_schedule)
        if recurrence is not None and audience is not None:
            found.append(OnSchedule(recurrence, audience, clock, one_line(item), source.where(place)))
    return found


def _audience(source: Source, node: Node) -> Audience | None:
    """``everyone``, a target, or ``segment X or Y``."""
    text = one_line(node)
    if text.lower() in ("everyone", "everybody", "all"):
        return Audience()
    words = text.split()
    if words[:1] != ["segment"] and " or segment " not in text:
        target = read_target(source, node, "to")
        return None if target is None else Audience(target)
    names = read_names(source, node, "to") or ()
    segments = tuple(name.removeprefix("segment ").strip() for name in names)
    mixed = [name for name in names[1:] if name.startswith("tag ")] if names else []
    if mixed or words[:1] != ["segment"]:
        fix = "Write two triggers, one with each 'to'."
        source.error(node, "BAD_VALUE", "to: A segment and a place cannot be joined.", fix)
        return None
    for name in segments:
        source.use("segment", name, node)
    return Audience(segments=segments)


def read_after(source: Source, entry: Mapping) -> list[OnAfter]:
    """``RULE OUTCOME[, within TIME]``; in a list any of them."""
    place, value = entry.keys["after"], entry.entries["after"]
    found: list[OnAfter] = []
    for item in source.each(value, "after"):
        trigger = source.parse(item, "after", lambda text: _after(text, source.where(place)))
        if trigger is not None:
            source.use("rule", trigger.rule, item)
            if trigger.outcome == "converted":
                source.use("converting rule", trigger.rule, item)
            found.append(trigger)
    return found


def _after(text: str, where: str) -> OnAfter:
    head, clauses = split_clauses(text)
    found = _AFTER.fullmatch(" ".join(head.split()))
    if found is None:
        raise TextError(f"'{clip(head)}' does not say what became of which rule.", _AFTER_FIX)
    rule, missing, word = found[1], found[2] is not None, found[3].lower()
    column = text.rfind(found[3], 0, len(head) + 1)
    outcome = next((known for known in _OUTCOMES if known == word), None)
    if outcome is None:
        near = nearest(word, _OUTCOMES)
        fix = f"Did you mean '{near}'?" if near else f"Known: {', '.join(_OUTCOMES)}."
        raise TextError(f"'{clip(word)}' is nothing that becomes of a message.", fix, column)
    if missing and outcome not in _MISSING:
        fix = f"Known with not: {', '.join(_MISSING)}."
        raise TextError(f"'not {outcome}' is nothing to wait for.", fix, column)
    if missing and not clauses:
        fix = f"Write: {head}, within 2 hours"
        raise TextError(f"'not {outcome}' needs a time after which it has not happened.", fix)
    within = parse_clause(clauses, "within", head, parse_duration, "2 hours") if clauses else None
    if within is not None and within > LONGEST_AFTER:
        raise TextError("What became of a message is kept for 30 days.", "Use at most 30 days.", len(head))
    return OnAfter(rule, outcome, missing, within, where)
