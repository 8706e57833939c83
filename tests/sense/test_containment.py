"""Shapely's predicates are the law for polygons: points at random, on vertices, on edges and beside them."""

import numpy as np
import shapely

from engine.model.fence import Circle, Fence, Polygons
from engine.sense import FenceSet
from engine.sense.fixes import Fixes


def fence(name, geometry):
    parts = tuple(
        tuple(tuple(map(tuple, ring.coords)) for ring in (part.exterior, *part.interiors))
        for part in shapely.get_parts(geometry)
    )
    return Fence(name, Polygons(parts))


def shapes(rng, count):
    """Valid polygons and multipolygons with holes, some on a coarse lattice so that points hit their borders."""
    out = []
    while len(out) < count:
        corners = int(rng.choice([3, 5, 8, 20, 21, 40, 70, 150]))
        angle = np.sort(rng.uniform(0, 2 * np.pi, corners))
        ring = (
            np.column_stack([np.cos(angle), np.sin(angle)])
            * rng.uniform(0.3, 1, (corners, 1))
            * 10 ** rng.uniform(-3, 1)
        )
        ring += rng.uniform([-170, -60], [170, 60])
        if rng.random() < 0.4:
            ring = np.round(ring * 64) / 64
        shape = shapely.make_valid(shapely.Polygon(ring), method="structure", keep_collapsed=False)
        if rng.random() < 0.4:
            shape = shape.difference(shapely.affinity.scale(shape, 0.4, 0.4))
        if shape.geom_type in ("Polygon", "MultiPolygon") and not shape.is_empty and shape.is_valid:
            out.append(shape)
    return out


def points(rng, shape):
    """Around, on the vertices, on the edges as well as floats can, a hair off them, and level with vertices."""
    west, south, east, north = shape.bounds
    vertices = shapely.get_coordinates(shape)
    a, b = vertices[:-1], vertices[1:]
    t = rng.uniform(0, 1, (len(a), 1))
    middle, on = (a + b) / 2, a + (b - a) * t
    around = rng.uniform([west, south], [east, north], (60, 2))
    level = np.column_stack([rng.uniform(west - 0.1, east, len(vertices)), vertices[:, 1]])
    hair = on + rng.choice([-1, 1], on.shape) * 10.0 ** rng.uniform(-16, -6, on.shape)
    return np.vstack([around, vertices, middle, on, level, hair, np.round(around * 64) / 64])


def test_containment_is_shapelys():
    rng = np.random.default_rng(11)
    geometries = shapes(rng, 220)
    fences = FenceSet.compile([fence(f"f{k:03}", g) for k, g in enumerate(geometries)])
    pairs = 0
    for k, geometry in enumerate(geometries):
        spots = points(rng, geometry)
        shapely.prepare(geometry)
        want = shapely.intersects_xy(geometry, spots[:, 0], spots[:, 1])
        fixes = Fixes(spots[:, 0].copy(), spots[:, 1].copy(), np.zeros(len(spots)))
        got, _ = fences.measure(fixes, np.arange(len(spots)), np.full(len(spots), k))
        assert np.array_equal(got, want), k
        at, found = fences.index.query(fixes.lon, fixes.lat)
        indexed = np.zeros(len(spots), bool)
        indexed[at[(found == k) & got[at]]] = True
        assert np.array_equal(indexed, want), k
        pairs += len(spots)
    assert pairs > 50_000


def test_the_index_finds_what_a_scan_finds():
    rng = np.random.default_rng(12)
    sizes = 10 ** rng.uniform(-4.5, 1.3, 400)
    fences = [
        fence(f"f{k:03}", shapely.box(x, y, min(x + s, 180), min(y + s / 2, 90)))
        for k, (x, y, s) in enumerate(zip(rng.uniform(-180, 179, 400), rng.uniform(-90, 89, 400), sizes, strict=True))
    ]
    compiled = FenceSet.compile(fences)
    boxes = [shapely.box(*shapely.MultiPoint(f.shape.parts[0][0]).bounds) for f in fences]
    lon, lat = rng.uniform(-180, 180, 600), rng.uniform(-90, 90, 600)
    corners = np.array([f.shape.parts[0][0][k % 4] for k, f in enumerate(fences)])
    lon, lat = np.concatenate([lon, corners[:, 0]]), np.concatenate([lat, corners[:, 1]])
    for x, y in zip(lon.tolist(), lat.tolist(), strict=True):
        want = [f.id for f, box in zip(fences, boxes, strict=True) if shapely.intersects_xy(box, x, y)]
        if abs(x) != 180:  # there a fence on the other side touches, too
            assert compiled.containing(y, x) == want


def test_touching_fences_both_hold_their_common_border():
    left, right = fence("left", shapely.box(0, 0, 1, 1)), fence("right", shapely.box(1, 0, 2, 1))
    assert FenceSet.compile([left, right]).containing(0.5, 1.0) == ["left", "right"]


def test_a_point_in_a_hole_is_outside_and_on_its_border_inside():
    ring = shapely.box(0, 0, 3, 3).difference(shapely.box(1, 1, 2, 2))
    fences = FenceSet.compile([fence("f", ring)])
    assert fences.containing(1.5, 1.5) == []
    assert fences.containing(1.5, 1.0) == ["f"]


def test_broken_shapes_are_repaired_or_empty_and_never_crash():
    bow = Polygons(((((0.0, 0.0), (1.0, 1.0), (1.0, 0.0), (0.0, 1.0), (0.0, 0.0)),),))
    flat = Polygons(((((2.0, 2.0), (3.0, 3.0), (2.0, 2.0)),),))
    tiny = Polygons(((((0.0, 0.0),),),))
    fences = FenceSet.compile(
        [
            Fence("bow", bow),
            Fence("flat", flat),
            Fence("grown", flat, catchment=100.0),
            Fence("nothing", Polygons(())),
            Fence("tiny", tiny),
            Fence("point", Circle(0.5, 0.5, 0.0)),
        ]
    )
    assert fences.containing(0.9, 0.5) == []
    assert fences.containing(0.25, 0.9) == ["bow"]
    assert fences.containing(2.3, 2.3) == ["grown"]
    assert fences.distance("nothing", 0.0, 0.0) == -np.inf
    assert fences.probability("flat", 2.5, 2.5, 20.0) == 0.0
    assert 0.9 < fences.probability("grown", 2.3, 2.3, 20.0) <= 1.0
    assert fences.too_small(10.0) == ["flat", "nothing", "point", "tiny"]
    assert len(fences.nearest(0.0, 0.0, 10)) == 3
