"""Limits: caps, cooldown, the rule's own limits, stock and validity of the offer."""

import pytest

from engine.decide import cap_text, consent_ok, span
from engine.model.person import Person, Profile, Sent
from engine.model.reason import Verdict
from engine.model.rule import Cap, Offer

DAY = 86400.0
T0 = 1_795_600_000.0


def test_default_caps_are_three_a_day_and_ten_in_seven_days(desk):
    d = desk(caps=(Cap(3, "day"), Cap(10, 7 * DAY)))
    reasons = [d.reason(now=T0 + day * DAY + i) for day in range(4) for i in range(4)]
    assert reasons == ["OK", "OK", "OK", "CAP"] * 3 + ["OK", "CAP", "CAP", "CAP"]


def test_per_day_is_the_persons_local_calendar_day(desk):
    d = desk(zone="Asia/Tokyo", caps=(Cap(1, "day"),))
    times = ["2026-11-24 23:50", "2026-11-24 23:59:59", "2026-11-25 00:00", "2026-11-25 09:00"]
    assert [d.reason(now=now) for now in times] == ["OK", "CAP", "OK", "CAP"]


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"])
def test_per_day_is_right_on_days_of_23_and_25_hours(desk, day):
    d = desk(caps=(Cap(1, "day"),))
    start = d.at(f"{day} 00:00")
    d.one(now=start)
    following = d.at("2026-03-30 00:00" if day == "2026-03-29" else "2026-10-26 00:00")
    assert following - start != DAY
    blocked = d.one(now=following - 1)
    assert blocked.decision.reason == "CAP"
    assert d.check(blocked, "cap").free == following
    assert d.reason(now=following) == "OK"


def test_per_week_begins_on_local_monday(desk):
    d = desk(caps=(Cap(1, "week"),))
    assert d.reason(now="2026-11-29 23:00") == "OK"  # a Sunday
    assert d.reason(now="2026-11-30 00:00") == "OK"  # Monday
    blocked = d.one(now="2026-12-06 23:59")
    assert d.check(blocked, "cap").free == d.at("2026-12-07 00:00")


def test_a_rolling_cap_frees_when_its_oldest_send_leaves_the_window(desk):
    d = desk(caps=(Cap(2, 3600.0),))
    assert [d.reason(now=T0), d.reason(now=T0 + 100)] == ["OK", "OK"]
    blocked = d.one(now=T0 + 200)
    check = d.check(blocked, "cap")
    assert (check.saw, check.needs, check.free) == (2, "2 per hour", T0 + 3600)
    assert d.reason(now=T0 + 3599.9) == "CAP"
    assert d.reason(now=T0 + 3600) == "OK"


def test_a_cap_of_zero_never_frees(desk):
    d = desk(caps=(Cap(0, "day"), Cap(0, 60.0)))
    assert [c.free for c in d.one().decision.checks if c.name == "cap"] == [None, None]


def test_a_held_message_counts_on_the_day_it_goes(desk):
    rule = desk.rule(send_within=DAY)
    d = desk(rule, caps=(Cap(1, "day"),), quiet_hours=(1260, 480))
    assert d.one(now="2026-11-24 20:00").decision.verdict is Verdict.SEND
    assert d.one(now="2026-11-24 22:00").decision.verdict is Verdict.HOLD
    assert d.one(now="2026-11-24 22:30").decision.reason == "CAP"
    assert d.one(now="2026-11-25 12:00").decision.reason == "CAP"


def test_what_is_held_for_later_counts_in_rolling_windows_now_but_not_in_another_day(desk):
    midnight = "2026-11-25 00:00"
    for limit, reason in ((Cap(1, DAY), "CAP"), (Cap(1, "day"), "OK"), (Cap(1, "week"), "CAP")):
        d = desk(caps=(limit,))
        d.person.sent.append(Sent("held", "coffee", "cafe", d.at(midnight), True))
        assert d.reason(now="2026-11-24 12:00") == reason


def test_cooldown_is_per_rule_fence_and_person(desk):
    a, b = desk.rule("a"), desk.rule("b")
    d = desk(a, b, cooldown=21600.0)
    assert d.reason(a, T0) == "OK"
    blocked = d.one(a, T0 + 60)
    assert blocked.decision.reason == "COOLDOWN"
    assert d.check(blocked, "cooldown").free == T0 + 21600
    assert d.reason(b, T0 + 60) == "OK"
    assert d.reason(a, T0 + 60, fence="bakery") == "OK"
    assert d.reason(a, T0 + 60, person=Person("p2")) == "OK"
    assert d.reason(a, T0 + 21599) == "COOLDOWN"
    assert d.reason(a, T0 + 21600) == "OK"


def test_events_share_one_cooldown_whatever_the_place(desk):
    d = desk(cooldown=60.0)
    assert [d.reason(now=T0, event="open"), d.reason(now=T0 + 1, event="open")] == ["OK", "COOLDOWN"]


def test_a_rules_own_cooldown_wins(desk):
    assert [d.reason() for d in [desk(desk.rule(cooldown=0.0), cooldown=60.0)] for _ in range(2)] == ["OK", "OK"]
    assert [d.reason() for d in [desk(desk.rule(cooldown=60.0))] for _ in range(2)] == ["OK", "COOLDOWN"]


def test_per_person_counts_the_rule_at_every_fence(desk):
    d = desk(desk.rule(per_person=(Cap(1, 21600.0),)))
    assert d.reason(now=T0) == "OK"
    blocked = d.one(now=T0 + 1, fence="bakery")
    assert blocked.decision.reason == "RULE_LIMIT"
    assert d.check(blocked, "limit per person").needs == "1 per 6 hours"
    assert d.reason(now=T0 + 1, person=Person("p2")) == "OK"


def test_total_counts_everybody_on_the_projects_calendar(desk):
    d = desk(desk.rule(total=(Cap(2, "day"),)), time_zone="Asia/Tokyo")
    noon = d.at("2026-11-24 12:00")  # 20:00 in Tokyo
    reasons = [d.reason(now=noon + i, person=Person(f"p{i}")) for i in range(3)]
    assert reasons == ["OK", "OK", "RULE_LIMIT"]
    blocked = d.one(now=noon + 5)
    free = d.check(blocked, "limit in total").free
    assert free == d.at("2026-11-24 16:00")  # midnight in Tokyo
    assert d.reason(now=free) == "OK"


def test_a_rolling_total_never_lets_more_through_and_frees_within_a_hundredth(desk):
    d = desk(desk.rule(total=(Cap(3, 3600.0),)))
    assert [d.reason(now=T0 + i, person=Person(f"p{i}")) for i in range(4)] == ["OK", "OK", "OK", "RULE_LIMIT"]
    free = d.check(d.one(now=T0 + 10), "limit in total").free
    assert T0 + 3600 <= free <= T0 + 3600 + 3600 / 100
    assert d.reason(now=T0 + 3599) == "RULE_LIMIT"
    assert d.reason(now=free) == "OK"


def test_totals_stay_bounded(desk):
    d = desk(desk.rule(total=(Cap(10**9, 3600.0), Cap(10**9, "day"))))
    for i in range(3000):
        d.one(now=T0 + i * 97.0, person=Person("x"))
    assert max(len(t.buckets) for t in d.state.rule_totals["coffee"].values()) <= 132


def test_stock_is_reserved_with_the_decision(desk):
    d = desk(desk.rule(offer="flat-white"), offers=[Offer("flat-white", stock=2)])
    assert [d.reason() for _ in range(3)] == ["OK", "OK", "OUT_OF_STOCK"]
    assert d.state.stock == {"flat-white": 2}


def test_an_offer_without_stock_is_endless(desk):
    d = desk(desk.rule(offer="o"), offers=[Offer("o")])
    assert {d.reason() for _ in range(5)} == {"OK"}


def test_an_offer_that_the_release_does_not_have_is_not_promised(desk):
    assert desk(desk.rule(offer="gone")).reason() == "OFFER_INVALID"


@pytest.mark.parametrize(
    ("until", "now", "reason"),
    [
        ("2026-11-24", "2026-11-24 23:59:59", "OK"),
        ("2026-11-24", "2026-11-25 00:00", "OFFER_INVALID"),
        ("2026-11-24T12:00", "2026-11-24 11:59", "OK"),
        ("2026-11-24T12:00", "2026-11-24 12:00", "OFFER_INVALID"),
        ("2026-11-24T11:00:00Z", "2026-11-24 11:59", "OK"),
        ("2026-11-24T11:00:00Z", "2026-11-24 12:00", "OFFER_INVALID"),
        ("soon", "2026-11-24 12:00", "OFFER_INVALID"),
    ],
)
def test_an_offer_is_valid_to_the_end_of_its_day_or_to_its_instant(desk, until, now, reason):
    assert desk(desk.rule(offer="o"), offers=[Offer("o", valid_until=until)]).reason(now=now) == reason


def test_no_message_goes_after_its_offer_is_over(desk):
    d = desk(desk.rule(offer="o", send_within=3600.0), offers=[Offer("o", valid_until="2026-11-24T12:30")])
    assert d.one(now="2026-11-24 12:00").decision.deadline == d.at("2026-11-24 12:30")


def test_history_of_sends_is_trimmed_to_what_a_limit_can_still_see(desk):
    d = desk(caps=(Cap(1000, 7 * DAY),), cooldown=3600.0)
    for i in range(200):
        d.one(now=T0 + i * 0.1 * DAY)
    assert 70 <= len(d.person.sent) <= 72


def test_however_many_sends_a_person_gets_the_memory_is_bounded_and_no_limit_forgets(desk):
    rules = [desk.rule("free", purpose="service"), desk.rule("limited", per_person=(Cap(1, "day"),))]
    d = desk(*rules)
    d.one(rules[1], T0)
    d.person.sent += [Sent(f"m{i}", "free", None, T0 + 1, False) for i in range(5000)]
    d.one(rules[0], T0 + 2)
    assert len(d.person.sent) <= 1001
    assert d.reason(rules[1], T0 + 3) == "RULE_LIMIT"


def test_sends_of_a_rule_without_limits_are_kept_only_while_they_can_come_back(desk):
    d = desk(desk.rule(purpose="transactional", send_within=60.0))
    for i in range(100):
        d.one(now=T0 + i * 0.1 * DAY)
    assert len(d.person.sent) <= 12


# ------------------------------------------------------------------ consent


@pytest.mark.parametrize(
    ("consent", "ok"),
    [
        ({}, True),
        ({"marketing": True, "push": True}, True),
        ({"marketing": False}, False),
        ({"push": False}, False),
        ({"marketing.push": False}, False),
        ({"marketing": False, "marketing.push": True}, False),
        ({"service": False, "sms": False, "marketing.sms": False}, True),
    ],
)
def test_consent_missing_means_yes_and_one_no_is_a_no(consent, ok):
    assert consent_ok(Profile(consent=consent), "marketing", "push") is ok


def test_channels_without_consent_fall_away_and_none_left_is_a_no(desk):
    d = desk(desk.rule(channels=("push", "sms")))
    assert d.one().channels == ("push", "sms")
    d.person.profile = Profile(consent={"push": False})
    decided = d.one()
    assert decided.channels == ("sms",)
    assert d.check(decided, "consent").saw == {"push": False, "sms": True}
    d.person.profile = Profile(consent={"push": False, "marketing.sms": False})
    assert d.reason() == "NO_CONSENT"


# ------------------------------------------------------------------ words


def test_windows_read_as_people_say_them():
    caps = [Cap(3, "day"), Cap(10, 7 * DAY), Cap(1, 21600.0), Cap(2, 3600.0), Cap(5, 90.0), Cap(1, 2 * 604800.0)]
    assert [cap_text(cap) for cap in caps] == [
        "3 per day", "10 per 7 days", "1 per 6 hours", "2 per hour", "5 per 90 seconds", "1 per 2 weeks",
    ]  # fmt: skip
    assert [span(s) for s in (900.0, 60.0, 0.5, 86400.0)] == ["15 minutes", "1 minute", "0.5 seconds", "1 day"]
