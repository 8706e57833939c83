"""From a point to the fences whose box holds it: a stack of uniform grids, one per power of two of size.

A fence lies in the grid whose cells are a quarter to half as wide as its box, so it fills few cells whatever its size,
and a point looks into one cell per grid in use. Cells wrap around the Earth.
"""

import numpy as np

from engine.sense.arithmetic import Bools, Floats, Ints, wrap

_FINEST = 24  # cells of 2.4 m


class BoxIndex:
    """Boxes as centre and half sizes in degrees; a negative half width is never found."""

    def __init__(self, lon: Floats, lat: Floats, half_width: Floats, half_height: Floats) -> None:
        self.lon, self.lat, self.half_width, self.half_height = lon, lat, half_width, half_height
        live = np.flatnonzero(half_width >= 0.0)
        size = np.maximum(np.maximum(half_width, half_height)[live] * 2.0, 1e-9)
        level = np.zeros(len(live), np.int64)
        for k in range(1, _FINEST + 1):
            level[size * float(2**k) < 1440.0] = k  # cell = 360 / 2^k > size / 4
        self.levels = np.unique(level)
        keys, fences = self._fill(live, level)
        order = np.argsort(keys, kind="stable")
        self._members = fences[order].astype(np.int32)
        self._keys, self._starts, self._counts = np.unique(keys[order], return_index=True, return_counts=True)

    def _fill(self, live: Ints, level: Ints) -> tuple[Ints, Ints]:
        cells = (1 << level).astype(np.int64)
        scale = cells / 360.0
        west = np.floor((self.lon[live] - self.half_width[live] + 180.0) * scale).astype(np.int64)
        east = np.floor((self.lon[live] + self.half_width[live] + 180.0) * scale).astype(np.int64)
        south = np.floor((self.lat[live] - self.half_height[live] + 90.0) * scale).astype(np.int64)
        north = np.floor((self.lat[live] + self.half_height[live] + 90.0) * scale).astype(np.int64)
        south = np.maximum(south, 0)
        north = np.minimum(north, cells // 2 + 1)
        wide = np.minimum(east - west + 1, cells)
        count = wide * (north - south + 1)
        owner = np.repeat(np.arange(len(live)), count)
        nth = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
        x = (west[owner] + nth % wide[owner]) & (cells[owner] - 1)
        y = south[owner] + nth // wide[owner]
        return _key(level[owner], x, y), live[owner]

    def holds(self, fences: Ints, lon: Floats, lat: Floats) -> Bools:
        """Whether each fence's box holds each point (pairwise)."""
        across = np.abs(wrap(lon - self.lon[fences])) <= self.half_width[fences]
        return across & (np.abs(lat - self.lat[fences]) <= self.half_height[fences])

    def query(self, lon: Floats, lat: Floats) -> tuple[Ints, Ints]:
        """Pairs (point, fence) whose box holds the point, points in order."""
        if not len(self._keys) or not len(lon):
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        cells = (1 << self.levels)[None, :]
        scale = cells / 360.0
        x = np.floor((lon[:, None] + 180.0) * scale).astype(np.int64) & (cells - 1)
        y = np.floor((lat[:, None] + 90.0) * scale).astype(np.int64)
        keys = _key(self.levels[None, :], x, y).ravel()
        at = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        hit = np.flatnonzero(self._keys[at] == keys)
        at = at[hit]
        count = self._counts[at]
        total = int(count.sum())
        points = np.repeat(hit // len(self.levels), count)
        offset = np.repeat(self._starts[at] - (np.cumsum(count) - count), count)
        fences = self._members[offset + np.arange(total)].astype(np.int64)
        kept = np.flatnonzero(self.holds(fences, lon[points], lat[points]))
        return points[kept], fences[kept]

    def near(self, lon: float, lat: float, degrees_east: float, degrees_north: float) -> Ints:
        """Fences whose box comes that close to one point (a scan; for rare, wide questions)."""
        across = np.abs(wrap(lon - self.lon)) <= self.half_width + degrees_east
        found = across & (np.abs(lat - self.lat) <= self.half_height + degrees_north) & (self.half_width >= 0.0)
        return np.flatnonzero(found)


def _key(level: Ints, x: Ints, y: Ints) -> Ints:
    key: Ints = (level << 52) | (x << 26) | y
    return key
