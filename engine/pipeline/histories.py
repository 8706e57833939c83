"""What a transition changes at once, before any rule is asked. So a rule woken by an enter finds its person inside, of
every fence that this fix entered."""

from collections.abc import Mapping

from engine.match import history
from engine.model.moment import Effects
from engine.model.person import Person
from engine.model.rule import Rule
from engine.model.signal import Transition
from engine.pipeline.faults import Faults
from engine.pipeline.flight import Flight
from engine.pipeline.scheduled import Firings
from engine.pipeline.state import CoreState
from engine.pipeline.windows import Windows


class Histories:
    """Keeps what is known of people right. ``counts``: transitions by kind, since this process began. ``use`` binds it
    to the release in force."""

    def __init__(self, state: CoreState, faults: Faults, flight: Flight, windows: Windows, firings: Firings) -> None:
        self._links, self._people = state.links, state.people
        self._faults, self._flight, self._windows, self._firings = faults, flight, windows, firings
        self.counts: dict[str, int] = {}

    def use(self, horizon: float, rules: Mapping[str, Rule]) -> None:
        """Under another release: how many seconds its rules look back, and the rules by id."""
        self._horizon, self._rules = horizon, rules

    def person(self, id: str) -> Person:
        """The person, made on first sight."""
        person = self._people.get(id)
        if person is None:
            person = self._people[id] = Person(id)
        return person

    def note(self, t: Transition, now: float, fx: Effects) -> Person:
        """Whose transition it is; what waited for them there is called off where they left. A part that fails costs no
        other. Most of what is sensed wakes no rule and ends here, so it makes do with little."""
        kind, device = t.kind, t.device
        self.counts[kind] = self.counts.get(kind, 0) + 1
        person = self.person(self._links.get(device, device))
        try:
            history.note_transition(person, t, self._horizon)
        except Exception as error:
            self._faults.note(error, "history", person.id, now)
        if kind == "enter":
            try:
                self._firings.entered(person, t.fence, now)
            except Exception as error:
                self._faults.note(error, "place", person.id, now)
        elif kind in ("exit", "ended"):
            attempt = self._faults.attempt
            attempt("flight", person.id, now, self._flight.left, t, fx)
            attempt("window", person.id, now, self._windows.left, (person.id, device), t, self._rules)
        return person
