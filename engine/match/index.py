"""From what happens to the rules it wakes: built once per release, asked once per cause."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from engine.model.fence import Fence
from engine.model.rule import OnEvent, OnTransition, Rule, Target

Wish = str | float
"""What a trigger waits for, whatever the fence: ``enter``, ``exit``, or the seconds of a dwell."""

_NOBODY: dict[Wish, tuple[int, ...]] = {}


class Places:
    """The fences of a release by id and by tag."""

    def __init__(self, fences: Iterable[Fence]) -> None:
        self.fences: Mapping[str, Fence] = {fence.id: fence for fence in sorted(fences, key=lambda fence: fence.id)}
        self._by_tag: dict[str, list[str]] = {}
        for fence in self.fences.values():
            for tag in dict.fromkeys(fence.tags):
                self._by_tag.setdefault(tag, []).append(fence.id)

    def ids(self, target: Target) -> tuple[str, ...]:
        """The sorted ids of the fences that a target means."""
        found = {fence for fence in target.fences if fence in self.fences}
        for tag in target.tags:
            found.update(self._by_tag.get(tag, ()))
        return tuple(sorted(found))


def by_event(rules: Sequence[Rule]) -> dict[str, tuple[int, ...]]:
    """Event name to the numbers of the rules it wakes, in order."""
    events: dict[str, list[int]] = {}
    for number, rule in enumerate(rules):
        names = dict.fromkeys(trigger.event for trigger in rule.when if isinstance(trigger, OnEvent))
        for name in names:
            events.setdefault(name, []).append(number)
    return {name: tuple(numbers) for name, numbers in events.items()}


def by_transition(rules: Sequence[Rule], places: Places, initial: bool) -> dict[Wish, dict[str, tuple[int, ...]]]:
    """Kind (or seconds of a dwell), then fence, to the numbers of the rules it wakes, in order.

    ``initial`` leaves out the triggers that ignore a device's first fix. Fences with the same tags share their answer,
    so that many rules on one tag of many fences cost neither time nor memory for each pair.
    """
    by_tag: dict[str, dict[Wish, list[int]]] = {}
    by_fence: dict[str, dict[Wish, list[int]]] = {}
    for number, rule in enumerate(rules):
        for trigger in on_transitions(rule):
            if initial and trigger.initial == "ignore":
                continue
            wish = _wish(trigger)
            for tag in trigger.target.tags:
                by_tag.setdefault(tag, {}).setdefault(wish, []).append(number)
            for fence in trigger.target.fences:
                by_fence.setdefault(fence, {}).setdefault(wish, []).append(number)
    index: dict[Wish, dict[str, tuple[int, ...]]] = {}
    for wish, fence, numbers in _answers(places, by_tag, by_fence):
        index.setdefault(wish, {})[fence] = numbers
    return index


def dwells(rules: Iterable[Rule], places: Places) -> dict[str, tuple[float, ...]]:
    """Fence id to the sorted seconds after which some rule wants to know that a device is still there."""
    seconds: dict[str, set[float]] = {}
    for rule in rules:
        for trigger in on_transitions(rule):
            if trigger.kind == "dwell":
                for fence in places.ids(trigger.target):
                    seconds.setdefault(fence, set()).add(trigger.seconds)
    return {fence: tuple(sorted(seconds[fence])) for fence in sorted(seconds)}


def on_transitions(rule: Rule) -> Iterator[OnTransition]:
    """The rule's triggers that are transitions."""
    return (trigger for trigger in rule.when if isinstance(trigger, OnTransition))


def _wish(trigger: OnTransition) -> Wish:
    return trigger.seconds if trigger.kind == "dwell" else trigger.kind


def _answers(
    places: Places, by_tag: Mapping[str, dict[Wish, list[int]]], by_fence: Mapping[str, dict[Wish, list[int]]]
) -> Iterator[tuple[Wish, str, tuple[int, ...]]]:
    merged: dict[tuple[str, ...], dict[Wish, tuple[int, ...]]] = {(): _NOBODY}
    for id, fence in places.fences.items():
        tags = tuple(sorted({tag for tag in fence.tags if tag in by_tag}))
        if tags not in merged:
            merged[tags] = _merge([by_tag[tag] for tag in tags])
        answer = merged[tags]
        if id in by_fence:
            answer = _merge([by_fence[id], *(by_tag[tag] for tag in tags)])
        for wish, numbers in answer.items():
            yield wish, id, numbers


def _merge(parts: Sequence[Mapping[Wish, Sequence[int]]]) -> dict[Wish, tuple[int, ...]]:
    wishes = dict.fromkeys(wish for part in parts for wish in part)
    return {wish: tuple(sorted({n for part in parts for n in part.get(wish, ())})) for wish in wishes}
