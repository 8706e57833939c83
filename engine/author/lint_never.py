"""Rules that can never be woken, or never send, whatever happens."""

from collections.abc import Iterator

from engine.author.guaranteed import known_when
from engine.author.lint_scene import Scene, names_of
from engine.author.report import clip
from engine.errors import Finding
from engine.model.rule import Condition, OnEvent, Rule

FIRES, SENDS = "NEVER_FIRES", "NEVER_SENDS"


def check(scene: Scene) -> Iterator[Finding]:
    """Status, dates, offers, and names that the trigger never fills."""
    for rule in scene.rules:
        yield from _status(scene, rule)
        yield from _dates(scene, rule)
        yield from _offer(scene, rule)
        yield from _nobody(scene, rule)
        yield from _placeless(scene, rule)


def _status(scene: Scene, rule: Rule) -> Iterator[Finding]:
    if rule.status == "ended":
        problem = f"'{clip(rule.id)}' has ended: it never fires."
        yield scene.tell(rule.where, "info", FIRES, problem, "Delete it once its reports are read.")


def _dates(scene: Scene, rule: Rule) -> Iterator[Finding]:
    last = rule.runs[1]
    if last is None or scene.today is None or rule.status == "ended" or last >= scene.today.isoformat():
        return
    problem = f"'{clip(rule.id)}' ran until {last}: it never fires again."
    yield scene.tell(rule.where, "warning", FIRES, problem, "Give 'runs' a later end, or write status: ended.")


def _offer(scene: Scene, rule: Rule) -> Iterator[Finding]:
    offer = scene.parts.offers.get(rule.offer or "")
    if offer is None or rule.status == "ended":
        return
    until, first = (offer.valid_until or "")[:10], rule.runs[0] or ""
    if scene.today is not None:
        first = max(first, scene.today.isoformat())
    if until and first and until < first:
        problem = f"'{clip(rule.id)}' can never send: its offer '{clip(offer.id)}' is valid until {until} only."
        yield scene.tell(rule.where, "warning", SENDS, problem, "Give the offer a later valid_until.")
    elif offer.stock == 0:
        problem = f"'{clip(rule.id)}' can never send: its offer '{clip(offer.id)}' has a stock of 0."
        yield scene.tell(rule.where, "warning", SENDS, problem, "Give the offer a stock, or leave 'stock' out.")


def _nobody(scene: Scene, rule: Rule) -> Iterator[Finding]:
    if rule.control_group >= 1 and rule.purpose == "marketing":
        problem = f"'{clip(rule.id)}' can never send: everybody is in its control group."
        yield scene.tell(rule.where, "warning", SENDS, problem, "Write for example control_group: 5%.")


def _placeless(scene: Scene, rule: Rule) -> Iterator[Finding]:
    """``fence.`` where nothing that wakes the rule has a fence: unknown, and unknown never sends."""
    if not all(isinstance(trigger, OnEvent) for trigger in rule.when):
        return
    for condition in (*rule.only_if, *rule.unless):
        for use in names_of(condition, condition.where):
            if use.path[0] == "fence" and _must(condition, use.name):
                problem = f"'{clip(rule.id)}' can never send: an event has no fence, so {use.name} is unknown."
                fix = "Ask for the place with inside: TARGET, or let the rule wake on one."
                yield scene.tell(use.where, "warning", SENDS, problem, fix, (use.name,))


def _must(condition: Condition, name: str) -> bool:
    """Whether the line can neither hold nor surely not hold without this name."""
    return name in known_when(condition, True) and name in known_when(condition, False)
