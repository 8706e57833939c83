"""How near a "no" was to a "yes", in words and as a number to rank by."""

import pytest

from engine.model.moment import Check, Decision
from engine.model.person import Person
from engine.model.reason import Reason, Verdict
from engine.model.signal import Cause
from engine.pipeline import nearest
from engine.pipeline.excerpt import Known
from engine.pipeline.state import CoreState

NOON = 1_795_521_600.0
ENTER = Cause("c", "enter", NOON, fence="cafe")
NO = Reason.CONDITION


def near(*checks: Check, zone: str = "UTC") -> nearest.Near:
    return nearest.of_decision(Decision(Verdict.SUPPRESS, NO, checks=checks, time_zone=zone), ENTER, NOON)


@pytest.mark.parametrize(
    ("check", "words"),
    [
        (Check("fence.weather.temp_c < 12", False, 13.1, "< 12", reason=NO), "fence.weather.temp_c 13.1, needs < 12"),
        (Check("event.value between 3 and 5", False, 7, "between 3 and 5", reason=NO),
         "event.value 7, needs between 3 and 5"),
        (Check("near: cafe", False, {"fence": "cafe", "metres": 314.2}, "within 300 m of cafe", reason=NO),
         "314 m from cafe, needs within 300 m"),
        (Check("visited: tag office, …", False, 1, "tag office at least 3 times in the last 7 days", reason=NO),
         "1 × tag office before in the last 7 days, needs 3; this would have been the 2nd"),
        (Check("did: purchase, …", False, 1, "not purchase at least 1 time in the last 24 hours", reason=NO),
         "1 × purchase in the last 24 hours, must be below 1"),
        (Check("local_time: mon 08:00-10:00", False, "tue 12:00 UTC", "mon 08:00-10:00", reason=NO, free=NOON + 3600),
         "it was tue 12:00 UTC, needs mon 08:00-10:00; that comes 13:00 (UTC)"),
        (Check("profile.tier = gold", False, "silver", "= gold", reason=NO), "profile.tier is silver, needs = gold"),
        (Check("profile.tier = gold", None, None, "= gold", note="profile.tier was never told"),
         "profile.tier is not known: profile.tier was never told"),
        (Check("cap", False, 3, "3 per day", reason=Reason.CAP, free=NOON + 7200, step=5),
         "cap frees at 14:00 (UTC), in 2 hours (3 per day)"),
        (Check("consent", False, {"push": False}, "consent", reason=Reason.NO_CONSENT, step=4),
         "the person has not consented (push)"),
        (Check("canary", False, None, "10% of people", reason=Reason.CANARY, step=1),
         "the rule goes to 10% of people first, and this person is not among them"),
        (Check("arbitration", False, {"winner": {"rule": "other"}}, "", reason=Reason.OUTRANKED, step=6),
         "rule other ranked higher"),
    ],
)  # fmt: skip
def test_each_no_has_its_nearest_miss(check: Check, words: str):
    told = near(check)
    assert told.words == (words,)
    assert 0.0 < told.gap < 1.0


def test_a_group_tells_its_nearest_part():
    parts = (
        Check("any_of", False, None, "at least one", reason=NO),
        Check("event.value > 100", False, 3, "> 100", depth=1),
        Check("event.value > 4", False, 3, "> 4", depth=1),
        Check("all_of", False, None, "every one", depth=1),
        Check("event.value > 5", False, 3, "> 5", depth=2),
    )
    assert near(*parts).text() == "event.value 3, needs > 4"


def test_less_is_nearer_and_everything_in_the_way_adds_up():
    def temperature(saw: float) -> Check:
        return Check("t < 12", False, saw, "< 12", reason=NO)

    assert near(temperature(12.5)).gap < near(temperature(20)).gap < near(temperature(20), temperature(13)).gap
    assert near(temperature(20), temperature(13)).words[0] == "t 13, needs < 12"


def test_a_cap_that_frees_soon_is_nearer_than_one_that_frees_tomorrow():
    caps = [Check("cap", False, 3, "3 per day", reason=Reason.CAP, free=NOON + s, step=5) for s in (60, 86400)]
    assert near(caps[0]).gap < near(caps[1]).gap


def test_what_was_sent_has_nothing_in_its_way():
    assert near(Check("t < 12", True, 3, "< 12")) == nearest.Near(0.0, ())


def test_ordinals():
    told = [nearest.ordinal(n) for n in (1, 2, 3, 4, 11, 23, 112)]
    assert told == ["1st", "2nd", "3rd", "4th", "11th", "23rd", "112th"]


def test_who_asks_for_a_person_is_told_of_the_device_last_linked_to_them():
    state = CoreState(links={"old": "anna", "anna-phone": "anna"}, people={"anna": Person("anna")})
    state.people["anna"].devices = ["old", "anna-phone"]
    state.people["d1"] = Person("d1")
    asked = {name: Known.of(state, name) for name in ("anna", "old", "d1", "nobody")}
    assert {name: (known.device, known.person) for name, known in asked.items()} == {
        "anna": ("anna-phone", "anna"),
        "old": ("old", "anna"),
        "d1": ("d1", "d1"),
        "nobody": ("nobody", "nobody"),
    }
