"""Journeys: what is understood, and the stages and rules that nobody reaches."""

import json

import pytest

from engine.author.project import Bundle, compile_bundle
from engine.model.release import Policy
from engine.model.rule import Journey, Stage

JOURNEYS = """\
journeys:
  coffee:
    about: From a passer-by to a regular.
    owner: crm-team
    persona: Clara, who commutes
    stages:
      discover:
        expectation: Coffee on the way, without a queue.
        response: Say where it is, once.
        goal: A first visit
        channels: console
      consider: A second visit
      return:
"""


def rules(**of):
    text = "rules:\n"
    for name, (stage, lines) in of.items():
        text += f"  {name}:\n    purpose: service\n    journey: coffee\n    stage: {stage}\n"
        text += f"    conversion: purchase\n    message:\n      title: Hi\n{lines}"
    return text


ENTERS = "    when:\n      enters: tag cafe\n"
NEVER_BOUGHT = "    when:\n      after: hello not converted, within 1 day\n"


@pytest.fixture
def told():
    """What ``check`` says of a project: code, line."""

    def build(**files):
        fence = {"type": "Point", "coordinates": [13.4, 52.5]}
        feature = {"type": "Feature", "id": "a", "properties": {"tags": ["cafe"], "radius": 120}, "geometry": fence}
        city = json.dumps({"type": "FeatureCollection", "features": [feature]})
        named = {f"rules/{name}.yaml": text.encode() for name, text in files.items()}
        policy = Policy(channels=("console", "inbox"))
        _, findings = compile_bundle(Bundle({"geofences/a.geojson": city.encode(), **named}, policy), new=True)
        return [(f.code, f.file.removeprefix("rules/"), f.line) for f in findings if f.code != "NEVER_FIRES"]

    return build


def test_a_journey_says_whose_it_is_and_what_each_stage_is_for(compiled):
    release, _ = compiled(journeys=JOURNEYS)
    stages = (
        Stage(
            "discover", "Coffee on the way, without a queue.", "Say where it is, once.", "A first visit",
            ("console",), "rules/journeys.yaml:7",
        ),
        Stage("consider", goal="A second visit", where="rules/journeys.yaml:12"),
        Stage("return", where="rules/journeys.yaml:13"),
    )  # fmt: skip
    about, where = "From a passer-by to a regular.", "rules/journeys.yaml:2"
    assert release.journeys == {"coffee": Journey("coffee", "Clara, who commutes", about, "crm-team", stages, where)}


@pytest.mark.parametrize(
    "stages", ["a, b", "[a, b]", "a or b", "\n      - a\n      - b: Something", "\n      a:\n      b:"]
)
def test_stages_may_be_listed(compiled, stages):
    release, findings = compiled(journeys=f"journeys:\n  coffee:\n    stages: {stages}\n")
    assert [f for f in findings if f.severity == "error"] == []
    assert [stage.id for stage in release.journeys["coffee"].stages] == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("journeys:\n  coffee:\n    owner: me\n", "MISSING", 2),
        ("journeys:\n  coffee:\n    stages:\n", "MISSING", 2),
        ("journeys:\n  coffee:\n    stages: [a, a]\n", "DUPLICATE_STAGE", 3),
        ("journeys:\n  coffee:\n    stages:\n      a:\n        gaol: x\n", "UNKNOWN_KEY", 5),
        ("journeys:\n  coffee:\n    stages:\n      a:\n        channels: pigeon\n", "UNKNOWN_CHANNEL", 5),
        ("journeys:\n  coffee:\n    person: me\n    stages: a, b\n", "UNKNOWN_KEY", 3),
    ],
)
def test_a_wrong_journey_names_place_and_fix(compiled, text, code, line):
    _, findings = compiled(journeys=text)
    errors = [(f.code, f.line) for f in findings if f.severity == "error"]
    assert errors == [(code, line)]


def test_a_stage_that_no_rule_belongs_to_is_told(told):
    found = told(journeys=JOURNEYS, r=rules(hello=("discover", ENTERS), again=("consider", NEVER_BOUGHT)))
    assert found == [("EMPTY_STAGE", "journeys.yaml", 13)]


@pytest.mark.parametrize("status", ["draft", "paused", "ended"])
def test_a_stage_that_nobody_reaches_is_told_with_the_rules_that_cannot_be_woken(told, status):
    text = rules(
        hello=("discover", f"    status: {status}\n{ENTERS}"),
        again=("consider", NEVER_BOUGHT),
        more=("return", "    when:\n      after: again delivered\n"),
    )
    assert told(journeys=JOURNEYS, r=text) == [
        ("UNREACHABLE_STAGE", "journeys.yaml", 7),
        ("UNREACHABLE_STAGE", "journeys.yaml", 12),
        ("UNREACHABLE_STAGE", "journeys.yaml", 13),
        ("NEVER_WOKEN", "r.yaml", 20),
        ("NEVER_WOKEN", "r.yaml", 29),
    ]


def test_rules_that_only_follow_upon_each_other_are_never_woken(told):
    text = rules(
        one=("a", "    when:\n      after: two delivered\n"), two=("a", "    when:\n      after: one delivered\n")
    )
    found = told(journeys="journeys:\n  coffee:\n    stages: [a]\n", r=text)
    assert [code for code, *_ in found] == ["UNREACHABLE_STAGE", "NEVER_WOKEN", "NEVER_WOKEN"]


def test_a_journey_all_of_whose_stages_are_reached_says_nothing(told):
    text = rules(
        hello=("discover", ENTERS),
        again=("consider", NEVER_BOUGHT),
        back=("return", "    when:\n      event: bought\n"),
    )
    assert told(journeys=JOURNEYS, r=text) == []


def test_a_rule_that_goes_elsewhere_than_its_stage_is_told(told):
    text = rules(hello=("discover", ENTERS)).replace("title: Hi", "title: Hi\n      channels: console, then inbox")
    found = told(journeys=JOURNEYS, r=text)
    assert ("STAGE_CHANNELS", "r.yaml", 9) in found
