"""Personas and their tracks: authored days become the same signals for the same seed, always."""

import json
import math
import subprocess
import sys
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from shapely.geometry import Point, shape

from engine.errors import HerenowError
from engine.simulate.personas import SPEEDS, Act, Move, load_personas
from engine.simulate.sandbox import city_folder, sandbox_start
from engine.simulate.tracks import city_track, day_track, offset, street_path, track

MONDAY, SUNDAY = date(2026, 11, 23), date(2026, 11, 29)
PEOPLE = load_personas()


def test_a_dozen_people_live_in_the_city():
    assert len(PEOPLE) == 12
    assert len({device for person in PEOPLE for device in person.devices}) == 12


@pytest.mark.parametrize("person", PEOPLE, ids=lambda p: p.id)
def test_the_same_seed_gives_the_same_day_and_another_seed_another(person):
    assert list(day_track(person, 1, MONDAY)) == list(day_track(person, 1, MONDAY))
    assert list(day_track(person, 1, MONDAY)) != list(day_track(person, 2, MONDAY))


def test_tracks_do_not_depend_on_the_hash_seed():
    program = (
        "import hashlib, json; from datetime import date; from engine.simulate.personas import load_personas;"
        "from engine.simulate.tracks import day_track;"
        "d = [list(day_track(p, 7, date(2026, 11, 24))) for p in load_personas()[:3]];"
        "print(hashlib.sha256(json.dumps(d).encode()).hexdigest())"
    )
    digests = [
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    ]
    assert digests[0] == digests[1] != ""


@pytest.mark.parametrize("person", PEOPLE, ids=lambda p: p.id)
def test_a_day_is_in_order_of_time_and_every_signal_has_its_own_id(person):
    for day in (MONDAY, SUNDAY):
        bodies = list(day_track(person, 1, day))
        times = [body["at"] for body in bodies]
        assert times == sorted(times)
        assert len({body["id"] for body in bodies}) == len(bodies) > 100


@pytest.mark.parametrize("person", PEOPLE, ids=lambda p: p.id)
def test_the_plan_of_a_day_is_kept(person):
    """At the end of a stay the phone is where the plan says, within its noise."""
    bodies = list(day_track(person, 1, MONDAY))
    midnight = datetime(2026, 11, 23, tzinfo=person.zone).timestamp()
    moves = [s for s in person.steps(MONDAY) if isinstance(s, Move)]
    for move, following in pairwise(moves):
        before = [b for b in bodies if "lat" in b and b["at"] < midnight + following.at]
        metres = math.hypot(*offset((before[-1]["lat"], before[-1]["lon"]), person.places[move.place]))
        assert metres < 150, f"{person.id} is {metres:.0f} m from {move.place} when it is time to leave it"


def test_events_of_the_plan_are_sent_with_their_data():
    anna = next(p for p in PEOPLE if p.id == "anna")
    acts = [s for s in anna.steps(MONDAY) if isinstance(s, Act)]
    sent = [b for b in day_track(anna, 1, MONDAY) if "event" in b]
    assert [b["event"] for b in sent] == [a.event for a in acts]
    assert sent[0]["context"] == {"category": "coffee", "price": 3.4}


def test_a_track_may_begin_in_the_middle_of_a_day_and_cross_midnight():
    anna = PEOPLE[0]
    start = sandbox_start()
    whole = list(track(anna, 1, start, start + 2 * 86400))
    assert whole == [
        b
        for day in (23, 24, 25)
        for b in day_track(anna, 1, date(2026, 11, day))
        if start <= b["at"] < start + 2 * 86400
    ]


def test_the_night_nurse_wakes_up_at_the_hospital():
    emine = next(p for p in PEOPLE if p.id == "emine")
    assert emine.wakes_at(MONDAY) == "hospital"


def test_the_city_sends_in_order_of_time():
    start = sandbox_start()
    times = [body["at"] for body in city_track(PEOPLE, 1, start, start + 1800)]
    assert times == sorted(times)
    assert len(times) > 300


def test_streets_bend_and_trains_do_not():
    from random import Random

    start, end = (52.52, 13.40), (52.53, 13.42)
    assert street_path(Random(1), start, end, "train") == [start, end]
    path = street_path(Random(1), start, end, "walk")
    assert (path[0], path[-1]) == (start, end)
    length = sum(math.hypot(*offset(a, b)) for a, b in pairwise(path))
    straight = math.hypot(*offset(start, end))
    assert straight < length < 1.5 * straight


def test_nobody_moves_faster_than_their_way_of_moving():
    for person in PEOPLE:
        fixes = [b for b in day_track(person, 1, MONDAY) if b.get("speed")]
        assert max(b["speed"] for b in fixes) < 1.7 * max(SPEEDS.values())


def test_places_that_bear_the_name_of_a_fence_lie_in_it():
    city = json.loads((city_folder() / "geofences" / "city.geojson").read_text("utf-8"))
    places = PEOPLE[0].places
    for feature in city["features"]:
        lat, lon = places[feature["id"]]
        geometry = shape(feature["geometry"])
        if feature["geometry"]["type"] in ("Point", "LineString"):
            geometry = geometry.buffer(feature["properties"]["radius"] / 111_195)
        assert geometry.contains(Point(lon, lat)), feature["id"]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("07:30 fly to home", "'fly'"),
        ("07:30 walk to nowhere", "'nowhere'"),
        ("half past seven: leave", "cannot read"),
    ],
)
def test_a_wrong_step_is_named_with_its_file(tmp_path: Path, line, problem):
    (tmp_path / "eve.yaml").write_text(
        f"id: eve\ndevices: [e]\nplaces:\n  home: [1, 2]\nweek:\n  mon-fri:\n    - '{line}'\n"
    )
    with pytest.raises(HerenowError, match=r"eve\.yaml.*" + problem):
        load_personas(tmp_path)


def test_steps_out_of_order_are_refused(tmp_path: Path):
    steps = "[09:00 walk to home, 08:00 walk to home]"
    (tmp_path / "eve.yaml").write_text(f"id: eve\ndevices: [e]\nplaces:\n  home: [1, 2]\nweek:\n  mon: {steps}\n")
    with pytest.raises(HerenowError, match="order of time"):
        load_personas(tmp_path)


def test_an_empty_folder_says_what_to_put_there(tmp_path: Path):
    with pytest.raises(HerenowError, match=r"\*\.yaml"):
        load_personas(tmp_path)
