"""P(inside): exact for circles, within 0.02 of numeric integration for every other shape."""

import math

import numpy as np
import pytest
import shapely

from engine.model.fence import Circle, Corridor, Fence, Polygons
from engine.model.release import SensePolicy
from engine.sense import FenceSet
from engine.sense.arithmetic import exp_negative, sin_cos
from engine.sense.fixes import Fixes
from engine.sense.mass import circle_mass, edges_mass
from engine.sense.verdict import EITHER, INSIDE, OUTSIDE, Fix, Judge, Pairs, Thresholds

EAST, NORTH = 67_900.0, 111_267.0  # metres per degree, near enough for laying out shapes
LAT, LON = 52.5, 13.4


def rice(distance: float, radius: float) -> float:
    """Mass of a unit Gaussian within ``radius`` of a centre ``distance`` away, by a fine sum over slices."""
    edge = np.linspace(max(-9.0, distance - radius), min(9.0, distance + radius), 8001)
    x = (edge[1:] + edge[:-1]) / 2
    half = np.sqrt(np.maximum(radius**2 - (x - distance) ** 2, 0.0))
    slices = np.exp(-x * x / 2) * np.array([math.erf(w / math.sqrt(2)) for w in half])
    return float((slices * np.diff(edge)).sum() / math.sqrt(2 * math.pi))


def integral(geometry, x, y, sigma):
    """Mass inside a planar geometry, on a grid of equal-probability points (a Gaussian product rule)."""
    n = 400
    normal = np.sqrt(2) * np.array([_erfinv(2 * (k + 0.5) / n - 1) for k in range(n)])
    gx, gy = np.meshgrid(x + sigma * normal, y + sigma * normal)
    shapely.prepare(geometry)
    return float(shapely.intersects_xy(geometry, gx.ravel(), gy.ravel()).mean())


def _erfinv(value):
    low, high = -6.0, 6.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if math.erf(middle) < value else (low, middle)
    return (low + high) / 2


def test_circles_are_exact():
    rng = np.random.default_rng(1)
    for _ in range(250):
        radius = 10 ** rng.uniform(-1.5, 2.5)
        distance = max(0.0, radius + rng.uniform(-5, 5)) if rng.random() < 0.8 else 0.0
        got = float(circle_mass(np.array([radius - distance]), np.array([radius]))[0])
        assert got == pytest.approx(rice(distance, radius), abs=1e-3)


def test_a_circle_fence_is_exact_in_metres():
    fences = FenceSet.compile([Fence("f", Circle(LON, LAT, 100.0))])
    for metres, accuracy in ((0, 25), (80, 25), (100, 60), (150, 65), (0, 300), (120, 900)):
        got = fences.probability("f", LAT + metres / NORTH, LON, accuracy)
        assert got == pytest.approx(rice(metres / (accuracy / 1.51), 100 / (accuracy / 1.51)), abs=2e-3)


def random_polygon(rng):
    """Stars, needles, rings and multipolygons in the metre plane."""
    kind = rng.integers(4)
    angle = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(5, 20)))
    radius = rng.uniform(0.2, 1.0, len(angle)) * 120
    star = shapely.Polygon(np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])).buffer(0)
    if kind == 0:
        return star
    if kind == 1:
        return shapely.LineString(rng.uniform(-120, 120, (3, 2))).buffer(rng.uniform(2, 15), cap_style="flat")
    if kind == 2:
        hole = shapely.Point(rng.uniform(-40, 40, 2)).buffer(rng.uniform(5, 50))
        return star.convex_hull.difference(hole)
    return shapely.union_all([shapely.box(*p, *(p + rng.uniform(5, 60, 2))) for p in rng.uniform(-100, 60, (5, 2))])


def test_polygons_are_within_two_percent_of_integration():
    rng = np.random.default_rng(2)
    for _ in range(60):
        polygon = random_polygon(rng)
        if polygon.is_empty:
            continue
        parts = tuple(
            tuple(
                tuple((LON + x / EAST, LAT + y / NORTH) for x, y in ring.coords)
                for ring in (part.exterior, *part.interiors)
            )
            for part in shapely.get_parts(polygon)
        )
        fences = FenceSet.compile([Fence("f", Polygons(parts))])
        x, y = rng.uniform(-130, 130, 2)
        accuracy = float(10 ** rng.uniform(0.3, 2.3))
        fix = Fixes.one(LAT + y / NORTH, LON + x / EAST, accuracy)
        stretched = shapely.transform(polygon, lambda xy, f=fix: xy * [f.east[0] / EAST, f.north[0] / NORTH])
        at = x * fix.east[0] / EAST, y * fix.north[0] / NORTH
        want = integral(stretched, *at, accuracy / 1.51)
        assert fences.probability("f", float(fix.lat[0]), float(fix.lon[0]), accuracy) == pytest.approx(want, abs=0.02)


def test_corridors_and_catchments_are_within_two_percent_of_integration():
    rng = np.random.default_rng(3)
    fix = Fixes.one(LAT, LON)
    east, north = float(fix.east[0]), float(fix.north[0])
    for k in range(30):
        line = rng.uniform(-150, 150, (4, 2))
        radius = float(rng.uniform(5, 60))
        if k % 2:
            shape = shapely.LineString(line).buffer(radius, quad_segs=32)
            fence = Fence("f", Corridor(tuple((LON + x / east, LAT + y / north) for x, y in line), radius))
        else:
            triangle = shapely.Polygon(line[:3])
            shape = triangle.buffer(radius, quad_segs=32)
            ring = tuple((LON + x / east, LAT + y / north) for x, y in triangle.exterior.coords)
            fence = Fence("f", Polygons(((ring,),)), catchment=radius)
        x, y = rng.uniform(-160, 160, 2)
        accuracy = float(10 ** rng.uniform(0.5, 2.2))
        want = integral(shape, x, y, accuracy / 1.51)
        got = FenceSet.compile([fence]).probability("f", LAT + y / north, LON + x / east, accuracy)
        assert got == pytest.approx(want, abs=0.02)


@pytest.mark.parametrize("lat", [88.0, 89.95, -89.99])
def test_near_a_pole_the_mass_is_that_of_the_true_plane(lat):
    """A square kilometre beside the pole, its corners on a polar map, edges cut fine."""
    rng = np.random.default_rng(4)
    size, sign = 1000.0, math.copysign(1.0, lat)
    away = (90 - abs(lat)) * 111_694.0
    side = np.linspace(-size, size, 41)
    corners = [*((x, -size) for x in side), *((size, y) for y in side), *((x, size) for x in side[::-1])]
    corners += [(-size, y) for y in side[::-1]]
    ring = [
        (math.degrees(math.atan2(y, away + x)), sign * (90 - math.hypot(away + x, y) / 111_694.0)) for x, y in corners
    ]
    fences = FenceSet.compile([Fence("f", Polygons((((*ring, ring[0]),),)))])
    for _ in range(8):
        x, y = rng.uniform(-1300, 1300, 2)
        accuracy = float(rng.uniform(200, 1000))
        spot = math.degrees(math.atan2(y, away + x)), sign * (90 - math.hypot(away + x, y) / 111_694.0)
        want = integral(shapely.box(-size, -size, size, size), x, y, accuracy / 1.51)
        assert fences.probability("f", spot[1], spot[0], accuracy) == pytest.approx(want, abs=0.02)


def test_a_fix_on_a_border_or_corner_has_the_share_of_its_angle():
    square = np.array([(0, 0), (10, 0), (10, 10), (0, 10), (0, 0)], float)
    for x, y, share in [
        (0, 5, 0.5),
        (5, 0, 0.5),
        (10, 5, 0.5),
        (5, 10, 0.5),
        (0, 0, 0.25),
        (10, 10, 0.25),
        (0, 10, 0.25),
    ]:
        ring = square - (x, y)
        ends = ring[:-1, 0], ring[:-1, 1], ring[1:, 0], ring[1:, 1]
        assert edges_mass(np.zeros(4, np.int64), 1, *ends)[0] == pytest.approx(share, abs=1e-3)


def test_the_shortcuts_never_disagree_with_the_mass():
    """What is decided by distance alone is what the full mass would have decided."""
    rng = np.random.default_rng(5)
    hole = ((LON, LAT), (LON, LAT + 9e-5), (LON + 9e-5, LAT + 9e-5), (LON, LAT))
    ring = tuple(
        (LON + x * 0.002, LAT + y * 0.001) for x, y in ((-1, -1), (1, -1), (1, 1), (0, 0.1), (-1, 1), (-1, -1))
    )
    fences = FenceSet.compile([Fence("p", Polygons(((ring, hole),))), Fence("c", Circle(LON, LAT, 60.0))])
    n = 4000
    fixes = Fixes(
        LON + rng.uniform(-0.003, 0.003, n), LAT + rng.uniform(-0.002, 0.002, n), 10 ** rng.uniform(0, 2.5, n)
    )
    at, which = np.repeat(np.arange(n), 2), np.tile([0, 1], n)
    _, metres = fences.measure(fixes, at, which)
    mass = fences.mass(fixes, at, which, metres)
    limits = Thresholds(SensePolicy())
    clear = (np.abs(mass - limits.enter) > 0.002) & (np.abs(mass - limits.exit) > 0.002)
    assert clear.mean() > 0.95
    for known, wanted in (
        (OUTSIDE, mass >= limits.enter),
        (INSIDE, mass <= limits.exit),
        (EITHER, np.ones(2 * n, np.bool_)),
    ):
        found, _ = judged(fences, fixes, at, which, known)
        told = np.array([(fix, fence) in found for fix, fence in zip(at.tolist(), which.tolist(), strict=True)])
        assert np.array_equal(told[clear], wanted[clear])
    verdicts = [found[fix, fence] for fix, fence in zip(at.tolist(), which.tolist(), strict=True)]
    assert np.array_equal(np.array([v.into for v in verdicts])[clear], (mass >= limits.enter)[clear])
    assert np.array_equal(np.array([v.out for v in verdicts])[clear], (mass <= limits.exit)[clear])


def judged(fences, fixes, at, which, known):
    """What ``Judge`` tells of pairs, all known alike: in columns, and one by one."""
    judge = Judge(fences, SensePolicy())
    pairs = Pairs(at, which, np.full(len(at), known), np.zeros(len(at)), np.zeros(0), np.zeros(0))
    columns = {(fix, fence): evidence for fix, fence, evidence in judge.many(fixes, pairs)}
    ones = {}
    for fix, fence in zip(at.tolist(), which.tolist(), strict=True):
        one = Fix.of(float(fixes.lon[fix]), float(fixes.lat[fix]), float(fixes.accuracy[fix]))
        evidence = judge.one(one, fence, known)
        if evidence is not None:
            ones[fix, fence] = evidence
    return columns, ones


@pytest.mark.parametrize("known", [OUTSIDE, INSIDE, EITHER])
def test_one_by_one_and_in_columns_are_the_same_to_the_last_bit(known):
    rng = np.random.default_rng(6)
    fences = FenceSet.compile(list(zoo(rng)))
    n = 1500
    lon, lat = LON + rng.uniform(-0.003, 0.003, n), LAT + rng.uniform(-0.002, 0.002, n)
    accuracy = np.where(rng.random(n) < 0.1, 0.0, 10 ** rng.uniform(0, 2.5, n))
    corners = np.array(fences.fences["star"].shape.parts[0][0])
    lon[:40], lat[:40] = corners[:40, 0], corners[:40, 1]
    lat[40:60] = rng.uniform(79, 81, 20)
    lon[60:80] += 360.0 * rng.integers(-1, 2, 20)
    fixes = Fixes(lon, lat, accuracy)
    count = len(fences.ids)
    columns, ones = judged(fences, fixes, np.repeat(np.arange(n), count), np.tile(np.arange(count), n), known)
    assert columns == ones
    assert len(ones) > 500


def zoo(rng):
    """Fences of every kind around one place."""

    def ring(vertices, size):
        angle = np.sort(rng.uniform(0, 2 * np.pi, vertices))
        radius = rng.uniform(0.5, 1.0, vertices) * size
        chain = [
            (LON + r * math.cos(a) / EAST, LAT + r * math.sin(a) / NORTH) for r, a in zip(radius, angle, strict=True)
        ]
        return (*chain, chain[0])

    yield Fence("star", Polygons(((ring(40, 200.0),),)))
    yield Fence("tiny", Polygons(((ring(5, 9.0),),)))
    yield Fence("long", Polygons(((ring(300, 180.0), ring(12, 30.0)),)))
    yield Fence("caught", Polygons(((ring(10, 60.0),),)), catchment=30.0)
    yield Fence("round", Circle(LON, LAT, 90.0))
    yield Fence("dot", Circle(LON, LAT, 4.0))
    yield Fence("vast", Circle(LON, LAT, 400_000.0))
    yield Fence("road", Corridor(((LON - 0.01, LAT), (LON, LAT + 0.0005), (LON + 0.01, LAT)), 25.0))
    yield Fence("thread", Corridor(((LON - 0.01, LAT), (LON + 0.01, LAT)), 0.0))
    yield Fence("cap", Polygons(((((-180.0, 60.0), (180.0, 60.0), (180.0, 90.0), (-180.0, 90.0), (-180.0, 60.0)),),)))
    yield Fence("nothing", Polygons(((((LON, LAT), (LON + 0.001, LAT), (LON, LAT)),),)))


def test_own_arithmetic_is_right():
    x = np.linspace(-800, 800, 20_001)
    sine, cosine = sin_cos(x)
    assert np.abs(sine - np.sin(np.radians(x))).max() < 5e-15
    assert np.abs(cosine - np.cos(np.radians(x))).max() < 5e-15
    y = np.linspace(0, 600, 20_001)
    assert np.abs(exp_negative(y) / np.exp(-y) - 1).max() < 1e-14
    assert exp_negative(np.array([1e6]))[0] < 1e-300
