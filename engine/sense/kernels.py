"""The columns' work in loops over signals, compiled by numba where that is installed (``herenow[fast]``).

Memory is slow to answer and can be asked many things at once: so ``sweep`` goes in steps, each over many signals and
with few branches, and asks for what it will read a little later (``ahead``). Only ``fast`` imports this.
"""

import math
from typing import Any

import numpy as np

from engine.loops import jit
from engine.sense.columns import HELD, NEVER, NONE, STATE
from engine.sense.depths import GRID
from engine.sense.index import MIX as _MIX
from engine.sense.kernel_judge import HALF, WIDEST, ahead, bound, judge, scales, wrap
from engine.sense.measuring import PLANE
from engine.sense.stops import USEFUL, WITHIN
from engine.sense.verdict import INSIDE, OUTSIDE

QUIET, STIRRED, UNCLEAR = 0, 1, 2  # what a signal may do; unclear: what its fix says must be asked anew
TOGETHER = 128  # signals of which each step is done before the next
LINE = 64  # bytes that memory brings at once
_FENCE = (1 << STATE) - 1
_SQUARE = WITHIN * WITHIN


@jit
def _span(key: Any, slots: Any) -> tuple[int, int]:
    """Where the members of a cell begin and end."""
    mask, mixed = len(slots) - 1, np.int64(key) * _MIX
    slot = (mixed ^ (mixed >> 29)) & mask
    while slots[slot].stop:
        if slots[slot].key == key:
            return slots[slot].start, slots[slot].stop
        slot = (slot + 1) & mask
    return 0, 0


@jit
def _clocks(
    first: int,
    last: int,
    rows: Any,
    at: Any,
    lon: Any,
    accuracy: Any,
    devices: Any,
    limits: Any,
    marks: Any,
    asked: Any,
) -> int:
    """What signals may do by the time that passes, into ``marks``; those whose fixes are to be judged, into
    ``asked``, and how many."""
    count, start, width = 0, devices.ctypes.data, devices.itemsize
    for k in range(first, last):
        later = start + rows[min(k + 12, last - 1)] * width
        ahead(later)
        ahead(later + LINE)
        own, now = devices[rows[k]], at[k]
        unclear = (own.count > HELD) | (own.live & (own.heard + limits[6] <= now))
        mark = UNCLEAR if unclear else STIRRED if own.timer <= now else QUIET
        marks[k] = mark if now >= own.at else QUIET
        asked[count] = k
        count += (now >= own.at) & (not unclear) & (lon[k] == lon[k]) & (accuracy[k] <= limits[7])
    return count


@jit
def _cells(asked: Any, count: int, lat: Any, lon: Any, slots: Any, levels: Any, spans: Any) -> int:
    """The members of the cells in which fixes lie, into ``spans`` (signal, from, to); how many members there are."""
    total = 0
    for n in range(len(levels)):
        level = levels[n]
        cells = 1 << level
        fine = cells / 360.0
        for m in range(count):
            k, place = asked[m], n * count + m
            across, up = math.floor((lon[k] + 180.0) * fine) & (cells - 1), math.floor((lat[k] + 90.0) * fine)
            start, stop = _span((level << 52) | (across << 26) | up, slots)
            spans[place, 0], spans[place, 1], spans[place, 2] = k, start, stop
            total += stop - start
    return total


@jit
def _boxed(spans: Any, count: int, lat: Any, lon: Any, fences: Any, members: Any, met: Any, where: Any) -> int:
    """Pairs of signal and fence in whose box its fix lies, into ``met``, and ``where`` in it; how many."""
    found, start, width, listed = 0, fences.ctypes.data, fences.itemsize, members.ctypes.data
    for n in range(count):
        ahead(listed + spans[min(n + 12, count - 1), 1] * members.itemsize)
        later = min(n + 6, count - 1)
        for member in range(spans[later, 1], spans[later, 2]):
            ahead(start + members[member] * width)
        k = spans[n, 0]
        x, y = lon[k], lat[k]
        for member in range(spans[n, 1], spans[n, 2]):
            fence = members[member]
            u = x - fences[fence].lon
            u = (u - 360.0 * np.rint(u / 360.0)) * fences[fence].across
            v = (y - fences[fence].lat) * fences[fence].up
            met[found, 0], met[found, 1] = k, fence
            where[found, 0], where[found, 1] = u, v
            found += max(abs(u), abs(v)) <= 1.0
    return found


@jit
def _open(
    met: Any, where: Any, count: int, rows: Any, lat: Any, accuracy: Any, devices: Any, knowns: Any, limits: Any,
    ground: Any, tables: Any, squares: Any, stays: Any, pairs: Any, found: int,
) -> int:  # fmt: skip
    """Add those of which bounds do not tell enough to ``pairs`` (signal, fence, what is known); how many there are
    then. ``stays``: which of their stays signals were asked about."""
    fences, bounds, chains = ground[0], ground[5], ground[6]
    start = bounds.ctypes.data
    for n in range(count):
        later = min(n + 8, count - 1)
        row = min(int((where[later, 1] + 1.0) * HALF), GRID - 1)
        ahead(start + (met[later, 1] * GRID + row) * GRID)
        k, fence = met[n, 0], met[n, 1]
        held, state = devices[rows[k]].held, -1
        for slot in range(HELD):
            if held[slot] & _FENCE == fence:
                state = held[slot] >> STATE
                stays[k] |= 1 << slot
        known = knowns[state] if state >= 0 else OUTSIDE
        sigma = accuracy[k] * limits[8]
        plane = abs(lat[k]) <= PLANE
        surely = bound(fences[fence], fence, where[n, 0], where[n, 1], plane, bounds, chains, tables[0], squares)
        away, deep = surely < -(sigma * limits[3]), surely > sigma * limits[5]
        if found < len(pairs):
            pairs[found, 0], pairs[found, 1], pairs[found, 2] = k, fence, known
        found += not ((known == OUTSIDE) & away | (known == INSIDE) & deep)
    return found


@jit
def _left(asked: Any, count: int, rows: Any, devices: Any, knowns: Any, stays: Any, pairs: Any, found: int) -> int:
    """Add stays in fences whose box does not hold the fix."""
    for m in range(count):
        k = asked[m]
        own = devices[rows[k]]
        for slot in range(own.count):
            if not stays[k] >> slot & 1:
                if found < len(pairs):
                    held = own.held[slot]
                    pairs[found, 0], pairs[found, 1], pairs[found, 2] = k, held & _FENCE, knowns[held >> STATE]
                found += 1
    return found


@jit
def sweep(
    rows: Any, at: Any, lat: Any, lon: Any, accuracy: Any, devices: Any, knowns: Any, limits: Any, ground: Any,
    tables: Any, marks: Any, pairs: Any, seen: Any,
) -> int:  # fmt: skip
    """Which signals may do something (``marks``), and of which fences (``pairs``: signal, fence, what is known, and
    what ``judge`` found, with ``seen``), and how many pairs that is; more than there is room for: to be asked again
    with more room."""
    fences, rounds, slots, members, levels, _, chains = ground
    found, squares, stays = 0, np.empty(WIDEST), np.zeros(len(rows), np.uint8)
    asked, spans = np.empty(TOGETHER + 1, np.int64), np.empty((TOGETHER * len(levels), 3), np.int64)
    for first in range(0, len(rows), TOGETHER):
        last = min(first + TOGETHER, len(rows))
        count = _clocks(first, last, rows, at, lon, accuracy, devices, limits, marks, asked)
        total = _cells(asked, count, lat, lon, slots, levels, spans)
        met, where = np.empty((total + 1, 2), np.int64), np.empty((total + 1, 2))
        boxed = _boxed(spans, count * len(levels), lat, lon, fences, members, met, where)
        found = _open(
            met, where, boxed, rows, lat, accuracy, devices, knowns, limits, ground, tables, squares, stays, pairs,
            found,
        )  # fmt: skip
        found = _left(asked, count, rows, devices, knowns, stays, pairs, found)
    told = min(found, len(pairs))
    for n in range(told):
        later = fences[pairs[min(n + 3, told - 1), 1]]
        for vertex in range(0, 2 * later.width + 2, LINE // 8):
            ahead(chains.ctypes.data + (later.first + vertex) * 8)
        k, fence = pairs[n, 0], pairs[n, 1]
        sigma, (east, north) = accuracy[k] * limits[8], scales(lat[k], tables[0])
        pairs[n, 3] = judge(
            pairs[n, 2], lon[k], lat[k], sigma, east, north, fences[fence], rounds[fence], limits, chains, tables,
            squares, seen, n,
        )  # fmt: skip
        if pairs[n, 3] > 0:
            marks[k] = STIRRED
    return found


@jit
def settle(
    rows: Any, at: Any, received: Any, lat: Any, lon: Any, accuracy: Any, given: Any, devices: Any, limits: Any,
    scale: Any, skip: Any, soon: float, armed: Any,
) -> int:  # fmt: skip
    """Move on the clocks and places of devices, but for signals to ``skip``; rows to be armed sooner, and how many.
    ``given``: accuracy as told, speed, heading, altitude, battery; ``accuracy``: as taken."""
    count = 0
    for k in range(len(rows)):
        own = devices[rows[k]]
        now = at[k]
        if skip[k] or now < own.at:
            continue
        own.at, own.received = now, received[k]
        battery = given[4, k]
        if battery == battery:
            own.battery = battery
        x, y = lon[k], lat[k]
        if x == x:
            if accuracy[k] <= limits[7]:
                own.heard, own.placed = now, True
            if accuracy[k] <= USEFUL:
                _stand(own, now, x, y, limits[6], scale)
            own.fixed, own.lat, own.lon = now, y, x
            own.accuracy, own.speed, own.heading, own.altitude = given[0, k], given[1, k], given[2, k], given[3, k]
        if own.head != NONE:
            timer = own.timer
            if own.live:
                timer = min(timer, own.heard + limits[6])
            if timer < np.inf:
                due = timer - own.at + own.received
                if due < soon or math.floor(min(due, float(NEVER))) < own.queued:
                    armed[count] = rows[k]
                    count += 1
    return count


@jit
def _stand(own: Any, now: float, lon: float, lat: float, silence: float, scale: Any) -> None:
    if now - (own.stand_since + float(own.still)) <= silence:
        east, north = scales(lat, scale)
        dx, dy = wrap(lon - float(own.stand_lon)) * east, (lat - float(own.stand_lat)) * north
        if dx * dx + dy * dy <= _SQUARE:
            own.still = now - own.stand_since
            return
    own.stand_lat, own.stand_lon, own.stand_since, own.still = lat, lon, now, 0.0
