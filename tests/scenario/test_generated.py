"""Generated days: the promises hold, and each of them is noticed when its guard is taken away."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from msgspec.structs import replace

from engine.decide import decider, limits
from engine.model.moment import Check, Decision, Moment
from engine.model.reason import Reason, Verdict
from engine.model.record import Attempt, Frame, ProfileChange, Record
from engine.model.release import Release
from engine.model.rule import Cap, Limits, MessageSpec, MessageText, Rule
from engine.model.signal import Cause
from engine.pipeline import flight
from engine.pipeline.core import Core
from engine.pipeline.versions import Compiled
from engine.scenario.describe import describe
from engine.scenario.generated import CUT, Checked, check_many
from engine.scenario.laws import violations
from engine.scenario.population import Population
from engine.scenario.vocabulary import vocabulary
from tests.scenario.town import POLICY, RULES, release_of

ROOT = Path(__file__).parents[2]

EAGER = """
rules:
  hello:
    when:
      enters: tag cafe
    cooldown: 0s
    message:
      body: Hello
    conversion: purchase
  bye:
    when:
      - exits: cafe or office or lane
      - event: app_open
    cooldown: 2 hours
    limits:
      per_person: 2 per 12 hours
    message:
      body: Bye
    conversion: purchase
  work:
    when:
      enters: office or lane
    cooldown: 0s
    limits:
      total: 1 per day
    message:
      body: Work
    conversion: purchase
"""


@pytest.fixture(scope="module")
def eager() -> Compiled:
    """Rules that send whenever they may."""
    return release_of(EAGER, replace(POLICY, decide=replace(POLICY.decide, caps=(Cap(4, "day"), Cap(3, 4 * 3600.0)))))


def found(release: Compiled, cases: int, seed: int = 1) -> list[Checked]:
    """The cases that break promises, until one does."""
    broken: list[Checked] = []
    for checked in check_many(release, cases, seed):
        if checked.broken is not None:
            return [checked]
    return broken


def laws(checked: Sequence[Checked]) -> set[str]:
    return {violation.law for one in checked if one.broken is not None for violation in one.broken.violations}


def test_the_promises_hold_and_there_is_something_to_hold(eager: Compiled) -> None:
    checked = list(check_many(eager, 12, 1))
    assert [one.broken for one in checked if one.broken is not None] == []
    assert sum(one.sent for one in checked) > 40
    assert sum(one.moments for one in checked) > 2 * sum(one.sent for one in checked)


def no_quiet_hours(patch: pytest.MonkeyPatch) -> None:
    """Two guards: what is decided in quiet hours, and the deadline of what waits."""
    for name in ("quiet_until", "next_quiet"):
        patch.setattr(decider, name, lambda *_: None)


GUARDS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "cap": lambda patch: patch.setattr(limits, "caps", lambda *_: []),
    "cooldown": lambda patch: patch.setattr(limits, "cooldown", lambda *_: Check("cooldown", True, step=5)),
    "limit per person": lambda patch: patch.setattr(limits, "per_person", lambda *_: []),
    "limit in total": lambda patch: patch.setattr(limits, "total", lambda *_: []),
    "quiet hours": no_quiet_hours,
    "consent": lambda patch: patch.setattr(decider, "consent_ok", lambda *_: True),
}


@pytest.mark.parametrize("law", GUARDS)
def test_a_guard_that_is_missing_is_noticed_and_shrunk(
    law: str, eager: Compiled, monkeypatch: pytest.MonkeyPatch
) -> None:
    GUARDS[law](monkeypatch)
    (checked,) = found(eager, 30)
    assert checked.broken is not None
    assert law in laws([checked])
    assert len(checked.broken.items) < len(checked.case.items) / 4
    lines = list(describe(checked.broken, eager.fences))
    assert lines[0].startswith("broken: ")
    assert lines[-1] == f"see it again: herenow test --generated 1 --seed {checked.case.seed}"


@pytest.mark.parametrize("guard", ["what waits obeys consent", "what is tried again obeys the deadline"])
def test_guards_of_what_waits_are_noticed(guard: str, monkeypatch: pytest.MonkeyPatch) -> None:
    patient = replace(POLICY.decide, send_within=6 * 3600.0, quiet_hours=(20 * 60, 9 * 60), caps=())
    rules = release_of(EAGER, replace(POLICY, decide=patient))
    if guard == "what waits obeys consent":
        monkeypatch.setattr(flight, "consent_ok", lambda *_: True)
        assert "consent" in laws(found(rules, 40, 5))
    else:
        monkeypatch.setattr(decider, "next_quiet", lambda *_: None)
        assert "quiet hours" in laws(found(rules, 60, 50))


def test_batches_that_show_are_noticed(eager: Compiled, monkeypatch: pytest.MonkeyPatch) -> None:
    step = Core.step

    def forgetful(core: Core, frames: Sequence[Frame]) -> object:
        if len(frames) > 5:
            for person in core.state.people.values():
                person.sent.clear()
        return step(core, frames)

    monkeypatch.setattr(Core, "step", forgetful)
    (checked,) = found(eager, 10)
    assert laws([checked]) == {CUT}


def test_a_seed_gives_the_same_days_in_every_process(eager: Compiled) -> None:
    population = Population(eager)
    assert population.case(7) == population.case(7)
    assert population.case(7) != population.case(8)
    code = "from tests.scenario.test_generated import *\nprint(hash_of(Population(release_of(EAGER)).case(7).items))"
    told = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed, "PATH": ""}, cwd=ROOT, capture_output=True,
            text=True, check=True,
        ).stdout.strip()
        for seed in ("0", "7")
    }  # fmt: skip
    assert len(told) == 1


def hash_of(items: object) -> int:
    """The same in every process."""
    import zlib

    return zlib.crc32(repr(items).encode())


def test_days_are_made_of_what_rules_speak_of() -> None:
    words = vocabulary(release_of(RULES).release)
    assert words.events == ("app_open", "complaint", "purchase")
    assert words.values["profile"] == {"tier": ("gold", "something else")}
    assert words.values["global"] == {"weather.temp_c": (11.0, 12.0, 13.0)}


# ------------------------------------------------------------------ the laws alone, on made-up histories


@dataclass
class History:
    """A journal of sends."""

    purpose: str = "marketing"
    zone: str = "UTC"

    def moment(self, at: float, name: str) -> Moment:
        decision = Decision(Verdict.SEND, Reason.OK, time_zone=self.zone)
        cause = Cause(name, "enter", at, fence="cafe")
        return Moment(name, "r", "h", "p", "d", cause, decision, at, at + 900.0, purpose=self.purpose)  # type: ignore[arg-type]

    def of(self, *times: float) -> tuple[list[Frame], list[Moment]]:
        moments = [self.moment(at, f"m{number}") for number, at in enumerate(times)]
        records: list[Record] = [Attempt(m.id, m.id, "p", "console", 1, "sent", m.at) for m in moments]
        return [Frame(n, m.at, [r]) for n, (m, r) in enumerate(zip(moments, records, strict=True))], moments


def release(**rule: object) -> Release:
    fields = {"cooldown": 0.0, "limits": Limits()} | rule
    rules = (Rule("r", (), MessageSpec(MessageText(body="x")), **fields),)  # type: ignore[arg-type]
    return Release("h", rules, policy=replace(POLICY, decide=replace(POLICY.decide, quiet_hours=None, caps=())))


NOON = 1_795_521_600.0  # 2026-11-24 12:00 UTC
HOUR = 3600.0


def broken(rules: Release, history: History, *times: float) -> list[str]:
    return [violation.law for violation in violations(rules, *history.of(*times))]


def test_rolling_windows_are_open_at_their_far_end() -> None:
    rules = release(limits=Limits(per_person=(Cap(1, HOUR),)))
    assert broken(rules, History(), NOON, NOON + HOUR) == []
    assert broken(rules, History(), NOON, NOON + HOUR - 1) == ["limit per person"]


def test_days_and_weeks_are_local_ones() -> None:
    rules = release(limits=Limits(per_person=(Cap(1, "day"),)))
    late, early = NOON + 10.5 * HOUR, NOON + 11.5 * HOUR  # 22:30 and 23:30 UTC
    assert broken(rules, History(), late, early) == ["limit per person"]
    assert broken(rules, History(zone="Europe/Berlin"), late, early) == []
    weekly = release(limits=Limits(per_person=(Cap(1, "week"),)))
    assert broken(weekly, History(), NOON, NOON + 4 * 86400.0) == ["limit per person"]
    assert broken(weekly, History(), NOON, NOON + 6 * 86400.0) == []


def test_quiet_hours_may_wrap_midnight_and_do_not_bind_transactional_messages() -> None:
    rules = release()
    policy = replace(rules.policy, decide=replace(rules.policy.decide, quiet_hours=(21 * 60, 8 * 60)))
    rules = replace(rules, policy=policy)
    night = NOON + 10 * HOUR
    assert broken(rules, History(), NOON, night) == ["quiet hours"]
    assert broken(rules, History(zone="Asia/Tokyo"), night) == ["quiet hours"]
    assert broken(rules, History(zone="America/New_York"), night) == []
    assert broken(rules, History(purpose="transactional"), night) == []


def test_cooldown_and_total_and_caps_count() -> None:
    assert broken(release(cooldown=HOUR), History(), NOON, NOON + HOUR - 1) == ["cooldown"]
    assert broken(release(limits=Limits(total=(Cap(1, "day"),))), History(), NOON, NOON + 1) == ["limit in total"]
    rules = release()
    rules = replace(rules, policy=replace(rules.policy, decide=replace(rules.policy.decide, caps=(Cap(1, "day"),))))
    assert broken(rules, History(), NOON, NOON + 1) == ["cap"]
    assert broken(rules, History(purpose="service"), NOON, NOON + 1) == []


def test_consent_is_that_of_the_instant() -> None:
    journal, moments = History().of(NOON, NOON + HOUR)
    no = Frame(9, NOON + 1, [ProfileChange("p", False, {}, {"marketing.console": False})])
    assert [v.at for v in violations(release(), [journal[0], no, journal[1]], moments)] == [NOON + HOUR]
    again = Frame(9, NOON + 2, [ProfileChange("p", True, {}, {})])
    assert violations(release(), [journal[0], no, again, journal[1]], moments) == []


def test_late_and_repeated_sends_are_told() -> None:
    journal, moments = History().of(NOON)
    late = Frame(1, NOON + 900.0, journal[0].records)
    assert [v.law for v in violations(release(), [late], moments)] == ["in time"]
    assert [v.law for v in violations(release(), [journal[0], journal[0]], moments)] == ["once"]
