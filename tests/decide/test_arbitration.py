"""Arbitration: highest score, then priority, then rule id; whoever loses is told by whom and takes nothing."""

from itertools import permutations

import pytest

from engine.model.moment import Check
from engine.model.person import Profile
from engine.model.reason import Reason
from engine.model.rule import Cap, Offer


def outcome(decided):
    return {one.candidate.rule.id: str(one.decision.reason) for one in decided}


def test_the_highest_score_wins_before_priority(desk):
    a, b = desk.rule("a", priority=90.0), desk.rule("b", priority=10.0)
    d = desk(a, b)
    assert outcome(d.decide([d.candidate(a, score=1.0), d.candidate(b, score=2.0)])) == {"a": "OUTRANKED", "b": "OK"}


def test_no_score_and_no_number_count_as_zero(desk):
    a, b, c = desk.rule("a"), desk.rule("b"), desk.rule("c")
    d = desk(a, b, c)
    scores = {"a": None, "b": 0.1, "c": float("nan")}
    assert outcome(d.decide([d.candidate(r, score=scores[r.id]) for r in (a, b, c)]))["b"] == "OK"
    d = desk(a, b, c)
    assert (
        outcome(d.decide([d.candidate(a), d.candidate(b, score=-1.0), d.candidate(c, score=float("nan"))]))["a"] == "OK"
    )


def test_priority_wins_at_equal_score_and_then_the_rule_id(desk):
    a, b, c = desk.rule("a"), desk.rule("b", priority=60.0), desk.rule("c", priority=60.0)
    d = desk(a, b, c)
    assert outcome(d.decide([d.candidate(r) for r in (a, c, b)])) == {"a": "OUTRANKED", "b": "OK", "c": "OUTRANKED"}


def test_the_loser_learns_by_whom_and_the_winner_against_how_many(desk):
    a, b = desk.rule("a"), desk.rule("b", priority=60.0)
    d = desk(a, b)
    lost, won = d.decide([d.candidate(a), d.candidate(b)])
    check = d.check(lost, "arbitration")
    assert (check.reason, check.needs) == (Reason.OUTRANKED, "to outrank b")
    assert check.saw["winner"] == {"rule": "b", "score": 0.0, "priority": 60.0}
    assert d.check(won, "arbitration").needs == "the best of 2"


def test_a_loser_reserves_nothing(desk):
    a, b = desk.rule("a", priority=90.0), desk.rule("b", offer="o", total=(Cap(1, "day"),))
    d = desk(a, b, offers=[Offer("o", stock=1)])
    d.decide([d.candidate(a), d.candidate(b)])
    assert [sent.rule for sent in d.person.sent] == ["a"]
    assert (d.state.stock, d.state.rule_totals) == ({}, {})


@pytest.mark.parametrize("order", list(permutations("abc")))
def test_the_order_of_candidates_does_not_matter(desk, order):
    rules = {"a": desk.rule("a"), "b": desk.rule("b", priority=70.0), "c": desk.rule("c", status="draft")}
    d = desk(*rules.values())
    decided = d.decide([d.candidate(rules[id], id="t") for id in order])
    assert outcome(decided) == {"a": "OUTRANKED", "b": "OK", "c": "DRAFT"}
    assert [one.candidate.rule.id for one in decided] == list(order)


def test_only_those_that_nothing_stopped_compete(desk):
    rules = [desk.rule("a", priority=99.0), desk.rule("b", priority=98.0, purpose="service"), desk.rule("c")]
    d = desk(*rules)
    d.person.profile = Profile(consent={"service": False})
    stopped = (Check("x", False, reason=Reason.CONDITION),)
    decided = d.decide([d.candidate(rules[0], checks=stopped), d.candidate(rules[1]), d.candidate(rules[2])])
    assert outcome(decided) == {"a": "CONDITION", "b": "NO_CONSENT", "c": "OK"}


def test_one_rule_at_two_fences_sends_once(desk):
    d = desk()
    decided = d.decide([d.candidate(fence="b", id="2"), d.candidate(fence="a", id="1")])
    assert [str(one.decision.reason) for one in decided] == ["OUTRANKED", "OK"]


def test_a_repeat_in_the_same_call_is_left_out(desk):
    d = desk()
    assert len(d.decide([d.candidate(id="t"), d.candidate(id="t")])) == 1


def test_a_moment_that_is_reserved_already_is_not_decided_again(desk):
    d = desk()
    d.decide([d.candidate(id="t")])
    assert d.decide([d.candidate(id="t")]) == []
    assert len(d.person.sent) == 1


def test_a_winner_that_quiet_hours_stop_still_outranked_the_others(desk):
    a, b = desk.rule("a", priority=90.0), desk.rule("b", purpose="transactional")
    d = desk(a, b, quiet_hours=(0, 1439))
    assert outcome(d.decide([d.candidate(a), d.candidate(b)])) == {"a": "QUIET_HOURS", "b": "OUTRANKED"}
