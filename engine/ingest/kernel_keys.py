"""Repeats of devices that have sent enough, many at a time: loops compiled by numba (``herenow[fast]``).

The same as ``lastkeys`` does with columns, one signal after the other. Only ``fast`` imports this.
"""

from typing import Any

from engine.ingest.lastkeys import KEYS, STATE
from engine.loops import jit

REPEAT, NEW, OTHER = 0, 1, 2


@jit
def add(rows: Any, keys: Any, words: Any, chunks: Any, told: Any) -> int:
    """Remember a key each of rows whose chunk is of ``KEYS`` keys; into ``told`` which are new, and which are of
    ``OTHER`` rows; how many are not new."""
    count = 0
    for k in range(len(rows)):
        word = ~words[rows[k]]
        state = word & STATE
        if word <= 0 or state <= KEYS // 2:
            told[k] = OTHER
            count += 1
            continue
        chunk, known = chunks[word >> 5], False
        for n in range(KEYS):
            known |= chunk[n] == keys[k]
        told[k] = REPEAT if known else NEW
        count += known
        if not known:
            chunk[state % KEYS] = keys[k]
            words[rows[k]] = ~(word + 1 if state < STATE else word - KEYS + 1)
    return count
