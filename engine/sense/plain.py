"""The arithmetic of the columns, for one number at a time and bit for bit the same: a handful of signals is quicker
told by plain floats than by arrays of one.

Each function here has its twin in ``arithmetic``, ``chains`` or ``mass``; a test holds them together.
"""

import math
from functools import cache

from engine.sense.arithmetic import scale_table
from engine.sense.mass import CURVATURES, EDGE_STEPS, H_STEP, REACH, WIDE, edge_table, small_table, wide_table

_INFINITE = math.inf
Edge = tuple[float, float, float, float]  # x1, y1, x2, y2 in metres from the point


@cache
def _scale_rows() -> list[list[float]]:
    rows: list[list[float]] = scale_table().tolist()
    return rows


def scales(lat: float) -> tuple[float, float]:
    """Metres per degree of longitude and of latitude."""
    rows = _scale_rows()
    x = (lat + 90.0) * 20.0
    row = min(max(int(x), 0), len(rows) - 1)
    share = x - row
    east, more_east, north, more_north = rows[row]
    return east + share * more_east, north + share * more_north


def wrap(degrees: float) -> float:
    """A difference of longitudes brought into ±180."""
    return degrees - 360.0 * round(degrees / 360.0)


def trace(
    xs: list[float], ys: list[float], lon: float, lat: float, east: float, north: float, reach2: float
) -> tuple[bool, float, list[Edge]]:
    """One chain around one point: whether it is inside by the even-odd rule, the squared metres to the nearest edge,
    and the edges closer than the square root of ``reach2``."""
    x0, y0 = xs[0] - lon, ys[0] - lat
    up0, ax, ay = y0 > 0.0, x0 * east, y0 * north
    odd, best, near, beyond = False, _INFINITE, [], _INFINITE
    for k in range(1, len(xs)):
        x1, y1 = xs[k] - lon, ys[k] - lat
        up1 = y1 > 0.0
        if up1 != up0 and (x0 * y1 - x1 * y0 > 0.0) == up1:
            odd = not odd
        bx, by = x1 * east, y1 * north
        # an edge that lies wholly to one side, farther away than anything that counts, needs no foot
        if not (
            (ax > beyond and bx > beyond)
            or (ay > beyond and by > beyond)
            or (ax < -beyond and bx < -beyond)
            or (ay < -beyond and by < -beyond)
        ):
            dx, dy = bx - ax, by - ay
            foot = -((ax * dx + ay * dy) / (dx * dx + dy * dy + 1e-300))
            foot = 0.0 if foot < 0.0 else 1.0 if foot > 1.0 else foot
            px, py = dx * foot + ax, dy * foot + ay
            square = px * px + py * py
            if square < best:
                best = square
                beyond = math.sqrt(max(best, reach2)) * 1.000001
            if square < reach2:
                near.append((ax, ay, bx, by))
        x0, y0, up0, ax, ay = x1, y1, up1, bx, by
    return odd, best, near


def lost(near: list[Edge], sigma: float) -> float:
    """How much less than the turn number is inside, because of edges near by."""
    scale, total = 1.0 / sigma, 0.0
    for x1, y1, x2, y2 in near:
        x1, y1, x2, y2 = x1 * scale, y1 * scale, x2 * scale, y2 * scale
        dx, dy = x2 - x1, y2 - y1
        length2 = dx * dx + dy * dy
        if length2 > 0.0:
            length, cross = math.sqrt(length2), x1 * y2 - x2 * y1
            h = min(abs(cross) / length, REACH)
            start = (x1 * dx + y1 * dy) / length
            felt = _owen(h, start + length) - _owen(h, start)
            total += felt if cross >= 0.0 else -felt
    return total


def _owen(h: float, t: float) -> float:
    size = min(abs(t), math.sqrt(REACH * REACH - h * h))
    r = math.sqrt(h * h + size * size)
    q = size / (size + h + 1e-300)
    value = bilinear(_edges(), EDGE_STEPS + 1, r * (EDGE_STEPS / REACH), q * float(EDGE_STEPS))
    return -value if t < 0.0 else value


def circle_mass(border: float, radius: float) -> float:
    """Mass inside a circle, lengths in sigmas."""
    if radius >= 1.0:
        if border <= -WIDE:
            return 0.0
        if border >= WIDE:
            return 1.0
        u, v = (border + WIDE) * float(H_STEP), (1.0 / radius) * float(CURVATURES)
        return bilinear(_wide(), CURVATURES + 1, u, v)
    distance = radius - border
    if distance >= 7.0:
        return 0.0
    return bilinear(_small(), CURVATURES + 1, distance * float(H_STEP), radius * float(CURVATURES))


def bilinear(table: list[float], columns: int, u: float, v: float) -> float:
    """Between four neighbours of a table kept row after row. The kernels compile this very function."""
    i, j = min(int(u), len(table) // columns - 2), min(int(v), columns - 2)
    u -= i
    v -= j
    at = i * columns + j
    low = table[at] * (1.0 - v) + table[at + 1] * v
    at += columns
    high = table[at] * (1.0 - v) + table[at + 1] * v
    return low * (1.0 - u) + high * u


@cache
def _edges() -> list[float]:
    values: list[float] = edge_table().tolist()
    return values


@cache
def _wide() -> list[float]:
    values: list[float] = wide_table().tolist()
    return values


@cache
def _small() -> list[float]:
    values: list[float] = small_table().tolist()
    return values
