"""When a channel is left alone."""

import pytest

from engine.deliver.breaker import Breaker


def opened(failures: int = 3) -> Breaker:
    breaker = Breaker(failures, pause=30.0, longest=100.0)
    for number in range(failures):
        breaker.failed(f"n{number}", 0.0, "no answer")
    return breaker


def test_opens_after_that_many_different_notifications_failed_in_a_row() -> None:
    breaker = Breaker(3)
    breaker.failed("a", 0.0, "")
    breaker.failed("b", 0.0, "")
    assert (breaker.state, breaker.room(0.0)) == ("closed", None)
    breaker.failed("c", 0.0, "")
    assert (breaker.state, breaker.room(0.0)) == ("open", 0)


def test_one_message_that_always_fails_never_opens_it() -> None:
    breaker = Breaker(3)
    for _ in range(50):
        breaker.failed("poison", 0.0, "500")
    assert breaker.state == "closed"


def test_a_success_between_starts_the_count_again() -> None:
    breaker = Breaker(2)
    breaker.failed("a", 0.0, "")
    breaker.succeeded()
    breaker.failed("b", 0.0, "")
    assert breaker.state == "closed"


def test_lets_one_probe_through_after_the_pause() -> None:
    breaker = opened()
    assert breaker.room(29.9) == 0
    assert breaker.room(30.0) == 1
    breaker.begun("probe")
    assert (breaker.state, breaker.room(31.0)) == ("probing", 0)
    breaker.succeeded()
    assert (breaker.state, breaker.room(31.0)) == ("closed", None)


def test_a_failed_probe_doubles_the_pause_up_to_the_longest() -> None:
    breaker, now, pauses = opened(), 30.0, []
    for _ in range(4):
        breaker.begun("probe")
        breaker.failed("probe", now, "still down")
        assert breaker.until is not None
        pauses.append(breaker.until - now)
        now = breaker.until
    assert pauses == [60.0, 100.0, 100.0, 100.0]


def test_answers_of_older_sends_do_not_end_a_probe() -> None:
    breaker = opened()
    breaker.begun("probe")
    breaker.failed("older", 31.0, "late failure")
    assert breaker.state == "probing"


@pytest.mark.parametrize(("asked", "pause"), [(50.0, 50.0), (1.0, 30.0), (1e12, 100.0), (float("inf"), 30.0)])
def test_a_far_side_may_ask_for_a_longer_pause_within_bounds(asked: float, pause: float) -> None:
    breaker = Breaker(1, pause=30.0, longest=100.0)
    breaker.failed("a", 0.0, "429", asked)
    assert breaker.until == pause
