"""Approaching: near enough, or soon to arrive; once until well away again."""

import pytest

from engine.model.release import SensePolicy
from engine.sense import FenceSet

METRES, SECONDS = {"approaches": {"cafe": (300.0,)}}, {"approaches": {"cafe": (-300.0,)}}
# the circle has a radius of 100 m: at 500 m the border is 400 m away


def test_coming_within_the_distance_is_an_approach_once(town, circle):
    t = town([circle()], **METRES)
    t.at(0, 900)
    assert t.at(10, 450) == []
    assert t.at(20, 390) == [("approach", "cafe", 20)]
    approach = t.seen[-1]
    assert (approach.within, approach.seconds, approach.visit, approach.initial) == (300.0, 0.0, approach.at, False)
    assert approach.metres == pytest.approx(-290, abs=1)
    assert t.at(30, 350) == []
    assert t.at(40, 450) == []
    assert t.at(50, 390) == []


def test_it_counts_again_after_half_as_far_again(town, circle):
    t = town([circle()], **METRES)
    t.at(0, 390)
    t.at(10, 540)  # 440 m: less than 450
    assert t.at(20, 390) == []
    t.at(30, 560)
    assert t.at(40, 390) == [("approach", "cafe", 40)]


def test_a_fix_must_be_near_enough_for_sure(town, circle):
    t = town([circle()], **METRES)
    t.at(0, 900)
    assert t.at(10, 390, accuracy=60.0) == []
    assert t.at(20, 360, accuracy=60.0) == [("approach", "cafe", 20)]


def test_who_is_inside_has_arrived_and_leaving_is_no_approach(town, circle):
    t = town([circle()], **METRES)
    t.at(0, 0)
    assert [x.kind for x in t.seen] == ["enter"]
    assert t.at(10, 150) == [("exit", "cafe", 10)]
    assert t.at(20, 390) == []
    t.at(30, 600)
    assert t.at(40, 390) == [("approach", "cafe", 40)]


def test_an_approach_comes_before_the_enter_that_follows(town, circle):
    t = town([circle()], **METRES)
    t.at(0, 900)
    t.at(10, 200)
    t.at(20, 0)
    assert [x.kind for x in t.seen] == ["approach", "enter"]


def test_the_first_fix_of_a_device_says_so(town, circle):
    t = town([circle()], **METRES)
    t.at(0, 200)
    assert [(x.kind, x.initial) for x in t.seen] == [("approach", True)]


def test_time_to_arrival_by_speed_and_heading(town, circle):
    t = town([circle()], **SECONDS)
    assert t.at(0, 2000, speed=5.0, heading=180.0) == []  # 1900 m at 5 m/s: 380 s
    assert t.at(10, 1950, speed=5.0, heading=0.0) == []  # away from it
    assert t.at(20, 1500, speed=5.0, heading=180.0) == [("approach", "cafe", 20)]
    assert (t.seen[-1].seconds, t.seen[-1].within) == (300.0, 0.0)
    assert t.at(30, 1450, speed=0.0) == []
    assert t.at(40, 1400, speed=5.0, heading=180.0) == []  # a red light does not make it new


def test_time_to_arrival_by_the_last_two_fixes(town, circle):
    t = town([circle()], **SECONDS)
    t.at(0, 3000, accuracy=10.0)
    assert t.at(60, 2700, accuracy=10.0) == []  # 5 m/s
    assert t.at(120, 1500, accuracy=10.0) == [("approach", "cafe", 120)]  # 20 m/s


def test_who_hardly_moves_does_not_arrive(town, circle):
    t = town([circle()], **SECONDS)
    assert t.at(0, 150, speed=0.25, heading=180.0) == []  # 50 m in 200 s, but nobody walks like that
    assert t.at(10, 149, speed=0.35, heading=180.0) == [("approach", "cafe", 10)]


def test_jitter_is_no_approach(town, circle):
    t = town([circle()], **SECONDS)
    t.at(0, 500, accuracy=50.0)
    for k in range(1, 20):
        t.at(5 * k, 500 + (-1) ** k * 25, accuracy=50.0)
    assert t.seen == []


def test_a_standing_device_near_by_stays_silent_after_a_restart_and_a_release(town, circle):
    t = town([circle()], **METRES)
    t.at(0, 200)
    t.sense = t.sense.load(t.sense.dump(), t.policy, t.fences)
    assert t.at(10, 210) == []
    t.sense.use(FenceSet.compile([circle("aaa", offset=9000), circle()], **METRES), t.policy)
    assert t.at(20, 190) == []
    t.sense.use(FenceSet.compile([circle("aaa", offset=9000)], **METRES), t.policy)
    t.sense.use(FenceSet.compile([circle()], **METRES), t.policy)
    assert t.at(30, 200) == [("approach", "cafe", 30)]  # another fence of that name


def test_several_wishes_for_one_fence(town, circle):
    t = town([circle()], SensePolicy(), approaches={"cafe": (100.0, 300.0)})
    t.at(0, 900)
    assert t.at(10, 390) == [("approach", "cafe", 10)]
    assert t.at(20, 190) == [("approach", "cafe", 20)]
    assert [x.within for x in t.seen] == [300.0, 100.0]


def test_late_fixes_approach_nothing(town, circle):
    t = town([circle()], **METRES)
    t.at(100, 900)
    assert t.at(50, 200) == []
    assert t.at(110, 890) == []
