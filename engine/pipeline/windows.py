"""Arbitration windows (``[decide] window``): opened by the first candidate of a person, closed by a timer."""

import heapq
from collections.abc import Collection, Iterator, Mapping, Sequence

from engine.decide import Candidate
from engine.model.fence import Fence
from engine.model.moment import Check
from engine.model.person import Person
from engine.model.reason import Reason
from engine.model.rule import Rule
from engine.model.signal import Transition
from engine.pipeline.flight import PRESENT
from engine.pipeline.state import CoreState, Waiting, Window


class Windows:
    """Keeps ``state.windows`` and the order in which they close."""

    def __init__(self, state: CoreState) -> None:
        self._state = state
        self._closes = [(window.closes, person) for person, window in state.windows.items()]
        heapq.heapify(self._closes)

    def wait(self, candidates: Sequence[Candidate], closes: float) -> None:
        """Let candidates of one person wait; the window stays as it was opened."""
        person = candidates[0].person.id
        window = self._state.windows.get(person)
        if window is None:
            window = self._state.windows[person] = Window(closes)
            heapq.heappush(self._closes, (closes, person))
        window.waiting += [Waiting(c.rule.id, c.cause, c.device, c.checks) for c in candidates]

    def left(self, people: Collection[str], t: Transition, rules: Mapping[str, Rule]) -> None:
        """The place was left: who competes because of being there is out (transactional messages are not)."""
        for person in dict.fromkeys(people) if self._state.windows else ():
            for w in self._state.windows[person].waiting if person in self._state.windows else ():
                there = w.device == t.device and w.cause.fence == t.fence and w.cause.kind in PRESENT
                bound = w.rule in rules and rules[w.rule].purpose != "transactional"
                if there and bound and w.cause.at <= t.at:
                    w.checks = (*w.checks, Check("place", False, "left", "still there", reason=Reason.LEFT))

    def next_due(self) -> float | None:
        """Journal time at which the next window closes."""
        return self._closes[0][0] if self._closes else None

    def closing(self, now: float) -> Iterator[tuple[str, Window]]:
        """Take out the windows that are due, soonest first."""
        while self._closes and self._closes[0][0] <= now:
            _, person = heapq.heappop(self._closes)
            yield person, self._state.windows.pop(person)


def candidates_of(
    person: Person, window: Window, rules: Mapping[str, Rule], fences: Mapping[str, Fence]
) -> list[Candidate]:
    """Who competes, with the rules and fences of the release in force now; rules that are gone do not."""
    return [
        Candidate(rules[w.rule], w.cause, person, w.device, fences.get(w.cause.fence or ""), w.checks)
        for w in window.waiting
        if w.rule in rules
    ]
