"""Geofences as authored: shape, names and facts. Compiled geometry lives in ``sense``.

Vertices are kept packed, 16 bytes each: as tuples of numbers they would take seven times as much, and a hundred
thousand fences would be millions of objects, which hold up every thread when they are made, looked through or freed.
"""

from collections.abc import Iterable
from itertools import chain
from struct import pack, unpack, unpack_from
from typing import Any, Literal, cast

from msgspec import Struct, field
from msgspec.structs import force_setattr

from engine.model.rule import DayTime

Ring = tuple[tuple[float, float], ...]  # (lon, lat) pairs, closed, as RFC 7946
_VERTEX = 16  # bytes: lon and lat as little-endian doubles


def packed(positions: Iterable[tuple[float, float]]) -> bytes:
    """(lon, lat) pairs as little-endian doubles one after the other."""
    numbers = tuple(chain.from_iterable(positions))
    return pack(f"<{len(numbers)}d", *numbers)


def unpacked(vertices: bytes) -> Ring:
    """The inverse of ``packed``."""
    numbers = iter(unpack(f"<{len(vertices) // 8}d", vertices))
    return tuple(zip(numbers, numbers, strict=True))


def _packed(positions: bytes | Ring) -> bytes:
    """Whatever way they came. ValueError where bytes are no vertices."""
    vertices = positions if isinstance(positions, bytes) else packed(positions)
    if len(vertices) % _VERTEX:
        raise ValueError("vertices are pairs of doubles")
    return vertices


class Circle(Struct, frozen=True, tag="circle"):
    """All points within ``radius`` metres (geodesic) of the centre."""

    lon: float
    lat: float
    radius: float


class Polygons(Struct, frozen=True, gc=False, tag="polygons"):
    """One or more polygons: each an outer ring and its holes. Edges are straight in lon/lat. Made of rings of either
    kind, kept packed."""

    drawn: tuple[tuple[bytes | Ring, ...], ...] = field(name="parts")

    def __post_init__(self) -> None:
        force_setattr(self, "drawn", tuple(tuple(map(_packed, part)) for part in self.drawn))

    @property
    def rings(self) -> tuple[tuple[bytes, ...], ...]:
        """Per part the rings, packed."""
        return cast(tuple[tuple[bytes, ...], ...], self.drawn)

    @property
    def parts(self) -> tuple[tuple[Ring, ...], ...]:
        """Per part the rings as pairs."""
        return tuple(tuple(map(unpacked, part)) for part in self.rings)


class Corridor(Struct, frozen=True, gc=False, tag="corridor"):
    """All points within ``radius`` metres of a line, which is straight in lon/lat between its vertices."""

    drawn: bytes | Ring = field(name="line")
    radius: float

    def __post_init__(self) -> None:
        force_setattr(self, "drawn", _packed(self.drawn))

    @property
    def vertices(self) -> bytes:
        """The line, packed."""
        return cast(bytes, self.drawn)

    @property
    def line(self) -> Ring:
        """The line as pairs."""
        return unpacked(self.vertices)


Shape = Circle | Polygons | Corridor


def first(shape: Shape) -> tuple[float, float]:
    """(lon, lat) of a circle's middle, or of the vertex a shape begins with; zeros where it has none."""
    if isinstance(shape, Circle):
        return shape.lon, shape.lat
    vertices = shape.vertices if isinstance(shape, Corridor) else next(chain.from_iterable(shape.rings), b"")
    return cast(tuple[float, float], unpack_from("<2d", vertices)) if vertices else (0.0, 0.0)


_NO_FACTS: dict[str, Any] = {}  # of all fences that have none


class Fence(Struct, frozen=True, gc=False):
    """One geofence. ``catchment`` metres grow the shape that is tested; ``dwell`` seconds ask for a dwell transition,
    ``cross`` for one when a device passes through between two fixes. A fence that is not open is as if not there.
    The cycle collector never looks at fences, nor at mappings of them: their facts are JSON and hold no circles."""

    id: str
    shape: Shape
    name: str = ""
    tags: tuple[str, ...] = ()
    catchment: float = 0.0
    dwell: tuple[float, ...] = ()
    cross: bool = False
    schedule: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    source: str = ""  # file:feature, or "run-time"
    open: tuple[DayTime, ...] = ()  # what ``schedule`` says, in the fence's own time zone; empty: always open
    but: tuple[DayTime, ...] = ()  # never open then
    valid: tuple[str | None, str | None] = (None, None)  # local dates (ISO), both ends included
    on_open: Literal["enter", "ignore"] = "enter"  # of those who are inside already

    def __post_init__(self) -> None:
        if not self.metadata:
            force_setattr(self, "metadata", _NO_FACTS)
