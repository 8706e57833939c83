"""What the checks conclude is never more than what the engine does: random lines, judged by the matcher itself."""

from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.author.guaranteed import known_when
from engine.author.holding import Holding
from engine.author.week import week_of
from engine.match import Situation
from engine.match.conditions import Workshop
from engine.model.person import Person, Profile
from engine.model.rule import (
    AllOf,
    AnyOf,
    Compare,
    DayTime,
    Expression,
    Literal_,
    LocalTime,
    Logic,
    Name,
    NoneOf,
    Not,
)
from engine.model.signal import Cause

MONDAY = 1_795_392_000.0  # 2026-11-23 00:00 UTC
VALUES: list[Any] = [None, 1, 2, 3, 2.5, "a", "b", True, False, ["a"], [1]]

names = st.sampled_from([Name(("profile", name)) for name in "xy"])
constants = st.sampled_from([1, 2, 3, "a", "b", True])
ordered = st.sampled_from([1, 2, 3])


def compares() -> st.SearchStrategy[Any]:
    lists = st.lists(constants, min_size=1, max_size=3).map(lambda items: Literal_(tuple(items)))
    return st.one_of(
        st.builds(Compare, st.sampled_from(["=", "!=", "contains"]), names, constants.map(Literal_)),
        st.builds(Compare, st.sampled_from(["<", "<=", ">", ">="]), names, ordered.map(Literal_)),
        st.builds(Compare, st.sampled_from(["<", ">=", "=", "!="]), ordered.map(Literal_), names),
        st.builds(Compare, st.sampled_from(["in", "not-in"]), names, lists),
        st.builds(Compare, st.just("between"), names, st.sampled_from([Literal_((1, 2)), Literal_((2, 3))])),
        st.builds(Compare, st.just("exists"), names, st.none()),
        st.builds(Compare, st.sampled_from(["=", "<"]), names, names),
    )


expressions = st.recursive(
    compares(),
    lambda inner: st.one_of(
        inner.map(Not),
        st.builds(Logic, st.sampled_from(["and", "or"]), st.lists(inner, min_size=2, max_size=3).map(tuple)),
    ),
    max_leaves=5,
)
conditions = st.recursive(
    expressions.map(lambda expr: Expression(expr=expr)),
    lambda inner: st.builds(
        lambda kind, items: kind(items=tuple(items)),
        st.sampled_from([AnyOf, AllOf, NoneOf]),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=5,
)


class Empty:
    """A world of which nothing is known."""

    def __getattr__(self, name: str) -> Any:
        return lambda *args: None


def situation(x: Any = None, y: Any = None, now: float = MONDAY) -> Situation:
    attributes = {key: value for key, value in (("x", x), ("y", y)) if value is not None}
    person = Person("p", Profile(attributes=attributes))
    return Situation(now, now, Cause("t", "event", now), person, "d", None, None, None, ZoneInfo("UTC"), Empty())


def compiled(condition: Any) -> Any:
    return Workshop({}, lambda target: (), 1800.0).node(condition)


def answers(condition: Any) -> list[tuple[Any, Any, bool | None]]:
    judge = compiled(condition)
    return [(x, y, judge.holds(situation(x, y))) for x in VALUES for y in VALUES]


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(conditions, min_size=1, max_size=3), st.lists(conditions, max_size=2))
def test_a_rule_that_somebody_can_meet_is_never_called_a_contradiction(only_if, unless):
    holding = Holding({})
    facts = holding.rule(only_if, unless)
    judged = [[answer for *_, answer in answers(condition)] for condition in (*only_if, *unless)]
    wanted = [True] * len(only_if) + [False] * len(unless)
    met = any(all(row[i] is want for row, want in zip(judged, wanted, strict=True)) for i in range(len(judged[0])))
    if met:
        assert facts is not None, holding.clashes


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(conditions, st.booleans())
def test_a_name_called_surely_known_is_known_whenever_the_line_holds(condition, holds):
    promised = known_when(condition, holds)
    for x, y, answer in answers(condition):
        if answer is holds:
            assert x is not None or "profile.x" not in promised
            assert y is not None or "profile.y" not in promised


spans = st.builds(
    DayTime,
    st.lists(st.integers(0, 6), min_size=1, max_size=3, unique=True).map(lambda days: tuple(sorted(days))),
    st.integers(0, 1439),
    st.integers(1, 1440),
).filter(lambda span: span.start != span.end)


@settings(max_examples=40, deadline=None)
@given(st.lists(spans, min_size=1, max_size=3), st.integers(0, 10_079))
def test_the_minutes_of_a_week_are_those_at_which_local_time_holds(times, first):
    line = LocalTime(spans=tuple(times))
    judge = compiled(line)
    holds, fails = week_of(line), week_of(line, False)
    for minute in range(first, first + 10_080, 37):
        on = judge.holds(situation(now=MONDAY + 60.0 * (minute % 10_080)))
        assert bool(holds.mask >> (minute % 10_080) & 1) is on
        assert bool(fails.mask >> (minute % 10_080) & 1) is not on
