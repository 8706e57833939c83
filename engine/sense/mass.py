"""P(inside): how much of a round Gaussian around a fix lies inside a shape. All lengths here are in sigmas.

Straight borders: with polar coordinates around the fix the mass is ``turns − Σ edges [S(h, t2) − S(h, t1)]`` where h is
the distance to the edge's line, t1 and t2 where the edge begins and ends along it, and S is Owen's T function. S is
read from a table over (r, q): r = √(h²+t²), q = t/(t+h), in which it has no corner. Circles: a table of the Rice
distribution over (distance to the border, curvature). Tables are built with fixed arithmetic when first needed.
"""

from functools import cache

import numpy as np

from engine.sense.arithmetic import Bools, Floats, Ints, erf_positive, exp_negative

REACH = 4.0  # sigmas beyond which a border is not felt: e**-8 of the mass at most
SIGMA_PER_ACCURACY = 1 / 1.51  # accuracy is the radius of 68 % confidence

EDGE_STEPS = 96  # of the edge table, in r and in q
_NODES = 48  # Simpson intervals
_NUDGE = (0.7e-9, 1.1e-9)
_TWO_PI = 6.283185307179586
_ROOT_HALF = 0.7071067811865476


def _simpson(nodes: int) -> Floats:
    weights = np.full(nodes + 1, 2.0)
    weights[1::2] = 4.0
    weights[0] = weights[-1] = 1.0
    scaled: Floats = weights / (3.0 * nodes)
    return scaled


@cache
def edge_table() -> Floats:
    """S at r = 0..REACH (rows) and q = 0..1 (columns), flat."""
    r = np.linspace(0.0, REACH, EDGE_STEPS + 1)[:, None]
    q = np.linspace(0.0, 1.0, EDGE_STEPS + 1)[None, :]
    h = r * (1.0 - q) / np.sqrt((1.0 - q) * (1.0 - q) + q * q)
    total = np.zeros((EDGE_STEPS + 1, EDGE_STEPS + 1))
    for k, weight in enumerate(_simpson(_NODES)):
        s = q * (k / _NODES)
        spread = (1.0 - s) * (1.0 - s) + s * s
        rest = np.maximum((1.0 - s) * (1.0 - s), 1e-12)
        total += weight * exp_negative(0.5 * h * h * spread / rest) / spread
    table = total * q / _TWO_PI
    table[:, -1] = 0.25
    flat: Floats = table.ravel()
    return flat


def _bilinear(table: Floats, columns: int, u: Floats, v: Floats) -> Floats:
    """The table (flat, rows u, ``columns`` wide) at fractional indexes that lie inside it."""
    i = np.minimum(u.astype(np.int64), table.size // columns - 2)
    j = np.minimum(v.astype(np.int64), columns - 2)
    u = u - i
    v = v - j
    at = i * columns + j
    low = table[at] * (1.0 - v) + table[at + 1] * v
    at += columns
    high = table[at] * (1.0 - v) + table[at + 1] * v
    value: Floats = low * (1.0 - u) + high * u
    return value


def _owen(h: Floats, t: Floats) -> Floats:
    """S(h, t) for 0 <= h <= REACH; odd in t."""
    size = np.minimum(np.abs(t), np.sqrt(REACH * REACH - h * h))
    r = np.sqrt(h * h + size * size)
    q = size / (size + h + 1e-300)
    value = _bilinear(edge_table(), EDGE_STEPS + 1, r * (EDGE_STEPS / REACH), q * float(EDGE_STEPS))
    return np.where(t < 0.0, -value, value)


def edges_mass(owner: Ints, count: int, x1: Floats, y1: Floats, x2: Floats, y2: Floats) -> Floats:
    """Mass inside each of ``count`` shapes; ``owner`` says whose edge each one is (outer rings anticlockwise, holes
    clockwise), in sigmas relative to the fix. Each shape's edges must come in the same order always."""
    # a fix exactly on a corner has no angle to it: look from a hair beside it, always the same one
    x1, y1, x2, y2 = x1 - _NUDGE[0], y1 - _NUDGE[1], x2 - _NUDGE[0], y2 - _NUDGE[1]
    cross = x1 * y2 - x2 * y1
    left = cross >= 0.0
    below, above = y1 <= 0.0, y2 > 0.0
    # the turn number and the sign of h read the same ``left``, so a fix on the very border comes out as one half
    turns = (below & above & left).astype(np.float64) - (~below & ~above & ~left)
    dx, dy = x2 - x1, y2 - y1
    length2 = dx * dx + dy * dy
    along = x1 * dx + y1 * dy
    foot = np.minimum(np.maximum(-along / (length2 + 1e-300), 0.0), 1.0)
    px, py = x1 + foot * dx, y1 + foot * dy
    near = np.flatnonzero((px * px + py * py < REACH * REACH) & (length2 > 0.0))
    length = np.sqrt(length2[near])
    h = np.minimum(np.abs(cross[near]) / length, REACH)
    start = along[near] / length
    felt = _owen(h, start + length) - _owen(h, start)
    # bincount adds strictly one after the other, so the sum does not depend on who else is in the batch
    inside = np.bincount(owner, turns, count)
    lost = np.bincount(owner[near], np.where(left[near], felt, -felt), count)
    mass: Floats = np.minimum(np.maximum(inside - lost, 0.0), 1.0)
    return mass


def near_lost(owner: Ints, count: int, x1: Floats, y1: Floats, x2: Floats, y2: Floats) -> Floats:
    """How much less than the turn number lies inside each of ``count`` shapes, because of these edges of theirs (in
    sigmas from the fix). For fixes that are not on a border; edges as far away as ``REACH`` may be left out."""
    dx, dy = x2 - x1, y2 - y1
    length2 = dx * dx + dy * dy
    real = length2 > 0.0
    if np.count_nonzero(real) < len(real):
        return near_lost(owner[real], count, x1[real], y1[real], x2[real], y2[real])
    length = np.sqrt(length2)
    cross = x1 * y2 - x2 * y1
    h = np.minimum(np.abs(cross) / length, REACH)
    start = (x1 * dx + y1 * dy) / length
    both = _owen(np.concatenate([h, h]), np.concatenate([start + length, start]))
    felt = both[: len(h)] - both[len(h) :]
    np.negative(felt, out=felt, where=cross < 0.0)
    return np.bincount(owner, felt, count).astype(np.float64)


# ------------------------------------------------------------------ circles


def rice(distance: Floats, radius: Floats) -> Floats:
    """Mass within ``radius`` of a centre ``distance`` away, by quadrature across the disc (about 1e-6)."""
    shape = np.broadcast_shapes(distance.shape, radius.shape)
    total = np.zeros(shape)
    weights = _simpson(_NODES)
    for side in (1.0, -1.0):  # the half of the disc on the fix's side, and the other
        centre = side * distance
        low = np.sqrt(np.maximum(radius - np.maximum(centre + 6.5, 0.0), 0.0))
        high = np.sqrt(np.minimum(np.maximum(radius - (centre - 6.5), 0.0), radius))
        for k, weight in enumerate(weights):
            v = low + (high - low) * (k / _NODES)
            off = (radius - v * v) - centre
            half_width = v * np.sqrt(np.maximum(2.0 * radius - v * v, 0.0))
            density = exp_negative(0.5 * off * off) * erf_positive(half_width * _ROOT_HALF)
            total += weight * (high - low) * density * 2.0 * v
    return np.minimum(total * 0.3989422804014327, 1.0)


WIDE, H_STEP, CURVATURES = 5.0, 24, 96


@cache
def wide_table() -> Floats:
    """Circles of at least one sigma: rows border distance −5..5, columns curvature 0..1."""
    h = np.linspace(-WIDE, WIDE, int(2 * WIDE) * H_STEP + 1)[:, None]
    kappa = np.maximum(np.linspace(0.0, 1.0, CURVATURES + 1), 1e-7)[None, :]
    radius = 1.0 / kappa
    flat: Floats = rice(np.abs(radius - h), radius + 0.0 * h).ravel()
    return flat


@cache
def small_table() -> Floats:
    """Circles of less than one sigma: rows distance 0..7, columns radius 0..1."""
    distance = np.linspace(0.0, 7.0, 7 * H_STEP + 1)[:, None]
    radius = np.linspace(0.0, 1.0, CURVATURES + 1)[None, :]
    flat: Floats = rice(distance + 0.0 * radius, radius + 0.0 * distance).ravel()
    return flat


def circle_mass(border: Floats, radius: Floats) -> Floats:
    """Mass inside circles of ``radius``, ``border`` = radius − distance to the centre; within 1e-4 of Rice."""
    wide: Bools = radius >= 1.0
    out = np.empty(len(border))
    h, size = border[wide], radius[wide]
    inside = np.minimum(np.maximum(h, -WIDE), WIDE)
    value = _bilinear(wide_table(), CURVATURES + 1, (inside + WIDE) * float(H_STEP), (1.0 / size) * float(CURVATURES))
    out[wide] = np.where(h <= -WIDE, 0.0, np.where(h >= WIDE, 1.0, value))
    size = radius[~wide]
    distance = size - border[~wide]
    far = np.minimum(distance, 7.0) * float(H_STEP)
    value = _bilinear(small_table(), CURVATURES + 1, far, size * float(CURVATURES))
    out[~wide] = np.where(distance >= 7.0, 0.0, value)
    return out
