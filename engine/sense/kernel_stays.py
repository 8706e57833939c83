"""One device and its fences, as ``machine`` and ``shelf`` have it, in loops compiled by numba (``herenow[fast]``): of
fences without hours. Only ``kernels`` imports this.

A device's stays lie in ``mine`` while something happens to them, in fence order; what came of it is put down in
``told``. Every function gives back how many there are.
"""

from typing import Any

import numpy as np

from engine.loops import jit
from engine.sense.columns import HELD, NONE, STATE
from engine.sense.machine import ENTERING, ENTERING_FIRST, INSIDE, KINDS, LEAVING, OVER, UNKNOWN

MOST = 32  # stays and fences that one signal may move here
MINE = np.dtype(
    [(name, np.float64) for name in ("visit", "since")] + [(name, np.int64) for name in ("fence", "dwell", "state")]
)
ENTER, EXIT, DWELL, LOST, RESUMED, ENDED = range(len(KINDS))
MIN_INSIDE, MIN_OUTSIDE, RESUME_WITHIN = 10, 11, 12  # places in the limits, after those of the sweep
_SILENCE = 6


@jit
def taken(own: Any, stays: Any, mine: Any, kept: Any) -> int:
    """Take a device's stays; ``kept``: the rows they lie in."""
    count, row = 0, own.head
    while row != NONE:
        stay = stays[row]
        mine[count].visit, mine[count].since = stay.visit, stay.since
        mine[count].fence, mine[count].dwell, mine[count].state = stay.fence, stay.dwell, stay.state
        kept[count] = row
        row, count = stay.next, count + 1
    return count


@jit
def _tell(
    told: Any, count: int, k: int, kind: int, fence: int, at: float, visit: float, seconds: float, probability: float,
    metres: float, due: float, initial: bool,
) -> int:  # fmt: skip
    one = told[count]
    one.signal, one.kind, one.fence, one.at, one.visit, one.seconds = k, kind, fence, at, visit, seconds
    one.probability, one.metres, one.due, one.initial = probability, metres, due, initial
    return count + 1


@jit
def _gone(mine: Any, i: int, count: int) -> int:
    """A stay is over."""
    for k in range(i, count - 1):
        mine[k] = mine[k + 1]
    return count - 1


@jit
def _over(mine: Any, i: int, count: int, at: float, now: float) -> Any:
    """A stay is over at an instant, by the clock of a device that may be behind it."""
    if at > now:
        mine[i].state, mine[i].since, mine[i].dwell = OVER, at, 0
        return count
    return _gone(mine, i, count)


# ---------------------------------------------------------------------- time


@jit
def _due(stay: Any, limits: Any, dwells: Any) -> tuple[float, int]:
    """When the next timer of a stay but silence runs out, and what it tells."""
    if stay.state in (ENTERING, ENTERING_FIRST):
        return stay.since + limits[MIN_INSIDE], ENTER
    when, kind = np.inf, LOST
    after = dwells[stay.fence, stay.dwell]
    if after < np.inf:
        when, kind = stay.visit + after, DWELL
    if stay.state == LEAVING and stay.since + limits[MIN_OUTSIDE] < when:
        when, kind = stay.since + limits[MIN_OUTSIDE], EXIT
    return when, kind


@jit
def _next(own: Any, mine: Any, count: int, limits: Any, dwells: Any) -> tuple[int, float, int]:
    """Whose timer is next (NONE where there is none), when it runs out, and what it tells. At one instant by fence, a
    dwell before an exit or an enter, and silence last."""
    best, when, kind, lost = NONE, np.inf, LOST, own.heard + limits[_SILENCE]
    for i in range(count):
        if mine[i].state != UNKNOWN and mine[i].state != OVER:
            at, what = _due(mine[i], limits, dwells)
            if lost < at:
                at, what = lost, LOST
            if best == NONE or at < when:
                best, when, kind = i, at, what
    return best, when, kind


@jit
def _fire(
    own: Any, mine: Any, count: int, i: int, at: float, kind: int, k: int, dwells: Any, told: Any, place: int
) -> tuple[int, int]:
    """Let a timer run out: stays, and what is told by now."""
    stay, due = mine[i], at - own.at + own.received
    fence, visit, seconds, initial = stay.fence, stay.visit, 0.0, False
    if kind == DWELL:
        seconds = dwells[fence, stay.dwell]
        stay.dwell += 1
    elif kind == EXIT:
        count = _over(mine, i, count, at, own.at)
    elif kind == ENTER:
        visit, initial = at, stay.state == ENTERING_FIRST
        stay.state, stay.visit = INSIDE, at
    elif stay.state in (ENTERING, ENTERING_FIRST):
        return _gone(mine, i, count), place
    else:
        stay.state, stay.since = UNKNOWN, max(own.heard, visit)
    return count, _tell(told, place, k, kind, fence, at, visit, seconds, np.nan, np.nan, due, initial)


@jit
def run_until(
    own: Any, mine: Any, count: int, now: float, journal: bool, k: int, limits: Any, dwells: Any, told: Any, place: int
) -> tuple[int, int]:
    """Fire what is due at or before ``now`` of the device's clock, or of the ``journal``, in order: stays, and what is
    told by now."""
    while True:
        i, at, kind = _next(own, mine, count, limits, dwells)
        if i == NONE or not (at - own.at + own.received if journal else at) <= now:
            return count, place
        count, place = _fire(own, mine, count, i, at, kind, k, dwells, told, place)


# ---------------------------------------------------------------------- evidence


@jit
def _begun(
    own: Any, mine: Any, count: int, fence: int, at: float, first: bool, limits: Any, probability: float,
    metres: float, k: int, entered: Any, enters: int,
) -> tuple[int, int]:  # fmt: skip
    """Another stay, in its place: stays, and enters by now."""
    at = max(at, own.told)
    i = count
    while i > 0 and mine[i - 1].fence > fence:
        mine[i] = mine[i - 1]
        i -= 1
    mine[i].fence, mine[i].visit, mine[i].since, mine[i].dwell = fence, at, at, 0
    if limits[MIN_INSIDE] > 0.0:
        mine[i].state = ENTERING_FIRST if first else ENTERING
    else:
        mine[i].state = INSIDE
        enters = _tell(entered, enters, k, ENTER, fence, at, at, 0.0, probability, metres, np.nan, first)
    return count + 1, enters


@jit
def _unknown(
    mine: Any, i: int, count: int, now: float, into: bool, out: bool, limits: Any, dwells: Any, probability: float,
    metres: float, k: int, told: Any, place: int, entered: Any, enters: int,
) -> tuple[int, int, int, float]:  # fmt: skip
    """A fix after silence: stays, what is told, enters; and when another visit may begin (NaN: none may)."""
    stay = mine[i]
    fence, visit, since = stay.fence, stay.visit, stay.since
    if into and now - since <= limits[RESUME_WITHIN]:
        stay.state = INSIDE
        while visit + dwells[fence, stay.dwell] <= now:
            stay.dwell += 1
        at = max(now, visit)
        return count, place, _tell(
            entered, enters, k, RESUMED, fence, at, visit, 0.0, probability, metres, np.nan, False
        ), np.nan  # fmt: skip
    if not (into or out):
        return count, place, enters, np.nan
    place = _tell(told, place, k, ENDED, fence, since, visit, 0.0, probability, metres, np.nan, False)
    if into:
        return _gone(mine, i, count), place, enters, max(now, since)
    return _over(mine, i, count, since, now), place, enters, np.nan


@jit
def _held(
    mine: Any, i: int, count: int, now: float, into: bool, out: bool, limits: Any, dwells: Any, probability: float,
    metres: float, k: int, told: Any, place: int, entered: Any, enters: int,
) -> Any:  # fmt: skip
    """What is seen of a fence the device is, or may be, in: as ``_unknown``."""
    stay = mine[i]
    state, since = stay.state, stay.since
    if state == UNKNOWN:
        return _unknown(
            mine, i, count, now, into, out, limits, dwells, probability, metres, k, told, place, entered, enters
        )
    if state == OVER:
        if into or now >= since:
            count = _gone(mine, i, count)
        return count, place, enters, max(now, since) if into else np.nan
    if state in (ENTERING, ENTERING_FIRST):
        return count if into else _gone(mine, i, count), place, enters, np.nan
    if not out:
        stay.state = INSIDE
        return count, place, enters, np.nan
    at, fence, visit = max(now, stay.visit), stay.fence, stay.visit
    if limits[MIN_OUTSIDE] <= 0.0:
        place = _tell(told, place, k, EXIT, fence, at, visit, 0.0, probability, metres, np.nan, False)
        count = _over(mine, i, count, at, now)
    elif state == INSIDE:
        stay.state, stay.since = LEAVING, at
    return count, place, enters, np.nan


@jit
def apply(
    own: Any, mine: Any, count: int, now: float, k: int, pair: int, pairs: Any, after: Any, seen: Any, limits: Any,
    dwells: Any, told: Any, place: int, entered: Any,
) -> tuple[int, int]:  # fmt: skip
    """What a signal at ``now`` says of some fences (a chain of ``pairs`` in fence order, by ``after``): stays, and what
    is told by now. Exits come first, then enters."""
    first, enters = not own.placed, 0
    while pair != NONE:
        fence, into, out, begins = pairs[pair, 1], seen[pair, 0] > 0.0, seen[pair, 1] > 0.0, now
        probability, metres = seen[pair, 2], seen[pair, 3]
        for i in range(count):
            if mine[i].fence == fence:
                count, place, enters, begins = _held(
                    mine, i, count, now, into, out, limits, dwells, probability, metres, k, told, place, entered,
                    enters,
                )  # fmt: skip
                break
        if into and begins == begins:
            count, enters = _begun(
                own, mine, count, fence, begins, first, limits, probability, metres, k, entered, enters
            )
        pair = after[pair]
    for i in range(enters):
        told[place + i] = entered[i]
    return count, place + enters


# ---------------------------------------------------------------------- back into the columns


@jit
def put(
    own: Any, mine: Any, count: int, kept: Any, was: int, stays: Any, size: int, free: int, limits: Any, dwells: Any
) -> tuple[int, int]:
    """Write a device's stays back, in place of those it had (``was``, in the rows ``kept``), with its earliest timer:
    how many rows there are then, and the first that is free."""
    while was > count:
        was -= 1
        stays[kept[was]].fence, stays[kept[was]].next = NONE, free
        free = kept[was]
    while was < count:
        if free == NONE:
            kept[was] = size
            size += 1
        else:
            kept[was] = free
            free = stays[free].next
        was += 1
    timer, live, head = np.inf, False, NONE
    for i in range(count - 1, -1, -1):
        stay, row = mine[i], kept[i]
        stays[row].visit, stays[row].since, stays[row].next = stay.visit, stay.since, head
        stays[row].fence, stays[row].dwell, stays[row].state = stay.fence, stay.dwell, stay.state
        head = row
        if stay.state != UNKNOWN and stay.state != OVER:
            live = True
            timer = min(timer, _due(stay, limits, dwells)[0])
    own.timer, own.live, own.head, own.count = timer, live, head, count
    for i in range(HELD):
        own.held[i] = NONE
        if i < count <= HELD:
            own.held[i] = mine[i].fence if mine[i].state == INSIDE else mine[i].fence | mine[i].state << STATE
    return size, free
