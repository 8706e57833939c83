"""Traces: signal, transition, each condition with the value it saw, decision, attempts; always JSON."""

import json

import pytest

from engine.measure import miss_view, moment_sentence, moment_view
from engine.model.moment import Check, Decision, Message, Miss, Moment, Notification, OutboxRow
from engine.model.reason import Reason, Verdict
from engine.model.signal import Cause
from engine.ports import StoredMoment

T0 = 1795611600.0
CAUSE = Cause("d1|cafe|enter|1.0", "enter", T0, fence="cafe", data={"visit": T0, "probability": 0.91, "metres": 12.5})
LINES = (
    Check("status", True, "live", "live", step=1),
    Check("any_of", True, where="rules/coffee.yaml:9"),
    Check("fence.temp < 12", True, 4, depth=1),
    Check("expiry", True, T0 + 900, "within 15 minutes of the trigger"),
    Check("pause", True, {"since": T0}, step=1),
    Check("consent", True, {"push": True}, step=4),
    Check("cooldown", False, T0 - 60, "6 hours", reason=Reason.COOLDOWN, free=T0 + 600, step=5),
)


def moment(verdict=Verdict.SUPPRESS, reason=Reason.COOLDOWN, cause=CAUSE, trace=None, **kw):
    decision = Decision(verdict, reason, checks=LINES, time_zone="Europe/Berlin", **kw)
    return Moment("mom_1", "coffee", "r1", "p1", "d1", cause, decision, T0, T0 + 900, trace=trace or {})


def row(status, channel="push", **kw):
    args = ("coffee", "r1", "p1", "d1", CAUSE, Message("Hi"), T0, T0 + 900, T0 + 900)
    return OutboxRow(Notification(f"ntf_{channel}", "mom_1", channel, *args), status, **kw)


def test_a_trace_tells_signal_transition_conditions_decision_and_attempts():
    signal = {"device": "d1", "at": T0 - 2, "lat": 53.4, "lon": -2.9, "accuracy": 12.0, "context": {"a": 1}}
    stored = StoredMoment(7, moment(trace={"signal": signal}), (row("sent", attempts=1),))
    view = json.loads(json.dumps(moment_view(stored)))
    assert (view["seq"], view["id"], view["rule"], view["person"], view["release"]) == (
        7,
        "mom_1",
        "coffee",
        "p1",
        "r1",
    )
    assert view["signal"] == {**signal, "at": "2026-11-25T12:59:58Z"}
    assert view["transition"] == {
        "kind": "enter", "fence": "cafe", "at": "2026-11-25T13:00:00Z",
        "visit": "2026-11-25T13:00:00Z", "probability": 0.91, "metres": 12.5,
    }  # fmt: skip
    assert [c["name"] for c in view["conditions"]] == ["any_of", "fence.temp < 12"]
    assert view["conditions"][0]["where"] == "rules/coffee.yaml:9"
    assert (view["conditions"][1]["saw"], view["conditions"][1]["depth"]) == (4, 1)
    assert [c["name"] for c in view["checks"]] == ["status", "expiry", "pause", "consent", "cooldown"]
    cooldown = view["checks"][-1]
    assert (cooldown["ok"], cooldown["reason"]) == (False, "COOLDOWN")
    assert (cooldown["saw"], cooldown["free_at"]) == ("2026-11-25T12:59:00Z", "2026-11-25T13:10:00Z")
    assert view["decision"]["time_zone"] == "Europe/Berlin"
    assert (view["attempts"][0]["status"], view["attempts"][0]["attempts"]) == ("sent", 1)


def test_a_moment_of_an_event_or_of_time_has_no_transition_or_no_signal():
    view = moment_view(StoredMoment(1, moment(cause=Cause("d1|x", "event", T0, event="app_open"))))
    assert (view["transition"], view["signal"], view["attempts"]) == (None, None, [])
    assert view["trigger"] == {"id": "d1|x", "kind": "event", "at": "2026-11-25T13:00:00Z", "event": "app_open"}


def test_a_miss_has_the_shape_of_a_moment():
    checks = (LINES[0], Check("x < 1", False, 2, reason=Reason.CONDITION), Check("y", False, depth=1))
    view = miss_view(Miss("coffee", "p1", "d1", CAUSE, T0, Reason.CONDITION, checks))
    assert view["sentence"] == "Not sent: 'x < 1' does not hold (saw 2)."
    assert view["decision"]["reason"] == "CONDITION"
    assert [c["name"] for c in view["conditions"]] == ["x < 1", "y"]
    full = moment_view(StoredMoment(1, moment()))
    assert set(view) <= set(full)
    json.dumps(view)


@pytest.mark.parametrize(
    ("verdict", "rows", "text"),
    [
        (Verdict.SUPPRESS, (), "Not sent: cooldown, for another 10 minutes until 14:10 (Europe/Berlin)."),
        (Verdict.SEND, (row("waiting"),), "Waiting to be sent on push."),
        (Verdict.SEND, (row("dead", reason="REJECTED"), row("sent", "sms")), "Sent on sms."),
        (Verdict.SEND, (row("sent", "sms"), row("dead", reason="REJECTED")), "Sent on sms."),
        (Verdict.HOLD, (row("waiting"),), "Held: another 5 minutes of quiet hours; it goes at 14:05 (Europe/Berlin)."),
        (Verdict.HOLD, (row("cancelled", reason="LEFT"),), "Not sent: the place was left before the message went."),
    ],
)
def test_the_sentence_follows_the_message_on_its_way(verdict, rows, text):
    until = T0 + 300 if verdict is Verdict.HOLD else None
    reason = {"send": Reason.OK, "hold": Reason.QUIET_HOURS}.get(verdict, Reason.COOLDOWN)
    assert moment_sentence(moment(verdict, reason, until=until), rows) == text
