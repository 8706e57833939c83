"""Rules that nothing woke: how near their places were at the closest, and what kept them from waking."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from msgspec import Struct

from engine.decide import span
from engine.measure.times import iso
from engine.model.fence import Fence
from engine.model.person import Person
from engine.model.reason import Reason
from engine.model.rule import OnTransition, Rule, Target, Trigger
from engine.model.signal import Signal
from engine.pipeline import places
from engine.pipeline.changes import trigger_words
from engine.pipeline.nearest import SOME_METRES, gap
from engine.sense import FenceSet

CELL = 2000.0  # cells a degree: about 50 m
MAX_CELLS = 2_000  # places a device was at that are kept apart
EACH = 6  # fixes kept of a place: the first ones, and the most accurate
EXACT = 3  # fences of a rule, and places, whose distance is worked out exactly
LOOKED_AT = 8  # places that may be the closest to a fence
NOT_WOKEN = "NOT_WOKEN"


class Fix(Struct, frozen=True):
    """Where a device was."""

    at: float
    lat: float
    lon: float
    accuracy: float


class Track:
    """The fixes of one device, thinned to what tells places apart."""

    def __init__(self, default_accuracy: float) -> None:
        self._default = default_accuracy
        self._cells: dict[tuple[int, int], list[Fix]] = {}
        self.fixes = 0

    def add(self, signal: Signal) -> None:
        """Keep a fix, if it says something new."""
        if signal.lat is None or signal.lon is None:
            return
        self.fixes += 1
        accuracy = self._default if signal.accuracy is None else signal.accuracy
        fix = Fix(signal.at, signal.lat, signal.lon, accuracy)
        key = (math.floor(signal.lat * CELL), math.floor(signal.lon * CELL))
        held = self._cells.get(key)
        if held is None:
            if len(self._cells) < MAX_CELLS:
                self._cells[key] = [fix]
        elif len(held) < EACH:
            held.append(fix)
        elif fix.accuracy < held[-1].accuracy:
            held[-1] = fix

    def places(self) -> list[list[Fix]]:
        """Fixes by place."""
        return list(self._cells.values())


class Reached(Struct, frozen=True):
    """How near a fence was at the closest. ``metres`` signed, positive inside."""

    fence: str
    metres: float
    fix: Fix


class Closest:
    """Answers for one device, under the fences in force. ``prepare`` may run in a thread; the rest asks the fences, and
    belongs to the thread that they do."""

    def __init__(self, fences: FenceSet, track: Track, person: Person, device: str, enter: float) -> None:
        self._fences, self._person, self._device, self._enter = fences, person, device, enter
        self._places = track.places()
        self._ids: list[str] = []
        self._row: dict[str, int] = {}
        self._tags: dict[str, list[int]] = {}
        self._rows_of: dict[Target, list[int]] = {}
        self._bound = np.full(0, np.inf)
        self._known: dict[str, Reached | None] = {}

    def prepare(self, rules: Sequence[Rule], most: int) -> list[Rule]:
        """Work out how near each fence can have been at least, and choose the rules whose places are the nearest."""
        fences = list(self._fences.fences.values())
        self._ids = [fence.id for fence in fences]
        self._row = {id: n for n, id in enumerate(self._ids)}
        for n, fence in enumerate(fences):
            for tag in fence.tags:
                self._tags.setdefault(tag, []).append(n)
        self._bound = np.full(len(fences), np.inf)
        boxes = _boxes(fences)
        for cell in self._places:
            np.minimum(self._bound, _at_least(boxes, cell[0]), out=self._bound)
        return sorted(rules, key=lambda rule: (self._rank(rule), rule.id))[:most]

    def _rank(self, rule: Rule) -> float:
        """A first guess at the gap of a rule, without exact distances."""
        bounds = [float(self._bound[rows].min()) for trigger in rule.when if (rows := self._rows(_target(trigger)))]
        return gap(min(bounds), SOME_METRES) if bounds and self._places else 1.0

    def tell(self, rule: Rule) -> dict[str, Any]:
        """Why nothing woke it: reason, sentence, gap, and the nearest fence."""
        told = [self._trigger(trigger) for trigger in rule.when]
        best = min(told, key=lambda one: float(one["gap"]))
        return {"would": "nothing", **best}

    # ------------------------------------------------------------------ triggers

    def _trigger(self, trigger: Trigger) -> dict[str, Any]:
        target = _target(trigger)
        if target is None or not isinstance(trigger, OnTransition):
            words = trigger_words(trigger)
            return _line(1.0, f"Nothing woke it in that time: it waits for {words}.", words)
        reached = self._nearest(target)
        if reached is None:
            known = "its fences do not exist" if not self._rows(target) else "the device sent no position"
            return _line(1.0, f"Nothing woke it in that time: {known}.", known)
        view = {"nearest": _view(reached)}
        if reached.metres < 0:
            where = f"{-reached.metres:.0f} m outside {reached.fence}"
            return _line(gap(reached.metres, SOME_METRES), f"Never there: {where} at the closest.", where) | view
        return self._inside(trigger, reached) | view

    def _inside(self, trigger: OnTransition, reached: Reached) -> dict[str, Any]:
        """A fix lay inside, and still it did not wake."""
        fence = reached.fence
        stays = [v for v in self._person.visits if v.fence == fence and v.device == self._device]
        if not stays:
            return self._unsure(reached)
        last = stays[-1]
        if trigger.kind == "exit" and last.exit is None:
            return _line(0.1, f"Still inside {fence}: it waits for the exit.", f"still inside {fence}")
        if trigger.kind == "dwell":
            ends = [v.exit if v.exit is not None else reached.fix.at for v in stays]
            longest = max(0.0, *(end - v.enter for end, v in zip(ends, stays, strict=True)))
            words = f"stayed {span(round(longest))} in {fence}, needs {span(trigger.seconds)}"
            return _line(gap(trigger.seconds - longest, trigger.seconds), f"Too short: {words}.", words)
        words = f"inside {fence} since before, no {trigger.kind} in that time"
        return _line(0.2, f"Nothing new: {words}.", words)

    def _unsure(self, reached: Reached) -> dict[str, Any]:
        """Inside by the numbers, but not sure enough to count."""
        fence, fix = self._fences.fences[reached.fence], reached.fix
        if FenceSet.compile([fence]).too_small(fix.accuracy, self._enter):
            words = f"a fix of {fix.accuracy:.0f} m accuracy is never enough to enter {fence.id}"
            told = f"Too imprecise: {words}; use radius >= 100 m, or `catchment`."
            return _line(0.15, told, words) | {"reason": Reason.TOO_IMPRECISE.value}
        chance = self._fences.probability(fence.id, fix.lat, fix.lon, fix.accuracy)
        words = f"{chance:.0%} sure to be inside {fence.id} at the closest (accuracy {fix.accuracy:.0f} m), needs "
        words += f"{self._enter:.0%}"
        return _line(gap(self._enter - chance, 1.0), f"Not sure enough: {words}.", words)

    # ------------------------------------------------------------------ distances

    def _rows(self, target: Target | None) -> list[int]:
        if target is None:
            return []
        if target not in self._rows_of:
            rows = {self._row[id] for id in target.fences if id in self._row}
            for tag in target.tags:
                rows.update(self._tags.get(tag, ()))
            self._rows_of[target] = sorted(rows)
        return self._rows_of[target]

    def _nearest(self, target: Target) -> Reached | None:
        rows = self._rows(target)
        if not rows or not self._places:
            return None
        near = sorted(rows, key=lambda row: (float(self._bound[row]), self._ids[row]))[:EXACT]
        found = [reached for row in near if (reached := self._exact(self._ids[row])) is not None]
        return max(found, key=lambda r: (r.metres, r.fence), default=None)

    def _exact(self, id: str) -> Reached | None:
        """The true distance at the closest fix: of the nearest places first, then of all fixes at the best of them."""
        if id not in self._known:
            box = _boxes([self._fences.fences[id]])
            near = sorted(self._places, key=lambda cell: float(_at_least(box, cell[0])[0]))[:LOOKED_AT]
            best = sorted(near, key=lambda cell: -self._fences.distance(id, cell[0].lat, cell[0].lon))[:EXACT]
            fixes = [fix for cell in best for fix in cell]
            found = [Reached(id, self._fences.distance(id, fix.lat, fix.lon), fix) for fix in fixes]
            # Of those inside, the most accurate fix says most.
            self._known[id] = max(
                found, key=lambda r: (min(r.metres, 0.0), -r.fix.accuracy if r.metres >= 0 else 0.0), default=None
            )
        return self._known[id]


def _target(trigger: Trigger) -> Target | None:
    target = getattr(trigger, "target", None)
    return target if isinstance(target, Target) else None


def _line(value: float, told: str, near: str) -> dict[str, Any]:
    return {"reason": NOT_WOKEN, "sentence": told, "gap": round(value, 4), "nearest_miss": near}


def _view(reached: Reached) -> dict[str, Any]:
    fix = reached.fix
    return {
        "fence": reached.fence,
        "metres": round(reached.metres, 1),
        "at": iso(fix.at),
        "lat": fix.lat,
        "lon": fix.lon,
        "accuracy": fix.accuracy,
    }


def _boxes(fences: Sequence[Fence]) -> Mapping[str, Any]:
    """Middles (radians) and reach (metres) of fences, as columns."""
    boxes = [places.box(fence.shape) or (0.0, 0.0, 0.0, 0.0) for fence in fences]
    middles = [((b[0] + b[2]) / 2, (b[1] + b[3]) / 2) for b in boxes]
    reach = [
        places.metres(m, (b[2], b[3])) + fence.catchment for fence, m, b in zip(fences, middles, boxes, strict=True)
    ]
    lon, lat = (np.radians(np.array([m[k] for m in middles])) for k in (0, 1))
    return {"lon": lon, "lat": lat, "cos": np.cos(lat), "reach": np.array(reach)}


def _at_least(boxes: Mapping[str, Any], fix: Fix) -> Any:
    """Metres that the fences are away at least (0: may hold it), give or take a cell."""
    lat, lon = math.radians(fix.lat), math.radians(fix.lon)
    h = np.sin((boxes["lat"] - lat) / 2) ** 2 + boxes["cos"] * math.cos(lat) * np.sin((boxes["lon"] - lon) / 2) ** 2
    away = 2 * places.EARTH * np.arcsin(np.sqrt(np.minimum(1.0, h)))
    return np.maximum(0.0, away - boxes["reach"])
