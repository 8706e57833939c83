"""What scenarios can say, and that it comes out as they say."""

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.match import CompiledRule, Situation
from engine.model.moment import Check
from engine.scenario import Result
from tests.scenario.town import release_of

One = Callable[..., Result]

GOOD = {
    "arriving wakes a rule, with texts, channel and time": """
        given:
          profile: {first_name: Ada}
          facts: {global: {weather: {sky: grey}}}
        steps:
          - at: 09:05
            arrives: cafe
        expect:
          - moment: hello
            channel: console
            says: [welcome to the café, "It is grey, Ada"]
            never_says: Ben
            at: 09:05
        """,
    "nothing happens elsewhere": """
        steps:
          - arrives: elsewhere
        expect: none
        """,
    "so many metres outside is outside": """
        steps:
          - arrives: 40 m from cafe
            accuracy: 5
          - arrives: 40 m from office
        expect: none
        """,
    "a walk comes in when it comes in": """
        steps:
          - walks: 300 m from cafe to cafe, in 10 minutes
        expect:
          - moment: hello
            at: 09:06 to 09:09
        """,
    "dwelling needs its time, and the phone goes on reporting": """
        given:
          profile: {tier: gold}
          facts: {global: {weather: {temp_c: 3}}}
        steps:
          - arrives: cafe
          - waits: 50 minutes
          - leaves: cafe
          - waits: 2 minutes
        expect:
          - moment: hello
          - moment: long-stay
            at: 09:10
        """,
    "leaving is noticed after the last step": """
        steps:
          - arrives: office
          - at: 12:00
            leaves: office
        expect:
          - moment: pilot
            at: 12:01
        """,
    "a silent phone is not known to have left": """
        steps:
          - arrives: office
          - waits: 3 hours
            silent: yes
          - leaves: office
        expect: none
        """,
    "who is put into the control group is left without": """
        given:
          control_group: pilot
        steps:
          - arrives: office
          - leaves: office
        expect:
          - suppressed: pilot
            reason: CONTROL_GROUP
        """,
    "the past counts as history": """
        given:
          visited:
            - office, for 8 hours, 2 days ago
            - office, 1 day ago
          context: {mood: happy}
        steps:
          - event: app_open
        expect:
          - moment: regulars
        """,
    "one visit is not two, and none of the past is sent": """
        given:
          visited:
            - office, for 8 hours, 2 days ago
            - cafe, for 1 hour, 3 hours ago
        steps:
          - event: app_open
        expect:
          - suppressed: regulars
            because: "visited: office"
        """,
    "past events count, with their data": """
        given:
          profile: {tier: gold}
          facts: {global: {weather: {temp_c: 3}}}
          did: complaint with about=coffee, 5 hours ago
        steps:
          - stays: cafe, for 15 minutes
        expect:
          - moment: hello
          - suppressed: long-stay
            because: complaint
        """,
    "quiet hours hold, and what is held goes in the morning": """
        given:
          clock: 2026-11-24 07:50 Europe/Berlin
        steps:
          - arrives: cafe
          - waits: until 08:30
        expect:
          - held: hello
            until: 08:00
          - moment: hello
            at: 08:00
        """,
    "what is held and left is taken back": """
        given:
          clock: 2026-11-24 07:46 Europe/Berlin
        steps:
          - arrives: cafe
          - at: 07:50
            leaves: cafe
          - waits: until 08:30
        expect:
          - held: hello
          - suppressed: hello
            reason: left
            at: 07:51
        """,
    "consent that is withdrawn meanwhile stops what waits": """
        given:
          clock: 2026-11-24 07:46 Europe/Berlin
        steps:
          - arrives: cafe
          - at: 07:50
            profile: {consent: {service: no}}
          - waits: until 08:30
        expect:
          - suppressed: hello
            reason: NO_CONSENT
        """,
    "facts grow stale": """
        given:
          profile: {tier: gold}
        steps:
          - facts: {global: {weather: {temp_c: 3}}}
            for: 5 minutes
          - stays: cafe, for 15 minutes
        expect:
          - moment: hello
          - suppressed: long-stay
            reason: UNKNOWN_VALUE
            because: global.weather.temp_c
        """,
    "the context of the phone sticks": """
        given:
          visited: office, 2 days ago
        steps:
          - stays: office, for 3 minutes
            context: {mood: happy}
          - leaves: office
          - waits: 5 minutes
          - event: app_open
        expect:
          - moment: pilot
          - moment: regulars
        """,
    "a channel that fails gives way to the next": """
        given:
          profile: {tier: gold}
          facts: {global: {weather: {temp_c: 3}}}
          failing: console
        steps:
          - stays: cafe, for 15 minutes
        expect:
          - suppressed: hello
            reason: REJECTED
          - moment: long-stay
            channel: inbox
        """,
    "what is paused does not begin, and goes when it is resumed": """
        given:
          clock: 2026-11-24 07:50 Europe/Berlin
        steps:
          - arrives: cafe
          - pauses: channel console
          - waits: until 08:01
          - resumes: channel console
        expect:
          - moment: hello
            at: 08:01
        """,
    "what is dropped does not go": """
        given:
          clock: 2026-11-24 07:50 Europe/Berlin
        steps:
          - arrives: cafe
          - pauses: everything
          - waits: until 08:01
          - resumes: everything
            drop: yes
        expect:
          - suppressed: hello
            reason: DROPPED
        """,
    "several people, each on their own": """
        given:
          people:
            ada: {first_name: Ada}
            ben:
        steps:
          - arrives: cafe
            person: ada
          - arrives: cafe
            person: ben
        expect:
          - moment: hello
            person: ada
            says: Ada
          - moment: hello
            person: ben
          - none: hello
            person: somebody
        """,
    "what the phone's own OS reports is believed": """
        steps:
          - reports: enter cafe
        expect:
          - moment: hello
        """,
    "a late report makes history": """
        steps:
          - arrives: cafe
            late: 1 hour
        expect:
          - suppressed: hello
            reason: EXPIRED
            at: 10:00
        """,
    "days can be named": """
        steps:
          - at: fri 18:00
            arrives: cafe
          - at: next day 10:00
            arrives: elsewhere
          - at: 2026-12-01 09:30:15
            arrives: cafe
        expect:
          - moment: hello
            at: fri 18:00
          - moment: hello
            at: 2026-12-01 09:30:15
        """,
    "counts are exact": """
        steps:
          - arrives: cafe
          - leaves: cafe
          - at: 11:00
            arrives: cafe
        expect:
          - moment: hello
            times: 2
        """,
    "others may be allowed": """
        others: allowed
        steps:
          - arrives: cafe
        expect:
          - none: long-stay
        """,
    "expecting nothing of one rule is about that rule": """
        steps:
          - arrives: cafe
        expect:
          - moment: hello
          - none: long-stay
        """,
}


@pytest.mark.parametrize("name", GOOD)
def test_what_a_scenario_says_holds(name: str, one: One) -> None:
    result = one(GOOD[name])
    assert [line for failure in result.failures for line in (failure.expected, *failure.happened)] == []


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


def test_a_track_is_followed_from_the_clock_on(one: One, tmp_path: Path) -> None:
    rows = [f"2019-03-05T10:0{minute}:00Z,52.52,{13.40 + minute / 1000}" for minute in range(6)]
    (tmp_path / "way.csv").write_text("at,lat,lon\n" + "\n".join(rows))
    body = """
        steps:
          - follows: way.csv
            accuracy: 5
        expect:
          - moment: hello
            at: 2026-11-24 09:04
        """
    assert one(body).ok


def test_without_a_clock_it_begins_with_the_track(run: Callable[[str], list[Result]], tmp_path: Path) -> None:
    (tmp_path / "way.csv").write_text("at,lat,lon\n2019-03-05T10:00:00Z,52.52,13.405")
    text = """
        scenarios:
          then:
            steps:
              - follows: way.csv
            expect:
              - moment: hello
                at: 2019-03-05 11:00
        """
    (result,) = run(text)
    assert result.ok


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


def test_scenarios_know_nothing_of_each_other(run: Callable[[str], list[Result]]) -> None:
    text = "given:\n  clock: 2026-11-24 09:00\nscenarios:\n" + "".join(
        f"  {name}:\n    steps:\n      - arrives: cafe\n    expect:\n      - moment: hello\n" for name in "abcd"
    )
    assert [result.ok for result in run(text)] == [True] * 4


def test_a_play_is_the_same_each_time(run: Callable[[str], list[Result]]) -> None:
    body = "    steps:\n      - stays: cafe, for 2 hours\n    expect: none\n"
    text = f"given:\n  clock: 2026-11-24 09:00\nscenarios:\n  it:\n{body}"
    assert len({(r.failures, r.story) for _ in range(3) for r in run(text)}) == 1


JOURNEY = """
rules:
  hello:
    when:
      enters: tag cafe
    conversion: purchase
    message:
      body: hi
  thanks:
    purpose: service
    when:
      after: hello clicked, within 2 hours
    message:
      body: thanks
  remind:
    purpose: service
    when:
      after: hello not converted, within 2 hours
    message:
      body: remember
  lunch:
    purpose: service
    when:
      schedule: every weekday at 11:30
      to: cafe
    message:
      body: lunch
"""

FOLLOWED = {
    "what follows a click, and what follows silence": """
        steps:
          - arrives: cafe
          - waits: 5 minutes
          - feedback: clicked hello
          - waits: until 11:10
          - leaves: cafe
        expect:
          - moment: hello
          - moment: thanks
            at: 09:05
          - moment: remind
            at: 11:00
        """,
    "who bought is not reminded": """
        steps:
          - arrives: cafe
          - waits: 5 minutes
          - event: purchase
          - leaves: cafe
          - waits: 5 hours
        expect:
          - moment: hello
        """,
    "schedules come on their days, to those who are there": """
        given:
          clock: thu 2026-11-26 11:00 Europe/Berlin
        steps:
          - arrives: elsewhere
          - at: next day 11:00
            arrives: cafe
          - waits: until mon 11:45
        others: allowed
        expect:
          - moment: lunch
            at: fri 11:30
          - moment: lunch
            at: mon 11:30
        """,
}


@pytest.mark.parametrize("name", FOLLOWED)
def test_schedules_and_sequels_come_as_they_would_live(name: str, one: One) -> None:
    result = one(FOLLOWED[name], release_of(JOURNEY))
    assert [line for failure in result.failures for line in (failure.expected, *failure.happened)] == []


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
