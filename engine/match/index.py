"""From what happens to the rules it wakes: built once per release, asked once per cause."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Generic, TypeVar

from engine.model.fence import Fence
from engine.model.fences import ById, Fences
from engine.model.rule import OnEvent, OnTransition, Rule, Target

Wish = str | float
"""What a trigger waits for, whatever the fence: ``enter``, ``exit``, ``cross``, the seconds of a dwell, or how near an
approach is to be (``300m``, ``600s``)."""

Key = tuple[str, ...] | tuple[str, tuple[str, ...]]
"""A fence's tags; where a rule names the fence, its id and its tags."""


class Places:
    """Fences by id and by tag, authored and run-time ones alike."""

    def __init__(self, fences: Iterable[Fence]) -> None:
        self.fences = ById(Fences.of(fences))
        self._answers: dict[Target, tuple[str, ...]] = {}

    @cached_property
    def _by_tag(self) -> Mapping[str, list[str]]:
        by_tag: dict[str, list[str]] = {}
        for head in self.fences.listed.heads():
            for tag in dict.fromkeys(head.tags):
                by_tag.setdefault(tag, []).append(head.id)
        return by_tag

    def asked(self) -> dict[Target, tuple[str, ...]]:
        """Every target asked for so far, and what it meant."""
        return dict(self._answers)

    def ids(self, target: Target) -> tuple[str, ...]:
        """The sorted ids of the fences that a target means."""
        if target not in self._answers:
            found = {fence for fence in target.fences if fence in self.fences}
            for tag in target.tags:
                found.update(self._by_tag.get(tag, ()))
            self._answers[target] = tuple(sorted(found))
        return self._answers[target]


def by_event(rules: Sequence[Rule]) -> dict[str, tuple[int, ...]]:
    """Event name to the numbers of the rules it wakes, in order."""
    events: dict[str, list[int]] = {}
    for number, rule in enumerate(rules):
        names = dict.fromkeys(trigger.event for trigger in rule.when if isinstance(trigger, OnEvent))
        for name in names:
            events.setdefault(name, []).append(number)
    return {name: tuple(numbers) for name, numbers in events.items()}


Answer = TypeVar("Answer")


class Wakers(Generic[Answer]):
    """Which rules one wish wakes: by the id of a fence and by its tags.

    Answers are worked out when first asked, and fences with the same tags share theirs: neither many rules on one tag
    nor a hundred thousand fences cost anything beforehand. ``known`` has them by :meth:`key`.
    """

    __slots__ = ("_by_fence", "_by_tag", "known")

    def __init__(self) -> None:
        self._by_tag: dict[str, list[int]] = {}
        self._by_fence: dict[str, list[int]] = {}
        self.known: dict[Key, Answer] = {}

    def add(self, target: Target, number: int) -> None:
        """A rule waits for this target."""
        for names, index in ((target.tags, self._by_tag), (target.fences, self._by_fence)):
            for name in names:
                index.setdefault(name, []).append(number)

    def numbers(self, fence: Fence) -> tuple[int, ...]:
        """The numbers of the rules, in order, that a transition of this fence wakes."""
        found = {number for tag in fence.tags for number in self._by_tag.get(tag, ())}
        return tuple(sorted(found.union(self._by_fence.get(fence.id, ()))))

    def key(self, fence: Fence) -> Key:
        """Fences with equal keys have equal answers."""
        return (fence.id, fence.tags) if fence.id in self._by_fence else fence.tags


def wakers(rules: Sequence[Rule], initial: bool) -> dict[Wish, Wakers[Any]]:
    """Wish to whom it wakes. ``initial`` leaves out the triggers that ignore a device's first fix."""
    found: dict[Wish, Wakers[Any]] = {}
    for number, rule in enumerate(rules):
        for trigger in on_transitions(rule):
            if not (initial and trigger.initial == "ignore"):
                asked = wish(trigger.kind, trigger.seconds, trigger.metres)
                found.setdefault(asked, Wakers()).add(trigger.target, number)
    return found


def dwells(rules: Iterable[Rule], places: Places) -> dict[str, tuple[float, ...]]:
    """Fence id to the sorted seconds after which some rule wants to know that a device is still there."""
    seconds: dict[str, set[float]] = {}
    for rule in rules:
        for trigger in on_transitions(rule):
            if trigger.kind == "dwell":
                for fence in places.ids(trigger.target):
                    seconds.setdefault(fence, set()).add(trigger.seconds)
    return {fence: tuple(sorted(seconds[fence])) for fence in sorted(seconds)}


def crosses(rules: Iterable[Rule], places: Places) -> frozenset[str]:
    """The ids of the fences that some rule wants to know crossed."""
    triggers = (trigger for rule in rules for trigger in on_transitions(rule) if trigger.kind == "cross")
    return frozenset(fence for trigger in triggers for fence in places.ids(trigger.target))


def approaches(rules: Iterable[Rule], places: Places) -> dict[str, tuple[float, ...]]:
    """Fence id to how near some rule wants a device to come: metres, and below zero seconds to arrival, sorted."""
    wishes: dict[str, set[float]] = {}
    for rule in rules:
        for trigger in on_transitions(rule):
            if trigger.kind == "approach":
                for fence in places.ids(trigger.target):
                    wishes.setdefault(fence, set()).add(trigger.metres or -trigger.seconds)
    return {fence: tuple(sorted(wishes[fence])) for fence in sorted(wishes)}


def on_transitions(rule: Rule) -> Iterator[OnTransition]:
    """The rule's triggers that are transitions."""
    return (trigger for trigger in rule.when if isinstance(trigger, OnTransition))


def wish(kind: str, seconds: float | None, metres: float | None) -> Wish:
    """What a trigger waits for, or a transition brings."""
    if kind == "dwell":
        return seconds or 0.0
    if kind == "approach":
        return f"{metres:g}m" if metres else f"{seconds or 0.0:g}s"
    return kind
