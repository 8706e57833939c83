"""Notifications between decision and settlement: attempts, fallback channels, cancellations, what is given back."""

import heapq
from collections.abc import Iterator, Mapping

import msgspec
from msgspec.structs import replace

from engine.decide import consent_ok, gate, give_back, take_again, went
from engine.model.ids import notification_id
from engine.model.moment import Cancel, Effects, Moment, Notification, Settle
from engine.model.person import Person, Sent
from engine.model.reason import Reason
from engine.model.record import Attempt
from engine.model.rule import Rule
from engine.model.signal import Transition
from engine.pipeline.faults import Faults
from engine.pipeline.state import CoreState, Inflight, Late

# A row begun just before its deadline may still come back: longer than any adapter may take.
GRACE_SECONDS = 120.0
LATE_SECONDS = 86400.0  # and for this long a result of it still counts
PRESENT = ("enter", "dwell", "schedule")  # causes whose message is for those who are there
SPARE = 1000  # entries of the time index for notifications that are settled, before it is made anew


class Flight:
    """Keeps ``state.inflight`` and its derived indexes: by person, by device, and by the time it must be over."""

    def __init__(self, state: CoreState, faults: Faults) -> None:
        self._state, self._faults = state, faults
        self._by_person: dict[str, list[str]] = {}
        self._by_device: dict[str, list[str]] = {}
        self._over: list[tuple[float, str]] = []
        self.attempts: dict[tuple[str, str], int] = {}  # (channel, outcome) -> how many, for metrics
        for id, flying in state.inflight.items():
            self._index(id, flying.notification)

    def launch(self, moment: Moment, not_before: float, deadline: float, fx: Effects) -> None:
        """The first channel's notification; the others wait for its failure."""
        assert moment.message is not None
        first, *rest = moment.channels
        notification = Notification(
            id=notification_id(moment.id, first),
            moment=moment.id,
            channel=first,
            rule=moment.rule,
            release=moment.release,
            person=moment.person,
            device=moment.device,
            cause=moment.cause,
            message=moment.message,
            not_before=not_before,
            deadline=deadline,
            expires=moment.expires,
            variant=moment.variant,
            purpose=moment.purpose,
            test=moment.test,
        )
        self._add(notification, tuple(rest), fx)

    def attempt(self, record: Attempt, now: float, fx: Effects) -> Notification | None:
        """An attempt came back: settle its row; on failure try the next channel or give back what was reserved. The
        notification, where it went out (or may have)."""
        settled = len(fx.settled)
        try:
            return self._attempt(record, now, fx)
        except Exception as error:  # the row must not stand as being sent for ever
            self._faults.note(error, "attempt", record.channel, now)
            if len(fx.settled) == settled:
                fx.settled.append(_settled(record, record.outcome == "sent", Reason.ERROR))
            flying = self._state.inflight.get(record.notification)
            if record.outcome in ("sent", "unknown") and flying is not None:
                self._remove(record.notification)
                self._went(flying.notification, min(record.at, now))
            return None

    def _attempt(self, record: Attempt, now: float, fx: Effects) -> Notification | None:
        labels = (record.channel, record.outcome)
        self.attempts[labels] = self.attempts.get(labels, 0) + 1
        flying = self._state.inflight.get(record.notification)
        if flying is None or record.number <= flying.attempts:
            if flying is None:
                fx.settled.append(_settled(record, record.outcome == "sent"))
                self._went_late(record, now)
            return None
        flying.attempts = record.number
        if record.outcome in ("sent", "unknown"):
            fx.settled.append(_settled(record, record.outcome == "sent"))
            self._remove(record.notification)
            self._went(flying.notification, min(record.at, now))
            return flying.notification
        deadline = flying.notification.deadline
        if record.outcome == "retry" and not flying.cancelled and (record.retry_at or now) < deadline:
            due = record.retry_at or now
            fx.settled.append(Settle(record.notification, "waiting", record.number, due, detail=record.detail))
            return None
        self._failed(record, flying, now, fx)
        return None

    def _failed(self, record: Attempt, flying: Inflight, now: float, fx: Effects) -> None:
        reason = flying.cancelled or record.reason or (Reason.EXPIRED if record.outcome == "retry" else Reason.REJECTED)
        fx.settled.append(Settle(record.notification, "dead", record.number, reason=reason, detail=record.detail))
        self._remove(record.notification)
        old = flying.notification
        channels = [c for c in flying.channels if self._consents(old, c)]
        if channels and not flying.cancelled and now < old.deadline:
            first, *rest = channels
            self._add(_next_channel(old, first, now), tuple(rest), fx)
        else:
            self._give_back(old)

    def left(self, t: Transition, fx: Effects) -> None:
        """The place was left: what waits because of being there does not go (transactional messages do)."""
        if t.device not in self._by_device:
            return
        for id, flying in self._of(self._by_device, t.device):
            n = flying.notification
            there = n.cause.fence == t.fence and n.cause.kind in PRESENT
            if there and n.purpose != "transactional" and n.cause.at <= t.at:
                self._cancel(id, flying, Reason.LEFT, fx)

    def consent_changed(self, person: Person, fx: Effects) -> None:
        """What waits against a withdrawn consent does not go: theirs, and what was decided for a device of theirs
        before anybody knew whose it is."""
        waiting = list(self._of(self._by_person, person.id))
        for device in person.devices:
            waiting += [(id, one) for id, one in self._of(self._by_device, device) if one.notification.person == device]
        for id, flying in waiting:
            try:
                consents = self._consents(flying.notification, flying.notification.channel)
            except Exception as error:  # rather nothing than something against their will
                self._faults.note(error, "consent", person.id, self._state.received)
                consents = False
            if not consents:
                self._cancel(id, flying, Reason.NO_CONSENT, fx)

    def released(self, rules: Mapping[str, Rule], fx: Effects) -> None:
        """What a rule decided does not go once a release stops the rule: it is no longer live, or gone."""
        stopped: dict[str, Reason] = {}
        for flying in self._state.inflight.values():
            id = flying.notification.rule
            status = rules[id].status if id in rules else "ended"
            if status != "live" and not flying.cancelled:
                stopped[id] = gate.STATUS[status]
                flying.cancelled = gate.STATUS[status].value
        fx.cancels += [Cancel(reason, rule=id, before=len(fx.notifications)) for id, reason in stopped.items()]

    def dropped(self, cancels: list[Cancel]) -> None:
        """An operator dropped what waits in a scope: mark it, so that no retry and no other channel follows."""
        for cancel in cancels:
            for flying in self._state.inflight.values():
                n = flying.notification
                fits = (
                    cancel.rule in (None, n.rule)
                    and cancel.channel in (None, n.channel)
                    and cancel.fence in (None, n.cause.fence)
                    and cancel.person in (None, n.person)
                )
                if fits:
                    flying.cancelled = flying.cancelled or cancel.reason.value

    def next_due(self) -> float | None:
        """Journal time at which the earliest one must be over."""
        while self._over and self._over[0][1] not in self._state.inflight:
            heapq.heappop(self._over)
        return self._over[0][0] if self._over else None

    def tick(self, now: float) -> None:
        """What never came back in time was never sent: its reservation is given back, until its result comes after
        all."""
        late = self._state.late
        while late and (oldest := next(iter(late))) and late[oldest].until <= now:
            del late[oldest]
        while (due := self.next_due()) is not None and due <= now:
            _, id = heapq.heappop(self._over)
            notification = self._state.inflight[id].notification
            self._remove(id)
            for person, sent in self._reserved(notification):
                late[id] = Late(person.id, notification.device, replace(sent), now + LATE_SECONDS)
            self._give_back(notification)

    def _add(self, notification: Notification, rest: tuple[str, ...], fx: Effects) -> None:
        if notification.id in self._state.inflight:  # a moment decided again: its notification is on its way
            return
        self._state.inflight[notification.id] = Inflight(notification, rest)
        self._index(notification.id, notification)
        fx.notifications.append(notification)

    def _index(self, id: str, notification: Notification) -> None:
        self._by_person.setdefault(notification.person, []).append(id)
        self._by_device.setdefault(notification.device, []).append(id)
        heapq.heappush(self._over, (notification.expires + GRACE_SECONDS, id))

    def _of(self, index: Mapping[str, list[str]], key: str) -> Iterator[tuple[str, Inflight]]:
        for id in index.get(key, ()):
            yield id, self._state.inflight[id]

    def _people(self, n: Notification) -> list[Person]:
        """Whom it is for and, where that was nobody but a device, whose device it turned out to be."""
        ids = [n.person]
        if n.person == n.device and n.device in self._state.links:
            ids.append(self._state.links[n.device])
        return [self._state.people[id] for id in ids if id in self._state.people]

    def _consents(self, n: Notification, channel: str) -> bool:
        return n.purpose == "transactional" or all(
            consent_ok(person.profile, n.purpose, channel) for person in self._people(n)
        )

    def _cancel(self, id: str, flying: Inflight, reason: Reason, fx: Effects) -> None:
        if not flying.cancelled:
            flying.cancelled = reason.value
            fx.cancels.append(Cancel(reason, person=flying.notification.person, moment=flying.notification.moment))

    def _remove(self, id: str) -> None:
        n = self._state.inflight.pop(id).notification
        for index, key in ((self._by_person, n.person), (self._by_device, n.device)):
            index[key].remove(id)
            if not index[key]:
                del index[key]
        if len(self._over) > 2 * len(self._state.inflight) + SPARE:
            self._over = [entry for entry in self._over if entry[1] in self._state.inflight]
            heapq.heapify(self._over)

    def _reserved(self, n: Notification) -> list[tuple[Person, Sent]]:
        """With whom it counts: what a device had sent to it went over to its person."""
        return [(person, sent) for person in self._people(n) for sent in person.sent if sent.moment == n.moment]

    def _went(self, notification: Notification, at: float) -> None:
        for _, sent in self._reserved(notification):
            went(sent, at)

    def _went_late(self, record: Attempt, now: float) -> None:
        """It was given back, and went after all, or may have: it counts again."""
        late = self._state.late.pop(record.notification, None)
        if late is None or record.outcome not in ("sent", "unknown"):
            return
        id = self._state.links.get(late.device, late.person) if late.person == late.device else late.person
        person = self._state.people.get(id)
        if person is not None:
            take_again(person, self._state.decide, late.sent, now)
            went(late.sent, min(record.at, now))

    def _give_back(self, notification: Notification) -> None:
        for person in self._people(notification):
            give_back(person, self._state.decide, notification.moment)


def _settled(record: Attempt, sent: bool, reason: Reason = Reason.EXPIRED) -> Settle:
    if sent:
        return Settle(record.notification, "sent", record.number, detail=record.detail)
    if record.outcome == "unknown":
        return Settle(record.notification, "unknown", record.number, reason=Reason.AMBIGUOUS, detail=record.detail)
    return Settle(record.notification, "dead", record.number, reason=reason, detail=record.detail)


def _next_channel(old: Notification, channel: str, now: float) -> Notification:
    id = notification_id(old.moment, channel)
    return msgspec.structs.replace(old, id=id, channel=channel, not_before=now)
