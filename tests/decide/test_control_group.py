"""Control groups: sticky, salted, of the right size, and recorded before anything else can stop a message."""

from engine.model.person import Person, Profile
from engine.model.reason import Reason
from engine.model.rule import Cap


def share_in_control(desk, rule, salt, people=2000):
    d = desk(rule, salt=salt, guard=10**9)
    return {i for i in range(people) if d.reason(person=Person(f"p{i}")) == "CONTROL_GROUP"}


def test_the_group_has_its_share_and_depends_on_salt_and_rule(desk):
    five = share_in_control(desk, desk.rule("a", control_group=0.2), "s1")
    assert 340 <= len(five) <= 460
    assert five == share_in_control(desk, desk.rule("a", control_group=0.2), "s1")
    assert five != share_in_control(desk, desk.rule("a", control_group=0.2), "s2")
    assert five != share_in_control(desk, desk.rule("b", control_group=0.2), "s1")


def test_the_ends_of_the_scale(desk):
    assert share_in_control(desk, desk.rule(control_group=0.0), "s", 50) == set()
    assert len(share_in_control(desk, desk.rule(control_group=1.0), "s", 50)) == 50


def test_whoever_is_in_stays_in_when_the_share_changes(desk):
    everyone, few = desk.rule(control_group=1.0), desk.rule(control_group=0.01)
    d = desk(everyone)
    assert d.reason() == "CONTROL_GROUP"
    other = desk(few)
    other.person = d.person
    assert other.reason() == "CONTROL_GROUP"


def test_a_rule_without_a_control_group_leaves_nobody_out_and_records_nothing(desk):
    d = desk()
    d.person.groups["coffee"] = "control"
    assert d.reason() == "OK"
    d = desk()
    d.one()
    assert d.person.groups == {}


def test_the_assignment_is_recorded_even_when_something_else_stops_the_message(desk):
    d = desk(desk.rule(control_group=1e-9), caps=(Cap(0, "day"),))
    d.person.profile = Profile(consent={"marketing": False})
    decided = d.one()
    assert decided.decision.reason is Reason.NO_CONSENT
    assert d.person.groups == {"coffee": "treated"}


def test_control_people_take_nothing(desk):
    d = desk(desk.rule(control_group=1.0, total=(Cap(1, "day"),)))
    d.one()
    assert d.person.sent == []
    assert d.person.groups == {"coffee": "control"}
