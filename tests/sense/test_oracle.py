"""P(inside) and signed distances of every family of fences, anywhere on Earth, against ways to tell them that share
nothing with the product: points thrown around a fix along geodesics, and pyproj."""

import math
import zlib
from collections.abc import Callable

import numpy as np
import pytest
import shapely
from pyproj import Geod

from engine.model.fence import Circle, Corridor, Fence, Polygons
from engine.sense import FenceSet

GEOD = Geod(ellps="WGS84")
PLACES = [
    (52.5, 13.4),
    (0.0, 0.0),
    (-33.9, 179.9995),
    (12.0, -179.9995),
    (78.2, 15.6),
    (84.0, -40.0),
    (-89.2, 100.0),
]
ACCURACIES = (3.0, 12.0, 25.0, 65.0, 300.0, 950.0)
Made = tuple[Fence, Callable[[np.ndarray, np.ndarray], np.ndarray]]  # and whether it holds points (lon, lat)


def plane(lat, lon, xy):
    """Metres east and north of a place, as lon/lat by geodesics from it."""
    xy = np.asarray(xy, float).reshape(-1, 2)
    azimuth, metres = np.degrees(np.arctan2(xy[:, 0], xy[:, 1])), np.hypot(xy[:, 0], xy[:, 1])
    lons, lats, _ = GEOD.fwd(np.full(len(xy), lon), np.full(len(xy), lat), azimuth, metres)
    return np.column_stack([lons, lats])


def near(lon, centre):
    """Longitudes as they are near a place, across the antimeridian too."""
    return lon - 360.0 * np.round((lon - centre) / 360.0)


def rings_of(geometry):
    return [
        np.asarray(ring.coords) for part in shapely.get_parts(geometry) for ring in (part.exterior, *part.interiors)
    ]


def drawn(lat, lon, parts) -> Made:
    """Polygons given in metres around a place: edges are straight in lon/lat between the drawn vertices."""
    placed = [[plane(lat, lon, ring) for ring in rings] for rings in parts]
    shape = Polygons(tuple(tuple(tuple(map(tuple, ring.tolist())) for ring in rings) for rings in placed))
    flat = [[np.column_stack([near(ring[:, 0], lon), ring[:, 1]]) for ring in rings] for rings in placed]
    whole = shapely.union_all([shapely.make_valid(shapely.Polygon(r[0], r[1:])) for r in flat])
    shapely.prepare(whole)
    return Fence("f", shape), lambda x, y: shapely.intersects_xy(whole, near(x, lon), y)


def circle(lat, lon, rng, size) -> Made:
    fence = Fence("f", Circle(lon, lat, size))
    return fence, lambda x, y: GEOD.inv(np.full(len(x), lon), np.full(len(y), lat), x, y)[2] <= size


def corridor(lat, lon, rng, size) -> Made:
    """Short enough legs that a straight line of lon/lat is one of the plane, too."""
    bends = np.cumsum(rng.uniform(-1, 1, (4, 2)) * size, axis=0) - [size / 2, 0]
    fine = shapely.get_coordinates(shapely.segmentize(shapely.LineString(bends), max(size / 40, 1.0)))
    radius = float(size * rng.choice([0.05, 0.3]))
    line = plane(lat, lon, fine)
    wide = shapely.LineString(fine).buffer(radius, quad_segs=32)
    shapely.prepare(wide)

    def holds(x, y):
        azimuth, _, metres = GEOD.inv(np.full(len(x), lon), np.full(len(y), lat), x, y)
        return shapely.intersects_xy(wide, metres * np.sin(np.radians(azimuth)), metres * np.cos(np.radians(azimuth)))

    return Fence("f", Corridor(tuple(map(tuple, line.tolist())), radius)), holds


def ring(corners, size, wobble, rng):
    angle = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    radius = size * (1 - wobble * rng.random(corners))
    points = np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])
    return np.vstack([points, points[:1]])


def box(west, south, east, north):
    return np.array([(west, south), (east, south), (east, north), (west, north), (west, south)], float)


def star(lat, lon, rng, size) -> Made:
    points = ring(18, size, 0.0, rng)
    points[1:-1:2] *= 0.25
    return drawn(lat, lon, [[points]])


def sliver(lat, lon, rng, size) -> Made:
    return drawn(lat, lon, [[box(-size, -size / 60, size, size / 60)]])


def holed(lat, lon, rng, size) -> Made:
    return drawn(lat, lon, [[ring(24, size, 0.2, rng), ring(9, size / 2, 0.5, rng)[::-1]]])


def touching(lat, lon, rng, size) -> Made:
    return drawn(lat, lon, [[box(-size, -size, 0, size)], [box(0, -size / 2, size, size)]])


def overlapping(lat, lon, rng, size) -> Made:
    return drawn(lat, lon, [[box(-size, -size, size / 3, size / 2)], [box(-size / 3, -size / 2, size, size)]])


def many(lat, lon, rng, size) -> Made:
    return drawn(lat, lon, [[ring(4000, size, 0.15, rng)]])


FAMILIES = [circle, corridor, star, sliver, holed, touching, overlapping, many]


def _spread(count):
    """Points of a Gaussian, spread more evenly than chance would."""
    k = np.arange(1, count + 1)[:, None]
    u = (0.5 + k * [0.7548776662466927, 0.5698402909980532]) % 1.0
    away, angle = np.sqrt(-2.0 * np.log(u[:, 0])), 2.0 * np.pi * u[:, 1]
    return np.column_stack([away * np.cos(angle), away * np.sin(angle)])


NORMAL = _spread(9_000)


def thrown(lat, lon, sigma, holds):
    """The share of points around a fix that a fence holds: within some thousandths of the mass."""
    spots = plane(lat, lon, NORMAL * sigma)
    return float(np.mean(holds(spots[:, 0], spots[:, 1])))


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_the_mass_is_that_of_points_thrown_around_the_fix(family):
    rng = np.random.default_rng(zlib.crc32(family.__name__.encode()))
    for lat, lon in PLACES:
        size = 10 ** rng.uniform(1.2, 3.0)
        fence, holds = family(lat, lon, rng, size)
        compiled = FenceSet.compile([fence])
        for accuracy, off in zip(rng.choice(ACCURACIES, 2), rng.uniform(0.0, 1.2, 2), strict=True):
            ((x, y),) = plane(
                lat, lon, [off * size * np.array([math.cos(a := rng.uniform(0, 7)), math.sin(a)])]
            ).tolist()
            want = thrown(y, x, accuracy / 1.51, holds)
            got = compiled.probability("f", y, x, accuracy)
            assert got == pytest.approx(want, abs=0.02), (lat, lon, size, accuracy, off)


@pytest.mark.parametrize("radius", [5.0, 30.0, 400.0, 8_000.0, 60_000.0, 500_000.0])
def test_circles_of_every_size_have_the_mass_of_rice(radius):
    """Within a thousandth, also where the fix is far from the middle and near a pole."""
    rng = np.random.default_rng(int(radius))
    for lat, lon in PLACES:
        fence, holds = circle(lat, lon, rng, radius)
        compiled = FenceSet.compile([fence])
        for accuracy in (12.0, 900.0):
            sigma = accuracy / 1.51
            away = max(0.0, radius + rng.uniform(-1.5, 1.5) * sigma)
            x, y, _ = GEOD.fwd(lon, lat, rng.uniform(0, 360), away)
            want = thrown(y, x, sigma, holds)
            border = compiled.distance("f", y, x)
            assert border == pytest.approx(radius - away, abs=max(0.1, 0.001 * abs(away)))
            if radius <= 60_000.0 or accuracy > 100.0:  # 500 km away the border is right to two metres: not yet a sigma
                assert compiled.probability("f", y, x, accuracy) == pytest.approx(want, abs=0.02)


def to_border(x, y, border):
    """Geodesic metres, by walking along the border and then more finely where it is nearest."""
    best = math.inf
    for line in shapely.get_parts(border):
        chain = shapely.get_coordinates(shapely.segmentize(line, line.length / 2_000))
        for _ in range(2):
            metres = GEOD.inv(np.full(len(chain), x), np.full(len(chain), y), chain[:, 0], chain[:, 1])[2]
            best, k = min(best, float(metres.min())), int(np.argmin(metres))
            some = chain[max(k - 1, 0) : k + 2]
            chain = shapely.get_coordinates(shapely.segmentize(shapely.LineString(some), line.length / 1e6))
    return best


@pytest.mark.parametrize("family", [star, holed, touching, overlapping, many, sliver], ids=lambda f: f.__name__)
def test_distances_to_the_border_are_geodesic(family):
    """Of polygons with holes and several parts: the border is that of all of them together."""
    rng = np.random.default_rng(zlib.crc32(family.__name__.encode()) + 1)
    for lat, lon in PLACES:
        size = 10 ** rng.uniform(1.2, 4.0)
        fence, holds = family(lat, lon, rng, size)
        compiled = FenceSet.compile([fence])
        flat = [[(float(near(x, lon)), y) for x, y in chain] for part in fence.shape.parts for chain in part]
        whole = shapely.union_all([shapely.make_valid(shapely.Polygon(chain)) for chain in flat])
        if family is holed:
            whole = shapely.Polygon(flat[0], flat[1:])
        border = whole.boundary
        for off in rng.uniform(0.0, 2.0, 2):
            angle = rng.uniform(0, 7)
            ((x, y),) = plane(lat, lon, [off * size * np.array([math.cos(angle), math.sin(angle)])]).tolist()
            want = to_border(x, y, border) * (1 if holds(np.array([x]), np.array([y]))[0] else -1)
            got = compiled.distance("f", y, x)
            assert abs(got - want) <= max(0.1, 0.005 * abs(want)), (lat, lon, size, got, want)
