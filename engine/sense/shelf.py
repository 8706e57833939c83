"""Devices off the columns while something happens to them, and back with their timers set."""

import math
from struct import Struct
from typing import Any

import numpy as np

from engine.sense.arithmetic import Ints
from engine.sense.columns import HELD, NONE, STATE, Chained, Devices, Marks, Stays
from engine.sense.machine import OVER, PLAIN, QUIET, Device, Machine, Mark, Stay
from engine.sense.timers import TimerQueue

_CLOCK = Struct("=5d")  # at, received, heard, timer, told
_STAYS = Struct(f"=i{HELD}ih??")  # head, held, count, placed, live
_STAY = Struct("=2d2ihb")  # as the columns of ``Stays``
_SHIFTED = np.array([0 if state in PLAIN else state << STATE for state in range(OVER + 1)], np.int32)
_FREE = [(NONE,) * (HELD - count) for count in range(HELD + 1)]


class Shelf:
    """Takes devices out and puts them back, one at a time."""

    def __init__(self, devices: Devices, stays: Stays, marks: Marks) -> None:
        self.devices, self.stays, self.marks = devices, stays, marks
        self.queue = TimerQueue(devices)
        fields: Any = devices.kind.fields
        self._tail: int = fields["head"][1]

    def take(self, row: int) -> Device:
        """The device as an object, its stays in fence order."""
        devices, kept, width, base = self.devices, self.stays.buffer, self.stays.width, row * self.devices.width
        at, received, heard, _, told = _CLOCK.unpack_from(devices.buffer, base)
        found = _STAYS.unpack_from(devices.buffer, base + self._tail)
        device = Device(row, devices.names[row], at, received, heard, found[-2])
        device.told = told
        stay = found[0]
        while stay != NONE:
            visit, since, fence, after, dwell, state = _STAY.unpack_from(kept, stay * width)
            device.rows.append(stay)
            device.stays.append(Stay(fence, state, visit, since, dwell))
            stay = after
        mark = devices.view["marks"][row]
        if mark != NONE:
            self._marks_of(device, mark)
        return device

    def _marks_of(self, device: Device, mark: int) -> None:
        kept = self.marks.view
        while mark != NONE:
            device.mark_rows.append(mark)
            if kept["fence"][mark] != NONE:  # else the fence is gone
                device.marks.append(Mark(kept["fence"][mark], kept["wish"][mark], kept["beyond"][mark]))
            mark = kept["next"][mark]

    def put(self, device: Device, machine: Machine) -> None:
        """Write it back."""
        stays, devices, row = device.stays, self.devices, device.row
        timer, live = math.inf, False
        for stay in stays:
            if stay.state not in QUIET:
                live, due = True, machine.due(stay)
                timer = due if due < timer else timer
        count, base, head = len(stays), row * devices.width, self._keep(device)
        held = [s.fence if s.state in PLAIN else s.fence | s.state << STATE for s in stays] if count <= HELD else []
        _CLOCK.pack_into(devices.buffer, base, device.at, device.received, device.heard, timer, device.told)
        tail = base + self._tail
        _STAYS.pack_into(devices.buffer, tail, head, *held, *_FREE[len(held)], count, device.placed, live)
        if device.marks or device.mark_rows:
            devices.view["marks"][row] = self._keep_marks(device)
        if timer != math.inf or live:
            timer = min(timer, device.heard + machine.policy.silence) if live else timer
            self.queue.arm_one(row, timer - device.at + device.received)

    def _keep(self, device: Device) -> int:
        """Write the stays back; where the first one is."""
        stays, rows, after = device.stays, device.rows, NONE
        if len(rows) != len(stays):
            _room(self.stays, rows, len(stays))
        kept, width = self.stays.buffer, self.stays.width
        for k in range(len(stays) - 1, -1, -1):
            stay, at = stays[k], rows[k]
            _STAY.pack_into(kept, at * width, stay.visit, stay.since, stay.fence, after, stay.dwell, stay.state)
            after = at
        return after

    def _keep_marks(self, device: Device) -> int:
        rows, after = device.mark_rows, NONE
        _room(self.marks, rows, len(device.marks))
        kept = self.marks.view
        for at, mark in zip(reversed(rows), reversed(device.marks), strict=True):
            kept["fence"][at], kept["next"][at] = mark.fence, after
            kept["wish"][at], kept["beyond"][at] = mark.wish, mark.beyond
            after = at
        return after

    def arm(self, row: int, silence: float) -> None:
        """See to it that the device is looked at in time."""
        own = self.devices.view
        timer = own["timer"][row]
        if own["live"][row]:
            timer = min(timer, own["heard"][row] + silence)
        if timer != math.inf:
            self.queue.arm_one(row, timer - own["at"][row] + own["received"][row])

    def restore(self, owner: Ints, stay: Ints) -> None:
        """Work out what is derived from the stays (all of them, as ``Stays.of`` gives them)."""
        devices, stays = self.devices, self.stays
        count = np.bincount(owner, minlength=devices.size)
        devices.count[: devices.size], devices.held[: devices.size] = count, NONE
        nth = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
        if len(count) and count.max() > HELD:
            few = count[owner] <= HELD
            owner, stay, nth = owner[few], stay[few], nth[few]
        devices.held[owner, nth] = stays.fence[stay] | _SHIFTED[stays.state[stay]]

    def renumber(self, moved: Ints, owner: Ints, stay: Ints) -> None:
        """Fences have other positions from here on (``moved``: by old position; NONE, the last, where it is gone), and
        these are the stays that are left."""
        for table in (self.stays, self.marks):
            table.fence[: table.size] = moved[table.fence[: table.size]]
        self.restore(owner, stay)


def _room(table: Chained, rows: list[int], wanted: int) -> None:
    """So many rows, those of before among them; what is too many is given back."""
    rows.extend(table.fresh() for _ in range(len(rows), wanted))
    while len(rows) > wanted:
        table.release(rows.pop())
