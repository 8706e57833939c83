"""Containment against Shapely's predicates, which are the law: random and adversarial points around polygons of all
sizes, anywhere on Earth, asked of the columns and (with numba) of the kernels. Any difference is printed.

python -m benchmarks.differential [--pairs 10000000] [--seconds 300] [--seed 1]
"""

import argparse
import time
from collections.abc import Iterator

import numpy as np
import shapely
from shapely import affinity

from engine.model.fence import Fence, Polygons
from engine.model.release import SensePolicy
from engine.model.signal import Signal
from engine.model.signals import Signals
from engine.sense import FenceSet, fast
from engine.sense.columns import Devices, Marks, Stays
from engine.sense.fixes import Fixes
from engine.sense.shelf import Shelf
from engine.sense.single import Single
from engine.sense.swift import Givers, evidence, transitions

PLACES = ((13.4, 52.5), (-70.0, -33.0), (0.0, 0.0), (179.5, -17.0), (100.0, 71.0))
POLAR = ((25.0, 84.0), (-120.0, -88.5))
METRES = (5.0, 40.0, 300.0, 5_000.0, 60_000.0, 500_000.0)
VERTICES = (3, 5, 20, 64, 65, 300, 3000)


def star(rng: np.random.Generator, lon: float, lat: float, metres: float, vertices: int) -> shapely.Polygon:
    """A star around a place, within the Earth and within half a turn."""
    high = min(metres / 111_000.0, 0.9 * (90.0 - abs(lat)))
    wide = min(metres / 111_000.0 / max(np.cos(np.radians(lat)), 0.02), 60.0)
    angle = np.sort(rng.uniform(0.0, 2.0 * np.pi, vertices))
    radius = rng.uniform(0.4, 1.0, vertices)
    return shapely.Polygon(np.column_stack([lon + wide * radius * np.cos(angle), lat + high * radius * np.sin(angle)]))


def shapes(rng: np.random.Generator, count: int) -> Iterator[shapely.Geometry]:
    """Stars, stars with holes, neighbours that share a border, steps with edges along the axes."""
    for _ in range(count):
        polar = rng.integers(50) == 0  # distances there are worked out one by one, in space
        places, most = (POLAR, 3) if polar else (PLACES, len(VERTICES))
        (lon, lat), metres = places[rng.integers(len(places))], METRES[rng.integers(len(METRES))]
        if not polar and lon < 170.0:  # apart, so that each point is asked of few
            lon, lat = lon + rng.uniform(-40.0, 40.0), lat + rng.uniform(-8.0, 8.0)
        whole = star(rng, lon, lat, metres, VERTICES[min(rng.geometric(0.35) - 1, most - 1)])
        if not whole.is_valid:
            continue
        west, south, east, north = whole.bounds
        kind, half = rng.integers(4), shapely.box(west, south, (west + east) / 2.0, north)
        if kind == 1:
            made = [whole.difference(affinity.scale(whole, 0.3, 0.3, origin=(lon, lat)))]
        elif kind == 2:
            made = [whole.intersection(half), whole.difference(half)]
        elif kind == 3:
            corner = shapely.box(west, south, (west + east) / 2.0, (south + north) / 2.0)
            made = [shapely.box(west, south, east, north).difference(corner)]
        else:
            made = [whole]
        yield from (g for g in made if g.geom_type in ("Polygon", "MultiPolygon") and g.is_valid and not g.is_empty)


def fence(name: str, shape: shapely.Geometry) -> Fence:
    """The same as a fence."""
    parts = tuple(
        tuple(tuple(map(tuple, ring.coords[:])) for ring in (part.exterior, *part.interiors))
        for part in shapely.get_parts(shape)
    )
    return Fence(name, Polygons(parts))


def points(rng: np.random.Generator, shape: shapely.Geometry, count: int) -> np.ndarray:
    """In and around the box; on vertices, on edges, level with vertices; and each of those moved by one ulp or few."""
    corners = shapely.get_coordinates(shape)
    west, south, east, north = shape.bounds
    share = count // 8
    anywhere = np.column_stack([rng.uniform(west, east, 5 * share), rng.uniform(south, north, 5 * share)])
    at = rng.integers(0, len(corners) - 1, share)
    on_edge = corners[at] + rng.uniform(0, 1, (share, 1)) * (corners[at + 1] - corners[at])
    level = np.column_stack([rng.uniform(west, east, share), corners[at, 1]])
    found = np.vstack([anywhere, corners[at], on_edge, level])
    some = rng.integers(0, 3, found.shape)
    found = np.where(some == 1, np.nextafter(found, np.inf), np.where(some == 2, np.nextafter(found, -np.inf), found))
    tiny = rng.integers(0, 8, len(found)) == 0
    found[tiny] += rng.normal(0, 1e-9, (int(tiny.sum()), 2))
    found[:, 1] = np.clip(found[:, 1], -90.0, 90.0)
    return found[rng.permutation(len(found))]


def by_columns(fences: FenceSet, which: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Inside or not, as the columns say."""
    fixes = Fixes(where[:, 0].copy(), where[:, 1].copy(), np.zeros(len(where)))
    return fences.measure(fixes, np.arange(len(where)), which)[0]


def by_kernels(fences: FenceSet, which: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Inside or not, by whether a stranger with a precise fix there enters: what the kernels leave, too."""
    policy, devices, stays = SensePolicy(), Devices(), Stays()
    single = Single(Shelf(devices, stays, Marks()), fences, policy)
    signals = [Signal(f"{k}", 0.0, k, lat=lat, lon=lon, accuracy=0.0) for k, (lon, lat) in enumerate(where.tolist())]
    given = Givers(devices, single).of(Signals.of(signals), [0.0] * len(signals))
    swept = fast.swift(fences, policy).advance(given, devices, stays, 0.0)
    told = transitions(swept, given.rows, devices.names, fences.ids)
    entered = {(t.record, t.fence) for t in told}
    for k, seen in evidence(swept, given, single.judge).items():
        entered |= {(k, fences.ids[fence]) for fence, evident in seen.items() if evident.into}
    return np.array([(k, fences.ids[fence]) in entered for k, fence in enumerate(which.tolist())])


def one_round(seed: int, count: int, each: int) -> tuple[int, int, int]:
    """Pairs compared (columns, kernels) and how many differ."""
    rng = np.random.default_rng(seed)
    geometries = list(shapes(rng, count))
    fences = FenceSet.compile([fence(f"{k:05}", shape) for k, shape in enumerate(geometries)])
    where = [points(rng, shape, each) for shape in geometries]
    which = np.repeat(np.arange(len(where)), [len(some) for some in where])
    shapely.prepare(geometries)
    law = np.concatenate([shapely.intersects_xy(g, some) for g, some in zip(geometries, where, strict=True)])
    all_ = np.concatenate(where)
    order = rng.permutation(len(all_))
    which, all_, law = which[order], all_[order], law[order]
    wrong = 0
    roads = [by_columns] + ([by_kernels] if fast.kernels is not None else [])
    for road in roads:
        for start in range(0, len(all_), 20_000):
            part = slice(start, start + 20_000)
            off = road(fences, which[part], all_[part]) != law[part]
            for k in off.nonzero()[0].tolist()[:5]:
                print(f"{road.__name__}: seed {seed}, fence {which[part][k]}, point {all_[part][k].tolist()}")
            wrong += int(off.sum())
    return len(all_), len(all_) * (len(roads) - 1), wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=10_000_000)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--each", type=int, default=1000, help="points per fence and round")
    options = parser.parse_args()
    fast.load()
    columns = kernels = wrong = rounds = 0
    start = time.monotonic()
    while columns + kernels < options.pairs and time.monotonic() - start < options.seconds:
        some, more, off = one_round(options.seed + rounds, 100, options.each)
        columns, kernels, wrong, rounds = columns + some, kernels + more, wrong + off, rounds + 1
        print(
            f"seeds {options.seed}..{options.seed + rounds - 1}: {columns} pairs by columns, {kernels} by kernels,"
            f" {wrong} differences, {time.monotonic() - start:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
