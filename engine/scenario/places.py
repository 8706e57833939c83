"""Where the places of scenarios are: well inside a fence, so far outside of it, or outside of every fence."""

import math
from collections.abc import Iterator

import shapely

from engine.author.scenario_parts import Place
from engine.model.fence import Circle, Corridor, Fence
from engine.sense import FenceSet

Point = tuple[float, float]

METRES_PER_DEGREE = 111_195.0
BEARINGS = 16
CLEAR = 100.0  # metres from the nearest border at which somebody is surely outside
AWAY = (150.0, 300.0, 600.0, 1200.0, 2500.0, 5000.0, 10_000.0, 25_000.0, 60_000.0, 150_000.0)
NOWHERE: Point = (0.0, 0.0)


class Atlas:
    """Positions (lat, lon) of places among the fences of one release; each is worked out once."""

    def __init__(self, fences: FenceSet) -> None:
        self._fences = fences
        self._found: dict[tuple[str, float | None], Point] = {}

    def point(self, place: Place) -> Point:
        """Where that is. ``KeyError`` where it names a fence that the release does not have."""
        if place.point is not None:
            return place.point
        return self.off(place.fence, place.metres) if place.metres is not None else self.inside(place.fence)

    def inside(self, fence: str) -> Point:
        """Well inside the fence; "" is outside of all."""
        key = (fence, None)
        if key not in self._found:
            self._found[key] = _middle(self._fences.fences[fence]) if fence else self._elsewhere()
        return self._found[key]

    def outside(self, fence: str) -> Point:
        """The nearest place found that is surely outside of this and every other fence."""
        key = (fence, -math.inf)
        if key not in self._found:
            self._found[key] = self._clear(fence)
        return self._found[key]

    def off(self, fence: str, metres: float) -> Point:
        """So many metres outside of the fence's border; outside of other fences where there is such a place."""
        key = (fence, metres)
        if key not in self._found:
            found = [self._at(fence, bearing, metres) for bearing in range(BEARINGS)]
            self._found[key] = next((p for p in found if self._only(fence, p)), found[0])
        return self._found[key]

    def way(self, start: Place, end: Place) -> tuple[Point, Point]:
        """From one place to another. ``400 m from X to 60 m from X`` are on the same side of X: the way does not lead
        through it."""
        if start.metres is None or end.metres is None or start.fence != end.fence:
            return self.point(start), self.point(end)
        ways = [
            (self._at(start.fence, bearing, start.metres), self._at(start.fence, bearing, end.metres))
            for bearing in range(BEARINGS)
        ]
        return next((way for way in ways if all(self._only(start.fence, point) for point in way)), ways[0])

    def _only(self, fence: str, point: Point) -> bool:
        """Whether a point is in no fence but, maybe, this one."""
        return set(self._fences.containing(*point)) <= {fence}

    def _at(self, fence: str, bearing: int, metres: float) -> Point:
        """Along a bearing from the middle, where the border is ``metres`` behind."""
        start = self.inside(fence)
        low, high = 0.0, 1000.0 + metres
        while self._fences.distance(fence, *_moved(start, bearing, high)) > -metres and high < 1e7:
            low, high = high, high * 2
        for _ in range(40):
            middle = (low + high) / 2
            short = self._fences.distance(fence, *_moved(start, bearing, middle)) > -metres
            low, high = (middle, high) if short else (low, middle)
        return _moved(start, bearing, high)

    def _clear(self, fence: str) -> Point:
        candidates = (self._at(fence, bearing, metres) for metres in AWAY for bearing in range(BEARINGS))
        return next((p for p in candidates if self._is_clear(p)), self._elsewhere())

    def _elsewhere(self) -> Point:
        """Round the first fence, ever further away."""
        if not self._fences.fences:
            return NOWHERE
        start = _middle(self._fences.fences[min(self._fences.fences)])
        return next((p for p in _around(start) if self._is_clear(p)), NOWHERE)

    def _is_clear(self, point: Point) -> bool:
        return all(metres <= -CLEAR for _, metres in self._fences.nearest(*point, 1))


def _around(start: Point) -> Iterator[Point]:
    for metres in AWAY:
        for bearing in range(BEARINGS):
            yield _moved(start, bearing, metres)


def _moved(start: Point, bearing: int, metres: float) -> Point:
    """So far in one of the directions; exact enough to look for places."""
    lat, lon = start
    angle = 2 * math.pi * bearing / BEARINGS
    north = min(89.9, max(-89.9, lat + math.cos(angle) * metres / METRES_PER_DEGREE))
    scale = METRES_PER_DEGREE * max(0.01, math.cos(math.radians(lat)))
    east = lon + math.sin(angle) * metres / scale
    return north, (east + 180.0) % 360.0 - 180.0


def _middle(fence: Fence) -> Point:
    """A point of the fence that is far from its border."""
    shape = fence.shape
    if isinstance(shape, Circle):
        return shape.lat, shape.lon
    if isinstance(shape, Corridor):
        line = shape.line
        before = (len(line) - 1) // 2
        (lon, lat), (lon2, lat2) = line[before], line[before + 1]
        return (lat + lat2) / 2, (lon + lon2) / 2
    areas = [shapely.Polygon(rings[0], rings[1:]) for rings in shape.parts]
    largest = max(areas, key=lambda area: area.area)
    centre = shapely.maximum_inscribed_circle(largest, tolerance=max(1e-9, math.sqrt(largest.area) / 200))
    lon, lat = centre.coords[0]
    return lat, lon


def between(start: Point, end: Point, share: float) -> Point:
    """A point of the straight way (the short way round the Earth)."""
    across = (end[1] - start[1] + 180.0) % 360.0 - 180.0
    lon = (start[1] + across * share + 180.0) % 360.0 - 180.0
    return start[0] + (end[0] - start[0]) * share, lon


def length(start: Point, end: Point) -> float:
    """Metres between two points, on a sphere."""
    lat1, lat2 = math.radians(start[0]), math.radians(end[0])
    half = math.radians(end[1] - start[1]) / 2
    a = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin(half) ** 2
    return 2 * 6_371_008.8 * math.asin(min(1.0, math.sqrt(a)))
