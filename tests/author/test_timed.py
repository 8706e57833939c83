"""Schedules, what follows upon a message, and sequences: what is understood, and what a mistake is told."""

import pytest

from engine.author.report import TextError
from engine.author.schedules import parse_schedule
from engine.model.rule import Audience, InOrder, OnAfter, OnSchedule, Recurrence, Step, Target

WORKDAYS = (0, 1, 2, 3, 4)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("every weekday at 11:30", Recurrence((690,), WORKDAYS)),
        ("every day at 9", Recurrence((540,))),
        ("daily at 9 and 17:30", Recurrence((540, 1050))),
        ("every monday, friday at 08:00", Recurrence((480,), (0, 4))),
        ("mon-wed and sat at noon", Recurrence((720,), (0, 1, 2, 5))),
        ("on weekends at 5 pm", Recurrence((1020,), (5, 6))),
        ("every day at 12 am", Recurrence((0,))),
        ("every 1st of the month at 9", Recurrence((540,), days=(1,))),
        ("every month on the 1st and 15th at 9.30", Recurrence((570,), days=(1, 15))),
        ("every hour", Recurrence(tuple(range(0, 1440, 60)))),
        ("every 20 minutes", Recurrence(tuple(range(0, 1440, 20)))),
        ("every 6 hours", Recurrence((0, 360, 720, 1080))),
        ("30 11 * * 1-5", Recurrence((690,), WORKDAYS)),
        ("0,30 8-9 * * sat", Recurrence((480, 510, 540, 570), (5,))),
        ("*/20 6 * * *", Recurrence((360, 380, 400))),
        ("0 9 1 jan,jul *", Recurrence((540,), days=(1,), months=(1, 7))),
        ("0 9 * * 7", Recurrence((540,), (6,))),
        ("0 9 * * fri-sun", Recurrence((540,), (4, 5, 6))),
        ("0 9 13 * 5", Recurrence((540,), (4,), (13,), either=True)),
        ("0 9 29 2 *", Recurrence((540,), days=(29,), months=(2,))),
    ],
)
def test_a_schedule_is_understood(text, expected):
    assert parse_schedule(text) == expected


@pytest.mark.parametrize(
    ("text", "problem", "fix"),
    [
        ("every wekday at 9", "'wekday' is not a day", "Did you mean 'weekday'?"),
        ("every day at 25", "'25' is not a time of day", "09:30"),
        ("every day at 13 pm", "'13 pm' is not a time of day", "5 pm"),
        ("every day", "no schedule", "every weekday at 11:30"),
        ("soon", "no schedule", "every weekday at 11:30"),
        ("every 7 minutes", "does not come at the same times each hour", "5, 10, 15"),
        ("every 5 hours", "does not come at the same times each day", "1, 2, 3"),
        ("every 0 minutes", "does not come", "5, 10"),
        ("0 0 30 2 *", "never comes", "every weekday"),
        ("0 0 31 4,6 *", "never comes", "every weekday"),
        ("61 * * * *", "'61' is no minute (0-59)", "every weekday"),
        ("0 22-6 * * *", "'22-6' goes backwards", "22-23,0-6"),
        ("0 9 * * mondy", "'mondy' is no weekday", "Did you mean 'monday'?"),
        ("*/0 * * * *", "no step of the minute", "every weekday"),
        ("every month on the 32nd at 9", "no day of a month", "1st and 15th"),
    ],
)
def test_a_wrong_schedule_says_what_is_wrong_and_what_to_write(text, problem, fix):
    with pytest.raises(TextError) as told:
        parse_schedule(text)
    assert problem in told.value.problem
    assert fix in told.value.fix


def when(rule, lines, **more):
    found, findings = rule(head="when:\n" + "".join(f"      {line}\n" for line in lines.splitlines()), **more)
    return found, [(f.code, f.line, f.column, f.fix) for f in findings if f.severity == "error"]


SEGMENTS = "segments:\n  young:\n    - profile.age < 20\n  gold:\n    - profile.tier = gold\n"


@pytest.mark.parametrize(
    ("extra", "audience", "clock"),
    [
        ("", Audience(), "person"),
        ("to: everyone", Audience(), "person"),
        ("to: tag cafe or depot\nin: project", Audience(Target(("depot",), ("cafe",))), "project"),
        ("to: segment young", Audience(segments=("young",)), "person"),
        ("to: segment young or gold\nin: person", Audience(segments=("young", "gold")), "person"),
        ("to: segment young or segment gold", Audience(segments=("young", "gold")), "person"),
    ],
)
def test_a_schedule_says_to_whom_and_by_whose_clock(rule, extra, audience, clock):
    found, errors = when(rule, f"schedule: every day at 9\n{extra}", segments=SEGMENTS)
    assert errors == []
    where = "rules/r.yaml:7"
    assert found.when == (OnSchedule(Recurrence((540,)), audience, clock, "every day at 9", where),)


@pytest.mark.parametrize(
    ("lines", "code", "fix"),
    [
        ("schedule: every day at 9\nto: segment yung", "UNKNOWN_SEGMENT", "Did you mean 'young'?"),
        ("schedule: every day at 9\nto: cafe-mite", "UNKNOWN_FENCE", "Did you mean 'cafe-mitte'?"),
        ("schedule: every day at 9\nto: tag cafe or segment young", "BAD_VALUE", "Write two triggers"),
        ("schedule: every day at 9\nto: segment young or tag cafe", "BAD_VALUE", "Write two triggers"),
        ("schedule: every day at 9\nin: berlin", "BAD_VALUE", "One of: person, project."),
        ("schedule: every day at 9\ninitial: ignore", "UNKNOWN_KEY", "Delete it"),
        ("enters: tag cafe\nto: everyone", "UNKNOWN_KEY", "Delete it."),
        ("sequence:\n  - enters: tag cafe", "UNKNOWN_TRIGGER", "only_if"),
        ("after: hello", "BAD_VALUE", "hello clicked, within 2 hours"),
        ("after: hello klicked", "BAD_VALUE", "Did you mean 'clicked'?"),
        ("after: hello not converted", "BAD_VALUE", "Write: hello not converted, within 2 hours"),
        ("after: hello not delivered, within 1 day", "BAD_VALUE", "opened, clicked, converted"),
        ("after: hello clicked, in 2 hours", "BAD_VALUE", "Write: hello clicked, within 2 hours"),
        ("after: hello clicked, within 90 days", "BAD_VALUE", "30 days"),
        ("after: helo clicked", "UNKNOWN_RULE", "Did you mean 'hello'?"),
        ("after: hello converted", "NO_CONVERSION", "Add 'conversion:'"),
    ],
)
def test_a_wrong_trigger_names_place_and_fix(rule, lines, code, fix):
    _, errors = when(rule, lines, segments=SEGMENTS)
    assert [error[0] for error in errors] == [code]
    assert fix in errors[0][3]


@pytest.mark.parametrize(
    ("line", "trigger"),
    [
        ("hello clicked, within 2 hours", OnAfter("hello", "clicked", within=7200.0)),
        ("hello delivered", OnAfter("hello", "delivered")),
        ("hello not opened, within 1 day", OnAfter("hello", "opened", True, 86400.0)),
        ("hello not_useful", OnAfter("hello", "not_useful")),
    ],
)
def test_what_became_of_a_message_wakes_a_rule(rule, line, trigger):
    found, errors = when(rule, f"after: {line}")
    assert errors == []
    assert (*[getattr(found.when[0], name) for name in ("rule", "outcome", "missing", "within")],) == (
        trigger.rule, trigger.outcome, trigger.missing, trigger.within,
    )  # fmt: skip


def sequence(rule, *steps):
    text = "    only_if:\n      - sequence:\n" + "".join(f"          - {step}\n" for step in steps)
    found, findings = rule(text)
    return found, [f for f in findings if f.severity == "error"]


def test_a_sequence_is_understood(rule):
    found, errors = sequence(
        rule,
        "enters: tag cafe, in the last 4 hours",
        "event: view where event.price > 3, within 30 minutes",
        "dwells: depot, for 10 minutes, within 1 hour",
        "exits: depot or office, within 2 hours",
    )
    assert errors == []
    (condition,) = found.only_if
    assert isinstance(condition, InOrder)
    assert condition.seconds == 4 * 3600.0
    assert [(s.kind, s.within, s.seconds, s.event) for s in condition.steps] == [
        ("enter", 0.0, 0.0, ""), ("event", 1800.0, 0.0, "view"), ("dwell", 3600.0, 600.0, ""), ("exit", 7200.0, 0.0,
        ""),
    ]  # fmt: skip
    assert condition.steps[1].filter is not None


def test_a_sequence_that_does_not_say_how_far_back_looks_back_a_day(rule):
    found, errors = sequence(rule, "event: view", "event: basket, within 1 hour")
    assert errors == []
    assert found.only_if == (
        InOrder(
            steps=(Step("event", event="view"), Step("event", 3600.0, event="basket")),
            seconds=86400.0, text="sequence of 2 steps in the last 1 day", where="rules/r.yaml:9",
        ),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("steps", "line", "fix"),
    [
        (("event: view",), 10, "- enters: tag shop"),
        (("event: view", "event: basket"), 11, "Write: basket, within 30 minutes"),
        (("event: view, within 1 hour", "event: basket, within 1 hour"), 10, "in the last 4 hours"),
        (("event: view", "dwells: depot, within 1 hour"), 11, "for 10 minutes"),
        (("event: view", "crosses: depot, within 1 hour"), 11, "Known: enters"),
        (("event: view", "enter: depot, within 1 hour"), 11, "Did you mean 'enters'?"),
        (("event: view", "enters: depo, within 1 hour"), 11, "Did you mean 'depot'?"),
        (("event: view", "event: basket where amount > 3, within 1 hour"), 11, "Did you mean event.amount?"),
        (("event: view", "event: basket, within 1 fortnight"), 11, "Write for example 15 minutes"),
        (("event: two words", "event: basket, within 1 hour"), 10, "EVENT"),
        (("view", "event: basket, within 1 hour"), 10, "- enters: tag shop"),
    ],
)
def test_a_wrong_sequence_names_line_and_fix(rule, steps, line, fix):
    _, errors = sequence(rule, *steps)
    assert [error.line for error in errors] == [line if len(steps) > 1 else 10]
    assert fix in errors[0].fix
