"""A set of fences as the kernels read it."""

from typing import Any

import numpy as np

from engine.sense.depths import GRID
from engine.sense.measuring import Measuring
from engine.sense.outlines import AREA

_GROUND = np.dtype(
    [
        *((name, np.float64) for name in ("lon", "lat", "across", "up")),
        ("first", np.int64),
        *((name, np.float32) for name in ("unit", "wide", "high")),
        *(("rows", np.int32), ("width", np.uint8), ("kind", np.int8), ("plain", np.bool_)),
    ],
    align=True,
)
_ROUND = np.dtype([(name, np.float64) for name in ("radius", "east", "north")])


def ground(fences: Measuring) -> tuple[Any, ...]:
    """A row per fence, and one of what only circles need; the index, bounds, and chains."""
    index, chains, depths = fences.index, fences._chains, fences.depths
    plain = (fences._kind == AREA) & (fences._grow == 0.0) & ~fences._seam
    columns = index.lon, index.lat, *index.stretch(), chains.places(), *depths.cells(), chains.rows, chains.width()
    table, round_ = _lines(len(plain)), np.zeros(len(plain), _ROUND)
    for name, column in zip(_GROUND.names or (), (*columns, fences._kind, plain), strict=True):
        table[name] = column
    for name, column in zip(_ROUND.names or (), (fences._radius, fences._east, fences._north), strict=True):
        round_[name] = column
    return table, round_, *index.parts(), depths.bounds.reshape(-1, GRID, GRID), chains.flat


def _lines(count: int) -> Any:
    """Rows of what kernels need of fences, each in one line of the cache."""
    buffer = np.zeros((count + 1) * _GROUND.itemsize, np.uint8)
    skipped = -buffer.ctypes.data % _GROUND.itemsize
    return buffer[skipped : skipped + count * _GROUND.itemsize].view(_GROUND)
