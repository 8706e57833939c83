"""Quiet hours: local wall clock, wrapping midnight, right on the days the clocks change."""

from datetime import UTC, datetime

import pytest

from engine.decide import is_quiet, load_zone, next_quiet, quiet_until

NIGHT = (21 * 60, 8 * 60)
BERLIN = load_zone("Europe/Berlin")  # 2026: forward 29 March 02:00, back 25 October 03:00


def t(text, zone=BERLIN, fold=0):
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).timestamp()


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("now", "quiet"),
    [
        ("20:59:59", False),
        ("21:00:00", True),
        ("23:59:59", True),
        ("00:00:00", True),
        ("07:59:59", True),
        ("08:00", False),
    ],
)
def test_the_start_is_quiet_and_the_end_is_not(now, quiet):
    assert is_quiet(t(f"2026-11-24 {now}"), BERLIN, NIGHT) is quiet


def test_a_span_within_one_day():
    assert is_quiet(t("2026-11-24 13:00"), BERLIN, (720, 840))
    assert not is_quiet(t("2026-11-24 14:00"), BERLIN, (720, 840))


def test_without_quiet_hours_it_is_never_quiet():
    for quiet in (None, (600, 600)):
        assert not is_quiet(t("2026-11-24 10:00"), BERLIN, quiet)
        assert quiet_until(t("2026-11-24 10:00"), BERLIN, quiet) is None
        assert next_quiet(t("2026-11-24 10:00"), BERLIN, quiet) is None


def test_the_fraction_before_the_start_is_not_quiet_yet():
    start = t("2026-11-24 21:00")
    assert not is_quiet(start - 0.001, BERLIN, NIGHT)
    assert next_quiet(start - 0.001, BERLIN, NIGHT) == start
    assert quiet_until(t("2026-11-25 08:00") - 0.001, BERLIN, NIGHT) == t("2026-11-25 08:00")


def test_quiet_until_is_the_first_allowed_instant():
    assert quiet_until(t("2026-11-24 22:00"), BERLIN, NIGHT) == t("2026-11-25 08:00")
    assert quiet_until(t("2026-11-25 03:00"), BERLIN, NIGHT) == t("2026-11-25 08:00")
    assert quiet_until(t("2026-11-25 12:00"), BERLIN, NIGHT) is None


def test_next_quiet_is_now_when_it_is_quiet():
    assert next_quiet(t("2026-11-24 12:00"), BERLIN, NIGHT) == t("2026-11-24 21:00")
    assert next_quiet(t("2026-11-24 22:00"), BERLIN, NIGHT) == t("2026-11-24 22:00")


def test_a_night_in_which_the_clocks_go_forward_is_an_hour_shorter():
    start = t("2026-03-28 21:00")
    assert quiet_until(start, BERLIN, NIGHT) == utc("2026-03-29 06:00")
    assert quiet_until(start, BERLIN, NIGHT) - start == 10 * 3600


def test_a_night_in_which_the_clocks_go_back_is_an_hour_longer():
    start = t("2026-10-24 21:00")
    assert quiet_until(start, BERLIN, NIGHT) == utc("2026-10-25 07:00")
    assert quiet_until(start, BERLIN, NIGHT) - start == 12 * 3600


def test_an_end_inside_the_gap_is_over_when_the_clock_has_jumped():
    # 02:30 does not exist on 29 March: at 02:00 the clock shows 03:00.
    assert quiet_until(t("2026-03-28 23:00"), BERLIN, (21 * 60, 150)) == utc("2026-03-29 01:00")


def test_a_start_inside_the_gap_begins_when_the_clock_has_jumped():
    assert next_quiet(t("2026-03-29 00:30"), BERLIN, (150, 300)) == utc("2026-03-29 01:00")


def test_a_span_wholly_inside_the_gap_does_not_happen_that_day():
    assert next_quiet(t("2026-03-29 00:30"), BERLIN, (130, 170)) == t("2026-03-30 02:10")


def test_an_end_inside_the_fold_is_quiet_again_when_the_clock_has_gone_back():
    quiet = (21 * 60, 150)
    first = utc("2026-10-25 00:30")  # 02:30 summer time
    assert quiet_until(t("2026-10-24 23:00"), BERLIN, quiet) == first
    assert next_quiet(first, BERLIN, quiet) == utc("2026-10-25 01:00")  # 02:00 again
    assert quiet_until(utc("2026-10-25 01:10"), BERLIN, quiet) == utc("2026-10-25 01:30")


def test_zones_that_change_at_midnight_or_by_half_an_hour():
    santiago = load_zone("America/Santiago")  # forward at 24:00 on Saturday 5 September 2026
    assert quiet_until(t("2026-09-05 22:00", santiago), santiago, (21 * 60, 0)) == utc("2026-09-06 04:00")
    lord_howe = load_zone("Australia/Lord_Howe")  # half an hour, 4 October 2026 02:00
    assert quiet_until(t("2026-10-04 01:00", lord_howe), lord_howe, (60, 135)) == utc("2026-10-03 15:30")


def test_an_island_that_skipped_a_day():
    apia = load_zone("Pacific/Apia")  # 30 December 2011 did not happen there
    assert quiet_until(t("2011-12-29 22:00", apia), apia, NIGHT) == t("2011-12-31 08:00", apia)


# ------------------------------------------------------------------ in the decision


def night_desk(desk, **kw):
    return desk(desk.rule(send_within=kw.pop("send_within", 900.0), **kw), quiet_hours=NIGHT)


def test_a_message_that_would_be_too_late_in_the_morning_is_suppressed(desk):
    d = night_desk(desk)
    decided = d.one(now="2026-11-24 22:00")
    assert (decided.decision.verdict, decided.decision.reason) == ("suppress", "QUIET_HOURS")
    assert d.check(decided, "quiet hours").free == d.at("2026-11-25 08:00")
    assert d.person.sent == []


def test_a_message_that_lasts_till_the_morning_is_held_to_the_first_allowed_instant(desk):
    d = night_desk(desk, send_within=12 * 3600.0)
    decided = d.one(now="2026-11-24 22:00")
    assert (decided.decision.verdict, decided.decision.reason) == ("hold", "QUIET_HOURS")
    assert decided.decision.until == d.at("2026-11-25 08:00")
    assert decided.decision.deadline == decided.expires == d.at("2026-11-25 10:00")
    assert decided.channels == ("push",)


def test_a_message_that_expires_at_the_first_allowed_instant_is_suppressed(desk):
    assert night_desk(desk, send_within=36000.0).reason(now="2026-11-24 22:00") == "QUIET_HOURS"
    d = night_desk(desk, send_within=36000.0)
    assert d.one(now="2026-11-24 22:00").decision.verdict == "suppress"
    d = night_desk(desk, send_within=36001.0)
    assert d.one(now="2026-11-24 22:00").decision.verdict == "hold"


def test_no_send_may_begin_once_the_next_quiet_hours_have_started(desk):
    d = night_desk(desk, send_within=3600.0)
    decided = d.one(now="2026-11-24 20:55")
    assert decided.decision.deadline == d.at("2026-11-24 21:00")
    assert decided.expires == d.at("2026-11-24 21:55")


def test_transactional_messages_have_no_quiet_deadline(desk):
    d = night_desk(desk, send_within=3600.0, purpose="transactional")
    decided = d.one(now="2026-11-24 20:55")
    assert decided.decision.deadline == d.at("2026-11-24 21:55")


def test_a_held_message_is_not_sent_after_its_run_or_its_offer(desk):
    d = night_desk(desk, send_within=12 * 3600.0, runs=(None, "2026-11-24"))
    assert d.one(now="2026-11-24 22:00").decision.verdict == "suppress"


def test_quiet_hours_are_those_of_the_persons_zone(desk):
    now = utc("2026-11-24 12:00")  # 21:00 in Tokyo
    tokyo = desk(zone="Asia/Tokyo", quiet_hours=NIGHT).one(now=now).decision
    assert (tokyo.reason, tokyo.time_zone) == ("QUIET_HOURS", "Asia/Tokyo")
    assert desk(zone="Europe/Berlin", quiet_hours=NIGHT).one(now=now).decision.reason == "OK"
