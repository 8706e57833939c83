"""A copy of a few devices, to try things on (``preview``)."""

from collections.abc import Sequence

from engine.sense.columns import NEVER, NONE
from engine.sense.sense import Sense


def fork(sense: Sense, devices: Sequence[str]) -> Sense:
    """A sense that knows only these devices, as they are now; what is done to it leaves the first one alone."""
    # The rooms of one module: a fork is made of the same columns, row by row.
    copy = Sense(sense.policy)
    copy.use(sense.fences, sense.policy)
    old, new = sense._devices, copy._devices
    for name in devices:
        row = old.names.find(name)
        if row == NONE:
            continue
        at = int(new.rows([name])[0])
        for column in old.columns:
            getattr(new, column)[at] = getattr(old, column)[row]
        new.head[at], new.marks[at], new.queued[at] = NONE, NONE, NEVER
        device = sense._shelf.take(row)
        device.row, device.rows, device.mark_rows = at, [], []
        copy._shelf.put(device, copy._machine)
    return copy
