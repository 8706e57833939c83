"""Amounts and times as people write them."""

import pytest

from engine.author.durations import duration_text, parse_cap, parse_duration, parse_metres, parse_share, parse_size
from engine.author.report import TextError
from engine.author.times import parse_date_or_instant, parse_local_time, parse_quiet_hours, parse_runs
from engine.model.rule import Cap, DayTime

EVERY_DAY = tuple(range(7))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("15 minutes", 900),
        ("15m", 900),
        ("2 hours", 7200),
        ("7 days", 604800),
        ("1 h 30 m", 5400),
        ("1 hour and 30 minutes", 5400),
        ("1.5h", 5400),
        ("2w", 1209600),
        ("1mo", 2592000),
        ("0s", 0),
        ("0", 0),
    ],
)
def test_a_duration_is_seconds(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "15", "minutes", "-3 s", "3 fortnights", "999999999999 d", "9" * 5000, "3 s x"])
def test_a_wrong_duration_says_how_to_write_one(text):
    with pytest.raises(TextError) as raised:
        parse_duration(text)
    assert "15 minutes" in raised.value.fix


def test_a_duration_is_told_as_an_author_would_write_it():
    assert [duration_text(s) for s in (86400, 7200, 90, 1800)] == ["1 day", "2 hours", "90 seconds", "30 minutes"]


@pytest.mark.parametrize(
    ("text", "cap"),
    [
        ("3 per day", Cap(3, "day")),
        ("3 per week", Cap(3, "week")),
        ("10 per 7 days", Cap(10, 604800.0)),
        ("1 per 6 hours", Cap(1, 21600.0)),
        ("1 per hour", Cap(1, 3600.0)),
    ],
)
def test_a_cap_counts_calendar_days_and_weeks_or_rolls(text, cap):
    assert parse_cap(text) == cap


@pytest.mark.parametrize("text", ["3", "three per day", "0 per day", "3 per dya", "3 per 0s", ""])
def test_a_wrong_cap_is_refused(text):
    with pytest.raises(TextError):
        parse_cap(text)


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("mon-fri 08:00-10:15", [((0, 1, 2, 3, 4), 480, 615)]),
        ("sat, sun", [((5, 6), 0, 1440)]),
        ("08:00-10:00", [(EVERY_DAY, 480, 600)]),
        ("sat, sun 10:00-14:00", [((5, 6), 600, 840)]),
        ("mon 08:00-09:00 or 17:00-18:00, sat", [((0,), 480, 540), ((0,), 1020, 1080), ((5,), 0, 1440)]),
        ("fri-mon", [((0, 4, 5, 6), 0, 1440)]),
        ("every day 22:00-02:00", [(EVERY_DAY, 1320, 120)]),
        ("weekdays 8:00-24:00", [((0, 1, 2, 3, 4), 480, 1440)]),
    ],
)
def test_local_time_is_days_and_minutes(text, spans):
    assert parse_local_time(text) == tuple(DayTime(*span) for span in spans)


@pytest.mark.parametrize(
    "text", ["", ",", "moon", "8am", "12:30", "25:00-26:00", "08:60-09:00", "08:00-08:00", "mon 8-10"]
)
def test_a_wrong_local_time_is_refused(text):
    with pytest.raises(TextError):
        parse_local_time(text)


def test_quiet_hours_may_wrap_and_may_be_none():
    assert parse_quiet_hours("21:00-08:00") == (1260, 480)
    assert parse_quiet_hours("22:00-24:00") == (1320, 0)
    assert parse_quiet_hours("none") is None
    with pytest.raises(TextError):
        parse_quiet_hours("00:00-24:00")


@pytest.mark.parametrize(
    ("text", "dates"),
    [
        ("2026-11-02 to 2027-02-26", ("2026-11-02", "2027-02-26")),
        ("from 2026-11-02", ("2026-11-02", None)),
        ("until 2027-02-26", (None, "2027-02-26")),
        ("2026-11-02", ("2026-11-02", "2026-11-02")),
    ],
)
def test_runs_are_two_dates_either_of_which_may_be_open(text, dates):
    assert parse_runs(text) == dates


@pytest.mark.parametrize("text", ["", "to", "from", "2026-13-01", "2027-02-26 to 2026-11-02", "next week", "20261102"])
def test_wrong_dates_are_refused(text):
    with pytest.raises(TextError):
        parse_runs(text)


def test_sizes_metres_shares_and_instants():
    assert (parse_size("20GB"), parse_size("64 KiB")) == (20 * 10**9, 65536)
    assert (parse_metres("300 m"), parse_metres("1.5km")) == (300, 1500)
    assert (parse_share("5%"), parse_share("none")) == (0.05, 0)
    assert parse_date_or_instant("2027-02-26") == "2027-02-26"
    for parser, text in ((parse_size, "8 megs"), (parse_metres, "300"), (parse_share, "5"), (parse_share, "500%")):
        with pytest.raises(TextError):
            parser(text)
    with pytest.raises(TextError):
        parse_date_or_instant("2027-02-26T10:00:00")
