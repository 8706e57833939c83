"""``visited`` and ``did``: counting what happened in the last so many seconds, on the device's clock.

Whatever history holds has happened, so a window has a beginning and no end: an event of another device of the person
whose clock runs a little ahead counts.
"""

from dataclasses import replace
from functools import partial

from engine.match.expressions import compile_expression, text_of
from engine.match.places import Resolve, target_words
from engine.match.seen import Node, Seen
from engine.match.situation import Situation, Truth
from engine.model.past import deeds, stays_in
from engine.model.rule import Did, Visited

_UNITS = ((604800, "week"), (86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def compile_visited(condition: Visited, resolve: Resolve) -> Node:
    """Finished visits that were under way within the window; the present one does not count."""
    fences = frozenset(resolve(condition.target))
    times, seconds = condition.times, condition.seconds
    name = condition.text or "visited"
    needs = f"{target_words(condition.target)} {_often(times, seconds)}"

    def ends(s: Situation) -> list[float]:
        cause = s.cause
        return [
            visit.exit
            for visit in stays_in(s.person.past, fences, s.device_now - seconds)
            if visit.exit is not None
            and not (
                cause.kind == "exit"
                and visit.exit == cause.at
                and visit.fence == cause.fence
                and visit.device == s.device
            )
        ]

    def holds(s: Situation) -> bool:
        return len(ends(s)) >= times

    def look(s: Situation) -> Seen:
        found = ends(s)
        ok = len(found) >= times
        free = partial(_free, found, times, seconds, s)
        return Seen(name, ok, len(found), needs, where=condition.where, free=free)

    return Node(holds, look)


def compile_did(condition: Did, silence: float) -> Node:
    """Earlier events of that name within the window that fit the filter; the triggering event does not count."""
    event, times, seconds = condition.event, condition.times, condition.seconds
    fits = compile_expression(condition.filter, silence).holds if condition.filter is not None else None
    name = condition.text or "did"
    where_text = f" where {text_of(condition.filter)}" if condition.filter is not None else ""
    needs = f"{event}{where_text} {_often(times, seconds)}"

    def holds(s: Situation) -> bool | None:
        found, unsure = _events(s, event, seconds, fits)
        return True if len(found) >= times else None if len(found) + unsure >= times else False

    def look(s: Situation) -> Seen:
        found, unsure = _events(s, event, seconds, fits)
        note = f"{unsure} more cannot be judged: a value in `where` is unknown" if unsure else ""
        ok = True if len(found) >= times else None if len(found) + unsure >= times else False
        return Seen(name, ok, len(found), needs, note, condition.where, partial(_free, found, times, seconds, s))

    return Node(holds, look)


def _events(s: Situation, event: str, seconds: float, fits: Truth | None) -> tuple[list[float], int]:
    """When it happened within the window, and how many more cannot be judged."""
    within = deeds(s.person.past, event, s.device_now - seconds)
    if fits is None or not within:
        return [happened.at for happened in within], 0
    view, found, unsure = replace(s), [], 0
    for happened in within:
        view.happened = happened
        answer = fits(view)
        if answer:
            found.append(happened.at)
        elif answer is None:
            unsure += 1
    return found, unsure


def _free(found: list[float], times: int, seconds: float, s: Situation) -> float | None:
    """When enough of them leave the window for the count to fall below ``times``, in journal time."""
    if times < 1 or len(found) < times:
        return None
    return s.now + (sorted(found)[-times] + seconds - s.device_now)


def _often(times: int, seconds: float) -> str:
    return f"at least {times} time{'s' if times != 1 else ''} in the last {duration_words(seconds)}"


def duration_words(seconds: float) -> str:
    """``90000`` as "25 hours": the largest unit that divides it."""
    for size, unit in _UNITS:
        if seconds >= size and seconds % size == 0:
            count = int(seconds // size)
            return f"{count} {unit}{'s' if count != 1 else ''}"
    return f"{seconds:g} seconds"
