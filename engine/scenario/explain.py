"""A failed scenario in words: what was expected, what happened instead, and why."""

from collections.abc import Iterator

from msgspec import Struct

from engine.author.scenario_parts import Expected, Scenario, Span, TimeOfDay
from engine.author.scenario_times import DAYS
from engine.measure.trace import CONDITIONS
from engine.model.moment import Check
from engine.model.rule import OnAfter, OnEvent, Rule, Target
from engine.pipeline.versions import Compiled
from engine.scenario.expect import Failure, said_of, said_of_miss
from engine.scenario.local import Local
from engine.scenario.player import Player
from engine.scenario.stage import Outcome

MOST = 6  # moments told of one rule
STORY = 40  # lines told of what happened

MARKS = {True: "holds  ", False: "fails  ", None: "unknown"}


class Telling(Struct, frozen=True):
    """A failure for reading. ``line``: of the expectation, else of the scenario."""

    line: int
    column: int
    expected: str
    happened: tuple[str, ...]


def tell(scenario: Scenario, local: Local, compiled: Compiled, player: Player, failure: Failure) -> Telling:
    """One failure with what happened instead."""
    mark = scenario.mark if failure.expected is None else failure.expected.mark
    wanted = "nothing but what is expected" if failure.expected is None else said_of_expected(failure.expected)
    lines = [failure.problem, *_happened(local, compiled, player, failure)]
    return Telling(mark.line, mark.column, wanted, tuple(lines))


def said_of_expected(expected: Expected) -> str:
    """The expectation as a sentence."""
    if expected.kind == "none":
        return f"no {expected.rule or 'moment'}"
    words = [expected.kind, expected.rule or "of any rule"]
    words += [f"on {expected.channel}"] if expected.channel is not None else []
    words += [f"for {expected.person}"] if expected.person is not None else []
    words += [f"saying '{text}'" for text in expected.says]
    words += [f"never saying '{text}'" for text in expected.never_says]
    words += [f"with link {expected.link}"] if expected.link is not None else []
    words += [f"at {_span(expected.at)}"] if expected.at is not None else []
    words += [f"until {_span(expected.until)}"] if expected.until is not None else []
    words += [f"by {expected.reason}"] if expected.reason is not None else []
    words += [f"because '{expected.because}'"] if expected.because is not None else []
    words += [f"{expected.times} times"] if expected.times != 1 else []
    return " ".join(words)


def story(local: Local, player: Player) -> list[str]:
    """Everything that was done and came of it, in order of time."""
    seen = player.stage.seen
    told = [(at, 0, words) for at, words in player.story]
    told += [(at, 1, f"{t.device}: {t.kind} {t.fence}") for at, t in seen.transitions if at >= player.begins]
    told += [entry for outcome in seen.outcomes for entry in _entries(outcome)]
    told.sort(key=lambda entry: entry[:2])
    lines, day = [], ""
    for at, _, words in told:
        today = local.day(at)
        if today != day:
            lines.append(today)
            day = today
        lines.append(f"  {local.clock(at)}  {words}")
    return lines if len(lines) <= STORY else [*lines[:STORY], f"  … and {len(lines) - STORY} more lines"]


def _entries(outcome: Outcome) -> Iterator[tuple[float, int, str]]:
    rule, person = outcome.moment.rule, outcome.moment.person
    if outcome.held or outcome.moment.decision.verdict == "suppress":
        yield outcome.moment.at, 2, f"{rule} for {person}: {said_of_decision(outcome)}"
    if outcome.sent_at is not None:
        yield outcome.sent_at, 3, f"{rule} for {person}: sent on {outcome.channel}: {_text(outcome)}"
    elif outcome.ended:
        yield outcome.ended_at, 3, f"{rule} for {person}: {outcome.ended}. {said_of(outcome)}"


def said_of_decision(outcome: Outcome) -> str:
    """``suppressed by CAP. Not sent: …``"""
    decision = outcome.moment.decision
    verdict = "held" if outcome.held else f"suppressed by {decision.reason}"
    before = Outcome(outcome.moment)
    return f"{verdict}. {said_of(before)}"


# ------------------------------------------------------------------ one rule


def _happened(local: Local, compiled: Compiled, player: Player, failure: Failure) -> Iterator[str]:
    for outcome in failure.outcomes[:MOST]:
        yield from _outcome_lines(outcome, local, failure)
    for miss in failure.misses[: max(0, MOST - len(failure.outcomes))]:
        yield f"{local.clock(miss.at)} {miss.rule} suppressed by {miss.reason}: {said_of_miss(miss, local.zone)}"
        yield from _check_lines(miss.checks)
    more = len(failure.outcomes) + len(failure.misses) - MOST
    if more > 0:
        yield f"… and {more} more"
    expected = failure.expected
    if expected is not None and expected.rule and not failure.outcomes and not failure.misses:
        yield from _asleep(compiled, player, expected.rule)


def _outcome_lines(outcome: Outcome, local: Local, failure: Failure) -> Iterator[str]:
    moment = outcome.moment
    at, rule = local.clock(moment.at), moment.rule
    if moment.decision.verdict == "suppress":
        yield f"{at} {rule} {said_of_decision(outcome)}"
        yield from _check_lines(moment.decision.checks)
        return
    if outcome.held:
        yield f"{at} {rule} {said_of_decision(outcome)}"
    if outcome.sent_at is not None:
        yield f"{local.clock(outcome.sent_at)} {rule} sent to {moment.person} on {outcome.channel}: {_text(outcome)}"
    elif outcome.ended:
        yield f"{local.clock(outcome.ended_at)} {rule} {outcome.ended}: {said_of(outcome)}"
    else:
        yield f"{at} {rule} waits to be sent to {moment.person}: {_text(outcome)}"
    if failure.expected is None or failure.expected.kind in ("none", "suppressed"):
        yield f"  woken by {moment.cause.kind} {moment.cause.fence or moment.cause.event or ''}".rstrip()
        yield from _check_lines(moment.decision.checks)


def _check_lines(checks: tuple[Check, ...]) -> Iterator[str]:
    for check in checks:
        if check.step == CONDITIONS and check.depth == 0 and check.name not in ("", "expiry"):
            saw = "nothing" if check.saw is None else str(check.saw)
            where = f"  [{check.where}]" if check.where else ""
            yield f"  {MARKS[check.ok]}  {check.name}  (saw {saw[:80]}){where}"


def _text(outcome: Outcome) -> str:
    message = outcome.message or outcome.moment.message
    if message is None:
        return "nothing"
    return f"'{message.title}'" + (f" '{message.body}'" if message.body else "")


# ------------------------------------------------------------------ a rule that nothing woke


def _asleep(compiled: Compiled, player: Player, name: str) -> Iterator[str]:
    """What the rule waits for, and how near it came."""
    rule = next((rule for rule in compiled.release.rules if rule.id == name), None)
    if rule is None:
        return
    yield f"nothing woke {name}: it waits for {' or '.join(waits_for(rule)) or 'something else'}"
    awaited = [fence for fence in compiled.release.fences if _awaited(rule, fence.id, fence.tags)]
    if awaited and player.fixes:
        yield _nearest(compiled, player, [fence.id for fence in awaited])
    events = [trigger.event for trigger in rule.when if isinstance(trigger, OnEvent)]
    done = [words for _, words in player.story if " does " in words]
    if events and done:
        yield f"  events there were: {', '.join(dict.fromkeys(words.rpartition(' does ')[2] for words in done))}"


def waits_for(rule: Rule) -> Iterator[str]:
    """The triggers of a rule in its author's words."""
    for trigger in rule.when:
        target = getattr(trigger, "target", None)
        kind = getattr(trigger, "kind", "")
        if isinstance(trigger, OnEvent):
            yield f"event {trigger.event}"
        elif isinstance(trigger, OnAfter):
            yield f"{trigger.rule} {'not ' if trigger.missing else ''}{trigger.outcome}"
        elif isinstance(target, Target):
            named = [*target.fences, *(f"tag {tag}" for tag in target.tags)]
            yield f"{kind} of {' or '.join(named)}".strip()
        else:
            yield getattr(trigger, "text", "") or type(trigger).__name__.removeprefix("On").lower()


def _awaited(rule: Rule, fence: str, tags: tuple[str, ...]) -> bool:
    targets = [target for t in rule.when if isinstance(target := getattr(t, "target", None), Target)]
    return any(fence in target.fences or not set(tags).isdisjoint(target.tags) for target in targets)


def _nearest(compiled: Compiled, player: Player, fences: list[str]) -> str:
    measured = [
        (compiled.fences.distance(fence, *point), fence, point, accuracy)
        for _, _, point, accuracy in player.fixes[:2000]
        for fence in fences[:200]
    ]
    metres, fence, point, accuracy = max(measured, key=lambda entry: entry[0])
    if metres < 0:
        return f"  the nearest they came was {-metres:.0f} m outside {fence}"
    chance = compiled.fences.probability(fence, point[0], point[1], accuracy)
    needs = compiled.release.policy.sense.enter_probability
    said = f"  they were {metres:.0f} m inside {fence}"
    if chance < needs:
        return f"{said}, but with an accuracy of {accuracy:g} m that is certain to {chance:.2f} only (needs {needs:g})"
    return said


def _span(span: Span) -> str:
    if span.first == span.last:
        return _time(span.first)
    return f"{_time(span.first)} to {_time(span.last)}"


def _time(time: TimeOfDay) -> str:
    minutes, seconds = divmod(int(time.seconds), 60)
    text = f"{minutes // 60:02}:{minutes % 60:02}" + (f":{seconds:02}" if time.precision < 60 else "")
    day = "next day" if time.day == "next" else DAYS[time.day] if isinstance(time.day, int) else time.day
    return text if day is None else f"{day} {text}"
