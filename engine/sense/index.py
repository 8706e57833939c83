"""From a point to the fences whose box holds it: a stack of uniform grids, one per power of two of size.

A fence lies in the grid whose cells are a quarter to half as wide as its box, so it fills few cells whatever its size,
and a point looks into one cell per grid in use. Cells wrap around the Earth.
"""

import math
from bisect import bisect_left
from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.sense.arithmetic import Bools, Floats, Ints, wrap

_FINEST = 24  # cells of 2.4 m
_LAST = 2**62
MIX = np.int64(-7046029254386353131)
SLOT = np.dtype([("key", np.int64), ("start", np.int32), ("stop", np.int32)])


class BoxIndex:
    """Boxes as centre and half sizes in degrees; a negative half width is never found. ``made``: what ``columns`` gave
    of the same boxes."""

    def __init__(
        self,
        lon: Floats,
        lat: Floats,
        half_width: Floats,
        half_height: Floats,
        made: Mapping[str, Any] | None = None,
    ) -> None:
        self.lon, self.lat, self.half_width, self.half_height = lon, lat, half_width, half_height
        made = self._made() if made is None else made
        self.levels, self._members = made["levels"], made["members"]
        self._keys, self._starts = made["keys"], made["starts"]
        cells = (1 << self.levels).astype(np.int64)
        self._scale, self._mask = cells / 360.0, cells - 1
        self._levels: list[int] = self.levels.tolist()
        with np.errstate(divide="ignore"):
            self._boxes = np.column_stack([lon, lat, 1.0 / half_width, 1.0 / half_height])
        flat = self._boxes.ravel()
        self._views = (self._keys.data, self._starts.data, self._members.data, flat.data)

    def _made(self) -> dict[str, Any]:
        """Which cells hold which fences."""
        live = np.flatnonzero(self.half_width >= 0.0)
        size = np.maximum(np.maximum(self.half_width, self.half_height)[live] * 2.0, 1e-9)
        level = np.zeros(len(live), np.int64)
        for k in range(1, _FINEST + 1):
            level[size * float(2**k) < 1440.0] = k  # cell = 360 / 2^k > size / 4
        keys, fences = self._fill(live, level)
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        starts = np.flatnonzero(np.append(True, keys[1:] != keys[:-1])[: len(keys)])
        return {
            "levels": np.flatnonzero(np.bincount(level)),
            "members": fences[order].astype(np.int32),
            "keys": np.append(keys[starts], _LAST),  # so that every search ends at a key
            "starts": np.append(starts, len(keys)).astype(np.int32),
        }

    def columns(self) -> dict[str, Any]:
        """What took time to make, by name."""
        return {
            "levels": self.levels,
            "members": self._members,
            "keys": self._keys,
            "starts": self._starts,
        }

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

    def stretch(self) -> tuple[Floats, Floats]:
        """By what a distance from the middle is multiplied to be ±1 at the sides of the box: across, up."""
        return self._boxes[:, 2], self._boxes[:, 3]

    def parts(self) -> tuple[Any, Ints, Ints]:
        """Cells by their hash, open addressing (``stop`` 0: none), where among the members its own are; members,
        levels."""
        keys = self._keys[:-1]
        slots = np.zeros(1 << max(2 * len(keys), 2).bit_length(), SLOT)
        pending, at = np.arange(len(keys)), mixed(keys) & (len(slots) - 1)
        starts, stops = self._starts[:-1], self._starts[1:]
        while len(pending):
            free = slots["stop"][at] == 0
            slots["stop"][at[free]], slots["key"][at[free]] = stops[pending[free]], keys[pending[free]]
            slots["start"][at[free]] = starts[pending[free]]
            lost = slots["key"][at] != keys[pending]
            pending, at = pending[lost], (at[lost] + 1) & (len(slots) - 1)
        return slots, self._members, self.levels

    def holds(self, fences: Ints, lon: Floats, lat: Floats) -> Bools:
        """Whether each fence's box holds each point (pairwise)."""
        across = np.abs(wrap(lon - self.lon[fences])) <= self.half_width[fences]
        return across & (np.abs(lat - self.lat[fences]) <= self.half_height[fences])

    def query(self, lon: Floats, lat: Floats) -> tuple[Ints, Ints]:
        """Pairs (point, fence) whose box holds the point, points in order."""
        points, fences, _, _ = self.find(lon, lat)
        return points, fences

    def find(self, lon: Floats, lat: Floats) -> tuple[Ints, Ints, Floats, Floats]:
        """The same, with where in its box each point is: across and up, −1 to 1."""
        if not len(lon) or not len(self._members):
            return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), np.zeros(0)
        x = np.floor((lon + 180.0)[:, None] * self._scale).astype(np.int64)
        y = np.floor((lat + 90.0)[:, None] * self._scale).astype(np.int64)
        x &= self._mask
        keys = _key(self.levels, x, y).ravel()
        at = self._keys.searchsorted(keys)
        hit = (self._keys[at] == keys).nonzero()[0]
        at = at[hit]
        start = self._starts[at].astype(np.int64)
        count = self._starts[at + 1] - start
        points = np.repeat(hit if len(self.levels) == 1 else hit // len(self.levels), count)
        start -= count.cumsum()
        start += count
        fences = self._members[np.repeat(start, count) + np.arange(len(points))]
        box = self._boxes.take(fences, axis=0)
        u = lon[points] - box[:, 0]
        u -= 360.0 * np.rint(u / 360.0)
        u *= box[:, 2]
        v = lat[points] - box[:, 1]
        v *= box[:, 3]
        held = (np.maximum(np.abs(u), np.abs(v)) <= 1.0).nonzero()[0]
        return points[held], fences[held].astype(np.int64), u[held], v[held]

    def one(self, lon: float, lat: float) -> list[tuple[int, float, float]]:
        """``find`` for one point, bit for bit: (fence, across, up)."""
        found = []
        keys, starts, members, boxes = self._views
        for level in self._levels:
            cells = 1 << level
            scale = cells / 360.0
            x, y = math.floor((lon + 180.0) * scale) & (cells - 1), math.floor((lat + 90.0) * scale)
            key = (level << 52) | (x << 26) | y
            at = bisect_left(keys, key)
            if keys[at] != key:
                continue
            for k in range(starts[at], starts[at + 1]):
                fence = members[k]
                u = lon - boxes[4 * fence]
                u = (u - 360.0 * round(u / 360.0)) * boxes[4 * fence + 2]
                if -1.0 <= u <= 1.0:
                    v = (lat - boxes[4 * fence + 1]) * boxes[4 * fence + 3]
                    if -1.0 <= v <= 1.0:
                        found.append((fence, u, v))
        return found

    def near(self, lon: float, lat: float, degrees_east: float, degrees_north: float) -> Ints:
        """Fences whose box comes that close to one point (a scan; for rare, wide questions)."""
        across = np.abs(wrap(lon - self.lon)) <= self.half_width + degrees_east
        found = across & (np.abs(lat - self.lat) <= self.half_height + degrees_north) & (self.half_width >= 0.0)
        return np.flatnonzero(found)


def mixed(keys: Ints) -> Ints:
    """Where keys are first looked for."""
    keys = keys * MIX
    spread: Ints = keys ^ (keys >> 29)
    return spread


def _key(level: Ints, x: Ints, y: Ints) -> Ints:
    key: Ints = (level << 52) | (x << 26) | y
    return key
