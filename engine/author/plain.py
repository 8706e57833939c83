"""Fences that have nothing wrong about them, many at a time: checked in columns, a hundred times as fast as one by one.

What is not plain (or not right) is left to be read one by one, which tells what is the matter. So nothing here ever
has to explain itself.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
import shapely
from msgspec import Struct

from engine.author import properties
from engine.author.features import Piece
from engine.author.properties import Properties
from engine.author.report import TextError
from engine.author.swapped import looks_swapped
from engine.model.fence import Circle, Polygons, Ring, Shape, packed

MANY = 100  # positions from which a polygon is looked at alone: it may be a knot


class _Point(Struct, tag_field="type", tag="Point"):
    coordinates: tuple[float, float]


class _Polygon(Struct, tag_field="type", tag="Polygon"):
    coordinates: tuple[Ring, ...]


class _Feature(Struct, tag_field="type", tag="Feature"):
    geometry: _Point | _Polygon
    properties: dict[str, Any]
    id: str | int | None = None


_feature = msgspec.json.Decoder(_Feature)


class Plain(NamedTuple):
    """A fence read from a piece."""

    piece: Piece
    id: str
    shape: Shape
    facts: Properties


def read_plain(pieces: Sequence[Piece]) -> dict[int, Plain]:
    """The plain ones among some pieces, by number."""
    found = [plain for plain in map(_read, pieces) if plain is not None]
    drawn = [(plain, plain.shape) for plain in found if isinstance(plain.shape, Polygons)]
    sound = dict(zip((plain.piece.number for plain, _ in drawn), _sound([shape for _, shape in drawn]), strict=True))
    kept = (plain for plain in found if sound.get(plain.piece.number, True) and not looks_swapped(plain.shape))
    return {plain.piece.number: plain for plain in kept}


def _read(piece: Piece) -> Plain | None:
    try:
        feature = _feature.decode(piece.text)
        facts = properties.read(feature.properties)
        id = properties.read_id(feature.id, feature.properties.get("id"))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, TextError):
        return None
    shape = _shape(feature.geometry, facts.radius)
    return None if id is None or shape is None or facts.strangers else Plain(piece, id, shape, facts)


def _shape(geometry: _Point | _Polygon, radius: float | None) -> Shape | None:
    if isinstance(geometry, _Point):
        lon, lat = geometry.coordinates
        on_earth = abs(lon) <= 180.0 and abs(lat) <= 90.0
        return Circle(lon, lat, radius) if on_earth and radius is not None else None
    rings = geometry.coordinates
    closed = all(len(ring) >= 4 and ring[0] == ring[-1] for ring in rings)
    small = sum(map(len, rings)) <= MANY
    return Polygons((tuple(map(packed, rings)),)) if rings and closed and small and radius is None else None


def _sound(shapes: Sequence[Polygons]) -> list[bool]:
    """Per polygon: on Earth, valid, and not across the antimeridian."""
    if not shapes:
        return []
    rings = [ring for shape in shapes for ring in shape.rings[0]]
    owner = np.repeat(np.arange(len(shapes)), [len(shape.rings[0]) for shape in shapes])
    points = np.frombuffer(b"".join(rings), "<f8").reshape(-1, 2)
    lengths = np.fromiter(map(len, rings), np.int64, len(rings)) // points.itemsize // 2
    ring_of = np.repeat(np.arange(len(rings)), lengths)
    bad = np.abs(points) > (180.0, 90.0)
    wrong = bad.any(axis=1)
    wrong[1:] |= (np.abs(np.diff(points[:, 0])) > 180.0) & (ring_of[1:] == ring_of[:-1])
    good = np.ones(len(shapes), np.bool_)
    good[owner[ring_of[wrong]]] = False
    drawn = shapely.polygons(shapely.linearrings(points, indices=ring_of), indices=owner)
    sound: list[bool] = (good & shapely.is_valid(drawn)).tolist()
    return sound
