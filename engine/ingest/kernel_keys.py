"""Repeats of many devices at a time: loops compiled by numba (``herenow[fast]``).

The same as ``lastkeys`` does with columns, one signal after the other, as long as no keys have to move to a larger
chunk. Only ``fast`` imports this.
"""

from typing import Any

from engine.ingest.lastkeys import KEYS, STATE
from engine.loops import jit

REPEAT, NEW, OTHER = 0, 1, 2


@jit
def add(rows: Any, keys: Any, words: Any, twos: Any, fours: Any, eights: Any, most: Any, told: Any) -> int:
    """Remember a key each of rows; into ``told`` which are new, and which are of ``OTHER`` rows, whose next key needs
    a larger chunk, as does all that comes of them later; how many are not new. Of each pool: its chunks."""
    count = 0
    for k in range(len(rows)):
        row, key = rows[k], keys[k]
        word = ~words[row]
        if word == 0:  # no key
            told[k], words[row] = NEW, key
            continue
        if word < 0:  # one
            told[k] = OTHER
            count += 1
            continue
        state, at = word & STATE, word >> 5
        if state <= 2:
            chunk = twos[at]
        elif state <= 4:
            chunk = fours[at]
        elif state <= 8:
            chunk = eights[at]
        else:
            chunk = most[at]
        if state == len(chunk) < KEYS:
            told[k] = OTHER
            count += 1
            continue
        known = False
        for n in range(len(chunk)):
            known |= chunk[n] == key
        told[k] = REPEAT if known else NEW
        count += known
        if not known:
            chunk[state % KEYS] = key
            words[row] = ~(word + 1 if state < STATE else word - KEYS + 1)
    return count
