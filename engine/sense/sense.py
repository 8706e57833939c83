"""The state of all devices, and how signals and time advance it: in columns where nothing changes, by the state machine
where something does."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from msgspec.structs import replace

from engine.model.person import Position
from engine.model.release import SensePolicy
from engine.model.signal import Signal, Transition
from engine.sense.arithmetic import Bools, Floats, Ints
from engine.sense.columns import NEVER, NONE, Devices, Stays, Table, pack, unpack
from engine.sense.fences import FenceSet
from engine.sense.machine import STATE_NAMES, UNKNOWN, Device, Evidence, Machine, Stay
from engine.sense.positions import SHOWN, after, position_of
from engine.sense.segment import Judged, Segment
from engine.sense.timers import TimerQueue

VERSION = 1
_PLACE = ("lat", "lon", "accuracy", "speed", "heading", "altitude")


class Sense:
    """Every device's place, stays and timers. Signals go through ``advance`` and time through ``tick``, in journal
    order; how signals are cut into segments never shows in what comes out."""

    def __init__(self, policy: SensePolicy) -> None:
        self.policy = policy
        self.fences = FenceSet.compile(())
        self._devices, self._stays = Devices(), Stays()
        self._queue = TimerQueue(self._devices)
        self._machine = Machine(policy, self.fences.ids, self.fences.dwells)
        self._late = 0
        self._strange = 0
        self._segment: Segment | None = None
        self._before: list[Floats] = []

    # ------------------------------------------------------------------ signals

    def advance(self, signals: Sequence[Signal], received: Sequence[float]) -> list[Transition]:
        """Apply consecutive signals (``received``: journal time of each). Transitions come in record order; ``record``
        is the index into ``signals``."""
        if not signals:
            return []
        devices = self._devices
        segment = Segment(signals, received, devices, self.policy)
        timers = devices.due_at(segment.rows, self.policy.silence) <= segment.until()
        careful = timers | segment.reported | segment.repeated
        judged = Judged(segment, devices, self._stays, self.fences, self.policy, careful)
        stirred = timers | segment.reported | (segment.late & segment.repeated) | judged.stirred(segment)
        by_hand = segment.whole(stirred & ~(segment.late & ~segment.repeated))
        self._segment, self._before = segment, [getattr(devices, name)[segment.rows] for name in ("at", *SHOWN)]
        self._late += int((segment.late & ~segment.repeated).sum())
        quiet = ~by_hand & ~segment.late
        self._settle(segment, quiet)
        return self._by_hand(segment, judged, by_hand, careful) if by_hand.any() else []

    def _settle(self, segment: Segment, chosen: Bools) -> None:
        """Move clocks and positions of devices to which nothing else happens."""
        devices, index = self._devices, np.flatnonzero(chosen)
        rows = segment.rows[index]
        devices.at[rows] = segment.at[index]
        devices.received[rows] = segment.received[index]
        usable = index[segment.usable[index]]
        devices.heard[segment.rows[usable]] = segment.at[usable]
        devices.placed[segment.rows[usable]] = True
        self._place(segment, index)
        busy = rows[devices.head[rows] != NONE]
        self._queue.arm(busy, devices.due(busy, self.policy.silence))

    def _place(self, segment: Segment, index: Ints) -> None:
        """Take over positions and batteries, later signals last."""
        devices = self._devices
        known = index[~np.isnan(segment.battery[index])]
        devices.battery[segment.rows[known]] = segment.battery[known]
        index = index[segment.fix[index]]
        rows = segment.rows[index]
        devices.fixed[rows] = segment.at[index]
        for name in _PLACE:
            getattr(devices, name)[rows] = getattr(segment, name)[index]

    # ------------------------------------------------------------------ by hand

    def _by_hand(self, segment: Segment, judged: Judged, chosen: Bools, due: Bools) -> list[Transition]:
        rows = segment.rows[chosen]
        loaded = self._load(np.unique(rows) if segment.repeated.any() else rows)
        out: list[Transition] = []
        evidence = judged.collect(chosen[segment.index])
        applied = []
        for k in np.flatnonzero(chosen).tolist():
            device = loaded[int(segment.rows[k])]
            signal = segment.signals[k]
            if signal.at < device.at:
                self._late += 1
                continue
            if due[k]:
                out.extend(self._machine.run_until(device, signal.at, k))
            device.at, device.received = signal.at, float(segment.received[k])
            place = int(segment.place[k]) if segment.usable[k] else None
            out.extend(self._apply(device, signal, place, evidence, judged, k))
            applied.append(k)
        self._place(segment, np.array(applied, np.int64))
        self._store(loaded.values())
        return out

    def _apply(
        self,
        device: Device,
        signal: Signal,
        place: int | None,
        evidence: dict[int, dict[int, Evidence]],
        judged: Judged,
        record: int,
    ) -> list[Transition]:
        seen = evidence[place] if place is not None else {}
        if place is not None:
            for stay in device.stays:
                if stay.fence not in seen:
                    seen[stay.fence] = judged.ask(place, stay.fence)
        report = signal.reported
        fence = None if report is None else self.fences.position.get(report.fence)
        if report is not None and fence is not None:
            seen = {**seen, fence: Evidence(report.kind != "exit", report.kind == "exit", told=True)}
        elif report is not None:
            self._strange += 1
        if place is None and fence is None:
            return []
        device.heard = signal.at
        transitions = self._machine.apply(device, signal.at, seen, not device.placed, record)
        device.placed = device.placed or place is not None
        return [t if t.metres is None or place is None else self._shown(t, judged, place) for t in transitions]

    def _shown(self, transition: Transition, judged: Judged, place: int) -> Transition:
        metres = judged.shown(place, self.fences.position[transition.fence], transition.metres or 0.0)
        return transition if metres == transition.metres else replace(transition, metres=metres)

    def _load(self, rows: Ints) -> dict[int, Device]:
        """Take devices out of the columns, by row."""
        devices, stays = self._devices, self._stays
        columns = (devices.at, devices.received, devices.heard, devices.placed)
        values = zip(rows.tolist(), *(column[rows].tolist() for column in columns), strict=True)
        loaded = {row: Device(row, devices.ids[row], *rest) for row, *rest in values}
        owner, stay = stays.of(devices.head[rows])
        kept = (stays.fence, stays.state, stays.visit, stays.since, stays.dwell)
        for row, at, *fields in zip(
            rows[owner].tolist(), stay.tolist(), *(column[stay].tolist() for column in kept), strict=True
        ):
            loaded[row].rows.append(at)
            loaded[row].stays.append(Stay(*fields))
        return loaded

    def _store(self, changed: Collection[Device]) -> None:
        """Put devices back into the columns and set their timers."""
        devices, stays, machine = self._devices, self._stays, self._machine
        values, kept = [], []
        for device in changed:
            spare, head, timer, live = device.rows, NONE, np.inf, False
            for stay in reversed(device.stays):
                at = spare.pop() if spare else stays.take()
                kept.append((at, stay.fence, head, stay.state, stay.dwell, stay.visit, stay.since))
                head, live = at, live or stay.state != UNKNOWN
                due = machine.timer(stay)
                timer = timer if due is None or due.at > timer else due.at
            for at in spare:
                stays.release(at)
            values.append((device.row, device.at, device.received, device.heard, device.placed, timer, live, head))
        _scatter(devices, values, ("at", "received", "heard", "placed", "timer", "live", "head"))
        _scatter(stays, kept, ("fence", "next", "state", "dwell", "visit", "since"))
        rows = np.array([value[0] for value in values], np.int64)
        self._queue.arm(rows, devices.due(rows, self.policy.silence))

    # ------------------------------------------------------------------ time

    def tick(self, received: float) -> list[Transition]:
        """Fire every timer due at or before this journal time, by journal time due, device and fence."""
        loaded = self._load(np.sort(np.array(self._queue.pop(received, self.policy.silence), np.int64)))
        fired: list[tuple[tuple[float, int, int], Transition]] = []
        for row, device in loaded.items():
            order = 0
            while (timer := self._machine.next_timer(device)) is not None:
                due = timer.at - device.at + device.received
                if due > received:
                    break
                transition = self._machine.fire(device, timer, NONE)
                if transition is not None:
                    fired.append(((due, row, order), transition))
                order += 1
        self._store(loaded.values())
        self._segment = None
        fired.sort(key=lambda item: item[0])
        return [transition for _, transition in fired]

    def next_due(self) -> float | None:
        """Journal time of the earliest timer, None where nothing is armed."""
        return self._queue.earliest(self.policy.silence)

    # ------------------------------------------------------------------ releases

    def use(self, fences: FenceSet, policy: SensePolicy) -> list[Transition]:
        """Another set of fences and another policy from here on. Stays in fences whose id remains stand; the others end
        silently (``record`` -1, by device and fence)."""
        old, stays, devices = self.fences, self._stays, self._devices
        moved = np.array([fences.position.get(name, NONE) for name in old.ids] + [NONE], np.int64)
        changed = self._load(self._touched(fences, moved, everyone=policy != self.policy)).values()
        stays.fence[: stays.size] = moved[stays.fence[: stays.size]]
        out: list[Transition] = []
        for device in changed:
            out.extend(self._moved(device, old, fences, moved))
        self.fences, self.policy = fences, policy
        self._machine = Machine(policy, fences.ids, fences.dwells)
        self._store(changed)
        self._segment = None
        devices.queued[: devices.size][devices.head[: devices.size] == NONE] = NEVER
        return out

    def _touched(self, fences: FenceSet, moved: Ints, everyone: bool) -> Ints:
        """Rows of devices with a stay whose fence is gone or gets other dwells (or, under a new policy, any stay)."""
        old, stays, devices = self.fences, self._stays, self._devices
        other = np.array(
            [
                everyone or fence == NONE or fences.dwells[fence] != old.dwells[position]
                for position, fence in enumerate(moved[:-1].tolist())
            ],
            np.bool_,
        )
        owner, stay = stays.of(devices.head[: devices.size])
        rows: Ints = np.unique(owner[other[stays.fence[stay]]])
        return rows

    def _moved(self, device: Device, old: FenceSet, new: FenceSet, moved: Ints) -> list[Transition]:
        out, kept = [], []
        for stay in device.stays:
            name, fence = old.ids[stay.fence], int(moved[stay.fence])
            if fence == NONE:
                ended = self._machine.ended(device, stay, name)
                out.extend([] if ended is None else [ended])
                continue
            before, after = old.dwells[stay.fence], new.dwells[fence]
            if before != after:
                # done, or past already when the rule that wants it came
                past = max(device.at - stay.visit, before[stay.dwell - 1] if stay.dwell else 0.0)
                stay.dwell = sum(1 for seconds in after if seconds <= past)
            stay.fence = fence
            kept.append(stay)
        device.stays = kept
        return out

    # ------------------------------------------------------------------ questions

    def position(self, device: str, record: int = -1) -> Position | None:
        """Where the device is, as of that record of the segment just advanced (-1: its newest); None if unheard of."""
        row = self._devices.row.get(device)
        if row is None:
            return None
        segment = self._segment
        hits = [] if segment is None or record < 0 else np.flatnonzero(segment.rows == row).tolist()
        if segment is None or not hits:
            return position_of([getattr(self._devices, name)[row] for name in SHOWN])
        newest, *shown = (column[hits[0]] for column in self._before)
        held = position_of(shown)
        for k in hits:
            signal = segment.signals[k]
            if k <= record and signal.at >= newest:
                held, newest = after(held, signal), signal.at
        return held

    def visits(self, device: str) -> list[dict[str, Any]]:
        """The device's stays, by fence: ``fence``, ``state`` (inside, entering, leaving, unknown), ``since``, ``visit``
        (None while entering)."""
        row = self._devices.row.get(device)
        if row is None:
            return []
        return [
            {
                "fence": self.fences.ids[stay.fence],
                "state": STATE_NAMES[stay.state],
                "since": stay.since,
                "visit": None if STATE_NAMES[stay.state] == "entering" else stay.visit,
            }
            for stay in self._load(np.array([row]))[row].stays
        ]

    def late(self) -> int:
        """Signals that came after newer ones of their device, and so changed nothing."""
        return self._late

    def strange(self) -> int:
        """Region reports of fences that do not exist."""
        return self._strange

    def devices(self) -> int:
        """Devices ever heard of."""
        return self._devices.size

    # ------------------------------------------------------------------ checkpoints

    def dump(self) -> bytes:
        """The whole state, columns as bytes."""
        parts = {
            "version": VERSION,
            "ids": self._devices.ids,
            "fences": self.fences.ids,
            "devices": self._devices.dump(),
            "stays": self._stays.dump(),
            "free": self._stays.free,
            "late": self._late,
            "strange": self._strange,
        }
        return pack(parts)

    @classmethod
    def load(cls, blob: bytes, policy: SensePolicy, fences: FenceSet) -> "Sense":
        """The inverse of ``dump``, under the fences and policy in force then; ValueError on another format."""
        parts = unpack(blob)
        if parts.get("version") != VERSION:
            raise ValueError(f"a checkpoint of sense, format {parts.get('version')}: this build reads {VERSION}")
        sense = cls(policy)
        devices, stays = sense._devices, sense._stays
        devices.restore(parts["devices"])
        devices.restore_ids(parts["ids"])
        stays.restore(parts["stays"])
        stays.free = list(parts["free"])
        sense._late, sense._strange = parts["late"], parts["strange"]
        sense.fences, sense._machine = fences, Machine(policy, fences.ids, fences.dwells)
        moved = np.array([fences.position.get(name, NONE) for name in parts["fences"]] + [NONE], np.int64)
        stays.fence[: stays.size] = moved[stays.fence[: stays.size]]
        devices.queued[: devices.size] = NEVER
        busy = np.flatnonzero(devices.head[: devices.size] != NONE)
        sense._queue.arm(busy, devices.due(busy, policy.silence))
        return sense


def _scatter(table: Table, values: Sequence[tuple[Any, ...]], names: Sequence[str]) -> None:
    """Write tuples (row, value of each named column) into a table."""
    if values:
        rows, *columns = zip(*values, strict=True)
        at = np.array(rows, np.int64)
        for name, column in zip(names, columns, strict=True):
            getattr(table, name)[at] = column
