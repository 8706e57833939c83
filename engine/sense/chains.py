"""Vertex chains of many fences in rectangular blocks: parity and distance for many (fence, point) pairs at once."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from engine.sense.arithmetic import Bools, Floats, Ints

WIDTHS = (8, 20, 64)  # edges in a block row; a longer chain takes several rows
_CHUNK = 256  # rows worked on at a time, so that the arrays stay in the cache


class Band(NamedTuple):
    """Per pair: edges closer than the square root of ``reach2`` are wanted where the signed distance (metres, positive
    inside) lies between ``low`` and ``high``, both excluded."""

    low: Floats
    high: Floats
    reach2: Floats


class Near(NamedTuple):
    """Edges near by: whose (position among the pairs; ascending within each pair's own edges), and where they run in
    metres from the point."""

    owner: Ints
    x1: Floats
    y1: Floats
    x2: Floats
    y2: Floats


class Points(NamedTuple):
    """Per pair: the point, its longitude in the fence's own frame, and metres per degree east and north there."""

    lon: Floats
    lat: Floats
    east: Floats
    north: Floats

    def some(self, at: Ints) -> "Points":
        """Those of some pairs."""
        return Points(self.lon[at], self.lat[at], self.east[at], self.north[at])


class Chains:
    """Chains cut into rows of at most ``width`` edges. A short row repeats its last vertex: edges without length.

    ``blocks``: by kind, longitudes and latitudes of each row's vertices (rows × 2 × width + 1); all of them lie in
    ``flat``. Per fence: its ``kind``, the ``first`` of its ``rows`` there, and how many."""

    def __init__(self, shapes: list[list[Floats]]) -> None:
        count = len(shapes)
        self.kind = np.full(count, -1, np.int8)
        self.first = np.zeros(count, np.int32)
        self.rows = np.zeros(count, np.int32)
        pieces: list[list[tuple[Floats, int]]] = [[] for _ in WIDTHS]  # chains and where in them a row begins
        for index, chains in enumerate(shapes):
            if chains:
                longest = max(map(len, chains)) - 1
                kind = next((k for k, width in enumerate(WIDTHS) if longest <= width), len(WIDTHS) - 1)
                self.kind[index], self.first[index] = kind, len(pieces[kind])
                for chain in chains:
                    starts = range(0, max(len(chain) - 1, 1), WIDTHS[kind])
                    pieces[kind] += [(chain, start) for start in starts]
                self.rows[index] = len(pieces[kind]) - self.first[index]
        self._lay()
        for some, block in zip(pieces, self.blocks, strict=True):
            _fill(some, block)

    def _lay(self, flat: Floats | None = None) -> None:
        """Make room for the rows of all fences, or find them in what is made."""
        counts = [int(self.rows[self.kind == kind].sum()) for kind in range(len(WIDTHS))]
        sizes = [count * 2 * (width + 1) for count, width in zip(counts, WIDTHS, strict=True)]
        self.flat: Floats = np.empty(sum(sizes)) if flat is None else flat
        self._base = [sum(sizes[:kind]) for kind in range(len(WIDTHS))]
        self.blocks = [
            self.flat[base : base + size].reshape(-1, 2, width + 1)
            for base, size, width in zip(self._base, sizes, WIDTHS, strict=True)
        ]

    def places(self) -> Ints:
        """Per fence: where in ``flat`` its first row begins."""
        places: Ints = np.array(self._base)[self.kind] + self.first.astype(np.int64) * (2 * (self.width() + 1))
        return places

    def width(self) -> Ints:
        """Per fence: the edges of a row."""
        width: Ints = np.array(WIDTHS)[self.kind]
        return width

    def columns(self) -> dict[str, Any]:
        """All of it, by name."""
        return {"chain": self.kind, "first": self.first, "rows": self.rows, "vertices": self.flat}

    @classmethod
    def of(cls, made: Mapping[str, Any]) -> "Chains":
        """The inverse of ``columns``."""
        whole = cls([])
        whole.kind, whole.first, whole.rows = made["chain"], made["first"], made["rows"]
        whole._lay(made["vertices"])
        return whole

    @classmethod
    def joined(cls, parts: "Sequence[tuple[Chains, Ints, Ints]]", count: int) -> "Chains":
        """The chains of ``count`` fences, taken from others: whose, positions there, positions here."""
        whole = cls([[]] * count)
        for whose, there, here in parts:
            whole.kind[here], whole.rows[here] = whose.kind[there], whose.rows[there]
        whole._lay()
        for kind in range(len(WIDTHS)):
            first = 0
            for whose, there, here in parts:
                some = np.flatnonzero(whose.kind[there] == kind)
                _, rows, starts = whose._expand(there[some])
                whole.first[here[some]] = first + starts
                whole.blocks[kind][first : first + len(rows)] = whose.blocks[kind][rows]
                first += len(rows)
        return whole

    def _expand(self, fences: Ints) -> tuple[Ints, Ints, Ints]:
        """Block rows of each fence in turn: (position in ``fences``, block row, start of each fence's rows)."""
        rows = self.rows[fences].astype(np.int64)
        first = self.first[fences].astype(np.int64)
        starts = np.cumsum(rows) - rows
        if int(rows.max(initial=1)) == 1:
            return np.arange(len(fences)), first, starts
        owner = np.repeat(np.arange(len(fences)), rows)
        return owner, np.repeat(first - starts, rows) + np.arange(len(owner)), starts

    def measure(self, fences: Ints, points: Points, band: Band | None = None) -> tuple[Bools, Floats, Near]:
        """For each pair: whether the point is inside by the even-odd rule, and metres to the nearest edge, in the plane
        scaled at the point; and the edges that a band asks for."""
        inside, metres = np.zeros(len(fences), np.bool_), np.full(len(fences), np.inf)
        kinds = self.kind[fences]
        found: list[Near] = []
        for kind in range(len(WIDTHS)):
            chosen = (kinds == kind).nonzero()[0]
            if not len(chosen):
                continue
            owner, rows, starts = self._expand(fences[chosen])
            at = chosen[owner]
            single = len(rows) == len(chosen)
            odd, square = self._rows(kind, rows, at, points.some(at), band if single else None, found)
            if not single:  # minimum and xor do not care for order
                odd, square = np.bitwise_xor.reduceat(odd, starts), np.minimum.reduceat(square, starts)
            inside[chosen], metres[chosen] = odd, np.sqrt(square)
            if band is not None and not single:
                signed = np.where(odd, metres[chosen], -metres[chosen])
                asked = chosen[(signed > band.low[chosen]) & (signed < band.high[chosen])]
                found.append(self._of_several(fences[asked], points.some(asked), band, asked))
        return inside, metres, _joined(found)

    def _of_several(self, fences: Ints, points: Points, band: Band, asked: Ints) -> Near:
        """What the band asks for of chains in several rows (``asked``: their positions)."""
        owner, x1, y1, x2, y2 = self.edges(fences, points)
        near = _squares(x1, y1, x2 - x1, y2 - y1) < band.reach2[asked][owner]
        return Near(asked[owner[near]], x1[near], y1[near], x2[near], y2[near])

    def _rows(
        self, kind: int, rows: Ints, at: Ints, points: Points, band: Band | None, found: list[Near]
    ) -> tuple[Bools, Floats]:
        odd, square = np.empty(len(rows), np.bool_), np.empty(len(rows))
        lon, lat, east, north = points
        for start in range(0, len(rows), _CHUNK):
            part = slice(start, start + _CHUNK)
            # vertices by rows and pairs by columns: every step below runs over one long stretch of memory
            shape = (WIDTHS[kind] + 1, len(rows[part]))
            vertices = self.blocks[kind].take(rows[part], axis=0)
            x = np.subtract(vertices[:, 0].T, lon[part], out=np.empty(shape))
            y = np.subtract(vertices[:, 1].T, lat[part], out=np.empty(shape))
            odd[part] = inside = _parity(x, y)
            x *= east[part]
            y *= north[part]
            squares = _squares(x[:-1], y[:-1], x[1:] - x[:-1], y[1:] - y[:-1])
            square[part] = nearest = squares.min(axis=0)
            if band is not None:
                found.append(_near(band, at[part], inside, nearest, squares, x, y))
        return odd, square

    def edges(self, fences: Ints, points: Points) -> tuple[Ints, Floats, Floats, Floats, Floats]:
        """All edges of each pair, relative to the point and scaled: (pair, x1, y1, x2, y2), in fence order per pair."""
        lon, lat, east, north = points
        parts: list[tuple[Ints, Floats, Floats, Floats, Floats]] = []
        kinds = self.kind[fences]
        for kind, width in enumerate(WIDTHS):
            chosen = np.flatnonzero(kinds == kind)
            if len(chosen):
                owner, rows, _ = self._expand(fences[chosen])
                at = chosen[owner]
                vertices = self.blocks[kind].take(rows, axis=0)
                x = (vertices[:, 0] - lon[at, None]) * east[at, None]
                y = (vertices[:, 1] - lat[at, None]) * north[at, None]
                ends = (x[:, :-1].ravel(), y[:, :-1].ravel(), x[:, 1:].ravel(), y[:, 1:].ravel())
                parts.append((np.repeat(at, width), *ends))
        if len(parts) == 1:
            return parts[0]
        empty = np.zeros(0)
        if not parts:
            return np.zeros(0, np.int64), empty, empty, empty, empty
        owner, x1, y1, x2, y2 = (np.concatenate(column) for column in zip(*parts, strict=True))
        return owner, x1, y1, x2, y2


_PORTION = 2000  # rows filled at a time: a thread that compiles never holds up the others for long


def _fill(pieces: list[tuple[Floats, int]], block: Floats) -> None:
    """Rows of vertices from where each piece begins in its chain; the last vertex fills what is left."""
    width = block.shape[2]
    step = np.arange(width)
    for at in range(0, len(pieces), _PORTION):
        some = pieces[at : at + _PORTION]
        sizes = np.array([min(len(chain) - start, width) for chain, start in some])
        points = np.concatenate([chain[start : start + width] for chain, start in some])
        taken = points[(np.cumsum(sizes) - sizes)[:, None] + np.minimum(step, sizes[:, None] - 1)]
        block[at : at + _PORTION] = taken.transpose(0, 2, 1)


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


def _squares(x1: Floats, y1: Floats, dx: Floats, dy: Floats) -> Floats:
    """Squared distance from the origin to each edge, given where it starts and how it runs (which is lost)."""
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
    return dx


_NOTHING_NEAR = Near(np.zeros(0, np.int64), *(np.zeros(0) for _ in range(4)))


def _near(band: Band, at: Ints, inside: Bools, nearest: Floats, squares: Floats, x: Floats, y: Floats) -> Near:
    """What the band asks for among pairs (``at``: their positions) with an edge matrix."""
    metres = np.sqrt(nearest)
    signed = np.where(inside, metres, -metres)
    asked = ((signed > band.low[at]) & (signed < band.high[at])).nonzero()[0]
    if not len(asked):
        return _NOTHING_NEAR
    edge, column = (squares[:, asked] < band.reach2[at[asked]]).nonzero()
    column = asked[column]
    return Near(at[column], x[edge, column], y[edge, column], x[edge + 1, column], y[edge + 1, column])


def _joined(found: list[Near]) -> Near:
    if len(found) == 1:
        return found[0]
    return Near(*(np.concatenate(column) for column in zip(*found, strict=True))) if found else _NOTHING_NEAR
