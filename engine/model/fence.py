"""Geofences as authored: shape, names and facts. Compiled geometry lives in ``sense``."""

from typing import Any, Literal

from msgspec import Struct, field

from engine.model.rule import DayTime

Ring = tuple[tuple[float, float], ...]  # (lon, lat) pairs, closed, as RFC 7946


class Circle(Struct, frozen=True, tag="circle"):
    """All points within ``radius`` metres (geodesic) of the centre."""

    lon: float
    lat: float
    radius: float


class Polygons(Struct, frozen=True, tag="polygons"):
    """One or more polygons: each an outer ring and its holes. Edges are straight in lon/lat."""

    parts: tuple[tuple[Ring, ...], ...]


class Corridor(Struct, frozen=True, tag="corridor"):
    """All points within ``radius`` metres of a line, which is straight in lon/lat between its vertices."""

    line: tuple[tuple[float, float], ...]
    radius: float


Shape = Circle | Polygons | Corridor


class Fence(Struct, frozen=True):
    """One geofence. ``catchment`` metres grow the shape that is tested; ``dwell`` seconds ask for a dwell transition,
    ``cross`` for one when a device passes through between two fixes. A fence that is not open is as if not there."""

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
