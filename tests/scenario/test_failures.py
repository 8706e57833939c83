"""What is said of a scenario that does not come out: what was instead, and what a rule waited for in vain."""

from collections.abc import Callable

import pytest

from engine.match import CompiledRule, Situation
from engine.model.moment import Check
from engine.scenario import Result
from tests.scenario.town import JOURNEY, release_of

One = Callable[..., Result]

BAD = {
    "a moment that does not come": ("- moment: hello\n  - moment: long-stay", "it was not sent"),
    "another channel": ("- moment: hello\n    channel: inbox", "it went on console"),
    "another text": ("- moment: hello\n    says: goodbye", "it does not say 'goodbye'"),
    "a text that must not be": ("- moment: hello\n    never_says: WELCOME", "it says 'WELCOME'"),
    "another link": ("- moment: hello\n    link: shop://x", "its link is ''"),
    "another time": ("- moment: hello\n    at: 09:01", "it was at 09:00"),
    "another person": ("- moment: hello\n    person: ben", "it was not sent"),
    "twice": ("- moment: hello\n    times: 2", "it was sent once, not twice"),
    "not held": ("- held: hello", "it was not held"),
    "not suppressed": ("- moment: hello\n  - suppressed: hello", "nothing suppressed it"),
    "never thought of": ("- moment: hello\n  - suppressed: regulars", "it was neither suppressed nor sent"),
    "sent after all": ("- none: hello", "there is one"),
    "anything at all": ("- none: any", "there is one"),
    "a surprise": ("- none: long-stay", "nobody expected 'hello'"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_so_fails_and_says_what_was(name: str, one: One) -> None:
    expect, problem = BAD[name]
    body = f"steps:\n  - arrives: cafe\n  - at: 09:30\n    leaves: cafe\nexpect:\n  {expect}"
    result = one(body)
    assert [failure.happened[0] for failure in result.failures] == [problem]
    assert result.story


def test_suppressed_otherwise_names_the_reasons(one: One) -> None:
    body = """
        steps:
          - stays: cafe, for 12 minutes
        expect:
          - moment: hello
          - suppressed: long-stay
            reason: CAP
        """
    (failure,) = one(body).failures
    assert failure.happened[0] == "it was suppressed otherwise (UNKNOWN_VALUE)"


STUCK = {
    "a time that is over": (
        "- at: 08:00\n    arrives: cafe",
        "It is Tue 2026-11-24 09:00 already when this step comes.",
    ),
    "a move from nowhere": ("- walks: to cafe", "Nobody knows where the person is yet."),
    "feedback to nothing": (
        "- feedback: clicked hello",
        "somebody has got no message of 'hello' that could be clicked.",
    ),
    "a time that clocks skip": ("- at: 2027-03-28 02:30\n    arrives: cafe", "Clocks in Europe/Berlin skip"),
}


@pytest.mark.parametrize("name", STUCK)
def test_a_step_that_cannot_be_taken_fails_there(name: str, one: One) -> None:
    step, problem = STUCK[name]
    (failure,) = one(f"steps:\n  {step}\nexpect: none").failures
    assert failure.line == 6
    assert failure.happened[0].startswith(problem)


def test_a_rule_that_nothing_woke_says_what_it_waits_for_and_how_near_that_came(one: One) -> None:
    body = (
        "steps:\n  - arrives: 45 m from cafe\nexpect:\n  - moment: hello\n  - moment: regulars\n  - moment: long-stay"
    )
    told = [failure.happened[1:] for failure in one(body).failures]
    assert told[0] == (
        "nothing woke hello: it waits for enter of tag cafe",
        "  the nearest they came was 45 m outside cafe",
    )
    assert told[1] == ("nothing woke regulars: it waits for event app_open",)
    assert told[2][0] == "nothing woke long-stay: it waits for dwell of cafe"
    vague = "steps:\n  - arrives: cafe\n    accuracy: 300\nexpect:\n  - moment: hello"
    (failure,) = one(vague).failures
    assert "120 m inside cafe, but with an accuracy of 300 m that is certain to" in failure.happened[2]
    (thanks,) = one("steps:\n  - arrives: elsewhere\nexpect:\n  - moment: thanks", release_of(JOURNEY)).failures
    assert thanks.happened[1] == "nothing woke thanks: it waits for hello clicked"


@pytest.mark.parametrize(
    ("expected", "ok", "told"),
    [("moment: hello", True, False), ("suppressed: long-stay", True, True), ("moment: long-stay", False, True)],
)
def test_why_rules_were_woken_in_vain_is_worked_out_only_where_it_is_told(
    expected: str, ok: bool, told: bool, one: One, monkeypatch: pytest.MonkeyPatch
) -> None:
    explained: list[str] = []
    explain = CompiledRule.explain

    def note(rule: CompiledRule, situation: Situation) -> tuple[Check, ...]:
        explained.append(rule.rule.id)
        return explain(rule, situation)

    monkeypatch.setattr(CompiledRule, "explain", note)
    steps = "others: allowed\nsteps:\n  - arrives: cafe\n  - stays: 15 minutes\nexpect:\n"
    result = one(f"given:\n  profile: {{tier: silver}}\n{steps}  - {expected}\n")
    assert result.ok is ok
    assert ("long-stay" in explained) is told
    said = " ".join(line for failure in result.failures for line in failure.happened)
    assert ("'profile.tier = gold' does not hold" in said) is not ok
