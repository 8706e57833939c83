"""Repeats of many devices at a time: loops compiled by numba (``herenow[fast]``).

The same as ``lastkeys`` does with columns, one signal after the other. Only ``fast`` imports this.
"""

from typing import Any

import numpy as np
from numba.np.numpy_support import carray

from engine.ingest.lastkeys import EMPTY, KEYS, STATE
from engine.loops import jit, jit_making
from engine.peek import pointer


@jit
def _moved(at: int, by: int, state: int) -> int:
    """The word of a row whose keys lie in chunk ``at``, ``by`` states on."""
    return ~(at << 5 | (state + by))


@jit
def _begin(kind: int, row: int, chunks: Any, owners: Any, sizes: Any) -> int:
    """A new chunk for a row, without keys."""
    at: int = sizes[kind]
    sizes[kind] += 1
    owners[kind][at] = row
    width = 2 << kind
    for place in range(at * width, (at + 1) * width):
        chunks[kind][place] = EMPTY
    return at


@jit
def _give_up(kind: int, at: int, words: Any, chunks: Any, owners: Any, sizes: Any) -> None:
    """The last chunk fills the hole."""
    sizes[kind] -= 1
    last, width = sizes[kind], 2 << kind
    if at == last:
        return
    for place in range(width):
        chunks[kind][at * width + place] = chunks[kind][last * width + place]
    row = owners[kind][last]
    owners[kind][at] = row
    words[row] = _moved(at, 0, ~words[row] & STATE)


@jit
def _move_up(row: int, kind: int, at: int, key: int, words: Any, chunks: Any, owners: Any, sizes: Any) -> None:
    """To a chunk twice as wide, with a key more."""
    to, width = _begin(kind + 1, row, chunks, owners, sizes), 2 << kind
    for place in range(width):
        chunks[kind + 1][2 * to * width + place] = chunks[kind][at * width + place]
    chunks[kind + 1][2 * to * width + width] = key
    words[row] = _moved(to, 1, width)
    _give_up(kind, at, words, chunks, owners, sizes)


@jit_making
def _chunks(pools: Any, kind: int, more: int) -> Any:
    return carray(pointer(pools[3 * kind]), ((pools[3 * kind + 2] + more) * (2 << kind),), np.int64)


@jit_making
def _owner(pools: Any, kind: int, more: int) -> Any:
    return carray(pointer(pools[3 * kind + 1]), (pools[3 * kind + 2] + more,), np.int32)


@jit
def add(rows: Any, keys: Any, words: Any, pools: Any, new: Any) -> int:
    """Remember a key each of rows; into ``new`` which are, and how many are not. Of each pool: the addresses of its
    chunks and of whose they are, and how many there are, with room for one more of each row."""
    more, sizes = len(rows), pools[2::3]
    chunks = _chunks(pools, 0, more), _chunks(pools, 1, more), _chunks(pools, 2, more), _chunks(pools, 3, more)
    owners = _owner(pools, 0, more), _owner(pools, 1, more), _owner(pools, 2, more), _owner(pools, 3, more)
    repeats = 0
    for k in range(len(rows)):
        row, key = rows[k], keys[k]
        word = ~words[row]
        new[k] = True
        if word == 0:  # no key
            words[row] = key
            continue
        if word < 0:  # one
            if ~word == key:
                new[k] = False
                repeats += 1
            else:
                at = _begin(0, row, chunks, owners, sizes)
                chunks[0][2 * at], chunks[0][2 * at + 1] = ~word, key
                words[row] = _moved(at, 2, 0)
            continue
        state, at = word & STATE, word >> 5
        kind = (state > 2) + (state > 4) + (state > 8)
        width = 2 << kind
        chunk, known = chunks[kind], False
        for place in range(at * width, (at + 1) * width):
            known |= chunk[place] == key
        if known:
            new[k] = False
            repeats += 1
        elif state == width < KEYS:
            _move_up(row, kind, at, key, words, chunks, owners, sizes)
        else:
            chunk[at * width + state % KEYS] = key
            words[row] = _moved(at, 1 if state < STATE else 1 - KEYS, state)
    return repeats
