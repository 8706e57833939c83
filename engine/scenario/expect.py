"""What a scenario expects, held against what was seen."""

from msgspec import Struct, field

from engine.author.scenario_parts import Expected, Scenario
from engine.measure.sentences import decision_sentence, failed_check, sentence
from engine.model.moment import Check, Miss
from engine.model.reason import Reason
from engine.scenario.local import Local
from engine.scenario.stage import Outcome, Seen


class Failure(Struct, frozen=True):
    """One thing that is not as expected. ``expected`` None: a moment that nobody expected."""

    expected: Expected | None
    problem: str
    outcomes: tuple[Outcome, ...] = ()
    misses: tuple[Miss, ...] = ()


class Claimed(Struct):
    """The outcomes (by index) that some expectation is about. One that was held and then sent may be told twice."""

    sent: set[int] = field(default_factory=set)
    held: set[int] = field(default_factory=set)

    @property
    def any(self) -> set[int]:
        """Those of either kind."""
        return self.sent | self.held


def compare(scenario: Scenario, seen: Seen, local: Local) -> list[Failure]:
    """Every failure, in the order of ``expect``; moments that nobody expected come last."""
    claimed = Claimed()
    failures: list[Failure] = []
    for expected in scenario.expect:
        failure = _COMPARE[expected.kind](expected, seen, local, claimed)
        if failure is not None:
            failures.append(failure)
    if scenario.strict and not any(e.kind == "none" and not e.rule for e in scenario.expect):
        named = {failure.expected.rule for failure in failures if failure.expected is not None}
        for index, outcome in enumerate(seen.outcomes):
            if index not in claimed.any and _went(outcome) and outcome.moment.rule not in named:
                failures.append(Failure(None, f"nobody expected '{outcome.moment.rule}'", (outcome,)))
    return failures


def _went(outcome: Outcome) -> bool:
    """It was sent, or still may be."""
    return outcome.sent_at is not None or not outcome.reason


def _of(expected: Expected, seen: Seen) -> list[tuple[int, Outcome]]:
    return [
        (index, outcome)
        for index, outcome in enumerate(seen.outcomes)
        if expected.rule in ("", outcome.moment.rule) and expected.person in (None, outcome.moment.person)
    ]


def _misses(expected: Expected, seen: Seen) -> tuple[Miss, ...]:
    return tuple(
        miss for miss in seen.misses
        if expected.rule in ("", miss.rule) and expected.person in (None, miss.person)
    )  # fmt: skip


# ------------------------------------------------------------------ kinds of expectations


def _moment(expected: Expected, seen: Seen, local: Local, claimed: Claimed) -> Failure | None:
    about = _of(expected, seen)
    sent = [(index, outcome) for index, outcome in about if outcome.sent_at is not None and index not in claimed.sent]
    fits = [(index, outcome) for index, outcome in sent if not _wrong(expected, outcome, outcome.sent_at, local)]
    if len(fits) >= expected.times:
        claimed.sent.update(index for index, _ in fits[: expected.times])
        return None
    if fits:
        claimed.sent.update(index for index, _ in fits)
        problem = f"it was sent {_times(len(fits))}, not {_times(expected.times)}"
    elif len(sent) == 1:
        problem = _wrong(expected, sent[0][1], sent[0][1].sent_at, local)
    else:
        problem = "none that was sent is like that" if sent else "it was not sent"
    return Failure(expected, problem, tuple(outcome for _, outcome in about), _misses(expected, seen))


def _held(expected: Expected, seen: Seen, local: Local, claimed: Claimed) -> Failure | None:
    about = _of(expected, seen)
    held = [(index, outcome) for index, outcome in about if outcome.held]
    fits = []
    problem = "it was not held"
    for index, outcome in held:
        problem = _wrong(expected, outcome, outcome.moment.at, local)
        until = outcome.moment.decision.until
        if not problem and expected.until is not None and (until is None or not local.within(until, expected.until)):
            problem = f"it is held until {local.clock(until)}" if until is not None else "it is held for no time"
        if not problem:
            fits.append(index)
    claimed.held.update(fits)
    if len(fits) == expected.times or (expected.times == 1 and fits):
        return None
    problem = problem or f"it was held {_times(len(fits))}, not {_times(expected.times)}"
    return Failure(expected, problem, tuple(outcome for _, outcome in about), _misses(expected, seen))


def _suppressed(expected: Expected, seen: Seen, local: Local, claimed: Claimed) -> Failure | None:
    about, misses = [outcome for _, outcome in _of(expected, seen)], _misses(expected, seen)
    stopped = [(o.reason, o.ended_at or o.moment.at, said_of(o)) for o in about if o.reason and o.sent_at is None]
    stopped += [(str(miss.reason), miss.at, said_of_miss(miss, local.zone)) for miss in misses]
    fits = [s for s in stopped if _stopped_so(expected, s, local)]
    if len(fits) >= expected.times:
        return None
    if not stopped:
        problem = "nothing suppressed it" if any(_went(o) for o in about) else "it was neither suppressed nor sent"
    elif fits:
        problem = f"it was suppressed so {_times(len(fits))}, not {_times(expected.times)}"
    else:
        problem = f"it was suppressed otherwise ({', '.join(dict.fromkeys(reason for reason, *_ in stopped))})"
    return Failure(expected, problem, tuple(about), misses)


def _stopped_so(expected: Expected, stopped: tuple[str, float, str], local: Local) -> bool:
    reason, at, said = stopped
    return (
        expected.reason in (None, reason)
        and (expected.at is None or local.within(at, expected.at))
        and (expected.because is None or expected.because.lower() in said.lower())
    )


def _none(expected: Expected, seen: Seen, local: Local, claimed: Claimed) -> Failure | None:
    went = tuple(outcome for _, outcome in _of(expected, seen) if _went(outcome))
    if not went:
        return None
    return Failure(expected, f"there is {_count(len(went))}", went)


_COMPARE = {"moment": _moment, "held": _held, "suppressed": _suppressed, "none": _none}


# ------------------------------------------------------------------ details


def _wrong(expected: Expected, outcome: Outcome, at: float | None, local: Local) -> str:
    """What of the outcome is not as expected; "" where all is."""
    message, text = outcome.message or outcome.moment.message, ""
    if message is not None:
        text = f"{message.title}\n{message.body}"
    channel = outcome.channel or next(iter(outcome.moment.channels), "")
    if expected.channel not in (None, channel):
        return f"it went on {channel}"
    for words in expected.says:
        if words.lower() not in text.lower():
            return f"it does not say '{words}'"
    for words in expected.never_says:
        if words.lower() in text.lower():
            return f"it says '{words}'"
    if expected.link is not None and (message is None or message.link != expected.link):
        return f"its link is '{message.link if message is not None else ''}'"
    if expected.at is not None and at is not None and not local.within(at, expected.at):
        return f"it was at {local.clock(at)}"
    return ""


def said_of(outcome: Outcome) -> str:
    """Why it was decided so, or what became of it."""
    if outcome.ended:
        reason = Reason(outcome.ended)
        return sentence(reason, Check("", False, note=outcome.ended_why), at=outcome.ended_at)
    return decision_sentence(outcome.moment.decision, outcome.moment.at)


def said_of_miss(miss: Miss, zone: str) -> str:
    """Why the rule did not fire."""
    return sentence(miss.reason, failed_check(miss.checks, miss.reason), at=miss.at, zone=zone)


def _times(count: int) -> str:
    return "never" if count == 0 else "once" if count == 1 else "twice" if count == 2 else f"{count} times"


def _count(count: int) -> str:
    return "one" if count == 1 else f"{count} of them"
