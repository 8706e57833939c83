"""GeoJSON geometries to shapes: checked, closed, split at the antimeridian, repaired; every change is told."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import shapely
from msgspec import Struct

from engine.author.report import TextError
from engine.author.tangles import Budget
from engine.model.fence import Circle, Corridor, Polygons, Ring, Shape

MAX_VERTICES = 100_000
MAX_RADIUS = 1_000_000.0  # metres
Tell = Callable[[str, str, str], None]  # code, problem, fix: a warning

_SWAP_FIX = "Swap latitude and longitude; GeoJSON writes longitude first: [lon, lat]."
_DEGREES = "Longitudes go from -180 to 180, latitudes from -90 to 90: export it in degrees (WGS 84, EPSG:4326)."
_Position = list[float]
_Rings = list[list[_Position]]


class _Point(Struct):
    coordinates: _Position


class _Line(Struct):
    coordinates: list[_Position]


class _Polygon(Struct):
    coordinates: _Rings


class _MultiPolygon(Struct):
    coordinates: list[_Rings]


GEOMETRIES: dict[str, type[Struct]] = {
    "Point": _Point,
    "LineString": _Line,
    "Polygon": _Polygon,
    "MultiPolygon": _MultiPolygon,
}


def read_shape(geometry: Any, radius: float | None, tell: Tell, budget: Budget) -> Shape:
    """A GeoJSON geometry (decoded JSON) as a shape, within what its file may cost. Raises ``TextError``."""
    if not isinstance(geometry, dict):
        raise TextError("The feature has no geometry.", "Give it a Polygon, a Point with a radius or the like.")
    kind = geometry.get("type")
    model = GEOMETRIES.get(kind) if isinstance(kind, str) else None
    if model is None:
        fix = "Use Polygon, MultiPolygon, Point with 'radius', or LineString with 'radius'."
        raise TextError(f"A geometry of type {kind!r:.40} cannot be a fence.", fix)
    try:
        decoded: Any = msgspec.convert(geometry, model)
    except msgspec.ValidationError as error:
        raise TextError(f"The coordinates of the {kind} are wrong: {error}.", "Positions are [lon, lat].") from error
    if kind in ("Point", "LineString"):
        return _round(str(kind), decoded.coordinates, radius)
    if radius is not None:
        tell("IGNORED", f"'radius' means nothing for a {kind}.", "Use 'catchment' to grow a polygon.")
    parts = [decoded.coordinates] if kind == "Polygon" else decoded.coordinates
    try:
        return _polygons(parts, tell, budget)
    except shapely.GEOSException as error:
        raise TextError(f"The polygon cannot be read ({error}).", "Draw it again.") from error


def _round(kind: str, coordinates: Any, radius: float | None) -> Shape:
    """Circle or corridor."""
    what = "circle" if kind == "Point" else "corridor"
    if radius is None:
        raise TextError(f"A {kind} needs a 'radius' to be a {what}.", 'Add "radius": 100 (metres) to its properties.')
    positions = _positions([coordinates] if kind == "Point" else coordinates)
    if kind == "Point":
        return Circle(*positions[0], radius)
    if len(set(positions)) < 2:
        raise TextError("A LineString needs two different positions.", "Add positions, or use a Point.")
    return Corridor(tuple(positions), radius)


def _positions(coordinates: list[_Position]) -> list[tuple[float, float]]:
    """(lon, lat) pairs, each checked to be on Earth. Raises ``TextError``."""
    if len(coordinates) > MAX_VERTICES:
        raise TextError(f"The shape has more than {MAX_VERTICES} positions.", "Simplify it.")
    for number, position in enumerate(coordinates):
        if not 2 <= len(position) <= 4:
            raise TextError(f"Position {number} has {len(position)} numbers.", "Positions are [lon, lat].")
    pairs = np.array([position[:2] for position in coordinates], dtype=np.float64).reshape(-1, 2)
    wrong = ~(np.isfinite(pairs).all(axis=1) & (np.abs(pairs[:, 0]) <= 180) & (np.abs(pairs[:, 1]) <= 90))
    if wrong.any():
        lon, lat = pairs[int(np.argmax(wrong))].tolist()
        swapped = abs(lat) <= 180 and abs(lon) <= 90
        raise TextError(f"[{lon:g}, {lat:g}] is not on Earth.", _SWAP_FIX if swapped else _DEGREES)
    return [(lon, lat) for lon, lat in pairs.tolist()]


def _polygons(parts: list[_Rings], tell: Tell, budget: Budget) -> Polygons:
    if sum(len(ring) for rings in parts for ring in rings) > MAX_VERTICES:
        raise TextError(f"The shape has more than {MAX_VERTICES} positions.", "Simplify it.")
    checked = [[_ring(ring, tell) for ring in rings] for rings in parts]
    if not checked or not all(checked):
        raise TextError("The polygon has no rings.", "Give it an outer ring of four or more positions.")
    everything = [ring for rings in checked for ring in rings]
    budget.spend_close(everything)
    crossing = [any(map(_crosses, rings)) for rings in checked]
    geometry = shapely.MultiPolygon(
        [part for rings, split in zip(checked, crossing, strict=True) for part in _areas(rings, split)]
    )
    if any(crossing):
        tell("SPLIT", "The shape crosses the 180° meridian; it was split there.", "RFC 7946 wants two polygons.")
    if geometry.is_empty:
        raise TextError("The polygon has no area.", "Draw it again.")
    if geometry.is_valid:
        return _parts(geometry)
    problem = str(shapely.is_valid_reason(geometry)).partition("[")[0].strip()
    budget.spend_crossings(everything)
    mended = shapely.make_valid(geometry, method="structure")
    shape = _parts(mended)
    if not shape.parts:
        raise TextError("The polygon has no area.", "Draw it again.")
    count = f"; it has {len(shape.parts)} parts now" if len(shape.parts) != len(parts) else ""
    tell("REPAIRED", f"The polygon was not valid ({problem.lower()}) and was repaired{count}.", "Check it on a map.")
    return shape


def _ring(coordinates: list[_Position], tell: Tell) -> Ring:
    positions = _positions(coordinates)
    if len(set(positions)) < 3:
        raise TextError(
            f"A ring needs three different positions, this one has {len(set(positions))}.", "Add the missing ones."
        )
    if positions[0] != positions[-1]:
        tell("UNCLOSED_RING", "A ring was not closed; it was closed.", "Repeat its first position at the end.")
        positions.append(positions[0])
    return tuple(positions)


def _crosses(ring: Ring) -> bool:
    """Whether a ring crosses the antimeridian: it steps over more than half of the Earth. A step from -180 to 180 may
    as well go all the way round: a band or a polar cap, which would have no area otherwise."""
    steps = [abs(b[0] - a[0]) for a, b in pairwise(ring)]
    if 360 not in steps or any(180 < step < 360 for step in steps):
        return max(steps) > 180
    turned = _turned(ring)
    return turned[0] == turned[-1] and bool(shapely.Polygon(turned).area > 0)


def _areas(rings: list[Ring], split: bool) -> list[Any]:
    """What a polygon covers; where one of its rings is to be split, each is by itself: a hole may begin on the other
    side of the meridian than the outline."""
    if not split:
        return [shapely.Polygon(rings[0], rings[1:])]
    whole = _flat(rings[0])
    for hole in rings[1:]:
        whole = shapely.difference(whole, _flat(hole))
    return [area for area in shapely.get_parts(whole) if area.geom_type == "Polygon" and area.area > 0]


def _flat(ring: Ring) -> Any:
    """What a ring encloses, between -180 and 180."""
    if not _crosses(ring):
        return shapely.make_valid(shapely.Polygon(ring), method="structure")
    whole = shapely.make_valid(shapely.Polygon(_unroll(ring)), method="structure")
    pieces = []
    for turn in (-1, 0, 1):
        piece = shapely.intersection(whole, shapely.box(360 * turn - 180, -90, 360 * turn + 180, 90))
        pieces.append(shapely.transform(piece, lambda xy, by=360 * turn: xy - np.array([by, 0.0])))
    return shapely.union_all(pieces)


def _unroll(ring: Ring) -> Ring:
    """As ``_turned``. Raises ``TextError`` where that does not close."""
    turned = _turned(ring)
    if turned[0] != turned[-1]:
        raise TextError("The polygon goes round a pole.", "Draw it as several polygons that do not.")
    return turned


def _turned(ring: Ring) -> Ring:
    """The ring with longitudes that go on past 180, so that no step is longer than half of the Earth."""
    turned, shift = [ring[0]], 0.0
    for before, (lon, lat) in pairwise(ring):
        shift += 360.0 if lon - before[0] < -180 else -360.0 if lon - before[0] > 180 else 0.0
        turned.append((lon + shift, lat))
    return tuple(turned)


def _parts(geometry: Any) -> Polygons:
    """All areas of a valid geometry; lines and points that a repair left over are dropped."""
    areas = [area for area in shapely.get_parts(geometry) if area.geom_type == "Polygon" and not area.is_empty]
    return Polygons(tuple((_pairs(a.exterior), *(_pairs(hole) for hole in a.interiors)) for a in areas))


def _pairs(ring: Any) -> Ring:
    return tuple((lon, lat) for lon, lat in shapely.get_coordinates(ring).tolist())
