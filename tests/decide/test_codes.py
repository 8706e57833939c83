"""One-time codes: each to one person, reserved with the decision, given back when nothing says it."""

import msgspec

from engine.decide import Decider, DecideState, give_back, hand_over, take_again
from engine.model.person import Person
from engine.model.release import Policy, TestPolicy
from engine.model.rule import Offer

TWO = Offer("cake", codes=("A1", "B2"))


def gift(desk, offer=TWO, **kw):
    return desk(desk.rule(offer="cake"), offers=[offer], **kw)


def given(bench, name, **kw):
    """The code that somebody is told, or the reason why there is none."""
    person = kw.pop("person", None) or Person(name)
    told = bench.one(person=person, **kw)
    return told.code or str(told.decision.reason)


def test_everybody_gets_a_code_of_their_own_in_the_order_of_the_file_until_there_is_none(desk):
    bench = gift(desk)
    assert [given(bench, name) for name in ("anna", "ben", "cleo")] == ["A1", "B2", "OUT_OF_STOCK"]


def test_the_same_person_keeps_their_code(desk):
    bench = gift(desk)
    anna = Person("anna")
    assert [given(bench, "anna", person=anna) for _ in range(3)] == ["A1", "A1", "A1"]
    assert given(bench, "ben") == "B2"


def test_a_stock_counts_people_not_messages(desk):
    bench = gift(desk, Offer("cake", codes=("A1", "B2", "C3"), stock=2))
    anna = Person("anna")
    assert [given(bench, "anna", person=anna) for _ in range(2)] == ["A1", "A1"]
    assert [given(bench, name) for name in ("ben", "cleo")] == ["B2", "OUT_OF_STOCK"]
    assert given(bench, "anna", person=anna) == "A1"


def test_a_code_that_comes_back_is_given_once_no_other_is_left(desk):
    bench = gift(desk)
    anna = Person("anna")
    told = bench.one(person=anna)
    assert give_back(anna, bench.state, told.moment)
    assert anna.codes == {}
    assert [given(bench, name) for name in ("ben", "cleo", "dora")] == ["B2", "A1", "OUT_OF_STOCK"]


def test_a_reminder_that_fails_does_not_take_the_code_away(desk):
    bench = gift(desk)
    anna = Person("anna")
    bench.one(person=anna)
    reminder = bench.one(person=anna)
    give_back(anna, bench.state, reminder.moment)
    assert anna.codes == {"cake": {"A1": 1}}
    assert [given(bench, name) for name in ("ben", "cleo")] == ["B2", "OUT_OF_STOCK"]


def test_what_went_after_all_has_its_code_again(desk):
    bench = gift(desk)
    anna = Person("anna")
    told = bench.one(person=anna)
    (sent,) = anna.sent
    give_back(anna, bench.state, told.moment)
    take_again(anna, bench.state, sent, bench.at("2026-11-24 13:00"))
    assert anna.codes == {"cake": {"A1": 1}}
    assert [given(bench, name) for name in ("ben", "cleo")] == ["B2", "OUT_OF_STOCK"]


def test_a_preview_takes_no_code(desk):
    bench = gift(desk)
    (seen,) = bench.decide([bench.candidate(person=Person("anna"))], keep=False)
    assert (seen.code, given(bench, "ben")) == ("A1", "A1")


def test_test_people_are_told_a_code_that_is_none(desk):
    bench = gift(desk, test=Policy(test=TestPolicy(("tester",), ("push",))))
    assert [given(bench, name) for name in ("tester", "anna")] == ["TEST", "A1"]


def test_a_changed_file_leaves_everybody_what_they_have(desk):
    bench = gift(desk)
    anna = Person("anna")
    assert given(bench, "anna", person=anna) == "A1"
    later = gift(desk, Offer("cake", codes=("Z9", "A1")))
    later.state = msgspec.msgpack.decode(bench.state.dump(), type=DecideState)
    later.decider = Decider(later.release, later.state, "salt")
    assert given(later, "anna", person=anna, id="later") == "A1"
    assert [given(later, name) for name in ("ben", "cleo")] == ["Z9", "OUT_OF_STOCK"]


def test_the_trace_shows_the_code(desk):
    bench = gift(desk)
    check = bench.check(bench.one(), "code")
    assert (check.ok, check.saw, check.step) == (True, "A1", 5)
    bench.one(person=Person("ben"))
    check = bench.check(bench.one(person=Person("cleo")), "code")
    assert (check.ok, check.saw, str(check.reason)) == (False, None, "OUT_OF_STOCK")


def test_what_a_device_was_told_its_person_has(desk):
    bench = gift(desk)
    device, anna = Person("d1"), Person("anna")
    given(bench, "d1", person=device)
    hand_over(device, anna)
    assert (device.codes, given(bench, "anna", person=anna)) == ({}, "A1")
