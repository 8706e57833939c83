"""Everyone: in order of id, and by whose clock they live. Derived from the state, never part of it; what it does
changes no answer."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator

from engine.decide import load_zone
from engine.model.person import Person

CHUNK = 2048


class Roster:
    """Ids in short sorted lists, so that another one costs microseconds however many there are. ``zones`` are the time
    zones that anybody had since this process began; "" is the project's."""

    def __init__(self, people: dict[str, Person]) -> None:
        self._people = people
        self.zones = {zone_of(person) for person in people.values()} | {""}
        ids = sorted(people)
        self._chunks = [ids[i : i + CHUNK] for i in range(0, len(ids), CHUNK)] or [[]]
        self._firsts = [chunk[0] if chunk else "" for chunk in self._chunks]
        self._newest = next(reversed(people), None)

    # ------------------------------------------------------------------ in order

    def after(self, id: str | None) -> Iterator[str]:
        """The ids that come after that one (None: all), in order."""
        self.catch_up()
        number = 0 if id is None else max(0, bisect_right(self._firsts, id) - 1)
        place = 0 if id is None else bisect_right(self._chunks[number], id)
        for chunk in self._chunks[number:]:
            yield from chunk[place:]
            place = 0

    def catch_up(self) -> None:
        """Take in those who came to be known since: people are kept in the order in which they did."""
        newest = next(reversed(self._people), None)
        if newest == self._newest:
            return
        for id in reversed(self._people):
            if id == self._newest:
                break
            self._add(id)
        self._newest = newest

    def _add(self, id: str) -> None:
        number = max(0, bisect_right(self._firsts, id) - 1)
        chunk = self._chunks[number]
        place = bisect_left(chunk, id)
        if place < len(chunk) and chunk[place] == id:
            return
        chunk.insert(place, id)
        self._firsts[number] = chunk[0]
        if len(chunk) > 2 * CHUNK:
            self._chunks[number : number + 1] = [chunk[:CHUNK], chunk[CHUNK:]]
            insort(self._firsts, chunk[CHUNK])

    def moved(self, person: Person) -> None:
        """They may live by another clock now."""
        self.zones.add(zone_of(person))

    def find(self, id: str) -> Person | None:
        """Who is known by that id; nobody is made up."""
        return self._people.get(id)


def zone_of(person: Person) -> str:
    """The name of the person's time zone: of the profile, else of the geofence last entered; "" is the project's."""
    told = person.profile.time_zone
    return told if told and load_zone(told) is not None else person.place
