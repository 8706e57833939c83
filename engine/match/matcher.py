"""The matcher of one release: rules compiled, and found by what wakes them without looking at the others."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from engine.errors import ConfigError
from engine.match.conditions import Workshop
from engine.match.index import Places, Wish, by_event, by_transition, dwells
from engine.match.seen import line
from engine.match.situation import Situation, Truth
from engine.model.moment import Check
from engine.model.release import Release
from engine.model.rule import AllOf, AnyOf, Condition, Did, NoneOf, Rule, Segment, Visited
from engine.model.signal import Cause

WEEK_SECONDS = 7 * 86400.0


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
            checks += line(node.look(s), unless=False)
        for node in self._unless:
            checks += line(node.look(s), unless=True)
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
    """All rules of a release. ``dwells``: fence id to the sorted seconds that rules wait for; ``horizon``: how many
    seconds of history any rule looks back."""

    def __init__(self, release: Release) -> None:
        rules = sorted(release.rules, key=lambda rule: rule.id)
        places = Places(release.fences)
        workshop = Workshop(release.segments, places.ids, release.policy.sense.silence)
        self.rules = tuple(CompiledRule(rule, workshop) for rule in rules)
        self.dwells: Mapping[str, tuple[float, ...]] = dwells(rules, places)
        self.horizon = _horizon(rules, release.segments)
        self._events = self._share(by_event(rules))
        self._usual = self._index(rules, places, initial=False)
        self._initial = self._index(rules, places, initial=True)

    @classmethod
    def compile(cls, release: Release) -> "Matcher":
        """Compile every rule of a release; pure. ``ConfigError`` when it asks for a matcher that is not here."""
        if release.policy.matcher != "indexed":
            problem = f"the matcher {release.policy.matcher!r} is not part of this build."
            raise ConfigError(problem, "config.toml [match] engine", 'Write engine = "indexed".')
        return cls(release)

    def woken(self, cause: Cause, initial: bool = False) -> Sequence[CompiledRule]:
        """The rules that a cause wakes, by rule id. ``initial``: the device's first fix ever was already inside."""
        if cause.kind == "event":
            return self._events.get(cause.event or "", ())
        wish = cause.kind if cause.kind != "dwell" else cause.seconds or 0.0
        fences = (self._initial if initial else self._usual).get(wish)
        return fences.get(cause.fence or "", ()) if fences is not None else ()

    def _index(self, rules: Sequence[Rule], places: Places, initial: bool) -> dict[Wish, dict[str, Woken]]:
        found = by_transition(rules, places, initial)
        return {wish: self._share(fences) for wish, fences in found.items()}

    def _share(self, numbers: Mapping[str, tuple[int, ...]]) -> dict[str, Woken]:
        """Numbers as rules; equal answers are one tuple in memory."""
        shared: dict[tuple[int, ...], Woken] = {}
        for answer in numbers.values():
            if answer not in shared:
                shared[answer] = tuple(self.rules[n] for n in answer)
        return {key: shared[answer] for key, answer in numbers.items()}


def _horizon(rules: Iterable[Rule], segments: Mapping[str, Segment]) -> float:
    groups = [rule.only_if + rule.unless for rule in rules] + [segment.only_if for segment in segments.values()]
    return max((seconds for group in groups for seconds in _windows(group)), default=WEEK_SECONDS)


def _windows(conditions: Iterable[Condition]) -> Iterator[float]:
    """How far back conditions look, at least a week."""
    for condition in conditions:
        match condition:
            case Visited() | Did():
                yield max(condition.seconds, WEEK_SECONDS)
            case AnyOf() | AllOf() | NoneOf():
                yield from _windows(condition.items)
            case _:
                yield WEEK_SECONDS
