"""Crossing: a fix-to-fix segment that passes through a fence without a fix inside."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model.fence import Circle, Corridor, Fence, Polygons
from engine.model.release import SensePolicy
from engine.sense import FenceSet, Sense
from engine.sense.crossing import Way
from engine.sense.verdict import Fix

LAT, LON = 52.5, 13.4
SLIVER = ((-180.0, 9.99), (-179.99, 9.99), (-179.99, 10.01), (-180.0, 9.99))


def test_passing_through_between_two_fixes_is_a_cross_at_the_time_of_the_deepest_point(town, circle):
    t = town([circle(cross=True)])
    t.at(0, -300, accuracy=5.0)
    assert t.at(60, 900, accuracy=5.0) == [("cross", "cafe", 15.0)]
    cross = t.seen[-1]
    assert (cross.visit, cross.record, cross.due) == (cross.at, 0, None)
    assert cross.metres == pytest.approx(100, abs=1)
    assert cross.probability == pytest.approx(1.0, abs=1e-3)
    assert t.state() == {}


def test_a_rule_may_ask_for_crossings_of_a_fence_that_does_not(town, circle):
    silent, asked = town([circle()]), town([circle()], crosses={"cafe"})
    for t in (silent, asked):
        t.at(0, -300, accuracy=5.0)
    assert silent.at(60, 900, accuracy=5.0) == []
    assert asked.at(60, 900, accuracy=5.0) == [("cross", "cafe", 15.0)]


def test_a_fix_inside_is_an_enter_and_no_cross(town, circle):
    t = town([circle(cross=True)])
    t.at(0, -300)
    assert t.at(10, 0) == [("enter", "cafe", 10)]
    assert t.at(20, 900) == [("exit", "cafe", 20)]
    assert [x.kind for x in t.seen] == ["enter", "exit"]


def test_a_segment_that_only_touches_the_fence_is_no_cross_by_imprecise_fixes(town, circle):
    precise, vague = town([circle(cross=True)]), town([circle(cross=True)])
    for t, accuracy in ((precise, 5.0), (vague, 60.0)):
        t.at(0, -300, east=85.0, accuracy=accuracy)
        t.at(60, 300, east=85.0, accuracy=accuracy)
    assert [x.kind for x in precise.seen] == ["cross"]
    assert vague.seen == []


def test_only_consecutive_usable_fixes_not_too_far_apart_make_a_segment(town, circle):
    t = town([circle(cross=True)])
    t.at(0, -300)
    assert t.at(1801, 300) == []  # silence: nobody knows the way
    t.at(1900, -300)
    t.seen.clear()
    t.at(1910, 5000, accuracy=2000.0)  # unusable
    assert t.at(1920, 300) == []
    assert t.at(1921, -300) == []  # 600 m in a second: a fix was wrong
    assert t.at(1990, None, event="open") == []
    ((kind, _, at),) = t.at(1991, 300)
    assert (kind, round(at)) == ("cross", 1956)


def test_a_late_fix_crosses_nothing(town, circle):
    t = town([circle(cross=True)])
    t.at(0, -300)
    t.at(100, -290)
    assert t.at(50, 300) == []
    assert t.at(101, -280) == []


def test_crossings_come_before_exits_and_enters_in_the_order_of_passing(town, circle):
    fences = [
        circle("far", cross=True, offset=1000),
        circle("near", cross=True, offset=500),
        circle("end", offset=1500),
    ]
    t = town([circle("home"), *fences])
    t.at(0, 0)
    assert [x[:2] for x in t.at(60, 1500)] == [("cross", "near"), ("cross", "far"), ("exit", "home"), ("enter", "end")]


def test_a_release_takes_up_and_drops_the_wish(town, circle):
    t = town([circle()])
    t.at(0, -300)
    t.sense.use(FenceSet.compile([circle()], crosses={"cafe"}), t.policy)
    assert [x.kind for x in t.sense.advance([t.signal(30, 300)], [1_000_040.0])] == ["cross"]


@pytest.mark.parametrize(
    ("shape", "way"),
    [
        (Circle(180.0, 10.0, 500.0), (179.98, 10.0, -179.98, 10.0)),
        (Corridor(((179.9, 10.0), (-179.9, 10.02)), 30.0), (179.95, 9.9, 179.96, 10.2)),
        (Polygons(((SLIVER,),)), (179.99, 10.0, -179.98, 10.0)),
        (Circle(10.0, 89.0, 5000.0), (0.0, 88.9, 30.0, 89.06)),
        (Corridor(((13.39, 52.5), (13.41, 52.5)), 2.0), (13.4, 52.4, 13.4, 52.6)),
    ],
)  # fmt: skip
def test_anywhere_on_earth_however_thin(shape, way):
    sense, policy = Sense(SensePolicy()), SensePolicy()
    sense.use(FenceSet.compile([Fence("f", shape, cross=True)]), policy)
    lon, lat, to_lon, to_lat = way
    crossing = sense._single.ways.cross(Way(Fix.of(lon, lat, 0.0), Fix.of(to_lon, to_lat, 0.0), 0.0, 1000.0), 0)
    assert crossing is not None
    assert 0.0 < crossing.at < 1000.0


@settings(max_examples=60, deadline=None)
@given(
    east=st.floats(-250, 250), north=st.floats(-250, 250), to_east=st.floats(-250, 250), to_north=st.floats(-250, 250)
)
def test_the_deepest_point_is_found(east, north, to_east, to_north):
    """Against a thousand points of the way."""
    corner = 0.001
    ring = (
        (LON - corner, LAT),
        (LON + corner, LAT - corner),
        (LON, LAT),
        (LON + corner, LAT + corner),
        (LON - corner, LAT),
    )
    fences = FenceSet.compile([Fence("f", Polygons(((ring,),)), cross=True)])
    sense = Sense(SensePolicy())
    sense.use(fences, SensePolicy())
    ends = [(LON + x / 67_900, LAT + y / 111_267) for x, y in ((east, north), (to_east, to_north))]
    way = Way(Fix.of(*ends[0], 0.0), Fix.of(*ends[1], 0.0), 0.0, 1000.0)
    judge = sense._single.judge
    best = max(judge.depth(way.start.to(way.end, k / 1000), 0) for k in range(1001))
    found = sense._single.ways.cross(way, 0)
    if found is None:
        assert best < 0.1
    else:
        assert found.metres == pytest.approx(max(best, found.metres), abs=0.6)
        assert judge.depth(way.start.to(way.end, found.at / 1000), 0) == found.metres
