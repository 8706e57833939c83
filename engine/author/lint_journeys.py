"""Journeys: stages that nobody reaches, and rules that follow upon what never happens."""

from collections.abc import Iterator

from engine.author.lint_scene import Scene
from engine.author.report import clip
from engine.errors import Finding
from engine.model.rule import Journey, OnAfter, Rule, Stage

EMPTY, UNREACHABLE, CHANNELS, NEVER = "EMPTY_STAGE", "UNREACHABLE_STAGE", "STAGE_CHANNELS", "NEVER_WOKEN"


def check(scene: Scene) -> Iterator[Finding]:
    """What a rule file says that cannot be read is not known: nothing is said then."""
    if "rule" in scene.parts.doubtful:
        return
    reached = reachable(scene.rules)
    for rule in scene.rules:
        yield from _woken_by_nothing(scene, rule, reached)
    of_stage: dict[tuple[str | None, str | None], list[Rule]] = {}
    for rule in scene.rules:
        of_stage.setdefault((rule.journey, rule.stage), []).append(rule)
    for journey in (scene.parts.journeys or {}).values():
        for stage in journey.stages:
            yield from _stage(scene, journey, stage, of_stage.get((journey.id, stage.id), []), reached)


def reachable(rules: list[Rule]) -> set[str]:
    """The rules that can send: live, and woken by something else than rules that cannot."""
    live = {rule.id: rule for rule in rules if rule.status == "live"}
    reached = {id for id, rule in live.items() if any(not isinstance(trigger, OnAfter) for trigger in rule.when)}
    waiting: dict[str, list[str]] = {}
    for id, rule in live.items():
        for trigger in rule.when:
            if isinstance(trigger, OnAfter):
                waiting.setdefault(trigger.rule, []).append(id)
    ahead = sorted(reached)
    while ahead:
        for follower in waiting.get(ahead.pop(), ()):
            if follower not in reached:
                reached.add(follower)
                ahead.append(follower)
    return reached


def _woken_by_nothing(scene: Scene, rule: Rule, reached: set[str]) -> Iterator[Finding]:
    if rule.status != "live" or rule.id in reached:
        return
    first = next(trigger for trigger in rule.when if isinstance(trigger, OnAfter))
    if first.rule not in scene.status:
        return  # told as an unknown rule
    standing = scene.status[first.rule]
    why = f"'{clip(first.rule)}' never sends" + (f": it is {standing}" if standing != "live" else "")
    fix = "Let that rule send, or wake this one by something else too."
    yield scene.tell(first.where, "warning", NEVER, f"'{clip(rule.id)}' is never woken: {why}.", fix, ("after",))


def _stage(scene: Scene, journey: Journey, stage: Stage, rules: list[Rule], reached: set[str]) -> Iterator[Finding]:
    name = f"the stage '{clip(stage.id)}' of '{clip(journey.id)}'"
    if not rules:
        fix = f"Give a rule 'journey: {clip(journey.id)}' and 'stage: {clip(stage.id)}', or delete the stage."
        yield scene.tell(stage.where, "warning", EMPTY, f"No rule belongs to {name}.", fix, (stage.id,))
    elif all(rule.id not in reached for rule in rules):
        why = ", ".join(f"{clip(rule.id)} ({_standing(rule)})" for rule in rules[:3])
        fix = "Let one of them be live, and be woken by something that happens."
        yield scene.tell(stage.where, "warning", UNREACHABLE, f"Nobody reaches {name}: {why}.", fix, (stage.id,))
    for rule in rules if stage.channels else ():
        others = [channel for channel in rule.message.channels if channel not in stage.channels]
        if others:
            problem = f"'{clip(rule.id)}' goes to {', '.join(others)}; {name} is for {', '.join(stage.channels)}."
            fix = f"Write: channels: {' then '.join(stage.channels)}"
            yield scene.tell(rule.message.where, "warning", CHANNELS, problem, fix, ("channels",))


def _standing(rule: Rule) -> str:
    return rule.status if rule.status != "live" else "never woken"
