"""From authored shapes to what is computed with, many fences at a time: boxes, circles, and the rings of polygons.

Most polygons are what they seem: one part, valid, drawn without a jump in longitude. Those are checked and turned the
right way round in columns; the others are left to ``shape``, one by one. Work goes in portions, so that a thread which
compiles never holds up the others for long.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import shapely

from engine.model.fence import Circle, Fence, Polygons
from engine.sense.arithmetic import MEAN_RADIUS, Bools, Floats, Ints
from engine.sense.shape import Chain

PORTION = 1000  # fences compiled at a time
_VERTEX = 16  # bytes
_POLAR = 85.0  # degrees from which a box spans all longitudes: straight lines of a plane leave it


class Frames(NamedTuple):
    """Boxes (centre and half sizes in degrees) that surely hold the fences, and whether they go round the Earth."""

    box: Floats
    seam: Bools


def plain_rings(fences: Sequence[Fence]) -> dict[int, list[Chain]]:
    """The rings of those that are plain polygons, by position: outer ring anticlockwise, holes clockwise."""
    part = [
        (k, shape.rings[0])
        for k, fence in enumerate(fences)
        if isinstance(shape := fence.shape, Polygons) and _simple(shape)
    ]
    return dict(_turned(part))


def _simple(shape: Polygons) -> bool:
    return len(shape.rings) == 1 and all(len(ring) > 3 * _VERTEX and _closed(ring) for ring in shape.rings[0])


def _closed(ring: bytes) -> bool:
    return ring[:_VERTEX] == ring[-_VERTEX:]


def _turned(part: Sequence[tuple[int, Sequence[bytes]]]) -> Iterator[tuple[int, list[Chain]]]:
    if not part:
        return
    rings = [ring for _, whole in part for ring in whole]
    sizes = np.array([len(whole) for _, whole in part])
    owner = np.repeat(np.arange(len(part)), sizes)
    lengths = np.fromiter(map(len, rings), np.int64, len(rings)) // _VERTEX
    points = np.frombuffer(b"".join(rings), "<f8").reshape(-1, 2).astype(np.float64)
    ends = np.cumsum(lengths)
    of_ring = np.repeat(np.arange(len(rings)), lengths)
    good = np.ones(len(part), np.bool_)
    good[owner[of_ring[~np.isfinite(points).all(axis=1)]]] = False
    jump = (np.abs(np.diff(points[:, 0])) > 180.0) & (of_ring[1:] == of_ring[:-1])
    good[owner[of_ring[1:][jump]]] = False
    whole = np.flatnonzero(good[owner[of_ring]])
    if not len(whole):
        return
    drawn = shapely.linearrings(points[whole], indices=_ranks(of_ring[whole]))
    kept = np.flatnonzero(good)
    good[kept] = shapely.is_valid(shapely.polygons(drawn, indices=_ranks(owner[good[owner]])))
    outer = np.ones(len(rings), np.bool_)
    outer[1:] = owner[1:] != owner[:-1]
    turn = np.zeros(len(rings), np.bool_)
    used = np.unique(of_ring[whole])
    turn[used] = shapely.is_ccw(drawn) != outer[used]
    first = np.cumsum(sizes) - sizes
    for k in np.flatnonzero(good).tolist():
        chains = []
        for ring in range(first[k], first[k] + sizes[k]):
            chain = points[ends[ring] - lengths[ring] : ends[ring]]
            chains.append(chain[::-1] if turn[ring] else chain)
        yield part[k][0], chains


def _ranks(numbers: Ints) -> Ints:
    """Ascending numbers without gaps between them."""
    steps = np.zeros(len(numbers), np.int64)
    steps[1:] = numbers[1:] != numbers[:-1]
    ranks: Ints = np.cumsum(steps)
    return ranks


def bounds(chains: Sequence[Sequence[Chain]]) -> tuple[Floats, Floats, Floats, Floats]:
    """West, south, east, north of each fence's chains (at least one with a point each)."""
    sizes = [sum(map(len, rings)) for rings in chains]
    points = np.concatenate([ring for rings in chains for ring in rings])
    starts = np.cumsum(sizes, dtype=np.intp) - np.array(sizes, np.intp)
    low, high = np.minimum.reduceat(points, starts, axis=0), np.maximum.reduceat(points, starts, axis=0)
    return low[:, 0], low[:, 1], high[:, 0], high[:, 1]


def frames(west: Floats, south: Floats, east: Floats, north: Floats, grow: Floats) -> Frames:
    """Around what is drawn, grown by some metres."""
    polar = np.maximum(np.abs(south), np.abs(north))
    wider, higher = spans(np.minimum(polar, 90.0), grow + 1e-3)
    width = np.where(polar > _POLAR, 180.0, (east - west) / 2.0 + wider)
    height = (north - south) / 2.0 + higher + np.where(polar > _POLAR, 0.03, 0.0)
    return Frames(np.column_stack([(east + west) / 2.0, (north + south) / 2.0, width, height]), east - west >= 360.0)


def spans(lat: Floats, metres: Floats) -> tuple[Floats, Floats]:
    """Half width and half height in degrees of boxes that surely hold circles."""
    angle = metres / (MEAN_RADIUS * 0.99)
    height = np.degrees(angle) + 1e-9
    with np.errstate(divide="ignore"):
        ratio = np.sin(np.minimum(angle, np.pi / 2)) / np.cos(np.radians(lat))
    width = np.degrees(np.arcsin(np.minimum(np.abs(ratio), 1.0))) + 1e-9
    return np.where((np.abs(lat) + height >= 89.0) | (ratio >= 1.0), 180.0 + 1e-9, width), height


def circles(shapes: Sequence[Circle]) -> tuple[Floats, Floats, Floats]:
    """Longitudes, latitudes and radii."""
    table = np.array([(shape.lon, shape.lat, shape.radius) for shape in shapes], np.float64).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2]
