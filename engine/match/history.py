"""What a person's history keeps: visits and events, oldest first, bounded in time (device clocks) and in number."""

from bisect import bisect_right

from engine.model.person import Happened, Person, Visit
from engine.model.signal import Transition

MAX_EVENTS = 256
MAX_VISITS = 256


def note_event(person: Person, event: Happened, horizon: float) -> None:
    """Add an event; a late one takes its place in time. Note it after rules have been judged by it, never before."""
    events = person.events
    if not events or event.at >= events[-1].at:
        events.append(event)
    else:
        events.insert(bisect_right(events, event.at, key=lambda happened: happened.at), event)
    if len(events) > MAX_EVENTS or events[0].at < events[-1].at - horizon:
        _trim_events(person, events[-1].at, horizon)


def note_transition(person: Person, t: Transition, horizon: float) -> None:
    """Keep the visit that a transition belongs to right; those that change no visit change nothing."""
    match t.kind:
        case "enter":
            _open(person, t)
            trim_visits(person, t.device, t.at, horizon)
        case "lost" | "resumed":
            visit = _find(person, t)
            if visit is not None:
                visit.lost = t.kind == "lost"
        case "exit" | "ended":
            visit = _find(person, t) or _insert(person, Visit(t.fence, t.device, t.visit))
            visit.exit, visit.lost = max(t.at, visit.enter), False
            trim_visits(person, t.device, t.at, horizon)


def trim(person: Person, now: float, horizon: float) -> None:
    """Drop what ended more than ``horizon`` seconds before ``now`` (device time of all the person's devices)."""
    _trim_events(person, now, horizon)
    trim_visits(person, None, now, horizon)


def trim_visits(person: Person, device: str | None, now: float, horizon: float) -> None:
    """Drop a device's visits (None: every device's) that ended before the horizon, then the oldest above the bound."""
    since = now - horizon
    old = [v for v in person.visits if v.exit is not None and v.exit < since and device in (None, v.device)]
    if old:
        gone = {id(visit) for visit in old}
        person.visits[:] = [visit for visit in person.visits if id(visit) not in gone]
    while len(person.visits) > MAX_VISITS:
        finished = (i for i, visit in enumerate(person.visits) if visit.exit is not None)
        del person.visits[next(finished, 0)]


def _trim_events(person: Person, newest: float, horizon: float) -> None:
    keep = bisect_right(person.events, newest - horizon, key=lambda happened: happened.at)
    del person.events[: max(keep, len(person.events) - MAX_EVENTS)]


def _open(person: Person, t: Transition) -> None:
    last = _find(person, t)
    if last is not None:
        if last.enter == t.visit:
            return
        last.exit, last.lost = max(last.enter, t.visit), False
    _insert(person, Visit(t.fence, t.device, t.visit))


def _find(person: Person, t: Transition) -> Visit | None:
    """The visit of that device to that fence which is not over."""
    for visit in reversed(person.visits):
        if visit.fence == t.fence and visit.device == t.device and visit.exit is None:
            return visit
    return None


def _insert(person: Person, visit: Visit) -> Visit:
    visits = person.visits
    if not visits or visit.enter >= visits[-1].enter:
        visits.append(visit)
    else:
        visits.insert(bisect_right(visits, visit.enter, key=lambda other: other.enter), visit)
    return visit
