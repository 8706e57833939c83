"""One device and its fences: what evidence and time do to a stay. Pure: objects in, transitions out.

outside ──in──► entering ──min_inside──► inside ◄──in/between──► leaving ──min_outside──► outside
                                          │ silence (also from leaving)
                                          ▼
                                       unknown ──in──► inside again · ──out──► over, silently

A fence with hours: in while it is closed ──► closed ──it opens──► inside · ──out──► outside. When it closes the visit
is over, silently.

A timer may tell that a visit is over before a fix comes that is older: until the device's clock has passed that instant
the stay is kept as *over*, so that no visit of the fence begins before it.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from engine.model.release import SensePolicy
from engine.model.signal import Transition, TransitionKind
from engine.sense.hours import Hours

INSIDE, LEAVING, ENTERING, ENTERING_FIRST, UNKNOWN, CLOSED, OVER = 1, 2, 3, 4, 5, 6, 7
QUIET = (UNKNOWN, OVER)  # no timer touches them
PLAIN = (INSIDE, CLOSED)  # nothing but being outside changes them
STATE_NAMES = {
    INSIDE: "inside",
    LEAVING: "leaving",
    ENTERING: "entering",
    ENTERING_FIRST: "entering",
    UNKNOWN: "unknown",
    CLOSED: "closed",
}
KINDS: tuple[TransitionKind, ...] = ("enter", "exit", "dwell", "lost", "resumed", "ended")  # by number, in columns
_DWELL, _EXIT, _CLOSE, _ENTER, _LOST, _OPEN = range(6)


class Stay:
    """One device in, or perhaps in, one fence (by position). See ``Stays`` for the fields."""

    __slots__ = ("dwell", "fence", "since", "state", "visit")

    def __init__(self, fence: int, state: int, visit: float, since: float, dwell: int = 0) -> None:
        self.fence, self.state, self.visit, self.since, self.dwell = fence, state, visit, since, dwell


class Mark:
    """An approach that counts no more: the fence, the wish (metres, or seconds below zero), and how many metres away
    the device must have been before it does again."""

    __slots__ = ("beyond", "fence", "wish")

    def __init__(self, fence: int, wish: float, beyond: float) -> None:
        self.fence, self.wish, self.beyond = fence, wish, beyond


class Device:
    """One device taken out of the columns while something happens to it; stays in fence order."""

    __slots__ = ("at", "heard", "mark_rows", "marks", "name", "placed", "received", "row", "rows", "stays", "told")

    def __init__(self, row: int, name: str, at: float, received: float, heard: float, placed: bool) -> None:
        self.row, self.name, self.at, self.received, self.heard, self.placed = row, name, at, received, heard, placed
        self.told = -math.inf
        self.stays: list[Stay] = []
        self.marks: list[Mark] = []
        self.rows: list[int] = []  # where the stays were kept
        self.mark_rows: list[int] = []


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
    """The rules of stays under one policy and one set of fences (their ids and dwell durations, by position; hours of
    those that have some; ``silent``: those that open without an enter for who is inside)."""

    def __init__(
        self,
        policy: SensePolicy,
        ids: Sequence[str],
        dwells: Sequence[tuple[float, ...]],
        hours: Mapping[int, Hours] | None = None,
        silent: Collection[int] = (),
    ) -> None:
        self.policy, self._ids, self._dwells, self._hours, self._silent = policy, ids, dwells, hours or {}, silent

    def open(self, fence: int, at: float) -> bool:
        """Whether the fence counts at that instant."""
        hours = self._hours.get(fence)
        return hours is None or hours.open(at)

    # ------------------------------------------------------------------ time

    def timer(self, stay: Stay) -> Timer | None:
        """The next timer of a stay but silence."""
        return min(self._timers(stay), default=None)

    def _timers(self, stay: Stay) -> list[Timer]:
        policy, state, fence, found = self.policy, stay.state, stay.fence, list[Timer]()
        if state in QUIET:
            return found
        hours = self._hours.get(fence)
        if state == CLOSED:
            if hours is not None and fence not in self._silent and (opens := hours.change(stay.since)) < math.inf:
                found.append(Timer(opens, fence, _OPEN))
            return found
        if (
            hours is not None
            and (closes := hours.change(stay.since) if hours.open(stay.since) else stay.since) < math.inf
        ):
            found.append(Timer(closes, fence, _CLOSE))
        if state in (ENTERING, ENTERING_FIRST):
            found.append(Timer(stay.since + policy.min_inside, fence, _ENTER))
            return found
        if state == LEAVING:
            found.append(Timer(stay.since + policy.min_outside, fence, _EXIT))
        dwells = self._dwells[fence]
        if stay.dwell < len(dwells):
            found.append(Timer(stay.visit + dwells[stay.dwell], fence, _DWELL))
        return found

    def due(self, stay: Stay) -> float:
        """When the next timer of a stay but silence runs out; infinite where there is none."""
        if stay.fence not in self._hours and stay.dwell >= len(self._dwells[stay.fence]):
            if stay.state == INSIDE:
                return math.inf
            if stay.state == LEAVING:
                return stay.since + self.policy.min_outside
        timer = self.timer(stay)
        return math.inf if timer is None else timer.at

    def next_timer(self, device: Device) -> Timer | None:
        """The next timer of a device, silence among them."""
        best: Timer | None = None
        for stay in device.stays:
            own = self.timer(stay)
            if stay.state not in QUIET:
                lost = Timer(device.heard + self.policy.silence, stay.fence, _LOST)
                own = lost if own is None else min(own, lost)
            if own is not None and (best is None or own < best):
                best = own
        return best

    def fire(self, device: Device, timer: Timer, record: int) -> Transition | None:
        """Let a timer run out; None where nobody needs to hear of it."""
        stay = next(s for s in device.stays if s.fence == timer.fence)
        due = timer.at - device.at + device.received
        seconds, initial, visit = 0.0, False, stay.visit
        kind: TransitionKind
        if timer.rank == _DWELL:
            kind, seconds = "dwell", self._dwells[stay.fence][stay.dwell]
            stay.dwell += 1
        elif timer.rank == _EXIT:
            kind = "exit"
            self._over(device, stay, timer.at, device.at)
        elif timer.rank == _ENTER:
            kind, initial, visit = "enter", stay.state == ENTERING_FIRST, timer.at
            stay.state, stay.visit = INSIDE, visit
        elif timer.rank == _OPEN:
            kind, visit = "enter", timer.at
            stay.state, stay.visit, stay.since = INSIDE, visit, timer.at
        elif timer.rank == _CLOSE:
            kind = "ended"
            if not self._shut(device, stay, timer.at):
                return None
        elif stay.state == CLOSED:
            self._over(device, stay, stay.since, device.at)
            return None
        elif stay.state in (ENTERING, ENTERING_FIRST):
            device.stays.remove(stay)
            return None
        else:
            kind = "lost"
            stay.state, stay.since = UNKNOWN, max(device.heard, stay.visit)
        fence = self._ids[stay.fence]
        return Transition(kind, device.name, fence, timer.at, visit, record, seconds=seconds, initial=initial, due=due)

    def _shut(self, device: Device, stay: Stay, at: float) -> bool:
        """The fence closes: who is inside waits for it to open; whether a visit is over by that."""
        visited = stay.state in (INSIDE, LEAVING)
        if stay.state == LEAVING:
            self._over(device, stay, at, device.at)
        else:
            stay.state, stay.since, stay.dwell = CLOSED, at, 0
        return visited

    def _over(self, device: Device, stay: Stay, at: float, now: float) -> None:
        """The stay is over at an instant, by the clock of a device that may be behind it."""
        if at > now:
            stay.state, stay.since, stay.dwell = OVER, at, 0
        else:
            device.stays.remove(stay)

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
                since = at if stay is None or stay.state != OVER else max(at, stay.since)
                enter = self._begin(device, fence, seen, since, first and not seen.told, record)
                if enter is not None:
                    entered.append((fence, enter))
        device.stays.sort(key=lambda stay: stay.fence)
        return [transition for _, transition in left + entered]

    def _begin(
        self, device: Device, fence: int, seen: Evidence, at: float, first: bool, record: int
    ) -> Transition | None:
        at = max(at, device.told)
        if not self.open(fence, at):
            device.stays.append(Stay(fence, CLOSED, at, at))
            return None
        if self.policy.min_inside > 0.0:
            device.stays.append(Stay(fence, ENTERING_FIRST if first else ENTERING, at, at))
            return None
        stay = Stay(fence, INSIDE, at, at)
        device.stays.append(stay)
        return self._caused("enter", device, stay, seen, at, record, initial=first)

    def _held(self, device: Device, stay: Stay, seen: Evidence, at: float, record: int) -> Transition | None:
        if stay.state == UNKNOWN:
            return self._unknown(device, stay, seen, at, record)
        if stay.state == OVER:
            if seen.into or at >= stay.since:
                device.stays.remove(stay)
            return None
        if stay.state == CLOSED:
            if seen.out:
                self._over(device, stay, stay.since, at)
            return None
        if stay.state in (ENTERING, ENTERING_FIRST):
            if not seen.into:
                device.stays.remove(stay)
            return None
        now, at = at, max(at, stay.visit)
        if not seen.out:
            stay.state = INSIDE
        elif self.policy.min_outside <= 0.0:
            self._over(device, stay, at, now)
            return self._caused("exit", device, stay, seen, at, record)
        elif stay.state == INSIDE:
            stay.state, stay.since = LEAVING, at
        return None

    def _unknown(self, device: Device, stay: Stay, seen: Evidence, at: float, record: int) -> Transition | None:
        hours = self._hours.get(stay.fence)
        closed = hours is not None and hours.change(stay.since) <= at
        if seen.into and at - stay.since <= self.policy.resume_within and not closed:
            stay.state = INSIDE
            dwells = self._dwells[stay.fence]
            while stay.dwell < len(dwells) and stay.visit + dwells[stay.dwell] <= at:
                stay.dwell += 1
            return self._caused("resumed", device, stay, seen, max(at, stay.visit), record)
        if seen.into or seen.out:
            over = self._caused("ended", device, stay, seen, stay.since, record)
            self._over(device, stay, stay.since, at)
            if stay.state == OVER and seen.into:
                device.stays.remove(stay)
            return over
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
        if stay.state in (ENTERING, ENTERING_FIRST, CLOSED, OVER):
            return None
        at = stay.since if stay.state == UNKNOWN else max(device.at, stay.visit)
        if at > device.at:
            device.told = max(device.told, at)
        return Transition("ended", device.name, fence, at, stay.visit, -1)

    def rescheduled(self, device: Device, stay: Stay, now: float) -> tuple[bool, Transition | None]:
        """The fence has other hours from here on (``now``, by the device's clock): whether the stay goes on, and what
        that ends."""
        open_ = self.open(stay.fence, now)
        if stay.state in QUIET or open_ == (stay.state != CLOSED):
            stay.since = now if stay.state in PLAIN else stay.since
            return True, None
        if open_:  # the next fix inside is an enter, but none before the visit that is told of was over
            stay.state, stay.dwell = OVER, 0
            return stay.since > device.at, None
        ended = self.ended(device, stay, self._ids[stay.fence])
        stays = stay.state != LEAVING
        stay.state, stay.since, stay.dwell = CLOSED, now, 0
        return stays, ended
