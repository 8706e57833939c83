"""What is known of places in fences' boxes: how far, at least, the border is from the middle of each cell.

A fix whose distance was worked out leaves a bound for the middle of the cell it lies in; most later fixes there need no
edges. A bound only ever spares work: it is in no checkpoint, and what is sensed is the same without it.
"""

import math

import numpy as np

from engine.sense.arithmetic import RADIANS, Bools, Floats, Ints, metres_per_degree
from engine.sense.index import BoxIndex

GRID = 16  # cells across and up, a power of two
_HALF = GRID / 2.0
_STEPS = 250.0  # in a box's diagonal: bounds are kept in one byte
SURE, BENT = 0.99, 1.01  # of distances that are kept, and of those within a cell: for what a plane bends
_TILT = 0.004  # boxes across which the scale of longitude changes by more than this are left alone


class Depths:
    """Bounds of many fences. One of n tells that the middle of its cell is at least n - 1 steps inside, -n: outside;
    zero: not known."""

    def __init__(self, index: BoxIndex, suitable: Bools) -> None:
        lat, height = index.lat, index.half_height
        farthest = np.minimum(np.abs(lat) + height, 89.9)
        east, north = metres_per_degree(np.minimum(np.abs(lat), 89.9))
        tilt = 2.0 * height * RADIANS * np.tan(farthest * RADIANS)
        kept = suitable & (tilt < _TILT) & (farthest < 80.0) & (index.half_width > 0.0) & (index.half_width < 45.0)
        # metres: a cell across, a cell up, and a step of the bounds (zero where none are kept)
        self._width, self._height = index.half_width * east / _HALF, height * north / _HALF
        diagonal = np.sqrt(self._width * self._width + self._height * self._height) * GRID
        self._unit: Floats = np.where(kept, diagonal / _STEPS, 0.0)
        self.bounds = np.zeros(len(lat) * GRID * GRID, np.int8)
        self._views = (self._unit.data, self.bounds.data, self._width.data, self._height.data)

    def cells(self) -> tuple[Floats, Floats, Floats]:
        """Per fence: a step of the bounds (zero where none are kept), and how wide and high a cell is, in metres."""
        return self._unit, self._width, self._height

    def look(self, fences: Ints, u: Floats, v: Floats) -> Floats:
        """A bound for each pair, in metres. Positive: at least so far inside; negative: outside; zero: not known.
        ``u``, ``v``: where in the box, −1 to 1."""
        cells, away = self._place(fences, u, v)
        told = self.bounds[cells].astype(np.float64)
        room = (np.abs(told) - 1.0) * self._unit[fences]
        room -= away
        bound: Floats = np.copysign(np.maximum(room, 0.0), told)
        return bound

    def _place(self, fences: Ints, u: Floats, v: Floats) -> tuple[Ints, Floats]:
        """The cell each pair falls into, and metres to its middle."""
        x, y = (u + 1.0) * _HALF, (v + 1.0) * _HALF
        across, up = np.minimum(x.astype(np.int64), GRID - 1), np.minimum(y.astype(np.int64), GRID - 1)
        x -= across
        x -= 0.5
        x *= self._width[fences]
        y -= up
        y -= 0.5
        y *= self._height[fences]
        return (fences * GRID + up) * GRID + across, np.sqrt(x * x + y * y) * BENT

    def learn(self, fences: Ints, u: Floats, v: Floats, metres: Floats) -> None:
        """Keep what the signed distances of these pairs tell of their cells."""
        cells, away = self._place(fences, u, v)
        room = np.abs(metres) * SURE - 0.1 - away
        unit = self._unit[fences]
        gained = ((room > unit * np.abs(self.bounds[cells])) & (unit > 0.0)).nonzero()[0]
        if len(gained):
            steps = np.minimum(room[gained] / unit[gained] + 1.0, 127.0)
            self.bounds[cells[gained]] = np.where(metres[gained] > 0.0, steps, -steps).astype(np.int8)

    def look_one(self, fence: int, u: float, v: float) -> float:
        """``look`` for one pair: the bound."""
        units, bounds, _, _ = self._views
        cell, away = self._place_one(fence, u, v)
        room = (abs(bounds[cell]) - 1.0) * units[fence] - away
        return math.copysign(max(room, 0.0), bounds[cell])

    def _place_one(self, fence: int, u: float, v: float) -> tuple[int, float]:
        _, _, width, height = self._views
        x, y = (u + 1.0) * _HALF, (v + 1.0) * _HALF
        across, up = min(int(x), GRID - 1), min(int(y), GRID - 1)
        x, y = (x - across - 0.5) * width[fence], (y - up - 0.5) * height[fence]
        return (fence * GRID + up) * GRID + across, math.sqrt(x * x + y * y) * BENT

    def learn_one(self, fence: int, u: float, v: float, metres: float) -> None:
        """``learn`` from one pair."""
        units, bounds, _, _ = self._views
        cell, away = self._place_one(fence, u, v)
        room, unit = abs(metres) * SURE - 0.1 - away, units[fence]
        if unit > 0.0 and room > unit * abs(bounds[cell]):
            steps = int(min(room / unit + 1.0, 127.0))
            bounds[cell] = steps if metres > 0.0 else -steps
