"""Distances and edges without a plane: for questions from outside, wide fences, and near the poles.

Edges, straight in lon/lat, are cut until each piece is straight in space to within two centimetres; the nearest point
is then found in space and its chord bent back onto the Earth.
"""

import numpy as np

from engine.sense.arithmetic import Floats, arc, ecef, sin_cos

_SAG = 0.02  # metres a piece may leave its chord
_PIECES = 4096


class SpaceEdges:
    """The edges of one fence in space: start and end of each piece, earth-centred metres."""

    def __init__(self, chains: list[Floats], seam: bool) -> None:
        starts = [chain[:-1] for chain in chains]
        ends = [chain[1:] for chain in chains]
        a = np.concatenate(starts) if starts else np.zeros((0, 2))
        b = np.concatenate(ends) if ends else np.zeros((0, 2))
        if seam and len(a):
            a, b = _without_seam(a, b)
        a, b = _cut(a, b)
        self.a = np.stack(ecef(a[:, 1], a[:, 0]), axis=1)
        self.b = np.stack(ecef(b[:, 1], b[:, 0]), axis=1)

    def distance(self, lon: float, lat: float) -> float:
        """Geodesic metres to the nearest edge; infinite where there is none."""
        if not len(self.a):
            return float("inf")
        point = _point(lon, lat)
        start, step = self.a - point, self.b - self.a
        length2 = _dot(step, step) + 1e-300
        foot = np.minimum(np.maximum(-_dot(start, step) / length2, 0.0), 1.0)
        gap = start + foot[:, None] * step
        return float(arc(_dot(gap, gap).min(keepdims=True))[0])

    def plane(self, lon: float, lat: float) -> tuple[Floats, Floats, Floats, Floats]:
        """The pieces (x1, y1, x2, y2) in metres east and north of a point, true in distance and direction from it."""
        point = _point(lon, lat)
        x1, y1 = _flat(self.a - point, lon, lat)
        x2, y2 = _flat(self.b - point, lon, lat)
        return x1, y1, x2, y2


def _dot(a: Floats, b: Floats) -> Floats:
    return a[:, 0] * b[:, 0] + a[:, 1] * b[:, 1] + a[:, 2] * b[:, 2]


def _point(lon: float, lat: float) -> Floats:
    return np.concatenate(ecef(np.array([lat]), np.array([lon])))


def _flat(offset: Floats, lon: float, lat: float) -> tuple[Floats, Floats]:
    (sin_lat,), (cos_lat,) = sin_cos(np.array([lat]))
    (sin_lon,), (cos_lon,) = sin_cos(np.array([lon]))
    east = offset[:, 1] * cos_lon - offset[:, 0] * sin_lon
    north = offset[:, 2] * cos_lat - (offset[:, 0] * cos_lon + offset[:, 1] * sin_lon) * sin_lat
    stretch = arc(_dot(offset, offset)) / (np.sqrt(east * east + north * north) + 1e-300)
    return east * stretch, north * stretch


def _without_seam(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """A ring around the Earth is drawn with edges that are no border: along a pole, and up and down one meridian."""
    west, east = min(a[:, 0].min(), b[:, 0].min()), max(a[:, 0].max(), b[:, 0].max())
    pole = (np.abs(a[:, 1]) == 90.0) & (np.abs(b[:, 1]) == 90.0)
    polar = np.maximum(np.abs(a[:, 1]), np.abs(b[:, 1])) == 90.0
    meridian = (a[:, 0] == b[:, 0]) & ((a[:, 0] == west) | (a[:, 0] == east) | polar)
    return a[~(pole | meridian)], b[~(pole | meridian)]


def _cut(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    middle = (a + b) / 2.0
    straight = [(p + q) / 2.0 for p, q in zip(ecef(a[:, 1], a[:, 0]), ecef(b[:, 1], b[:, 0]), strict=True)]
    off = np.zeros(len(a))
    for s, m in zip(straight, ecef(middle[:, 1], middle[:, 0]), strict=True):
        off += (s - m) * (s - m)
    by_sag = np.ceil(np.sqrt(np.sqrt(off) / _SAG))
    by_turn = np.ceil(np.abs(b - a).max(axis=1, initial=0.0) / 5.0)
    pieces = np.minimum(np.maximum(np.maximum(by_sag, by_turn), 1.0), _PIECES).astype(np.int64)
    owner = np.repeat(np.arange(len(a)), pieces)
    nth = np.arange(len(owner)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    share = (nth / pieces[owner])[:, None]
    after = ((nth + 1) / pieces[owner])[:, None]
    step = b[owner] - a[owner]
    end = np.where((nth + 1 == pieces[owner])[:, None], b[owner], a[owner] + step * after)
    return a[owner] + step * share, end
