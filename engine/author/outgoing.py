"""Fences as GeoJSON features: what reads back as the same fence."""

import math
from typing import Any

from engine.model.fence import Circle, Corridor, Fence, Shape


def feature_of(fence: Fence) -> dict[str, Any]:
    """A feature with everything where an author would write it; ``source`` says where the fence is from."""
    facts: dict[str, Any] = {"name": fence.name, "tags": list(fence.tags), "catchment": fence.catchment}
    facts |= {"dwell": list(fence.dwell), "cross": fence.cross, "schedule": fence.schedule, "metadata": fence.metadata}
    if fence.valid != (None, None):
        facts["valid"] = _dates(*fence.valid)
    if fence.on_open != "enter":
        facts["on_open"] = fence.on_open
    if isinstance(fence.shape, (Circle, Corridor)):
        facts["radius"] = fence.shape.radius
    properties = {key: value for key, value in facts.items() if value}
    geometry = geometry_of(fence.shape)
    return {"type": "Feature", "id": fence.id, "geometry": geometry, "properties": properties, "source": fence.source}


def _dates(first: str | None, last: str | None) -> str:
    """As ``valid`` is written."""
    if first is None or last is None:
        return f"until {last}" if first is None else f"from {first}"
    return f"{first} to {last}"


def region_of(fence: Fence) -> tuple[float, float, float]:
    """A circle (lat, lon, metres) that surely holds the fence: what a phone can watch by itself."""
    shape = fence.shape
    if isinstance(shape, Circle):
        return shape.lat, shape.lon, shape.radius + fence.catchment
    drawn = shape.line if isinstance(shape, Corridor) else [p for part in shape.parts for p in part[0]]
    first = drawn[0][0]
    lons = [lon - 360.0 * round((lon - first) / 360.0) for lon, _ in drawn]
    lats = [lat for _, lat in drawn]
    lat, lon = (min(lats) + max(lats)) / 2.0, (min(lons) + max(lons)) / 2.0
    reach = max(_metres(lat, lon, other_lat, other_lon) for other_lat, other_lon in zip(lats, lons, strict=True))
    grown = fence.catchment + (shape.radius if isinstance(shape, Corridor) else 0.0)
    return lat, lon - 360.0 * round(lon / 360.0), math.ceil(reach * 1.006 + grown)


def _metres(lat: float, lon: float, other_lat: float, other_lon: float) -> float:
    """By the haversine formula: within 0.6 % of the geodesic."""
    rise, turn = math.radians(other_lat - lat) / 2.0, math.radians(other_lon - lon) / 2.0
    across = math.cos(math.radians(lat)) * math.cos(math.radians(other_lat)) * math.sin(turn) ** 2
    return 12_742_017.6 * math.asin(min(1.0, math.sqrt(math.sin(rise) ** 2 + across)))


def geometry_of(shape: Shape) -> dict[str, Any]:
    """A GeoJSON geometry; the radius of circles and corridors stands in the feature's properties."""
    if isinstance(shape, Circle):
        return {"type": "Point", "coordinates": (shape.lon, shape.lat)}
    if isinstance(shape, Corridor):
        return {"type": "LineString", "coordinates": shape.line}
    parts = shape.parts
    if len(parts) == 1:
        return {"type": "Polygon", "coordinates": parts[0]}
    return {"type": "MultiPolygon", "coordinates": parts}
