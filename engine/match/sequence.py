"""``sequence``: things of a person's history in a given order, each within a time of the one before.

Read from the visits and events that history keeps anyway: so it survives a restart, and is forgotten with them. The
event that woke the rule may be the last step; history does not hold it yet.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import replace

from engine.match.expressions import compile_expression, text_of
from engine.match.places import Resolve, target_words
from engine.match.seen import Node, Seen
from engine.match.situation import Situation, Truth
from engine.match.windows import duration_words
from engine.model.past import Happened, Visit, deeds, stays_in
from engine.model.rule import InOrder, Step

Happening = tuple[float, str, str, str, float]
"""When, and what it was (kind, fence or event, device, number or start of the visit): one thing is not two steps."""

Found = tuple[list[Happening], list[Happening]]
"""What certainly was such a step, and what was or may have been; both by time."""


def compile_sequence(condition: InOrder, resolve: Resolve, silence: float) -> Node:
    """True where certain happenings suffice, None where uncertain ones would, else False."""
    steps, seconds = condition.steps, condition.seconds
    finders = tuple(_finder(step, resolve, silence) for step in steps)
    words = [_words(step) for step in steps]
    name = condition.text or "sequence"
    needs = f"{', then '.join(words)}; beginning in the last {duration_words(seconds)}"

    def reached(s: Situation) -> tuple[int, int]:
        found = [finder(s) for finder in finders]
        since = s.device_now - seconds
        certain = _reached(steps, [sure for sure, _ in found], since)
        return certain, certain if certain == len(steps) else _reached(steps, [maybe for _, maybe in found], since)

    def verdict(certain: int, possible: int) -> bool | None:
        return True if certain == len(steps) else None if possible == len(steps) else False

    def holds(s: Situation) -> bool | None:
        return verdict(*reached(s))

    def look(s: Situation) -> Seen:
        certain, possible = reached(s)
        ok = verdict(certain, possible)
        note = "" if ok else f"step {certain + 1} is missing: {words[certain]}"
        if ok is None:
            note = f"step {certain + 1} cannot be told: {words[certain]}"
        return Seen(name, ok, f"{certain} of {len(steps)} steps", needs, note, condition.where)

    return Node(holds, look)


def _reached(steps: Sequence[Step], found: Sequence[list[Happening]], since: float) -> int:
    """How many steps were gone through in order. Only the one before matters, so the latest that fits is best."""
    before: list[Happening] = []
    for number, (step, happenings) in enumerate(zip(steps, found, strict=True)):
        if number == 0:
            fitting = [happening for happening in happenings if happening[0] > since]
        else:
            times = [happening[0] for happening in before]
            fitting = [h for h in happenings if _follows(h, before, times, step.within)]
        if not fitting:
            return number
        before = fitting
    return len(steps)


def _follows(happening: Happening, before: list[Happening], times: list[float], within: float) -> bool:
    last = bisect_right(times, happening[0]) - 1
    if last >= 0 and before[last] == happening:
        last -= 1
    return last >= 0 and happening[0] - times[last] <= within


def _finder(step: Step, resolve: Resolve, silence: float) -> Callable[[Situation], Found]:
    if step.kind == "event":
        fits = compile_expression(step.filter, silence).holds if step.filter is not None else None
        return lambda s: _events(s, step.event, fits)
    assert step.target is not None
    fences = frozenset(resolve(step.target))
    kind, seconds = step.kind, step.seconds
    if kind == "dwell":
        return lambda s: _stays(s, fences, seconds)
    return lambda s: _comings(s, fences, kind == "exit")


def _events(s: Situation, event: str, fits: Truth | None) -> Found:
    happened = deeds(s.person.past, event)
    if s.cause.kind == "event" and s.cause.event == event:
        happened.append(Happened(event, s.cause.at, s.cause.data))
        happened.sort(key=lambda h: h.at)
    sure: list[Happening] = []
    maybe: list[Happening] = []
    view = replace(s)
    for number, one in enumerate(happened):
        view.happened = one
        answer = True if fits is None else fits(view)
        happening = (one.at, "event", event, "", float(number))
        sure += [happening] if answer else []
        maybe += [happening] if answer is not False else []
    return sure, maybe


def _visits(s: Situation, fences: frozenset[str]) -> list[Visit]:
    """All visits to these, by their beginning."""
    over = stays_in(s.person.past, fences)
    return sorted(over + [visit for visit in s.person.stays if visit.fence in fences], key=lambda visit: visit.enter)


def _comings(s: Situation, fences: frozenset[str], going: bool) -> Found:
    visits = _visits(s, fences)
    if going:
        found = sorted((v.exit, "exit", v.fence, v.device, v.enter) for v in visits if v.exit is not None)
    else:
        found = [(v.enter, "enter", v.fence, v.device, v.enter) for v in visits]
    return found, found


def _stays(s: Situation, fences: frozenset[str], seconds: float) -> Found:
    """Visits that lasted so long; one gone silent before may have."""
    sure: list[Happening] = []
    maybe: list[Happening] = []
    for visit in _visits(s, fences):
        reached = visit.enter + seconds
        happening = (reached, "dwell", visit.fence, visit.device, visit.enter)
        until = s.device_now if visit.exit is None else visit.exit
        sure += [happening] if reached <= until and not visit.lost else []
        maybe += [happening] if reached <= until else []
    return sorted(sure), sorted(maybe)


def _words(step: Step) -> str:
    if step.kind == "event":
        what = f"event {step.event}" + (f" where {text_of(step.filter)}" if step.filter is not None else "")
    else:
        assert step.target is not None
        verb = {"enter": "enters", "exit": "exits", "dwell": "dwells"}[step.kind]
        what = f"{verb} {target_words(step.target)}"
        what += f" for {duration_words(step.seconds)}" if step.kind == "dwell" else ""
    return what + (f" within {duration_words(step.within)}" if step.within else "")
