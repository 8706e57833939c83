"""Which fences are too small for the accuracy that phones give: no fix could ever enter them."""

import math

import numpy as np
import shapely

from engine.sense.arithmetic import Floats, Ints, erf_positive, metres_per_degree
from engine.sense.fixes import Fixes
from engine.sense.mass import SIGMA_PER_ACCURACY
from engine.sense.measuring import Measuring
from engine.sense.outlines import CIRCLE, LINE, NOTHING

_SEARCHES = 300  # fences searched closely for whether any fix could enter them


def _sigmas(mass: float) -> float:
    return math.sqrt(-2.0 * math.log(min(max(mass, 1e-300), 1.0)))


def too_small(fences: Measuring, accuracy: float, probability: float) -> Ints:
    """Positions of the fences in which no fix of that accuracy could ever reach the probability of entering."""
    small = fences._kind == NOTHING
    sigma = accuracy * SIGMA_PER_ACCURACY
    if sigma > 0.0:
        needed, rows = _sigmas(1.0 - probability) * sigma, np.arange(len(small))
        fixes = Fixes(fences.index.lon, fences.index.lat, np.full(len(rows), accuracy))
        metres = np.maximum(fences.measure(fixes, rows, rows)[1], fences._grow)
        round_ = fences._kind == CIRCLE
        small |= round_ & (fences._radius < needed)
        unsure = np.flatnonzero(~small & ~round_ & (metres < needed))
        never = _within_box(fences, unsure, sigma) < probability
        small[unsure[never]] = True
        unsure = unsure[~never]
        # a search takes a millisecond or more: nobody waits for a hundred thousand of them
        unsure = unsure[fences.mass(fixes, unsure, unsure, metres[unsure]) < probability][:_SEARCHES]
        small[unsure] = [_best(fences, row, accuracy, probability) < probability for row in unsure.tolist()]
    return np.flatnonzero(small)


def _within_box(fences: Measuring, rows: Ints, sigma: float) -> Floats:
    """The mass that each fence's box holds at its middle: no less than the fence can hold anywhere."""
    wide, high = fences.index.half_width[rows], fences.index.half_height[rows]
    east, north = metres_per_degree(fences.index.lat[rows])
    root = 1.01 / (sigma * math.sqrt(2.0))
    held = erf_positive(wide * east * root) * erf_positive(high * north * root)
    return np.where(wide > 45.0, 1.0, held)


def _best(fences: Measuring, fence: int, accuracy: float, enough: float) -> float:
    """The greatest P(inside) a fix could have, searched only where it may fall short of ``enough``."""
    sigma = accuracy * SIGMA_PER_ACCURACY
    needed = _sigmas(1.0 - enough) * sigma
    kind = fences._kind[fence]
    if kind == NOTHING or sigma <= 0.0:
        return 0.0 if kind == NOTHING else 1.0
    if kind == CIRCLE or fences._grow[fence] >= needed:
        return 1.0 if max(fences._radius[fence], fences._grow[fence]) >= needed else 0.0
    points = _deepest(fences, fence)
    fixes = Fixes(points[:, 0], points[:, 1], np.full(len(points), accuracy))
    at, same = np.arange(len(points)), np.full(len(points), fence)
    _, metres = fences.measure(fixes, at, same)
    return float(fences.mass(fixes, at, same, metres).max())


def _deepest(fences: Measuring, fence: int) -> Floats:
    """Points (lon, lat) where a fence is likely to be thickest, and a grid over its box."""
    grown = fences._kind[fence] == LINE or fences._grow[fence] > 0.0
    geometry = fences._polygons(fence) if grown else fences._area(fence)
    scale = math.cos(math.radians(min(abs(float(fences.index.lat[fence])), 89.0)))
    flat = shapely.transform(geometry, lambda xy: xy * [scale, 1.0])
    circle = shapely.get_coordinates(shapely.maximum_inscribed_circle(flat))[:1] / [scale, 1.0]
    middle = shapely.get_coordinates([geometry.centroid, geometry.representative_point()])
    west, south, east, north = geometry.bounds
    x, y = np.meshgrid(np.linspace(west, east, 15), np.linspace(south, north, 15))
    return np.vstack([circle, middle, np.column_stack([x.ravel(), y.ravel()])])
