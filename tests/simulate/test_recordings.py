"""Recorded tracks: GPX and CSV become signals; anything hostile or broken is refused with a reason."""

from pathlib import Path

import pytest

from engine.errors import HerenowError
from engine.simulate.recordings import read_track

GPX = """<?xml version="1.0" encoding="UTF-8"?>
<gpx version="1.1" xmlns="http://www.topografix.com/GPX/1/1"><trk><trkseg>
<trkpt lat="52.1" lon="6.2"><time>2020-04-18T11:10:45Z</time></trkpt>
<trkpt lat="52.0" lon="6.1"><time>2020-04-18T11:10:44Z</time><speed>3.5</speed></trkpt>
<trkpt lat="52.3" lon="6.3"></trkpt>
</trkseg></trk></gpx>"""
BOMB = """<?xml version="1.0"?><!DOCTYPE g [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<gpx><trkpt lat="1" lon="2"><time>&b;</time></trkpt></gpx>"""
DATA = Path(__file__).parents[3] / "shared" / "data" / "tracks"


def _file(tmp_path: Path, name: str, content: str | bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_gpx_points_come_in_order_of_time_and_those_without_a_time_are_left_out(tmp_path):
    bodies = read_track(_file(tmp_path, "ride.gpx", GPX), "bike")
    assert bodies == [
        {"device": "bike", "id": "ride-0", "at": 1587208244.0, "lat": 52.0, "lon": 6.1, "speed": 3.5},
        {"device": "bike", "id": "ride-1", "at": 1587208245.0, "lat": 52.1, "lon": 6.2},
    ]


def test_csv_columns_are_found_by_their_usual_names(tmp_path):
    bodies = read_track(
        _file(tmp_path, "bus.csv", "Timestamp,Latitude,lng,accuracy\n2026-01-26 15:57:02,53.4,-2.9,12\n"), "bus"
    )
    assert bodies == [{"device": "bus", "id": "bus-0", "at": 1769443022.0, "lat": 53.4, "lon": -2.9, "accuracy": 12.0}]


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("bomb.gpx", BOMB, "DTD"),
        ("wide.gpx", BOMB.encode("utf-16"), "UTF-8"),
        ("cut.gpx", GPX[:200], "well-formed"),
        ("none.gpx", "<gpx></gpx>", "no point"),
        ("where.gpx", GPX.replace('"52.1"', '"north"'), "'north' is not a number"),
        ("far.gpx", GPX.replace('"52.1"', '"nan"'), "'nan' is not a number"),
        ("when.csv", "at,lat,lon\nyesterday,1,2\n", "'yesterday' is not a time"),
        ("cols.csv", "a,b\n1,2\n", "no column at, lat, lon"),
        ("empty.csv", "", "no column"),
        ("bytes.csv", b"at,lat,lon\n\xff\xfe,1,2\n", "cannot be read as CSV"),
        ("track.kml", "<kml/>", "neither .gpx nor .csv"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_name_and_reason(tmp_path, name, content, problem):
    with pytest.raises(HerenowError) as caught:
        read_track(_file(tmp_path, name, content), "d")
    assert problem in str(caught.value)
    assert name in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(HerenowError, match=r"gone\.gpx"):
        read_track(tmp_path / "gone.gpx", "d")


@pytest.mark.parametrize(("name", "points"), [("liverpool-bus-14.csv", 1533), ("ride-twente.gpx", 5159)])
def test_real_recordings_are_read_whole(name, points):
    if not DATA.is_dir():
        pytest.skip("the recorded tracks (shared/data/tracks) are not here")
    assert len(read_track(DATA / name, "d")) == points
