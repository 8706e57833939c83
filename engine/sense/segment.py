"""Consecutive signals in columns, and which of them may change something."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.model.release import SensePolicy
from engine.model.signal import Signal
from engine.sense.approaching import Marked
from engine.sense.arithmetic import Bools, Floats, Ints, wrap
from engine.sense.columns import HELD, NONE, STATE, Devices
from engine.sense.fixes import Fixes
from engine.sense.machine import ENTERING, ENTERING_FIRST, LEAVING, UNKNOWN, Evidence
from engine.sense.single import Single
from engine.sense.stops import COLUMNS, Stand, settle
from engine.sense.verdict import AWAY, COMING, EITHER, INSIDE, LOST, Judge, Pairs

_FENCE = (1 << STATE) - 1
_KNOWN = np.full(8, EITHER)  # by the state of a stay
_KNOWN[[0, LEAVING, ENTERING, ENTERING_FIRST, UNKNOWN]] = INSIDE, AWAY, COMING, COMING, LOST


class Segment:
    """Columns over signals. ``usable``: has a fix good enough to judge fences; ``late``: comes after a newer one;
    ``again``: its device comes more than once."""

    def __init__(
        self, signals: Sequence[Signal], received: Sequence[float], devices: Devices, policy: SensePolicy
    ) -> None:
        self.signals, self.size = signals, len(signals)
        self.policy = policy
        self.rows = devices.rows([s.device for s in signals])
        self.at = np.array([s.at for s in signals], np.float64)
        self.received = np.array(received, np.float64)
        self.lat = _column([s.lat for s in signals])
        self.lon = _column([s.lon for s in signals])
        self.accuracy = _column([s.accuracy for s in signals])
        self.speed = _column([s.speed for s in signals])
        self.heading = _column([s.heading for s in signals])
        self.altitude = _column([s.altitude for s in signals])
        self.battery = _column([s.battery for s in signals])
        self.reported = [k for k, s in enumerate(signals) if s.reported is not None]
        accuracy = np.where(np.isnan(self.accuracy), policy.default_accuracy, self.accuracy)
        self.fix = self.lat == self.lat
        self.usable = self.fix & (accuracy <= policy.max_accuracy)
        self.index = self.usable.nonzero()[0]
        self.fixes = Fixes(self.lon[self.index], self.lat[self.index], accuracy[self.index])
        self.late = self.at < devices.at[self.rows]
        self.tangled = np.zeros(0, np.int64)  # signals whose device goes back in time within the segment
        self._order()
        self._seen: dict[int, dict[int, Evidence]] = {}
        self._unclear: Bools = self.late

    def _order(self) -> None:
        """Find devices that come more than once."""
        self._group: Ints | None = None
        self.again = np.zeros(self.size, np.bool_)
        if len(set(self.rows.tolist())) == self.size:
            return
        _, group, count = np.unique(self.rows, return_inverse=True, return_counts=True)
        self._group, self.again = group, count[group] > 1
        some = np.argsort(self.rows, kind="stable")
        back = (self.rows[some[1:]] == self.rows[some[:-1]]) & (self.at[some[1:]] < self.at[some[:-1]])
        self.tangled = some[1:][back]

    def whole(self, some: Bools) -> Bools:
        """All signals of devices of which ``some`` marks one."""
        if self._group is None:
            return some
        marked = np.zeros(self.size, np.bool_)
        marked[self._group[some]] = True
        return marked[self._group]

    def stirred(self, devices: Devices, single: Single) -> Bools:
        """Signals that need the state machine: all of every device to which anything may happen."""
        rows = self.rows
        lost = devices.heard[rows] + self.policy.silence <= self.at
        lost &= devices.live[rows]
        crowded = devices.count[rows] > HELD
        unclear = lost | crowded
        marks = devices.timer[rows] <= self.at
        marks |= unclear
        for k, fence, evidence in self._evidence(devices, single.judge):
            self._seen.setdefault(k, {})[fence] = evidence
        marks[list(self._seen)] = True
        if single.travelled and len(self.index):
            marks[self.index[self._travelled(devices, single)]] = True
        marks &= ~self.late
        marks[self.reported] = True
        marks[self.tangled] = True
        marks = self.whole(marks)
        self._unclear = unclear | self.again
        return marks

    def _evidence(self, devices: Devices, judge: Judge) -> list[tuple[int, int, Evidence]]:
        """What the fixes say of fences that could change something, stays being as they were before the segment."""
        fixes, rows, index = self.fixes, self.rows[self.index], judge.fences.index
        if not len(rows):
            return []
        held, (at, fences, u, v) = devices.held.take(rows, axis=0), index.find(fixes.lon, fixes.lat)
        theirs = held.take(at, axis=0)
        pair, slot = ((theirs & _FENCE) == fences[:, None]).nonzero()
        known = np.zeros(len(at), np.int64)
        known[pair] = _KNOWN[theirs[pair, slot] >> STATE]
        cells, bound = judge.fences.depths.look(fences, u, v)
        beyond = np.bincount(at[pair], minlength=len(rows)) < devices.count[rows]
        if np.count_nonzero(beyond):  # stays in fences whose box does not hold the fix
            of, slot = ((held != NONE) & beyond[:, None]).nonzero()
            fence = held[of, slot].astype(np.int64)
            state = _KNOWN[fence >> STATE]
            fence &= _FENCE
            away = ~index.holds(fence, fixes.lon[of], fixes.lat[of])
            at, fences = np.concatenate([at, of[away]]), np.concatenate([fences, fence[away]])
            known = np.concatenate([known, state[away]])
            bound = np.concatenate([bound, np.zeros(len(at) - len(bound))])
        found = judge.many(fixes, Pairs(at, fences, known, bound, cells, u, v))
        at = self.index[[fix for fix, _, _ in found]] if found else self.index[:0]
        return [(k, fence, evidence) for k, (_, fence, evidence) in zip(at.tolist(), found, strict=True)]

    def _travelled(self, devices: Devices, single: Single) -> Ints:
        """Usable fixes by which a device may have crossed a fence or come near one."""
        rows, index, policy = self.rows[self.index], self.index, self.policy
        repeated = self.again[index].nonzero()[0]  # what they did in between is for the machine
        lon, lat, left = devices.lon[rows], devices.lat[rows], devices.fixed[rows]
        accuracy = devices.accuracy[rows]
        accuracy[np.isnan(accuracy)] = policy.default_accuracy
        seconds = self.at[index] - left
        dx = wrap(self.fixes.lon - lon) * self.fixes.east
        dy = (self.fixes.lat - lat) * self.fixes.north
        metres = np.sqrt(dx * dx + dy * dy)
        known = (accuracy <= policy.max_accuracy) & (seconds > 0.0) & (seconds <= policy.silence) & (metres > 0.0)
        found = [repeated]
        if single.fences.crossed:
            some = known.nonzero()[0]
            ends = self.fixes.lon[some], self.fixes.lat[some]
            way, fence = single.ways.near(lon[some], lat[some], *ends)
            held = (devices.held[rows[some[way]]] & _FENCE) == fence[:, None]
            found.append(some[way[~held.any(axis=1)]])
        if single.fences.approached:
            # a little faster than the signal tells, for what a plane bends
            speed = np.where(known, metres / np.where(known, seconds, 1.0) * 1.01, 0.0)
            told = self.speed[index]
            owner, mark = single.shelf.marks.of(devices.marks[rows])
            fence, beyond = single.shelf.marks.fence[mark].astype(np.int64), single.shelf.marks.beyond[mark]
            there = fence != NONE
            marked = Marked(fence[there], beyond[there])
            speed = np.fmax(speed, told)
            found.append(single.approaches.stirred(self.fixes, speed, owner[there], marked))
        return np.concatenate(found)

    def stand(self, devices: Devices, index: Ints) -> None:
        """How long devices have stood still, after these fixes."""
        accuracy = np.where(np.isnan(self.accuracy), self.policy.default_accuracy, self.accuracy)
        if self._group is not None:
            again = self.again[index]
            self._stand_one_by_one(devices, index[again], accuracy)
            index = index[~again]
        rows = self.rows[index]
        lat, lon, at = self.lat[index], self.lon[index], self.at[index]
        settle(devices, rows, lat, lon, accuracy[index], at, self.policy.silence)

    def _stand_one_by_one(self, devices: Devices, index: Ints, accuracy: Floats) -> None:
        columns = [devices.view[name] for name in COLUMNS]
        for k in index.tolist():
            row = int(self.rows[k])
            stand = Stand(*(column[row] for column in columns))
            lat, lon = float(self.lat[k]), float(self.lon[k])
            after = stand.then(lat, lon, float(accuracy[k]), float(self.at[k]), self.policy.silence)
            for column, value in zip(columns, after, strict=True):
                column[row] = value

    def seen(self, k: int) -> dict[int, Evidence] | None:
        """What that signal's fix says of fences, as far as it matters; None: not known."""
        return None if self._unclear[k] else self._seen.get(k, {})


def _column(values: list[Any]) -> Floats:
    """Numbers, None as NaN."""
    if values[0] is None and values.count(None) == len(values):
        return np.full(len(values), np.nan)
    return np.array(values, np.float64)
