"""A canary: the rule reaches a sticky share of people first, in step 1 of the decision."""

from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from engine.decide import Candidate, Decider, DecideState
from engine.measure.sentences import sentence
from engine.model.ids import share
from engine.model.moment import Check
from engine.model.person import Person
from engine.model.reason import Reason, Verdict
from engine.model.release import DecidePolicy, Policy, Release, TestPolicy
from engine.model.rule import MessageSpec, MessageText, OnEvent, Rule
from engine.model.signal import Cause

NOW = 1_795_508_200.0
UTC = ZoneInfo("UTC")
HELLO = Rule("hello", (OnEvent("open"),), MessageSpec(MessageText(title="Hi")), canary=0.1)


def decided(rule: Rule, person: str, salt: str = "salt"):
    policy = Policy(decide=DecidePolicy(quiet_hours=None), test=TestPolicy(("me", "test-*")))
    decider = Decider(Release("r", (rule,), policy=policy), DecideState(), salt)
    candidate = Candidate(rule, Cause(f"{person}|1", "event", NOW, event="open"), Person(person), person, None)
    (one,), _ = decider.decide([candidate], NOW, UTC, "UTC")
    return one.decision


def reached(share: float, salt: str = "salt", people: int = 2000) -> set[str]:
    rule = replace(HELLO, canary=share)
    return {p for p in map("p{}".format, range(people)) if decided(rule, p, salt).verdict is Verdict.SEND}


def test_a_tenth_of_the_people_are_reached_and_the_others_have_a_named_reason():
    assert 150 < len(reached(0.1)) < 250
    other = next(p for p in map("p{}".format, range(100)) if p not in reached(0.1, people=100))
    decision = decided(HELLO, other)
    assert (decision.verdict, decision.reason) == (Verdict.SUPPRESS, Reason.CANARY)
    assert decision.checks[-1].step == 1
    assert sentence(Reason.CANARY, decision.checks[-1]).startswith("Not sent: the rule goes to 10% of people first")


def test_a_larger_canary_keeps_everybody_who_was_in():
    assert reached(0.1) <= reached(0.3) <= reached(1.0)
    assert len(reached(1.0)) == 2000


def test_another_project_reaches_other_people():
    assert reached(0.1, "salt") != reached(0.1, "pepper")


def test_who_is_in_the_canary_says_nothing_about_the_control_group():
    rule = replace(HELLO, canary=0.5, control_group=0.5)
    reasons = [decided(rule, p).reason for p in map("p{}".format, range(2000))]
    assert 400 < reasons.count(Reason.OK) < 600
    assert 400 < reasons.count(Reason.CONTROL_GROUP) < 600


def test_test_people_are_always_reached():
    assert decided(replace(HELLO, canary=0.000001), "test-1").verdict is Verdict.SEND


def test_a_draft_is_a_draft_before_it_is_a_canary():
    assert decided(replace(HELLO, canary=0.000001, status="draft"), "p1").reason is Reason.DRAFT


def test_other_rules_do_not_share_the_same_people():
    mine = {p for p in map("p{}".format, range(2000)) if share("salt", "canary", "hello", p) < 0.1}
    assert mine == reached(0.1)
    other = {p for p in mine if decided(replace(HELLO, id="other"), p).verdict is Verdict.SEND}
    assert len(other) < len(mine) / 2


@pytest.mark.parametrize("check", [None, Check("canary", False)])
def test_the_sentence_needs_no_check(check):
    assert "first, and this person is not among them" in sentence(Reason.CANARY, check)
