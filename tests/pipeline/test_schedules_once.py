"""Schedules of rules: in slices, once, and none missed, whatever happens to the process."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.clock import ManualClock
from engine.model.record import Record, ReleaseChange, ScheduleDue, Tick
from engine.model.signal import Signal
from engine.pipeline import scheduled
from engine.pipeline.replay import pass_time
from engine.schedule import schedules_of
from tests.pipeline.scheduled_world import FENCES, LUNCH, World, at, rules

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
