"""Schedules that meet: at a time that quiet hours or the rule's own lines rule out, or with another rule's."""

from collections.abc import Iterator

from engine.author.durations import duration_text
from engine.author.holding import Facts
from engine.author.lint_quiet import lost
from engine.author.lint_scene import Scene
from engine.author.report import clip
from engine.author.week import DAY, Week, told
from engine.errors import Finding
from engine.model.rule import Audience, OnSchedule, Rule

NEVER, OVERLAP = "NEVER_SENDS", "OVERLAPPING_SCHEDULES"
_MOST = 64  # rules of one minute that one rule is compared with
_Slot = tuple[str, int]  # whose clock, minute of the week


def check(scene: Scene) -> Iterator[Finding]:
    """Every schedule of every rule that is not over."""
    slots: dict[_Slot, list[tuple[Rule, OnSchedule]]] = {}
    rules = [rule for rule in scene.rules if rule.status not in ("ended", "paused")]
    for rule in sorted(rules, key=lambda rule: (-rule.priority, rule.id)):
        told_of: set[str] = set()
        for trigger in rule.when:
            if isinstance(trigger, OnSchedule):
                minutes = minutes_of(trigger)
                yield from _quiet(scene, rule, trigger, minutes)
                yield from _lines(scene, rule, trigger, minutes)
                yield from _overlaps(scene, rule, trigger, slots, told_of)


def minutes_of(trigger: OnSchedule) -> int:
    """The minutes of the week at which it can be due (dates of the month are taken for any)."""
    on = trigger.recurrence
    days = on.weekdays if on.weekdays and not on.either else range(7)
    mask = 0
    for day in days:
        for minute in on.times:
            mask |= 1 << (day * DAY + minute)
    return mask


def _quiet(scene: Scene, rule: Rule, trigger: OnSchedule, minutes: int) -> Iterator[Finding]:
    decide = scene.parts.policy.decide
    if decide.quiet_hours is None or rule.purpose == "transactional" or trigger.clock != "person":
        return
    within = decide.send_within if rule.message.send_within is None else rule.message.send_within
    dead = minutes & lost(decide.quiet_hours, within)
    if dead:
        quiet = "–".join(f"{minute // 60:02}:{minute % 60:02}" for minute in decide.quiet_hours)
        why = f"quiet hours {quiet}, and send_within {duration_text(within)}"
        problem = f"'{clip(rule.id)}' can never send at {_clocks(dead)}: {why}."
        fix = "Choose another time, give send_within longer, or make it purpose: transactional if it is."
        yield scene.tell(trigger.where, "warning", NEVER, problem, fix, ("schedule",))


def _lines(scene: Scene, rule: Rule, trigger: OnSchedule, minutes: int) -> Iterator[Finding]:
    facts = scene.facts.get(rule.id) or {}
    week = facts["local_time"][0] if "local_time" in facts else None
    if isinstance(week, Week) and trigger.clock == "person" and not week.mask & minutes:
        problem = f"'{clip(rule.id)}' can never send at {_clocks(minutes)}: its local_time never holds then."
        yield scene.tell(trigger.where, "warning", NEVER, problem, "Change one of the two.", ("schedule",))


def _overlaps(
    scene: Scene, rule: Rule, trigger: OnSchedule, slots: dict[_Slot, list[tuple[Rule, OnSchedule]]], told_of: set[str]
) -> Iterator[Finding]:
    """Rules of a higher rank that are due for the same people at the same minute: of one cause one message goes."""
    mask = minutes_of(trigger)
    looked = 0
    while mask and looked <= _MOST:
        minute = (mask & -mask).bit_length() - 1
        mask &= mask - 1
        due = slots.setdefault((trigger.clock, minute), [])
        for other, earlier in due:
            looked += 1
            if looked > _MOST:
                break
            if other.id not in {rule.id, *told_of} and _meets(scene, rule, trigger, other, earlier):
                told_of.add(other.id)
                when = told(1 << minute).partition("–")[0]
                same = f"is due with '{clip(other.id)}' ({other.where}) for the same people ({when})"
                problem = f"'{clip(rule.id)}' {same}: it loses."
                fix = "Give them different times, people or lines: one message goes out for one moment."
                yield scene.tell(trigger.where, "warning", OVERLAP, problem, fix, ("schedule",))
        due.append((rule, trigger))


def _meets(scene: Scene, rule: Rule, trigger: OnSchedule, other: Rule, earlier: OnSchedule) -> bool:
    """Whether there can be somebody, some day, for whom both are due and both hold."""
    mine, theirs = scene.facts.get(rule.id), scene.facts.get(other.id)
    if mine is None or theirs is None or not _days_meet(trigger, earlier):
        return False
    if (rule.runs[1] or "9") < (other.runs[0] or "") or (other.runs[1] or "9") < (rule.runs[0] or ""):
        return False
    return _people_meet(scene, trigger.audience, earlier.audience) and _lines_meet(mine, theirs)


def _days_meet(a: OnSchedule, b: OnSchedule) -> bool:
    one, two = a.recurrence, b.recurrence
    if one.months and two.months and not set(one.months) & set(two.months):
        return False
    exact = not (one.either or two.either)
    return not (exact and one.days and two.days and not set(one.days) & set(two.days))


def _people_meet(scene: Scene, a: Audience, b: Audience) -> bool:
    """Everyone meets all; segments those of the same name; places those that share a fence."""
    if a == Audience() or b == Audience():
        return True
    if a.segments and b.segments:
        return bool(set(a.segments) & set(b.segments))
    if a.target is not None and b.target is not None:
        return bool(scene.covered(a.target) & scene.covered(b.target))
    return False


def _lines_meet(a: Facts, b: Facts) -> bool:
    return all(not bound.meet(b[key][0]).empty for key, (bound, _) in a.items() if key in b)


def _clocks(mask: int) -> str:
    """The times of day of these minutes: ``07:00, 22:30``."""
    times = sorted({minute % DAY for minute in range(7 * DAY) if mask >> minute & 1})
    return ", ".join(f"{minute // 60:02}:{minute % 60:02}" for minute in times[:6]) + (" …" if len(times) > 6 else "")
