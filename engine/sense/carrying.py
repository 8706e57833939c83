"""Stays of one device when fences change: they go on in fences whose id remains."""

from engine.model.signal import Transition
from engine.sense.arithmetic import Ints
from engine.sense.columns import NONE
from engine.sense.fences import FenceSet
from engine.sense.machine import Device, Machine, Stay


def carried(
    device: Device, old: FenceSet, new: FenceSet, moved: Ints, now: float, machine: Machine
) -> list[Transition]:
    """Carry the stays and marks of a device over to ``new`` fences, whose machine it is (``moved``: where each of the
    ``old`` ones is now; NONE where it is gone), ``now`` by its clock: what ends by that."""
    out, kept = [], []
    for stay in device.stays:
        before, fence = stay.fence, int(moved[stay.fence])
        goes_on, ended = fence != NONE, None
        stay.fence = fence
        if not goes_on:
            ended = machine.ended(device, stay, old.ids[before])
        elif new.hours.get(fence) != old.hours.get(before):
            goes_on, ended = machine.rescheduled(device, stay, now)
        if goes_on:
            stay.dwell = _dwells_done(now, stay, old.dwells[before], new.dwells[fence])
            kept.append(stay)
        out += [] if ended is None else [ended]
    device.stays = kept
    for mark in device.marks:
        mark.fence = int(moved[mark.fence])
    device.marks = [mark for mark in device.marks if mark.fence != NONE]
    return out


def _dwells_done(now: float, stay: Stay, before: tuple[float, ...], after: tuple[float, ...]) -> int:
    """How many dwells are done, or past already when the rule that wants them came."""
    if before == after:
        return stay.dwell
    past = max(now - stay.visit, before[stay.dwell - 1] if stay.dwell else 0.0)
    return sum(1 for seconds in after if seconds <= past)
