"""The blast guard: a rule that sends far more than anybody meant pauses itself. It counts what was decided, for
everybody together, and is told again by a resume that it may go on."""

from collections.abc import Mapping

from engine.decide.limits import cap_text, span
from engine.decide.state import DecideState
from engine.decide.tally import Tally, in_last_minute, pace_seconds
from engine.model.rule import Cap, Rule

TIMES = 5  # a rule may send so many times its estimate
LEAST = 20  # and so much at any rate: five times next to nothing is still noise
_A = {86400.0: "a day", 7 * 86400.0: "a week", 3600.0: "an hour", 60.0: "a minute"}


def pauses_at(estimate: Cap) -> int:
    """How many sends in the estimate's window are too many."""
    return max(TIMES * estimate.count, LEAST)


def paced(paces: Mapping[str, Tally], rule: Rule, at: float) -> int:
    """Sends in the window of the rule's estimate, which ends at ``at``; 0 where it has none."""
    pace = paces.get(rule.id)
    fits = pace is not None and rule.estimate is not None and pace.per == pace_seconds(rule.estimate)
    return pace.count(at) if pace is not None and fits else 0


def look(state: DecideState, rule: Rule, at: float, per_minute: int) -> tuple[int, str, str]:
    """Sends so far in the window that decides, what is needed for one more, and why there may be none ("": it may)."""
    count = in_last_minute(state.rule_sends.get(rule.id, {}), at)
    if count >= per_minute or rule.estimate is None:
        why = f"blast guard: {count} sends in a minute, {per_minute} allowed" if count >= per_minute else ""
        return count, f"fewer than {per_minute} sends of this rule in a minute", why
    most, count = pauses_at(rule.estimate), paced(state.paces, rule, at)
    seconds = pace_seconds(rule.estimate)
    window, told = _A.get(seconds) or span(seconds), f"its estimate is {cap_text(rule.estimate)}"
    why = f"blast guard: {count} sends in {window}, {most} allowed; {told}" if count >= most else ""
    return count, f"fewer than {most} sends of this rule in {window}; {told}", why
