"""Schedules of rules inside the core: a time that has come is taken once, and whom it is for is found then.

People are gone through by id, in slices that stop nothing else; the next slice comes with the next tick.
"""

from collections.abc import Callable, Iterator, Mapping
from zoneinfo import ZoneInfo

from msgspec import Struct, field

from engine.decide import anchor, load_zone, resolve_zone, zone_name_at
from engine.match import Matcher
from engine.match.waits import Scheduled, stay_in
from engine.model.fence import Fence
from engine.model.person import Person
from engine.model.record import ScheduleDue
from engine.model.release import Policy
from engine.model.signal import Cause
from engine.pipeline import recurring
from engine.pipeline.calls import Call, Group
from engine.pipeline.roster import Roster, zone_of

SCANNED = 20_000  # people looked at in one slice,
CALLED = 100  # and people asked about: some ten milliseconds
PAUSE = 0.002  # between two slices, for signals to get in
CLOCKS = 65_536  # geofences whose time zone is remembered


class Timetable(Struct, array_like=True):
    """A rule's schedule: not before ``since`` (journal time at which it came in force); by zone the last time taken."""

    since: float
    taken: dict[str, float] = field(default_factory=dict)


class Firing(Struct, array_like=True):
    """A time that has come, while people are gone through: up to ``cursor``, on at journal time ``due``."""

    at: float
    rules: tuple[tuple[str, str], ...]
    due: float
    cursor: str | None = None


class ScheduleState(Struct, array_like=True):
    """Plain data, changed only inside a step."""

    tables: dict[str, Timetable] = field(default_factory=dict)
    firings: list[Firing] = field(default_factory=list)


Coming = tuple[Scheduled, str, int]
"""A schedule whose time it is, with the time zone and its wall clock."""


class Firings:
    """Keeps a :class:`ScheduleState`. ``use`` binds it to the release in force."""

    def __init__(self, state: ScheduleState, people: dict[str, Person], links: Mapping[str, str]) -> None:
        self._state, self._people, self._links = state, people, links
        self.roster = Roster(people)

    def use(self, matcher: Matcher, policy: Policy, fence: Callable[[str], Fence | None]) -> None:
        """Under another release or fence set; ``fence`` finds one of them by id."""
        self.matcher, self.policy, self._fence = matcher, policy, fence
        self._clocks: dict[str, str] = {}
        self.project = resolve_zone(None, None, policy.decide.time_zone)[1]

    def begin(self, now: float) -> None:
        """A release came in force: its new schedules begin now, those of rules that are gone are forgotten."""
        tables = self._state.tables
        for rule in [rule for rule in tables if rule not in self.matcher.schedules]:
            del tables[rule]
        for rule in self.matcher.schedules:
            tables.setdefault(rule, Timetable(now))

    def of(self, rule: str, zone: str) -> Iterator[Scheduled]:
        """The schedules of a rule that go by the clock of that zone."""
        for one in self.matcher.schedules.get(rule, ()):
            if one.trigger.clock == "person" or zone == self.project:
                yield one

    def last(self, rule: str, zone: str) -> float | None:
        """Up to when the times of a rule in a zone are taken, or do not count; None for a rule that has none."""
        table = self._state.tables.get(rule)
        return None if table is None else max(table.since, table.taken.get(zone, table.since))

    def take(self, record: ScheduleDue, now: float) -> None:
        """A time has come: what was taken already, and what no rule waits for, is passed over."""
        fresh = [pair for pair in record.rules if (last := self.last(*pair)) is not None and record.at > last]
        for rule, zone in fresh:
            self._state.tables[rule].taken[zone] = record.at
        if fresh:
            self._state.firings.append(Firing(record.at, tuple(fresh), now))

    def next_due(self) -> float | None:
        """Journal time at which the next slice of people is to be gone through."""
        return self._state.firings[0].due if self._state.firings else None

    def slice(self, now: float) -> Iterator[Group]:
        """Whom the oldest time that has come is for: as many as one step takes."""
        firings = self._state.firings
        if not firings or firings[0].due > now:
            return
        firing, called = firings[0], 0
        try:
            coming = list(self._coming(firing))
        except Exception:  # passed over by the caller; it must not come again for ever
            del firings[0]
            raise
        for scanned, id in enumerate(self.roster.after(firing.cursor) if coming else ()):
            if scanned >= SCANNED or called >= CALLED:
                firing.due = now + PAUSE
                return
            firing.cursor = id
            person = self._people.get(id) if id not in self._links else None  # else a device whose person is known
            group = [] if person is None else list(self._calls(person, firing.at, coming))
            if group:
                called += 1
                yield group
        firings.pop(0)
        for waiting in firings[:1]:
            waiting.due = now + PAUSE

    def _coming(self, firing: Firing) -> Iterator[Coming]:
        """Schedules of the release in force whose time this is."""
        for rule, zone in firing.rules:
            for one in self.of(rule, zone):
                wall = recurring.wall(one.trigger.recurrence, firing.at, zone_named(zone))
                if wall is not None:
                    yield one, zone, wall

    def _calls(self, person: Person, at: float, coming: list[Coming]) -> Iterator[Call]:
        own = zone_of(person) or self.project
        for one, zone, wall in coming:
            trigger, rule = one.trigger, one.rule.rule.id
            if trigger.clock == "person" and (zone != own or self._had_it(person, one, wall)):
                continue
            device, fence = person.devices[0] if person.devices else person.id, None
            if trigger.audience.target is not None:
                stay = stay_in(person, self.matcher.meant(trigger.audience.target))
                if stay is None:
                    continue
                device, fence = stay.device, stay.fence
            local = recurring.wall_text(wall)
            data = {"local": local, "zone": zone}
            cause = Cause(f"{rule}|{person.id}|{local}", "schedule", at, fence=fence, data=data)
            yield Call(person.id, device, cause, (one.rule,), one.segments)

    def _had_it(self, person: Person, one: Scheduled, wall: int) -> bool:
        """The same local time came to this traveller in the time zone they left."""
        if person.moved is None:
            return False
        zone, until = zone_named(person.moved[0] or self.project), person.moved[1]
        then, since = recurring.instant(wall, zone), self._state.tables[one.rule.rule.id].since
        return since < then <= until and recurring.wall(one.trigger.recurrence, then, zone) == wall

    def entered(self, person: Person, fence: str, now: float) -> None:
        """Where somebody enters a geofence, its clock is theirs, unless their profile says otherwise."""
        zone = self._clocks.get(fence)
        if zone is None:
            zone = self._clock(fence)
        if zone is not None and zone != person.place:
            before = zone_of(person)
            person.place = zone
            if zone_of(person) != before:
                person.moved = (before, now)
            self.roster.moved(person)

    def _clock(self, fence: str) -> str | None:
        """The name of a geofence's time zone; None where there is no such geofence."""
        found = self._fence(fence)
        if found is None:
            return None
        if len(self._clocks) >= CLOCKS:
            self._clocks.clear()
        zone = self._clocks[fence] = zone_name_at(*anchor(found))
        return zone


def zone_named(name: str) -> ZoneInfo:
    """The zone of that name; UTC where this build has none."""
    return load_zone(name) or resolve_zone(None, None, None)[0]
