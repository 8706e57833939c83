"""Times of day at which a rule is woken and quiet hours let nothing out in time."""

from collections.abc import Iterator
from functools import cache
from math import floor

from engine.author.durations import duration_text
from engine.author.lint_lines import times_line
from engine.author.lint_scene import Scene
from engine.author.report import clip
from engine.author.week import DAY, Week, every_day, told
from engine.errors import Finding

CODE = "QUIET_HOURS"


def check(scene: Scene) -> Iterator[Finding]:
    """Rules whose lines name a time of day."""
    decide = scene.parts.policy.decide
    if decide.quiet_hours is None or decide.quiet_hours[0] == decide.quiet_hours[1]:
        return
    for rule in scene.rules:
        facts = scene.facts.get(rule.id)
        if rule.purpose == "transactional" or not facts or "local_time" not in facts:
            continue
        week = facts["local_time"][0]
        line = times_line(rule, facts)
        within = decide.send_within if rule.message.send_within is None else rule.message.send_within
        dead = lost(decide.quiet_hours, within)
        if not isinstance(week, Week) or line is None or not week.said & dead:
            continue
        whole = not week.mask & ~dead
        quiet = "–".join(f"{minute // 60:02}:{minute % 60:02}" for minute in decide.quiet_hours)
        why = f"quiet hours {quiet}, and send_within {duration_text(within)}"
        when = "" if whole else f" {told(week.said & dead)}"
        problem = f"'{clip(rule.id)}' can never send{when}: {why}."
        fix = "Change local_time, give send_within longer, or make it purpose: transactional if it is."
        yield scene.tell(line.where, "warning", "NEVER_SENDS" if whole else CODE, problem, fix, ("local_time",))


@cache
def lost(quiet: tuple[int, int], within: float) -> int:
    """The minutes in quiet hours that end too late for a message of that age."""
    start, end = quiet
    length = (end - start) % DAY - floor(within / 60)
    return every_day(start, length) if length > 0 else 0
