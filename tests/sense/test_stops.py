"""Standing still: within 70 m of where it first was; what conditions see as device.stopped."""

import pytest

from engine.model.signal import Signal

LAT, LON, NORTH = 52.5, 13.4, 111_267.0


def test_still_counts_from_the_first_fix_within_seventy_metres(town):
    t = town([])
    t.at(0, 0)
    assert t.sense.position("d").still == 0.0
    t.at(100, 69)
    assert t.sense.position("d").still == 100.0
    t.at(150, 20)
    assert t.sense.position("d").still == 150.0
    t.at(160, 71)
    assert t.sense.position("d").still == 0.0


def test_it_is_unknown_before_a_useful_fix(town):
    t = town([])
    t.at(0, None, event="open")
    assert t.sense.position("d").still is None
    t.at(10, 0, accuracy=101.0)
    assert t.sense.position("d").still is None
    t.at(20, 0, accuracy=100.0)
    assert t.sense.position("d").still == 0.0


def test_a_useless_fix_neither_ends_nor_lengthens_it(town):
    t = town([])
    t.at(0, 0)
    t.at(100, 0)
    t.at(120, 800, accuracy=500.0)
    assert t.sense.position("d").still == 100.0
    t.at(140, 10)
    assert t.sense.position("d").still == 140.0


def test_silence_begins_it_anew(town):
    t = town([])
    t.at(0, 0)
    t.at(1800, 0)
    assert t.sense.position("d").still == 1800.0
    t.at(3601, 0)
    assert t.sense.position("d").still == 0.0


def test_late_fixes_change_nothing(town):
    t = town([])
    t.at(0, 0)
    t.at(200, 0)
    t.at(100, 900)
    assert t.sense.position("d").still == 200.0


def test_it_is_told_as_of_each_record(town):
    t = town([])
    many = [Signal(f"other-{k}", 1_000_000.0, k, lat=LAT, lon=LON) for k in range(20)]
    steps = [(0, 0), (90, 30), (150, 30), (200, 200), (260, 210)]
    signals = [t.signal(at, metres) for at, metres in steps]
    t.sense.advance([*signals, *many], [1_000_300.0] * 25)
    assert [t.sense.position("d", k).still for k in range(5)] == [0.0, 90.0, 150.0, 0.0, 60.0]
    assert t.sense.position("d").still == 60.0


@pytest.mark.parametrize("lon", [179.9999, -180.0, 13.4])
def test_across_the_antimeridian(town, lon):
    t = town([])
    places = [(10.0, lon), (10.0002, lon - 360.0 * (lon > 0) + 0.0003)]
    if lon == 13.4:
        places[1] = (10.0002, lon + 0.0003)
    for k, (lat, at) in enumerate(places):
        at = at if at >= -180.0 else at + 360.0
        t.sense.advance([Signal("d", 1000.0 + 100 * k, k, lat=lat, lon=at)], [1000.0 + 100 * k])
    assert t.sense.position("d").still == 100.0
