"""How many bytes a person's history takes in memory: ``python -m benchmarks.history [PEOPLE]``.

Typical rules look back a week. Each person pays three visits a day to six places of their own, with two events a day,
of which one in ten has data. Times are as fine as a double, the worst case. Then what it
costs to live, and to be asked.
"""

import random
import sys
import time
import tracemalloc
from collections.abc import Callable

from engine.match import history
from engine.model.past import deeds, stays_in
from engine.model.person import Happened, Person
from engine.model.signal import Transition

PEOPLE = 5_000
DAYS, VISITS, EVENTS, PLACES = 7, 3, 2, 6
NOW = 1_795_521_600.0
FENCES = [f"fence-{n:04d}" for n in range(500)]


def live(person: Person, device: str, r: random.Random) -> None:
    """A week of one person, as the core notes it."""
    places = r.sample(FENCES, PLACES)
    for day in range(DAYS):
        for n in range(VISITS):
            enter = NOW - (DAYS - day) * 86400.0 + n * 9000.0 + r.uniform(0.0, 1000.0)
            fence = r.choice(places)
            history.note_transition(person, Transition("enter", device, fence, enter, enter, 0), 604800.0)
            history.note_transition(person, Transition("exit", device, fence, enter + 1800.5, enter, 0), 604800.0)
        for n in range(EVENTS):
            at = NOW - (DAYS - day) * 86400.0 + n * 20000.0 + r.uniform(0.0, 1000.0)
            data = {"price": r.randint(1, 90)} if r.random() < 0.1 else None
            history.note_event(person, Happened(r.choice(["app_open", "purchase"]), at, data), 604800.0)


def microseconds(what: Callable[[], object], times: int) -> float:
    """Processor time of one."""
    began = time.process_time()
    what()
    return (time.process_time() - began) / times * 1e6


def main(people: int) -> None:
    """Measured: everything that a history holds on to, over what a person without one takes."""
    r = random.Random(1)
    names = [(f"p{n}", f"d{n}") for n in range(people)]
    tracemalloc.start()
    held = [Person(person) for person, _ in names]
    empty, _ = tracemalloc.get_traced_memory()
    for person, (_, device) in zip(held, names, strict=True):
        live(person, device, r)
    lived, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    visits = sum(len(person.visits) for person in held) / people
    events = sum(len(person.events) for person in held) / people
    print(f"{people} people with {visits:.0f} visits and {events:.0f} events each")
    print(f"{(lived - empty) / people:.0f} bytes of history a person")

    again = [Person(person) for person, _ in names]
    took = microseconds(lambda: [live(p, d, r) for p, (_, d) in zip(again, names, strict=True)], people)
    print(f"{took / (DAYS * (2 * VISITS + EVENTS)):.1f} us to note one enter, exit or event")
    here, everywhere = {FENCES[0], FENCES[1]}, frozenset(FENCES)
    took = microseconds(lambda: [stays_in(p.past, here, NOW - 172800.0) for p in held], people)
    print(f"{took:.1f} us to ask for the visits of two days to places where few were")
    took = microseconds(lambda: [stays_in(p.past, everywhere, NOW - 172800.0) for p in held], people)
    print(f"{took:.1f} us to ask for those to any place")
    took = microseconds(lambda: [deeds(p.past, "purchase", NOW - 172800.0) for p in held], people)
    print(f"{took:.1f} us to ask for the purchases of two days")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else PEOPLE)
