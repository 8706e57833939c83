"""What the fixes of some signals say of fences, in loops compiled by numba (``herenow[fast]``); nothing is changed.

Memory is slow to answer and can be asked many things at once: so the work goes in steps, each over all the signals and
with few branches, and asks for what it will read a little later (``ahead``). Only ``kernels`` imports this.
"""

import math
from typing import Any

import numpy as np

from engine.loops import jit, jit_making
from engine.sense.columns import HELD, STATE
from engine.sense.depths import GRID
from engine.sense.index import MIX as _MIX
from engine.sense.kernel_judge import WIDEST, ahead, bound, cell, judge, scales
from engine.sense.measuring import PLANE
from engine.sense.verdict import EITHER, INSIDE, OUTSIDE

LATE, QUIET, DUE, LEFT = 0, 1, 2, 3  # what time alone does with a signal; left: it takes more than the kernels
TOGETHER = 128  # signals of which each step is done before the next
LINE = 64  # bytes that memory brings at once
SILENCE, MAX_ACCURACY, SIGMA, DEFAULT_ACCURACY = 6, 7, 8, 9  # places in the limits, after those of ``judge``
FENCE = (1 << STATE) - 1


@jit
def precise(accuracy: float, limits: Any) -> float:
    """Accuracy as it is taken, in metres."""
    taken: float = accuracy if accuracy == accuracy else limits[DEFAULT_ACCURACY]
    return taken


@jit
def clocks(
    first: int, last: int, rows: Any, numbers: Any, devices: Any, limits: Any, before: Any, modes: Any, asked: Any
) -> int:
    """What time does with signals, into ``modes`` (where they are not LEFT already); those whose fixes are to be
    judged, into ``asked``, and how many. Their devices as they are, into ``before``."""
    count, start, width = 0, devices.ctypes.data, devices.itemsize
    for k in range(first, last):
        later = start + rows[min(k + 12, last - 1)] * width
        ahead(later)
        ahead(later + LINE)
        own, now, fix = devices[rows[k]], numbers[0, k], numbers[1, k]
        before[k] = own
        if modes[k - first] == LEFT:
            continue
        due = own.timer
        if own.live:
            due = min(due, own.heard + limits[SILENCE])
        mode = LEFT if own.count > HELD else DUE if due <= now else QUIET
        mode = mode if now >= own.at else LATE
        modes[k - first] = mode
        asked[count] = k
        usable = (fix == fix) & (precise(numbers[3, k], limits) <= limits[MAX_ACCURACY])
        count += usable & ((mode == QUIET) | (mode == DUE))
    return count


@jit
def _slot(key: int, slots: Any) -> Any:
    """Where a cell is looked for first."""
    mixed = np.int64(key) * _MIX
    return (mixed ^ (mixed >> 29)) & (len(slots) - 1)


@jit
def _span(key: Any, slots: Any) -> tuple[int, int]:
    """Where the members of a cell begin and end."""
    slot = _slot(key, slots)
    while slots[slot].stop:
        if slots[slot].key == key:
            return slots[slot].start, slots[slot].stop
        slot = (slot + 1) & (len(slots) - 1)
    return 0, 0


@jit
def _cells(asked: Any, count: int, numbers: Any, slots: Any, levels: Any, spans: Any) -> int:
    """The members of the cells in which fixes lie, into ``spans`` (signal, from, to); how many members there are."""
    total, start, width = 0, slots.ctypes.data, slots.itemsize
    for n in range(len(levels)):
        level = levels[n]
        cells = 1 << level
        fine = cells / 360.0
        for m in range(count):
            k, place = asked[m], n * count + m
            lat, lon = numbers[1, k], numbers[2, k]
            across, up = math.floor((lon + 180.0) * fine) & (cells - 1), math.floor((lat + 90.0) * fine)
            key = (level << 52) | (across << 26) | up
            spans[place, 0], spans[place, 1] = k, key
            ahead(start + _slot(key, slots) * width)
    for place in range(len(levels) * count):
        spans[place, 1], spans[place, 2] = _span(spans[place, 1], slots)
        total += spans[place, 2] - spans[place, 1]
    return total


@jit
def _boxed(spans: Any, count: int, numbers: Any, fences: Any, members: Any, met: Any, where: Any) -> int:
    """Pairs of signal and fence in whose box its fix lies, into ``met``, and ``where`` in it; how many."""
    found, start, width, listed = 0, fences.ctypes.data, fences.itemsize, members.ctypes.data
    for n in range(count):
        ahead(listed + spans[min(n + 12, count - 1), 1] * members.itemsize)
        later = min(n + 6, count - 1)
        for member in range(spans[later, 1], spans[later, 2]):
            ahead(start + members[member] * width)
        k = spans[n, 0]
        x, y = numbers[2, k], numbers[1, k]
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
def _known(state: int, due: bool, knowns: Any) -> int:
    """What is known of a stay; where a timer will have changed it meanwhile, nothing."""
    told: int = EITHER if due else knowns[state]
    return told


@jit
def _bring(own: Any, chains: Any) -> None:
    """Have memory bring the vertices of a fence."""
    for vertex in range(0, 2 * own.width + 2, LINE // 8):
        ahead(chains.ctypes.data + (own.first + vertex) * 8)


@jit
def _open(
    met: Any, where: Any, count: int, first: int, rows: Any, numbers: Any, devices: Any, knowns: Any, limits: Any,
    ground: Any, tables: Any, squares: Any, modes: Any, stays: Any, pairs: Any,
) -> int:  # fmt: skip
    """Put those of which bounds do not tell enough into ``pairs`` (signal, fence, what is known); how many there are.
    ``stays``: which of their stays signals were asked about."""
    fences, bounds, chains, found = ground.fences, ground.bounds, ground.chains, 0
    start = bounds.ctypes.data
    for n in range(count):
        later, soon = min(n + 12, count - 1), min(n + 6, count - 1)
        _, up = cell(where[later, 0], where[later, 1])
        ahead(start + (met[later, 1] * GRID + up) * GRID)
        across, up = cell(where[soon, 0], where[soon, 1])
        if bounds[met[soon, 1], up, across] == 0:  # it will be worked out
            _bring(fences[met[soon, 1]], chains)
        k, fence = met[n, 0], met[n, 1]
        held, state = devices[rows[k]].held, -1
        for slot in range(HELD):
            if held[slot] & FENCE == fence:
                state = held[slot] >> STATE
                stays[k - first] |= 1 << slot
        known = _known(state, modes[k - first] == DUE, knowns) if state >= 0 else OUTSIDE
        sigma = precise(numbers[3, k], limits) * limits[SIGMA]
        plane = abs(numbers[1, k]) <= PLANE
        surely = bound(fences[fence], fence, where[n, 0], where[n, 1], plane, bounds, chains, tables[0], squares)
        away, deep = surely < -(sigma * limits[3]), surely > sigma * limits[5]
        if found < len(pairs):
            pairs[found, 0], pairs[found, 1], pairs[found, 2] = k, fence, known
        found += not ((known == OUTSIDE) & away | (known == INSIDE) & deep)
    return found


@jit
def _rest(
    asked: Any, count: int, first: int, rows: Any, devices: Any, knowns: Any, modes: Any, stays: Any, pairs: Any,
    found: int,
) -> int:  # fmt: skip
    """Add stays in fences whose box does not hold the fix."""
    for m in range(count):
        k = asked[m]
        own = devices[rows[k]]
        for slot in range(own.count):
            if not stays[k - first] >> slot & 1:
                if found < len(pairs):
                    held = own.held[slot]
                    known = _known(held >> STATE, modes[k - first] == DUE, knowns)
                    pairs[found, 0], pairs[found, 1], pairs[found, 2] = k, held & FENCE, known
                found += 1
    return found


@jit
def _judged(
    pairs: Any, count: int, numbers: Any, limits: Any, ground: Any, tables: Any, squares: Any, seen: Any
) -> None:
    """What each pair comes to, as its last number and in ``seen``."""
    fences, rounds, chains = ground.fences, ground.rounds, ground.chains
    for n in range(count):
        _bring(fences[pairs[min(n + 3, count - 1), 1]], chains)
        k, fence = pairs[n, 0], pairs[n, 1]
        lat, lon = numbers[1, k], numbers[2, k]
        sigma, (east, north) = precise(numbers[3, k], limits) * limits[SIGMA], scales(lat, tables[0])
        pairs[n, 3] = judge(
            pairs[n, 2], lon, lat, sigma, east, north, fences[fence], rounds[fence], limits, chains, tables, squares,
            seen, n,
        )  # fmt: skip


@jit_making
def sweep(
    first: int, last: int, rows: Any, numbers: Any, devices: Any, knowns: Any, limits: Any, ground: Any, tables: Any,
    before: Any, modes: Any, pairs: Any, seen: Any,
) -> Any:  # fmt: skip
    """What time (``modes``) and fixes do with signals of different devices, of which fences (``pairs``: signal, fence,
    what is known, and what ``judge`` found, with ``seen``), and how many pairs that is; more than there is room for: to
    be asked again with more room."""
    levels = ground.levels
    squares, stays = np.empty(WIDEST), np.zeros(last - first, np.uint8)
    asked = np.empty(last - first + 1, np.int64)
    count = clocks(first, last, rows, numbers, devices, limits, before, modes, asked)
    spans = np.empty((count * len(levels) + 1, 3), np.int64)
    total = _cells(asked, count, numbers, ground.slots, levels, spans)
    met, where = np.empty((total + 1, 2), np.int64), np.empty((total + 1, 2))
    boxed = _boxed(spans, count * len(levels), numbers, ground.fences, ground.members, met, where)
    found = _open(
        met, where, boxed, first, rows, numbers, devices, knowns, limits, ground, tables, squares, modes, stays, pairs
    )
    found = _rest(asked, count, first, rows, devices, knowns, modes, stays, pairs, found)
    if found <= len(pairs):
        _judged(pairs, found, numbers, limits, ground, tables, squares, seen)
    return found
