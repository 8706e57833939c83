"""One test per law of SEMANTICS: time, order, containment under uncertainty."""

import pytest

from engine.model.release import SensePolicy
from engine.model.signal import Reported
from engine.sense import FenceSet, Sense
from tests.sense.conftest import START

SURE = SensePolicy(min_outside=0.0)
HOUR = 3600.0


# ------------------------------------------------------------------ time


def test_a_device_clock_runs_on_from_its_newest_signal(town, circle):
    t = town([circle(dwell=(600.0,))])
    t.at(0, 0, received=5000)  # an old signal: the journal hears of it 5000 s later
    assert t.sense.next_due() == 1_000_000 + 5000 + 600


def test_a_fired_timer_is_stamped_with_its_due_time_and_names_the_journal_time_it_was_due(town, circle):
    t = town([circle(dwell=(600.0,))])
    t.at(0, 0)
    assert t.tick(599.9) == []
    assert t.tick(900) == [("dwell", "cafe", 600)]
    dwell = t.seen[-1]
    assert (dwell.due, dwell.record, dwell.seconds) == (1_000_000 + 603, -1, 600)


def test_timers_due_by_a_fix_fire_before_it_in_due_order(town, circle):
    t = town([circle(dwell=(60.0, 30.0))])
    t.at(0, 0)
    assert t.at(200, 500) == [("dwell", "cafe", 30), ("dwell", "cafe", 60), ("exit", "cafe", 200)]
    assert [x.record for x in t.seen[1:]] == [0, 0, 0]


def test_a_clock_that_jumps_ahead_brings_timers_forward(town, circle):
    t = town([circle(dwell=(600.0,))])
    t.at(0, 0)
    t.at(500, 0, received=10)  # the device is 490 s further on than the journal thought
    assert t.sense.next_due() == 1_000_000 + 110
    assert t.tick(107) == [("dwell", "cafe", 600)]


def test_an_equal_instant_is_applied(town, circle):
    t = town([circle()])
    t.at(10, 500)
    assert t.at(10, 0) == [("enter", "cafe", 10)]


def test_an_old_track_gives_the_same_visits_as_it_gave_live(town, circle):
    live, replay = (town([circle(dwell=(60.0,))], SensePolicy()) for _ in range(2))
    steps = [(0, 500), (30, 0), (50, 10), (70, 400), (90, 30), (200, 40), (230, 900), (300, 950), (310, 990)]
    for t, metres in steps:
        live.tick(t)
        live.at(t, metres)
        replay.at(t, metres, received=1e8)
    both = [[(x.kind, x.at, x.visit) for x in town.seen] for town in (live, replay)]
    assert both[0] == both[1]
    assert [kind for kind, _, _ in both[0]] == ["enter", "dwell", "exit"]


# ------------------------------------------------------------------ order


def test_a_fix_older_than_the_newest_never_fires(town, circle):
    t = town([circle()])
    t.at(100, 500)
    assert t.at(50, 0) == []
    assert t.state() == {}
    assert t.sense.late() == 1
    assert t.sense.position("d").at == 1_000_100


def test_a_late_fix_among_its_neighbours_in_one_segment_never_fires(town, circle):
    t = town([circle()])
    signals = [t.signal(10, 500), t.signal(5, 0), t.signal(20, 0)]
    assert t.note(t.sense.advance(signals, [1_000_030.0] * 3)) == [("enter", "cafe", 20)]
    assert t.sense.late() == 1


def test_transitions_of_one_signal_are_timers_then_exits_then_enters_each_by_fence(town, circle):
    fences = [
        circle("b", offset=0),
        circle("a", offset=0, dwell=(5.0,)),
        circle("y", offset=1000),
        circle("x", offset=1000),
    ]
    t = town(fences)
    t.at(0, 0)
    assert [x[:2] for x in t.at(10, 1000)] == [
        ("dwell", "a"),
        ("exit", "a"),
        ("exit", "b"),
        ("enter", "x"),
        ("enter", "y"),
    ]


# ------------------------------------------------------------------ containment under uncertainty


def test_enter_at_three_quarters_and_exit_at_a_tenth_and_between_the_state_stands(town, circle):
    t = town([circle(radius=100_000)])  # so wide that its border is straight to the fix
    sigma = 30 / 1.51
    inside = t.fences.distance
    for step, (share, events) in enumerate([(0.60, []), (0.70, ["enter"]), (-1.2, []), (-1.35, ["exit"]), (0.6, [])]):
        metres = 100_000 - share * sigma
        metres += inside("cafe", 52.5 + metres / 111_267, 13.4) - share * sigma  # the exact place
        assert [kind for kind, _, _ in t.at(step, metres, accuracy=30.0)] == events, share


def test_min_inside_must_be_met_by_every_usable_fix(town, circle):
    t = town([circle()], SensePolicy(min_inside=60.0, min_outside=0.0))
    assert t.at(0, 0) == []
    assert t.state() == {"cafe": "entering"}
    t.at(30, 500)
    assert t.state() == {}
    t.at(40, 0)
    t.at(70, 0)
    assert t.at(100, 0) == [("enter", "cafe", 100)]


def test_a_fix_in_between_cancels_a_pending_enter(town, circle):
    t = town([circle()], SensePolicy(min_inside=60.0))
    t.at(0, 0)
    t.at(30, 100, accuracy=30.0)  # P is about one half
    assert t.state() == {}
    assert t.tick(500) == []


def test_min_inside_runs_out_without_another_fix(town, circle):
    t = town([circle()], SensePolicy(min_inside=60.0))
    t.at(0, 500)
    t.at(10, 0)
    assert t.tick(70) == [("enter", "cafe", 70)]
    assert (t.seen[-1].visit, t.seen[-1].initial) == (1_000_070, False)


def test_min_outside_is_sixty_seconds_and_a_fix_in_between_cancels_it(town, circle):
    t = town([circle()], SensePolicy())
    t.at(0, 0)
    t.at(10, 500)
    assert t.state() == {"cafe": "leaving"}
    t.at(60, 100, accuracy=30.0)  # P is about one half: the last state stands
    assert t.state() == {"cafe": "inside"}
    t.at(70, 500)
    assert t.tick(129) == []
    assert t.tick(130) == [("exit", "cafe", 130)]


def test_an_unusable_fix_cancels_nothing_and_changes_nothing(town, circle):
    t = town([circle()], SensePolicy())
    t.at(0, 0)
    t.at(10, 500)
    assert t.at(20, 0, accuracy=1000.5) == []
    assert t.tick(70) == [("exit", "cafe", 70)]
    assert t.at(80, 0, accuracy=17_000.0) == []
    assert t.state() == {}


def test_accuracy_zero_is_plain_containment_and_the_boundary_is_inside(town, square):
    t = town([square()])
    (ring,) = t.fences.fences["yard"].shape.parts[0]
    (west, south), (_, north) = ring[0], ring[2]
    assert t.fences.containing(south, west) == ["yard"]
    assert t.fences.containing((south + north) / 2, west) == ["yard"]
    assert t.fences.probability("yard", south, west, 0.0) == 1.0
    assert t.fences.containing(south, west - 1e-12) == []


@pytest.mark.parametrize("many", [False, True])
def test_on_the_very_circle_accuracy_zero_is_inside(town, circle, many):
    """The radius is the distance to the last bit: signals one by one, and in columns."""
    radius = 100.0
    for nearly in (1 + 1e-12, 1):  # at first a little more: what is then left of it is told exactly
        here = town([circle(radius=radius)])
        (entered,) = here.sense.advance([here.signal(0, 60.0)], [START])
        radius = (radius - entered.metres) * nearly
    here = town([circle(radius=radius)])
    signals = [here.signal(0, 60.0, device=f"d{k}") for k in range(20 if many else 1)]
    found = here.sense.advance(signals, [START] * len(signals))
    assert [(t.kind, t.metres) for t in found] == [("enter", 0.0)] * len(signals)


def test_missing_accuracy_is_25_metres(town, circle):
    near = 100 - 10.0  # 10 m inside: enough for 20 m of accuracy, too little for 25
    assert town([circle()]).at(0, near, accuracy=20.0) != []
    assert town([circle()]).at(0, near, accuracy=None) == []
    assert town([circle()]).at(0, 100 - 15, accuracy=None) != []


def test_a_fence_too_small_for_the_accuracy_can_never_be_entered(circle, square):
    fences = FenceSet.compile([circle("c27", 27.0), circle("c28", 28.0), square("s20", 20.0), square("s40", 40.0)])
    assert fences.too_small(25.0) == ["c27", "s20"]
    assert fences.too_small(65.0) == ["c27", "c28", "s20", "s40"]
    assert FenceSet.compile([circle("c", 10.0, catchment=75.0)]).too_small(25.0) == []


def test_catchment_grows_the_shape_that_is_tested(town, circle, square):
    for fence in (circle("f", 20.0, catchment=75.0), square("f", 20.0, catchment=75.0)):
        t = town([fence])
        assert t.at(0, 96) == []
        assert t.at(1, 94) == [("enter", "f", 1)]
        assert t.fences.distance("f", 52.5 + 94 / 111_267, 13.4) == pytest.approx(1.0, abs=0.1)


def test_first_fix_inside_is_an_enter_that_says_so(town, circle):
    t = town([circle(), circle("next", offset=1000)])
    t.at(0, 0)
    t.at(10, 1000)
    assert [(x.kind, x.fence, x.initial) for x in t.seen] == [
        ("enter", "cafe", True),
        ("exit", "cafe", False),
        ("enter", "next", False),
    ]


def test_an_event_or_an_imprecise_fix_is_not_yet_a_first_fix(town, circle):
    t = town([circle()])
    t.at(0, None, event="open")
    t.at(1, 0, accuracy=5000.0)
    t.at(2, 0)
    assert [x.initial for x in t.seen] == [True]


def test_thirty_minutes_of_silence_make_the_state_unknown_without_an_exit(town, circle):
    t = town([circle()])
    t.at(0, 0)
    t.at(100, None, event="open")  # not evidence of a place
    assert t.tick(1799) == []
    assert t.tick(1800) == [("lost", "cafe", 1800)]
    assert t.state() == {"cafe": "unknown"}
    assert t.sense.next_due() is None


def test_a_fix_inside_within_twelve_hours_continues_the_visit_silently(town, circle):
    t = town([circle(dwell=(600.0, 3000.0, 9000.0))])
    t.at(0, 0)
    t.tick(1900)
    assert t.at(5000, 0) == [("resumed", "cafe", 5000)]
    assert t.seen[-1].visit == 1_000_000
    assert t.at(6000, 0) == []
    t.at(7000, 0)
    t.at(8000, 0)  # the dwell of 3000 s passed unseen: skipped; that of 9000 s is still to come
    assert t.tick(9000) == [("dwell", "cafe", 9000)]


def test_a_fix_outside_after_silence_ends_the_visit_silently(town, circle):
    t = town([circle()], SensePolicy())
    t.at(0, 0)
    t.at(700, 0)
    assert t.at(5000, 900) == [("lost", "cafe", 2500), ("ended", "cafe", 700)]
    assert t.state() == {}


def test_after_twelve_hours_a_fix_inside_is_a_new_visit(town, circle):
    t = town([circle()])
    t.at(0, 0)
    t.tick(2000)
    assert t.at(12 * HOUR + 1, 0) == [("ended", "cafe", 0), ("enter", "cafe", 12 * HOUR + 1)]
    t = town([circle()])
    t.at(0, 0)
    t.tick(2000)
    assert t.at(12 * HOUR, 0) == [("resumed", "cafe", 12 * HOUR)]


def test_between_after_silence_it_stays_unknown(town, circle):
    t = town([circle()])
    t.at(0, 0)
    t.tick(2000)
    assert t.at(3000, 100, accuracy=30.0) == []
    assert t.state() == {"cafe": "unknown"}


def test_deleting_a_fence_ends_its_visits(town, circle):
    t = town([circle(), circle("other")])
    t.at(0, 0)
    ended = t.note(t.sense.use(FenceSet.compile([circle("other")]), t.policy))
    assert ended == [("ended", "cafe", 0)]
    assert t.state() == {"other": "inside"}
    assert t.at(10, 900) == [("exit", "other", 10)]


def test_a_region_report_counts_as_met_probability_for_that_fence_alone(town, circle):
    t = town([circle(), circle("other")])
    assert t.at(0, None, reported=Reported("enter", "cafe")) == [("enter", "cafe", 0)]
    assert t.at(10, 500, reported=Reported("dwell", "cafe")) == []  # against the fix
    assert t.state() == {"cafe": "inside"}
    assert t.at(20, 0, reported=Reported("exit", "cafe")) == [("exit", "cafe", 20), ("enter", "other", 20)]


def test_a_region_report_goes_through_the_minima(town, circle, exits):
    t = town([circle()], SensePolicy(min_inside=30.0))
    t.at(0, None, reported=Reported("enter", "cafe"))
    assert t.tick(30) == [("enter", "cafe", 30)]
    t.at(40, None, reported=exits)
    assert t.tick(100) == [("exit", "cafe", 100)]


def test_a_report_of_an_unknown_fence_is_counted_and_ignored(town, circle):
    t = town([circle()])
    assert t.at(0, None, reported=Reported("enter", "nowhere")) == []
    assert t.sense.strange() == 1


def test_a_report_keeps_silence_away(town, circle):
    t = town([circle()])
    t.at(0, 0)
    t.at(1000, None, reported=Reported("dwell", "cafe"))
    assert t.tick(2799) == []
    assert t.tick(2800) == [("lost", "cafe", 2800)]


# ------------------------------------------------------------------ dwell


def test_dwell_is_counted_from_enter_once_per_visit_and_duration(town, circle):
    t = town([circle(dwell=(60.0,))], SURE, {"cafe": (120.0, 60.0)})
    t.at(0, 0)
    assert t.tick(500) == [("dwell", "cafe", 60), ("dwell", "cafe", 120)]
    t.at(510, 0)
    assert t.tick(700) == []
    t.at(710, 500)
    t.at(720, 0)
    assert t.tick(800) == [("dwell", "cafe", 780)]


def test_a_dwell_fires_while_leaving_is_only_pending(town, circle):
    t = town([circle(dwell=(60.0,))], SensePolicy())
    t.at(0, 0)
    t.at(30, 500)
    assert t.tick(200) == [("dwell", "cafe", 60), ("exit", "cafe", 90)]


def test_ticks_fire_in_order_of_journal_time_then_device(town, circle):
    t = town([circle(dwell=(60.0,))])
    for device, at in (("z", 3), ("a", 2), ("m", 2)):
        t.at(at, 0, device=device)
    t.tick(100)
    assert [x.device for x in t.seen if x.kind == "dwell"] == ["a", "m", "z"]


def test_an_empty_world_is_quiet(town):
    t = town([])
    assert t.at(0, 0) == []
    assert Sense(SensePolicy()).next_due() is None
    assert t.sense.devices() == 1
