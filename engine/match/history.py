"""What a person's history keeps: visits and events, bounded in time (device clocks) and in number."""

from bisect import bisect_right
from operator import attrgetter

from engine.model.past import VISIT_BYTES, count_visits, with_event, with_visit, without_visits
from engine.model.person import Happened, Person, Visit
from engine.model.signal import Transition

MAX_EVENTS = 256
MAX_VISITS = 256


def note_event(person: Person, event: Happened, horizon: float) -> None:
    """Add an event; a late one takes its place in time. Note it after rules have been judged by it, never before."""
    person.past = with_event(person.past, event, horizon, MAX_EVENTS)


def note_transition(person: Person, t: Transition, horizon: float) -> None:
    """Keep the visit that a transition belongs to right; those that change no visit change nothing. What the device
    left ``horizon`` seconds ago is forgotten when a visit ends."""
    match t.kind:
        case "enter":
            _open(person, t, horizon)
        case "lost" | "resumed":
            visit = _find(person, t)
            if visit is not None:
                visit.lost = t.kind == "lost"
        case "exit" | "ended":
            visit = _find(person, t)
            if visit is not None:
                person.stays.remove(visit)
            begun = t.visit if visit is None else visit.enter
            _close(person, t, begun, max(t.at, begun), horizon)


def _open(person: Person, t: Transition, horizon: float) -> None:
    stays, last = person.stays, _find(person, t)
    if last is not None:
        if last.enter == t.visit:
            return
        stays.remove(last)
        _close(person, t, last.enter, max(last.enter, t.visit), horizon)
    if stays and stays[-1].enter > t.visit:
        stays.insert(bisect_right(stays, t.visit, key=attrgetter("enter")), Visit(t.fence, t.device, t.visit))
    else:
        stays.append(Visit(t.fence, t.device, t.visit))
    few = len(stays) + len(person.past) // VISIT_BYTES <= MAX_VISITS  # at a glance
    if not few and len(stays) + count_visits(person.past) > MAX_VISITS:
        if person.past:
            person.past = without_visits(person.past, 1)
        del stays[: max(0, len(stays) - MAX_VISITS)]


def _close(person: Person, t: Transition, enter: float, left: float, horizon: float) -> None:
    """A visit is over."""
    visit = Visit(t.fence, t.device, enter, left)
    person.past = with_visit(person.past, visit, t.at - horizon, MAX_VISITS - len(person.stays))


def _find(person: Person, t: Transition) -> Visit | None:
    """The visit of that device to that fence which is not over."""
    for visit in reversed(person.stays):
        if visit.fence == t.fence and visit.device == t.device:
            return visit
    return None
