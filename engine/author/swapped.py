"""Do coordinates look as if latitude and longitude were swapped?"""

from functools import lru_cache

from tzfpy import get_tz

from engine.model.fence import Shape, first


def looks_swapped(shape: Shape) -> bool:
    """Whether the shape begins in the sea (or on Antarctica) and would begin on land if its numbers were swapped."""
    lon, lat = first(shape)
    if abs(lon) > 90 or lon == lat or _inland(round(lon, 1), round(lat, 1)):
        return False
    return not _on_land(lon, lat) and _on_land(lat, lon)


@lru_cache(maxsize=65_536)
def _inland(lon: float, lat: float) -> bool:
    """Whether the middle of a cell is on land: then nothing about a fence there is suspicious."""
    return _on_land(lon, lat)


def _on_land(lon: float, lat: float) -> bool:
    zone = get_tz(lon, lat) or "Etc/"
    return not zone.startswith(("Etc/", "Antarctica/"))
