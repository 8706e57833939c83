"""Why, and why not, in plain words; every reason has its sentence."""

import doctest

import pytest

from engine.measure import decision_sentence, iso, row_sentence, sentence, sentences
from engine.measure.sentences import WORDS
from engine.measure.times import clock, lasting
from engine.model.moment import Check, Decision, Message, Notification, OutboxRow
from engine.model.reason import Reason, Verdict
from engine.model.signal import Cause

T0 = 1795611600.0  # 2026-11-25 13:00 UTC, 14:00 in Berlin


def test_the_examples_in_the_code_are_true():
    assert doctest.testmod(sentences).failed == 0


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_a_sentence_even_when_nothing_else_is_known(reason):
    text = sentence(reason)
    assert text.endswith(".")
    assert len(text) > 15
    assert "None" not in text
    assert "  " not in text
    assert str(reason) not in text or reason is Reason.OK


def test_no_two_reasons_say_the_same():
    assert len({sentence(reason) for reason in Reason}) == len(Reason)
    assert set(WORDS) == set(Reason) - {Reason.OK}


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (
            Check("cooldown", False, reason=Reason.COOLDOWN, free=T0 + 7200),
            "Not sent: cooldown, for another 2 hours until 16:00 (Europe/Berlin).",
        ),
        (Check("cooldown", False, reason=Reason.COOLDOWN), "Not sent: cooldown."),
        (
            Check("cap", False, 3, "3 per day", reason=Reason.CAP, free=T0 + 36000),
            "Not sent: the person has had 3 per day, for another 10 hours until 2026-11-26 00:00 (Europe/Berlin).",
        ),
        (
            Check("limit in total", False, 500, "500 per day", reason=Reason.RULE_LIMIT),
            "Not sent: the rule's limit in total of 500 per day is reached.",
        ),
        (
            Check("fence.weather.temp_c < 12", False, 14, reason=Reason.CONDITION),
            "Not sent: 'fence.weather.temp_c < 12' does not hold (saw 14).",
        ),
        (
            Check("fence.weather.temp_c < 12", None, reason=Reason.UNKNOWN_VALUE, note="fence.weather.temp_c"),
            "Not sent: 'fence.weather.temp_c < 12' cannot be told, a value is missing or stale: fence.weather.temp_c.",
        ),
        (
            Check(
                "pause",
                False,
                {"scope": "rule", "id": "coffee", "by": "guard", "since": T0},
                reason=Reason.RULE_PAUSED,
                note="too many",
            ),
            "Not sent: rule coffee is paused by guard (too many).",
        ),
        (
            Check("pause", False, {"scope": "all", "id": "", "by": "", "since": T0}, reason=Reason.ALL_PAUSED),
            "Not sent: everything is paused.",
        ),
        (
            Check("arbitration", False, {"winner": {"rule": "tea"}}, reason=Reason.OUTRANKED),
            "Not sent: rule tea ranked higher.",
        ),
        (
            Check("consent", False, {"sms": False, "push": False}, reason=Reason.NO_CONSENT),
            "Not sent: the person has not consented (push, sms).",
        ),
        (
            Check("quiet hours", False, reason=Reason.QUIET_HOURS, free=T0 + 5400),
            "Not sent: quiet hours, for another 1 hour 30 minutes until 15:30 (Europe/Berlin), when it is too late.",
        ),
        (
            Check("expiry", False, needs="within 15 minutes of the trigger", reason=Reason.EXPIRED),
            "Not sent: too late, it had to go within 15 minutes of the trigger.",
        ),
        (
            Check("runs", False, "2026-10-01", "2026-11-02 to 2027-02-26", reason=Reason.NOT_RUNNING),
            "Not sent: the rule runs 2026-11-02 to 2027-02-26.",
        ),
        (
            Check("template", False, reason=Reason.TEMPLATE_ERROR, note="no filter 'x'"),
            "Not sent: the message could not be composed: no filter 'x'.",
        ),
    ],
)
def test_sentences_use_what_the_check_saw(check, text):
    assert sentence(check.reason, check, at=T0, zone="Europe/Berlin") == text


def test_the_sentence_of_a_decision_comes_from_the_check_that_gave_the_reason():
    other = Check("cooldown", False, reason=Reason.COOLDOWN, free=T0 + 60)
    cap = Check("cap", False, 3, "3 per day", reason=Reason.CAP)
    decision = Decision(Verdict.SUPPRESS, Reason.CAP, checks=(Check("cap", True), cap, other), time_zone="UTC")
    assert decision_sentence(decision, T0) == "Not sent: the person has had 3 per day."


def test_a_send_and_a_hold_say_so():
    assert decision_sentence(Decision(Verdict.SEND, Reason.OK), T0) == "To be sent: every check passed."
    hold = Decision(Verdict.HOLD, Reason.QUIET_HOURS, until=T0 + 36000, time_zone="Europe/Berlin")
    assert (
        decision_sentence(hold, T0)
        == "Held: another 10 hours of quiet hours; it goes at 2026-11-26 00:00 (Europe/Berlin)."
    )


def row(status, reason="", detail="", attempts=0):
    cause = Cause("t", "enter", T0, fence="cafe")
    args = ("ntf_1", "mom_1", "push", "coffee", "r1", "p1", "d1", cause, Message("Hi"), T0, T0 + 900, T0 + 900)
    return OutboxRow(Notification(*args), status, attempts, T0, reason, detail)


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (row("sent"), "Sent on push."),
        (row("sending"), "Being sent on push."),
        (row("waiting"), "Waiting to be sent on push."),
        (row("waiting", attempts=1), "Waiting to be sent on push, after 1 attempt."),
        (row("dead", "REJECTED", "410 gone"), "Not sent: the far side refused it: 410 gone."),
        (row("dead", "EXPIRED"), "Not sent: its time was over."),
        (row("dead", "a word of later"), "Not sent: the far side refused it."),
        (row("cancelled", "LEFT"), "Not sent: the place was left before the message went."),
        (row("unknown", "AMBIGUOUS"), "Nobody knows whether it was sent: the sender stopped inside the attempt."),
        (row("unknown"), "Nobody knows whether it was sent: the sender stopped inside the attempt."),
    ],
)
def test_a_notification_says_how_it_stands(row, text):
    assert row_sentence(row) == text


def test_lengths_are_rounded_up_and_have_two_units_at_most():
    lengths = {0.2: "1 second", 59.5: "1 minute", 61.0: "2 minutes", 3600.0: "1 hour", 3660.0: "1 hour 1 minute"}
    lengths |= {86399.0: "1 day", 90000.0: "1 day 1 hour", 864000.0: "10 days"}
    assert {seconds: lasting(seconds) for seconds in lengths} == lengths


def test_instants_are_iso_in_utc_and_never_fail():
    assert iso(T0) == "2026-11-25T13:00:00Z"
    assert iso(T0 + 0.25) == "2026-11-25T13:00:00.250Z"
    assert iso(T0 + 0.9999) == "2026-11-25T13:00:01Z"
    assert iso(-1.5) == "1969-12-31T23:59:58.500Z"
    assert [iso(t) for t in (None, 1e20, -1e20, float("nan"), float("inf"))] == [None] * 5
    assert clock(1e20, T0, "UTC") == "a time beyond the calendar"
    assert clock(T0, T0, "Mars/Olympus") == "13:00 (UTC)"
