"""When schedules of rules come: what somebody outside the core should append to the journal, and when.

It only looks. The same agenda says the same again until the core has taken what it said: so whoever appends may fail,
restart, or do it twice.
"""

import heapq

from engine.model.record import ScheduleDue
from engine.pipeline import recurring
from engine.pipeline.scheduled import Firings, zone_named

MOST_MISSED = 100  # of one rule and zone that are caught up with after a standstill


class Agenda:
    """All rules in all time zones, by when each comes next."""

    def __init__(self, firings: Firings) -> None:
        self._firings = firings
        self._coming: list[tuple[float, str, str]] = []
        self._seen: tuple[object, ...] = ()

    def next_due(self) -> float | None:
        """When the next schedule comes."""
        self._look_ahead()
        while self._coming:
            at, rule, zone = self._coming[0]
            last = self._firings.last(rule, zone)
            if last is not None and at > last:
                return at
            heapq.heappop(self._coming)
            self._await(rule, zone)
        return None

    def due(self, now: float) -> list[ScheduleDue]:
        """What has come by now and was not taken, in order: after a standstill what may still be sent in time and, of
        what is too late, the last."""
        come: list[tuple[float, str, str]] = []
        while (at := self.next_due()) is not None and at <= now:
            come.append(heapq.heappop(self._coming))
        found: dict[float, list[tuple[str, str]]] = {}
        for entry in come:
            heapq.heappush(self._coming, entry)
            for instant in self._missed(entry[1], entry[2], now):
                found.setdefault(instant, []).append(entry[1:])
        return [ScheduleDue(at, tuple(sorted(found[at]))) for at in sorted(found)]

    def _missed(self, rule: str, zone: str, now: float) -> list[float]:
        firings, after = self._firings, self._firings.last(rule, zone)
        assert after is not None
        message = firings.matcher.schedules[rule][0].rule.rule.message
        send_within = firings.policy.decide.send_within if message.send_within is None else message.send_within
        late, where = max(after, now - send_within), zone_named(zone)
        instants: set[float] = set()
        for one in firings.of(rule, zone):
            instants.update(recurring.newest(one.trigger.recurrence, late, now, where, MOST_MISSED))
            gone = recurring.last_coming(one.trigger.recurrence, after, late, where)
            instants.update(() if gone is None else (gone,))
        return sorted(instants)

    def _look_ahead(self) -> None:
        """All of it anew, where there are other rules or other time zones."""
        firings = self._firings
        rules = firings.matcher.schedules
        if not rules:
            self._coming, self._seen = [], ()
            return
        zones = sorted({zone or firings.project for zone in firings.roster.zones})
        if (firings.matcher, *zones) == self._seen:
            return
        self._seen = (firings.matcher, *zones)
        self._coming = []
        for rule in rules:
            for zone in zones:
                self._await(rule, zone)

    def _await(self, rule: str, zone: str) -> None:
        after = self._firings.last(rule, zone)
        if after is None:
            return
        where = zone_named(zone)
        triggers = [one.trigger for one in self._firings.of(rule, zone)]
        instants = [recurring.next_coming(trigger.recurrence, after, where) for trigger in triggers]
        soonest = min((instant for instant in instants if instant is not None), default=None)
        if soonest is not None:
            heapq.heappush(self._coming, (soonest, rule, zone))
