"""Rules that always lose to another one: same cause, weaker or equal lines, and a higher rank."""

from collections.abc import Hashable, Iterator, Sequence

from msgspec import Struct, structs

from engine.author.lint_scene import Scene
from engine.author.report import clip
from engine.errors import Finding
from engine.model.rule import Condition, OnSchedule, OnTransition, Rule, Trigger

CODE = "SHADOWED"
_MOST = 64  # stronger rules of the same cause that one rule is compared with


class _Entry(Struct, frozen=True):
    rule: Rule
    needs: frozenset[int]


def check(scene: Scene) -> Iterator[Finding]:
    """Each live rule against the stronger live ones that the same cause wakes."""
    live = [rule for rule in scene.rules if rule.status == "live"]
    by_key: dict[Hashable, list[_Entry]] = {}
    numbers: dict[Hashable, int] = {}
    entries = [_Entry(rule, _needs(rule, numbers)) for rule in sorted(live, key=lambda rule: (-rule.priority, rule.id))]
    for entry in entries:
        for key in dict.fromkeys(_keys(entry.rule.when)):
            by_key.setdefault((key, min(entry.needs, default=-1)), []).append(entry)
    for entry in entries:
        winner = _winner(scene, entry, by_key)
        if winner is not None:
            yield _told(scene, entry.rule, winner)


def _winner(scene: Scene, weak: _Entry, by_key: dict[Hashable, list[_Entry]]) -> Rule | None:
    first = _keys_of_first(scene, weak.rule.when)
    for key in first:
        for need in (-1, *sorted(weak.needs)):
            for strong in by_key.get((key, need), ())[:_MOST]:
                if strong.rule is weak.rule:
                    break
                if _beats(scene, strong, weak):
                    return strong.rule
    return None


def _beats(scene: Scene, strong: _Entry, weak: _Entry) -> bool:
    """Whether the strong one is a candidate, and wins, whenever the weak one is a candidate."""
    a, b = strong.rule, weak.rule
    if (-a.priority, a.id) >= (-b.priority, b.id) or not strong.needs <= weak.needs:
        return False
    if (
        a.control_group
        or getattr(a, "canary", 1.0) < 1.0
        or a.offer is not None
        or a.limits.total
        or a.limits.per_person
    ):
        return False  # it steps back of itself now and then
    if a.purpose != b.purpose or a.message.channels != b.message.channels:
        return False
    if not _within(b.runs, a.runs):
        return False
    return all(any(_covers(scene, wide, narrow) for wide in a.when) for narrow in b.when)


def _covers(scene: Scene, wide: Trigger, narrow: Trigger) -> bool:
    """Whether whatever wakes the narrow trigger wakes the wide one."""
    if isinstance(narrow, OnSchedule):
        return False  # schedules that meet are looked at apart
    if structs.replace(wide, where=narrow.where) == narrow:
        return True
    if not (isinstance(wide, OnTransition) and isinstance(narrow, OnTransition)):
        return False
    same = structs.replace(wide, target=narrow.target, where=narrow.where)
    if same != narrow and not (wide.initial == "fire" and structs.replace(same, initial=narrow.initial) == narrow):
        return False
    inside = scene.covered(narrow.target)
    return bool(inside) and inside <= scene.covered(wide.target)


def _within(inner: tuple[str | None, str | None], outer: tuple[str | None, str | None]) -> bool:
    starts = outer[0] is None or (inner[0] is not None and inner[0] >= outer[0])
    return starts and (outer[1] is None or (inner[1] is not None and inner[1] <= outer[1]))


def _needs(rule: Rule, numbers: dict[Hashable, int]) -> frozenset[int]:
    """What must hold, as numbers that are equal for equal lines."""
    return frozenset(
        numbers.setdefault((sign, _bare(condition)), len(numbers))
        for sign, conditions in (("+", rule.only_if), ("-", rule.unless))
        for condition in conditions
    )


def _bare(condition: Condition) -> Hashable:
    """What a line says, wherever it stands. (Equality of the structs would take 1 and true for the same.)"""
    if hasattr(condition, "items"):
        return tuple(_bare(item) for item in condition.items), condition.text
    return type(condition), condition.text


def _keys(when: Sequence[Trigger]) -> Iterator[Hashable]:
    """Under what the rule is found: one key per event, fence and tag."""
    for trigger in when:
        if not isinstance(trigger, OnTransition):
            yield structs.replace(trigger, where="")
        else:
            yield from ((trigger.kind, trigger.seconds, "fence", fence) for fence in trigger.target.fences)
            yield from ((trigger.kind, trigger.seconds, "tag", tag) for tag in trigger.target.tags)


def _keys_of_first(scene: Scene, when: Sequence[Trigger]) -> list[Hashable]:
    """Under one of these every rule is found that the first trigger's first fence wakes too."""
    keys = list(_keys(when[:1]))[:1]
    trigger = when[0] if when else None
    if keys and isinstance(trigger, OnTransition) and trigger.target.fences:
        fence = scene.fences.get(trigger.target.fences[0])
        keys += [(trigger.kind, trigger.seconds, "tag", tag) for tag in (fence.tags if fence else ())]
    return keys


def _told(scene: Scene, weak: Rule, strong: Rule) -> Finding:
    rest = (strong.cooldown is None and scene.parts.policy.decide.cooldown > 0) or bool(strong.cooldown)
    so = "sends only while that one rests (cooldown)" if rest else "can never send"
    problem = f"'{clip(weak.id)}' always loses to '{clip(strong.id)}' ({strong.where}): it {so}."
    fix = f"Give it a priority above {strong.priority:g}, or a line that '{clip(strong.id)}' has not."
    return scene.tell(weak.where, "warning", CODE, problem, fix)
