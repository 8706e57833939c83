"""Kill switches and the blast guard: what stops, what is held, who did it."""

import pytest

from engine.decide import Decider, DecideState, apply_control
from engine.decide.tally import Tally
from engine.model.moment import Cancel, Hold
from engine.model.person import Person
from engine.model.reason import Reason
from engine.model.record import Control
from engine.model.rule import Cap

T0 = 1_795_600_000.0


def pull(d, action, scope, id="", now=T0, **kw):
    return apply_control(d.state, Control(action, scope, id, **kw), now)


@pytest.mark.parametrize(
    ("scope", "id", "reason"),
    [
        ("all", "", "ALL_PAUSED"),
        ("all", "ignored", "ALL_PAUSED"),
        ("rule", "coffee", "RULE_PAUSED"),
        ("geofence", "cafe", "FENCE_PAUSED"),
        ("channel", "push", "CHANNEL_PAUSED"),
    ],
)
def test_a_pause_stops_its_scope_and_a_resume_frees_it(desk, scope, id, reason):
    d = desk()
    pull(d, "pause", scope, id, why="too many", by="ann")
    decided = d.one()
    assert decided.decision.reason == reason
    check = d.check(decided, "pause")
    assert (check.saw["by"], check.note) == ("ann", "too many")
    pull(d, "resume", scope, id)
    assert d.reason() == "OK"


def test_a_pause_of_something_else_stops_nothing(desk):
    d = desk()
    for scope in ("rule", "geofence", "channel"):
        pull(d, "pause", scope, "other")
    assert d.reason() == "OK"


def test_one_paused_channel_leaves_the_others(desk):
    d = desk(desk.rule(channels=("push", "sms")))
    pull(d, "pause", "channel", "push")
    assert d.one().channels == ("sms",)
    pull(d, "pause", "channel", "sms")
    assert d.reason() == "CHANNEL_PAUSED"


def test_everything_obeys_a_pause_whatever_its_purpose(desk):
    d = desk(desk.rule(purpose="transactional"))
    pull(d, "pause", "all")
    assert d.reason() == "ALL_PAUSED"


def test_the_gate_alone_gives_the_same_answer_before_conditions(desk):
    d = desk(desk.rule(runs=("2026-11-24", None)))
    cause = d.candidate().cause

    def gate(now):
        return d.decider.gate(d.rules[0], cause, d.at(now), d.zone)

    assert gate("2026-11-24 12:00").ok
    assert gate("2026-11-23 12:00").reason is Reason.NOT_RUNNING
    pull(d, "pause", "geofence", "cafe")
    assert gate("2026-11-24 12:00").reason is Reason.FENCE_PAUSED
    assert d.decider.gate(d.rule(status="ended"), cause, T0, d.zone).reason is Reason.ENDED


def test_a_pause_is_a_hold_for_what_waits_and_a_resume_lets_it_go():
    state = DecideState()
    assert apply_control(state, Control("pause", "rule", "coffee", "why", "ann"), T0) == (
        [Hold("rule", "coffee", True, "why", "ann", T0)],
        [],
    )
    assert apply_control(state, Control("resume", "rule", "coffee", by="bob"), T0 + 1) == (
        [Hold("rule", "coffee", False, "", "bob", T0 + 1)],
        [],
    )
    assert state.switches == {}


@pytest.mark.parametrize(
    ("scope", "cancel"),
    [
        ("all", Cancel(Reason.DROPPED)),
        ("rule", Cancel(Reason.DROPPED, rule="x")),
        ("channel", Cancel(Reason.DROPPED, channel="x")),
        ("geofence", Cancel(Reason.DROPPED, fence="x")),
    ],
)
def test_a_resume_that_drops_cancels_what_waits_in_its_scope(scope, cancel):
    state = DecideState()
    assert apply_control(state, Control("pause", scope, "x", drop=True), T0)[1] == []
    assert apply_control(state, Control("resume", scope, "x", drop=True), T0)[1] == [cancel]


def test_who_pulled_which_switch_is_kept_and_bounded():
    state = DecideState()
    for i in range(1100):
        apply_control(state, Control("pause", "rule", f"r{i}", "w", "ann"), T0 + i)
    assert len(state.audit) == 1000
    last = state.audit[-1]
    assert (last.at, last.by, last.action, last.scope, last.id, last.why) == (
        T0 + 1099,
        "ann",
        "pause",
        "rule",
        "r1099",
        "w",
    )


# ------------------------------------------------------------------ blast guard


def blast(d, n, now=T0, step=0.0, rule=None):
    return [d.reason(rule, now + i * step, person=Person(f"p{now}-{i}")) for i in range(n)]


def test_a_rule_that_would_send_too_many_in_a_minute_pauses_itself(desk):
    d = desk(guard=3)
    assert blast(d, 5) == ["OK", "OK", "OK", "BLAST_GUARD", "RULE_PAUSED"]
    (hold,) = d.holds
    assert (hold.scope, hold.id, hold.on, hold.by, hold.at) == ("rule", "coffee", True, "guard", T0)
    assert d.state.switch("rule", "coffee") == hold
    assert [(a.by, a.action) for a in d.state.audit] == [("guard", "pause")]


def test_a_paused_rule_stays_paused_after_the_minute(desk):
    d = desk(guard=1)
    assert blast(d, 2) == ["OK", "BLAST_GUARD"]
    assert blast(d, 1, T0 + 3600) == ["RULE_PAUSED"]


def test_the_minute_rolls(desk):
    d = desk(guard=3)
    assert blast(d, 30, step=25.0) == ["OK"] * 30
    d = desk(guard=3)
    assert blast(d, 4, step=19.0) == ["OK", "OK", "OK", "BLAST_GUARD"]


def test_the_guard_is_per_rule_and_counts_every_purpose(desk):
    a, b = desk.rule("a", purpose="transactional"), desk.rule("b")
    d = desk(a, b, guard=2)
    assert blast(d, 3, rule=a) == ["OK", "OK", "BLAST_GUARD"]
    assert blast(d, 2, rule=b) == ["OK", "OK"]


def test_after_a_resume_the_guard_counts_anew(desk):
    d = desk(guard=2)
    blast(d, 3)
    pull(d, "resume", "rule", "coffee")
    assert blast(d, 3, T0 + 1) == ["OK", "OK", "BLAST_GUARD"]


def test_what_was_suppressed_does_not_count_for_the_guard(desk):
    d = desk(desk.rule(status="live"), guard=1, cooldown=60.0)
    assert [d.reason(now=T0), d.reason(now=T0 + 1), d.reason(now=T0 + 2)] == ["OK", "COOLDOWN", "COOLDOWN"]
    assert d.holds == []


def test_messages_held_to_one_instant_are_a_blast_at_that_instant(desk):
    d = desk(desk.rule(send_within=43200.0), guard=2, quiet_hours=(1260, 480))
    evening = d.at("2026-11-24 22:00")
    reasons = blast(d, 3, evening, step=600.0)
    assert reasons == ["QUIET_HOURS", "QUIET_HOURS", "BLAST_GUARD"]


def test_when_the_guard_stops_the_best_the_next_best_goes(desk):
    a, b = desk.rule("a", priority=90.0), desk.rule("b")
    d = desk(a, b, guard=1)
    d.reason(a, T0, person=Person("first"))
    decided = d.decide([d.candidate(a, T0), d.candidate(b, T0)], T0)
    assert [str(one.decision.reason) for one in decided] == ["BLAST_GUARD", "OK"]


def test_a_loser_or_one_that_quiet_hours_stop_never_trips_the_guard(desk):
    a, b = desk.rule("a", priority=90.0), desk.rule("b")
    d = desk(a, b, guard=0, quiet_hours=(0, 1439))
    d.decide([d.candidate(a, T0), d.candidate(b, T0)], T0)
    assert d.holds == []


def test_a_minute_is_never_counted_short(desk):
    d = desk(guard=3)
    blast(d, 3, T0 + 0.9)
    assert blast(d, 1, T0 + 60.8) == ["BLAST_GUARD"]


def test_a_rule_that_trips_twice_in_one_cause_is_paused_once(desk):
    d = desk(guard=0)
    decided = d.decide([d.candidate(fence="a"), d.candidate(fence="b")])
    assert [str(one.decision.reason) for one in decided] == ["BLAST_GUARD", "BLAST_GUARD"]
    assert len(d.holds) == len(d.state.audit) == 1


def test_the_guards_memory_is_bounded(desk):
    d = desk(guard=10**9)
    blast(d, 500, step=1.0)
    assert len(d.state.rule_sends["coffee"]) <= 62


# ------------------------------------------------------------------ five times its estimate


def expecting(desk, count, per="day"):
    return desk.rule(estimate=Cap(count, per))


def test_a_rule_that_would_send_five_times_its_estimate_pauses_itself(desk):
    d = desk(expecting(desk, 10))
    assert blast(d, 52, step=60.0) == ["OK"] * 50 + ["BLAST_GUARD", "RULE_PAUSED"]
    (hold,) = d.holds
    assert (hold.scope, hold.id, hold.on, hold.by) == ("rule", "coffee", True, "guard")
    assert hold.why == "blast guard: 50 sends in a day, 50 allowed; its estimate is 10 per day"


def test_the_window_of_an_estimate_rolls(desk):
    d = desk(expecting(desk, 10))
    assert blast(d, 200, step=1800.0) == ["OK"] * 200
    d = desk(expecting(desk, 10, 3600.0))
    assert blast(d, 120, step=80.0) == ["OK"] * 120, "45 an hour"
    d = desk(expecting(desk, 10, 3600.0))
    assert blast(d, 51, step=70.0) == ["OK"] * 50 + ["BLAST_GUARD"], "52 an hour"
    assert d.holds[0].why.endswith("sends in an hour, 50 allowed; its estimate is 10 per hour")


def test_a_rule_that_sends_next_to_nothing_is_not_paused_by_noise(desk):
    d = desk(expecting(desk, 1))
    assert blast(d, 21, step=60.0) == ["OK"] * 20 + ["BLAST_GUARD"]


def test_after_a_resume_the_estimate_counts_anew(desk):
    d = desk(expecting(desk, 1))
    blast(d, 21, step=60.0)
    pull(d, "resume", "rule", "coffee")
    assert blast(d, 21, T0 + 3600.0, step=60.0) == ["OK"] * 20 + ["BLAST_GUARD"]


def test_the_minute_guards_a_rule_with_an_estimate_all_the_same(desk):
    d = desk(expecting(desk, 1000), guard=3)
    assert blast(d, 4) == ["OK", "OK", "OK", "BLAST_GUARD"]
    assert d.holds[0].why == "blast guard: 3 sends in a minute, 3 allowed"


def test_an_estimate_of_another_window_begins_to_count_anew_and_its_memory_is_bounded(desk):
    d = desk(expecting(desk, 100_000))
    blast(d, 2000, step=120.0)
    assert len(d.state.paces["coffee"].buckets) <= 131
    d.state.paces["coffee"] = Tally(7.0, "", {0: 10**9})
    assert d.reason(now=T0) == "OK"


def test_a_guard_that_survives_a_restart_has_counted_what_was_before(desk):
    d = desk(expecting(desk, 1))
    blast(d, 15, step=60.0)
    again = desk(expecting(desk, 1))
    again.state = DecideState.load(d.state.dump())
    again.decider = Decider(again.release, again.state, "salt")
    assert blast(again, 6, T0 + 3600.0, step=60.0) == ["OK"] * 5 + ["BLAST_GUARD"]
