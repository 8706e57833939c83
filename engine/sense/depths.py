"""What fixes taught of fences: how far, at least, the border is from every place in a cell of a fence's box.

A fix whose distance was worked out leaves a bound for the cell it lies in; most later fixes there need no edges. A
bound only ever spares work: it is in no checkpoint, and what is sensed is the same without it.
"""

import numpy as np

from engine.sense.arithmetic import RADIANS, Bools, Floats, Ints, metres_per_degree
from engine.sense.index import BoxIndex

GRID = 16  # cells across and up, a power of two
_HALF = GRID / 2.0
_STEPS = 250.0  # in a box's diagonal: bounds are kept in one byte
_TILT = 0.004  # boxes across which the scale of longitude changes by more than this are left alone


class Depths:
    """Bounds of many fences, in metres. Positive: at least so far inside; negative: outside; zero: not known."""

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

    def look(self, fences: Ints, u: Floats, v: Floats) -> tuple[Ints, Floats]:
        """The cell each pair falls into, and the bound there. ``u``, ``v``: where in the box, −1 to 1."""
        x = np.minimum(((u + 1.0) * _HALF).astype(np.int64), GRID - 1)
        cells = np.minimum(((v + 1.0) * _HALF).astype(np.int64), GRID - 1)
        cells += fences * GRID
        cells *= GRID
        cells += x
        return cells, self.bounds[cells] * self._unit[fences]

    def learn(self, fences: Ints, cells: Ints, u: Floats, v: Floats, metres: Floats) -> None:
        """Keep what the signed distances of these pairs tell of their cells."""
        unit = self._unit[fences]
        # from the fix to the farthest corner of its cell, and a little for what a plane bends
        x = (np.abs((u + 1.0) * _HALF - (cells & (GRID - 1)) - 0.5) + 0.5) * self._width[fences]
        y = (np.abs((v + 1.0) * _HALF - (cells // GRID & (GRID - 1)) - 0.5) + 0.5) * self._height[fences]
        room = np.abs(metres) * 0.99 - 0.1 - np.sqrt(x * x + y * y) * 1.01
        gained = ((room > unit * (np.abs(self.bounds[cells]) + 1.0)) & (unit > 0.0)).nonzero()[0]
        if len(gained):
            steps = np.minimum(room[gained] / unit[gained], 127.0)
            self.bounds[cells[gained]] = np.where(metres[gained] > 0.0, steps, -steps).astype(np.int8)

    def look_one(self, fence: int, u: float, v: float) -> tuple[int, float]:
        """``look`` for one pair."""
        units, bounds, _, _ = self._views
        x, y = min(int((u + 1.0) * _HALF), GRID - 1), min(int((v + 1.0) * _HALF), GRID - 1)
        cell = (fence * GRID + y) * GRID + x
        return cell, bounds[cell] * units[fence]

    def learn_one(self, fence: int, cell: int, u: float, v: float, metres: float) -> None:
        """``learn`` from one pair."""
        units, bounds, width, height = self._views
        unit = units[fence]
        x = (abs((u + 1.0) * _HALF - cell % GRID - 0.5) + 0.5) * width[fence]
        y = (abs((v + 1.0) * _HALF - cell // GRID % GRID - 0.5) + 0.5) * height[fence]
        room = abs(metres) * 0.99 - 0.1 - (x * x + y * y) ** 0.5 * 1.01
        if unit > 0.0 and room > unit * (abs(bounds[cell]) + 1.0):
            steps = int(min(room / unit, 127.0))
            bounds[cell] = steps if metres > 0.0 else -steps
