"""What is handed to the kernels, as it lies in memory: numbers, and addresses of the rest. To hand over one array is
cheaper than to hand over twenty, and most calls are of few signals.
"""

from struct import Struct

import numpy as np

LIMITS = 13  # numbers of the policy: see ``Swift``
TOLD = np.dtype(
    [
        *((name, np.float64) for name in ("at", "visit", "seconds", "probability", "metres", "due")),
        *(("signal", np.int64), ("fence", np.int32), ("kind", np.int8), ("initial", np.bool_)),
    ],
    align=True,
)
_ARRAYS = (  # by address, and how many there are of each
    "devices", "stays", "knowns", "dwells", "fences", "rounds", "slots", "members", "levels", "bounds", "chains",
    "scale", "edges", "wide", "small", "before", "pairs", "seen", "told", "left", "spare", "spare_seen", "armed",
    "armed_due",
)  # fmt: skip
_COUNTS = (
    "at", "tellings", "lefts", "spares", "arms", "late",  # how far it is, and how much of each there is by now
    "size", "free", "ready",  # rows of stays: in use, the first that is free, and made ready
    "wanted",  # room, where there was too little
    "width", "travelled",  # of ``dwells``; whether all that is stirred is left
    "passing",  # whether timers that are due by the journal fire before a signal
)  # fmt: skip
CALL = Struct("=d10q")  # what changes with each call: ``soon`` and the first of the counts
CONTEXT = np.dtype(
    [
        ("soon", np.float64),  # when the next timer runs out
        *((name, np.int64) for name in _COUNTS),
        ("limits", np.dtype((np.float64, (LIMITS,)))),
        *((field, np.int64) for name in _ARRAYS for field in (name, f"n_{name}")),
    ]
)
DONE, MORE_PAIRS, MORE_TOLD, MORE_STAYS = range(4)  # how a call ends: done, or wanting more room
