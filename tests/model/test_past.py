"""A history that is packed: what comes out is what went in, to the last bit, however it got there, in few bytes."""

import sys
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model import past
from engine.model.past import Happened, Visit, pack, unpack
from engine.model.person import Person

TIMES = st.one_of(
    st.floats(1.0e9, 4.0e9).map(lambda t: round(t, 3)),
    st.floats(1.6e9, 1.8e9),
    st.floats(allow_nan=False, allow_infinity=True),
    st.sampled_from([0.0, -0.0, 1.0, -3.0, 1795505000.125, 2.0**34, 1.7e10]),
)
NAMES = st.sampled_from(["cafe", "office", "däg", "", "d1", "x" * 80])
VISITS = st.builds(lambda f, d, a, b: Visit(f, d, min(a, b), max(a, b)), NAMES, NAMES, TIMES, TIMES)
INTS = st.integers(-(2**63), 2**63)
VALUES = st.one_of(INTS, st.floats(allow_nan=False), st.text(max_size=3), st.booleans(), st.lists(INTS, max_size=2))
DATA = st.one_of(st.none(), st.dictionaries(st.text(max_size=3), VALUES, max_size=3))
EVENTS = st.builds(Happened, NAMES, TIMES, DATA)
T0 = 1_795_000_000.0


def by_exit(visits: list[Visit]) -> list[Visit]:
    return sorted(visits, key=lambda visit: visit.exit or 0.0)


@given(visits=st.lists(VISITS, max_size=8), events=st.lists(EVENTS, max_size=8))
def test_what_comes_out_is_what_went_in_by_time(visits: list[Visit], events: list[Happened]) -> None:
    told, deeds = unpack(pack(visits, events))
    expected = (by_exit(visits), sorted(events, key=lambda event: event.at))
    assert (told, deeds) == expected
    assert repr((told, deeds)) == repr(expected), "a zero keeps its sign, a number its kind"


SOON = st.one_of(st.integers(0, 500_000).map(lambda n: T0 + n), st.floats(0.0, 500_000.0).map(lambda s: T0 + s))
ODD = st.one_of(SOON, SOON, SOON, st.floats(0.0, 5.0))
FEW = st.sampled_from("abc")
LIVED = st.one_of(
    st.builds(lambda f, d, at, long: Visit(f, d, at, at + long), FEW, FEW, ODD, st.floats(0.0, 5e4)),
    st.builds(Happened, FEW, ODD, DATA),
)


@given(lived=st.lists(LIVED, max_size=40), most=st.integers(3, 12))
def test_added_one_by_one_is_the_same_as_kept_in_lists(lived: list[Visit | Happened], most: int) -> None:
    """Against lists that are kept in order, and trimmed by the clock of each device and by number."""
    packed, visits, events, horizon = b"", [], [], 200_000.0
    for one in lived:
        if isinstance(one, Visit):
            assert one.exit is not None
            packed = past.with_visit(packed, one, one.exit - horizon, most)
            kept = [v for v in [*visits, one] if v.device != one.device or (v.exit or 0.0) >= one.exit - horizon]
            visits = by_exit(kept)[-most:]
        else:
            packed = past.with_event(packed, one, horizon, most)
            told = sorted([*events, one], key=lambda event: event.at)
            events = [event for event in told if event.at > told[-1].at - horizon][-most:]
        assert unpack(packed) == (visits, events)
        assert past.count_visits(packed) == len(visits)
        for since in (None, T0 + 100_000.0):
            late = [v for v in visits if since is None or (v.exit or 0.0) > since]
            assert past.stays_in(packed, {"a", "c"}, since) == [v for v in late if v.fence != "b"]
            named = [e for e in events if e.event == "b" and (since is None or e.at > since)]
            assert past.deeds(packed, "b", since) == named


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 1000))
def test_more_names_than_a_row_can_number_are_kept_all_the_same(seed: int) -> None:
    visits = [Visit(f"f{seed + n}", f"d{n % 20}", T0 + n, T0 + n + 1.0) for n in range(300)]
    events = [Happened(f"e{n}", T0 + n) for n in range(200)]
    assert unpack(pack(visits, events)) == (visits, events)
    packed = b""
    for visit in visits:
        packed = past.with_visit(packed, visit, 0.0, 1000)
    assert unpack(packed)[0] == visits


def test_names_that_nothing_has_any_more_are_forgotten() -> None:
    packed = b""
    for n in range(50):
        visit = Visit(f"fence-{n}", "d1", T0 + n * 1000.0, T0 + n * 1000.0 + 5.0)
        packed = past.with_visit(packed, visit, T0 + n * 1000.0 - 2500.0, 256)
        packed = past.with_event(packed, Happened(f"event-{n}", T0 + n * 1000.0), 2500.0, 256)
    assert b"fence-46" not in packed
    assert b"event-46" not in packed
    assert [v.fence for v in unpack(packed)[0]] == ["fence-47", "fence-48", "fence-49"]


def test_a_person_shows_what_is_over_and_what_lasts_as_one() -> None:
    visits = [Visit("cafe", "d1", 1.0, 2.0), Visit("office", "d1", 3.0), Visit("park", "d2", 3.5, None, True)]
    person = Person("p")
    person.visits, person.events = visits, [Happened("buy", 2.5, {"x": 1})]
    assert [visit.fence for visit in person.stays] == ["office", "park"]
    assert (person.visits, person.events) == (visits, [Happened("buy", 2.5, {"x": 1})])
    person.visits = []
    assert (person.visits, len(person.events)) == ([], 1)
    person.events = []
    assert person.past == b""


def a_week() -> tuple[list[Visit], list[Any]]:
    visits, events = [], []
    for n in range(21):
        at = T0 + n * 28_000.123
        visits.append(Visit(("home", "office", "cafe-mitte", "gym", "market")[n % 5], "device-7", at, at + 1800.5))
        if n % 3 != 2:
            events.append(Happened(("app_open", "purchase")[n % 2], at + 60.25, {"price": n} if n % 10 == 0 else None))
    return visits, events


def test_a_week_of_a_busy_person_takes_few_bytes_also_while_they_are_busy() -> None:
    visits, events = a_week()
    packed = b""
    for visit in visits:
        packed = past.with_visit(packed, visit, 0.0, 256)
    for event in events:
        packed = past.with_event(packed, event, 604800.0, 256)
    assert unpack(packed) == (visits, events)
    assert sys.getsizeof(packed) <= 600
