"""A desk at which candidates are decided: one person, a clock told in local time, rules with defaults."""

import itertools
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import pytest

from engine.decide import Candidate, Decided, Decider, DecideState, load_zone
from engine.model.moment import Check, Hold
from engine.model.person import Person
from engine.model.release import DecidePolicy, Policy, Release
from engine.model.rule import Cap, Limits, MessageSpec, MessageText, Offer, Rule
from engine.model.signal import Cause

NOON = "2026-11-24 12:00"  # a Tuesday


class Desk:
    """Decides for one person. Each candidate is its own trigger unless told ``id``."""

    def __init__(
        self,
        *rules: Rule,
        zone: str = "Europe/Berlin",
        offers: Sequence[Offer] = (),
        test: Policy | None = None,
        guard: int = 1000,
        channels: tuple[str, ...] = ("push", "sms"),
        salt: str = "salt",
        **policy: Any,
    ) -> None:
        policy = {"caps": (), "cooldown": 0.0, "quiet_hours": None, "time_zone": "UTC"} | policy
        extra = {"test": test.test} if test else {}
        decide = DecidePolicy(**policy)
        self.policy = Policy(decide=decide, channels=channels, sends_per_minute=guard, **extra)
        self.rules = rules or (self.rule(),)
        self.release = Release("r1", self.rules, policy=self.policy, offers={offer.id: offer for offer in offers})
        self.state = DecideState()
        self.decider = Decider(self.release, self.state, salt)
        self.person = Person("p1")
        self.zone_name = zone
        self.zone = load_zone(zone)
        self.holds: list[Hold] = []
        self._count = itertools.count()

    @staticmethod
    def rule(id: str = "coffee", channels: tuple[str, ...] = (), send_within: float | None = None, **kw: Any) -> Rule:
        """A rule with nothing special about it; ``per_person`` and ``total`` are its limits."""
        limits = Limits(kw.pop("per_person", ()), kw.pop("total", ()))
        message = MessageSpec(MessageText("Hi"), channels, send_within=send_within)
        return Rule(id, (), message, limits=limits, **kw)

    def at(self, text: str, fold: int = 0) -> float:
        """Local wall clock to epoch seconds."""
        return datetime.fromisoformat(text).replace(tzinfo=self.zone, fold=fold).timestamp()

    def candidate(self, rule: Rule | None = None, now: str | float = NOON, **kw: Any) -> Candidate:
        """One match at ``now``, of a fence that was entered or, with ``event``, of an event."""
        instant = self.at(now) if isinstance(now, str) else now
        event = kw.get("event")
        cause = Cause(
            kw.get("id") or f"t{next(self._count)}",
            "event" if event else "enter",
            kw.get("cause_at", instant),
            fence=None if event else kw.get("fence", "cafe"),
            event=event,
        )
        person = kw.get("person") or self.person
        return Candidate(rule or self.rules[0], cause, person, "d1", None, kw.get("checks", ()), kw.get("score"))

    def decide(
        self, candidates: Sequence[Candidate], now: str | float = NOON, keep: bool = True, goes: bool = True
    ) -> list[Decided]:
        """Decide candidates of one cause together. What is sent goes at its first instant, unless it only ``goes``
        later."""
        instant = self.at(now) if isinstance(now, str) else now
        decided, holds = self.decider.decide(candidates, instant, self.zone, self.zone_name, keep)
        self.holds += holds
        for sent in (sent for candidate in candidates for sent in candidate.person.sent if goes):
            sent.until = 0.0
        return decided

    def one(self, rule: Rule | None = None, now: str | float = NOON, **kw: Any) -> Decided:
        """Decide a single candidate."""
        (decided,) = self.decide([self.candidate(rule, now, **kw)], now)
        return decided

    def reason(self, rule: Rule | None = None, now: str | float = NOON, **kw: Any) -> str:
        """Only the word."""
        return str(self.one(rule, now, **kw).decision.reason)

    def check(self, decided: Decided, name: str) -> Check:
        """The check of that name in the trace."""
        return next(check for check in decided.decision.checks if check.name == name)


@pytest.fixture(scope="session")
def desk() -> Callable[..., Desk]:
    """Makes desks."""
    return Desk


@pytest.fixture(scope="session")
def cap() -> type[Cap]:
    """Caps, for brevity."""
    return Cap
