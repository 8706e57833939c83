"""What a person's history keeps."""

import random

from engine.match import history
from engine.model.person import Happened, Person, Visit
from engine.model.signal import Transition, TransitionKind

HORIZON = 7 * 86_400.0


def step(kind: TransitionKind, at: float, visit: float = 100.0, fence: str = "cafe", device: str = "d1") -> Transition:
    return Transition(kind, device, fence, at, visit, 0)


def told(*transitions: Transition) -> Person:
    person = Person("p")
    for t in transitions:
        history.note_transition(person, t, HORIZON)
    return person


def test_a_visit_opens_goes_silent_resumes_and_ends() -> None:
    person = told(step("enter", 100.0))
    assert person.visits == [Visit("cafe", "d1", 100.0)]
    history.note_transition(person, step("lost", 1_900.0), HORIZON)
    assert person.visits == [Visit("cafe", "d1", 100.0, lost=True)]
    history.note_transition(person, step("resumed", 2_500.0), HORIZON)
    history.note_transition(person, step("dwell", 2_600.0), HORIZON)
    assert person.visits == [Visit("cafe", "d1", 100.0)]
    history.note_transition(person, step("exit", 2_700.0), HORIZON)
    assert person.visits == [Visit("cafe", "d1", 100.0, 2_700.0)]


def test_a_silent_end_ends_the_visit() -> None:
    person = told(step("enter", 100.0), step("lost", 1_900.0), step("ended", 9_000.0))
    assert person.visits == [Visit("cafe", "d1", 100.0, 9_000.0)]


def test_visits_of_two_devices_to_one_fence_are_two_visits() -> None:
    person = told(step("enter", 100.0), step("enter", 110.0, 110.0, device="watch"), step("exit", 120.0))
    assert person.visits == [Visit("cafe", "d1", 100.0, 120.0), Visit("cafe", "watch", 110.0)]


def test_an_exit_without_its_enter_still_leaves_a_visit() -> None:
    assert told(step("exit", 150.0)).visits == [Visit("cafe", "d1", 100.0, 150.0)]
    assert told(step("lost", 150.0), step("resumed", 160.0), step("cross", 170.0)).visits == []


def test_entering_again_closes_what_was_left_open_and_repeats_change_nothing() -> None:
    person = told(step("enter", 100.0), step("enter", 100.0), step("enter", 500.0, 500.0))
    assert person.visits == [Visit("cafe", "d1", 100.0, 500.0), Visit("cafe", "d1", 500.0)]


def test_visits_are_dropped_past_the_horizon_of_their_own_device_but_open_ones_stay() -> None:
    old_ride = [step("enter", 100.0, device="old"), step("exit", 120.0, device="old")]
    person = told(
        *old_ride, step("enter", 100.0, fence="home"), step("enter", 150.0, 150.0), step("exit", 180.0, 150.0)
    )
    now = 180.0 + HORIZON
    history.note_transition(person, step("enter", now, now, fence="office"), HORIZON)
    assert [visit.fence for visit in person.visits if visit.device == "d1"] == ["home", "cafe", "office"]
    now += 1.0
    history.note_transition(person, step("exit", now, now - 1.0, fence="office"), HORIZON)
    assert [visit.fence for visit in person.visits if visit.device == "d1"] == ["home", "office"]
    assert [visit.fence for visit in person.visits if visit.device == "old"] == ["cafe"]


def test_at_most_256_visits_are_kept_and_finished_ones_go_first() -> None:
    person = told(step("enter", 50.0, 50.0, fence="home"))
    for i in range(400):
        at = 1_000.0 + i * 10.0
        history.note_transition(person, step("enter", at, at), HORIZON)
        history.note_transition(person, step("exit", at + 5.0, at), HORIZON)
    assert len(person.visits) == history.MAX_VISITS
    assert person.visits[0] == Visit("home", "d1", 50.0)
    assert person.visits[-1].exit == 4_995.0
    many = told(*(step("enter", float(i), float(i), fence=f"f{i}") for i in range(300)))
    assert len(many.visits) == history.MAX_VISITS
    assert many.visits[-1].fence == "f299"


def test_events_stay_in_the_order_of_their_time_however_late_they_come() -> None:
    person = Person("p")
    for at in (10.0, 30.0, 20.0, 30.0):
        history.note_event(person, Happened(f"e{len(person.events)}", at), HORIZON)
    assert [(e.at, e.event) for e in person.events] == [(10.0, "e0"), (20.0, "e2"), (30.0, "e1"), (30.0, "e3")]


def test_events_are_bounded_in_number_and_by_the_horizon() -> None:
    person = Person("p")
    for i in range(1_000):
        history.note_event(person, Happened("e", float(i)), HORIZON)
    assert [person.events[0].at, person.events[-1].at] == [744.0, 999.0]
    history.note_event(person, Happened("e", 998.0 + HORIZON), HORIZON)
    assert [e.at for e in person.events] == [999.0, 998.0 + HORIZON]
    history.note_event(person, Happened("late", 1.0), HORIZON)
    assert [e.at for e in person.events] == [999.0, 998.0 + HORIZON]


def test_history_is_bounded_and_ordered_whatever_comes() -> None:
    r = random.Random(5)
    kinds: tuple[TransitionKind, ...] = ("enter", "exit", "lost", "resumed", "ended", "dwell")
    person = Person("p")
    for i in range(5_000):
        at = i * 7.0 - r.choice([0.0, 0.0, 400.0])
        t = Transition(r.choice(kinds), r.choice("ab"), r.choice("xyz"), at, at - r.uniform(0.0, 50.0), 0)
        history.note_transition(person, t, HORIZON)
        history.note_event(person, Happened("e", at), HORIZON)
        assert len(person.visits) <= history.MAX_VISITS
        assert len(person.events) <= history.MAX_EVENTS
    assert person.events == sorted(person.events, key=lambda e: e.at)
    assert person.visits == sorted(person.visits, key=lambda v: v.enter)
    assert all(v.exit is None or v.exit >= v.enter for v in person.visits)
    open_visits = [(v.device, v.fence) for v in person.visits if v.exit is None]
    assert len(open_visits) == len(set(open_visits))
