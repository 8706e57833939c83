"""Rules that wait for no device: those of schedules, and those that follow upon another rule's message."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.match.situation import Truth
from engine.model.person import Person, Visit
from engine.model.rule import OnAfter, OnSchedule, Rule

if TYPE_CHECKING:
    from engine.match.matcher import CompiledRule

DEFAULT_WITHIN = 86400.0  # where an ``after`` says no time, and the other rule's conversion does not either

Wake = tuple[str, bool]
"""What became of a message: the outcome, and whether it is its absence that wakes."""


@dataclass(frozen=True, slots=True)
class Scheduled:
    """One schedule of a rule. ``segments``: only for those for whom it holds."""

    rule: "CompiledRule"
    trigger: OnSchedule
    segments: Truth | None


def stay_in(person: Person, fences: Collection[str]) -> Visit | None:
    """The stay that puts a person inside one of them: the first by fence and device; one gone silent is none."""
    here = [visit for visit in person.stays if not visit.lost and visit.fence in fences]
    return min(here, key=lambda visit: (visit.fence, visit.device), default=None)


@dataclass(frozen=True, slots=True)
class Sequel:
    """A rule that follows upon another one's message, and how long after its delivery (seconds)."""

    rule: "CompiledRule"
    within: float


@dataclass(frozen=True, slots=True)
class Followed:
    """A rule whose messages others follow upon: by what became of them. ``conversion`` is the event it is for; ``dues``
    the times after delivery at which something may have failed to happen; ``horizon``: nobody waits longer."""

    conversion: str | None
    sequels: Mapping[Wake, tuple[Sequel, ...]]
    dues: tuple[float, ...]
    horizon: float


def schedules(
    rules: Iterable["CompiledRule"], segments: Callable[[tuple[str, ...]], Truth]
) -> dict[str, tuple[Scheduled, ...]]:
    """Rule id to its schedules; of rules that have ended, none."""
    found: dict[str, tuple[Scheduled, ...]] = {}
    for compiled in rules:
        triggers = [t for t in compiled.rule.when if isinstance(t, OnSchedule)]
        if triggers and compiled.rule.status != "ended":
            found[compiled.rule.id] = tuple(
                Scheduled(compiled, t, segments(t.audience.segments) if t.audience.segments else None) for t in triggers
            )
    return found


def followed(rules: Iterable["CompiledRule"]) -> dict[str, Followed]:
    """Rule id to what others wait for of its messages, in order of the others' ids."""
    compiled = {one.rule.id: one for one in rules}
    waiting: dict[str, dict[Wake, list[Sequel]]] = {}
    for one in compiled.values():
        for trigger in one.rule.when:
            if isinstance(trigger, OnAfter) and trigger.rule in compiled:
                within = _within(trigger, compiled[trigger.rule].rule)
                wakes = waiting.setdefault(trigger.rule, {})
                wakes.setdefault((trigger.outcome, trigger.missing), []).append(Sequel(one, within))
    return {id: _followed(compiled[id].rule, wakes) for id, wakes in waiting.items()}


def _followed(rule: Rule, wakes: Mapping[Wake, list[Sequel]]) -> Followed:
    sequels = {wake: tuple(found) for wake, found in wakes.items()}
    missing = {sequel.within for (_, absent), found in sequels.items() if absent for sequel in found}
    horizon = max(sequel.within for found in sequels.values() for sequel in found)
    event = None if rule.conversion is None else rule.conversion.event
    return Followed(event, sequels, tuple(sorted(missing)), horizon)


def _within(trigger: OnAfter, other: Rule) -> float:
    if trigger.within is not None:
        return trigger.within
    if trigger.outcome == "converted" and other.conversion is not None:
        return other.conversion.within
    return DEFAULT_WITHIN
