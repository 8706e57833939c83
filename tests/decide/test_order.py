"""The order of the decision, and what each purpose is asked."""

import pytest

from engine.model.moment import Check
from engine.model.person import Profile
from engine.model.reason import Reason, Verdict
from engine.model.release import Policy, TestPolicy
from engine.model.rule import Cap, Offer

TEST = Policy(test=TestPolicy(("me", "test-*"), ("console",)))


def test_a_plain_candidate_is_sent_with_every_check_in_the_trace(desk):
    d = desk(quiet_hours=(1260, 480), caps=(Cap(3, "day"),), cooldown=60.0)
    decided = d.one()
    assert (decided.decision.verdict, decided.decision.reason) == (Verdict.SEND, Reason.OK)
    assert [c.name for c in decided.decision.checks] == [
        "status", "pause", "expiry", "consent", "cap", "cooldown", "blast guard", "quiet hours",
    ]  # fmt: skip
    assert all(c.ok for c in decided.decision.checks)
    assert [c.step for c in decided.decision.checks] == sorted(c.step for c in decided.decision.checks)
    assert decided.channels == ("push",)


@pytest.mark.parametrize(("status", "reason"), [("draft", "DRAFT"), ("paused", "RULE_PAUSED"), ("ended", "ENDED")])
def test_status_comes_first_and_ends_the_decision(desk, status, reason):
    d = desk(desk.rule(status=status))
    decided = d.one()
    assert decided.decision.reason == reason
    assert [c.name for c in decided.decision.checks] == ["status"]
    assert decided.channels == ()


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        ("2026-11-23 23:59:59", "NOT_RUNNING"),
        ("2026-11-24 00:00:00", "OK"),
        ("2026-11-25 23:59:59", "OK"),
        ("2026-11-26 00:00:00", "NOT_RUNNING"),
    ],
)
def test_runs_are_local_dates_with_both_ends_included(desk, now, reason):
    assert desk(desk.rule(runs=("2026-11-24", "2026-11-25"))).reason(now=now) == reason


def test_a_run_that_has_not_begun_says_when_it_does(desk):
    d = desk(desk.rule(runs=("2026-12-01", None)))
    assert d.check(d.one(), "runs").free == d.at("2026-12-01 00:00")


def test_no_message_goes_after_the_last_day_of_its_run(desk):
    d = desk(desk.rule(runs=(None, "2026-11-24"), send_within=7200.0))
    decided = d.one(now="2026-11-24 23:30")
    assert decided.expires == decided.decision.deadline == d.at("2026-11-25 00:00")


def test_a_condition_that_does_not_hold_is_the_reason(desk):
    d = desk()
    no = Check("fence.temp < 12", False, 14, reason=Reason.CONDITION)
    assert d.reason(checks=(Check("local_time", True), no)) == "CONDITION"


def test_unknown_never_sends(desk):
    d = desk()
    assert d.reason(checks=(Check("fence.temp < 12", None),)) == "UNKNOWN_VALUE"
    assert d.person.sent == []


def test_a_part_of_a_line_that_does_not_hold_does_not_stop_the_line(desk):
    d = desk()
    line = (Check("any_of", True), Check("inside: cafe", False, depth=1), Check("did: x", None, depth=1))
    assert d.reason(checks=line) == "OK"


def test_an_expired_candidate_is_suppressed_at_the_very_second(desk):
    d = desk(desk.rule(send_within=900.0))
    now = d.at("2026-11-24 12:00")
    assert d.reason(now=now, cause_at=now - 900.0) == "EXPIRED"
    assert d.reason(now=now, cause_at=now - 899.0) == "OK"


def test_expiry_uses_the_projects_send_within_unless_the_rule_has_its_own(desk):
    now = 1_795_600_000.0
    assert desk(send_within=60.0).reason(now=now, cause_at=now - 61) == "EXPIRED"
    assert desk(desk.rule(send_within=120.0), send_within=60.0).reason(now=now, cause_at=now - 61) == "OK"


def test_an_expired_candidate_puts_nobody_into_a_group(desk):
    d = desk(desk.rule(control_group=0.5))
    now = d.at("2026-11-24 12:00")
    d.one(now=now, cause_at=now - 5000)
    assert d.person.groups == {}


def test_the_earlier_step_gives_the_reason_and_later_ones_are_still_traced(desk):
    d = desk(desk.rule(control_group=1.0), cooldown=3600.0, quiet_hours=(0, 1439))
    d.person.profile = Profile(consent={"marketing": False})
    decided = d.one()
    assert decided.decision.reason is Reason.CONTROL_GROUP
    assert [(c.name, c.ok) for c in decided.decision.checks if c.step >= 3] == [
        ("control group", False), ("consent", False), ("cooldown", True), ("quiet hours", False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("purpose", "skipped"),
    [
        ("marketing", set()),
        ("service", {"control group", "cap"}),
        ("transactional", {"control group", "cap", "consent", "quiet hours"}),
    ],
)
def test_purpose_decides_what_is_asked_and_the_trace_says_what_was_not(desk, purpose, skipped):
    d = desk(
        desk.rule(purpose=purpose, control_group=1.0, send_within=86400.0),
        caps=(Cap(0, "day"),),
        quiet_hours=(0, 1439),
    )
    d.person.profile = Profile(consent={purpose: False})
    checks = {c.name: c for c in d.one().decision.checks}
    for name in ("control group", "cap", "consent", "quiet hours"):
        if name in skipped:
            assert checks[name].ok
            assert checks[name].note == f"{purpose}: not asked"
        else:
            assert not checks[name].ok


def test_transactional_goes_at_night_without_consent_above_caps(desk):
    d = desk(desk.rule(purpose="transactional", control_group=1.0), caps=(Cap(0, "day"),), quiet_hours=(1260, 480))
    d.person.profile = Profile(consent={"transactional": False, "push": False})
    assert d.reason(now="2026-11-24 23:00") == "OK"


def test_every_purpose_obeys_cooldown_rule_limits_and_stock(desk):
    for purpose in ("marketing", "service", "transactional"):
        d = desk(desk.rule(purpose=purpose), cooldown=3600.0)
        assert [d.reason(), d.reason()] == ["OK", "COOLDOWN"]
        d = desk(desk.rule(purpose=purpose, per_person=(Cap(1, "day"),)))
        assert [d.reason(), d.reason()] == ["OK", "RULE_LIMIT"]
        d = desk(desk.rule(purpose=purpose, offer="o"), offers=[Offer("o", stock=1)])
        assert [d.reason(), d.reason()] == ["OK", "OUT_OF_STOCK"]


def test_only_marketing_counts_against_the_persons_caps(desk):
    rules = [desk.rule("a", purpose="service"), desk.rule("b", purpose="transactional"), desk.rule("c")]
    d = desk(*rules, caps=(Cap(1, "day"),))
    assert [d.reason(rule) for rule in (*rules, rules[2])] == ["OK", "OK", "OK", "CAP"]


def test_no_channel_at_all_has_its_own_word(desk):
    assert desk(channels=()).reason() == "NO_CHANNEL"


# ------------------------------------------------------------------ test people


@pytest.mark.parametrize("person", ["me", "test-7"])
def test_test_people_skip_limits_quiet_hours_and_control_groups(desk, person):
    rule = desk.rule(control_group=1.0, per_person=(Cap(0, "day"),), total=(Cap(0, "day"),), offer="o")
    d = desk(rule, test=TEST, caps=(Cap(0, "day"),), quiet_hours=(0, 1439), guard=0, offers=[Offer("o", stock=0)])
    d.person.id = person
    decided = d.one()
    assert decided.decision.reason is Reason.OK
    assert decided.test
    assert decided.channels == ("console",)
    assert decided.decision.deadline == decided.expires
    notes = [c.note for c in decided.decision.checks if c.note]
    assert len([note for note in notes if note.startswith("test person: not asked")]) == 3


def test_test_people_are_never_counted(desk):
    rule = desk.rule(total=(Cap(1, "day"),), offer="o", control_group=0.5)
    d = desk(rule, test=TEST, offers=[Offer("o", stock=1)])
    d.person.id = "me"
    for _ in range(3):
        assert d.reason() == "OK"
    assert (d.person.sent, d.person.groups) == ([], {})
    assert d.state == type(d.state)()


def test_test_people_obey_status_pause_and_time(desk):
    d = desk(desk.rule(status="draft"), test=TEST)
    d.person.id = "me"
    assert d.reason() == "DRAFT"
    d = desk(test=TEST)
    d.person.id = "me"
    now = d.at("2026-11-24 12:00")
    assert d.reason(now=now, cause_at=now - 5000) == "EXPIRED"


@pytest.mark.parametrize("person", ["mee", "Me", "tes", "a-test-1"])
def test_nobody_else_is_a_test_person(desk, person):
    d = desk(test=TEST)
    d.person.id = person
    assert not d.one().test


def test_a_preview_remembers_nothing(desk):
    d = desk(desk.rule(control_group=0.5, offer="o", total=(Cap(5, "day"),)), guard=0, offers=[Offer("o", stock=3)])
    d.decide([d.candidate()], keep=False)
    assert (d.person.sent, d.person.groups, d.state) == ([], {}, type(d.state)())
