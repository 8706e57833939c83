"""A history at rest: what comes out is what went in, to the last bit, and it takes few bytes."""

import sys

from hypothesis import given
from hypothesis import strategies as st

from engine.model.past import pack, unpack
from engine.model.person import Happened, Person, Visit

TIMES = st.one_of(
    st.floats(0, 4e9).map(lambda t: round(t, 3)),
    st.floats(allow_nan=False, allow_infinity=True),
    st.sampled_from([0.0, -0.0, 1.0, -3.0, 1795505000.125]),
)
NAMES = st.sampled_from(["cafe", "office", "däg", "", "d1", "x" * 80])
VISITS = st.builds(Visit, NAMES, NAMES, TIMES, st.one_of(st.none(), TIMES), st.booleans()).map(
    lambda v: Visit(v.fence, v.device, v.enter, v.exit, v.lost and v.exit is None)
)
INTS = st.integers(-(2**63), 2**63)
VALUES = st.one_of(INTS, st.floats(allow_nan=False), st.text(max_size=3), st.booleans(), st.lists(INTS, max_size=2))
DATA = st.one_of(st.none(), st.dictionaries(st.text(max_size=3), VALUES, max_size=3))
EVENTS = st.builds(Happened, NAMES, TIMES, DATA)


@given(visits=st.lists(VISITS, max_size=8), events=st.lists(EVENTS, max_size=8))
def test_what_comes_out_is_what_went_in(visits: list[Visit], events: list[Happened]) -> None:
    told, deeds = unpack(pack(visits, events))
    assert (told, deeds) == (visits, events)
    assert repr((told, deeds)) == repr((visits, events)), "a zero keeps its sign, a number its kind"


def test_a_person_at_rest_shows_the_same_and_wakes_when_asked() -> None:
    visits = [Visit("cafe", "d1", 1.0, 2.0), Visit("office", "d1", 3.0), Visit("park", "d2", 3.5, None, True)]
    person = Person("p", stays=[*visits], deeds=[Happened("buy", 2.5, {"x": 1})])
    person.rest()
    assert (person.deeds, [v.fence for v in person.present()]) == ([], ["office", "park"])
    packed = person.past
    person.rest()
    assert person.past == packed, "twice is once"
    assert (person.visits, person.events) == (visits, [Happened("buy", 2.5, {"x": 1})])
    assert person.past == b""
    person.rest()
    person.visits = []
    assert (person.visits, len(person.events)) == ([], 1)


def test_a_week_of_a_busy_person_takes_few_bytes() -> None:
    visits, events = [], []
    for n in range(21):
        at = 1_795_000_000.0 + n * 28_000.123
        visits.append(Visit(("home", "office", "cafe-mitte", "gym", "market")[n % 5], "device-7", at, at + 1800.5))
        events += [Happened(("app_open", "purchase")[n % 2], at + 60.25, {"price": n} if n % 10 == 0 else None)] * (
            n % 3 != 2
        )
    person = Person("p", stays=visits, deeds=events)
    person.rest()
    assert sys.getsizeof(person.past) <= 600
