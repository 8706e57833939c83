"""Local time: profile, then fence or location, then project, then UTC. Days and instants across clock changes."""

from datetime import UTC, date, datetime, timedelta

import pytest

from engine.decide import load_zone, localtime, resolve_zone
from engine.model.fence import Circle, Corridor, Fence, Polygons

BERLIN = Fence("b", Circle(13.4, 52.5, 100.0))
TOKYO = Fence("t", Polygons(((((139.7, 35.7), (139.8, 35.7), (139.8, 35.8), (139.7, 35.7)),),)))
DENVER = Fence("d", Corridor(((-105.0, 39.7), (-104.9, 39.7)), 50.0))


@pytest.mark.parametrize(
    ("profile", "fence", "project", "at", "name"),
    [
        ("Asia/Tokyo", BERLIN, "Europe/Paris", None, "Asia/Tokyo"),
        (None, BERLIN, "Europe/Paris", None, "Europe/Berlin"),
        (None, TOKYO, "Europe/Paris", None, "Asia/Tokyo"),
        (None, DENVER, "Europe/Paris", (13.4, 52.5), "America/Denver"),
        (None, None, "Europe/Paris", (13.4, 52.5), "Europe/Berlin"),
        (None, None, "Europe/Paris", None, "Europe/Paris"),
        (None, None, None, None, "UTC"),
        (None, None, "Mars/Olympus", None, "UTC"),
    ],
)
def test_the_zone_is_the_profiles_then_the_places_then_the_projects_then_utc(profile, fence, project, at, name):
    zone, used = resolve_zone(profile, fence, project, at)
    assert (used, zone.key) == (name, name)


@pytest.mark.parametrize(
    "bad", ["", "europe/berlin", "Mars/Olympus", "../../etc/passwd", "/etc/localtime", "\x00", "é" * 999]
)
def test_a_name_that_is_no_zone_falls_through(bad):
    assert load_zone(bad) is None
    assert resolve_zone(bad, BERLIN, "Europe/Paris")[1] == "Europe/Berlin"
    assert resolve_zone(bad, None, "Europe/Paris")[1] == "Europe/Paris"


def test_a_place_that_no_zone_covers_falls_through():
    nowhere = Fence("x", Circle(500.0, 95.0, 10.0))
    assert resolve_zone(None, nowhere, "Europe/Paris")[1] == "Europe/Paris"


def test_zones_are_those_of_the_build_and_loaded_once():
    assert load_zone("Europe/Berlin") is load_zone("Europe/Berlin")
    assert load_zone("Europe/Berlin").utcoffset(datetime(2026, 7, 1)) == timedelta(hours=2)  # noqa: DTZ001


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", "2026-03-29", 23),
        ("Europe/Berlin", "2026-10-25", 25),
        ("Europe/Berlin", "2026-11-24", 24),
        ("America/Santiago", "2026-09-06", 23),  # begins at 01:00
        ("Australia/Lord_Howe", "2026-10-04", 23.5),
        ("Asia/Kathmandu", "2026-11-24", 24),
    ],
)
def test_local_days_are_as_long_as_they_are(zone, day, hours):
    zone = load_zone(zone)
    number = localtime.day_of_iso(day)
    start, end = localtime.day_start(number, zone), localtime.day_start(number + 1, zone)
    assert (end - start) / 3600 == hours
    assert localtime.iso_day(localtime.day(start, zone)) == day
    assert localtime.iso_day(localtime.day(end, zone)) == (date.fromisoformat(day) + timedelta(1)).isoformat()
    assert localtime.day(start - 1, zone) == number - 1


def test_an_offset_holds_to_the_very_change():
    turn = datetime(2026, 3, 29, 1, tzinfo=UTC).timestamp()
    berlin = load_zone("Europe/Berlin")
    assert [localtime.offset(turn - 0.001, berlin), localtime.offset(turn, berlin)] == [3600, 7200]
    monrovia = load_zone("Africa/Monrovia")  # changed at 00:44:30, in the middle of a quarter of an hour
    turn = datetime(1972, 1, 7, 0, 44, 30, tzinfo=UTC).timestamp()
    assert [localtime.offset(turn + s, monrovia) for s in (-1, 0)] == [-2670, 0]


def test_weeks_begin_on_monday():
    for day, monday in [("2026-11-23", "2026-11-23"), ("2026-11-29", "2026-11-23"), ("2026-11-30", "2026-11-30")]:
        assert localtime.iso_day(localtime.monday(localtime.day_of_iso(day))) == monday


def test_an_iso_instant_is_local_unless_it_says_otherwise():
    berlin = load_zone("Europe/Berlin")
    noon = datetime(2026, 11, 24, 11, tzinfo=UTC).timestamp()
    assert localtime.instant_of_iso("2026-11-24T12:00", berlin) == noon
    assert localtime.instant_of_iso("2026-11-24T11:00Z", berlin) == noon
    assert localtime.instant_of_iso("2026-11-24T11:00:00.5Z", berlin) == noon + 0.5
