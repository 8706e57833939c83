"""Coming near: so many metres from the border, or so many seconds from arrival, once until the device has been well
away again."""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from engine.model.signal import Signal
from engine.sense.arithmetic import Floats, Ints, erf_positive, sin_cos
from engine.sense.crossing import FASTEST, Way
from engine.sense.fences import FenceSet
from engine.sense.fixes import Fixes
from engine.sense.machine import OVER, Device, Machine, Mark
from engine.sense.verdict import Fix, Judge

AGAIN = 1.5  # times as far away as was asked for, before an approach counts again
SLOWEST = 0.3  # metres a second towards the border: slower is no approach
_STROLL = 1.4  # metres a second: what a time to arrival is worth in metres where nothing better is known
_LEAST = 100.0  # metres a device must have been away after an approach told by its time to arrival
_AHEAD = 10.0  # seconds looked ahead along a heading


class Approach(NamedTuple):
    """What came near: the wish, and the signed metres to the border."""

    fence: int
    wish: float
    metres: float


class Approaches:
    """Who comes near to the fences that want to know. Wishes: metres, or seconds below zero."""

    def __init__(self, fences: FenceSet, judge: Judge) -> None:
        self.fences, self.judge, self._sure = fences, judge, _sure(judge.limits.enter)
        wishes = [wish for some in fences.approached.values() for wish in some]
        self._metres, self._seconds = max([0.0, *wishes]), -min([0.0, *wishes])

    # ------------------------------------------------------------------ many fixes

    def near(self, fixes: Fixes, speed: Floats) -> tuple[Ints, Ints]:
        """Pairs (fix, fence) that may be near enough at that speed (metres a second)."""
        reach = np.maximum(self._metres, self._seconds * np.minimum(speed, FASTEST)) * 1.01 + 1.0
        wide, high = np.minimum(reach / np.maximum(fixes.east, 1.0), 360.0), reach / fixes.north
        lon = fixes.lon - 360.0 * np.rint(fixes.lon / 360.0)
        return self.fences.approachable.query(lon - wide, fixes.lat - high, lon + wide, fixes.lat + high)

    def stirred(self, fixes: Fixes, speed: Floats, owner: Ints, marks: "Marked") -> Ints:
        """Fixes that may bring an approach, or make one count again. ``owner``: whose each mark is."""
        fix, fence = self.near(fixes, speed)
        total = len(self.fences.ids)
        pairs, keys = np.unique(fix * total + fence), owner * total + marks.fence
        known = np.isin(keys, pairs)
        done = np.bincount(np.searchsorted(pairs, keys[known]), minlength=len(pairs))
        fix, fence = pairs // total, pairs % total
        wishes = np.array([len(self.fences.approached[f]) for f in fence.tolist()], np.int64)
        fresh = done < wishes
        fix, fence = fix[fresh], fence[fresh]
        _, metres = self.fences.measure(fixes, fix, fence)
        reach = np.array([self._reach(f) for f in fence.tolist()]).reshape(-1, 2)
        asked = np.maximum(reach[:, 0], reach[:, 1] * np.minimum(speed[fix], FASTEST))
        _, away = self.fences.measure(fixes, owner, marks.fence)
        return np.concatenate([fix[-metres <= asked * 1.001 + 0.1], owner[-away > marks.beyond * 0.999 - 0.1]])

    def _reach(self, fence: int) -> tuple[float, float]:
        wishes = self.fences.approached[fence]
        return max([0.0, *wishes]), -min([0.0, *wishes])

    # ------------------------------------------------------------------ one fix

    def sense(self, device: Device, fix: Fix, way: Way | None, signal: Signal, machine: Machine) -> list[Approach]:
        """What came near with this fix; marks come and go with it. ``way``: how the device got there, where known."""
        speed = max(signal.speed or 0.0, 0.0 if way is None else way.start.away(way.end) / (way.arrived - way.left))
        _, near = self.near(fix.column(), np.array([speed]))
        inside, marked = {s.fence for s in device.stays if s.state != OVER}, {mark.fence for mark in device.marks}
        found = []
        for fence in sorted(set(near.tolist()) | marked):
            if not machine.open(fence, signal.at):
                continue
            found += self._fence(device, fence, fence in inside, fix, way, signal)
        return found

    def _fence(
        self, device: Device, fence: int, inside: bool, fix: Fix, way: Way | None, signal: Signal
    ) -> list[Approach]:
        metres = self.judge.depth(fix, fence)
        away, unsure = -metres, self._sure * fix.sigma
        device.marks = [m for m in device.marks if m.fence != fence or away - unsure <= m.beyond]
        held = {mark.wish for mark in device.marks if mark.fence == fence}
        found: list[Approach] = []
        for wish in self.fences.approached.get(fence, ()):
            if wish in held:
                continue
            if inside or metres >= 0.0:
                device.marks.append(Mark(fence, wish, AGAIN * (wish if wish > 0.0 else -wish * _STROLL)))
            elif self._arrives(fence, wish, away + unsure, fix, way, signal):
                beyond = AGAIN * (wish if wish > 0.0 else max(away, _LEAST))
                device.marks.append(Mark(fence, wish, beyond))
                found.append(Approach(fence, wish, metres))
        return found

    def _arrives(self, fence: int, wish: float, away: float, fix: Fix, way: Way | None, signal: Signal) -> bool:
        if wish > 0.0:
            return away <= wish
        speed = self._closing(fence, fix, way, signal)
        return speed >= SLOWEST and away <= -wish * speed

    def _closing(self, fence: int, fix: Fix, way: Way | None, signal: Signal) -> float:
        """Metres a second by which the border comes nearer: by speed and heading, else by the last two fixes."""
        away = -self.judge.depth(fix, fence)
        if signal.speed is not None and signal.heading is not None:
            step = min(signal.speed * _AHEAD, away)
            if step <= 0.0:
                return 0.0
            (sine,), (cosine,) = sin_cos(np.array([signal.heading]))
            lat = min(max(fix.lat + step * float(cosine) / fix.north, -90.0), 90.0)
            there = Fix.of(fix.lon + step * float(sine) / max(fix.east, 1.0), lat, fix.accuracy)
            return (away + self.judge.depth(there, fence)) / step * signal.speed
        if way is None:
            return 0.0
        nearer = -self.judge.depth(way.start, fence) - away
        return nearer / (way.arrived - way.left) if nearer > way.start.sigma + fix.sigma else 0.0


class Marked(NamedTuple):
    """Columns over marks."""

    fence: Ints
    beyond: Floats


@lru_cache(maxsize=64)
def _sure(probability: float) -> float:
    """How many sigmas beyond a straight border a fix must be to be beyond it with that probability."""
    low, high = -6.0, 6.0
    for _ in range(60):
        middle = (low + high) / 2.0
        half = float(erf_positive(np.array([abs(middle) * math.sqrt(0.5)]))[0]) / 2.0
        low, high = (middle, high) if 0.5 + math.copysign(half, middle) < probability else (low, middle)
    return high
