"""Limits hold for what people get, not for what was decided: a retry may leave late."""

import itertools
import random
from zoneinfo import ZoneInfo

import pytest

from engine.decide import give_back, limits, went
from engine.decide.localtime import day
from engine.model.person import Person, Sent

HOUR, DAY = 3600.0, 86400.0


def test_cooldown_counts_from_when_the_message_went(desk) -> None:
    d = desk(cooldown=6 * HOUR, send_within=2 * HOUR)
    noon = d.at("2026-11-24T12:00")
    d.decide([d.candidate(now=noon)], noon, goes=False)
    went(d.person.sent[0], noon + 1.9 * HOUR)
    assert d.reason(now=noon + 6 * HOUR) == "COOLDOWN"
    assert d.reason(now=noon + 7.95 * HOUR) == "OK"


def test_a_message_still_on_its_way_keeps_the_next_from_going_beside_it(desk) -> None:
    d = desk(cooldown=HOUR, send_within=5 * HOUR)
    noon = d.at("2026-11-24T12:00")
    d.decide([d.candidate(now=noon)], noon, goes=False)
    check = d.check(d.one(now=noon + 3 * HOUR), "cooldown")
    assert (check.ok, check.free) == (False, noon + 4 * HOUR)


def test_one_that_leaves_after_midnight_counts_on_the_day_it_leaves(desk, cap) -> None:
    d = desk(caps=(cap(1, "day"),), send_within=2 * HOUR)
    late = d.at("2026-11-24T23:30")
    d.decide([d.candidate(now=late)], late, goes=False)
    assert d.reason(now="2026-11-25T00:10") == "CAP", "it may go today as well"
    went(d.person.sent[0], d.at("2026-11-25T00:20"))
    assert d.reason(now="2026-11-25T12:00") == "CAP"
    assert d.reason(now="2026-11-26T12:00") == "OK"


def test_what_waits_for_the_morning_leaves_today_as_it_was(desk, cap) -> None:
    d = desk(caps=(cap(1, "day"),), quiet_hours=(21 * 60, 8 * 60), send_within=12 * HOUR)
    evening = d.at("2026-11-24T22:00")
    d.decide([d.candidate(now=evening)], evening, goes=False)
    assert d.person.sent[0].at == d.at("2026-11-25T08:00")
    assert d.reason(now="2026-11-25T09:00") == "CAP"


def test_what_may_yet_go_counts_at_every_instant_until_its_deadline(cap) -> None:
    """Also for a message that is held: by another clock than the one that is on its way."""
    person, zone = Person("p", sent=[Sent("mom_1", "hello", "cafe", 0.0, True, until=2 * HOUR)]), ZoneInfo("UTC")

    def free(at: float) -> bool:
        (check,) = limits.caps(person, [cap(1, HOUR / 2)], limits.When(0.0, at, zone))
        return check.ok is True

    assert [free(hours * HOUR) for hours in (0.0, 1.0, 2.0, 2.4, 2.6)] == [False, False, False, False, True]


@pytest.mark.parametrize("cooldown", [0.0, 5 * HOUR])
@pytest.mark.parametrize("seed", range(12))
def test_no_window_is_overfull_whatever_retries_do(desk, cap, seed: int, cooldown: float) -> None:
    rng = random.Random(seed)
    caps = (cap(2, "day"), cap(5, 3 * DAY))
    d = desk(caps=caps, cooldown=cooldown, send_within=8 * HOUR, zone="Europe/Berlin", time_zone="Europe/Berlin")
    now, flying, got = d.at("2026-10-20T12:00"), [], []
    for _ in range(400):
        now += rng.uniform(0, HOUR)
        for at, sent, fate in [one for one in flying if one[0] <= now]:
            flying.remove((at, sent, fate))
            if fate == "goes":
                went(sent, at)
                got.append(at)
            else:
                give_back(d.person, d.state, sent.moment)
        (decided,) = d.decide([d.candidate(now=now)], now, goes=False)
        if str(decided.decision.verdict) == "send":
            sent: Sent = d.person.sent[-1]
            until = decided.decision.deadline
            flying.append(
                (
                    min(until - 1, now + rng.choice([60.0, 4 * HOUR, 8 * HOUR])),
                    sent,
                    rng.choice(["goes"] * 4 + ["fails"]),
                )
            )
    got.sort()
    assert len(got) > 10
    assert all(b - a >= cooldown for a, b in itertools.pairwise(got))
    assert all(sum(1 for other in got if at - 3 * DAY < other <= at) <= 5 for at in got)
    days = [day(at, d.zone) for at in got]
    assert max(days.count(one) for one in days) <= 2
