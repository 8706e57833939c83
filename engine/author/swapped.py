"""Do coordinates look as if latitude and longitude were swapped?"""

from functools import lru_cache

from tzfpy import get_tz

from engine.model.fence import Circle, Corridor, Shape


def looks_swapped(shape: Shape) -> bool:
    """Whether the shape begins in the sea (or on Antarctica) and would begin on land if its numbers were swapped."""
    lon, lat = _first(shape)
    if abs(lon) > 90 or lon == lat or _inland(round(lon, 1), round(lat, 1)):
        return False
    return not _on_land(lon, lat) and _on_land(lat, lon)


def _first(shape: Shape) -> tuple[float, float]:
    if isinstance(shape, Circle):
        return shape.lon, shape.lat
    return shape.line[0] if isinstance(shape, Corridor) else shape.parts[0][0][0]


@lru_cache(maxsize=65_536)
def _inland(lon: float, lat: float) -> bool:
    """Whether the middle of a cell is on land: then nothing about a fence there is suspicious."""
    return _on_land(lon, lat)


def _on_land(lon: float, lat: float) -> bool:
    zone = get_tz(lon, lat) or "Etc/"
    return not zone.startswith(("Etc/", "Antarctica/"))
