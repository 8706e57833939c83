"""How much a set of rules would have sent: per rule and day, and in its busiest minute."""

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from msgspec import Struct

from engine.decide import load_zone
from engine.model.moment import Moment
from engine.model.reason import Verdict

DAY = 86400.0
MINUTE = 60.0


class Estimate(Struct, frozen=True):
    """Messages of one rule. ``per_day`` is the mean over the time looked at, ``busiest_day`` the most on any local day
    of the project, ``minute_peak`` the most in any 60 seconds."""

    rule: str
    messages: int
    people: int
    per_day: float
    busiest_day: int
    minute_peak: int


@dataclass
class _Count:
    people: set[str] = field(default_factory=set)
    days: Counter[str] = field(default_factory=Counter)
    minute: deque[float] = field(default_factory=deque)
    peak: int = 0


class Estimator:
    """Fed with moments in journal order; those of test people do not count."""

    def __init__(self, rules: Sequence[str], time_zone: str) -> None:
        self._rules = {rule: _Count() for rule in rules}
        self._zone = load_zone(time_zone) or ZoneInfo("UTC")
        self._held: list[tuple[float, str]] = []

    def add(self, moments: Sequence[Moment]) -> None:
        """Take those that go, at the instant at which they go."""
        for moment in moments:
            if moment.decision.verdict is Verdict.SUPPRESS or moment.test:
                continue
            count = self._rules.setdefault(moment.rule, _Count())
            count.people.add(moment.person)
            if moment.decision.until is not None:
                self._held.append((moment.decision.until, moment.rule))
            else:
                self._at(count, moment.at)

    def _at(self, count: _Count, at: float) -> None:
        count.days[datetime.fromtimestamp(at, self._zone).strftime("%Y-%m-%d")] += 1
        count.minute.append(at)
        while count.minute[0] <= at - MINUTE:
            count.minute.popleft()
        count.peak = max(count.peak, len(count.minute))

    def close(self, seconds: float) -> list[Estimate]:
        """Per rule, the busiest first. ``seconds`` is how much time was looked at; held ones go together when quiet
        hours end."""
        held = Counter(self._held)
        for (at, rule), n in sorted(held.items()):
            count = self._rules[rule]
            count.days[datetime.fromtimestamp(at, self._zone).strftime("%Y-%m-%d")] += n
            count.peak = max(count.peak, n)
        days = max(1.0, seconds / DAY)
        found = [_estimate(rule, count, days) for rule, count in self._rules.items()]
        return sorted(found, key=lambda e: (-e.messages, e.rule))


def _estimate(rule: str, count: _Count, days: float) -> Estimate:
    total = count.days.total()
    return Estimate(
        rule, total, len(count.people), round(total / days, 2), max(count.days.values(), default=0), count.peak
    )
