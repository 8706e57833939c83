"""Do coordinates look as if latitude and longitude were swapped?"""

from tzfpy import get_tz

from engine.model.fence import Circle, Corridor, Shape


def looks_swapped(shape: Shape) -> bool:
    """Whether the shape begins in the sea (or on Antarctica) and would begin on land if its numbers were swapped."""
    lon, lat = _first(shape)
    if abs(lon) > 90 or lon == lat:
        return False
    return not _on_land(lon, lat) and _on_land(lat, lon)


def _first(shape: Shape) -> tuple[float, float]:
    if isinstance(shape, Circle):
        return shape.lon, shape.lat
    return shape.line[0] if isinstance(shape, Corridor) else shape.parts[0][0][0]


def _on_land(lon: float, lat: float) -> bool:
    zone = get_tz(lon, lat) or "Etc/"
    return not zone.startswith(("Etc/", "Antarctica/"))
