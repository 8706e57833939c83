"""Schedules of rules: to whom, and by whose clock."""

import random

from engine.model.record import ProfileChange
from engine.model.signal import Signal
from tests.pipeline.scheduled_world import LUNCH, World, rules

# ------------------------------------------------------------------ by whose clock


def test_everyone_hears_it_once_by_their_own_clock():
    world = World(rules(lunch=LUNCH), "2026-11-24T06:00")
    world.person("ada", "America/New_York")
    world.person("bob", "Asia/Kolkata")
    world.person("cem")
    world.until("2026-11-25T05:00")
    assert sorted(world.told()) == [("ada", "24T16:30"), ("cem", "24T10:30")]  # it was past 11:30 in Kolkata already
    assert {m.cause.id for m in world.moments} == {"lunch|ada|2026-11-24T11:30", "lunch|cem|2026-11-24T11:30"}


def test_by_the_clock_of_the_project_all_hear_it_at_one_instant():
    world = World(rules(lunch="when:\n  schedule: every day at 11:30\n  in: project"), "2026-11-24T06:00")
    for person, zone in (("ada", "America/New_York"), ("bob", "Asia/Kolkata"), ("cem", None)):
        world.person(person, zone)
    world.until("2026-11-24T23:00")
    assert world.told() == [("ada", "24T10:30"), ("bob", "24T10:30"), ("cem", "24T10:30")]


def test_the_clock_of_somebody_without_a_time_zone_is_that_of_the_geofence_they_entered_last():
    world = World(rules(lunch=LUNCH), "2026-11-24T06:00")
    world.fix("d1", "new-york")
    world.until("2026-11-25T00:00")
    assert world.told() == [("d1", "24T16:30")]


def test_a_traveller_who_heard_it_at_home_does_not_hear_it_again_further_west():
    world = World(rules(lunch=LUNCH), "2026-11-24T06:00")
    world.fix("d1", "berlin")
    world.until("2026-11-24T12:00")
    world.fix("d1", "new-york")
    world.until("2026-11-25T20:00")
    assert world.told() == [("d1", "24T10:30"), ("d1", "25T16:30")]


def test_a_traveller_who_was_not_sent_it_at_home_is_not_asked_again_further_west():
    world = World(rules(lunch=LUNCH + "\nonly_if:\n  - profile.ready = yes please"), "2026-11-24T06:00")
    world.person("ada", "Europe/Berlin", ready="no")
    world.core.watch = True
    world.until("2026-11-24T12:00")
    world.person("ada", "America/New_York", ready="yes please")
    world.until("2026-11-25T12:00")
    assert world.told() == []


# ------------------------------------------------------------------ to whom


def test_only_those_inside_the_target_are_told_with_the_place_they_are_in():
    world = World(rules(lunch=LUNCH + "\n  to: tag cafe"), "2026-11-24T10:15")
    world.fix("d1", "berlin")
    world.fix("d2", "nowhere")
    world.person("ada")
    world.until("2026-11-24T11:00")
    assert world.told() == [("d1", "24T10:30")]
    assert world.moments[0].cause.fence == "berlin"


def test_what_waits_for_somebody_inside_does_not_go_when_they_leave():
    world = World(rules(lunch=LUNCH + "\n  to: tag cafe"), "2026-11-24T10:15")
    world.fix("d1", "berlin")
    world.until("2026-11-24T10:31")
    assert [m.decision.verdict for m in world.moments] == ["send"]
    world.fix("d1", "nowhere")
    world.until("2026-11-24T10:40")
    assert [f.cancelled for f in world.core.state.inflight.values()] == ["LEFT"]


def test_somebody_whose_device_went_silent_inside_is_not_known_to_be_there():
    world = World(rules(lunch=LUNCH + "\n  to: tag cafe"), "2026-11-24T09:50")
    world.fix("d1", "berlin")
    world.until("2026-11-24T11:00")
    assert world.told() == []


def test_only_those_in_the_segment_are_told():
    segments = b"segments:\n  gold:\n    - profile.tier = gold\n  young:\n    - profile.age < 20\n"
    world = World(rules(lunch=LUNCH + "\n  to: segment gold or young"), "2026-11-24T10:00", segments)
    world.person("ada", tier="gold")
    world.person("bob", tier="tin")
    world.person("cem", age=19)
    world.person("dan")
    world.until("2026-11-24T11:00")
    assert world.told() == [("ada", "24T10:30"), ("cem", "24T10:30")]


def test_people_come_in_order_of_their_ids_whenever_they_came_to_be_known():
    world = World(rules(lunch=LUNCH), "2026-11-24T10:00")
    names = [f"p{n:03d}" for n in range(300)]
    random.Random(1).shuffle(names)
    for name in names:
        world.person(name)
    world.until("2026-11-24T11:00")
    assert [m.person for m in world.moments] == sorted(names)


def test_rules_due_at_one_instant_compete_for_a_person():
    text = rules(low=LUNCH + "\npriority: 10", high=LUNCH + "\npriority: 90")
    world = World(text, "2026-11-24T10:00")
    world.person("ada")
    world.until("2026-11-24T11:00")
    assert [(m.rule, m.decision.reason) for m in world.moments] == [("high", "OK"), ("low", "OUTRANKED")]


def test_a_device_whose_person_is_known_is_not_told_beside_them():
    world = World(rules(lunch=LUNCH), "2026-11-24T10:15")
    world.fix("d1", "berlin")
    world.put(Signal("d1", world.now + 1, key=7, event="hello", person="ada"))
    world.until("2026-11-24T11:00")
    assert world.told() == [("ada", "24T10:30")]


def test_somebody_who_came_to_be_known_by_losing_a_device_is_among_everyone():
    world = World(rules(lunch=LUNCH), "2026-11-24T10:15")
    world.put(ProfileChange("ada", False, devices=("d1", "d2")))
    world.fix("d1", "berlin")
    world.put(ProfileChange("ada", False, devices=("d2",)))
    assert "d1" in world.core.state.people
    world.until("2026-11-24T11:00")
    assert world.told() == [("ada", "24T10:30"), ("d1", "24T10:30")]


def test_somebody_who_is_erased_is_told_nothing_and_stops_nobody():
    world = World(rules(lunch=LUNCH), "2026-11-24T10:00")
    for name in ("ada", "bob", "cem"):
        world.person(name)
    del world.core.state.people["cem"], world.core.state.people["ada"]
    world.person("dan")
    world.person("ada")
    world.until("2026-11-24T11:00")
    assert [m.person for m in world.moments] == ["ada", "bob", "dan"]
