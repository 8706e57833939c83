"""One device and its fences: what evidence and time do to a stay. Pure: objects in, transitions out.

outside ──in──► entering ──min_inside──► inside ◄──in/between──► leaving ──min_outside──► outside
                                          │ silence (also from leaving)
                                          ▼
                                       unknown ──in──► inside again · ──out──► over, silently
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from engine.model.release import SensePolicy
from engine.model.signal import Transition, TransitionKind

INSIDE, LEAVING, ENTERING, ENTERING_FIRST, UNKNOWN = 1, 2, 3, 4, 5
STATE_NAMES = {
    INSIDE: "inside",
    LEAVING: "leaving",
    ENTERING: "entering",
    ENTERING_FIRST: "entering",
    UNKNOWN: "unknown",
}
_DWELL, _EXIT, _ENTER, _LOST = 0, 1, 2, 3


class Stay:
    """One device in, or perhaps in, one fence (by position). See ``Stays`` for the fields."""

    __slots__ = ("dwell", "fence", "since", "state", "visit")

    def __init__(self, fence: int, state: int, visit: float, since: float, dwell: int = 0) -> None:
        self.fence, self.state, self.visit, self.since, self.dwell = fence, state, visit, since, dwell


class Device:
    """One device taken out of the columns while something happens to it; stays in fence order."""

    __slots__ = ("at", "heard", "name", "placed", "received", "row", "rows", "stays")

    def __init__(self, row: int, name: str, at: float, received: float, heard: float, placed: bool) -> None:
        self.row, self.name, self.at, self.received, self.heard, self.placed = row, name, at, received, heard, placed
        self.stays: list[Stay] = []
        self.rows: list[int] = []  # where the stays were kept


class Evidence(NamedTuple):
    """What one signal says of one fence: inside, outside or (neither) in between; how sure; how far from the border;
    whether the phone itself told of it."""

    into: bool
    out: bool
    probability: float | None = None
    metres: float | None = None
    told: bool = False


class Timer(NamedTuple):
    """Sorts by the order of firing."""

    at: float
    fence: int
    rank: int


class Machine:
    """The rules of stays under one policy and one set of fences (their ids and dwell durations, by position)."""

    def __init__(self, policy: SensePolicy, ids: Sequence[str], dwells: Sequence[tuple[float, ...]]) -> None:
        self.policy, self._ids, self._dwells = policy, ids, dwells

    # ------------------------------------------------------------------ time

    def timer(self, stay: Stay) -> Timer | None:
        """The next timer of a stay but silence."""
        policy, best = self.policy, None
        if stay.state in (ENTERING, ENTERING_FIRST):
            return Timer(stay.since + policy.min_inside, stay.fence, _ENTER)
        if stay.state == LEAVING:
            best = Timer(stay.since + policy.min_outside, stay.fence, _EXIT)
        dwells = self._dwells[stay.fence]
        if stay.state != UNKNOWN and stay.dwell < len(dwells):
            dwell = Timer(stay.visit + dwells[stay.dwell], stay.fence, _DWELL)
            best = dwell if best is None else min(best, dwell)
        return best

    def next_timer(self, device: Device) -> Timer | None:
        """The next timer of a device, silence among them."""
        best: Timer | None = None
        for stay in device.stays:
            own = self.timer(stay)
            if stay.state != UNKNOWN:
                lost = Timer(device.heard + self.policy.silence, stay.fence, _LOST)
                own = lost if own is None else min(own, lost)
            if own is not None and (best is None or own < best):
                best = own
        return best

    def fire(self, device: Device, timer: Timer, record: int) -> Transition | None:
        """Let a timer run out; None where nobody needs to hear of it."""
        stay = next(s for s in device.stays if s.fence == timer.fence)
        due = timer.at - device.at + device.received
        seconds, initial = 0.0, False
        kind: TransitionKind
        if timer.rank == _DWELL:
            kind, seconds = "dwell", self._dwells[stay.fence][stay.dwell]
            stay.dwell += 1
        elif timer.rank == _EXIT:
            kind = "exit"
            device.stays.remove(stay)
        elif timer.rank == _ENTER:
            kind, initial = "enter", stay.state == ENTERING_FIRST
            stay.state, stay.visit = INSIDE, timer.at
        elif stay.state in (ENTERING, ENTERING_FIRST):
            device.stays.remove(stay)
            return None
        else:
            kind = "lost"
            stay.state, stay.since = UNKNOWN, device.heard
        fence = self._ids[stay.fence]
        return Transition(
            kind, device.name, fence, timer.at, stay.visit, record, seconds=seconds, initial=initial, due=due
        )

    def run_until(self, device: Device, at: float, record: int) -> list[Transition]:
        """Fire what is due at or before ``at`` of the device's clock, in order."""
        fired = []
        while (timer := self.next_timer(device)) is not None and timer.at <= at:
            transition = self.fire(device, timer, record)
            if transition is not None:
                fired.append(transition)
        return fired

    # ------------------------------------------------------------------ evidence

    def apply(
        self, device: Device, at: float, evidence: Mapping[int, Evidence], first: bool, record: int
    ) -> list[Transition]:
        """What a signal at ``at`` says of some fences (by position). Exits come first, then enters, in fence order."""
        left: list[tuple[int, Transition]] = []
        entered: list[tuple[int, Transition]] = []
        held = {stay.fence: stay for stay in device.stays}
        for fence in sorted(evidence):
            seen, stay = evidence[fence], held.get(fence)
            if stay is not None:
                over = self._held(device, stay, seen, at, record)
                if over is not None:
                    (entered if over.kind == "resumed" else left).append((fence, over))
                if stay in device.stays or not seen.into:
                    continue
            if seen.into:
                enter = self._begin(device, fence, seen, at, first and not seen.told, record)
                if enter is not None:
                    entered.append((fence, enter))
        device.stays.sort(key=lambda stay: stay.fence)
        return [transition for _, transition in left + entered]

    def _begin(
        self, device: Device, fence: int, seen: Evidence, at: float, first: bool, record: int
    ) -> Transition | None:
        if self.policy.min_inside > 0.0:
            device.stays.append(Stay(fence, ENTERING_FIRST if first else ENTERING, at, at))
            return None
        stay = Stay(fence, INSIDE, at, at)
        device.stays.append(stay)
        return self._caused("enter", device, stay, seen, at, record, initial=first)

    def _held(self, device: Device, stay: Stay, seen: Evidence, at: float, record: int) -> Transition | None:
        if stay.state == UNKNOWN:
            return self._unknown(device, stay, seen, at, record)
        if stay.state in (ENTERING, ENTERING_FIRST):
            if not seen.into:
                device.stays.remove(stay)
            return None
        if not seen.out:
            stay.state = INSIDE
        elif self.policy.min_outside <= 0.0:
            device.stays.remove(stay)
            return self._caused("exit", device, stay, seen, at, record)
        elif stay.state == INSIDE:
            stay.state, stay.since = LEAVING, at
        return None

    def _unknown(self, device: Device, stay: Stay, seen: Evidence, at: float, record: int) -> Transition | None:
        if seen.into and at - stay.since <= self.policy.resume_within:
            stay.state = INSIDE
            dwells = self._dwells[stay.fence]
            while stay.dwell < len(dwells) and stay.visit + dwells[stay.dwell] <= at:
                stay.dwell += 1
            return self._caused("resumed", device, stay, seen, at, record)
        if seen.into or seen.out:
            device.stays.remove(stay)
            return self._caused("ended", device, stay, seen, stay.since, record)
        return None

    def _caused(
        self,
        kind: TransitionKind,
        device: Device,
        stay: Stay,
        seen: Evidence,
        at: float,
        record: int,
        initial: bool = False,
    ) -> Transition:
        fence = self._ids[stay.fence]
        return Transition(
            kind,
            device.name,
            fence,
            at,
            stay.visit,
            record,
            probability=seen.probability,
            metres=seen.metres,
            initial=initial,
        )

    def ended(self, device: Device, stay: Stay, fence: str) -> Transition | None:
        """The fence is gone: the visit ends silently, where there was one."""
        if stay.state in (ENTERING, ENTERING_FIRST):
            return None
        at = stay.since if stay.state == UNKNOWN else device.at
        return Transition("ended", device.name, fence, at, stay.visit, -1)
