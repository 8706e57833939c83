"""An error of our own costs what it concerns, and nothing else: others go on, replays agree, a restart comes up."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from engine.decide import Decider
from engine.errors import AuthorError
from engine.model.moment import Effects
from engine.model.record import ProfileChange, Tick
from engine.model.signal import Signal
from engine.pipeline import core as core_module
from engine.pipeline import profiles
from engine.pipeline.core import Core
from engine.pipeline.flight import Flight
from engine.pipeline.moments import Composing
from engine.pipeline.scheduled import Firings
from engine.pipeline.sequels import Sequels
from engine.pipeline.windows import Windows
from engine.sense import fast
from engine.sense.machine import Machine
from engine.sense.segment import Segment
from engine.sense.single import Single
from tests.pipeline.test_determinism import (
    RULES,
    bundle,
    effects_of,
    frames_of,
    journal,
    restarted,
    versions,
    with_attempts,
)
from tests.pipeline.test_flight import HELLO, Line

pytestmark = pytest.mark.faulty

BAD = "d3"


class Bug(Exception):
    """Ours."""


@pytest.fixture(autouse=True)
def without_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error can be put into Python alone: whether a server of another test has loaded the loops must not show."""
    monkeypatch.setattr(fast, "kernels", None)


def failing(patch: pytest.MonkeyPatch, owner: Any, name: str, when: Callable[..., bool]) -> None:
    """Let a call fail where ``when`` says so of its arguments."""
    real = getattr(owner, name)

    def call(*args: Any, **more: Any) -> Any:
        if when(*args, **more):
            raise Bug(name)
        return real(*args, **more)

    patch.setattr(owner, name, call)


def judged(rule: Any, situation: Any) -> bool:
    return situation.device == BAD


STAGES: dict[str, tuple[Any, str, Callable[..., bool]]] = {
    "sense": (Single, "_told", lambda self, report, seen: report.fence == "office"),
    "timer": (Machine, "fire", lambda self, device, timer, record: device.name == BAD),
    "history": (core_module.history, "note_transition", lambda person, t, horizon: t.device == BAD),
    "left": (Flight, "left", lambda self, t, fx: t.device == BAD),
    "event": (core_module.history, "note_event", lambda person, event, horizon: person.id == "p2"),
    "match": (Core, "_judge", lambda self, rule, o, situation, fx: o.device == BAD),
    "decide": (Decider, "decide", lambda self, candidates, *rest: candidates[0].device == BAD),
    "compose": (Composing, "_compose", lambda self, decided, *rest: decided.candidate.device == BAD),
    "profile": (profiles, "change", lambda state, record, now: record.person == "p1"),
    "link": (profiles, "link", lambda state, device, person: device == BAD),
    "context": (core_module, "stick", lambda state, device, context, at: device == BAD),
    "attempt": (Flight, "_attempt", lambda self, record, now, fx: record.moment.endswith(("1", "3", "5"))),
    "followed": (Sequels, "_over", lambda self, moment, one, due: moment[-1] in "01234567"),
    "schedule": (Firings, "_calls", lambda self, person, at, coming: person.id in (BAD, "p3")),
    "window": (Windows, "left", lambda self, people, t, rules: t.device == BAD),
}

DULL = ("followed", 20.0)  # nothing is followed to its end in so short a past


@pytest.mark.parametrize(
    ("stage", "window"), [(stage, window) for window in (0.0, 20.0) for stage in STAGES if (stage, window) != DULL]
)
def test_whatever_fails_every_replay_passes_over_the_same(
    stage: str, window: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = bundle(window), bundle(window, RULES.replace(b"for 5 minutes", b"for 8 minutes"))
    lib = versions(one, two)
    failing(monkeypatch, *STAGES[stage])
    seed = 11 if stage != "followed" else 5  # one that meets it
    records = with_attempts(journal(seed, [one.hash, two.hash]), lib, seed)
    live = Core(lib)
    whole = effects_of(live, frames_of(records, ()), 10_000)
    assert live.faults.counts, "it was met"
    assert live.state.faults
    frames = frames_of(records, range(0, 500, 7))
    core, pieces, last = Core(lib), [], 0
    for stop in (60, 150, len(frames)):
        pieces += effects_of(core, frames[last:stop], 5)
        core, last = restarted(core, lib), stop
    assert sorted(pieces) == whole
    assert core.state.faults == live.state.faults


# ------------------------------------------------------------------ others


def enters(device: str, now: float) -> Signal:
    return Signal(device, now, 1, id="1", lat=52.52, lon=13.405, accuracy=5.0)


def reasons(fx: Effects) -> dict[str, str]:
    return {m.device: str(m.decision.reason) for m in fx.moments}


def crowd(count: int = 12) -> tuple[Line, list[Signal]]:
    line = Line()
    return line, [enters(f"d{n}", line.now) for n in range(count)]


@pytest.mark.parametrize("count", [4, 12], ids=["one by one", "in columns"])
def test_a_signal_that_cannot_be_sensed_is_passed_over_alone(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    line, signals = crowd(count)
    bad = line.core.sense._devices
    failing(monkeypatch, Single, "_look", lambda self, row, device, fix: bad.names[row] == BAD)
    failing(monkeypatch, Segment, "stirred", lambda self, devices, single: True)
    fx = line.give(*signals)
    assert reasons(fx) == {s.device: "OK" for s in signals if s.device != BAD}
    assert line.core.sense.position(BAD).lat is None
    assert [(f.stage, f.what) for f in line.core.state.faults] == [("sense", BAD)]


def test_columns_that_fail_after_they_began_lose_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    line, signals = crowd()
    failing(monkeypatch, Segment, "settle", lambda self, devices: True)
    assert reasons(line.give(*signals)) == {s.device: "OK" for s in signals}
    assert line.core.faults.counts == {"sense": 1}
    assert all(line.core.sense.position(s.device).lat == 52.52 for s in signals)


def test_a_rule_that_cannot_be_judged_is_told_and_costs_no_other_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    two = HELLO + HELLO.split("rules:\n")[1].replace("  hello:", "  other:")
    line = Line(two)
    failing(monkeypatch, Core, "_judge", lambda self, rule, o, s, fx: rule.rule.id == "hello")
    fx = line.event()
    assert {m.rule: str(m.decision.reason) for m in fx.moments} == {"hello": "ERROR", "other": "OK"}
    check = fx.moments[0].decision.checks[-1] if fx.moments[0].rule == "hello" else fx.moments[1].decision.checks[-1]
    assert "Bug at test_faults.py" in str(check.saw)


def test_what_was_taken_for_a_message_that_cannot_be_made_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line()
    failing(monkeypatch, Composing, "moment", lambda self, decided, *rest: decided.candidate.device == BAD)
    fx = line.give(*(Signal(f"d{n}", line.now, n, id=str(n), event="hello") for n in range(5)))
    assert reasons(fx) == {"d0": "OK", "d1": "OK", "d2": "OK", BAD: "ERROR", "d4": "OK"}
    assert line.core.state.people[BAD].sent == []
    assert len(fx.notifications) == 4


def test_a_moment_that_no_store_could_keep_is_told_without_what_it_saw(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line()
    real = Composing.moment

    def too_large(self: Composing, *args: Any) -> Any:
        moment = real(self, *args)
        return msgspec.structs.replace(moment, trace={"n": 2**70})

    monkeypatch.setattr(Composing, "moment", too_large)
    fx = line.event()
    assert reasons(fx) == {"d1": "ERROR"}
    assert msgspec.msgpack.encode(fx.moments)
    assert fx.notifications == []


def test_an_attempt_that_cannot_be_worked_through_does_not_leave_its_row_sending(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for outcome, status in (("sent", "sent"), ("unknown", "unknown"), ("failed", "dead"), ("retry", "dead")):
        line = Line()
        sent = line.event()
        with monkeypatch.context() as patch:
            failing(patch, Flight, "_attempt", lambda *args: True)
            fx = line.attempt(sent, outcome)
        assert [s.status for s in fx.settled] == [status]
        line.give(Tick(), after=2000.0)
        assert bool(line.core.state.people["d1"].sent) is (outcome in ("sent", "unknown")), outcome


def test_a_release_that_cannot_be_put_in_force_leaves_the_last_good_one(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line()
    good = line.core.state.release
    from engine.sense.single import Single as Law

    with monkeypatch.context() as patch:
        failing(patch, Law, "bind", lambda self, fences, policy: len(fences.ids) > 0 and self.fences is not fences)
        line.release(HELLO.replace("Hello", "Hi"))
    assert line.core.state.release == good
    assert line.core.compiled.release.hash == good
    assert reasons(line.event()) == {"d1": "OK"}
    assert line.core.skipped_releases == 1


def test_a_withdrawal_whose_cancelling_fails_still_lets_nothing_go(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line()
    line.give(ProfileChange("p1", False, devices=("d1",)))
    line.event()
    with monkeypatch.context() as patch:
        failing(patch, Flight, "_consents", lambda *args: True)
        fx = line.give(ProfileChange("p1", False, consent={"marketing": False}))
    assert [(str(c.reason), c.person) for c in fx.cancels] == [("NO_CONSENT", "p1")]


def test_memory_that_runs_out_is_no_error_of_a_record(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line()

    def full(*args: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(profiles, "change", full)
    with pytest.raises(MemoryError):
        line.give(ProfileChange("p1", False))


def test_interrupts_stop_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line()

    def stop(*args: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Decider, "decide", stop)
    with pytest.raises(KeyboardInterrupt):
        line.event()


def test_of_a_transition_that_wakes_no_rule_only_history_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line(HELLO.replace("enters: cafe", "exits: cafe"))
    failing(monkeypatch, core_module.causes, "of_transition", lambda t: True)
    failing(monkeypatch, Core, "_situation", lambda self, o: True)
    line.at(52.52, 1)
    assert [visit.fence for visit in line.core.state.people["d1"].stays] == ["cafe"]
    assert line.core.faults.counts == {}


# ------------------------------------------------------------------ live


async def test_the_server_goes_on_says_so_and_comes_up_again(
    start: Any, hello: Any, kill: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, Core, "_judge", lambda self, rule, o, s, fx: o.device == BAD)
    runner = await start()
    await runner.ingest([hello(1), hello(2, BAD), hello(3, "d9")])
    await runner.flush(applied=True)
    assert sorted(row.notification.device for row in await runner.store.rows()) == ["d1", "d9"]
    health = runner.health()
    assert health["ready"]
    assert "Bug at test_faults.py" in health["notes"]["errors"]
    runner.gauge()
    assert 'herenow_errors_total{stage="rule"} 1.0' in runner.metrics.render().decode()
    await kill(runner)
    again = await start(rules=None)
    assert again.health()["ready"]
    assert again.divergence == 0
    assert "errors" in again.health()["notes"]
    await again.ingest([hello(4, "d5")])
    await again.flush(applied=True)
    assert len(await again.store.rows()) == 3


async def test_each_kind_of_error_is_logged_once_with_its_traceback(
    start: Any, hello: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from structlog.testing import capture_logs

    failing(monkeypatch, Decider, "decide", lambda *args: True)
    runner = await start()
    with capture_logs() as lines:
        for n in range(5):
            await runner.ingest([hello(n)])
            await runner.flush(applied=True)
    told = [line for line in lines if line["event"].startswith("an error in the core")]
    assert [(line["stage"], type(line["exc_info"])) for line in told] == [("decide", Bug)]


async def test_who_activates_a_release_that_cannot_be_put_in_force_is_told(
    start: Any, hello: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.author.project import Bundle
    from engine.sense import Sense

    runner = await start()
    good = runner.core.state.release
    rules = "rules:\n  other:\n    when:\n      event: other\n    message:\n      body: Hi\n"
    bundle = Bundle({"rules/all.yaml": rules.encode()}, runner.config.policy)
    with monkeypatch.context() as patch:
        failing(patch, Sense, "use", lambda *args: True)
        with pytest.raises(AuthorError, match="NOT_IN_FORCE"):
            await runner.activate(bundle)
    assert runner.core.state.release == good
    await runner.activate(bundle)
    assert runner.core.state.release == bundle.hash
