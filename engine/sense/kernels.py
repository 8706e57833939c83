"""All that signals and time do to devices, in loops compiled by numba (``herenow[fast]``): the same as ``single``, bit
for bit. What is rare (hours, grown shapes, reports, crossings) is left to it. Only ``fast`` imports this.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from engine.loops import jit, jit_making
from engine.sense.columns import HELD, NEVER, NONE
from engine.sense.context import DONE, MORE_PAIRS, MORE_STAYS, MORE_TOLD, TOLD
from engine.sense.index import MIX
from engine.sense.kernel_context import Found, World, found_of, world_of
from engine.sense.kernel_judge import ahead, scales, wrap
from engine.sense.kernel_stays import MINE, MOST, apply, put, run_until, taken
from engine.sense.kernel_sweep import (
    DUE,
    LATE,
    LEFT,
    LINE,
    MAX_ACCURACY,
    QUIET,
    SILENCE,
    TOGETHER,
    precise,
    sweep,
)
from engine.sense.stops import USEFUL, WITHIN

_SQUARE = WITHIN * WITHIN


class Bench(NamedTuple):
    """What one device and its stays are worked on with; first pair and what follows it, by signal and pair."""

    mine: Any
    kept: Any
    entered: Any
    modes: Any
    heads: Any
    after: Any


@jit_making
def _previous(rows: Any, previous: Any) -> None:
    """For each signal the one before it of the same device; NONE where it is the first."""
    size = 4
    while size < 2 * len(rows):
        size *= 2
    slots = np.full(size, NONE, np.int64)
    for k in range(len(rows)):
        slot = ((np.int64(rows[k]) * MIX) >> 40) & (size - 1)
        while slots[slot] != NONE and rows[slots[slot]] != rows[k]:
            slot = (slot + 1) & (size - 1)
        previous[k] = slots[slot]
        slots[slot] = k


@jit_making
def advance(context: Any, rows: Any, numbers: Any, received: Any, forced: Any) -> Any:
    """Apply signals from ``at`` on, all but those ``forced`` to be left (none where that is empty) and what comes after
    them of the same device; how it ends. Signals go together as long as each is of another device."""
    c, total = context[0], len(rows)
    world, found = world_of(c), found_of(c)
    previous, gone = np.full(total, NONE, np.int64), np.zeros(total, np.bool_)
    if total > 1:
        _previous(rows, previous)
    for n in range(c.lefts):
        gone[found.left[n, 0]] = True
    bench = Bench(
        np.empty(MOST, MINE), np.empty(MOST, np.int64), np.empty(MOST, TOLD), np.empty(TOGETHER, np.uint8),
        np.empty(TOGETHER, np.int64), np.empty(len(found.pairs), np.int64),
    )  # fmt: skip
    first = c.at
    while first < total:
        last = first
        while last < min(first + TOGETHER, total) and previous[last] < first:
            behind = previous[last] != NONE and gone[previous[last]]
            bench.modes[last - first] = LEFT if behind else QUIET
            last += 1
        if c.passing != 0 and not _pass(c, first, last, rows, received, world, found, bench):
            return MORE_TOLD
        count = sweep(
            first, last, rows, numbers, world.devices, world.knowns, world.limits, world.ground, world.tables,
            found.before, bench.modes, found.pairs, found.seen,
        )  # fmt: skip
        wanting = _wanting(c, count, first, last, rows, world, found, bench)
        if wanting != DONE:
            return wanting
        _link(count, first, last, found, bench)
        for k in range(first, last):
            asked = len(forced) > 0 and forced[k] != 0
            gone[k] = not _one(c, k, first, asked, rows, numbers, received, world, found, bench)
        first = last
        c.at = first
    return DONE


@jit
def _pass(
    c: Any, first: int, last: int, rows: Any, received: Any, world: World, found: Found, bench: Bench
) -> bool:  # fmt: skip
    """Let time pass up to each signal: timers of its device that are due by the journal fire. False where there is no
    room for what they tell."""
    devices, limits = world.devices, world.limits
    start, width = devices.ctypes.data, devices.itemsize
    for k in range(first, last):
        later = start + rows[min(k + 12, last - 1)] * width
        ahead(later)
        ahead(later + LINE)
        own = devices[rows[k]]
        if bench.modes[k - first] == LEFT or own.head == NONE or own.received >= received[k]:
            continue
        timer = min(own.timer, own.heard + limits[SILENCE]) if own.live else own.timer
        if not timer - own.at + own.received <= received[k]:
            continue
        if own.count > HELD or _timed(own, world):
            bench.modes[k - first] = LEFT
            continue
        c.wanted = c.tellings + own.count * (c.width + 3)
        if c.wanted > len(found.told):
            return False
        was = taken(own, world.stays, bench.mine, bench.kept)
        count, c.tellings = run_until(
            own, bench.mine, was, received[k], True, ~k, limits, world.dwells, found.told, c.tellings
        )
        c.size, c.free = put(own, bench.mine, count, bench.kept, was, world.stays, c.size, c.free, limits, world.dwells)
    return True


@jit
def _wanting(c: Any, count: int, first: int, last: int, rows: Any, world: World, found: Found, bench: Bench) -> int:
    """Whether there is room for whatever comes of so many pairs; else of what there is to be more, and how much."""
    c.wanted = count
    if c.spares + count > len(found.pairs):
        c.wanted += c.spares
        return MORE_PAIRS
    if c.size + count > c.ready:
        return MORE_STAYS
    c.wanted += c.tellings + count
    for k in range(first, last):
        if bench.modes[k - first] == DUE:
            c.wanted += world.devices[rows[k]].count * (c.width + 3)
    return MORE_TOLD if c.wanted > len(found.told) else DONE


@jit
def _link(count: int, first: int, last: int, found: Found, bench: Bench) -> None:
    """Chain the pairs of each signal that may change something, in fence order."""
    pairs, heads, after = found.pairs, bench.heads, bench.after
    heads[: last - first] = NONE
    for n in range(count):
        if pairs[n, 3] != 0:
            k = pairs[n, 0] - first
            if heads[k] == NONE or pairs[heads[k], 1] > pairs[n, 1]:
                after[n], heads[k] = heads[k], n
            else:
                one = heads[k]
                while after[one] != NONE and pairs[after[one], 1] < pairs[n, 1]:
                    one = after[one]
                after[n], after[one] = after[one], n


@jit
def _timed(own: Any, world: World) -> bool:
    """Whether a device has a stay in a fence with hours."""
    row = own.head
    while row != NONE:
        if world.ground.fences[world.stays[row].fence].timed:
            return True
        row = world.stays[row].next
    return False


@jit
def _plain(own: Any, pair: int, world: World, found: Found, bench: Bench) -> Any:
    """Whether what stirs a device is for the kernels."""
    count = own.count
    while pair != NONE:
        if found.pairs[pair, 3] < 0 or world.ground.fences[found.pairs[pair, 1]].timed:
            return False
        pair, count = bench.after[pair], count + 1
    return count <= MOST and not _timed(own, world)


@jit
def _leave(c: Any, k: int, pair: int, judged: bool, found: Found, bench: Bench) -> None:
    """Leave a signal, with what was found out about it."""
    found.left[c.lefts, 0], found.left[c.lefts, 1] = k, judged
    c.lefts += 1
    while pair != NONE:
        for n in range(4):
            found.spare[c.spares, n], found.spare_seen[c.spares, n] = found.pairs[pair, n], found.seen[pair, n]
        c.spares += 1
        pair = bench.after[pair]


@jit
def _one(
    c: Any, k: int, first: int, forced: bool, rows: Any, numbers: Any, received: Any, world: World, found: Found,
    bench: Bench,
) -> bool:  # fmt: skip
    """Apply a signal; False where it is left."""
    own, mode, pair = world.devices[rows[k]], bench.modes[k - first], bench.heads[k - first]
    if mode == LATE:
        c.late += 1
        return True
    stirred = mode == DUE or pair != NONE
    if mode == LEFT or forced or (stirred and (c.travelled != 0 or not _plain(own, pair, world, found, bench))):
        _leave(c, k, pair, mode != LEFT, found, bench)
        return False
    now, usable = numbers[0, k], numbers[1, k] == numbers[1, k]
    usable = usable and precise(numbers[3, k], world.limits) <= world.limits[MAX_ACCURACY]
    if stirred:
        _stir(c, own, k, now, received[k], usable, mode == DUE, pair, world, found, bench)
    own.at, own.received = now, received[k]
    if usable:
        own.heard, own.placed = now, True
    _place(own, k, numbers, world.limits, world.tables[0])
    _arm(c, own, rows[k], world.limits, found)
    return True


@jit
def _stir(
    c: Any, own: Any, k: int, now: float, received: float, usable: bool, due: bool, pair: int, world: World,
    found: Found, bench: Bench,
) -> None:  # fmt: skip
    """Fire the timers of a device that are due, and let it have what its fix says."""
    mine, kept, limits, dwells, told = bench.mine, bench.kept, world.limits, world.dwells, found.told
    was = taken(own, world.stays, mine, kept)
    count, place = was, c.tellings
    if due:
        count, place = run_until(own, mine, count, now, False, k, limits, dwells, told, place)
    if usable:
        count, place = apply(
            own, mine, count, now, k, pair, found.pairs, bench.after, found.seen, limits, dwells, told, place,
            bench.entered,
        )  # fmt: skip
    c.tellings = place
    c.size, c.free = put(own, mine, count, kept, was, world.stays, c.size, c.free, limits, dwells)


@jit
def _place(own: Any, k: int, numbers: Any, limits: Any, scale: Any) -> None:
    """Take over the position and the battery."""
    now, lat, lon, battery = numbers[0, k], numbers[1, k], numbers[2, k], numbers[7, k]
    if battery == battery:
        own.battery = battery
    if lat == lat:
        if precise(numbers[3, k], limits) <= USEFUL:
            _stand(own, now, lon, lat, limits[SILENCE], scale)
        own.fixed, own.lat, own.lon, own.accuracy = now, lat, lon, numbers[3, k]
        own.speed, own.heading, own.altitude = numbers[4, k], numbers[5, k], numbers[6, k]


@jit
def _stand(own: Any, now: float, lon: float, lat: float, silence: float, scale: Any) -> None:
    if now - (own.stand_since + float(own.still)) <= silence:
        east, north = scales(lat, scale)
        dx, dy = wrap(lon - float(own.stand_lon)) * east, (lat - float(own.stand_lat)) * north
        if dx * dx + dy * dy <= _SQUARE:
            own.still = now - own.stand_since
            return
    own.stand_lat, own.stand_lon, own.stand_since, own.still = lat, lon, now, 0.0


@jit
def _arm(c: Any, own: Any, row: int, limits: Any, found: Found) -> None:
    """Note a device whose timer comes sooner than it is looked at, or than the next one."""
    if own.head == NONE:
        return
    timer = min(own.timer, own.heard + limits[SILENCE]) if own.live else own.timer
    if timer < np.inf:
        due = timer - own.at + own.received
        if due < c.soon or math.floor(min(due, float(NEVER))) < own.queued:
            found.armed[c.arms, 0], found.armed_due[c.arms] = row, due
            c.arms += 1


@jit_making
def fire(context: Any, rows: Any, received: float) -> int:
    """Fire the timers of devices (``rows``, from ``at`` on) that are due by a journal time; how it ends. ``signal`` of
    what is told, and what is left: the place among the rows."""
    c = context[0]
    world, found = world_of(c), found_of(c)
    mine, kept = np.empty(MOST, MINE), np.empty(MOST, np.int64)
    for n in range(c.at, len(rows)):
        own = world.devices[rows[n]]
        c.at, c.wanted = n, c.tellings + own.count * (c.width + 3)
        if c.wanted > len(found.told):
            return MORE_TOLD
        if own.count > HELD or _timed(own, world):
            found.left[c.lefts, 0], found.left[c.lefts, 1] = n, 0
            c.lefts += 1
            continue
        was = taken(own, world.stays, mine, kept)
        count, c.tellings = run_until(
            own, mine, was, received, True, n, world.limits, world.dwells, found.told, c.tellings
        )
        c.size, c.free = put(own, mine, count, kept, was, world.stays, c.size, c.free, world.limits, world.dwells)
        _arm(c, own, rows[n], world.limits, found)
    return DONE
