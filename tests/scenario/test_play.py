"""What scenarios can say, and that it comes out as they say."""

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.scenario import Result
from tests.scenario.town import JOURNEY, release_of

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


def test_scenarios_know_nothing_of_each_other(run: Callable[[str], list[Result]]) -> None:
    text = "given:\n  clock: 2026-11-24 09:00\nscenarios:\n" + "".join(
        f"  {name}:\n    steps:\n      - arrives: cafe\n    expect:\n      - moment: hello\n" for name in "abcd"
    )
    assert [result.ok for result in run(text)] == [True] * 4


def test_a_play_is_the_same_each_time(run: Callable[[str], list[Result]]) -> None:
    body = "    steps:\n      - stays: cafe, for 2 hours\n    expect: none\n"
    text = f"given:\n  clock: 2026-11-24 09:00\nscenarios:\n  it:\n{body}"
    assert len({(r.failures, r.story) for _ in range(3) for r in run(text)}) == 1


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
