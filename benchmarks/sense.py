"""µs per signal of the sense room, stage by stage, next to a plain STRtree lookup in the same run.

python benchmarks/sense.py [--fences 1000,10000] [--rounds 60]
"""

import argparse
import math
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import shapely

from engine.model.fence import Fence, Polygons
from engine.model.release import SensePolicy
from engine.model.signal import Signal
from engine.sense import FenceSet, Sense
from engine.sense.fixes import Fixes
from engine.sense.verdict import INSIDE, OUTSIDE, Judge, Pairs

WEST, SOUTH, EAST, NORTH = 13.0, 52.3, 13.735, 52.75  # about 50 km by 50 km
DEVICES = 10_000
STAGES = ("fixes", "index", "distance", "verdict", "advance", "tick", "strtree")


def metro(count: int, seed: int = 1) -> list[Fence]:
    """Star polygons of 20 vertices, about 1.8 of them over every point."""
    rng = np.random.default_rng(seed)
    size = math.sqrt(1.8 * 50_000.0**2 / count / math.pi) / 0.8
    fences = []
    for k in range(count):
        angle = np.sort(rng.uniform(0, 2 * np.pi, 20))
        radius = size * rng.uniform(0.6, 1.0, 20)
        x = rng.uniform(WEST, EAST) + radius * np.cos(angle) / 67_900
        y = rng.uniform(SOUTH, NORTH) + radius * np.sin(angle) / 111_267
        ring = [(float(a), float(b)) for a, b in zip(x, y, strict=True)]
        fences.append(Fence(f"fence-{k:07}", Polygons((((*ring, ring[0]),),))))
    return fences


class Walk:
    """Devices in random walk, each heard from in turn every 30 s, some 20 m further on."""

    def __init__(self, seed: int = 2) -> None:
        self.rng = np.random.default_rng(seed)
        self.lon = self.rng.uniform(WEST, EAST, DEVICES)
        self.lat = self.rng.uniform(SOUTH, NORTH, DEVICES)
        self.accuracy = self.rng.uniform(5, 50, DEVICES)
        self.next, self.now = 0, 1_000_000.0

    def batch(self, size: int) -> tuple[list[Signal], list[float]]:
        rows = (np.arange(size) + self.next) % DEVICES
        self.next = int(rows[-1]) + 1
        self.now += 30.0 * size / DEVICES
        step = self.rng.normal(0, 15.0, (2, size))
        self.lon[rows] = np.clip(self.lon[rows] + step[0] / 67_900, WEST, EAST)
        self.lat[rows] = np.clip(self.lat[rows] + step[1] / 111_267, SOUTH, NORTH)
        columns = zip(
            rows.tolist(), self.lat[rows].tolist(), self.lon[rows].tolist(), self.accuracy[rows].tolist(), strict=True
        )
        signals = [
            Signal(f"device-{row:06}", self.now, k, lat=lat, lon=lon, accuracy=accuracy)
            for k, (row, lat, lon, accuracy) in enumerate(columns)
        ]
        return signals, [self.now + 0.2] * size


def timed(work: Callable[..., Any], *arguments: Any) -> tuple[float, Any]:
    """CPU seconds of a call, and its result."""
    start = time.process_time()
    result = work(*arguments)
    return time.process_time() - start, result


def one_round(walk: Walk, size: int, fences: FenceSet, sense: Sense, tree: shapely.STRtree) -> tuple[list[float], int]:
    """Seconds per stage, in the order of ``STAGES``, and how many transitions there were."""
    signals, received = walk.batch(size)
    lon, lat = np.array([s.lon for s in signals]), np.array([s.lat for s in signals])
    fix_time, fixes = timed(Fixes, lon, lat, np.array([s.accuracy for s in signals]))
    index_time, (at, found, u, v) = timed(fences.index.find, lon, lat)
    distance_time, (inside, _) = timed(fences.measure, fixes, at, found)
    cells, bound = fences.depths.look(found, u, v)
    known = np.where(inside, INSIDE, OUTSIDE)
    judge = Judge(fences, SensePolicy())
    verdict_time, _ = timed(judge.many, fixes, Pairs(at, found, known, bound, cells, u, v))
    advance_time, moved = timed(sense.advance, signals, received)
    tick_time, fired = timed(sense.tick, walk.now)
    tree_time, _ = timed(tree.query, shapely.points(lon, lat), "intersects")
    times = [fix_time, index_time, distance_time, verdict_time, advance_time, tick_time, tree_time]
    return times, len(moved) + len(fired)


def measure(fences: FenceSet, tree: shapely.STRtree, size: int, rounds: int) -> list[float]:
    """Median µs per signal of each stage, and transitions per signal."""
    walk, sense = Walk(), Sense(SensePolicy())
    sense.use(fences, SensePolicy())
    for _ in range(8 * DEVICES // 1000):  # everybody is somewhere, and most stays have begun
        sense.advance(*walk.batch(1000))
        sense.tick(walk.now)
    results = [one_round(walk, size, fences, sense, tree) for _ in range(rounds)]
    columns = zip(*(times for times, _ in results), strict=True)
    moved = sum(count for _, count in results) / rounds / size
    return [*(statistics.median(column) / size * 1e6 for column in columns), moved]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fences", default="1000,10000")
    parser.add_argument("--batches", default="1,100,256,1024")
    parser.add_argument("--rounds", type=int, default=60)
    options = parser.parse_args()
    print(
        "CPU µs per signal, medians. distance: of all candidates, to the last edge; verdict: what advance needs of it,"
        " bounds sparing the most; advance: the whole of Sense.advance; strtree: a plain lookup, for comparison"
    )
    print(f"{'fences':>8} {'batch':>6} " + " ".join(f"{name:>9}" for name in STAGES) + "  transitions/signal")
    for count in map(int, options.fences.split(",")):
        authored = metro(count)
        start = time.process_time()
        fences = FenceSet.compile(authored)
        took = time.process_time() - start
        tree = shapely.STRtree([shapely.Polygon(f.shape.parts[0][0]) for f in authored])
        for size in map(int, options.batches.split(",")):
            row = measure(fences, tree, size, options.rounds)
            print(f"{count:>8} {size:>6} " + " ".join(f"{value:9.2f}" for value in row[:-1]) + f"  {row[-1]:.3f}")
        print(f"{count:>8} compiled in {took:.2f} s")


if __name__ == "__main__":
    main()
