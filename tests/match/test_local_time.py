"""``local_time`` with dates and public holidays: against a plain reading, and when the answer turns."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from engine.author.times import parse_local_times
from engine.decide import load_zone
from engine.match import Matcher, Situation
from engine.match.holidays import calendar
from engine.model.release import Release
from engine.model.rule import LocalTime, MessageSpec, MessageText, OnEvent, Rule


def ask(situation: Situation, text: str, local: str, zone: str = "Europe/Berlin"):
    where = load_zone(zone)
    now = datetime.fromisoformat(local).replace(tzinfo=where).timestamp()
    spans, but = parse_local_times(text)
    line = LocalTime(text=f"local_time: {text}", spans=spans, but=but)
    rule = Rule("r", (OnEvent("hi"),), MessageSpec(MessageText("x")), only_if=(line,))
    (compiled,) = Matcher.compile(Release("h", (rule,))).rules
    s = replace(situation, now=now, zone=where)
    (check,) = compiled.explain(s)
    assert check.ok is compiled.holds(s)
    free = None if check.free is None else datetime.fromtimestamp(check.free, where).strftime("%Y-%m-%dT%H:%M")
    return check.ok, free, check


@pytest.mark.parametrize(
    ("text", "local", "answer", "turns"),
    [
        ("2026-12-01 to 2026-12-24", "2026-11-30T23:59", False, "2026-12-01T00:00"),
        ("2026-12-01 to 2026-12-24", "2026-12-24T23:59", True, None),
        ("2026-12-01 to 2026-12-24", "2026-12-25T00:00", False, None),
        ("2027-03-01 10:00-18:00", "2026-11-24T12:00", False, "2027-03-01T10:00"),
        ("mon-fri 2026-12-01 to 2026-12-24 16:00-20:00", "2026-12-04T17:00", True, None),
        ("mon-fri 2026-12-01 to 2026-12-24 16:00-20:00", "2026-12-05T17:00", False, "2026-12-07T16:00"),
        ("weekdays, not holidays in DE", "2026-12-25T12:00", False, "2026-12-28T00:00"),
        ("weekdays, not holidays in DE", "2026-12-24T12:00", True, None),
        ("weekdays, not holidays in DE", "2027-01-06T12:00", True, None),
        ("weekdays, not holidays in DE-BY", "2027-01-06T12:00", False, "2027-01-07T00:00"),
        ("holidays in DE 10:00-14:00", "2026-12-25T09:59", False, "2026-12-25T10:00"),
        ("holidays in DE 10:00-14:00", "2026-12-25T13:00", True, None),
        ("08:00-20:00, not 2026-12-24 or 2026-12-31", "2026-12-31T10:00", False, "2027-01-01T08:00"),
        ("2026-12-31 22:00-02:00", "2027-01-01T01:59", True, None),  # the night belongs to the day it begins on
        ("2026-12-31 22:00-02:00", "2026-12-31T01:59", False, "2026-12-31T22:00"),
        ("2026-12-31 22:00-02:00", "2027-01-01T02:00", False, None),
    ],
)
def test_dates_and_holidays(situation, text, local, answer, turns):
    ok, free, _ = ask(situation, text, local)
    assert ok is answer
    if not answer:
        assert free == turns


def test_the_trace_says_the_date_and_what_it_needs(situation):
    _, _, check = ask(situation, "weekdays 08:00-18:00, not holidays in DE", "2026-12-25T12:00")
    assert check.saw == "2026-12-25 fri 12:00 Europe/Berlin"
    assert check.needs == "mon,tue,wed,thu,fri 08:00-18:00, not holidays in DE"
    _, _, check = ask(situation, "2026-12-01 to 2026-12-24 10:00-12:00", "2026-12-25T12:00")
    assert check.needs == "2026-12-01 to 2026-12-24 10:00-12:00"


def test_a_day_is_that_of_the_person(situation):
    assert ask(situation, "2026-12-25", "2026-12-25T00:30", "Pacific/Auckland")[0] is True
    assert ask(situation, "2026-12-25", "2026-12-24T23:30", "Pacific/Auckland")[0] is False


def test_every_minute_of_a_month_agrees_with_a_plain_reading(situation):
    text = "mon-fri 2026-12-07 to 2026-12-29 20:00-03:00 or holidays in DE 09:00-10:00, not 12:00-12:30, 2026-12-16"
    spans, but = parse_local_times(text)
    compiled = Matcher.compile(
        Release("h", (Rule("r", (OnEvent("hi"),), MessageSpec(MessageText("x")), (LocalTime(spans=spans, but=but),)),))
    ).rules[0]
    holiday = calendar("DE")
    at = datetime(2026, 12, 1, tzinfo=UTC)
    while at < datetime(2027, 1, 3, tzinfo=UTC):
        minute, day = at.hour * 60 + at.minute, at.date()

        def evening(day: date) -> bool:
            return day.weekday() < 5 and date(2026, 12, 7) <= day <= date(2026, 12, 29)

        late = (evening(day) and minute >= 1200) or (evening(day - timedelta(days=1)) and minute < 180)
        expected = (late or (holiday(day) and 540 <= minute < 600)) and day != date(2026, 12, 16)
        expected = expected and not 720 <= minute < 750
        s = replace(situation, now=at.timestamp(), zone=load_zone("UTC"))
        assert compiled.holds(s) is expected, at
        at += timedelta(minutes=7)


def test_a_calendar_that_is_not_there_is_an_error():
    for code in ("XX", "DE-XX", ""):
        with pytest.raises(LookupError):
            calendar(code)
