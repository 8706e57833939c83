"""Which of some fences are near a stretch of the Earth: boxes against boxes, around the Earth."""

from collections.abc import Sequence

import numpy as np
import shapely

from engine.sense.arithmetic import Floats, Ints
from engine.sense.index import BoxIndex

_TURNS = (-360.0, 0.0, 360.0)


class Nearby:
    """The boxes of these fences (by position). Made off the hot path."""

    def __init__(self, index: BoxIndex, fences: Sequence[int]) -> None:
        self._fences = np.array(sorted(fences), np.int64)
        self._tree: shapely.STRtree | None = None
        if len(self._fences):
            lon, lat = index.lon[self._fences], index.lat[self._fences]
            wide, high = index.half_width[self._fences], index.half_height[self._fences]
            boxes = [shapely.box(lon - wide + turn, lat - high, lon + wide + turn, lat + high) for turn in _TURNS]
            self._tree = shapely.STRtree(np.concatenate(boxes))
            self._tree.query(shapely.box(0.0, 0.0, 0.0, 0.0))  # it is only built when first asked

    def __bool__(self) -> bool:
        return self._tree is not None

    def query(self, west: Floats, south: Floats, east: Floats, north: Floats) -> tuple[Ints, Ints]:
        """Pairs (stretch, fence) whose boxes meet."""
        if self._tree is None or not len(west):
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        stretch, found = self._tree.query(shapely.box(west, south, east, north))
        return stretch, self._fences[found % len(self._fences)]
