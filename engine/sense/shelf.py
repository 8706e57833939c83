"""Devices off the columns while something happens to them, and back with their timers set."""

import math

import numpy as np

from engine.sense.arithmetic import Ints
from engine.sense.columns import HELD, NONE, STATE, Chained, Devices, Marks, Stays
from engine.sense.machine import PLAIN, QUIET, Device, Machine, Mark, Stay
from engine.sense.timers import TimerQueue


class Shelf:
    """Takes devices out and puts them back, one at a time."""

    def __init__(self, devices: Devices, stays: Stays, marks: Marks) -> None:
        self.devices, self.stays, self.marks = devices, stays, marks
        self.queue = TimerQueue(devices)

    def take(self, row: int) -> Device:
        """The device as an object, its stays in fence order."""
        own, kept = self.devices.view, self.stays.view
        device = Device(
            row, self.devices.ids[row], own["at"][row], own["received"][row], own["heard"][row], own["placed"][row]
        )
        device.told = own["told"][row]
        stay = own["head"][row]
        while stay != NONE:
            device.rows.append(stay)
            device.stays.append(
                Stay(
                    kept["fence"][stay],
                    kept["state"][stay],
                    kept["visit"][stay],
                    kept["since"][stay],
                    kept["dwell"][stay],
                )
            )
            stay = kept["next"][stay]
        mark = own["marks"][row]
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
        stays, own, row = device.stays, self.devices.view, device.row
        own["at"][row], own["received"][row] = device.at, device.received
        own["heard"][row], own["placed"][row], own["told"][row] = device.heard, device.placed, device.told
        timer, live = math.inf, False
        for stay in stays:
            if stay.state not in QUIET:
                live, due = True, machine.due(stay)
                timer = due if due < timer else timer
        own["timer"][row], own["live"][row], own["head"][row] = timer, live, self._keep(device)
        if device.marks or device.mark_rows:
            own["marks"][row] = self._keep_marks(device)
        held, room = own["held"], len(stays) if len(stays) <= HELD else 0
        for k in range(room):
            stay = stays[k]
            held[row, k] = stay.fence if stay.state in PLAIN else stay.fence | stay.state << STATE
        for k in range(room, min(own["count"][row], HELD)):
            held[row, k] = NONE
        own["count"][row] = len(stays)
        if stays:
            self.arm(row, machine.policy.silence)

    def _keep(self, device: Device) -> int:
        """Write the stays back; where the first one is."""
        rows, after = _room(self.stays, device.rows, len(device.stays)), NONE
        kept = self.stays.view
        for at, stay in zip(reversed(rows), reversed(device.stays), strict=True):
            kept["fence"][at], kept["next"][at], kept["state"][at] = stay.fence, after, stay.state
            kept["dwell"][at], kept["visit"][at], kept["since"][at] = stay.dwell, stay.visit, stay.since
            after = at
        return after

    def _keep_marks(self, device: Device) -> int:
        rows, after = _room(self.marks, device.mark_rows, len(device.marks)), NONE
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

    def restore(self) -> None:
        """Work out what is derived from the stays, for all devices."""
        devices, stays = self.devices, self.stays
        size = devices.size
        owner, stay = stays.of(devices.head[:size])
        count = np.bincount(owner, minlength=size)
        devices.count[:size], devices.held[:size] = count, NONE
        few = count[owner] <= HELD
        owner, stay = owner[few], stay[few]
        order = np.lexsort((stays.fence[stay], owner))
        owner, stay = owner[order], stay[order]
        state = stays.state[stay].astype(np.int32)
        fence = stays.fence[stay] | np.where(np.isin(state, PLAIN), 0, state << STATE)
        devices.held[owner, np.arange(len(owner)) - np.searchsorted(owner, owner)] = fence

    def renumber(self, moved: Ints) -> None:
        """Fences have other positions from here on (``moved``: by old position; NONE, the last, where it is gone)."""
        devices, stays = self.devices, self.stays
        for table in (stays, self.marks):
            table.fence[: table.size] = moved[table.fence[: table.size]]
        held = devices.held[: devices.size]
        there = held != NONE
        fence, state = held[there] & ((1 << STATE) - 1), held[there] >> STATE
        fence = moved[fence]
        held[there] = np.where(fence == NONE, NONE, fence | state << STATE)


def _room(table: Chained, rows: list[int], wanted: int) -> list[int]:
    """So many rows, those of before among them; what is too many is given back."""
    if len(rows) == wanted:
        return rows
    rows.extend(table.fresh() for _ in range(len(rows), wanted))
    while len(rows) > wanted:
        table.release(rows.pop())
    return rows
