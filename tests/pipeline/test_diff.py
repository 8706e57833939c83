"""Two runs over one past: what is gained, lost and changed, with caps, quiet hours and budgets in force in both."""

import random
from collections.abc import Iterable, Sequence

import msgspec
import pytest

from engine.author.project import Bundle
from engine.model.moment import Notification
from engine.model.record import (
    Attempt,
    Control,
    Feedback,
    Frame,
    Genesis,
    ProfileChange,
    Record,
    ReleaseChange,
    ScheduleDue,
)
from engine.model.release import DecidePolicy, Policy
from engine.model.rule import Cap
from engine.model.signal import Signal
from engine.pipeline import diff_run
from engine.pipeline.core import Core
from engine.pipeline.diff import Comparison
from engine.pipeline.diff_run import LockStep, Side
from engine.pipeline.diff_words import Ground, Report, report, text
from engine.pipeline.releases import compile_all
from engine.pipeline.replay import drive
from engine.sense import FenceSet, Sense, fast, names
from tests.pipeline.test_determinism import START, bundle, frames_of, journal, versions, with_attempts

NOON = 1_795_521_600.0  # Tuesday 2026-11-24 12:00 UTC
OPEN = DecidePolicy(quiet_hours=None, caps=(), cooldown=0.0)


def rule(id: str, event: str = "open", more: str = "", body: str = "Hi") -> str:
    lines = f"  {id}:\n    when:\n      event: {event}\n    conversion: purchase\n    message:\n      body: {body}\n"
    return lines + "".join(f"    {line}\n" for line in more.splitlines())


def files(*rules: str, decide: DecidePolicy = OPEN, **policy: object) -> Bundle:
    text = "rules:\n" + "".join(rules)
    return Bundle({"rules/all.yaml": text.encode()}, Policy(decide=decide, channels=("console", "inbox"), **policy))


def event(device: str, at: float, name: str = "open", **more: object) -> tuple[float, Record]:
    return at, Signal(device, at, key=round(at * 1000), event=name, **more)


def attempt(moment_of: Core, at: float, number: int = 1, outcome: str = "sent") -> tuple[float, Record]:
    """A result for the one notification in flight."""
    n: Notification = next(iter(moment_of.state.inflight.values())).notification
    return at, Attempt(n.id, n.moment, n.person, n.channel, number, outcome, at)


class Pair:
    """The two runs, and the comparison between them."""

    def __init__(self, old: Bundle, new: Bundle, begin: float = NOON - 10) -> None:
        lib = {b.hash: compile_all(b)[0] for b in (old, new)}
        self.old, self.new = Core(lib), Core(lib)
        self.new.step([Frame(0, begin, [ReleaseChange(new.hash)])])
        self.sides = Side(self.old, follows=True), Side(self.new)
        self.steps = LockStep(self.sides, lambda core, record: None)
        self.comparison = Comparison(self.old, self.new)
        self._names = old.hash, new.hash
        self._offset = 0
        self.go([(begin, Genesis("p", "salt", 1)), (begin, ReleaseChange(old.hash))])

    def go(self, records: Iterable[tuple[float, Record]]) -> "Pair":
        frames = []
        for received, record in records:
            frames.append(Frame(self._offset, received, [record]))
            self._offset += 1
        self.frames(frames)
        return self

    def frames(self, frames: Sequence[Frame]) -> None:
        for _ in self.steps.run(frames):
            self.comparison.add(*(side.take() for side in self.sides))

    def wait(self, until: float) -> "Pair":
        self.steps.wait(until)
        self.comparison.add(*(side.take() for side in self.sides))
        return self

    def report(self) -> Report:
        return report(self.comparison, Ground(NOON, NOON + 3600, 1, (self._names[0],), self._names[1]))


def compared(old: Bundle, new: Bundle, records: Iterable[tuple[float, Record]]) -> Report:
    return Pair(old, new).go(records).report()


def kinds(r: Report) -> list[tuple[str, str, str]]:
    return [(d.kind, d.rule, d.person) for d in r.moments if d.kind != "reason"]


# ------------------------------------------------------------------ gained, lost, changed


def test_a_looser_condition_gains_and_a_tighter_one_loses_people():
    old = files(rule("hello", more="only_if:\n  - event.value > 5"), rule("other", "bye"))
    new = files(
        rule("hello", more="only_if:\n  - event.value > 2"), rule("other", "bye", "only_if:\n  - event.value > 9")
    )
    records = [event(f"d{i}", NOON + i, context={"value": i}) for i in range(8)]
    records += [event(f"d{i}", NOON + 50 + i, "bye", context={"value": i}) for i in range(2)]
    r = compared(old, new, records)
    assert kinds(r) == [("gained", "hello", "d3"), ("gained", "hello", "d4"), ("gained", "hello", "d5"),
                        ("lost", "other", "d0"), ("lost", "other", "d1")]  # fmt: skip
    hello, other = sorted(r.rules, key=lambda line: line.rule)
    assert (hello.before, hello.after, hello.people_more, hello.people_fewer) == (2, 5, 3, 0)
    assert hello.why_gained == {"event.value > 5": 3}
    assert other.why_lost == {"event.value > 9": 2}
    assert r.summary[0] == ("3 more people would have got hello (5 instead of 2), 2 fewer other (0 instead of 2).")
    assert "Nobody above a cap, nothing in quiet hours." in r.summary


def test_text_channel_and_time_are_changes_and_not_gains():
    old = files(rule("words"), rule("way", "b"), rule("when", "c"))
    way = rule("way", "b").replace("body", "channels: inbox\n      body")
    quiet = DecidePolicy(quiet_hours=(12 * 60, 12 * 60 + 5), caps=(), cooldown=0.0)
    new = files(rule("words", body="Hello"), way, rule("when", "c"), decide=quiet)
    r = compared(old, new, [event("d1", NOON + 10, "c"), event("d1", NOON + 400), event("d1", NOON + 401, "b")])
    found = {(d.rule, d.fields) for d in r.moments}
    assert found == {("words", ("text",)), ("way", ("channel",)), ("when", ("decision", "time"))}
    assert r.totals["changed"] == 3
    assert any("1 would have read differently" in line for line in r.summary)


def test_nothing_differs_and_that_is_said():
    old = files(rule("hello"))
    r = compared(old, files(rule("hello", more="about: another comment")), [event("d1", NOON)])
    assert r.moments == ()
    assert r.summary[0] == "Nobody would have noticed: the same 1 message to the same people."


def test_a_rule_that_is_gone_and_one_that_nothing_woke_are_told_apart():
    old = files(rule("gone"), rule("moved", "b"))
    new = files(rule("moved", "c"))
    r = compared(old, new, [event("d1", NOON), event("d1", NOON + 5, "b")])
    assert {line.rule: line.why_lost for line in r.rules} == {"gone": {"NO_RULE": 1}, "moved": {"NOT_WOKEN": 1}}


def test_another_reason_for_no_message_is_counted_apart():
    old = files(rule("hello", more="status: paused"))
    new = files(rule("hello", more="canary: 0.000001%"))
    r = compared(old, new, [event("d1", NOON)])
    (delta,) = r.moments
    assert (delta.kind, delta.before.reason, delta.after.reason) == ("reason", "RULE_PAUSED", "CANARY")
    assert r.totals["gained"] == r.totals["lost"] == r.totals["changed"] == 0
    assert r.totals["other_reasons"] == 1


def lived(seed: int) -> tuple[Bundle, list[tuple[float, Record]]]:
    """A random past with every kind of record, schedules as a live server adds them, and attempts of all outcomes."""
    one = bundle()
    lib = versions(one)
    first, second, *others = journal(seed, [one.hash], 400)
    records = [first, second, *((at, r) for at, r in others if type(r) not in (ScheduleDue, ReleaseChange))]
    stepped = drive(Core(lib), frames_of(records, ()))
    records = [(frame.received, r) for frame, _ in stepped for r in frame.records]
    records = with_attempts(records, lib, seed)
    # What comes at the very instant of a schedule has no order of its own: a millisecond before it is before it.
    late = (Attempt, Feedback)
    return one, [(at - 0.001 if type(r) in late and at % 900 == 0 else at, r) for at, r in records]


@pytest.mark.parametrize("seed", range(8))
def test_the_same_files_never_differ(seed: int):
    one, records = lived(seed)
    pair = Pair(one, one, START)
    pair.frames(frames_of(records, sorted(random.Random(seed).sample(range(400), 80))))
    r = pair.report()
    assert r.totals["before"] == r.totals["after"] > 5
    assert r.moments == ()


@pytest.mark.parametrize("seed", range(3))
def test_a_tick_of_the_past_says_nothing_that_time_did_not(seed: int, monkeypatch: pytest.MonkeyPatch):
    one, records = lived(seed)
    found = []
    for tells in (diff_run._ticks, lambda frame: False):
        passed = []
        monkeypatch.setattr(diff_run, "_ticks", lambda f, tells=tells, to=passed: tells(f) and (to.append(1) or True))
        pair = Pair(one, one, START)
        pair.frames(frames_of(records, range(1, len(records))))
        found.append((pair.report(), [b"".join(core.sense.pieces()) for core in (pair.old, pair.new)], len(passed)))
    (report, sensed, some), (asked, stepped, none) = found
    assert (report, sensed) == (asked, stepped)
    assert some > 5
    assert none == 0


@pytest.mark.parametrize("seed", range(3))
def test_what_is_sensed_ahead_leads_to_the_same_in_both_runs(seed: int, monkeypatch: pytest.MonkeyPatch):
    """By the compiled loops many seconds are sensed at once, and told in their order; without them nothing is."""
    pytest.importorskip("numba")
    for module, name, value in ((fast, "kernels", None), (names, "loops", None), (FenceSet, "grounded", False)):
        monkeypatch.setattr(module, name, value)
    one, records = lived(seed)
    found, ahead = [], []
    foresee = Sense.foresee
    monkeypatch.setattr(Sense, "foresee", lambda self, *a: (foresee(self, *a), ahead.append(self._ahead is not None)))
    for loops in (False, True):
        assert not loops or fast.load()
        pair = Pair(one, one, START)
        pair.frames(frames_of(records, range(1, len(records))))
        found.append((pair.report(), [msgspec.json.encode(core.state.people) for core in (pair.old, pair.new)]))
        assert any(ahead) is loops
    assert found[0] == found[1]


# ------------------------------------------------------------------ in force in both runs

CAPPED = DecidePolicy(quiet_hours=None, caps=(Cap(1, "day"),), cooldown=0.0)


def test_a_new_message_uses_up_the_cap_of_a_later_one():
    old = files(rule("late", "b"), decide=CAPPED)
    new = files(rule("early", "a"), rule("late", "b"), decide=CAPPED)
    r = compared(old, new, [event("d1", NOON, "a"), event("d1", NOON + 7200, "b")])
    assert kinds(r) == [("gained", "early", "d1"), ("lost", "late", "d1")]
    assert next(line for line in r.rules if line.rule == "late").why_lost == {"CAP": 1}


def test_what_only_the_new_run_sends_is_taken_as_sent():
    """Without that, its place under the cap would be given back when it expires."""
    pair = Pair(files(rule("x", "z"), decide=CAPPED), files(rule("early", "a"), decide=CAPPED))
    pair.go([event("d1", NOON, "a")]).wait(NOON + 3600)
    assert [sent.rule for sent in pair.new.state.people["d1"].sent] == ["early"]
    assert pair.new.state.inflight == {}


def test_what_is_taken_as_sent_went_at_its_own_time_whatever_came_with_it():
    new = files(rule("early", "a"))
    for others in ((), (0.4,), (0.4, 0.9, 4.9, 5.3)):
        pair = Pair(files(rule("x", "z")), new)
        pair.go([event("d1", NOON, "a"), *(event("d2", NOON + after, "b") for after in others)]).wait(NOON + 60)
        assert [sent.at for sent in pair.new.state.people["d1"].sent] == [NOON + diff_run.LAG]


@pytest.mark.parametrize("others", [(), (4.9,), (4.2, 5.15)])
def test_what_follows_a_message_taken_as_sent_comes_whatever_came_with_it(others):
    then = "  then:\n    purpose: service\n    when:\n      after: early converted\n    message:\n      body: More\n"
    pair = Pair(files(rule("x", "z")), files(rule("early", "a"), then))
    near = [event("d2", NOON + after, "b") for after in others]
    pair.go([event("d1", NOON, "a"), *near, event("d1", NOON + 5.3, "purchase")]).wait(NOON + 60)
    assert [sent.rule for sent in pair.new.state.people["d1"].sent] == ["early", "then"]


def test_a_failed_attempt_of_the_journal_gives_back_in_both_runs():
    old = files(rule("early", "a"), rule("late", "b"), decide=CAPPED)
    pair = Pair(old, files(rule("early", "a", body="Hey"), rule("late", "b"), decide=CAPPED))
    pair.go([event("d1", NOON, "a")])
    pair.go([attempt(pair.old, NOON + 3, outcome="failed"), event("d1", NOON + 60, "b")])
    r = pair.report()
    assert [(d.kind, d.rule) for d in r.moments] == [("changed", "early")]
    assert next(line for line in r.rules if line.rule == "late").after == 1


def test_nothing_is_taken_as_sent_while_paused():
    pair = Pair(files(rule("x", "z")), files(rule("early", "a", "cooldown: 0s")))
    pair.go([(NOON - 1, Control("pause", "channel", "console")), (NOON - 1, ProfileChange("d1", False))])
    pair.new.state.decide.switches.clear()  # decided before the switch was pulled
    pair.go([event("d1", NOON, "a")])
    pair.new.state.decide.pull(_switch())
    pair.wait(NOON + 60)
    assert len(pair.new.state.inflight) == 1
    pair.wait(NOON + 3600)
    assert pair.new.state.people["d1"].sent == []


def _switch():
    from engine.model.moment import Hold

    return Hold("channel", "console", True)


def test_a_control_group_holds_in_both_runs():
    old = files(rule("hello", more="control_group: 50%"))
    new = files(rule("hello", more="control_group: 50%", body="Hello"))
    r = compared(old, new, [event(f"d{i}", NOON + i) for i in range(40)])
    assert 5 < r.totals["before"] == r.totals["after"] < 35
    assert r.totals["changed"] == r.totals["before"]


def test_the_blast_guard_of_the_new_run_is_an_alarm():
    old = files(rule("hello", "z"))
    new = files(rule("hello"), sends_per_minute=5)
    r = compared(old, new, [event(f"d{i}", NOON + i * 0.1) for i in range(20)])
    assert r.guarded == ("hello",)
    assert any("blast guard" in line for line in r.summary)


def test_somebody_above_a_cap_would_be_seen(monkeypatch: pytest.MonkeyPatch):
    from engine.decide import decider

    monkeypatch.setattr(decider.limits, "caps", lambda *args: [])
    capped = files(rule("hello", "z"), decide=CAPPED)
    r = compared(capped, files(rule("hello"), decide=CAPPED), [event("d1", NOON + i) for i in range(3)])
    assert r.alarms == {"above 1 per day": ["d1"]}
    assert any(line.startswith("Careful: 1 person above 1 per day") for line in r.summary)


def test_somebody_disturbed_in_quiet_hours_would_be_seen(monkeypatch: pytest.MonkeyPatch):
    from engine.decide import decider

    monkeypatch.setattr(decider, "quiet_until", lambda *args: None)
    quiet = DecidePolicy(quiet_hours=(11 * 60, 13 * 60), caps=(), cooldown=0.0)
    r = compared(files(rule("hello", "z"), decide=quiet), files(rule("hello"), decide=quiet), [event("d1", NOON)])
    assert r.alarms == {"in quiet hours": ["d1"]}


def test_a_schedule_that_only_the_new_files_have_comes_by_itself():
    old = files(rule("x", "z"))
    daily = rule("daily").replace("event: open", "schedule: every day at 12:30")
    pair = Pair(old, files(daily))
    pair.go([event("d1", NOON), event("d1", NOON + 3600)]).wait(NOON + 3700)
    assert kinds(pair.report()) == [("gained", "daily", "d1")]


# ------------------------------------------------------------------ how it is told


def test_the_report_is_bounded_and_says_what_it_leaves_out():
    pair = Pair(files(rule("x", "z")), files(rule("hello")))
    pair.go([event(f"d{i}", NOON + i) for i in range(50)])
    r = report(pair.comparison, Ground(NOON, NOON + 60, 50, ("a",), "b"), limit=10)
    assert (len(r.moments), r.left_out, r.totals["gained"]) == (10, 40, 50)
    assert "... and 47 more" in "\n".join(text(r, moments=3))


def test_before_since_nothing_is_counted_but_all_is_remembered():
    old = files(rule("late", "b"), decide=CAPPED)
    pair = Pair(old, files(rule("early", "a"), rule("late", "b"), decide=CAPPED))
    pair.comparison._since = NOON + 100
    r = pair.go([event("d1", NOON, "a"), event("d1", NOON + 7200, "b")]).report()
    assert kinds(r) == [("lost", "late", "d1")]


def test_the_json_view_has_iso_instants_and_no_inside():
    r = compared(files(rule("x", "z")), files(rule("hello")), [event("d1", NOON)])
    view = r.view()
    assert view["moments"][0]["at"] == "2026-11-24T12:00:00Z"
    assert view["moments"][0]["after"]["body"] == "Hi"
    assert "fences" not in view
    assert view["hours"] == [{"at": "2026-11-24T12:00:00Z", "before": 0, "after": 1}]
    assert {"summary", "totals", "rules", "people", "alarms", "history_begins", "old", "new"} <= view.keys()
