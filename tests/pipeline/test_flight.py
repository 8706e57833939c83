"""What waits between decision and settlement: who may still hear it, and what is given back."""

import asyncio
from typing import Any

import pytest

from engine.author.project import Bundle
from engine.model.moment import Effects
from engine.model.record import (
    Attempt,
    ContextChange,
    Control,
    Feedback,
    Frame,
    Genesis,
    ProfileChange,
    Record,
    ReleaseChange,
    Tick,
)
from engine.model.release import DecidePolicy, Policy, TestPolicy
from engine.model.signal import Signal
from engine.pipeline import questions, world
from engine.pipeline.core import Core
from engine.pipeline.flight import GRACE_SECONDS, LATE_SECONDS, SPARE
from engine.pipeline.releases import compile_all
from engine.pipeline.world import MAX_FACTS

START = 1_795_505_000.0  # a Tuesday morning
FENCES = b"""{"type":"FeatureCollection","features":[
 {"type":"Feature","id":"cafe","properties":{"tags":["cafe"],"radius":150},
  "geometry":{"type":"Point","coordinates":[13.405,52.52]}}]}"""
HELLO = """
rules:
  hello:
    when:
      - event: hello
      - enters: cafe
    message:
      channels: push, then sms, then mail
      body: Hello
"""
OFFER = HELLO.replace("    message:", "    offer: coffee\n    message:")
OFFERS = b"offers:\n  coffee:\n    title: A coffee\n    stock: 5\n"


class Line:
    """A core, and the records it was given one by one."""

    def __init__(self, rules: str = HELLO, people: tuple[str, ...] = (), window: float = 0.0) -> None:
        decide = DecidePolicy(quiet_hours=None, caps=(), cooldown=0.0, send_within=900.0, window=window)
        channels = ("push", "sms", "mail")
        self.policy = Policy(decide=decide, channels=channels, test=TestPolicy(people, ("push",)))
        self.core = Core({})
        self.now = START
        self.give(Genesis("p", "salt", 1))
        self.release(rules)

    def release(self, rules: str) -> Effects:
        files = {"geofences/a.geojson": FENCES, "rules/a.yaml": rules.encode(), "rules/offers.yaml": OFFERS}
        bundle = Bundle(files, self.policy)
        self.core.versions = {**self.core.versions, bundle.hash: compile_all(bundle)[0]}
        return self.give(ReleaseChange(bundle.hash))

    def give(self, *records: Record, after: float = 1.0) -> Effects:
        self.now += after
        return self.core.step([Frame(self.core.state.offset, self.now, list(records))])

    def event(self, n: int = 1, device: str = "d1", **fields: Any) -> Effects:
        return self.give(Signal(device, self.now, n, id=str(n), event="hello", **fields))

    def at(self, lat: float, n: int, **fields: Any) -> Effects:
        return self.give(Signal("d1", self.now, n, id=str(n), lat=lat, lon=13.405, accuracy=5.0, **fields))

    def attempt(self, fx: Effects, outcome: str, number: int = 1, **fields: Any) -> Effects:
        n = fx.notifications[0]
        return self.give(Attempt(n.id, n.moment, n.person, n.channel, number, outcome, self.now, **fields))


# ------------------------------------------------------------------ consent and the second channel


def test_no_second_channel_against_a_consent_withdrawn_meanwhile() -> None:
    line = Line()
    sent = line.event(person="p1")
    line.give(ProfileChange("p1", False, consent={"sms": False}))
    then = line.attempt(sent, "failed", reason="REJECTED")
    assert [n.channel for n in then.notifications] == ["mail"]


def test_a_person_recognised_later_gets_nothing_that_they_did_not_consent_to() -> None:
    line = Line()
    line.give(ProfileChange("p1", False, consent={"marketing": False}))
    line.event()
    linked = line.give(Signal("d1", line.now, 2, id="2", event="login", person="p1"))
    assert [str(cancel.reason) for cancel in linked.cancels] == ["NO_CONSENT"]


def test_a_person_recognised_later_who_withdraws_gets_nothing_that_waits() -> None:
    line = Line()
    line.event()
    line.give(Signal("d1", line.now, 2, id="2", event="login", person="p1"))
    withdrawn = line.give(ProfileChange("p1", False, consent={"push": False}))
    assert [str(cancel.reason) for cancel in withdrawn.cancels] == ["NO_CONSENT"]


# ------------------------------------------------------------------ the place was left


def test_the_place_left_by_a_device_whose_person_is_known_since() -> None:
    line = Line()
    entered = line.at(52.52, 1)
    assert entered.notifications
    line.give(Signal("d1", line.now, 2, id="2", event="login", person="p1"))
    line.at(52.60, 3)
    gone = line.give(Tick(), after=120.0)
    assert [str(cancel.reason) for cancel in gone.cancels] == ["LEFT"]


def test_the_place_left_while_the_arbitration_window_is_open() -> None:
    line = Line(window=300.0)
    line.at(52.52, 1)
    line.at(52.60, 2)
    line.give(Tick(), after=120.0)
    closed = line.give(Tick(), after=300.0)
    assert [(str(m.decision.verdict), str(m.decision.reason)) for m in closed.moments] == [("suppress", "LEFT")]
    assert closed.notifications == []


def test_a_transactional_message_outlives_the_place() -> None:
    line = Line(HELLO.replace("    when:", "    purpose: transactional\n    when:"), window=300.0)
    line.at(52.52, 1)
    line.at(52.60, 2)
    line.give(Tick(), after=120.0)
    assert line.give(Tick(), after=300.0).notifications


# ------------------------------------------------------------------ releases


def test_a_release_that_stops_a_rule_stops_what_it_decided() -> None:
    for change, reason in (
        (HELLO.replace("    when:", "    status: paused\n    when:"), "RULE_PAUSED"),
        (HELLO.replace("    when:", "    status: draft\n    when:"), "DRAFT"),
        (HELLO.replace("  hello:", "  other:"), "ENDED"),
    ):
        line = Line()
        sent = line.event()
        fx = line.release(change)
        assert [(str(c.reason), c.rule) for c in fx.cancels] == [(reason, "hello")], change
        failed = line.attempt(sent, "retry", retry_at=line.now + 5)
        assert failed.settled[0].status == "dead", "one that was under way is not tried again"
        assert failed.notifications == [], "nor on another channel"


def test_a_release_that_leaves_a_rule_running_stops_nothing() -> None:
    line = Line()
    line.event()
    assert line.release(HELLO.replace("Hello", "Hi")).cancels == []


def test_what_is_decided_after_a_drop_is_not_dropped_with_it_though_it_is_in_the_same_batch() -> None:
    line = Line()
    drop = Control("resume", "rule", "hello", drop=True)
    one, two = (Signal(f"d{n}", line.now, n, id=str(n), event="hello") for n in (1, 2))
    fx = line.give(one, drop, two)
    assert [n.device for n in fx.notifications] == ["d1", "d2"]
    assert [cancel.before for cancel in fx.cancels] == [1], "the first is meant, the second is not"
    assert [flying.cancelled for flying in line.core.state.inflight.values()] == ["DROPPED", ""]


# ------------------------------------------------------------------ reservations


def test_what_a_device_had_reserved_is_given_back_to_its_person() -> None:
    line = Line(OFFER)
    sent = line.event()
    line.give(Signal("d1", line.now, 2, id="2", event="login", person="p1"))
    assert line.core.state.decide.stock == {"coffee": 1}
    for number in range(3):
        sent = line.attempt(sent, "failed", reason="REJECTED") if number else line.attempt(sent, "failed")
    assert line.core.state.decide.stock == {}
    assert line.core.state.people["p1"].sent == []


def test_a_repeat_for_a_test_person_while_the_first_is_under_way_changes_nothing() -> None:
    line = Line(people=("d1",))
    first = line.event(1)
    line.event(1)
    done = line.attempt(first, "sent")
    assert [settle.status for settle in done.settled] == ["sent"]
    line.give(ProfileChange("d1", False, consent={"push": False}))
    assert line.core.state.inflight == {}


def test_the_time_index_holds_few_entries_of_what_is_settled() -> None:
    line = Line()
    for n in range(SPARE + 500):
        line.attempt(line.event(n), "sent")
    assert len(line.core.flight._over) <= SPARE + 10
    waiting = line.event(9999)
    assert line.core.next_due() == waiting.notifications[0].expires + GRACE_SECONDS


def test_what_went_counts_when_it_went() -> None:
    line = Line()
    sent = line.event()
    line.attempt(sent, "retry", retry_at=line.now + 300.0)
    line.now += 300.0
    line.attempt(sent, "sent", number=2)
    (held,) = line.core.state.people["d1"].sent
    assert (held.at, held.until) == (line.now - 1.0, 0.0)


def test_what_went_counts_though_its_result_comes_after_it_was_given_up() -> None:
    """A server that died inside the attempt tells of it when it is back; that may be an hour later."""
    for outcome, counted in (("sent", True), ("unknown", True), ("failed", False)):
        line = Line(OFFER)
        sent = line.event()
        went = line.now
        line.give(Tick(), after=900.0 + GRACE_SECONDS + 1.0)
        assert line.core.state.people["d1"].sent == []
        late = Attempt(sent.notifications[0].id, sent.moments[0].id, "d1", "push", 1, outcome, went + 2.0)
        line.give(late, after=3600.0)
        line.give(late)
        assert [s.at for s in line.core.state.people["d1"].sent] == ([went + 2.0] if counted else []), outcome
        assert line.core.state.decide.stock == ({"coffee": 1} if counted else {})


def test_what_is_given_up_is_forgotten_after_a_day() -> None:
    line = Line()
    line.event()
    line.give(Tick(), after=1100.0)
    assert len(line.core.state.late) == 1
    line.give(Tick(), after=LATE_SECONDS + 1.0)
    assert line.core.state.late == {}


# ------------------------------------------------------------------ consent, feedback, and where somebody was


def test_a_profile_that_is_put_anew_does_not_undo_a_withdrawal() -> None:
    line = Line()
    line.give(ProfileChange("p1", True, {"name": "Ada"}, {"marketing": False, "sms": True}))
    line.give(ProfileChange("p1", True, {"city": "Ulm"}))
    profile = line.core.state.people["p1"].profile
    assert (profile.attributes, profile.consent) == ({"city": "Ulm"}, {"marketing": False})
    line.give(ProfileChange("p1", True, {}, {"marketing": True}))
    assert profile.consent != line.core.state.people["p1"].profile.consent == {"marketing": True}


def test_feedback_that_is_repeated_counts_once() -> None:
    line = Line(HELLO.replace("event: hello", "event: bought"))
    one = Feedback("f1", "bought", line.now, person="p1")
    opened = Feedback("f2", "opened", line.now, "ntf_1", "p1")
    again = Feedback("f3", "opened", line.now + 5.0, "ntf_1", "p1")
    moments = [len(line.give(record).moments) for record in (one, one, opened, again)]
    assert moments == [1, 0, 0, 0]
    assert [e.event for e in line.core.state.people["p1"].events] == ["bought", "opened"]


def test_a_timer_that_a_fix_sets_off_finds_its_device_where_it_was() -> None:
    """A dwell that was due an hour ago was due there, not where the next fix is."""
    rules = HELLO.replace("      - event: hello\n      - enters: cafe", "      - dwells: cafe, for 5 minutes").replace(
        "    message:", "    only_if:\n      - near: cafe, within 200 m\n    message:"
    )
    for others in (0, 20):
        line = Line(rules)
        line.at(52.52, 1)
        crowd = [Signal(f"x{n}", line.now + 600.0, n, id=str(n), lat=0.0, lon=0.0) for n in range(others)]
        gone = Signal("d1", line.now + 600.0, 2, id="2", lat=52.60, lon=13.405, accuracy=5.0)
        fx = line.give(gone, *crowd, after=600.0)
        assert [str(m.decision.reason) for m in fx.moments] == ["OK"], others


# ------------------------------------------------------------------ people and devices


def test_a_device_that_changes_hands_takes_its_present_visit_along() -> None:
    line = Line()
    line.give(ProfileChange("p1", False, devices=("d1",)))
    line.at(52.52, 1)
    line.give(ProfileChange("p2", False, devices=("d1",)))
    people = line.core.state.people
    assert [v.exit for v in people["p1"].visits] == []
    assert [v.exit for v in people["p2"].visits] == [None]
    line.at(52.60, 2)
    line.give(Tick(), after=120.0)
    assert [v.exit is not None for v in people["p2"].visits] == [True]


def test_finished_visits_stay_with_whom_they_were_made_by() -> None:
    line = Line()
    line.give(ProfileChange("p1", False, devices=("d1",)))
    line.at(52.52, 1)
    line.at(52.60, 2)
    line.give(Tick(), after=120.0)
    line.give(ProfileChange("p2", False, devices=("d1",)))
    people = line.core.state.people
    assert (len(people["p1"].visits), len(people["p2"].visits)) == (1, 0)


# ------------------------------------------------------------------ questions


async def test_a_preview_tells_what_happens_when_the_arbitration_window_closes() -> None:
    line = Line(window=10.0)
    told = await questions.preview(line.core, [Signal("d1", line.now, 7, id="7", event="hello")], line.now)
    assert [(one["rule"], one["would"]) for one in told] == [("hello", "send")]


async def test_a_long_preview_lets_others_run_and_tells_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line()
    signals = [Signal(f"d{n}", line.now, n, id=str(n), event="hello") for n in range(60)]
    monkeypatch.setattr(questions, "PIECE", 1000)
    whole = await questions.preview(line.core, signals, line.now)
    monkeypatch.setattr(questions, "PIECE", 7)
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(others())
    assert await questions.preview(line.core, signals, line.now) == whole
    beside.cancel()
    assert turns >= 60 // 7
    assert len(whole) == 60


# ------------------------------------------------------------------ facts


def test_facts_of_a_fence_are_bounded_in_number() -> None:
    line = Line()
    for n in range(12):
        line.give(ContextChange("cafe", {f"k{n}-{i}": i for i in range(100)}, 600.0 + n))
    held = line.core.state.facts["cafe"]
    assert len(held) == MAX_FACTS
    assert "k11-0" in held
    assert "k0-0" not in held


# ------------------------------------------------------------------ forgetting


def test_context_of_devices_that_fell_silent_is_forgotten_and_of_others_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world, "LOOKED_AT", 4)
    line = Line()
    for n in range(10):
        line.give(Signal(f"d{n}", line.now, n, id=str(n), context={"mood": "happy"}))
    line.give(Tick(), after=world.STICKY_SECONDS + world.FORGOTTEN_AFTER - 100.0)
    assert len(line.core.state.sticky) == 10
    line.give(Signal("d3", line.now, 99, id="99", context={"mood": "sad"}))
    for _ in range(5):
        line.give(Tick(), after=60.0)
    assert line.core.state.sticky.keys() == {"d3"}
