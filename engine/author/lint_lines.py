"""Lines that can never hold together: the rule (or that part of it) never sends."""

from collections.abc import Iterator

from engine.author.holding import Clash, Facts, Holding
from engine.author.lint_scene import Scene
from engine.author.report import clip
from engine.errors import Finding, Severity
from engine.model.rule import Condition, LocalTime, Rule

CODE = "CONTRADICTION"


def check(scene: Scene) -> Iterator[Finding]:
    """Every rule and segment. What must be so for a rule is kept in ``scene.facts`` for the checks that follow."""
    for segment in scene.parts.segments.values():
        holding = Holding(scene.parts.segments)
        holding.rule(segment.only_if, ())
        yield from _told(scene, holding, f"nobody can be in '{clip(segment.id)}'")
    for rule in scene.rules:
        holding = Holding(scene.parts.segments)
        scene.facts[rule.id] = holding.rule(rule.only_if, rule.unless)
        yield from _told(scene, holding, f"'{clip(rule.id)}' can never send")


def _told(scene: Scene, holding: Holding, so: str) -> Iterator[Finding]:
    for clash in holding.clashes:
        yield _clash(scene, clash, "error", so)
    for clash in holding.partial:
        yield _clash(scene, clash, "warning", "this part never counts")


def _clash(scene: Scene, clash: Clash, severity: Severity, so: str) -> Finding:
    said, earlier = clash.said, clash.earlier
    line, other = said.line.where, earlier.line.where
    fix = "Correct one of them, or delete it."
    if said == earlier:
        problem, fix = f"'{clip(said.text)}' can never hold: {so}.", "Correct it, or delete it."
    elif line == other:
        problem = f"'{clip(said.text)}' and '{clip(earlier.text)}' can never hold together: {so}."
    else:
        same_file = line.rpartition(":")[0] == other.rpartition(":")[0]
        place = f"line {other.rpartition(':')[2]}" if same_file else other
        problem = f"'{clip(said.text)}' and '{clip(earlier.text)}' ({place}) can never hold together: {so}."
    return scene.tell(line, severity, CODE, problem, fix)


def times_line(rule: Rule, facts: Facts) -> Condition | None:
    """The line that says at which time of day the rule may send."""
    lines = [condition for condition in rule.only_if if isinstance(condition, LocalTime)]
    return lines[0] if lines else facts["local_time"][1].line if "local_time" in facts else None
