"""How much a set of rules would have sent."""

from engine.model.moment import Decision, Moment
from engine.model.reason import Reason, Verdict
from engine.model.signal import Cause
from engine.pipeline.estimate import Estimator

MIDNIGHT = 1_795_478_400.0  # 2026-11-24 00:00 UTC


def moment(at: float, person: str = "p", rule: str = "hello", until: float | None = None, **more: object) -> Moment:
    verdict = Verdict.SEND if until is None else Verdict.HOLD
    decision = Decision(verdict, Reason.OK, until)
    return Moment(f"m{at}{person}", rule, "r", person, "d", Cause("c", "event", at), decision, at, at + 900, **more)


def estimated(*moments: Moment, seconds: float = 86400.0, zone: str = "UTC"):
    estimator = Estimator(["hello", "quiet"], zone)
    estimator.add(moments)
    return {e.rule: e for e in estimator.close(seconds)}


def test_messages_people_days_and_the_busiest_minute():
    found = estimated(*(moment(MIDNIGHT + s, f"p{s % 3}") for s in (0, 30, 59, 61, 200, 90_000)), seconds=2 * 86400.0)
    hello = found["hello"]
    assert (hello.messages, hello.people, hello.per_day, hello.busiest_day, hello.minute_peak) == (6, 3, 3.0, 5, 3)
    assert found["quiet"].messages == found["quiet"].minute_peak == 0


def test_what_quiet_hours_hold_goes_at_once_when_they_end():
    eight = MIDNIGHT + 8 * 3600
    hello = estimated(*(moment(MIDNIGHT + s, f"p{s}", until=eight) for s in range(0, 7000, 100)))["hello"]
    assert (hello.messages, hello.minute_peak) == (70, 70)


def test_days_are_those_of_the_project():
    late = [moment(MIDNIGHT + 22.5 * 3600), moment(MIDNIGHT + 23.5 * 3600, "q")]
    assert estimated(*late)["hello"].busiest_day == 2
    assert estimated(moment(MIDNIGHT + 22.5 * 3600), late[1], zone="Europe/Berlin")["hello"].busiest_day == 1


def test_test_people_and_suppressed_moments_do_not_count():
    none = moment(MIDNIGHT, test=True)
    assert estimated(none)["hello"].messages == 0


def test_a_short_time_is_not_blown_up_to_a_day():
    assert estimated(moment(MIDNIGHT), seconds=600.0)["hello"].per_day == 1.0
