"""Rules that follow upon a message: delivered, opened, clicked, converted, or not, in all that time."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.author.project import Bundle
from engine.model.moment import Moment, Notification
from engine.model.record import Attempt, Feedback, Frame, Genesis, ProfileChange, Record, ReleaseChange
from engine.model.release import DecidePolicy, Policy
from engine.model.signal import Signal
from engine.pipeline import sequels
from engine.pipeline.core import Core
from engine.pipeline.releases import compile_all
from engine.pipeline.replay import pass_time
from engine.pipeline.state import Checkpoint, decode_checkpoint, encode_checkpoint
from engine.sense import Sense

START = 1_795_505_000.0
HOUR = 3600.0
FIRST = """
rules:
  hello:
    purpose: service
    when:
      event: hi
    conversion:
      event: purchase
      within: 3 hours
    message:
      title: Hi
"""


def after(**rules: str) -> bytes:
    text = FIRST
    for name, line in rules.items():
        text += f"  {name}:\n    purpose: service\n    when:\n      after: {line}\n    message:\n      title: More\n"
    return text.encode()


class World:
    """A core whose channel answers at once, unless told otherwise."""

    def __init__(self, text: bytes, **decide: Any) -> None:
        self.policy = Policy(decide=DecidePolicy(**{"quiet_hours": None, "cooldown": 0.0, "caps": ()} | decide))
        self.versions: dict[str, Any] = {}
        self.core = Core(self.versions)
        self.moments: list[Moment] = []
        self.notifications: list[Notification] = []
        self.outcome = "sent"
        self.now = START
        self.put(Genesis("p", "salt", 1))
        self.release(text)

    def release(self, text: bytes) -> None:
        bundle = Bundle({"rules/all.yaml": text}, self.policy)
        self.versions[bundle.hash] = compile_all(bundle)[0]
        self.put(ReleaseChange(bundle.hash))

    def put(self, *records: Record) -> None:
        fx = self.core.step([Frame(self.core.state.offset, self.now, [*records])])
        self._took(fx)

    def _took(self, fx: Any) -> None:
        self.moments += fx.moments
        self.notifications += fx.notifications
        for n in fx.notifications:
            if self.outcome:
                self.put(Attempt(n.id, n.moment, n.person, n.channel, 1, self.outcome, self.now))

    def later(self, seconds: float) -> "World":
        until = self.now + seconds
        for frame, fx in pass_time(self.core, until):
            self.now = frame.received
            self._took(fx)
        self.now = until
        return self

    def event(self, name: str, at: float | None = None) -> "World":
        self.put(Signal("d1", self.now if at is None else at, key=int(self.now * 1000) % 2**63, event=name))
        return self

    def answer(self, kind: str, which: int = 0, at: float | None = None) -> "World":
        n = self.notifications[which]
        self.put(Feedback(f"{kind}{self.now}", kind, self.now if at is None else at, n.id, n.person))
        return self

    def restart(self) -> "World":
        found = decode_checkpoint(encode_checkpoint(Checkpoint(self.core.state, self.core.sense.dump())))
        self.core = Core(self.versions, found.state)
        self.core.sense = Sense.load(found.sense, self.core.compiled.release.policy.sense, self.core.compiled.fences)
        return self

    def told(self) -> list[tuple[str, float]]:
        """The rules that followed, and how long after the start."""
        return [(m.rule, m.cause.at - START) for m in self.moments if m.rule != "hello"]


def test_delivered_wakes_when_the_attempt_came_back_and_says_what_it_follows():
    world = World(after(more="hello delivered")).event("hi")
    assert world.told() == [("more", 0.0)]
    first, second = world.moments
    assert second.cause.id == f"{first.id}|delivered"
    assert second.cause.data == {"after": "hello", "outcome": "delivered", "moment": first.id}
    world.answer("delivered")
    assert len(world.told()) == 1, "said twice, told once"


@pytest.mark.parametrize("outcome", ["failed", "retry", ""])
def test_a_message_that_was_not_sent_is_followed_by_nothing(outcome):
    world = World(after(more="hello delivered", lost="hello not opened, within 1 hour"))
    world.outcome = outcome
    world.event("hi").later(5 * HOUR)
    assert world.told() == []


def test_where_nobody_knows_whether_it_was_sent_only_feedback_says_so():
    world = World(after(more="hello delivered", lost="hello not opened, within 1 hour"))
    world.outcome = "unknown"
    world.event("hi").later(2 * HOUR)
    assert world.told() == []
    world.outcome = "sent"
    world.answer("opened")
    assert world.told() == [("more", 2 * HOUR)]


@pytest.mark.parametrize("kind", ["opened", "clicked", "dismissed", "useful", "not_useful"])
def test_feedback_on_a_message_wakes_what_follows_upon_it(kind):
    world = World(after(more=f"hello {kind}, within 2 hours")).event("hi").later(60)
    world.answer(kind)
    assert world.told() == [("more", 60.0)]
    world.later(60).answer(kind)
    assert len(world.told()) == 1


def test_who_clicked_has_opened():
    world = World(after(more="hello opened", nag="hello not opened, within 1 hour")).event("hi").later(60)
    world.answer("clicked").later(3 * HOUR)
    assert world.told() == [("more", 60.0)]


def test_feedback_after_its_time_wakes_nothing():
    world = World(after(more="hello clicked, within 2 hours", other="hello clicked, within 1 day")).event("hi")
    world.later(2 * HOUR + 1).answer("clicked")
    assert world.told() == [("other", 2 * HOUR + 1)]


def test_the_conversion_wakes_within_its_time_and_not_before_the_message():
    world = World(after(more="hello converted")).event("hi").later(60)
    world.event("purchase", at=START - 5.0)
    assert world.told() == []
    world.later(60).event("purchase")
    assert world.told() == [("more", 120.0)]
    world.event("purchase")
    assert len(world.told()) == 1
    world = World(after(more="hello converted")).event("hi").later(3 * HOUR + 1).event("purchase")
    assert world.told() == [], "the other rule's own time is over"


def test_a_conversion_that_a_server_reports_counts():
    world = World(after(more="hello converted")).event("hi").later(60)
    world.put(Feedback("f1", "purchase", world.now, person="d1"))
    assert world.told() == [("more", 60.0)]


def test_not_converted_wakes_at_the_end_of_its_time_and_never_where_it_was():
    world = World(after(more="hello not converted, within 2 hours")).event("hi").later(2 * HOUR)
    assert world.told() == [("more", 2 * HOUR)]
    world = World(after(more="hello not converted, within 2 hours")).event("hi").later(60).event("purchase")
    assert world.later(5 * HOUR).told() == []


def test_what_happens_after_the_time_though_before_the_tick_does_not_count():
    world = World(after(more="hello not converted, within 2 hours")).event("hi")
    world.now += 2 * HOUR + 1  # the server was down: no tick came
    world.event("purchase").later(10)
    assert world.told() == [("more", 2 * HOUR)]


def test_each_waits_its_own_time():
    world = World(after(soon="hello not opened, within 1 hour", late="hello not opened, within 1 day")).event("hi")
    world.later(2 * HOUR).answer("opened")
    assert world.later(48 * HOUR).told() == [("soon", HOUR)]
    assert world.core.state.followed == {}, "and then it is forgotten"


def test_rules_that_one_word_wakes_compete():
    text = after(low="hello clicked", high="hello opened").replace(b"  high:\n", b"  high:\n    priority: 90\n")
    world = World(text).event("hi").later(60).answer("clicked")
    assert sorted((m.rule, str(m.decision.reason)) for m in world.moments[1:]) == [("high", "OK"), ("low", "OUTRANKED")]


def test_a_journey_of_three_messages():
    world = World(after(second="hello not opened, within 1 hour", third="second delivered")).event("hi").later(2 * HOUR)
    assert world.told() == [("second", HOUR), ("third", HOUR)]


def test_a_rule_may_follow_upon_itself_within_its_limits():
    text = after(nag="nag not opened, within 1 hour").replace(
        b"      after: nag not", b"    - event: go\n    - after: nag not"
    )
    text = text.replace(b"  nag:\n", b"  nag:\n    limits:\n      per_person: 3 per day\n")
    world = World(text).event("go").later(10 * HOUR)
    assert [(m.rule, str(m.decision.reason)) for m in world.moments] == [("nag", "OK")] * 3 + [("nag", "RULE_LIMIT")]


def test_it_survives_a_restart():
    world = World(after(more="hello not opened, within 1 hour", click="hello clicked")).event("hi").later(60)
    world.restart().answer("clicked").restart().later(3 * HOUR)
    assert world.told() == [("click", 60.0)]
    world = World(after(more="hello not opened, within 1 hour")).event("hi").later(60).restart().later(3 * HOUR)
    assert world.told() == [("more", HOUR)]


def test_a_release_in_which_nobody_follows_forgets_and_one_with_another_time_waits_that():
    world = World(after(more="hello not opened, within 1 hour")).event("hi").later(60)
    world.release(after(more="hello not opened, within 2 hours"))
    assert world.later(3 * HOUR).told() == [("more", 2 * HOUR)]
    world = World(after(more="hello not opened, within 1 hour")).event("hi").later(60)
    world.release(FIRST.encode())
    assert world.core.state.followed == {}
    world.release(after(more="hello not opened, within 1 hour"))
    assert world.later(3 * HOUR).told() == []


def test_what_is_kept_of_one_person_is_bounded(monkeypatch):
    monkeypatch.setattr(sequels, "MOST_EACH", 3)
    world = World(after(more="hello opened"))
    for _ in range(5):
        world.event("hi").later(10)
    assert len(world.core.state.followed) == 3
    world.answer("opened", 0).answer("opened", 4)
    assert [m.cause.data["moment"] for m in world.moments[5:]] == [world.notifications[4].moment]


def test_an_unknown_notification_changes_nothing():
    world = World(after(more="hello opened"))
    world.put(Feedback("f", "opened", world.now, "ntf_none", "d1"))
    assert world.told() == []


Deed = tuple[str, float]


@settings(max_examples=60, deadline=None)
@given(
    deeds=st.lists(
        st.tuples(st.sampled_from(["opened", "clicked", "purchase", "hi", "restart"]), st.floats(1, 5000)), max_size=8
    ),
    within=st.sampled_from(["1 hour", "90 minutes", "2 hours"]),
)  # fmt: skip
def test_exactly_one_of_it_and_its_absence_wakes(deeds: list[Deed], within: str) -> None:
    """For every message and outcome: either it became so in time, or it did not, never both, never neither."""
    lines = {}
    for outcome in ("opened", "clicked", "converted"):
        lines |= {
            outcome[:2]: f"hello {outcome}, within {within}",
            f"no-{outcome[:2]}": f"hello not {outcome}, within {within}",
        }
    world = World(after(**lines)).event("hi")
    acts: dict[str, Callable[[], Any]] = {
        "opened": lambda: world.answer("opened"),
        "clicked": lambda: world.answer("clicked"),
        "purchase": lambda: world.event("purchase"),
        "hi": lambda: world.put(ProfileChange("d1", False, {"x": 1})),
        "restart": lambda: world.restart(),
    }
    for deed, seconds in deeds:
        world.later(seconds)
        acts[deed]()
    world.later(9 * HOUR)
    first = world.moments[0].id
    woken = [(m.rule, m.cause.data["outcome"]) for m in world.moments if m.cause.data.get("moment") == first]
    assert len(woken) == len(set(woken))
    assert sorted(rule.removeprefix("no-") for rule, _ in woken) == ["cl", "co", "op"]
