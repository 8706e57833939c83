"""One signal at a time: the law that the columns only anticipate where it would change nothing."""

import math

import numpy as np
from msgspec.structs import replace

from engine.model.release import SensePolicy
from engine.model.signal import Reported, Signal, Transition
from engine.sense.approaching import Approaches
from engine.sense.columns import HELD, NONE, STATE
from engine.sense.crossing import Way, Ways
from engine.sense.fences import FenceSet
from engine.sense.machine import OVER, PLAIN, Device, Evidence, Machine
from engine.sense.measuring import PLANE
from engine.sense.shelf import Shelf
from engine.sense.stops import COLUMNS, Stand
from engine.sense.verdict import EITHER, INSIDE, OUTSIDE, Fix, Judge

PLACE = ("lat", "lon", "accuracy", "speed", "heading", "altitude")
FAR = 2000.0  # metres beyond which the plane's distance is not good enough to tell
_NAN = math.nan


class Single:
    """Applies signals to devices on the shelf. ``late`` counts signals that came after newer ones of their device,
    ``strange`` reports of fences that do not exist."""

    def __init__(self, shelf: Shelf, fences: FenceSet, policy: SensePolicy) -> None:
        self.shelf = shelf
        self.late = self.strange = 0
        self.bind(fences, policy)

    def bind(self, fences: FenceSet, policy: SensePolicy) -> None:
        """Sense by other fences or another policy from here on."""
        self.fences, self.policy = fences, policy
        self.judge = Judge(fences, policy)
        self.machine = Machine(policy, fences.ids, fences.dwells, fences.hours, fences.silent)
        self.ways, self.approaches = Ways(fences, self.judge), Approaches(fences, self.judge)
        self.travelled = bool(fences.crossed or fences.approached)

    def apply(
        self,
        row: int,
        signal: Signal,
        received: float,
        record: int,
        out: list[Transition],
        seen: dict[int, Evidence] | None = None,
        place: bool = True,
    ) -> None:
        """Apply a signal; what it and the timers due by then bring is appended to ``out``. ``seen``: what its fix says
        of the fences about which it could change something; None: not known yet. ``place``: take over the position."""
        own, at = self.shelf.devices.view, signal.at
        if at < own["at"][row]:
            self.late += 1
            return
        device, due = None, own["timer"][row]
        if own["live"][row]:
            due = min(due, own["heard"][row] + self.policy.silence)
        if due <= at or seen or signal.reported is not None or own["count"][row] > HELD:
            device = self.shelf.take(row)
            if due <= at:
                out += self.machine.run_until(device, at, record)
        usable = self._usable(signal)
        if not usable:
            seen = {}
        elif seen is None:
            seen = self._look(row, device, self._fix(signal))
        told = signal.reported is not None and self._told(signal.reported, seen)
        if device is None and (seen or (usable and self.travelled)):
            device = self.shelf.take(row)
        if device is None:
            self._pass(row, at, received, usable)
        else:
            device.received = received
            if usable or told:
                self._sense(device, signal, seen, usable, record, out)
            device.at = at
            self.shelf.put(device, self.machine)
        if place:
            self._place(row, signal)

    def _pass(self, row: int, at: float, received: float, usable: bool) -> None:
        """Nothing happens but that time passes."""
        own = self.shelf.devices.view
        own["at"][row], own["received"][row] = at, received
        if usable:
            own["heard"][row], own["placed"][row] = at, True
        if own["head"][row] != NONE:
            self.shelf.queue.arm_one(row, self.shelf.devices.due_one(row, self.policy.silence))

    def _sense(
        self,
        device: Device,
        signal: Signal,
        seen: dict[int, Evidence],
        usable: bool,
        record: int,
        out: list[Transition],
    ) -> None:
        """What evidence does: crossings on the way, exits and enters, approaches."""
        device.at = device.heard = signal.at
        first, travelled = not device.placed, usable and self.travelled
        way = self._way(device.row, signal) if travelled else None
        if way is not None and self.fences.crossed:
            out += self._crossed(device, way, seen, record)
        for transition in self.machine.apply(device, signal.at, seen, first, record):
            out.append(self.shown(transition, signal))
        if travelled and self.fences.approached:
            out += self._approached(device, way, signal, first, record)
        device.placed = device.placed or usable

    def _way(self, row: int, signal: Signal) -> Way | None:
        """How the device got here, where its newest fix was usable too."""
        own = self.shelf.devices.view
        lat, accuracy = own["lat"][row], own["accuracy"][row]
        accuracy = self.policy.default_accuracy if accuracy != accuracy else accuracy
        if lat != lat or accuracy > self.policy.max_accuracy:
            return None
        start = Fix.of(own["lon"][row], lat, accuracy)
        way = Way(start, self._fix(signal), own["fixed"][row], signal.at)
        return way if way.usable(self.policy.silence) else None

    def _crossed(self, device: Device, way: Way, seen: dict[int, Evidence], record: int) -> list[Transition]:
        near = self.ways.near(*(np.array([value]) for value in (*way.start[:2], *way.end[:2])))[1].tolist()
        held = {stay.fence for stay in device.stays if stay.state != OVER} | {
            fence for fence, evidence in seen.items() if evidence.into
        }
        found = []
        for fence, (at, metres, probability) in self.ways.through(way, [f for f in near if f not in held]):
            if self.machine.open(fence, at):
                found.append(
                    Transition(
                        "cross",
                        device.name,
                        self.fences.ids[fence],
                        at,
                        at,
                        record,
                        probability=probability,
                        metres=metres,
                    )
                )
        return found

    def _approached(
        self, device: Device, way: Way | None, signal: Signal, first: bool, record: int
    ) -> list[Transition]:
        at, found = signal.at, []
        for fence, wish, metres in self.approaches.sense(device, self._fix(signal), way, signal, self.machine):
            seconds, within = (0.0, wish) if wish > 0.0 else (-wish, 0.0)
            name = self.fences.ids[fence]
            found.append(
                Transition(
                    "approach", device.name, name, at, at, record, seconds, None, metres, initial=first, within=within
                )
            )
        return found

    def _usable(self, signal: Signal) -> bool:
        """Whether there is a fix good enough to judge fences by."""
        if signal.lat is None:
            return False
        return (
            self.policy.default_accuracy if signal.accuracy is None else signal.accuracy
        ) <= self.policy.max_accuracy

    def _fix(self, signal: Signal) -> Fix:
        lat, lon = signal.lat or 0.0, signal.lon or 0.0
        return Fix.of(lon, lat, self.policy.default_accuracy if signal.accuracy is None else signal.accuracy)

    def _look(self, row: int, device: Device | None, fix: Fix) -> dict[int, Evidence]:
        """What the fix says of every fence about which it could change something."""
        known = {}
        if device is not None:
            known = {stay.fence: INSIDE if stay.state in PLAIN else EITHER for stay in device.stays}
        else:
            held = self.shelf.devices.view["held"]
            for k in range(self.shelf.devices.view["count"][row]):
                fence = held[row, k]
                known[fence & ((1 << STATE) - 1)] = EITHER if fence >> STATE else INSIDE
        seen = {}
        for fence, u, v in self._candidates(fix):
            evidence = self.judge.one(fix, fence, known.pop(fence, OUTSIDE), u, v)
            if evidence is not None:
                seen[fence] = evidence
        for fence, state in known.items():
            evidence = self.judge.one(fix, fence, state)
            if evidence is not None:
                seen[fence] = evidence
        return seen

    def _candidates(self, fix: Fix) -> list[tuple[int, float, float]]:
        index, limits = self.fences.index, self.judge.limits
        if limits.enter > 0.5:
            # more than half of the mass cannot lie inside unless the fix is within the shape's hull, so its box
            return index.one(fix.lon, fix.lat)
        reach = fix.sigma * limits.surely_not_in
        found = index.near(fix.lon, fix.lat, min(reach / max(fix.east, 1.0), 360.0), reach / fix.north)
        return [(fence, math.inf, 0.0) for fence in found.tolist()]

    def _told(self, report: Reported, seen: dict[int, Evidence]) -> bool:
        """The phone's own report is evidence for that fence, whatever the fix says."""
        fence = self.fences.find(report.fence)
        if fence == NONE:
            self.strange += 1
            return False
        seen[fence] = Evidence(report.kind != "exit", report.kind == "exit", told=True)
        return True

    def shown(self, transition: Transition, signal: Signal) -> Transition:
        """A distance as a transition tells it: from afar the exact one, None where there is no border."""
        metres = transition.metres
        if metres is None or (abs(metres) <= FAR and abs(signal.lat or 0.0) <= PLANE):
            return transition
        fence = self.fences.find(transition.fence)
        metres = self.fences.metres(fence, self._fix(signal).column(), 0)
        return replace(transition, metres=metres if abs(metres) != math.inf else None)

    def _place(self, row: int, signal: Signal) -> None:
        """Take over the position and the battery."""
        own = self.shelf.devices.view
        if signal.battery is not None:
            own["battery"][row] = signal.battery
        if signal.lat is not None and signal.lon is not None:
            stand = Stand(*(own[name][row] for name in COLUMNS))
            accuracy = self.policy.default_accuracy if signal.accuracy is None else signal.accuracy
            after = stand.then(signal.lat, signal.lon, accuracy, signal.at, self.policy.silence)
            if after is not stand:
                own["stand_lat"][row], own["stand_lon"][row], own["stand_since"][row], own["still"][row] = after
            own["fixed"][row] = signal.at
            for name in PLACE:
                value = getattr(signal, name)
                own[name][row] = _NAN if value is None else value
