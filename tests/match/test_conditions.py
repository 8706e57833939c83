"""The other conditions: times, places, histories, groups and segments."""

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from engine.match import Situation
from engine.model.fence import Circle, Fence
from engine.model.moment import Check
from engine.model.person import Happened, Position, Visit
from engine.model.reason import Reason
from engine.model.release import Policy, Release, SensePolicy
from engine.model.rule import (
    AllOf,
    AnyOf,
    Compare,
    Condition,
    DayTime,
    Did,
    Expression,
    Inside,
    Literal_,
    LocalTime,
    MessageSpec,
    MessageText,
    Name,
    Near,
    NoneOf,
    OnEvent,
    Rule,
    Target,
    Visited,
)
from engine.model.signal import Cause
from tests.match import engines

pytestmark = pytest.mark.usefixtures("engine")

DAY = 86_400.0
TUESDAY = 1_795_478_400.0  # 2026-11-24 00:00 UTC
FENCES = (
    Fence("cafe-mitte", Circle(13.4, 52.5, 50.0), tags=("cafe",)),
    Fence("cafe-ost", Circle(13.5, 52.5, 50.0), tags=("cafe",)),
    Fence("office", Circle(13.6, 52.5, 50.0), tags=("work",)),
)
OPEN_EVENT = Cause("d1|1", "event", 0.0, event="app_open")


def ask(
    s: Situation, *only_if: Condition, unless: tuple[Condition, ...] = (), **more: Any
) -> tuple[bool | None, tuple[Check, ...]]:
    rule = Rule("r", (OnEvent("e"),), MessageSpec(MessageText("x")), only_if=only_if, unless=unless)
    (compiled,) = engines.compiled(Release("h", (rule,), FENCES, **more)).rules
    return compiled.holds(s), compiled.explain(s)


def field(name: str, op: str, value: Any) -> Expression:
    return Expression(expr=Compare(op, Name(tuple(name.split("."))), Literal_(value)))


# ------------------------------------------------------------------ local_time

WORKDAYS = LocalTime(spans=(DayTime((0, 1, 2, 3, 4), 8 * 60, 10 * 60 + 15),), text="local_time: mon-fri 08:00-10:15")


@pytest.mark.parametrize(
    ("hours", "answer"),
    [(7.999, False), (8.0, True), (10.2, True), (10.25, False), (4 * 24 + 9, False), (6 * 24 + 9, True)],
)
def test_local_time_begins_with_its_start_and_ends_before_its_end(
    situation: Situation, hours: float, answer: bool
) -> None:
    situation.now = TUESDAY + hours * 3600.0
    assert ask(situation, WORKDAYS)[0] is answer


def test_local_time_is_the_persons(situation: Situation) -> None:
    situation.now = TUESDAY + 7.5 * 3600.0
    assert ask(situation, WORKDAYS)[0] is False
    situation.zone = ZoneInfo("Europe/Berlin")
    holds, (check,) = ask(situation, WORKDAYS)
    assert holds is True
    assert check.saw == "tue 08:30 Europe/Berlin"


@pytest.mark.parametrize(
    ("hours", "answer"), [(21.9, False), (22.0, True), (24 + 1.9, True), (24 + 2.0, False), (-22.5, False)]
)
def test_a_span_that_ends_before_it_starts_goes_on_into_the_next_day(
    situation: Situation, hours: float, answer: bool
) -> None:
    situation.now = TUESDAY + hours * 3600.0
    assert ask(situation, LocalTime(spans=(DayTime((1,), 22 * 60, 2 * 60),)))[0] is answer


def test_a_span_to_midnight_and_a_whole_day_are_possible(situation: Situation) -> None:
    situation.now = TUESDAY + DAY - 1.0
    assert ask(situation, LocalTime(spans=(DayTime((1,), 23 * 60, 24 * 60),)))[0] is True
    assert ask(situation, LocalTime(spans=(DayTime((1,), 0, 24 * 60),)))[0] is True
    situation.now = TUESDAY + DAY
    assert ask(situation, LocalTime(spans=(DayTime((1,), 0, 24 * 60),)))[0] is False


def test_a_closed_daypart_says_when_it_opens_and_a_forbidden_one_when_it_ends(situation: Situation) -> None:
    situation.now = TUESDAY + 11 * 3600.0
    _, (check,) = ask(situation, WORKDAYS)
    assert check.free == TUESDAY + DAY + 8 * 3600.0
    situation.now = TUESDAY + 9 * 3600.0
    holds, (check,) = ask(situation, unless=(WORKDAYS,))
    assert holds is False
    assert check.free == TUESDAY + 10.25 * 3600.0


def test_when_clocks_change_the_opening_is_at_the_new_local_time(situation: Situation) -> None:
    situation.zone = ZoneInfo("Europe/Berlin")
    situation.now = 1_774_699_200.0  # Saturday 2026-03-28 12:00 UTC; clocks go forward on Sunday at 01:00 UTC
    sunday = LocalTime(spans=(DayTime((6,), 8 * 60, 9 * 60),))
    _, (check,) = ask(situation, sunday)
    assert check.free == 1_774_764_000.0  # Sunday 06:00 UTC


# ------------------------------------------------------------------ inside and near


def test_inside_means_an_open_visit_of_any_of_the_persons_devices(situation: Situation) -> None:
    situation.cause = OPEN_EVENT
    inside = Inside(target=Target(tags=("cafe",)))
    assert ask(situation, inside)[0] is False
    situation.person.visits += [Visit("cafe-ost", "watch", 1.0)]
    holds, (check,) = ask(situation, inside)
    assert holds is True
    assert check.saw == ["cafe-ost"]
    situation.person.visits = [Visit("cafe-ost", "watch", 1.0, 5.0)]
    assert ask(situation, inside)[0] is False


def test_a_visit_that_went_silent_is_unknown_not_over(situation: Situation) -> None:
    situation.cause = OPEN_EVENT
    situation.person.visits += [Visit("office", "d1", 1.0, lost=True)]
    holds, (check,) = ask(situation, Inside(target=Target(("office",))))
    assert holds is None
    assert "office" in check.note
    assert ask(situation, unless=(Inside(target=Target(("office",))),))[0] is None


@pytest.mark.parametrize("noted", [False, True])
def test_the_visit_that_woke_the_rule_counts_as_inside_and_one_being_left_does_not(
    situation: Situation, noted: bool
) -> None:
    here = Inside(target=Target(("cafe-mitte",)))
    if noted:
        situation.person.visits += [Visit("cafe-mitte", "d1", 1.0)]
    assert ask(situation, here)[0] is True
    situation.person.visits = [Visit("cafe-mitte", "d1", 1.0, exit=situation.device_now if noted else None)]
    situation.cause = Cause("c", "exit", situation.device_now, fence="cafe-mitte")
    assert ask(situation, here)[0] is False


def test_near_measures_to_the_border_and_inside_counts(situation: Situation, world: Any) -> None:
    near = Near(target=Target(tags=("cafe",)), metres=500.0)
    world.distances = {"cafe-mitte": -500.5, "cafe-ost": -900.0}
    holds, (check,) = ask(situation, near)
    assert holds is False
    assert check.saw == {"fence": "cafe-mitte", "metres": 500.5}
    assert check.needs == "within 500 m of tag cafe"
    world.distances["cafe-ost"] = -500.0
    assert ask(situation, near)[0] is True
    world.distances = {"cafe-mitte": 10.0, "cafe-ost": -900.0}
    assert ask(situation, near)[1][0].saw == {"fence": "cafe-mitte", "metres": 0.0}


@pytest.mark.parametrize("position", [None, Position(), Position(at=0.0, lat=1.0, lon=1.0)])
def test_near_without_a_recent_position_is_unknown(situation: Situation, position: Position | None) -> None:
    situation.position = position
    holds, (check,) = ask(situation, Near(target=Target(("office",)), metres=500.0))
    assert (holds, check.reason) == (None, Reason.UNKNOWN_VALUE)
    assert "position" in check.note


def test_how_old_a_position_may_be_is_the_projects_silence(situation: Situation, world: Any) -> None:
    world.distances["office"] = 0.0
    situation.device_now += 2.0
    near = Near(target=Target(("office",)), metres=500.0)
    assert ask(situation, near, policy=Policy(sense=SensePolicy(silence=1.0)))[0] is None
    assert ask(situation, near, policy=Policy(sense=SensePolicy(silence=2.0)))[0] is True


# ------------------------------------------------------------------ visited and did


def visited(times: int = 1) -> Visited:
    return Visited(target=Target(tags=("work",)), times=times, seconds=7 * DAY)


def test_visited_counts_finished_visits_under_way_in_the_window(situation: Situation) -> None:
    now, person = situation.device_now, situation.person
    person.visits += [Visit("office", "d1", now - 9 * DAY, now - 7 * DAY)]
    assert ask(situation, visited())[0] is False
    person.visits += [Visit("office", "d1", now - 9 * DAY, now - 7 * DAY + 1.0)]
    holds, (check,) = ask(situation, visited())
    assert holds is True
    assert (check.saw, check.needs) == (1, "tag work at least 1 time in the last 1 week")
    assert ask(situation, visited(2))[0] is False
    person.visits += [Visit("cafe-ost", "d1", now - 50.0, now - 40.0)]
    assert ask(situation, visited(2))[0] is False
    person.visits += [Visit("office", "watch", now - 50.0, now - 40.0)]
    assert ask(situation, visited(2))[0] is True


def test_visited_does_not_count_the_present_visit_nor_the_one_just_left(situation: Situation) -> None:
    now = situation.device_now
    situation.person.visits += [Visit("office", "d1", now - 50.0)]
    assert ask(situation, visited())[0] is False
    situation.person.visits = [Visit("office", "d1", now - 50.0, now)]
    situation.cause = Cause("c", "exit", now, fence="office")
    assert ask(situation, visited())[0] is False
    situation.cause = Cause("c", "enter", now, fence="cafe-mitte")
    assert ask(situation, visited())[0] is True


def did(times: int = 1, **more: Any) -> Did:
    return Did(event="purchase", times=times, seconds=DAY, **more)


def test_did_counts_events_of_that_name_in_the_window(situation: Situation) -> None:
    now, person = situation.device_now, situation.person
    person.events += [Happened("purchase", now - DAY), Happened("app_open", now - 5.0)]
    assert ask(situation, did())[0] is False
    person.events += [Happened("purchase", now - DAY + 1.0)]
    assert ask(situation, did())[0] is True
    assert ask(situation, did(2))[0] is False


def test_an_event_of_another_device_whose_clock_runs_ahead_has_happened(situation: Situation) -> None:
    situation.person.events += [Happened("purchase", situation.device_now + 60.0)]
    assert ask(situation, unless=(did(),))[0] is False


def test_did_where_looks_at_each_event_and_an_unknown_value_stays_unknown(situation: Situation) -> None:
    now, person = situation.device_now, situation.person
    big = Compare(">", Name(("event", "amount")), Literal_(10))
    situation.cause = Cause("d1|1", "event", now, event="purchase", data={"amount": 99})
    person.events += [Happened("purchase", now - 5.0, {"amount": 3})]
    assert ask(situation, did(filter=big))[0] is False
    person.events += [Happened("purchase", now - 4.0)]
    holds, (check,) = ask(situation, did(filter=big))
    assert holds is None
    assert "1 more cannot be judged" in check.note
    person.events += [Happened("purchase", now - 3.0, {"amount": 30})]
    assert ask(situation, did(filter=big))[0] is True
    assert check.needs == "purchase where event.amount > 10 at least 1 time in the last 1 day"


def test_unless_did_says_when_it_is_over(situation: Situation) -> None:
    now = situation.device_now
    situation.person.events += [Happened("purchase", now - 600.0), Happened("purchase", now - 60.0)]
    holds, (check,) = ask(situation, unless=(did(2),))
    assert holds is False
    assert (check.ok, check.reason, check.saw) == (False, Reason.CONDITION, 2)
    assert check.free == situation.now - 600.0 + DAY
    _, (check,) = ask(situation, unless=(did(1),))
    assert check.free == situation.now - 60.0 + DAY


# ------------------------------------------------------------------ groups, segments, unless


def test_unless_turns_the_answer_and_unknown_never_lets_a_rule_through(situation: Situation) -> None:
    attributes = situation.person.profile.attributes
    line = field("profile.tier", "=", "gold")
    holds, (check,) = ask(situation, unless=(line,))
    assert (holds, check.ok, check.reason) == (None, None, Reason.UNKNOWN_VALUE)
    attributes["tier"] = "gold"
    holds, (check,) = ask(situation, unless=(line,))
    assert (holds, check.ok, check.needs, check.reason) == (False, False, "not = gold", Reason.CONDITION)
    attributes["tier"] = "iron"
    assert ask(situation, unless=(line,))[0] is True


def test_a_definite_no_beats_unknown(situation: Situation) -> None:
    situation.person.profile.attributes["age"] = 3
    unknown, no = field("profile.tier", "=", "gold"), field("profile.age", ">", 18)
    assert ask(situation, unknown, no)[0] is False
    assert ask(situation, unknown, unless=(field("profile.age", "=", 3),))[0] is False


def test_a_rule_without_conditions_holds(situation: Situation) -> None:
    assert ask(situation) == (True, ())


@pytest.mark.parametrize(
    ("group", "answers"),
    [
        (AnyOf, {"no no": False, "no yes": True, "no ?": None, "yes ?": True}),
        (AllOf, {"yes yes": True, "no yes": False, "no ?": False, "yes ?": None}),
        (NoneOf, {"no no": True, "no yes": False, "no ?": None, "yes ?": False}),
    ],
)
def test_groups_follow_kleene_and_show_their_items(
    situation: Situation, group: Any, answers: dict[str, bool | None]
) -> None:
    situation.person.profile.attributes["x"] = 1
    lines = {"no": field("profile.x", "=", 2), "yes": field("profile.x", "=", 1), "?": field("profile.gone", "=", 1)}
    for words, answer in answers.items():
        items = tuple(lines[word] for word in words.split())
        holds, checks = ask(situation, group(items=items))
        assert holds is answer, words
        assert [check.depth for check in checks] == [0, 1, 1]
        assert checks[0].ok is answer
        if answer is None:
            assert "profile.gone is unknown" in checks[0].note
