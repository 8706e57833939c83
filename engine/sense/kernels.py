"""The columns' work in one loop over signals, compiled by numba where that is installed (``herenow[fast]``).

The same arithmetic in the same order as ``verdict``, ``chains``, ``mass``, ``depths``, ``index`` and ``stops``, so the
results are the same bit for bit; what is rare (grown shapes, poles, fixes on a border) is left to them. Only ``fast``
imports this.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

from engine.sense.columns import HELD, NEVER, NONE, STATE
from engine.sense.depths import GRID
from engine.sense.index import MIX as _MIX
from engine.sense.mass import CURVATURES, EDGE_STEPS, H_STEP, REACH, WIDE
from engine.sense.measuring import LOCAL, PLANE, TOUCHING
from engine.sense.outlines import AREA, CIRCLE
from engine.sense.plain import bilinear
from engine.sense.stops import USEFUL, WITHIN
from engine.sense.verdict import AWAY, COMING, EITHER, INSIDE, OUTSIDE

QUIET, STIRRED, UNCLEAR = 0, 1, 2  # what a signal may do; unclear: what its fix says must be asked anew
_FENCE = (1 << STATE) - 1
_HALF = GRID / 2.0
_SQUARE = WITHIN * WITHIN


def _jit(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiled; kept on disk between starts where there is a folder that can be written to."""
    try:
        made: Callable[..., Any] = njit(cache=True)(function)
    except RuntimeError:
        made = njit(function)
    return made


@_jit
def _slot(key: Any, mask: int) -> Any:
    mixed = np.int64(key) * _MIX
    return (mixed ^ (mixed >> 29)) & mask


@_jit
def _found(key: int, keys: Any, slots: Any) -> Any:
    mask = len(slots) - 1
    slot = _slot(key, mask)
    while slots[slot] != NONE:
        if keys[slots[slot]] == key:
            return slots[slot]
        slot = (slot + 1) & mask
    return NONE


@_jit
def _wrap(degrees: float) -> Any:
    return degrees - 360.0 * np.rint(degrees / 360.0)


@_jit
def _scales(lat: float, table: Any) -> tuple[float, float]:
    x = (lat + 90.0) * 20.0
    row = min(max(int(x), 0), len(table) - 1)
    share = x - row
    return table[row, 0] + share * table[row, 1], table[row, 2] + share * table[row, 3]


_bilinear = _jit(bilinear)  # the very function of single signals


@_jit
def _owen(h: float, t: float, edges: Any) -> Any:
    size = min(abs(t), math.sqrt(REACH * REACH - h * h))
    r = math.sqrt(h * h + size * size)
    q = size / (size + h + 1e-300)
    value = _bilinear(edges, EDGE_STEPS + 1, r * (EDGE_STEPS / REACH), q * float(EDGE_STEPS))
    return -value if t < 0.0 else value


@_jit
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


@_jit
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


@_jit
def _square(ax: float, ay: float, bx: float, by: float) -> float:
    """Squared distance from the origin to an edge."""
    dx, dy = bx - ax, by - ay
    foot = -((ax * dx + ay * dy) / (dx * dx + dy * dy + 1e-300))
    foot = 0.0 if foot < 0.0 else 1.0 if foot > 1.0 else foot
    px, py = dx * foot + ax, dy * foot + ay
    return px * px + py * py


@_jit
def _trace(xs: Any, ys: Any, first: int, rows: int, lon: float, lat: float, east: float, north: float) -> Any:
    """Inside or not by the even-odd rule, and metres to the nearest edge."""
    odd, best, beyond = False, np.inf, np.inf
    for row in range(first, first + rows):
        x0, y0 = xs[row, 0] - lon, ys[row, 0] - lat
        up0, ax, ay = y0 > 0.0, x0 * east, y0 * north
        for k in range(1, xs.shape[1]):
            x1, y1 = xs[row, k] - lon, ys[row, k] - lat
            up1 = y1 > 0.0
            if up1 != up0 and (x0 * y1 - x1 * y0 > 0.0) == up1:
                odd = not odd
            bx, by = x1 * east, y1 * north
            # an edge that lies wholly to one side, farther away than the nearest, needs no foot
            if not (
                (ax > beyond and bx > beyond)
                or (ay > beyond and by > beyond)
                or (ax < -beyond and bx < -beyond)
                or (ay < -beyond and by < -beyond)
            ):
                square = _square(ax, ay, bx, by)
                if square < best:
                    best = square
                    beyond = math.sqrt(best) * 1.000001
            x0, y0, up0, ax, ay = x1, y1, up1, bx, by
    return odd, math.sqrt(best)


@_jit
def _lost(
    xs: Any, ys: Any, first: int, rows: int, lon: float, lat: float, east: float, north: float, sigma: float, edges: Any
) -> float:
    """How much less than the turn number is inside, because of edges near by."""
    reach, scale, total = REACH * sigma, 1.0 / sigma, 0.0
    reach2 = reach * reach
    for row in range(first, first + rows):
        ax, ay = (xs[row, 0] - lon) * east, (ys[row, 0] - lat) * north
        for k in range(1, xs.shape[1]):
            bx, by = (xs[row, k] - lon) * east, (ys[row, k] - lat) * north
            if _square(ax, ay, bx, by) < reach2:
                total += _felt(ax * scale, ay * scale, bx * scale, by * scale, edges)
            ax, ay = bx, by
    return total


@_jit
def _cell(u: float, v: float, fence: int) -> int:
    x, y = min(int((u + 1.0) * _HALF), GRID - 1), min(int((v + 1.0) * _HALF), GRID - 1)
    return (fence * GRID + y) * GRID + x


@_jit
def _learn(own: Any, cell: int, u: float, v: float, metres: float, bounds: Any) -> None:
    x = (abs((u + 1.0) * _HALF - cell % GRID - 0.5) + 0.5) * own.wide
    y = (abs((v + 1.0) * _HALF - cell // GRID % GRID - 0.5) + 0.5) * own.high
    room = abs(metres) * 0.99 - 0.1 - math.sqrt(x * x + y * y) * 1.01
    if own.unit > 0.0 and room > own.unit * (abs(float(bounds[cell])) + 1.0):
        steps = int(min(room / own.unit, 127.0))
        bounds[cell] = steps if metres > 0.0 else -steps


@_jit
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


@_jit
def _judge(
    known: int, fence: int, cell: int, u: float, v: float,
    lon: float, lat: float, sigma: float, east: float, north: float,
    own: Any, limits: Any, bounds: Any, xs: Any, ys: Any, edges: Any, wide: Any, small: Any, seen: Any,
) -> int:  # fmt: skip
    """What a fix says of a fence, into ``seen`` (into, out, mass, metres): 1 where something may come of it, 0 where
    not, -1 where it takes more than this. ``cell``: of its box, NONE where the fix is not in it."""
    low = -(sigma * limits[3]) if known == OUTSIDE else -np.inf
    high = sigma * limits[5] if known == INSIDE else np.inf
    bound = bounds[cell] * own.unit if cell != NONE else 0.0
    if bound < low or bound > high:
        return 0
    if own.kind == CIRCLE:
        dx, dy = _wrap(lon - own.lon) * (0.5 * (east + own.east)), (lat - own.lat) * (0.5 * (north + own.north))
        away = math.sqrt(dx * dx + dy * dy)
        if away > LOCAL or abs(lat) > PLANE:
            return -1
        metres = own.radius - away
        inside = metres >= 0.0
        mass = 1.0 if inside else 0.0
        if low < metres < high and abs(metres) < REACH * sigma:
            mass = _circle_mass(metres / sigma, own.radius / sigma, wide, small)
    elif own.kind == AREA and not own.grow and not own.seam and abs(lat) <= PLANE:
        lon -= 360.0 * np.rint((lon - own.lon) / 360.0)
        x, y = xs[own.chain], ys[own.chain]
        inside, away = _trace(x, y, own.first, own.rows, lon, lat, east, north)
        if away < TOUCHING:
            return -1
        metres = away if inside else -away
        if cell != NONE:
            _learn(own, cell, u, v, metres, bounds)
        mass, reach = 1.0 if inside else 0.0, REACH * sigma
        if max(low, -reach) < metres < min(high, reach):
            mass -= _lost(x, y, own.first, own.rows, lon, lat, east, north, sigma, edges)
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
    seen[0], seen[1], seen[2], seen[3] = 1.0 if into else 0.0, 1.0 if out else 0.0, mass, metres
    return 1


@_jit
def sweep(  # noqa: C901
    rows: Any, at: Any, lat: Any, lon: Any, accuracy: Any, devices: Any, knowns: Any, limits: Any, fences: Any,
    keys: Any, slots: Any, starts: Any, members: Any, levels: Any, bounds: Any, xs: Any, ys: Any, tables: Any,
    marks: Any, pairs: Any, seen: Any,
) -> tuple[int, int]:  # fmt: skip
    """Which signals may do something (``marks``), and what their fixes say of fences, where it matters: from the front
    of ``pairs`` (signal, fence, what was known) with ``seen``; from its back pairs yet to be judged. How many of each;
    more than there is room for: to be asked again with more room."""
    scale, edges, wide, small = tables
    told, left, room = 0, 0, len(pairs)
    for k in range(len(rows)):
        own = devices[rows[k]]
        marks[k] = QUIET
        if at[k] < own.at:
            continue
        if own.timer <= at[k]:
            marks[k] = STIRRED
        if own.count > HELD or (own.live and own.heard + limits[6] <= at[k]):
            marks[k] = UNCLEAR
            continue
        x, y = lon[k], lat[k]
        if not (x == x and accuracy[k] <= limits[7]):
            continue
        sigma, (east, north) = accuracy[k] * limits[8], _scales(y, scale)
        met = 0
        for level in levels:
            cells = 1 << level
            fine = cells / 360.0
            across, up = math.floor((x + 180.0) * fine) & (cells - 1), math.floor((y + 90.0) * fine)
            place = _found((level << 52) | (across << 26) | up, keys, slots)
            if place == NONE:
                continue
            for member in range(starts[place], starts[place + 1]):
                fence = members[member]
                area = fences[fence]
                u = x - area.lon
                u = (u - 360.0 * np.rint(u / 360.0)) * area.across
                v = (y - area.lat) * area.up
                if not (max(abs(u), abs(v)) <= 1.0):
                    continue
                known = OUTSIDE
                for slot in range(own.count):
                    if own.held[slot] & _FENCE == fence:
                        known = knowns[own.held[slot] >> STATE]
                        met |= 1 << slot
                if told + left >= room:
                    return room + 1, 0
                found = _judge(
                    known, fence, _cell(u, v, fence), u, v, x, y, sigma, east, north, area, limits, bounds,
                    xs, ys, edges, wide, small, seen[told],
                )  # fmt: skip
                if found > 0:
                    pairs[told, 0], pairs[told, 1], marks[k] = k, fence, STIRRED
                    told += 1
                elif found < 0:
                    left += 1
                    pairs[room - left, 0], pairs[room - left, 1], pairs[room - left, 2] = k, fence, known
        for slot in range(own.count):
            if met >> slot & 1:
                continue
            fence, known = own.held[slot] & _FENCE, knowns[own.held[slot] >> STATE]
            if told + left >= room:
                return room + 1, 0
            found = _judge(
                known, fence, NONE, 0.0, 0.0, x, y, sigma, east, north, fences[fence], limits, bounds,
                xs, ys, edges, wide, small, seen[told],
            )  # fmt: skip
            if found > 0:
                pairs[told, 0], pairs[told, 1], marks[k] = k, fence, STIRRED
                told += 1
            elif found < 0:
                left += 1
                pairs[room - left, 0], pairs[room - left, 1], pairs[room - left, 2] = k, fence, known
    return told, left


@_jit
def settle(
    rows: Any, at: Any, received: Any, lat: Any, lon: Any, accuracy: Any, given: Any, devices: Any, limits: Any,
    scale: Any, skip: Any, soon: float, armed: Any,
) -> int:  # fmt: skip
    """Move on the clocks and places of devices, but for signals to ``skip``; rows to be armed sooner, and how many.
    ``given``: accuracy as told, speed, heading, altitude, battery; ``accuracy``: as taken."""
    count = 0
    for k in range(len(rows)):
        own = devices[rows[k]]
        now = at[k]
        if skip[k] or now < own.at:
            continue
        own.at, own.received = now, received[k]
        battery = given[4, k]
        if battery == battery:
            own.battery = battery
        x, y = lon[k], lat[k]
        if x == x:
            if accuracy[k] <= limits[7]:
                own.heard, own.placed = now, True
            if accuracy[k] <= USEFUL:
                _stand(own, now, x, y, limits[6], scale)
            own.fixed, own.lat, own.lon = now, y, x
            own.accuracy, own.speed, own.heading, own.altitude = given[0, k], given[1, k], given[2, k], given[3, k]
        if own.head != NONE:
            timer = own.timer
            if own.live:
                timer = min(timer, own.heard + limits[6])
            if timer < np.inf:
                due = timer - own.at + own.received
                if due < soon or math.floor(min(due, float(NEVER))) < own.queued:
                    armed[count] = rows[k]
                    count += 1
    return count


@_jit
def _stand(own: Any, now: float, lon: float, lat: float, silence: float, scale: Any) -> None:
    if now - (own.stand_since + float(own.still)) <= silence:
        east, north = _scales(lat, scale)
        dx, dy = _wrap(lon - float(own.stand_lon)) * east, (lat - float(own.stand_lat)) * north
        if dx * dx + dy * dy <= _SQUARE:
            own.still = now - own.stand_since
            return
    own.stand_lat, own.stand_lon, own.stand_since, own.still = lat, lon, now, 0.0
