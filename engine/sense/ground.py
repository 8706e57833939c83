"""A set of fences as the kernels read it."""

from collections.abc import Collection
from typing import Any, NamedTuple

import numpy as np

from engine.sense.depths import GRID
from engine.sense.measuring import Measuring
from engine.sense.outlines import AREA

GROUND = np.dtype(
    [
        *((name, np.float64) for name in ("lon", "lat", "across", "up")),
        ("first", np.int64),
        *((name, np.float32) for name in ("unit", "wide", "high")),
        *(("rows", np.int32), ("width", np.uint8), ("kind", np.int8), ("plain", np.bool_), ("timed", np.bool_)),
    ],
    align=True,
)
ROUND = np.dtype([(name, np.float64) for name in ("radius", "east", "north")])


class Ground(NamedTuple):
    """A row per fence, and one of what only circles need; the index, bounds, and chains."""

    fences: Any
    rounds: Any
    slots: Any
    members: Any
    levels: Any
    bounds: Any
    chains: Any


def ground(fences: Measuring, timed: Collection[int]) -> Ground:
    """Of these fences; ``timed``: which of them have hours."""
    index, chains, depths = fences.index, fences._chains, fences.depths
    plain = (fences._kind == AREA) & (fences._grow == 0.0) & ~fences._seam
    columns = index.lon, index.lat, *index.stretch(), chains.places(), *depths.cells(), chains.rows, chains.width()
    table, round_ = _lines(len(plain)), np.zeros(len(plain), ROUND)
    for name, column in zip(GROUND.names or (), (*columns, fences._kind, plain), strict=False):
        table[name] = column
    table["timed"][list(timed)] = True
    for name, column in zip(ROUND.names or (), (fences._radius, fences._east, fences._north), strict=True):
        round_[name] = column
    slots, members, levels = index.parts()
    return Ground(table, round_, slots, members, levels, depths.bounds.reshape(-1, GRID, GRID), chains.flat)


def _lines(count: int) -> Any:
    """Rows of what kernels need of fences, each in one line of the cache."""
    buffer = np.zeros((count + 1) * GROUND.itemsize, np.uint8)
    skipped = -buffer.ctypes.data % GROUND.itemsize
    return buffer[skipped : skipped + count * GROUND.itemsize].view(GROUND)
