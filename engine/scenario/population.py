"""Generated days: people who walk among the fences of a release and live what its rules speak of. All comes from a
seed: the same seed and release give the same records."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

from msgspec import Struct

from engine.model.record import ContextChange, Control, ProfileChange, Record
from engine.model.signal import Signal
from engine.pipeline.versions import Compiled
from engine.scenario.places import Atlas, Point
from engine.scenario.vocabulary import vocabulary
from engine.sense import FenceSet
from engine.simulate.personas import CITY_ZONE, SPEEDS, Act, Move, Persona, Step, load_personas
from engine.simulate.tracks import Body, shift, track

NEAR = 12  # fences among which one made-up person lives,
BUSY = 5  # and where they are busy
FAR = 5000.0  # metres from which people take the train
STILL, MOVING = 1200.0, 25.0  # seconds between two fixes of somebody who stays, and who goes
CLOCK_CHANGES = (date(2026, 10, 25), date(2027, 3, 28))
FIRST, DAYS = date(2026, 9, 7), 250  # where a date is free, it lies in these days
HOUR, DAY = 3600.0, 86400.0

Item = tuple[float, Record]


class Case(Struct, frozen=True):
    """One generated stretch of days: who, from which day on, and what was received when (in order)."""

    seed: int
    people: tuple[str, ...]
    first: date
    zone: str
    items: tuple[Item, ...]


class Population:
    """Makes cases for one release."""

    def __init__(self, compiled: Compiled) -> None:
        self._release, self._fences = compiled.release, compiled.fences
        self._atlas = Atlas(compiled.fences)
        self._words = vocabulary(compiled.release)
        self._locals = [person for person in load_personas() if _lives_here(person, compiled.fences)]

    def case(self, seed: int) -> Case:
        """The case of a seed."""
        rng = Random(f"herenow|{seed}")  # noqa: S311 (a simulation, not a secret)
        first, days = self._first_day(rng), rng.choice((1, 2, 2, 3, 5))
        people = [self._person(rng, number) for number in range(rng.choice((1, 1, 2)))]
        zone = people[0].zone
        start = datetime(first.year, first.month, first.day, tzinfo=zone).timestamp()
        end = start + days * DAY
        items = [item for person in people for item in self._life(rng, person, seed, (start, end))]
        items += [*self._facts(rng, start, end), *self._pauses(rng, [person.id for person in people], start, days)]
        items.sort(key=lambda item: item[0])
        return Case(seed, tuple(p.id for p in people), first, people[0].time_zone, tuple(items))

    def _first_day(self, rng: Random) -> date:
        """Some day; often one on which rules run, now and then one on which clocks change."""
        running = [date.fromisoformat(day) for rule in self._release.rules for day in rule.runs if day is not None]
        pick = rng.random()
        if running and pick < 0.4:
            return rng.choice(running) - timedelta(days=rng.randint(0, 3))
        if pick < 0.5:
            return rng.choice(CLOCK_CHANGES) - timedelta(days=rng.randint(0, 1))
        return FIRST + timedelta(days=rng.randrange(DAYS))

    # ------------------------------------------------------------------ people

    def _person(self, rng: Random, number: int) -> Persona:
        """One of the demo city's people where they are at home, or somebody made up among the fences."""
        if self._locals and rng.random() < 0.5:
            person = rng.choice(self._locals)
            return _known_as(person, f"{person.id}-{number}", self._attributes(rng) | person.profile)
        busy = rng.random() < 0.6
        places = self._places(rng, BUSY if busy else NEAR)
        week = tuple(self._day(rng, places, busy) for _ in range(7))
        return Persona(
            id=f"somebody-{number}",
            name="Somebody",
            language=rng.choice(("en", "de")),
            devices=(f"phone-{number}",),
            places=places,
            week=week,
            profile=self._attributes(rng),
            consent=self._consent(rng),
            time_zone=rng.choice((CITY_ZONE, self._release.policy.decide.time_zone, "America/New_York")),
        )

    def _places(self, rng: Random, most: int) -> dict[str, Point]:
        """Home and some fences near to each other, some of them just missed."""
        ids = self._fences.ids
        if not ids:
            return {"home": (52.52, 13.4), "work": (52.53, 13.41)}
        middle = self._atlas.inside(rng.choice(ids))
        near = [fence for fence, _ in self._fences.nearest(*middle, NEAR)]
        near = sorted(rng.sample(near, min(most, len(near))))
        places = {fence: self._atlas.inside(fence) for fence in near}
        for fence in rng.sample(near, min(2, len(near))):
            east, north = rng.uniform(-250, 250), rng.uniform(-250, 250)
            places[f"beside {fence}"] = shift(places[fence], east, north)
        return {**places, "home": shift(middle, rng.uniform(-900, 900), rng.uniform(-900, 900))}

    def _day(self, rng: Random, places: dict[str, Point], busy: bool) -> tuple[Step, ...]:
        """Here and there, round the clock; busy people all day long, and often to the same places."""
        steps: list[Step] = []
        names, where = sorted(places), places["home"]
        span = (6.5 * HOUR, 22 * HOUR) if busy else (0.0, DAY)
        for at in sorted(rng.uniform(*span) for _ in range(rng.randint(25, 45) if busy else rng.randint(3, 14))):
            if self._words.events and rng.random() < 0.35:
                steps.append(Act(at, rng.choice(self._words.events), self._some(rng, "event")))
                continue
            place = rng.choice(names)
            steps.append(Move(at, _mode(rng, where, places[place]), place))
            where = places[place]
        return tuple(steps)

    def _attributes(self, rng: Random) -> dict[str, Any]:
        return {"first_name": "Ada", **self._some(rng, "profile")}

    def _some(self, rng: Random, root: str) -> dict[str, Any]:
        """A value each for most of the names; nested where names have parts."""
        facts: dict[str, Any] = {}
        for name, values in self._words.values.get(root, {}).items():
            if rng.random() < 0.9 and name not in ("language", "time_zone", "name", "id", "tags"):
                facts[name] = rng.choice(values)
        return facts

    def _consent(self, rng: Random) -> dict[str, bool]:
        keys = ("marketing", "service", *self._release.policy.channels)
        return {rng.choice(keys): rng.random() < 0.6} if rng.random() < 0.5 else {}

    # ------------------------------------------------------------------ records

    def _life(self, rng: Random, person: Persona, seed: int, span: tuple[float, float]) -> Iterator[Item]:
        """The profile, changes of consent, and what the phone says; some of it late."""
        start, end = span
        consent: dict[str, bool | None] = dict(person.consent)
        yield (
            start,
            ProfileChange(person.id, True, person.profile, consent, person.devices, person.language, person.time_zone),
        )
        for _ in range(rng.choice((0, 0, 1, 3))):
            yield rng.uniform(start, end), ProfileChange(person.id, False, {}, dict(self._consent(rng)))
        offline = rng.uniform(start, end) if rng.random() < 0.3 else end
        back = offline + rng.uniform(600.0, 4 * HOUR)
        for number, body in enumerate(_thinned(track(person, seed, start, end))):
            at = float(body["at"])
            context = body.get("context") or (self._some(rng, "context") if rng.random() < 0.02 else None)
            received = back if offline <= at < back else at + rng.choice((0.0, 0.0, 0.5, 5.0))
            yield received, _signal(person, body, number, context)

    def _facts(self, rng: Random, start: float, end: float) -> Iterator[Item]:
        """Facts are told now and then, and grow stale."""
        scopes = ["global", *self._fences.ids[:NEAR]] if self._words.values.get("fence") else ["global"]
        for scope in scopes:
            now = start
            while now < end:
                facts = self._some(rng, "global" if scope == "global" else "fence")
                if facts:
                    yield now, ContextChange(scope, facts, rng.uniform(HOUR, 8 * HOUR))
                now += rng.uniform(2 * HOUR, 8 * HOUR)

    def _pauses(self, rng: Random, people: list[str], start: float, days: int) -> Iterator[Item]:
        """Now and then somebody pauses everything, often into quiet hours; minds change meanwhile."""
        if rng.random() < 0.5:
            return
        quiet = self._release.policy.decide.quiet_hours
        evening = (quiet[0] * 60.0 if quiet is not None else 12 * HOUR) - rng.uniform(0.0, HOUR)
        begins = start + rng.randrange(days) * DAY + rng.choice((evening, rng.uniform(8 * HOUR, 20 * HOUR)))
        ends = begins + rng.uniform(60.0, 1.5 * HOUR)
        yield begins, Control("pause", "all", why="generated")
        yield rng.uniform(begins, ends), ProfileChange(rng.choice(people), False, {}, {"marketing": rng.random() < 0.5})
        yield ends, Control("resume", "all", why="generated", drop=rng.random() < 0.2)


def _lives_here(person: Persona, fences: FenceSet) -> bool:
    return any(fences.containing(*place) for place in person.places.values())


def _known_as(person: Persona, id: str, profile: dict[str, Any]) -> Persona:
    return Persona(
        id, person.name, person.language, (f"{id}-phone",), person.places, person.week, profile, person.consent,
        person.time_zone,
    )  # fmt: skip


def _mode(rng: Random, start: Point, end: Point) -> str:
    far = max(abs(start[0] - end[0]), abs(start[1] - end[1])) * 111_195.0 > FAR
    return "train" if far else rng.choice(sorted(SPEEDS))


def _thinned(bodies: Iterator[Body]) -> Iterator[Body]:
    """Without most of the fixes of a phone that lies still, and many of one that moves."""
    last = float("-inf")
    for body in bodies:
        if "event" in body or body["at"] - last >= (MOVING if "speed" in body else STILL):
            last = body["at"]
            yield body


def _signal(person: Persona, body: Body, number: int, context: dict[str, Any] | None) -> Signal:
    return Signal(
        device=person.devices[0],
        at=float(body["at"]),
        key=number,
        lat=body.get("lat"),
        lon=body.get("lon"),
        accuracy=body.get("accuracy"),
        speed=body.get("speed"),
        heading=body.get("heading"),
        battery=body.get("battery"),
        event=body.get("event"),
        context=context,
        id=f"g{number}",
    )
