"""A rule as deciding needs it: made once per release, nothing left to look up or parse."""

from collections.abc import Mapping
from dataclasses import dataclass

from engine.model.person import Person, Sent
from engine.model.release import Policy, Release
from engine.model.rule import Cap, Offer, Rule

DAY = 86400.0
WINDOWS = {"day": 2 * DAY, "week": 8 * DAY}
# A reservation outlives the last instant at which its send could begin by this much: results come back late.
LATE_RESULT = DAY
# Sends of rules that this release does not have: it may be rolled back.
UNKNOWN_RULE = 8 * DAY
MAX_SENT = 1000  # per person, beside those that a limit still sees


@dataclass(frozen=True, slots=True)
class Plan:
    """``sees``: how far back (seconds) the rule's own limits look; ``returns``: how long after it a send may still be
    given back. ``offer`` is None where the rule has none, or the release does not have it."""

    rule: Rule
    channels: tuple[str, ...]
    send_within: float
    cooldown: float
    sees: float
    returns: float
    offer: Offer | None
    offer_missing: bool

    @property
    def marketing(self) -> bool:
        """Obeys everything."""
        return self.rule.purpose == "marketing"

    @property
    def transactional(self) -> bool:
        """Asks neither consent nor quiet hours."""
        return self.rule.purpose == "transactional"


def make_plan(rule: Rule, release: Release) -> Plan:
    """The plan of one rule under one release."""
    policy = release.policy
    send_within = policy.decide.send_within if rule.message.send_within is None else rule.message.send_within
    cooldown = policy.decide.cooldown if rule.cooldown is None else rule.cooldown
    return Plan(
        rule=rule,
        channels=rule.message.channels or policy.channels[:1],
        send_within=send_within,
        cooldown=cooldown,
        sees=max([cooldown, *(window_seconds(cap) for cap in rule.limits.per_person)]),
        returns=send_within + LATE_RESULT,
        offer=None if rule.offer is None else release.offers.get(rule.offer),
        offer_missing=rule.offer is not None and rule.offer not in release.offers,
    )


def make_plans(release: Release) -> dict[str, Plan]:
    """The plans of all rules, by rule id."""
    return {rule.id: make_plan(rule, release) for rule in release.rules}


def window_seconds(cap: Cap) -> float:
    """How far back a cap can look, zone changes included."""
    return WINDOWS[cap.per] if isinstance(cap.per, str) else cap.per


class Memory:
    """How long a person's sends are remembered: as long as a limit can see them or a failure can give them back."""

    def __init__(self, plans: Mapping[str, Plan], policy: Policy) -> None:
        self._plans = plans
        self._caps = max((window_seconds(cap) for cap in policy.decide.caps), default=0.0)

    def trim(self, person: Person, now: float) -> None:
        """Forget the others; of those that could only be given back, the oldest beyond ``MAX_SENT``."""
        kept = [sent for sent in person.sent if self._seen(sent, now) or sent.at > now - self._returns(sent)]
        surplus = len(kept) - MAX_SENT
        person.sent.clear()
        for sent in kept:
            if surplus > 0 and not self._seen(sent, now):
                surplus -= 1
            else:
                person.sent.append(sent)

    def _seen(self, sent: Sent, now: float) -> bool:
        plan = self._plans.get(sent.rule)
        sees = UNKNOWN_RULE if plan is None else plan.sees
        return sent.at > now - max(sees, self._caps if sent.capped else 0.0)

    def _returns(self, sent: Sent) -> float:
        plan = self._plans.get(sent.rule)
        return UNKNOWN_RULE if plan is None else plan.returns


class TestPeople:
    """Who is a test person: exact ids, or ``prefix*``."""

    __test__ = False

    def __init__(self, people: tuple[str, ...]) -> None:
        self._exact = frozenset(name for name in people if not name.endswith("*"))
        self._prefixes = tuple(name[:-1] for name in people if name.endswith("*"))

    def __contains__(self, person: str) -> bool:
        return person in self._exact or person.startswith(self._prefixes)
