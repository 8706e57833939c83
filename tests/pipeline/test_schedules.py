"""Schedules of rules: to whom, by whose clock, once, and none missed, whatever happens to the process."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.author.project import Bundle
from engine.clock import ManualClock
from engine.model.moment import Moment
from engine.model.record import Frame, Genesis, ProfileChange, Record, ReleaseChange, ScheduleDue, Tick
from engine.model.release import DecidePolicy, Policy
from engine.model.signal import Signal
from engine.pipeline import scheduled
from engine.pipeline.core import Core
from engine.pipeline.releases import compile_all
from engine.pipeline.replay import pass_time
from engine.pipeline.state import Checkpoint, decode_checkpoint, encode_checkpoint
from engine.schedule import schedules_of
from engine.sense import Sense

FENCES = b"""{"type":"FeatureCollection","features":[
 {"type":"Feature","id":"berlin","properties":{"tags":["cafe"],"radius":150},"geometry":{"type":"Point","coordinates":[13.405,52.52]}},
 {"type":"Feature","id":"new-york","properties":{"tags":["cafe"],"radius":150},"geometry":{"type":"Point","coordinates":[-73.99,40.73]}}]}"""
PLACES = {"berlin": (52.52, 13.405), "new-york": (40.73, -73.99), "nowhere": (0.0, 0.0)}


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def rules(**when: str) -> bytes:
    text = "rules:\n"
    for name, lines in when.items():
        text += f"  {name.replace('_', '-')}:\n    purpose: service\n    cooldown: 0s\n    message:\n      title: Hi\n"
        text += "".join(f"    {line}\n" for line in lines.splitlines())
    return text.encode()


class World:
    """A core, its journal, and a clock that appends what the agenda says."""

    def __init__(
        self, text: bytes, start: str, segments: bytes = b"", zone: str = "Europe/Berlin", **decide: Any
    ) -> None:
        policy = Policy(decide=DecidePolicy(**{"quiet_hours": None, "caps": (), "time_zone": zone} | decide))
        files = {"geofences/city.geojson": FENCES, "rules/all.yaml": text}
        self.versions, self.policy = {}, policy
        self.bundle = self.add(files | ({"rules/segments.yaml": segments} if segments else {}))
        self.core = Core(self.versions)
        self.journal: list[Frame] = []
        self.moments: list[Moment] = []
        self.now = at(start)
        self.put(Genesis("p", "salt", 1), ReleaseChange(self.bundle.hash))

    def add(self, files: dict[str, bytes]) -> Bundle:
        bundle = Bundle(files, self.policy)
        self.versions[bundle.hash] = compile_all(bundle)[0]
        return bundle

    def put(self, *records: Record) -> None:
        frame = Frame(self.core.state.offset, self.now, [*records])
        self.journal.append(frame)
        self.moments += self.core.step([frame]).moments

    def until(self, text: str) -> "World":
        for frame, fx in pass_time(self.core, at(text)):
            self.journal.append(frame)
            self.moments += fx.moments
        self.now = max(self.core.state.received, at(text))
        return self

    def asleep(self, text: str) -> "World":
        """The process is down until then; then it looks what it missed."""
        self.now = at(text)
        self.restart().put(*self.core.schedules.due(self.now))
        return self

    def person(self, id: str, zone: str | None = None, **attributes: Any) -> None:
        self.put(ProfileChange(id, False, attributes, time_zone=zone))

    def fix(self, device: str, place: str) -> None:
        lat, lon = PLACES[place]
        self.put(Signal(device, self.now, key=int(self.now), lat=lat, lon=lon, accuracy=5.0))

    def restart(self) -> "World":
        blob = encode_checkpoint(Checkpoint(self.core.state, self.core.sense.dump()))
        found = decode_checkpoint(blob)
        self.core = Core(self.versions, found.state)
        compiled = self.core.compiled
        self.core.sense = Sense.load(found.sense, compiled.release.policy.sense, compiled.fences)
        return self

    def told(self, *rules: str) -> list[tuple[str, str]]:
        """Who was called, and at what instant of theirs (UTC)."""
        return [
            (m.person, datetime.fromtimestamp(m.cause.at, UTC).strftime("%dT%H:%M"))
            for m in self.moments
            if not rules or m.rule in rules
        ]


LUNCH = "when:\n  schedule: every day at 11:30"


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


# ------------------------------------------------------------------ in slices


def test_a_large_audience_is_gone_through_in_slices_with_signals_between(monkeypatch):
    monkeypatch.setattr(scheduled, "CALLED", 10)
    world = World(rules(lunch=LUNCH, hello="when:\n  event: hi"), "2026-11-24T10:00")
    for n in range(45):
        world.person(f"p{n:02d}")
    world.now = at("2026-11-24T10:30")
    (due,) = world.core.schedules.due(world.now)
    world.put(due)
    assert len(world.moments) == 10
    world.put(Signal("p40", world.now, key=1, event="hi"))
    assert world.moments[-1].rule == "hello"
    world.until("2026-11-24T10:31")
    assert world.told("lunch") == [(f"p{n:02d}", "24T10:30") for n in range(45)]
    assert world.core.next_due() is None or world.core.next_due() > at("2026-11-24T10:31")


def test_slices_go_on_after_a_restart_and_reach_whoever_came_meanwhile(monkeypatch):
    monkeypatch.setattr(scheduled, "CALLED", 10)
    world = World(rules(lunch=LUNCH), "2026-11-24T10:00")
    for n in range(30):
        world.person(f"p{n:02d}")
    world.now = at("2026-11-24T10:30")
    world.put(*world.core.schedules.due(world.now))
    world.restart()
    world.person("p05b")  # behind: not any more
    world.person("p25b")  # ahead
    world.until("2026-11-24T10:31")
    assert [m.person for m in world.moments] == sorted([*(f"p{n:02d}" for n in range(30)), "p25b"])


def test_a_release_without_the_rule_ends_its_slices(monkeypatch):
    monkeypatch.setattr(scheduled, "CALLED", 10)
    world = World(rules(lunch=LUNCH), "2026-11-24T10:00")
    for n in range(30):
        world.person(f"p{n:02d}")
    world.now = at("2026-11-24T10:30")
    world.put(*world.core.schedules.due(world.now))
    other = world.add({"geofences/city.geojson": FENCES, "rules/all.yaml": rules(hello="when:\n  event: hi")})
    world.put(ReleaseChange(other.hash))
    world.until("2026-11-25T12:00")
    assert len(world.moments) == 10


# ------------------------------------------------------------------ once, and none missed


def test_the_same_time_appended_twice_is_taken_once():
    world = World(rules(lunch=LUNCH), "2026-11-24T10:00")
    world.person("ada")
    world.now = at("2026-11-24T10:30")
    due = world.core.schedules.due(world.now)
    assert due == world.core.schedules.due(world.now), "asking changes nothing"
    world.put(*due, *due)
    world.put(*due)
    assert len(world.moments) == 1
    assert world.core.schedules.due(world.now) == []


def test_what_was_missed_is_caught_up_with_while_it_may_still_be_sent():
    text = rules(lunch=LUNCH).replace(b"title: Hi", b"title: Hi\n      send_within: 2 hours")
    world = World(text, "2026-11-24T10:00")
    world.person("ada")
    world.asleep("2026-11-24T11:45").until("2026-11-24T11:46")
    assert [(m.cause.at, m.decision.reason) for m in world.moments] == [(at("2026-11-24T10:30"), "OK")]


def test_of_what_was_missed_too_long_ago_the_last_is_decided_as_expired():
    world = World(rules(lunch=LUNCH), "2026-11-20T10:00")
    world.person("ada")
    world.asleep("2026-11-24T12:00").until("2026-11-24T12:01")
    assert [(m.cause.at, m.decision.reason) for m in world.moments] == [(at("2026-11-24T10:30"), "EXPIRED")]


def test_a_schedule_begins_with_the_release_that_brings_it():
    world = World(rules(hello="when:\n  event: hi"), "2026-11-24T10:00")
    world.person("ada")
    world.until("2026-11-24T10:40")
    bundle = world.add({"geofences/city.geojson": FENCES, "rules/all.yaml": rules(lunch=LUNCH)})
    world.put(ReleaseChange(bundle.hash))
    world.until("2026-11-25T10:40")
    assert world.told() == [("ada", "25T10:30")]


def test_a_release_that_leaves_the_rule_as_it_is_neither_repeats_nor_skips_it():
    world = World(rules(lunch=LUNCH), "2026-11-24T10:00")
    world.person("ada")
    other = world.add(
        {"geofences/city.geojson": FENCES, "rules/all.yaml": rules(lunch=LUNCH, hello="when:\n  event: hi")}
    )
    world.until("2026-11-24T10:31")
    world.put(ReleaseChange(other.hash))
    world.until("2026-11-24T12:00")
    world.now = at("2026-11-25T10:31")
    world.put(ReleaseChange(world.bundle.hash))
    world.until("2026-11-25T12:00")
    assert world.told() == [("ada", "24T10:30"), ("ada", "25T10:30")]


@pytest.mark.parametrize(("status", "calls"), [("draft", 0), ("ended", 0), ("paused", 1)])
def test_a_rule_that_is_not_live_sends_nothing(status, calls):
    world = World(rules(lunch=LUNCH + f"\nstatus: {status}"), "2026-11-24T10:00")
    world.person("ada")
    world.until("2026-11-24T11:00")
    assert [str(m.decision.verdict) for m in world.moments] == ["suppress"] * calls


def test_quiet_hours_hold_for_schedules_too():
    world = World(rules(early="when:\n  schedule: every day at 7"), "2026-11-24T05:00", quiet_hours=(1260, 480))
    world.person("ada")
    world.until("2026-11-24T09:00")
    assert [m.decision.reason for m in world.moments] == ["QUIET_HOURS"]


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10_000), start=st.sampled_from(["2026-03-28T20:00", "2026-10-24T20:00", "2026-11-24T06:00"]),
    hours=st.integers(2, 40), crashes=st.lists(st.integers(0, 40 * 60), max_size=6),
)  # fmt: skip
def test_restarts_and_standstills_never_repeat_nor_miss_a_time(seed, start, hours, crashes):
    """Somebody looks now and then, appends what is due (sometimes twice), crashes, comes back from a checkpoint."""
    text = rules(often="when:\n  - schedule: every 30 minutes\n  - schedule: every day at 02:15\n    in: project")
    text = text.replace(b"title: Hi", b"title: Hi\n      send_within: 3 hours")
    whole, cut = World(text, start, caps=()), World(text, start, caps=())
    for world in (whole, cut):
        world.person("ada", "Europe/Berlin")
        world.person("bob", "America/New_York")
    end = whole.now + hours * 3600
    for _frame, fx in pass_time(whole.core, end):
        whole.moments += fx.moments
    rng, now = random.Random(seed), cut.now
    crashes = sorted(cut.now + minute * 60 for minute in crashes)
    while now < end:
        now = min(end, now + rng.choice([1.0, 20.0, 600.0, 7000.0]))
        if crashes and crashes[0] <= now:
            crashes.pop(0)
            cut.restart()
        cut.now = now
        due = cut.core.schedules.due(now)
        if rng.random() < 0.8:
            cut.put(*due, *(due if rng.random() < 0.2 else ()))
        while (slice_ := cut.core.next_due()) is not None and slice_ <= now:
            cut.put(Tick())
    cut.put(*cut.core.schedules.due(now))
    ids = [m.id for m in cut.moments]
    assert len(ids) == len(set(ids)), "twice"
    on_time = {m.id for m in whole.moments if m.cause.at > end - 3 * 3600}
    assert on_time <= set(ids), "missed"
    assert set(ids) <= {m.id for m in whole.moments}, "made up"


class Keeper:
    """A journal that fails when told to."""

    def __init__(self, world: World) -> None:
        self.world, self.fails, self.tries = world, 0, 0

    async def submit(self, records: Sequence[Record], applied: bool = False) -> None:
        self.tries += 1
        if self.fails > 0:
            self.fails -= 1
            raise RuntimeError("no")
        assert applied, "in force before the next look"
        self.world.put(*records)


async def test_the_chore_appends_what_is_due_and_tries_again_after_a_failure():
    world = World(rules(lunch=LUNCH), "2026-11-24T10:00")
    world.person("ada")
    clock, journal = ManualClock(world.now), Keeper(world)
    chore = schedules_of(lambda: world.core.schedules, clock, journal)
    await chore()
    assert journal.tries == 0
    journal.fails, world.now = 1, at("2026-11-24T10:30")
    clock.set(world.now)
    with pytest.raises(RuntimeError):
        await chore()
    await chore()
    await chore()
    assert (journal.tries, world.told()) == (2, [("ada", "24T10:30")])
    assert [type(r) for r in world.journal[-1].records] == [ScheduleDue]


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
