"""Where fences lie and how they were moved: boxes and middles of authored shapes, for maps and for words."""

import math
from collections.abc import Iterator

from engine.model.fence import Circle, Corridor, Polygons, Shape

EARTH = 6_371_008.8
METRES_PER_DEGREE = EARTH * math.pi / 180.0

Box = tuple[float, float, float, float]  # west, south, east, north


def points(shape: Shape) -> Iterator[tuple[float, float]]:
    """(lon, lat) of every vertex; of a circle its middle."""
    match shape:
        case Circle():
            yield shape.lon, shape.lat
        case Polygons():
            for part in shape.parts:
                for ring in part:
                    yield from ring
        case Corridor():
            yield from shape.line


def box(shape: Shape) -> Box | None:
    """What it spans in degrees, radius included; None where it has no point. No shape is drawn across the seam."""
    found = list(points(shape))
    if not found:
        return None
    lons, lats = [p[0] for p in found], [p[1] for p in found]
    high = radius(shape) / METRES_PER_DEGREE
    wide = high / max(0.01, math.cos(math.radians(min(89.0, max(map(abs, lats))))))
    return min(lons) - wide, min(lats) - high, max(lons) + wide, max(lats) + high


def middle(shape: Shape) -> tuple[float, float] | None:
    """(lon, lat) of the middle of its box."""
    found = box(shape)
    return None if found is None else ((found[0] + found[2]) / 2, (found[1] + found[3]) / 2)


def radius(shape: Shape) -> float:
    """Metres around its points that belong to it."""
    return 0.0 if isinstance(shape, Polygons) else shape.radius


def metres(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Between two (lon, lat) points on a sphere."""
    lon1, lat1, lon2, lat2 = map(math.radians, (*a, *b))
    h = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 2 * EARTH * math.asin(min(1.0, math.sqrt(h)))


def moved(old: Shape, new: Shape) -> Iterator[str]:
    """How a shape changed, in words."""
    if old == new:
        return
    if type(old) is not type(new):
        yield f"shape: {_kind(old)} → {_kind(new)}"
    before, after = middle(old), middle(new)
    if before is not None and after is not None and (away := metres(before, after)) >= 0.5:
        yield f"moved by {away:,.0f} m"
    if radius(old) != radius(new):
        yield f"radius: {radius(old):g} m → {radius(new):g} m"
    if type(old) is type(new) and not isinstance(old, Circle):
        yield f"redrawn: {sum(1 for _ in points(old))} → {sum(1 for _ in points(new))} points"


def _kind(shape: Shape) -> str:
    return {Circle: "circle", Polygons: "polygon", Corridor: "corridor"}[type(shape)]
