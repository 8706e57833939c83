"""Vertex chains of many fences in rectangular blocks: parity and distance for many (fence, point) pairs at once."""

import numpy as np

from engine.sense.arithmetic import Bools, Floats, Ints

WIDTHS = (8, 20, 64)  # edges in a block row; a longer chain takes several rows
_CHUNK = 256  # rows worked on at a time, so that the arrays stay in the cache


class Chains:
    """Chains cut into rows of at most ``width`` edges. A short row repeats its last vertex: edges without length."""

    def __init__(self, shapes: list[list[Floats]]) -> None:
        count = len(shapes)
        self.kind = np.full(count, -1, np.int8)
        self.first = np.zeros(count, np.int32)
        self.rows = np.zeros(count, np.int32)
        xs: list[list[Floats]] = [[] for _ in WIDTHS]
        ys: list[list[Floats]] = [[] for _ in WIDTHS]
        for index, chains in enumerate(shapes):
            if chains:
                self._add(index, chains, xs, ys)
        self.x = [np.array(rows).reshape(-1, width + 1) for rows, width in zip(xs, WIDTHS, strict=True)]
        self.y = [np.array(rows).reshape(-1, width + 1) for rows, width in zip(ys, WIDTHS, strict=True)]

    def _add(self, index: int, chains: list[Floats], xs: list[list[Floats]], ys: list[list[Floats]]) -> None:
        longest = max(len(chain) for chain in chains) - 1
        kind = next((k for k, width in enumerate(WIDTHS) if longest <= width), len(WIDTHS) - 1)
        width = WIDTHS[kind]
        self.kind[index], self.first[index] = kind, len(xs[kind])
        for chain in chains:
            for start in range(0, max(len(chain) - 1, 1), width):
                piece = chain[start : start + width + 1]
                pad = (0, width + 1 - len(piece))
                xs[kind].append(np.pad(piece[:, 0], pad, mode="edge"))
                ys[kind].append(np.pad(piece[:, 1], pad, mode="edge"))
        self.rows[index] = len(xs[kind]) - self.first[index]

    def _expand(self, fences: Ints) -> tuple[Ints, Ints, Ints]:
        """Block rows of each fence in turn: (position in ``fences``, block row, start of each fence's rows)."""
        rows = self.rows[fences].astype(np.int64)
        first = self.first[fences].astype(np.int64)
        starts = np.cumsum(rows) - rows
        if int(rows.max(initial=1)) == 1:
            return np.arange(len(fences)), first, starts
        owner = np.repeat(np.arange(len(fences)), rows)
        return owner, np.repeat(first - starts, rows) + np.arange(len(owner)), starts

    def measure(self, fences: Ints, lon: Floats, lat: Floats, east: Floats, north: Floats) -> tuple[Bools, Floats]:
        """For each pair: whether the point is inside by the even-odd rule, and metres to the nearest edge, in the plane
        scaled at the point (``east``, ``north`` metres per degree). ``lon`` is in the fence's own frame."""
        inside, metres = np.zeros(len(fences), np.bool_), np.full(len(fences), np.inf)
        kinds = self.kind[fences]
        for kind in range(len(WIDTHS)):
            chosen = np.flatnonzero(kinds == kind)
            if len(chosen):
                owner, rows, starts = self._expand(fences[chosen])
                at = chosen[owner]
                odd, square = self._rows(kind, rows, lon[at], lat[at], east[at], north[at])
                if len(rows) > len(chosen):  # minimum and xor do not care for order
                    odd, square = np.bitwise_xor.reduceat(odd, starts), np.minimum.reduceat(square, starts)
                inside[chosen], metres[chosen] = odd, np.sqrt(square)
        return inside, metres

    def _rows(
        self, kind: int, rows: Ints, lon: Floats, lat: Floats, east: Floats, north: Floats
    ) -> tuple[Bools, Floats]:
        odd, square = np.empty(len(rows), np.bool_), np.empty(len(rows))
        for start in range(0, len(rows), _CHUNK):
            part = slice(start, start + _CHUNK)
            # vertices by rows and pairs by columns: every step below runs over one long stretch of memory
            shape = (WIDTHS[kind] + 1, len(rows[part]))
            x = np.subtract(self.x[kind][rows[part]].T, lon[part], out=np.empty(shape))
            y = np.subtract(self.y[kind][rows[part]].T, lat[part], out=np.empty(shape))
            odd[part] = _parity(x, y)
            x *= east[part]
            y *= north[part]
            square[part] = _nearest(x, y)
        return odd, square

    def edges(
        self, fences: Ints, lon: Floats, lat: Floats, east: Floats, north: Floats
    ) -> tuple[Ints, Floats, Floats, Floats, Floats]:
        """All edges of each pair, relative to the point and scaled: (pair, x1, y1, x2, y2), in fence order per pair."""
        parts: list[tuple[Ints, Floats, Floats, Floats, Floats]] = []
        kinds = self.kind[fences]
        for kind, width in enumerate(WIDTHS):
            chosen = np.flatnonzero(kinds == kind)
            if len(chosen):
                owner, rows, _ = self._expand(fences[chosen])
                at = chosen[owner]
                x = (self.x[kind][rows] - lon[at, None]) * east[at, None]
                y = (self.y[kind][rows] - lat[at, None]) * north[at, None]
                ends = (x[:, :-1].ravel(), y[:, :-1].ravel(), x[:, 1:].ravel(), y[:, 1:].ravel())
                parts.append((np.repeat(at, width), *ends))
        if len(parts) == 1:
            return parts[0]
        empty = np.zeros(0)
        if not parts:
            return np.zeros(0, np.int64), empty, empty, empty, empty
        owner, x1, y1, x2, y2 = (np.concatenate(column) for column in zip(*parts, strict=True))
        return owner, x1, y1, x2, y2


def _parity(x: Floats, y: Floats) -> Bools:
    """Even-odd rule against a ray to the east, per column. Right but where the point is within rounding of an edge."""
    up = y > 0.0
    rising = up[1:]
    turn = x[:-1] * y[1:]
    turn -= x[1:] * y[:-1]
    crossed = (turn > 0.0) == rising
    crossed &= rising != up[:-1]
    odd: Bools = np.bitwise_xor.reduce(crossed, axis=0)
    return odd


def _nearest(x: Floats, y: Floats) -> Floats:
    """Squared distance from the origin to the nearest edge of each column."""
    x1, y1 = x[:-1], y[:-1]
    dx, dy = x[1:] - x1, y[1:] - y1
    foot, other = x1 * dx, y1 * dy
    foot += other
    length2 = dx * dx
    np.multiply(dy, dy, out=other)
    length2 += other
    length2 += 1e-300
    foot /= length2
    np.negative(foot, out=foot)
    np.maximum(foot, 0.0, out=foot)
    np.minimum(foot, 1.0, out=foot)
    dx *= foot
    dx += x1
    dy *= foot
    dy += y1
    dx *= dx
    dy *= dy
    dx += dy
    nearest: Floats = dx.min(axis=0)
    return nearest
