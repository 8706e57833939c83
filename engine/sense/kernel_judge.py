"""What fixes say of fences, one pair at a time, in loops compiled by numba (``herenow[fast]``).

The same arithmetic in the same order as ``verdict``, ``chains``, ``mass`` and ``depths``, so the results are the same
bit for bit; what is rare (grown shapes, poles, fixes on a border) is left to them. Only ``kernels`` imports this.
"""

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from engine.loops import jit
from engine.sense.chains import WIDTHS
from engine.sense.depths import BENT, GRID, SURE
from engine.sense.mass import CURVATURES, EDGE_STEPS, H_STEP, REACH, WIDE
from engine.sense.measuring import LOCAL, PLANE, TOUCHING
from engine.sense.outlines import CIRCLE
from engine.sense.plain import bilinear
from engine.sense.verdict import AWAY, COMING, EITHER, INSIDE, OUTSIDE

WIDEST = max(WIDTHS)  # edges traced at once
HALF = GRID / 2.0


def _ahead(_: Any, address: Any) -> Any:
    """Have memory bring the line of an address, and go on: whoever reads it a little later need not wait."""

    def asked(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        line, number = builder.inttoptr(arguments[0], ir.IntType(8).as_pointer()), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [line.type, number, number, number])
        to_read, keep, data = number(0), number(3), number(1)
        builder.call(builder.module.declare_intrinsic("llvm.prefetch", [line.type], kind), [line, to_read, keep, data])
        return context.get_dummy_value()

    return types.void(types.intp), asked


ahead: Any = intrinsic(_ahead)


@jit
def wrap(degrees: float) -> Any:
    return degrees - 360.0 * np.rint(degrees / 360.0)


@jit
def scales(lat: float, table: Any) -> tuple[float, float]:
    x = (lat + 90.0) * 20.0
    row = min(max(int(x), 0), len(table) - 1)
    share = x - row
    return table[row, 0] + share * table[row, 1], table[row, 2] + share * table[row, 3]


_bilinear = jit(bilinear)  # the very function of single signals


@jit
def _owen(h: float, t: float, edges: Any) -> Any:
    size = min(abs(t), math.sqrt(REACH * REACH - h * h))
    r = math.sqrt(h * h + size * size)
    q = size / (size + h + 1e-300)
    value = _bilinear(edges, EDGE_STEPS + 1, r * (EDGE_STEPS / REACH), q * float(EDGE_STEPS))
    return -value if t < 0.0 else value


@jit
def _felt(x1: float, y1: float, x2: float, y2: float, edges: Any) -> Any:
    """Owen's T between the ends of an edge (in sigmas from the fix)."""
    dx, dy = x2 - x1, y2 - y1
    length2 = dx * dx + dy * dy
    if not length2 > 0.0:
        return 0.0
    length, cross = math.sqrt(length2), x1 * y2 - x2 * y1
    h = min(abs(cross) / length, REACH)
    start = (x1 * dx + y1 * dy) / length
    felt = _owen(h, start + length, edges) - _owen(h, start, edges)
    return felt if cross >= 0.0 else -felt


@jit
def _circle_mass(border: float, radius: float, wide: Any, small: Any) -> Any:
    if radius >= 1.0:
        if border <= -WIDE:
            return 0.0
        if border >= WIDE:
            return 1.0
        return _bilinear(wide, CURVATURES + 1, (border + WIDE) * float(H_STEP), (1.0 / radius) * float(CURVATURES))
    distance = radius - border
    if distance >= 7.0:
        return 0.0
    return _bilinear(small, CURVATURES + 1, distance * float(H_STEP), radius * float(CURVATURES))


@jit
def _trace(chains: Any, at: int, width: int, lon: float, lat: float, east: float, north: float, squares: Any) -> Any:
    """One row of a chain: whether it is crossed an odd number of times (even-odd rule), and the squared distances to
    its edges. No branches, so that several edges are done at once."""
    up, odd = at + width + 1, 0
    for k in range(width):
        x0, x1, y0, y1 = chains[at + k] - lon, chains[at + k + 1] - lon, chains[up + k] - lat, chains[up + k + 1] - lat
        above = y1 > 0.0
        odd += ((y0 > 0.0) != above) & ((x0 * y1 - x1 * y0 > 0.0) == above)
        ax, ay = x0 * east, y0 * north
        dx, dy = x1 * east - ax, y1 * north - ay
        foot = -((ax * dx + ay * dy) / (dx * dx + dy * dy + 1e-300))
        foot = 0.0 if foot < 0.0 else foot
        foot = 1.0 if foot > 1.0 else foot
        px, py = dx * foot + ax, dy * foot + ay
        squares[k] = px * px + py * py
    return odd


@jit
def _metres(own: Any, chains: Any, lon: float, lat: float, east: float, north: float, squares: Any) -> Any:
    """Metres to the nearest edge of a fence's chains; below zero where the point is outside by the even-odd rule."""
    odd, best, width = 0, np.inf, own.width
    for row in range(own.rows):
        odd += _trace(chains, own.first + row * 2 * (width + 1), width, lon, lat, east, north, squares)
        for k in range(width):
            best = min(best, squares[k])
    return math.sqrt(best) if odd & 1 else -math.sqrt(best)


@jit
def _lost(
    own: Any, chains: Any, lon: float, lat: float, east: float, north: float, sigma: float, edges: Any, squares: Any
) -> float:
    """How much less than the turn number is inside, because of edges near by (``squares``: of the last row traced)."""
    reach, scale, total, width = REACH * sigma, 1.0 / sigma, 0.0, own.width
    reach2 = reach * reach
    for row in range(own.rows):
        at = own.first + row * 2 * (width + 1)
        up = at + width + 1
        if own.rows > 1:
            _trace(chains, at, width, lon, lat, east, north, squares)
        for k in range(width):
            if squares[k] < reach2:
                ax, ay = (chains[at + k] - lon) * east, (chains[up + k] - lat) * north
                bx, by = (chains[at + k + 1] - lon) * east, (chains[up + k + 1] - lat) * north
                total += _felt(ax * scale, ay * scale, bx * scale, by * scale, edges)
    return total


@jit
def _learn(own: Any, fence: int, across: int, up: int, bounds: Any, chains: Any, scale: Any, squares: Any) -> None:
    """Find out about the middle of a cell of a plain area's box; see ``Depths``."""
    lon, lat = own.lon + ((across + 0.5) / HALF - 1.0) / own.across, own.lat + ((up + 0.5) / HALF - 1.0) / own.up
    east, north = scales(lat, scale)
    metres = _metres(own, chains, lon, lat, east, north, squares)
    steps = min(int(max(abs(metres) * SURE - 0.1, 0.0) / own.unit) + 1, 127)
    bounds[fence, up, across] = steps if metres > 0.0 else -steps


@jit
def cell(u: float, v: float) -> tuple[int, int]:
    """Across and up: the cell of a place in a fence's box."""
    return min(int((u + 1.0) * HALF), GRID - 1), min(int((v + 1.0) * HALF), GRID - 1)


@jit
def bound(
    own: Any, fence: int, u: float, v: float, plane: bool, bounds: Any, chains: Any, scale: Any, squares: Any
) -> float:
    """How far inside (outside: below zero) a fix surely is by what is known of the middle of its cell."""
    x, y = (u + 1.0) * HALF, (v + 1.0) * HALF
    across, up = cell(u, v)
    if bounds[fence, up, across] == 0 and own.unit > 0.0 and own.plain and plane:
        _learn(own, fence, across, up, bounds, chains, scale, squares)
    told = float(bounds[fence, up, across])
    x, y = (x - across - 0.5) * own.wide, (y - up - 0.5) * own.high
    room: float = max((abs(told) - 1.0) * own.unit - math.sqrt(x * x + y * y) * BENT, 0.0)
    return room if told > 0.0 else -room


@jit
def _asked(known: int, into: bool, out: bool) -> bool:
    """Whether what is seen may change something."""
    if known == OUTSIDE:
        return into
    if known == INSIDE:
        return out
    if known == AWAY:
        return not out
    if known == COMING:
        return not into
    return known == EITHER or into or out


@jit
def judge(
    known: int, lon: float, lat: float, sigma: float, east: float, north: float,
    own: Any, round_: Any, limits: Any, chains: Any, tables: Any, squares: Any, seen: Any, place: int,
) -> int:  # fmt: skip
    """What a fix says of a fence, into a row of ``seen`` (into, out, mass, metres): 1 where something may come of it,
    0 where not, -1 where it takes more than this."""
    low = -(sigma * limits[3]) if known == OUTSIDE else -np.inf
    high = sigma * limits[5] if known == INSIDE else np.inf
    _, edges, wide, small = tables
    if own.kind == CIRCLE:
        dx = wrap(lon - own.lon) * (0.5 * (east + round_.east))
        dy = (lat - own.lat) * (0.5 * (north + round_.north))
        away = math.sqrt(dx * dx + dy * dy)
        if away > LOCAL or abs(lat) > PLANE:
            return -1
        metres = round_.radius - away
        inside = metres >= 0.0
        mass = 1.0 if inside else 0.0
        if low < metres < high and abs(metres) < REACH * sigma:
            mass = _circle_mass(metres / sigma, round_.radius / sigma, wide, small)
    elif own.plain and abs(lat) <= PLANE:
        lon -= 360.0 * np.rint((lon - own.lon) / 360.0)
        metres = _metres(own, chains, lon, lat, east, north, squares)
        inside, reach = metres > 0.0, REACH * sigma
        if abs(metres) < TOUCHING:
            return -1
        mass = 1.0 if inside else 0.0
        if max(low, -reach) < metres < min(high, reach):
            mass -= _lost(own, chains, lon, lat, east, north, sigma, edges, squares)
            mass = min(max(mass, 0.0), 1.0)
    else:
        return -1
    depth = abs(metres)
    into = (mass >= limits[0] and (inside or depth <= sigma * limits[3])) or (inside and depth >= sigma * limits[2])
    out = (mass <= limits[1] and (not inside or depth <= sigma * limits[5])) or (
        not inside and depth >= sigma * limits[4]
    )
    if sigma == 0.0:
        into, out, mass = inside, not inside, 1.0 if inside else 0.0
    if not _asked(known, into, out):
        return 0
    seen[place, 0], seen[place, 1] = 1.0 if into else 0.0, 1.0 if out else 0.0
    seen[place, 2], seen[place, 3] = mass, metres
    return 1
