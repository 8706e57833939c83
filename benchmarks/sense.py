"""µs per signal of the sense room, stage by stage, next to a plain STRtree lookup in the same run; and what a signal
costs among many fences, with numpy and, where it is installed, with numba.

    python -m benchmarks.sense [--fences 1000,10000,100000,1000000] [--batches 1,100,500,1000] [--rounds 40] [--wide]

All fences share one metro area: the more there are, the smaller they are, and the more often a device comes to or
leaves one. With ``--wide`` they keep the size of those of ten thousand and the area grows instead, so that as much
happens to a device whatever their number.
"""

import argparse
import math
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import shapely

from engine.model.fence import Fence, Polygons
from engine.model.release import SensePolicy
from engine.model.signal import Signal
from engine.sense import FenceSet, Sense, fast
from engine.sense.fixes import Fixes
from engine.sense.verdict import INSIDE, OUTSIDE, Judge, Pairs

WEST, SOUTH, EAST, NORTH = 13.0, 52.3, 13.735, 52.75  # about 50 km by 50 km
WIDE, HIGH = EAST - WEST, NORTH - SOUTH
DEVICES = 10_000
STAGES = ("fixes", "index", "distance", "verdict", "advance", "tick", "strtree")


def metro(count: int, scale: float = 1.0, seed: int = 1) -> list[Fence]:
    """Star polygons of 20 vertices, about 1.8 of them over every point of an area so many times as wide and high."""
    rng = np.random.default_rng(seed)
    size = scale * math.sqrt(1.8 * 50_000.0**2 / count / math.pi) / 0.8
    angle = np.sort(rng.uniform(0, 2 * np.pi, (count, 20)), axis=1)
    radius = size * rng.uniform(0.6, 1.0, (count, 20))
    ring = np.empty((count, 21, 2))
    ring[:, :20, 0] = (WEST + scale * WIDE * rng.random((count, 1))) + radius * np.cos(angle) / 67_900
    ring[:, :20, 1] = (SOUTH + scale * HIGH * rng.random((count, 1))) + radius * np.sin(angle) / 111_267
    ring[:, 20] = ring[:, 0]
    return [Fence(f"fence-{k:07}", Polygons(((drawn.tobytes(),),))) for k, drawn in enumerate(ring)]


class Walk:
    """Devices in random walk, each heard from in turn every 30 s, some 20 m further on."""

    def __init__(self, scale: float, seed: int = 2) -> None:
        self.rng, self.scale = np.random.default_rng(seed), scale
        self.lon = WEST + scale * WIDE * self.rng.random(DEVICES)
        self.lat = SOUTH + scale * HIGH * self.rng.random(DEVICES)
        self.accuracy = self.rng.uniform(5, 50, DEVICES)
        self.next, self.now = 0, 1_000_000.0

    def batch(self, size: int) -> tuple[list[Signal], list[float]]:
        rows = (np.arange(size) + self.next) % DEVICES
        self.next = int(rows[-1]) + 1
        self.now += 30.0 * size / DEVICES
        step = self.rng.normal(0, 15.0, (2, size))
        self.lon[rows] = np.clip(self.lon[rows] + step[0] / 67_900, WEST, WEST + self.scale * WIDE)
        self.lat[rows] = np.clip(self.lat[rows] + step[1] / 111_267, SOUTH, SOUTH + self.scale * HIGH)
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
    bound = fences.depths.look(found, u, v)
    known = np.where(inside, INSIDE, OUTSIDE)
    judge = Judge(fences, SensePolicy())
    verdict_time, _ = timed(judge.many, fixes, Pairs(at, found, known, bound, u, v))
    advance_time, moved = timed(sense.advance, signals, received)
    tick_time, fired = timed(sense.tick, walk.now)
    tree_time, _ = timed(tree.query, shapely.points(lon, lat), "intersects")
    times = [fix_time, index_time, distance_time, verdict_time, advance_time, tick_time, tree_time]
    return times, len(moved) + len(fired)


def measure(fences: FenceSet, tree: shapely.STRtree, size: int, rounds: int, scale: float) -> list[float]:
    """Median µs per signal of each stage, and transitions per signal."""
    walk, sense = Walk(scale), Sense(SensePolicy())
    sense.use(fences, SensePolicy())
    for _ in range(8 * DEVICES // 1000):  # everybody is somewhere, and most stays have begun
        sense.advance(*walk.batch(1000))
        sense.tick(walk.now)
    results = [one_round(walk, size, fences, sense, tree) for _ in range(rounds)]
    columns = zip(*(times for times, _ in results), strict=True)
    moved = sum(count for _, count in results) / rounds / size
    return [*(statistics.median(column) / size * 1e6 for column in columns), moved]


def advanced(fences: FenceSet, size: int, rounds: int, scale: float) -> float:
    """Median µs per signal of ``Sense.advance`` and ``tick`` by the road in use."""
    walk, sense, times = Walk(scale), Sense(SensePolicy()), []
    sense.use(fences, SensePolicy())
    for batch in range(8 * DEVICES // 1000 + rounds):
        some = walk.batch(1000 if batch < 8 * DEVICES // 1000 else size)
        took, _ = timed(sense.advance, *some)
        more, _ = timed(sense.tick, walk.now)
        times.append(took + more)
    return statistics.median(times[-rounds:]) / size * 1e6


def roads() -> Iterator[str]:
    """The ways of sensing one after the other, each in use while it is asked about."""
    fast.kernels, FenceSet.grounded = None, False
    yield "numpy"
    if fast.load():
        yield "numba"
        fast.kernels, FenceSet.grounded = None, False


def costs(found: dict[tuple[str, int], list[float]], counts: list[int]) -> None:
    """What a signal costs among so many fences, and how many times what it costs among the fewest."""
    print(f"\nadvance and tick, µs per signal (x: of {counts[0]:,} fences)")
    print(f"{'road':6}{'batch':>6}" + "".join(f"{count:>12,}{'x':>7}" for count in counts))
    for (road, size), row in found.items():
        print(f"{road:6}{size:>6}" + "".join(f"{cost:12.2f}{cost / row[0]:7.2f}" for cost in row), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fences", default="1000,10000,100000,1000000")
    parser.add_argument("--batches", default="1,100,500,1000")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--wide", action="store_true")
    options = parser.parse_args()
    print(
        "CPU µs per signal, medians. distance: of all candidates, to the last edge; verdict: what advance needs of it,"
        " bounds sparing the most; advance: the whole of Sense.advance; strtree: a plain lookup, for comparison"
    )
    print(f"{'fences':>8} {'batch':>6} " + " ".join(f"{name:>9}" for name in STAGES) + "  transitions/signal")
    counts, sizes = (list(map(int, told.split(","))) for told in (options.fences, options.batches))
    found: dict[tuple[str, int], list[float]] = {}
    for count in counts:
        scale = math.sqrt(count / 10_000) if options.wide else 1.0
        authored = metro(count, scale)
        start = time.process_time()
        fences = FenceSet.compile(authored)
        took = time.process_time() - start
        drawn = np.frombuffer(b"".join(fence.shape.rings[0][0] for fence in authored)).reshape(count, 21, 2)
        tree = shapely.STRtree(shapely.polygons(drawn))
        for size in sizes:
            row = measure(fences, tree, size, options.rounds, scale)
            print(f"{count:>8} {size:>6} " + " ".join(f"{value:9.2f}" for value in row[:-1]) + f"  {row[-1]:.3f}")
        print(f"{count:>8} compiled in {took:.2f} s")
        for road in roads():
            for size in sizes:
                found.setdefault((road, size), []).append(advanced(fences, size, options.rounds, scale))
    costs(found, counts)


if __name__ == "__main__":
    main()
