"""Consecutive signals in columns, and what their fixes say of fences."""

from collections.abc import Sequence

import numpy as np

from engine.model.release import SensePolicy
from engine.model.signal import Signal
from engine.sense.arithmetic import Bools, Floats, Ints
from engine.sense.columns import Devices, Stays
from engine.sense.fences import EITHER, INSIDE, OUTSIDE, FenceSet, Thresholds
from engine.sense.fixes import Fixes
from engine.sense.machine import INSIDE as STAY_INSIDE
from engine.sense.machine import Evidence

_FAR = 2000.0  # metres beyond which the plane's distance is not good enough to tell


class Segment:
    """Columns over signals. ``usable``: has a fix good enough to judge fences; ``place[i]``: its index in ``fixes``."""

    def __init__(
        self, signals: Sequence[Signal], received: Sequence[float], devices: Devices, policy: SensePolicy
    ) -> None:
        self.signals = signals
        self.rows = devices.rows([s.device for s in signals])
        self.at = np.array([s.at for s in signals], np.float64)
        self.received = np.array(received, np.float64)
        self.lat = np.array([s.lat for s in signals], np.float64)
        self.lon = np.array([s.lon for s in signals], np.float64)
        self.accuracy = np.array([s.accuracy for s in signals], np.float64)
        accuracy = np.where(np.isnan(self.accuracy), policy.default_accuracy, self.accuracy)
        self.speed = np.array([s.speed for s in signals], np.float64)
        self.heading = np.array([s.heading for s in signals], np.float64)
        self.altitude = np.array([s.altitude for s in signals], np.float64)
        self.battery = np.array([s.battery for s in signals], np.float64)
        self.fix = ~np.isnan(self.lat)
        self.usable = self.fix & (accuracy <= policy.max_accuracy)
        self.index = np.flatnonzero(self.usable)
        self.place = np.cumsum(self.usable) - 1
        self.fixes = Fixes(self.lon[self.index], self.lat[self.index], accuracy[self.index])
        self.reported = np.array([s.reported is not None for s in signals], np.bool_)
        self.late = self.at < devices.at[self.rows]
        self.repeated = self._order()

    def _order(self) -> Bools:
        """Marks signals of devices that come more than once; what goes back in time among those is late."""
        names, self.nth, counts = np.unique(self.rows, return_inverse=True, return_counts=True)
        self.count = len(names)
        repeated: Bools = counts[self.nth] > 1
        if self.count < len(self.rows):
            some = np.argsort(self.rows, kind="stable")
            same = self.rows[some[1:]] == self.rows[some[:-1]]
            backwards = same & (self.at[some[1:]] < self.at[some[:-1]])
            self.late[some[1:][backwards]] = True
        return repeated

    def until(self) -> Floats:
        """The device time that each signal's device reaches in this segment."""
        latest = np.full(self.count, -np.inf)
        np.maximum.at(latest, self.nth, self.at)
        return latest[self.nth]

    def whole(self, some: Bools) -> Bools:
        """All signals of devices of which ``some`` marks one."""
        marked = np.zeros(self.count, np.bool_)
        marked[self.nth[some]] = True
        return marked[self.nth]


class Judged:
    """All (fix, fence) pairs of a segment that could matter, judged against the stays as the segment began."""

    def __init__(
        self,
        segment: Segment,
        devices: Devices,
        stays: Stays,
        fences: FenceSet,
        policy: SensePolicy,
        careful: Bools,
    ) -> None:
        self._fences, self._fixes, self._limits = fences, segment.fixes, Thresholds(policy)
        self._total = len(fences.ids)
        rows = segment.rows[segment.index]
        owner, stay = stays.of(devices.head[rows])
        state, held = stays.state[stay], stays.fence[stay].astype(np.int64)
        at, fence = self._candidates()
        known, mine = self._known(owner, held, state, at, fence)
        beyond = np.flatnonzero(~fences.index.holds(held, self._fixes.lon[owner], self._fixes.lat[owner]))
        if policy.enter_probability <= 0.5:
            beyond = beyond[~np.isin(owner[beyond] * self._total + held[beyond], at * self._total + fence)]
        self.at = np.concatenate([at, owner[beyond]])
        self.fence = np.concatenate([fence, held[beyond]])
        known = np.concatenate([known, np.where(state[beyond] == STAY_INSIDE, INSIDE, EITHER)])
        mine = np.concatenate([mine, np.ones(len(beyond), np.bool_)])
        known[careful[segment.index[self.at]]] = EITHER
        self.verdicts = fences.judge(self._fixes, self.at, self.fence, known, self._limits)
        self._stirred = np.zeros(len(rows), np.bool_)
        self._stirred[owner[state != STAY_INSIDE]] = True
        self._stirred[self.at[np.where(mine, self.verdicts.out, self.verdicts.into)]] = True

    def _candidates(self) -> tuple[Ints, Ints]:
        fixes, enter = self._fixes, self._limits.enter
        if enter > 0.5 or not self._total:
            # more than half of the mass cannot lie inside unless the fix is within the shape's hull, so its box
            return self._fences.index.query(fixes.lon, fixes.lat)
        reach = fixes.sigma * self._limits.surely_not_in
        found = [
            self._fences.index.near(*place)
            for place in zip(
                fixes.lon.tolist(),
                fixes.lat.tolist(),
                np.minimum(reach / np.maximum(fixes.east, 1.0), 360.0).tolist(),
                (reach / fixes.north).tolist(),
                strict=True,
            )
        ]
        owner = np.repeat(np.arange(len(found)), [len(f) for f in found])
        return owner, np.concatenate(found) if found else np.zeros(0, np.int64)

    def _known(self, owner: Ints, held: Ints, state: Ints, at: Ints, fence: Ints) -> tuple[Ints, Bools]:
        """What is known of each candidate pair: outside, inside, or (pending, unknown) either; and whether there is a
        stay."""
        known, match = np.full(len(at), OUTSIDE, np.int64), np.zeros(len(at), np.bool_)
        if not len(owner) or not len(at):
            return known, match
        stays = owner * self._total + held
        order = np.argsort(stays, kind="stable")
        stays = stays[order]
        pairs = at * self._total + fence
        place = np.minimum(np.searchsorted(stays, pairs), len(stays) - 1)
        match = stays[place] == pairs
        known[match] = np.where(state[order[place[match]]] == STAY_INSIDE, INSIDE, EITHER)
        return known, match

    def stirred(self, segment: Segment) -> Bools:
        """The same, per signal."""
        marks = np.zeros(len(segment.rows), np.bool_)
        marks[segment.index] = self._stirred
        return marks

    def collect(self, wanted: Bools) -> dict[int, dict[int, Evidence]]:
        """Evidence per fix (those wanted), by fence."""
        found: dict[int, dict[int, Evidence]] = {int(at): {} for at in np.flatnonzero(wanted)}
        some = np.flatnonzero(wanted[self.at])
        columns = (column[some].tolist() for column in (self.at, self.fence, *self.verdicts))
        for at, fence, *verdict in zip(*columns, strict=True):
            found[at][fence] = Evidence(*verdict)
        return found

    def ask(self, at: int, fence: int) -> Evidence:
        """Evidence on a pair that was no candidate as the segment began: the device has entered since."""
        verdicts = self._fences.judge(self._fixes, np.array([at]), np.array([fence]), np.array([EITHER]), self._limits)
        into, out, probability, metres = (column.tolist()[0] for column in verdicts)
        return Evidence(into, out, probability, metres)

    def shown(self, at: int, fence: int, metres: float) -> float | None:
        """A distance as a transition tells it: from afar the exact one, None where there is no border."""
        if abs(metres) > _FAR or abs(float(self._fixes.lat[at])) > 80.0:
            metres = self._fences.metres(fence, self._fixes, at)
        return metres if np.isfinite(metres) else None
