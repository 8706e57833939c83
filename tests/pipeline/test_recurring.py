"""When local times come: against a plain walk through every minute, and on the days when clocks jump."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.author.schedules import parse_schedule
from engine.decide import load_zone
from engine.model.rule import Recurrence
from engine.pipeline import recurring

BERLIN = "Europe/Berlin"


def zone(name: str) -> ZoneInfo:
    found = load_zone(name)
    assert found is not None
    return found


def utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def comings(text: str, name: str, start: str, end: str) -> list[str]:
    """The instants in (start, end] (UTC), walked through with ``next_coming``."""
    recurrence, at, out = parse_schedule(text), utc(start), []
    while (found := recurring.next_coming(recurrence, at, zone(name))) is not None and found <= utc(end):
        out.append(datetime.fromtimestamp(found, UTC).strftime("%m-%dT%H:%M"))
        at = found
    return out


def walked(recurrence: Recurrence, name: str, start: float, end: float) -> list[float]:
    """The law, slowly: a local minute comes when the wall clock first shows it or first shows something later."""
    where, shown, out = zone(name), None, []
    t = start
    while t <= end:
        local = datetime.fromtimestamp(t, where).replace(tzinfo=None)
        highest = local if shown is None else max(shown, local)
        if shown is not None:
            minute = shown
            while minute < highest:
                minute += timedelta(minutes=1)
                day = minute.date().toordinal() - date(1970, 1, 1).toordinal()
                if minute.hour * 60 + minute.minute in recurrence.times and recurring.fits(recurrence, day):
                    out += [] if out[-1:] == [t] else [t]
        shown, t = highest, t + 60
    return out


def test_a_local_time_that_a_gap_swallows_comes_once_when_the_clock_has_jumped():
    assert comings("every day at 02:30", BERLIN, "2026-03-28T12:00", "2026-03-30T12:00") == [
        "03-29T01:00",
        "03-30T00:30",
    ]


def test_a_local_time_that_the_clock_shows_twice_comes_once_the_first_time():
    assert comings("every day at 02:30", BERLIN, "2026-10-24T12:00", "2026-10-26T12:00") == [
        "10-25T00:30",
        "10-26T01:30",
    ]


def test_times_that_fall_together_in_a_gap_come_together():
    found = comings("every 30 minutes", BERLIN, "2026-03-29T00:00", "2026-03-29T02:00")
    assert found == ["03-29T00:30", "03-29T01:00", "03-29T01:30", "03-29T02:00"]


def test_a_day_that_a_zone_left_out_comes_with_the_next():
    found = comings("every day at 12", "Pacific/Apia", "2011-12-29T00:00", "2012-01-01T00:00")
    assert found == ["12-29T22:00", "12-30T10:00", "12-30T22:00", "12-31T22:00"]
    turned = recurring.wall(parse_schedule("every day at 12"), utc("2011-12-30T10:00"), zone("Pacific/Apia"))
    assert turned is not None
    assert recurring.wall_text(turned) == "2011-12-30T12:00"


@pytest.mark.parametrize(
    ("text", "after", "first"),
    [
        ("every weekday at 11:30", "2026-11-27T11:30", "2026-11-30T11:30"),
        ("every monday, friday at 08:00", "2026-11-24T00:00", "2026-11-27T08:00"),
        ("0 9 29 2 *", "2026-11-24T00:00", "2028-02-29T09:00"),
        ("0 9 13 * 5", "2026-11-24T00:00", "2026-11-27T09:00"),  # a 13th or a Friday
        ("0 9 * 3-4 sun", "2026-11-24T00:00", "2027-03-07T09:00"),
        ("every month on the 31st at 10", "2026-11-24T00:00", "2026-12-31T10:00"),
        ("every hour", "2026-11-24T10:00", "2026-11-24T11:00"),
    ],
)
def test_what_comes_next(text, after, first):
    found = recurring.next_coming(parse_schedule(text), utc(after), zone("UTC"))
    assert found == utc(first)
    assert recurring.wall_text(recurring.wall(parse_schedule(text), found, zone("UTC"))) == first


def test_what_never_comes_is_none():
    assert recurring.next_coming(Recurrence((0,), days=(30,), months=(2,)), 0.0, zone("UTC")) is None


@settings(max_examples=40, deadline=None)
@given(
    times=st.sets(st.integers(0, 1439), min_size=1, max_size=4),
    weekdays=st.sets(st.integers(0, 6), max_size=3),
    place=st.sampled_from([
        (BERLIN, "2026-03-28T18:00"), (BERLIN, "2026-10-24T18:00"), ("America/New_York", "2026-03-07T20:00"),
        ("America/Santiago", "2026-09-05T20:00"), ("Africa/Cairo", "2026-04-23T12:00"),
        ("Australia/Lord_Howe", "2026-04-04T08:00"),
        ("America/Havana", "2026-11-01T00:00"), ("Asia/Kolkata", "2026-06-01T00:00"),
    ]),
)  # fmt: skip
def test_every_way_to_ask_agrees_with_a_plain_walk_across_changes_of_the_clock(times, weekdays, place):
    recurrence = Recurrence(tuple(sorted(times)), tuple(sorted(weekdays)))
    name, where, start = place[0], zone(place[0]), utc(place[1])
    end = start + 30 * 3600
    expected = [t for t in walked(recurrence, name, start - 86400, end) if t > start]
    found, at = [], start
    while (coming := recurring.next_coming(recurrence, at, where)) is not None and coming <= end:
        found.append(coming)
        at = coming
    assert found == expected
    assert recurring.newest(recurrence, start, end, where, 1000) == expected
    assert recurring.last_coming(recurrence, start, end, where) == (expected[-1] if expected else None)
    walls = [recurring.wall(recurrence, t, where) for t in expected]
    assert None not in walls
    assert walls == sorted(set(walls))
