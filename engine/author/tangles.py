"""How tangled polygons are: exact geometry on a hostile knot takes minutes, so knots are counted first and refused."""

import numpy as np
import shapely

from engine.author.report import TextError
from engine.model.fence import Ring

_SMALL = 100  # segments below which no shape can take long
_CHUNK = 16  # segments looked up at once: bounds memory where everything overlaps everything
_FIX = "Simplify it, or draw it again."


class Budget:
    """What the shapes of one file may cost together: pairs of edges that lie close, and edges that cross."""

    def __init__(self, close: int = 30_000_000, crossings: int = 5_000) -> None:
        self.close, self.crossings = close, crossings

    def spend_close(self, rings: list[Ring]) -> None:
        """Before a shape is checked. Raises ``TextError`` where too many edges lie over each other."""
        close = _count(_segments(rings), None, self.close)
        if close > self.close:
            self.close //= 2  # so that many knots cost no more than two
            raise TextError("The polygon is too tangled to be checked.", _FIX)
        self.close -= close

    def spend_crossings(self, rings: list[Ring]) -> None:
        """Before a shape is repaired. Raises ``TextError`` where too many edges cross."""
        segments = _segments(rings, 0)
        itself_and_neighbours = 3 * len(segments)
        met = _count(segments, "intersects", 2 * self.crossings + itself_and_neighbours + 1)
        crossings = max(0, met - itself_and_neighbours) // 2
        if crossings > self.crossings:
            self.crossings //= 2
            raise TextError("The polygon crosses itself too often to be repaired.", _FIX)
        self.crossings -= crossings


def _segments(rings: list[Ring], small: int = _SMALL) -> np.ndarray:
    """The edges of all rings as lines; none where they are too few to matter."""
    if sum(map(len, rings)) <= small:
        return np.empty(0, dtype=object)
    pairs = [np.stack([points[:-1], points[1:]], axis=1) for points in map(np.array, rings) if len(points) > 1]
    lines: np.ndarray = shapely.linestrings(np.concatenate(pairs))
    return lines


def _count(segments: np.ndarray, predicate: str | None, most: int) -> int:
    """How many pairs of segments meet (boxes alone without a predicate); stops once there are more than ``most``."""
    if not len(segments):
        return 0
    tree, count = shapely.STRtree(segments), 0
    for start in range(0, len(segments), _CHUNK):
        count += tree.query(segments[start : start + _CHUNK], predicate=predicate).shape[1]
        if count > most:
            break
    return count
