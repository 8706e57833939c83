"""Opening hours and validity: a closed fence is as if not there; opening and closing are timers."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model.fence import Circle, Corridor, Fence
from engine.model.release import SensePolicy
from engine.model.rule import DayTime
from engine.sense import FenceSet
from engine.sense.hours import Hours, zone_of

ALWAYS = tuple(range(7))
SPAN = st.tuples(st.integers(0, 1439), st.integers(0, 1440)).filter(lambda span: span[0] != span[1])
BERLIN = ZoneInfo("Europe/Berlin")
SHOP = {
    "open": (DayTime(ALWAYS, 14 * 60 + 50, 15 * 60),)
}  # the town begins at 14:46:40: opens at 200 s, closes at 800 s


def hours(*spans: tuple[int, int], days=ALWAYS, but=(), valid=(None, None), zone=BERLIN) -> Hours:
    return Hours(tuple(DayTime(days, *span) for span in spans), but, valid, zone)


def at(text: str, zone=BERLIN) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


def changes(h: Hours, start: str, count: int) -> list[str]:
    now, found = at(start), []
    for _ in range(count):
        now = h.change(now)
        local = datetime.fromtimestamp(now, UTC).astimezone(h.zone)
        found.append(f"{local:%a %d %H:%M%z} {'open' if h.open(now) else 'closed'}")
    return found


# ------------------------------------------------------------------ the clock on the wall


def test_it_opens_and_closes_by_the_local_clock():
    h = hours((480, 1080), days=(0, 1, 2, 3, 4))
    assert not h.open(at("2026-11-27T07:59:59"))
    assert h.open(at("2026-11-27T08:00:00"))
    assert changes(h, "2026-11-27T09:00:00", 3) == [
        "Fri 27 18:00+0100 closed",
        "Mon 30 08:00+0100 open",
        "Mon 30 18:00+0100 closed",
    ]


def test_a_span_past_midnight_belongs_to_the_day_it_begins_on():
    h = hours((1320, 120), days=(4,))
    assert changes(h, "2026-11-27T12:00:00", 2) == ["Fri 27 22:00+0100 open", "Sat 28 02:00+0100 closed"]
    assert not h.open(at("2026-11-27T01:00:00"))


def test_in_spring_the_left_out_hour_opens_when_the_clock_jumps():
    assert changes(hours((150, 300)), "2026-03-29T00:00:00", 2) == [
        "Sun 29 03:00+0200 open",
        "Sun 29 05:00+0200 closed",
    ]
    assert changes(hours((60, 150)), "2026-03-29T00:00:00", 2) == ["Sun 29 01:00+0100 open", "Sun 29 03:00+0200 closed"]
    assert changes(hours((125, 170)), "2026-03-29T00:00:00", 1) == ["Mon 30 02:05+0200 open"]


def test_in_autumn_the_clock_on_the_wall_counts_twice():
    assert changes(hours((150, 300)), "2026-10-25T00:00:00", 4) == [
        "Sun 25 02:30+0200 open",
        "Sun 25 02:00+0100 closed",
        "Sun 25 02:30+0100 open",
        "Sun 25 05:00+0100 closed",
    ]


def test_validity_is_of_local_days_both_included():
    h = hours(valid=("2026-11-01", "2026-12-24"))
    assert changes(h, "2026-06-01T00:00:00", 2) == ["Sun 01 00:00+0100 open", "Fri 25 00:00+0100 closed"]
    assert h.change(at("2026-12-25T00:00:00")) == float("inf")
    assert h.open(at("2026-12-24T23:59:59"))


def test_validity_far_ahead_is_found():
    assert changes(hours(valid=("2031-01-01", None)), "2026-06-01T00:00:00", 1) == ["Wed 01 00:00+0100 open"]


def test_dates_and_what_is_left_out():
    h = Hours(
        (DayTime(ALWAYS, 600, 1200),), (DayTime(ALWAYS, 0, 1440, ("2026-12-24", "2026-12-26")),), (None, None), BERLIN
    )
    assert changes(h, "2026-12-23T21:00:00", 1) == ["Sun 27 10:00+0100 open"]


def test_the_zone_is_that_of_the_place():
    assert zone_of(-74.0, 40.7).key == "America/New_York"
    fence = Fence("f", Corridor(((179.99, -16.5), (180.02, -16.5)), 50.0), valid=("2026-01-01", None))
    assert Hours.of(fence).zone.key == "Pacific/Fiji"
    assert Hours.of(Fence("g", Circle(373.4, 52.5, 50.0), valid=("2026-01-01", None))).zone.key == "Europe/Berlin"


@settings(max_examples=150, deadline=None)
@given(
    spans=st.lists(SPAN, min_size=1, max_size=3),
    days=st.sets(st.integers(0, 6), min_size=1),
    zone=st.sampled_from(["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Africa/Casablanca", "UTC"]),
    day=st.integers(0, 800),
    second=st.integers(0, 86_399),
)  # fmt: skip
def test_between_two_changes_nothing_changes(spans, days, zone, day, second):
    h = hours(*spans, days=tuple(sorted(days)), zone=ZoneInfo(zone))
    start = (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day, seconds=second)).timestamp()
    fresh = hours(*spans, days=tuple(sorted(days)), zone=ZoneInfo(zone))
    end = h.change(start)
    if end == float("inf"):
        assert (end - start) > 86_400 * 365
        return
    for k in range(25):
        moment = start + (end - start) * k / 25
        assert fresh._open(datetime.fromtimestamp(moment, UTC).astimezone(h.zone)) == h.open(start)
    assert fresh._open(datetime.fromtimestamp(end, UTC).astimezone(h.zone)) != h.open(start)


# ------------------------------------------------------------------ laws


def test_a_closed_fence_is_as_if_not_there(town, circle):
    t = town([circle(cross=True, dwell=(60.0,), **SHOP)], SensePolicy(), approaches={"cafe": (300.0,)})
    t.at(0, 900)
    t.at(30, 390)
    t.at(60, 0)
    t.at(90, -300, accuracy=0.0)
    t.at(190, 300, accuracy=0.0)
    assert t.seen == []
    assert t.tick(1e4) == []


def test_who_is_inside_when_it_opens_enters_then(town, circle):
    t = town([circle(dwell=(60.0,), **SHOP)])
    t.at(0, 0)
    assert t.state() == {"cafe": "closed"}
    assert t.sense.next_due() == 1_000_203.0
    assert t.tick(260) == [("enter", "cafe", 200), ("dwell", "cafe", 260)]
    assert (t.seen[0].due, t.seen[0].visit, t.seen[0].initial) == (1_000_203.0, 1_000_200.0, False)


def test_closing_ends_the_visits_silently(town, circle):
    t = town([circle(dwell=(600.0,), **SHOP)])
    t.at(300, 0)
    assert t.tick(800) == [("ended", "cafe", 800)]
    assert t.state() == {"cafe": "closed"}
    assert t.at(850, 0) == []
    assert t.at(860, 500) == []
    assert t.state() == {}


def test_opening_and_closing_come_before_a_fix_that_is_later(town, circle):
    t = town([circle(**SHOP)], SensePolicy(silence=7200.0))
    t.at(0, 0)
    assert t.at(1000, 0) == [("enter", "cafe", 200), ("ended", "cafe", 800)]


def test_who_was_not_heard_of_does_not_enter_when_it_opens(town, circle):
    t = town([circle(**SHOP)])
    t.at(-1601, 0)
    assert t.tick(500) == []
    assert t.state() == {}
    assert t.at(510, 0) == [("enter", "cafe", 510)]


def test_on_open_ignore_waits_until_they_come_back(town, circle):
    t = town([circle(on_open="ignore", **SHOP)])
    t.at(0, 0)
    assert t.at(300, 0) == []
    t.at(310, 500)
    assert t.at(320, 0) == [("enter", "cafe", 320)]


def test_leaving_while_it_closes_is_no_stay(town, circle):
    t = town([circle(**SHOP)], SensePolicy())
    t.at(700, 0)
    t.at(790, 500)
    assert t.tick(900) == [("ended", "cafe", 800)]
    assert t.state() == {}


def test_a_pending_enter_waits_for_the_opening(town, circle):
    t = town([circle(**SHOP)], SensePolicy(min_inside=60.0))
    t.at(780, 0)
    assert t.tick(1000) == []
    assert t.state() == {"cafe": "closed"}


def test_a_lost_visit_is_over_once_the_fence_has_closed(town, circle):
    t = town([circle(**SHOP)], SensePolicy(silence=300.0))
    t.at(300, 0)
    assert t.tick(700) == [("lost", "cafe", 600)]
    assert t.at(900, 0) == [("ended", "cafe", 300)]
    assert t.state() == {"cafe": "closed"}


def test_other_hours_in_a_release_close_and_open_at_once(town, circle):
    t = town([circle()])
    t.at(0, 0)
    ended = t.note(t.sense.use(FenceSet.compile([circle(**SHOP)]), t.policy))
    assert ended == [("ended", "cafe", 0)]
    assert t.state() == {"cafe": "closed"}
    assert t.sense.use(FenceSet.compile([circle()]), t.policy) == []
    assert t.state() == {}
    assert t.at(10, 0) == [("enter", "cafe", 10)]


def test_state_survives_a_restart_while_closed(town, circle):
    t = town([circle(**SHOP)])
    t.at(0, 0)
    t.sense = t.sense.load(t.sense.dump(), t.policy, t.fences)
    assert t.tick(200) == [("enter", "cafe", 200)]


@pytest.mark.parametrize("live", [True, False])
def test_an_old_track_opens_and_closes_as_it_did_live(town, circle, live):
    t = town([circle(dwell=(120.0,), **SHOP)], SensePolicy())
    for k in range(60):
        if live:
            t.tick(k * 20.0 - 0.5)
        t.at(k * 20.0, 0 if k % 15 else 500, received=None if live else 9e8)
    assert [(x.kind, round(x.at - 1e6)) for x in t.seen] == [("enter", 200), ("dwell", 320), ("ended", 800)]
