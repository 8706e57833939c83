"""The matcher of one release: rules compiled, and found by what wakes them without looking at the others."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy

from engine.errors import ConfigError
from engine.match.conditions import Workshop
from engine.match.index import Places, Wakers, Wish, approaches, by_event, crosses, dwells, on_transitions, wakers, wish
from engine.match.seen import line
from engine.match.situation import Situation, Truth
from engine.match.waits import followed, schedules
from engine.model.fence import Fence
from engine.model.moment import Check
from engine.model.release import Release
from engine.model.rule import AllOf, AnyOf, Condition, Did, InOrder, NoneOf, Rule, Segment, Target, Visited
from engine.model.signal import Cause, Transition

WEEK_SECONDS = 7 * 86400.0
MAX_THERE = 65_536  # fences of which is remembered whom an enter or exit wakes, so that nothing else is looked at
_ALIKE = ("enter", "exit")


class CompiledRule:
    """One rule ready to be asked. ``holds(situation)`` is True, False, or None when something it needs is unknown."""

    __slots__ = ("_only_if", "_unless", "holds", "rule")

    def __init__(self, rule: Rule, workshop: Workshop) -> None:
        self.rule = rule
        self._only_if = tuple(workshop.node(condition) for condition in rule.only_if)
        self._unless = tuple(workshop.node(condition) for condition in rule.unless)
        self.holds: Truth = workshop.verdict(self._only_if, self._unless)

    def explain(self, s: Situation) -> tuple[Check, ...]:
        """Every line with the value it saw: at depth 0, with a reason unless it passes; its parts follow, deeper."""
        checks: list[Check] = []
        for node in self._only_if:
            checks += line(node, s, unless=False)
        for node in self._unless:
            checks += line(node, s, unless=True)
        return tuple(checks)


Woken = tuple[CompiledRule, ...]


def decisive(checks: Iterable[Check]) -> Check | None:
    """The line that says no: the first that does not hold, else the first unknown one, else None."""
    unknown = None
    for check in checks:
        if check.depth == 0 and check.ok is False:
            return check
        if check.depth == 0 and check.ok is None and unknown is None:
            unknown = check
    return unknown


class Matcher:
    """All rules of a release. ``dwells``: fence id to the sorted seconds that rules wait for; ``crosses``
    and ``approaches``: what they want to know of passing through and of coming near; ``horizon``: how many
    seconds of history any rule looks back; ``schedules``: rule id to its schedules; ``followed``: rule id to what
    others wait for of its messages."""

    def __init__(self, release: Release, fences: Iterable[Fence]) -> None:
        self._release = release
        self._places = places = Places(fences)
        rules = sorted(release.rules, key=lambda rule: rule.id)
        workshop = Workshop(release.segments, places.ids, release.policy.sense.silence)
        self.rules = self._compiled(rules, workshop)
        self.schedules = schedules(self.rules, workshop.any_segment)
        self.followed = followed(self.rules)
        self._meant = places.asked()
        self.dwells: Mapping[str, tuple[float, ...]] = dwells(rules, places)
        self.crosses, self.approaches = crosses(rules, places), approaches(rules, places)
        self.horizon = _horizon(rules, release.segments)
        self._events = self._share(by_event(rules))
        self._usual: dict[Wish, Wakers[Woken]] = wakers(rules, initial=False)
        ignoring = any(trigger.initial == "ignore" for rule in rules for trigger in on_transitions(rule))
        self._initial = wakers(rules, initial=True) if ignoring else self._usual
        self._look_anew()

    @classmethod
    def compile(cls, release: Release, fences: Iterable[Fence] | None = None) -> "Matcher":
        """Compile every rule of a release, for its own fences or for these; pure. ``ConfigError`` when it asks for a
        matcher that is not here."""
        if release.policy.matcher != "indexed":
            problem = f"the matcher {release.policy.matcher!r} is not part of this build."
            raise ConfigError(problem, "config.toml [match] engine", 'Write engine = "indexed".')
        return cls(release, release.fences if fences is None else fences)

    def with_fences(self, fences: Iterable[Fence]) -> "Matcher":
        """The matcher of the same rules for other fences. Rules are compiled again only where their conditions then
        mean other fences."""
        places = Places(fences)
        if any(places.ids(target) != meant for target, meant in self._meant.items()):
            return type(self)(self._release, places.fences.listed)
        other = copy(self)
        other._places = places
        other._look_anew()
        rules = [compiled.rule for compiled in self.rules]
        other.dwells = dwells(rules, places)
        other.crosses, other.approaches = crosses(rules, places), approaches(rules, places)
        return other

    def _compiled(self, rules: Sequence[Rule], workshop: Workshop) -> tuple[CompiledRule, ...]:
        """Each rule with who decides whether it holds."""
        return tuple(CompiledRule(rule, workshop) for rule in rules)

    def woken(self, what: Cause | Transition, initial: bool = False) -> Sequence[CompiledRule]:
        """The rules that a cause wakes, or a transition as one, by rule id. ``initial``: the device's first fix ever
        was already inside."""
        there = (self._there_at_first if initial else self._there).get(what.kind)
        if there is None:
            if isinstance(what, Cause) and what.kind == "event":
                return self._events.get(what.event or "", ())
            return self._asked(what, initial)
        woken = there.get(what.fence)
        if woken is None:
            if len(there) >= MAX_THERE:
                there.clear()
            woken = there[what.fence] = self._asked(what, initial)
        return woken

    def _asked(self, what: Cause | Transition, initial: bool) -> Woken:
        fence = self._places.fences.get(what.fence or "")
        waiting = (self._initial if initial else self._usual).get(wish(what.kind, what.seconds, what.within))
        if fence is None or waiting is None:
            return ()
        key = waiting.key(fence)
        found = waiting.known.get(key)
        if found is None:
            found = waiting.known[key] = tuple(self.rules[n] for n in waiting.numbers(fence))
        return found

    def _look_anew(self) -> None:
        """Forget whom an enter or exit of each fence wakes; of first fixes apart only where a rule ignores those."""
        self._there = _nowhere()
        self._there_at_first = self._there if self._initial is self._usual else _nowhere()

    def meant(self, target: Target) -> tuple[str, ...]:
        """The ids of the fences that a target means now, run-time ones too."""
        return self._places.ids(target)

    def _share(self, numbers: Mapping[str, tuple[int, ...]]) -> dict[str, Woken]:
        """Numbers as rules; equal answers are one tuple in memory."""
        shared: dict[tuple[int, ...], Woken] = {}
        for answer in numbers.values():
            if answer not in shared:
                shared[answer] = tuple(self.rules[n] for n in answer)
        return {key: shared[answer] for key, answer in numbers.items()}


def _nowhere() -> dict[str, dict[str | None, Woken]]:
    return {kind: {} for kind in _ALIKE}


def _horizon(rules: Iterable[Rule], segments: Mapping[str, Segment]) -> float:
    groups = [rule.only_if + rule.unless for rule in rules] + [segment.only_if for segment in segments.values()]
    return max((seconds for group in groups for seconds in _windows(group)), default=WEEK_SECONDS)


def _windows(conditions: Iterable[Condition]) -> Iterator[float]:
    """How far back conditions look, at least a week."""
    for condition in conditions:
        match condition:
            case Visited() | Did() | InOrder():
                yield max(condition.seconds, WEEK_SECONDS)
            case AnyOf() | AllOf() | NoneOf():
                yield from _windows(condition.items)
