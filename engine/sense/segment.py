"""Consecutive signals in columns, and which of them may change something."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from engine.model.release import SensePolicy
from engine.model.signals import Signals
from engine.sense.approaching import Marked
from engine.sense.arithmetic import Bools, Ints, wrap
from engine.sense.columns import HELD, NONE, STATE, Devices, packed
from engine.sense.fixes import Fixes
from engine.sense.machine import Evidence
from engine.sense.single import PLACE, Single
from engine.sense.stops import settle
from engine.sense.verdict import KNOWN, Judge, Pairs

_FENCE = (1 << STATE) - 1


class Segment:
    """Columns over signals, and the rows of their devices as they were before (``own``). ``usable``: has a fix good
    enough to judge fences; ``late``: comes after a newer one; ``again``: its device comes more than once."""

    def __init__(self, signals: Signals, received: Sequence[float], devices: Devices, policy: SensePolicy) -> None:
        self.size, self.policy = len(signals), policy
        self.rows = devices.rows_of(signals)
        self.own = devices.take(self.rows)
        self.received = packed(received, "d")
        (self.at, self.lat, self.lon), self.given = signals.numbers[:3], signals.numbers[3:]
        self.accuracy, self.speed, self.heading, self.altitude, self.battery = self.given
        self.reported = sorted(k for k, more in signals.more.items() if more.reported is not None)
        self.precise = np.where(np.isnan(self.accuracy), policy.default_accuracy, self.accuracy)
        self.fix = self.lat == self.lat
        self.usable = self.fix & (self.precise <= policy.max_accuracy)
        self.index = self.usable.nonzero()[0]
        self.late = self.at < self.own["at"]
        self.tangled = np.zeros(0, np.int64)  # signals whose device goes back in time within the segment
        self._order()
        self._seen: dict[int, dict[int, Evidence]] = {}
        self._unclear: Bools = self.late

    @cached_property
    def fixes(self) -> Fixes:
        """The usable fixes."""
        return Fixes(*self._usable(self.lon, self.lat, self.precise))

    def _usable(self, *columns: Any) -> Any:
        """The part of columns that tells of usable fixes."""
        return columns if len(self.index) == self.size else [column[self.index] for column in columns]

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
        marks, unclear, found = self._columns(single)
        for k, fence, evidence in found:
            self._seen.setdefault(k, {})[fence] = evidence
        marks[list(self._seen)] = True
        marks |= self.travelled(devices, single)
        marks &= ~self.late
        marks[self.reported] = True
        marks[self.tangled] = True
        marks = self.whole(marks)
        self._unclear = unclear | self.again
        return marks

    def _columns(self, single: Single) -> tuple[Bools, Bools, list[tuple[int, int, Evidence]]]:
        """Signals that timers stir, those of which it is not clear what their fixes say, and what the others say."""
        own = self.own
        unclear = own["heard"] + self.policy.silence <= self.at
        unclear &= own["live"]
        unclear |= own["count"] > HELD
        return unclear | (own["timer"] <= self.at), unclear, self._evidence(single.judge)

    def travelled(self, devices: Devices, single: Single) -> Bools:
        """Signals by which a device may have crossed a fence or come near one."""
        marks = np.zeros(self.size, np.bool_)
        if single.travelled and len(self.index):
            marks[self.index[self._travelled(devices, single)]] = True
        return marks

    def _evidence(self, judge: Judge) -> list[tuple[int, int, Evidence]]:
        """What the fixes say of fences that could change something, stays being as they were before the segment."""
        if not len(self.index):
            return []
        fixes, index = self.fixes, judge.fences.index
        held, count = self._usable(self.own["held"], self.own["count"])
        at, fences, u, v = index.find(fixes.lon, fixes.lat)
        theirs = held.take(at, axis=0)
        pair, slot = ((theirs & _FENCE) == fences[:, None]).nonzero()
        known = np.zeros(len(at), np.int64)
        known[pair] = KNOWN[theirs[pair, slot] >> STATE]
        bound = judge.fences.depths.look(fences, u, v)
        beyond = (held != NONE) & (count[:, None] <= HELD)
        beyond[at[pair], slot] = False
        of, slot = beyond.nonzero()
        if len(of):  # stays in fences whose box does not hold the fix
            fence = held[of, slot].astype(np.int64)
            at, fences = np.concatenate([at, of]), np.concatenate([fences, fence & _FENCE])
            known = np.concatenate([known, KNOWN[fence >> STATE]])
            bound = np.concatenate([bound, np.zeros(len(at) - len(bound))])
        found = judge.many(fixes, Pairs(at, fences, known, bound, u, v))
        at = self.index[[fix for fix, _, _ in found]] if found else self.index[:0]
        return [(k, fence, evidence) for k, (_, fence, evidence) in zip(at.tolist(), found, strict=True)]

    def _travelled(self, devices: Devices, single: Single) -> Ints:
        """Usable fixes by which a device may have crossed a fence or come near one."""
        (own,), index, policy = self._usable(self.own), self.index, self.policy
        repeated = self.again[index].nonzero()[0]  # what they did in between is for the machine
        lon, lat, left, accuracy = own["lon"], own["lat"], own["fixed"], own["accuracy"].copy()
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
            held = (own["held"][some[way]] & _FENCE) == fence[:, None]
            found.append(some[way[~held.any(axis=1)]])
        if single.fences.approached:
            # a little faster than the signal tells, for what a plane bends
            speed = np.where(known, metres / np.where(known, seconds, 1.0) * 1.01, 0.0)
            told = self.speed[index]
            owner, mark = single.shelf.marks.of(own["marks"])
            fence, beyond = single.shelf.marks.fence[mark].astype(np.int64), single.shelf.marks.beyond[mark]
            there = fence != NONE
            marked = Marked(fence[there], beyond[there])
            speed = np.fmax(speed, told)
            found.append(single.approaches.stirred(self.fixes, speed, owner[there], marked))
        return np.concatenate(found)

    def settle(self, devices: Devices, skip: Bools) -> Ints:
        """Move on the clocks and places of devices, but for signals to ``skip``; rows whose timers may come sooner."""
        keep = ~(self.late | skip)
        whole = bool(keep.all())
        index = keep.nonzero()[0]

        def of(column: Any) -> Any:
            return column if whole else column[index]

        rows: Ints = of(self.rows)
        at = of(self.at)
        own = devices.take(rows)
        own["at"], own["received"] = at, of(self.received)
        usable, fix, battery = of(self.usable), of(self.fix), of(self.battery)
        np.copyto(own["heard"], at, where=usable)
        own["placed"] |= usable
        np.copyto(own["battery"], battery, casting="same_kind", where=battery == battery)
        places = {name: of(getattr(self, name)) for name in PLACE}
        settle(own, fix, places["lat"], places["lon"], of(self.precise), at, self.policy.silence)
        for name, column in (("fixed", at), *places.items()):
            np.copyto(own[name], column, casting="same_kind", where=fix)
        devices.put(rows, own)
        busy: Ints = rows[own["head"] != NONE]
        return busy

    def seen(self, k: int) -> dict[int, Evidence] | None:
        """What that signal's fix says of fences, as far as it matters; None: not known."""
        return None if self._unclear[k] else self._seen.get(k, {})
