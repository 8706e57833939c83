"""When a failed try is repeated, and when it is not."""

from random import Random

import msgspec
import pytest

from engine.deliver.retry import attempt_of, doubling, homeless, interrupted, tidy, wait_after
from engine.model.moment import OutboxRow, Result
from engine.model.runs import decode_records, encode_records

NOW = 1_795_500_000.0
WEBHOOK = (5.0, 300.0, 1800.0)


def test_waits_double_from_one_second_to_sixty() -> None:
    assert [doubling(n) for n in range(1, 10)] == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert doubling(10**9) == 60


@pytest.mark.parametrize("number", range(1, 12))
def test_jitter_only_ever_makes_a_wait_longer_and_by_a_fifth_at_most(number: int) -> None:
    waits = [wait_after(number, (), None, Random(seed)) for seed in range(200)]
    assert all(doubling(number) <= wait <= doubling(number) * 1.2 for wait in waits if wait is not None)
    assert len(set(waits)) > 100  # a crowd does not come back at once


def test_a_schedule_is_followed_and_ends() -> None:
    waits = [wait_after(number, WEBHOOK, None, Random(1)) for number in range(1, 5)]
    assert [wait and wait >= base for wait, base in zip(waits[:3], WEBHOOK, strict=True)] == [True, True, True]
    assert waits[3] is None


def test_what_the_far_side_asks_for_replaces_the_schedule_but_never_comes_faster_than_doubling() -> None:
    assert 120 <= (wait_after(1, WEBHOOK, 120.0, Random(1)) or 0) <= 144
    assert 10 <= (wait_after(2, WEBHOOK, 10.0, Random(1)) or 0) <= 12  # sooner than the schedule's 300
    assert (wait_after(6, WEBHOOK + (1.0,) * 9, 0.0, Random(1)) or 0) >= 32
    assert (wait_after(1, WEBHOOK, float("nan"), Random(1)) or 0) >= 5


def test_a_retry_that_would_begin_at_the_deadline_fails_as_expired(notification) -> None:
    row = OutboxRow(notification(lasts=10.0), "sending", attempts=0)
    in_time = attempt_of(row, Result("retry", "503"), NOW + 8.0, (), Random(1))
    too_late = attempt_of(row, Result("retry", "503"), NOW + 9.0, (), Random(1))
    assert (in_time.outcome, in_time.number) == ("retry", 1)
    assert in_time.retry_at is not None
    assert NOW + 9.0 <= in_time.retry_at < NOW + 10.0
    assert (too_late.outcome, too_late.reason, too_late.retry_at) == ("failed", "EXPIRED", None)
    assert "503" in too_late.detail


def test_the_deadline_itself_is_too_late(notification) -> None:
    class Steady(Random):
        def random(self) -> float:
            return 0.0

    row = OutboxRow(notification(lasts=1.0), "sending")
    assert attempt_of(row, Result("retry"), NOW, (), Steady()).outcome == "failed"
    assert attempt_of(row, Result("retry"), NOW - 0.001, (), Steady()).outcome == "retry"


def test_a_deadline_set_by_quiet_hours_is_named_so(notification) -> None:
    row = OutboxRow(notification(deadline=NOW + 5, expires=NOW + 900), "sending")
    assert attempt_of(row, Result("retry"), NOW + 5, (), Random(1)).reason == "QUIET_HOURS"


def test_asking_for_more_time_than_there_is_fails_as_expired(notification) -> None:
    row = OutboxRow(notification(), "sending")
    attempt = attempt_of(row, Result("retry", "429", after=3600.0), NOW, WEBHOOK, Random(1))
    assert (attempt.outcome, attempt.reason) == ("failed", "EXPIRED")


def test_a_used_up_schedule_fails_as_rejected_and_says_after_how_many_tries(notification) -> None:
    row = OutboxRow(notification(lasts=1e6), "sending", attempts=3)
    attempt = attempt_of(row, Result("retry", "500"), NOW, WEBHOOK, Random(1))
    assert (attempt.outcome, attempt.reason, attempt.number) == ("failed", "REJECTED", 4)
    assert "4 tries" in attempt.detail


@pytest.mark.parametrize(("outcome", "reason"), [("sent", ""), ("failed", "REJECTED"), ("unknown", "AMBIGUOUS")])
def test_other_results_keep_their_outcome(notification, outcome: str, reason: str) -> None:
    attempt = attempt_of(OutboxRow(notification(), "sending", attempts=2), Result(outcome), NOW, (), Random(1))
    assert (attempt.outcome, attempt.reason, attempt.number) == (outcome, reason, 3)


def test_an_interrupted_try_is_resent_only_where_a_repeat_is_harmless(notification) -> None:
    row = OutboxRow(notification(), "sending", attempts=1)
    again = interrupted(row, NOW + 1, idempotent=True)
    parked = interrupted(row, NOW + 1, idempotent=False)
    late = interrupted(row, NOW + 900, idempotent=True)
    assert (again.outcome, again.retry_at, again.number) == ("retry", NOW + 1, 2)
    assert (parked.outcome, parked.reason) == ("unknown", "AMBIGUOUS")
    assert (late.outcome, late.reason) == ("unknown", "AMBIGUOUS")


def test_a_row_of_a_vanished_channel_fails_by_name(notification) -> None:
    attempt = homeless(OutboxRow(notification(channel="sms"), "waiting"), NOW)
    assert (attempt.outcome, attempt.reason) == ("failed", "NO_CHANNEL")
    assert "'sms'" in attempt.detail


def test_hostile_words_become_one_bounded_line_that_the_journal_can_hold(notification) -> None:
    words = "line\nbreak \x1b[2J \ud800 " + "x" * 10_000
    attempt = attempt_of(OutboxRow(notification(), "sending"), Result("failed", words), NOW, (), Random(1))
    assert len(attempt.detail) == 500
    assert attempt.detail.isprintable()
    assert decode_records(encode_records([attempt])) == [attempt]
    assert tidy("fine") == "fine"
    assert msgspec.msgpack.encode(attempt)
