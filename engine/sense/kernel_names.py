"""Who has which row, many at a time: loops compiled by numba (``herenow[fast]``) over names as they came, one a line.

A table of places, eight to a line of memory, holds a part of each name's mix and its row, of those heard of lately. It
may forget and never tells what is not so: each name is compared with the one that has the row. Memory is asked for
early (``ahead``). Only ``fast`` imports this.
"""

from typing import Any

import numpy as np

from engine.loops import jit
from engine.peek import byte, word
from engine.sense.kernel_judge import ahead

PLACES = 1 << 16
TOGETHER = 8  # places of one line
PAD = b"\n" + b"\0" * 8  # after the last name: words are read
_LINE = 64  # bytes
_BREAK, _BREAKS = 10, np.uint64(0x0A0A0A0A0A0A0A0A)
_ONES, _HIGH = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
_MIX, _HALF, _LOW = np.uint64(0x9E3779B97F4A7C15), np.uint64(32), np.uint64(0xFFFFFFFF)
_GROUPS = np.uint64(PLACES // TOGETHER - 1)


@jit
def _mixed(mix: Any, part: Any) -> Any:
    mix = (mix ^ part) * _MIX
    return mix ^ (mix >> _HALF)


@jit
def _name(at: int) -> tuple[int, Any]:
    """Where a name ends, and its mix."""
    mix, part = _MIX, word(at)
    other = part ^ _BREAKS
    breaks = (other - _ONES) & ~other & _HIGH  # the lowest bit that is set is in the first of them
    while not breaks:
        mix, at = _mixed(mix, part), at + 8
        part = word(at)
        other = part ^ _BREAKS
        breaks = (other - _ONES) & ~other & _HIGH
    part &= ((breaks & (~breaks + np.uint64(1))) >> np.uint64(7)) - np.uint64(1)
    while byte(at) != _BREAK:
        at += 1
    return at, _mixed(mix, part)


@jit
def _same(one: int, other: int, size: int) -> bool:
    k = 0
    while k + 8 <= size:
        if word(one + k) != word(other + k):
            return False
        k += 8
    while k < size:
        if byte(one + k) != byte(other + k):
            return False
        k += 1
    return True


@jit
def find(text: Any, held: Any, ends: Any, places: Any, begins: Any, mixes: Any, rows: Any) -> int:
    """How many of the names in ``text`` (one a line, and ``PAD``) have no row that is known here (-1 in ``rows``).
    ``held``, ``ends``: the names by row. ``begins`` (one more than names) and ``mixes`` are for ``keep``."""
    at, count = np.intp(text.ctypes.data), len(rows)
    start, lines, names = at, np.intp(places.ctypes.data), np.intp(held.ctypes.data)
    for k in range(count):
        begins[k] = at - start
        at, mixes[k] = _name(at)
        ahead(lines + np.intp(mixes[k] & _GROUPS) * _LINE)
        at += 1
    begins[count] = at - start
    for k in range(count):
        place, rows[k] = np.intp(mixes[k] & _GROUPS) * TOGETHER, -1
        for n in range(place, place + TOGETHER):
            if places[n] >> _HALF == mixes[k] >> _HALF and places[n] & _LOW:
                rows[k] = np.intp(places[n] & _LOW) - 1
                ahead(np.intp(ends.ctypes.data) + 8 * rows[k])
    for k in range(count):
        if rows[k] >= 0:
            ahead(names + ends[rows[k]])
    missing = 0
    for k in range(count):
        row, size = rows[k], begins[k + 1] - begins[k] - 1
        if row < 0 or ends[row + 1] - ends[row] != size or not _same(start + begins[k], names + ends[row], size):
            rows[k] = -1
            missing += 1
    return missing


@jit
def keep(places: Any, mixes: Any, rows: Any, some: Any) -> None:
    """Remember the rows of ``some`` of the names that ``find`` was asked for."""
    for k in some:
        place = np.intp(mixes[k] & _GROUPS) * TOGETHER
        entry = (mixes[k] >> _HALF << _HALF) | np.uint64(rows[k] + 1)
        chosen = np.intp(place + ((mixes[k] >> np.uint64(20)) & np.uint64(TOGETHER - 1)))  # who is there must go
        for n in range(place, place + TOGETHER):
            if places[n] & _LOW == 0 or places[n] == entry:
                chosen = np.intp(n)
                break
        places[chosen] = entry
