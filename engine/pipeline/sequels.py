"""What became of messages that other rules follow upon: delivered, opened, converted; or not, in all that time.

A message is followed from its delivery (an attempt that was sent; where nobody knows whether it was, from the first
feedback) for as long as any rule waits. Only messages of rules that others follow are kept.
"""

import heapq
from collections.abc import Iterable, Iterator

from msgspec import Struct

from engine.match import CompiledRule, Matcher
from engine.model.moment import Notification
from engine.model.record import Attempt, Feedback
from engine.model.signal import Cause
from engine.pipeline.calls import Call, Group

MOST_EACH = 64  # messages followed of one person: the oldest make room

# Who clicked has opened, whether the far side said so or not.
IMPLIED = {
    "opened": ("delivered",),
    "clicked": ("delivered", "opened"),
    "dismissed": ("delivered",),
    "useful": ("delivered", "opened"),
    "not_useful": ("delivered", "opened"),
}


class Following(Struct, array_like=True):
    """One message and what became of it so far, by journal time. ``at``: when it was delivered, ``sure`` whether it
    was; ``waited``: the last time after that whose end was told."""

    rule: str
    person: str
    device: str
    notification: str
    at: float
    fence: str | None = None
    sure: bool = True
    seen: dict[str, float] = {}
    waited: float = 0.0


class Sequels:
    """Keeps ``followed`` (by moment id) and its derived indexes. ``use`` binds it to the release in force."""

    def __init__(self, followed: dict[str, Following]) -> None:
        self._held = followed
        self._of_notification = {one.notification: moment for moment, one in followed.items()}
        self._of_person: dict[str, list[str]] = {}
        for moment, one in followed.items():
            self._of_person.setdefault(one.person, []).append(moment)
        self._due: list[tuple[float, str]] = []

    def use(self, matcher: Matcher) -> None:
        """Under another release: what nobody follows any more is forgotten."""
        self._matcher = matcher
        for moment in [moment for moment, one in self._held.items() if one.rule not in matcher.followed]:
            self._forget(moment)
        self._due = [(self._next(one), moment) for moment, one in self._held.items()]
        heapq.heapify(self._due)

    # ------------------------------------------------------------------ what happens

    def sent(self, notification: Notification | None, attempt: Attempt, now: float) -> list[Group]:
        """An attempt came back with which the notification went out, or may have: from here on it is followed."""
        n, sure = notification, attempt.outcome == "sent"
        if n is None or n.rule not in self._matcher.followed or n.moment in self._held:
            return []
        moment = n.moment
        self._held[moment] = one = Following(n.rule, n.person, n.device, n.id, now, n.cause.fence, sure)
        self._of_notification[n.id] = moment
        theirs = self._of_person.setdefault(n.person, [])
        theirs.append(moment)
        if len(theirs) > MOST_EACH:
            self._forget(theirs[0])
        heapq.heappush(self._due, (self._next(one), moment))
        return [self._became(moment, ("delivered",), now, now)] if sure else []

    def feedback(self, record: Feedback, now: float) -> Group:
        """The far side, or the person, said what became of a notification."""
        moment = self._of_notification.get(record.notification or "")
        if moment is None:
            return []
        self._held[moment].sure = True
        return self._became(moment, (*IMPLIED.get(record.kind, ()), record.kind), min(record.at, now), now)

    def event(self, person: str, cause: Cause, now: float) -> Group:
        """Something happened to the person: the conversion of each message that it is the conversion of. What the
        device did before the message came is none."""
        group: Group = []
        for moment in tuple(self._of_person.get(person, ())):
            one = self._held[moment]
            if self._matcher.followed[one.rule].conversion == cause.event and one.sure and one.at <= cause.at:
                group += self._became(moment, ("converted",), cause.at, now)
        return group

    def next_due(self) -> float | None:
        """Journal time at which something will not have happened in its time, or a message need not be followed."""
        while self._due and self._due[0][1] not in self._held:
            heapq.heappop(self._due)
        return self._due[0][0] if self._due else None

    def tick(self, now: float) -> Iterator[Group]:
        """The times that are over, soonest first; those of one person at one instant compete."""
        while (due := self.next_due()) is not None and due <= now:
            people: dict[str, Group] = {}
            while self._due and self._due[0][0] == due:
                _, moment = heapq.heappop(self._due)
                one = self._held.get(moment)
                if one is not None and self._next(one) == due:
                    people.setdefault(one.person, []).extend(self._over(moment, one, due))
            yield from (people[person] for person in sorted(people) if people[person])

    # ------------------------------------------------------------------ inside

    def _next(self, one: Following) -> float:
        followed = self._matcher.followed[one.rule]
        return one.at + min(
            (due for due in followed.dues if due > one.waited), default=max(followed.horizon, one.waited)
        )

    def _over(self, moment: str, one: Following, due: float) -> Group:
        """The time that ends now; when it was the last, the message is forgotten."""
        followed = self._matcher.followed[one.rule]
        waited = min((d for d in followed.dues if d > one.waited), default=None)
        if waited is None:
            self._forget(moment)
            return []
        one.waited = waited
        heapq.heappush(self._due, (self._next(one), moment))
        if not one.sure:
            return []
        return [
            self._call(moment, one, outcome, missing, due, [s.rule for s in sequels if s.within == waited])
            for (outcome, missing), sequels in followed.sequels.items()
            if missing and one.seen.get(outcome, due + 1.0) > due and any(s.within == waited for s in sequels)
        ]

    def _became(self, moment: str, outcomes: Iterable[str], at: float, now: float) -> Group:
        """Each outcome once; the rules that one word of feedback wakes compete."""
        one = self._held[moment]
        followed = self._matcher.followed[one.rule]
        group: Group = []
        for outcome in outcomes:
            if outcome in one.seen:
                continue
            one.seen[outcome] = now
            waiting = followed.sequels.get((outcome, False), ())
            rules = [sequel.rule for sequel in waiting if now <= one.at + sequel.within]
            if rules:
                group.append(self._call(moment, one, outcome, False, at, rules))
        return group

    def _call(
        self, moment: str, one: Following, outcome: str, missing: bool, at: float, rules: list[CompiledRule]
    ) -> Call:
        word = f"not {outcome}" if missing else outcome
        data = {"after": one.rule, "outcome": word, "moment": moment}
        cause = Cause(f"{moment}|{word}", "after", at, fence=one.fence, data=data)
        return Call(one.person, one.device, cause, rules)

    def _forget(self, moment: str) -> None:
        one = self._held.pop(moment)
        self._of_notification.pop(one.notification, None)
        theirs = self._of_person[one.person]
        theirs.remove(moment)
        if not theirs:
            del self._of_person[one.person]
