"""Real tracks past fences laid along them, against what plain Shapely and pyproj say of every fix."""

import csv
import math
import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import shapely
from pyproj import Geod

from engine.model.fence import Circle, Fence, Polygons
from engine.model.release import SensePolicy
from engine.model.signal import Signal
from engine.sense import FenceSet, Sense

TRACKS = Path(__file__).parents[3] / "shared" / "data" / "tracks"
NAMES = ["liverpool-bus-14.csv", "ride-eifel.gpx", "ride-twente.gpx"]
GEOD = Geod(ellps="WGS84")
PLAIN = SensePolicy(min_outside=0.0, silence=1e9)


@pytest.fixture(params=NAMES)
def track(request):
    """(at, lat, lon) of every fix, sorted by time."""
    path = TRACKS / request.param
    if not path.exists():
        pytest.skip(f"real tracks are not here: {path}")
    if path.suffix == ".csv":
        rows = list(csv.DictReader(path.open()))
        fixes = [
            (
                datetime.fromisoformat(r["timestamp"]).replace(tzinfo=UTC).timestamp(),
                float(r["latitude"]),
                float(r["longitude"]),
            )
            for r in rows
        ]
    else:
        space = {"g": "http://www.topografix.com/GPX/1/1"}
        fixes = [
            (datetime.fromisoformat(p.find("g:time", space).text).timestamp(), float(p.get("lat")), float(p.get("lon")))
            for p in ET.parse(path).iterfind(".//g:trkpt", space)
        ]
    return sorted(fixes, key=lambda fix: fix[0])


def along(fixes, seed):
    """Circles and polygons on and beside the way."""
    rng = np.random.default_rng(seed)
    fences = []
    for k, index in enumerate(rng.integers(0, len(fixes), 24)):
        _, lat, lon = fixes[index]
        size = float(rng.uniform(20, 400))
        x, y, _ = GEOD.fwd(lon, lat, rng.uniform(0, 360), rng.uniform(0, size))
        if k % 2:
            fences.append(Fence(f"circle-{k:02}", Circle(x, y, size)))
            continue
        azimuth = np.sort(rng.uniform(0, 360, 9))
        xs, ys, _ = GEOD.fwd([x] * 9, [y] * 9, azimuth, size * rng.uniform(0.3, 1, 9))
        ring = [(float(a), float(b)) for a, b in zip(xs, ys, strict=True)]
        fences.append(Fence(f"polygon-{k:02}", Polygons((((*ring, ring[0]),),))))
    return fences


def oracle(fixes, fences):
    """The plainest way: for every fence in turn, is this fix inside, was the one before?"""
    events = []
    shapes = {f.id: shapely.Polygon(f.shape.parts[0][0]) for f in fences if isinstance(f.shape, Polygons)}
    shapes = {name: shape if shape.is_valid else shape.buffer(0) for name, shape in shapes.items()}
    lats, lons = np.array([f[1] for f in fixes]), np.array([f[2] for f in fixes])
    for fence in fences:
        if fence.id in shapes:
            inside = shapely.intersects_xy(shapes[fence.id], lons, lats)
        else:
            circle = fence.shape
            n = len(fixes)
            inside = GEOD.inv(np.full(n, circle.lon), np.full(n, circle.lat), lons, lats)[2] <= circle.radius
        before = False
        for index, (now, fix) in enumerate(zip(inside.tolist(), fixes, strict=True)):
            if now != before:
                events.append((index, "enter" if now else "exit", fence.id, fix[0]))
            before = now
    order = {"exit": 0, "enter": 1}
    return sorted(events, key=lambda e: (e[0], order[e[1]], e[2]))


def drive(fixes, fences, policy, accuracy, segment=200, delay=1.0):
    """Send a track in segments; (index, kind, fence, at) of all transitions."""
    sense = Sense(policy)
    sense.use(FenceSet.compile(fences), policy)
    events = []
    signals = [Signal("bus", at, k, lat=lat, lon=lon, accuracy=accuracy) for k, (at, lat, lon) in enumerate(fixes)]
    for start in range(0, len(signals), segment):
        part = signals[start : start + segment]
        received = [s.at + delay for s in part]
        events += [(start + t.record, t.kind, t.fence, t.at) for t in sense.advance(part, received)]
    return events


@pytest.mark.parametrize("seed", [1, 2])
def test_transitions_equal_the_plain_oracles_one_for_one(track, seed):
    fences = along(track, seed)
    want = oracle(track, fences)
    assert len(want) > 30
    assert drive(track, fences, PLAIN, accuracy=0.0) == want


def test_sent_one_by_one_or_years_later_the_visits_are_the_same(track):
    fences = along(track, 3)
    policy = SensePolicy()
    whole = drive(track[:1500], fences, policy, 20.0, segment=512)
    assert drive(track[:1500], fences, policy, 20.0, segment=1) == whole
    assert drive(track[:1500], fences, policy, 20.0, segment=77, delay=2e8) == whole


def test_a_fence_that_the_track_grazes_is_visited_once(track):
    """The way passes 30 m inside a circle's border, and the phone is 30 m good: plain containment flaps."""
    rng = np.random.default_rng(9)
    flapping = visits = 0
    for index in np.linspace(len(track) * 0.2, len(track) * 0.8, 6).astype(int):
        _, lat, lon = track[index]
        ahead = next((f for f in track[index:] if GEOD.inv(lon, lat, f[2], f[1])[2] > 15), track[-1])
        azimuth = GEOD.inv(lon, lat, ahead[2], ahead[1])[0]
        x, y, _ = GEOD.fwd(lon, lat, azimuth + 90, 270.0)
        fence = Fence("grazed", Circle(x, y, 300.0))
        near = [f for f in track if abs(f[0] - track[index][0]) < 900]
        noise = rng.normal(0, 30 / 1.51, (len(near), 2))
        noisy = [
            (at, la + n / 111_200, lo + e / (111_200 * math.cos(math.radians(la))))
            for (at, la, lo), (e, n) in zip(near, noise, strict=True)
        ]
        plain = [e for e in drive(noisy, [fence], PLAIN, 0.0) if e[1] == "enter"]
        calm = [e for e in drive(noisy, [fence], SensePolicy(), 30.0) if e[1] == "enter"]
        true = [e for e in drive(near, [fence], PLAIN, 0.0) if e[1] == "enter"]
        flapping += max(len(plain), len(true))
        visits += len(calm)
        assert 1 <= len(calm) <= len(true), (index, len(plain), len(calm), len(true))
    assert flapping > 1.5 * visits
