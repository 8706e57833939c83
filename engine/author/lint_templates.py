"""Names that a message writes and that may be missing when it goes out: then nothing goes out."""

from collections.abc import Iterator

from engine.author.fields import DECLARABLE
from engine.author.guaranteed import known_when
from engine.author.lint_scene import Scene, Use
from engine.author.report import clip
from engine.errors import Finding
from engine.model.rule import OnAfter, OnEvent, OnSchedule, OnTransition, Rule

CODE = "MAY_BE_MISSING"
_EVERY_FENCE = ("fence.id", "fence.name", "fence.tags")


def check(scene: Scene) -> Iterator[Finding]:
    """Every name that is written without a default, and that nothing promises to be there."""
    for rule in scene.rules:
        told: set[str] = set()
        promised: frozenset[str] | None = None
        for use, needed in scene.written_by(rule):
            if not needed or use.name in told or _own(scene, rule, use):
                continue
            promised = _promised(scene, rule) if promised is None else promised
            if use.name not in promised:
                told.add(use.name)
                yield _told(scene, rule, use)


def _promised(scene: Scene, rule: Rule) -> frozenset[str]:
    """The names that the rule's lines could not hold without."""
    known: frozenset[str] = frozenset()
    for conditions, holds in ((rule.only_if, True), (rule.unless, False)):
        for condition in conditions:
            known |= known_when(condition, holds, scene.parts.segments)
    return known


def _own(scene: Scene, rule: Rule, use: Use) -> bool:
    """Whether the name is there whatever happens: declared so, or filled by what wakes the rule."""
    field = scene.parts.fields.get(use.name)
    if use.name in ("person.id", "device.id") or (field is not None and field.always):
        return True
    if use.path[0] == "fence":
        return _fence(scene, rule, use, (rule.id,))
    if use.path[0] == "offer":
        return _offer(scene, rule, use)
    if use.name == "event.name":
        return all(isinstance(trigger, OnEvent) for trigger in rule.when)
    moved = all(isinstance(trigger, OnTransition) for trigger in rule.when)
    return moved and use.name in ("device.lat", "device.lon", "device.accuracy")


def _fence(scene: Scene, rule: Rule, use: Use, seen: tuple[str, ...]) -> bool:
    """Whether all that wakes the rule brings a fence (with that fact, where it is none that every fence has)."""
    for trigger in rule.when:
        if isinstance(trigger, OnAfter):  # the place of the first message goes along
            other = scene.by_id.get(trigger.rule)
            if other is None or other.id in seen or not _fence(scene, other, use, (*seen, other.id)):
                return False
            continue
        target = trigger.audience.target if isinstance(trigger, OnSchedule) else getattr(trigger, "target", None)
        if target is None:
            return False
        covered = scene.covered(target)
        if use.name not in _EVERY_FENCE and not all(use.path[1] in scene.fences[id].metadata for id in covered):
            return False
    return True


def _offer(scene: Scene, rule: Rule, use: Use) -> bool:
    offer = scene.parts.offers.get(rule.offer or "")
    if offer is None:
        return False
    return use.path[1] in ("id", "title", "code", "metadata") or use.path[1] in offer.metadata


def _told(scene: Scene, rule: Rule, use: Use) -> Finding:
    problem = f"{use.name} may be missing: then '{clip(rule.id)}' sends nothing (TEMPLATE_ERROR)."
    if use.path[0] == "offer" and rule.offer is None:
        problem = f"{use.name} is always missing: '{clip(rule.id)}' has no offer."
        return scene.tell(use.where, "warning", CODE, problem, "Add 'offer:' with its name.", (use.name,))
    fix = f"Write {{{{ {use.name} | default: 'something' }}}}, or add to only_if: {use.name} exists"
    if use.path[0] in DECLARABLE:
        fix += f" (or to rules/schema.yaml: '{use.name}: text, always')"
    fix += "."
    return scene.tell(use.where, "warning", CODE, problem, fix, (use.name,))
