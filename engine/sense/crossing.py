"""Passing through a fence between two fixes: where on the straight way from one to the other a device was deepest
inside, and whether it surely was."""

from collections.abc import Iterable
from heapq import heappop, heappush
from typing import NamedTuple

import numpy as np

from engine.sense import plain
from engine.sense.arithmetic import Floats, Ints
from engine.sense.fences import FenceSet
from engine.sense.verdict import Fix, Judge

FASTEST = 100.0  # metres a second: quicker than this nobody was on the way, a fix was wrong
_LOOKS = 64  # distances worked out per way and fence, at most
_SLACK = 1.01  # a plane is not the Earth


class Way(NamedTuple):
    """From one usable fix to the next of the same device; device times."""

    start: Fix
    end: Fix
    left: float
    arrived: float

    def usable(self, silence: float) -> bool:
        """Whether the device may be taken to have gone this way."""
        seconds = self.arrived - self.left
        return 0.0 < seconds <= silence and 0.0 < self.start.away(self.end) <= FASTEST * seconds


class Crossing(NamedTuple):
    """Deepest inside ``at`` that device time, ``metres`` from the border, with P(inside)."""

    at: float
    metres: float
    probability: float


class Ways:
    """Finds the fences that ways may touch, among those that want to know."""

    def __init__(self, fences: FenceSet, judge: Judge) -> None:
        self.fences, self.judge = fences, judge

    def near(self, lon: Floats, lat: Floats, to_lon: Floats, to_lat: Floats) -> tuple[Ints, Ints]:
        """Pairs (way, fence) whose boxes meet."""
        step = to_lon - lon
        step -= 360.0 * np.rint(step / 360.0)
        ends = lon + step
        west, east = np.minimum(lon, ends), np.maximum(lon, ends)
        return self.fences.crossed.query(west, np.minimum(lat, to_lat), east, np.maximum(lat, to_lat))

    def through(self, way: Way, fences: Iterable[int]) -> list[tuple[int, Crossing]]:
        """Which of these fences a way surely passes through, in the order of passing."""
        found = [(fence, crossing) for fence in sorted(set(fences)) if (crossing := self.cross(way, fence)) is not None]
        return sorted(found, key=lambda one: (one[1].at, one[0]))

    def cross(self, way: Way, fence: int) -> Crossing | None:
        """The deepest point inside a fence, where it is surely inside."""
        clipped = self._clip(way, fence)
        if clipped is None:
            return None
        share, metres = self._deepest(way, fence, *clipped)
        if metres < 0.0:
            return None
        probability = self.judge.probability(way.start.to(way.end, share), fence)
        if probability < self.judge.limits.enter:
            return None
        return Crossing(way.left + share * (way.arrived - way.left), metres, probability)

    def _clip(self, way: Way, fence: int) -> tuple[float, float] | None:
        """The part of the way (shares of it) that lies in the fence's box."""
        index = self.fences.index
        span = _inside(
            way.start.lat - float(index.lat[fence]),
            way.end.lat - way.start.lat,
            float(index.half_height[fence]),
            (0.0, 1.0),
        )
        start, step = plain.wrap(way.start.lon - float(index.lon[fence])), plain.wrap(way.end.lon - way.start.lon)
        for turn in (0.0, -360.0, 360.0):  # the way may lead around the Earth to it
            found = span and _inside(start + turn, step, float(index.half_width[fence]), span)
            if found is not None:
                return found
        return None

    def _deepest(self, way: Way, fence: int, low: float, high: float) -> tuple[float, float]:
        """Share and depth of the deepest point to within half a metre (or a fiftieth): no two points differ more in
        depth than they are apart, so the most promising stretch is looked at first, until none promises more."""
        length = way.start.away(way.end) * _SLACK

        def depth(share: float) -> float:
            return self.judge.depth(way.start.to(way.end, share), fence)

        first, last = depth(low), depth(high)
        best = max((first, -low), (last, -high))
        stretches: list[tuple[float, float, float, float, float]] = []

        def keep(a: float, at_a: float, b: float, at_b: float) -> None:
            promise = (at_a + at_b + (b - a) * length) / 2.0
            if promise > (best[0] + max(0.5, 0.02 * best[0]) if best[0] >= 0.0 else 0.05):
                heappush(stretches, (-promise, a, b, at_a, at_b))

        keep(low, first, high, last)
        for _ in range(_LOOKS):
            if not stretches:
                break
            _, a, b, at_a, at_b = heappop(stretches)
            middle = (a + b) / 2.0 + (at_b - at_a) / (2.0 * length)
            middle = min(max(middle, a + 0.1 * (b - a)), b - 0.1 * (b - a))
            here = depth(middle)
            best = max(best, (here, -middle))
            keep(a, at_a, middle, here)
            keep(middle, here, b, at_b)
        return -best[1], best[0]


def _inside(start: float, step: float, half: float, span: tuple[float, float]) -> tuple[float, float] | None:
    """The part of a span of shares in which ``start + share * step`` lies within ±half."""
    if step == 0.0:
        return span if abs(start) <= half else None
    one, other = (-half - start) / step, (half - start) / step
    low, high = max(span[0], min(one, other)), min(span[1], max(one, other))
    return (low, high) if low <= high else None
