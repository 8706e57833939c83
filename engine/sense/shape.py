"""Authored shapes made fit for computing: continuous longitudes, valid rings, one orientation."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from engine.model.fence import Corridor, Polygons
from engine.sense.arithmetic import MEAN_RADIUS, Floats

Chain = Floats  # [n, 2] lon, lat of consecutive vertices


def unwrap(vertices: bytes, ring: bool) -> Chain:
    """Longitudes without the jump at ±180: a step of more than half a turn (and less than a whole one) is taken the
    short way. A ring that then winds around a pole is closed over that pole."""
    chain = np.frombuffer(vertices, "<f8").reshape(-1, 2).astype(np.float64)
    if len(chain) > 1:
        steps = np.diff(chain[:, 0])
        turns = np.where((np.abs(steps) > 180.0) & (np.abs(steps) < 360.0), -np.sign(steps), 0.0)
        chain[1:, 0] += 360.0 * np.cumsum(turns)
        if ring and turns.sum() != 0.0:
            pole = math.copysign(90.0, float(chain[:, 1].mean()))
            lid = [[chain[-1, 0], pole], [chain[0, 0], pole], chain[0].tolist()]
            chain = np.vstack([chain, np.asarray(lid)])
    return chain


def _shift(chain: Chain, centre: float) -> Chain:
    """The whole chain moved by full turns so that its middle is nearest to ``centre``."""
    middle = (chain[:, 0].min() + chain[:, 0].max()) / 2.0
    moved = chain.copy()
    moved[:, 0] -= 360.0 * round((middle - centre) / 360.0)
    return moved


def _rings(parts: Sequence[Sequence[bytes]]) -> list[list[Chain]]:
    centre: float | None = None
    out = []
    for part in parts:
        rings = []
        for ring in part:
            chain = unwrap(ring, ring=True)
            if len(chain) < 3 or not np.isfinite(chain).all():
                continue
            if centre is None:
                centre = (chain[:, 0].min() + chain[:, 0].max()) / 2.0
            rings.append(_shift(chain, centre))
        if rings:
            out.append(rings)
    return out


def area(shape: Polygons) -> BaseGeometry:
    """The polygons as one valid Shapely geometry in continuous longitudes, outer rings anticlockwise. May be empty."""
    polygons = [shapely.Polygon(rings[0], rings[1:]) for rings in _rings(shape.rings)]
    whole = polygons[0] if len(polygons) == 1 else shapely.MultiPolygon(polygons)
    if not whole.is_valid:
        whole = shapely.make_valid(whole, method="structure", keep_collapsed=False)
    kept = [p for p in shapely.get_parts(whole) if p.geom_type == "Polygon" and not p.is_empty]
    if not kept:
        return shapely.Polygon()
    return shapely.orient_polygons(kept[0] if len(kept) == 1 else shapely.MultiPolygon(kept))


def rings_of(geometry: BaseGeometry) -> list[Chain]:
    """Every ring of a valid (multi)polygon, closed."""
    rings: list[Chain] = []
    for polygon in shapely.get_parts(geometry):
        if not polygon.is_empty:
            rings.append(shapely.get_coordinates(polygon.exterior))
            rings.extend(shapely.get_coordinates(hole) for hole in polygon.interiors)
    return rings


def line(shape: Corridor) -> Chain:
    """The corridor's middle line in continuous longitudes."""
    return unwrap(shape.vertices, ring=False)


def outline(shape: Polygons) -> list[Chain]:
    """The rings as drawn: what is left to grow where a polygon has no area."""
    return [ring for rings in _rings(shape.rings) for ring in rings]


# ------------------------------------------------------------------ grown shapes

_LOCAL = 0.02  # degrees: one plane serves an edge no longer than this


def _local(chain: Chain) -> Chain:
    """The chain with long edges cut, so that each is short against the change of scale with latitude."""
    pieces = [chain[:1]]
    for a, b in itertools.pairwise(chain):
        parts = min(2000, max(1, math.ceil(float(np.abs(b - a).max()) / _LOCAL)))
        share = np.arange(1, parts + 1)[:, None] / parts
        pieces.append(a + (b - a) * share)
    return np.vstack(pieces)


def _scales(lat: float) -> tuple[float, float]:
    sine = math.sin(math.radians(lat))
    w2 = 1.0 - 0.00669437999014 * sine * sine
    normal = 6378137.0 / math.sqrt(w2)
    east = max(normal * math.cos(math.radians(lat)), 1.0)
    return math.radians(east), math.radians(normal * 0.99330562000986 / w2)


def grow(chains: list[Chain], base: BaseGeometry | None, metres: float) -> BaseGeometry:
    """The chains (and the area, if any) grown by ``metres``, as polygons in lon/lat: for masses, not for borders."""
    arcs = int(min(64, max(8, math.ceil(1.6 * math.sqrt(metres)))))
    widen = metres * (1.0 + (math.pi / 2 / arcs) ** 2 / 16.0)  # half of what the arc's chords cut off
    grown: list[BaseGeometry] = [] if base is None else [base]
    for chain in chains:
        cut = _local(chain)
        for a, b in itertools.pairwise(cut):
            scale = np.array(_scales(float(a[1] + b[1]) / 2.0))
            capsule = shapely.LineString([a - a, (b - a) * scale]).buffer(widen, quad_segs=arcs)
            grown.append(shapely.transform(capsule, lambda xy, a=a, scale=scale: a + xy / scale))
    whole = shapely.union_all(grown) if grown else shapely.Polygon()
    return shapely.orient_polygons(whole) if not whole.is_empty else whole


def span(lat: float, lon: float, metres: float) -> tuple[float, float, float, float]:
    """(lon, lat, half width, half height) in degrees of a box that surely holds a circle."""
    angle = metres / (MEAN_RADIUS * 0.99)
    height = math.degrees(angle) + 1e-9
    if abs(lat) + height >= 89.0:
        return lon, lat, 180.0, height
    ratio = math.sin(min(angle, math.pi / 2)) / math.cos(math.radians(lat))
    return lon, lat, (math.degrees(math.asin(ratio)) if ratio < 1.0 else 180.0) + 1e-9, height
