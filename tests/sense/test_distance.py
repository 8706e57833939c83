"""Signed distances against pyproj's geodesic: within 0.5 % or 0.1 m, anywhere on Earth."""

from itertools import pairwise

import numpy as np
import pytest
from pyproj import Geod

from engine.model.fence import Circle, Corridor, Fence, Polygons
from engine.sense import FenceSet
from engine.sense.fixes import Fixes

GEOD = Geod(ellps="WGS84")


def close(got: float, want: float) -> bool:
    return abs(got - want) <= max(0.1, 0.005 * abs(want))


def places(rng, count):
    """Everywhere, with more than a fair share near the poles and the antimeridian."""
    for k in range(count):
        lat = [rng.uniform(-80, 80), rng.uniform(80, 89.9), rng.uniform(-89.9, -80), rng.uniform(-70, 70)][k % 4]
        lon = [rng.uniform(-180, 180), rng.uniform(-180, 180), rng.uniform(-180, 180), 179.999][k % 4]
        yield float(lat), float(lon)


def to_line(lat, lon, line):
    """Geodesic metres to a line that is straight in lon/lat, by walking along it ever more finely."""
    best = np.inf
    for (x1, y1), (x2, y2) in pairwise(line):
        x2 = x1 + (x2 - x1 + 180.0) % 360.0 - 180.0  # edges here are shorter than half a turn
        low, high = 0.0, 1.0
        for _ in range(5):
            t = np.linspace(low, high, 201)
            x, y = x1 + (x2 - x1) * t, y1 + (y2 - y1) * t
            metres = GEOD.inv(np.full(201, lon), np.full(201, lat), x, y)[2]
            k = int(np.argmin(metres))
            best = min(best, float(metres[k]))
            low, high = t[max(k - 1, 0)], t[min(k + 1, 200)]
    return best


def star(rng, lat, lon, size, corners=7):
    """A ring around a place, ``size`` metres or less wide each way."""
    azimuth = (np.arange(corners) + rng.uniform(0, 0.8, corners)) * 360 / corners
    lons, lats, _ = GEOD.fwd([lon] * corners, [lat] * corners, azimuth, size * rng.uniform(0.4, 1, corners))
    ring = [(float(x), float(y)) for x, y in zip(lons, lats, strict=True)]
    return (*ring, ring[0])


def test_circles_of_five_metres_to_five_hundred_kilometres():
    rng = np.random.default_rng(1)
    for lat, lon in places(rng, 160):
        radius, off = 10 ** rng.uniform(0.7, 5.7), rng.uniform(0, 2.5)
        fences = FenceSet.compile([Fence("f", Circle(lon, lat, radius))])
        x, y, _ = GEOD.fwd(lon, lat, rng.uniform(0, 360), radius * off)
        assert close(fences.distance("f", y, x), radius * (1 - off))
        if abs(1 - off) > 0.01:
            assert (fences.containing(y, x) == ["f"]) == (off < 1)


def test_polygons_everywhere():
    rng = np.random.default_rng(2)
    for lat, lon in places(rng, 48):
        size = 10 ** rng.uniform(0.7, 5.4 if abs(lat) < 75 else 4)
        ring = star(rng, lat, lon, size)
        fences = FenceSet.compile([Fence("f", Polygons(((ring,),)))])
        x, y, _ = GEOD.fwd(lon, lat, rng.uniform(0, 360), size * rng.uniform(0, 2))
        assert close(abs(fences.distance("f", y, x)), to_line(y, x, ring)), (lat, lon, size)


def test_corridors_are_as_far_from_their_line_as_their_radius_everywhere():
    rng = np.random.default_rng(3)
    for lat, lon in places(rng, 32):
        size = 10 ** rng.uniform(1, 4)
        line = star(rng, lat, lon, size)[:4]
        fences = FenceSet.compile([Fence("f", Corridor(line, 50.0))])
        x, y, _ = GEOD.fwd(lon, lat, rng.uniform(0, 360), size * rng.uniform(0, 2))
        want = 50.0 - to_line(y, x, line)
        assert close(fences.distance("f", y, x) - 50.0, want - 50.0), (lat, lon, size)
        if abs(want) > 1:
            assert (fences.containing(y, x) == ["f"]) == (want > 0)


def test_the_fast_way_agrees_near_the_border():
    rng = np.random.default_rng(4)
    for lat, lon in places(rng, 60):
        size = 10 ** rng.uniform(0.7, 4)
        ring = star(rng, lat, lon, size)
        fences = FenceSet.compile([Fence("f", Polygons(((ring,),)))])
        azimuth, off = rng.uniform(0, 360), rng.uniform(-1500, 1500)
        x, y, _ = GEOD.fwd(*ring[0], azimuth, abs(off))
        _, metres = fences.measure(Fixes.one(y, x), np.array([0]), np.array([0]))
        assert close(float(metres[0]), fences.distance("f", y, x)), (lat, lon, size)


def test_across_the_antimeridian_split_or_not():
    one = Polygons(((((179.0, 10.0), (-179.0, 10.0), (-179.0, 11.0), (179.0, 11.0), (179.0, 10.0)),),))
    west = ((179.0, 10.0), (180.0, 10.0), (180.0, 11.0), (179.0, 11.0), (179.0, 10.0))
    east = ((-180.0, 10.0), (-179.0, 10.0), (-179.0, 11.0), (-180.0, 11.0), (-180.0, 10.0))
    fences = FenceSet.compile([Fence("one", one), Fence("two", Polygons(((west,), (east,))))])
    for lon in (179.5, 180.0, -180.0, -179.5):
        assert fences.containing(10.5, lon) == ["one", "two"]
        assert fences.distance("one", 10.5, lon) == pytest.approx(fences.distance("two", 10.5, lon))
    assert fences.distance("two", 10.5, 180.0) == pytest.approx(55_303, rel=0.005)  # no border along the antimeridian
    assert fences.containing(10.5, 178.9) == fences.containing(10.5, -178.9) == []
    assert fences.distance("one", 10.5, -178.9) == pytest.approx(-10_947, rel=0.005)


def test_a_cap_around_a_pole_has_one_border():
    box = ((-180.0, 85.0), (180.0, 85.0), (180.0, 90.0), (-180.0, 90.0), (-180.0, 85.0))
    ring = ((0.0, 85.0), (120.0, 85.0), (-120.0, 85.0), (0.0, 85.0))
    fences = FenceSet.compile([Fence("box", Polygons(((box,),))), Fence("ring", Polygons(((ring,),)))])
    for name in ("box", "ring"):
        for lat, lon in ((89.0, 180.0), (89.0, 0.0), (90.0, 17.0), (86.0, -180.0)):
            want = GEOD.inv(lon, lat, lon, 85.0)[2]
            assert close(fences.distance(name, lat, lon), want), (name, lat, lon)
            assert name in fences.containing(lat, lon)
        assert fences.containing(84.9, 0.0) == []


def test_nearest_is_what_a_scan_finds():
    rng = np.random.default_rng(5)
    fences = [
        Fence(f"f{k:02}", Circle(13 + rng.uniform(0, 1), 52 + rng.uniform(0, 1), rng.uniform(50, 9000)))
        if k % 2
        else Fence(f"f{k:02}", Polygons(((star(rng, 52 + rng.uniform(0, 1), 13 + rng.uniform(0, 1), 4000),),)))
        for k in range(60)
    ]
    compiled = FenceSet.compile(fences)
    for _ in range(20):
        lat, lon = 52 + rng.uniform(0, 1), 13 + rng.uniform(0, 1)
        every = sorted(
            ((compiled.distance(f.id, lat, lon), f.id) for f in fences), key=lambda item: (-item[0], item[1])
        )
        assert compiled.nearest(lat, lon, 7) == [(name, metres) for metres, name in every[:7]]
    assert len(compiled.nearest(0.0, 0.0, 1000)) == 60
    assert FenceSet.compile([]).nearest(0.0, 0.0, 5) == []
