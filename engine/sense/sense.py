"""The state of all devices, and how signals and time advance it: in columns where nothing changes, one by one where
something does."""

import math
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter, itemgetter
from typing import Any

import numpy as np

from engine.model.person import Position
from engine.model.pieces import pieces
from engine.model.release import SensePolicy
from engine.model.signal import Signal, Transition
from engine.model.signals import FEW, Signals
from engine.sense import endings, fast
from engine.sense.ahead import Ahead
from engine.sense.arithmetic import Bools, Ints
from engine.sense.carrying import carried
from engine.sense.columns import NEVER, NONE, Devices, Marks, Stays, packed
from engine.sense.fences import FenceSet
from engine.sense.machine import OVER, STATE_NAMES, Device, Evidence, Machine
from engine.sense.names import Names
from engine.sense.positions import SHOWN, Past, position_of
from engine.sense.segment import Segment
from engine.sense.shelf import Shelf
from engine.sense.single import FAR, Single
from engine.sense.swift import Fired, Given, Givers, Swept, Swift, evidence, fired, fired_between, transitions
from engine.sense.tables import VERSION, Tables, read_tables

MANY = 500  # devices from which visits that end with their fences are taken off in columns


_NO_FENCES = FenceSet.compile(())


class Sense:
    """Every device's place, stays and timers. Signals go through ``advance`` and time through ``tick``, in journal
    order; how signals are cut into segments never shows in what comes out."""

    def __init__(self, policy: SensePolicy, tables: Tables | None = None) -> None:
        self.policy = policy
        self.fences = _NO_FENCES
        self._devices, self._stays, self._marks = tables[:3] if tables else (Devices(), Stays(), Marks())
        self._shelf = Shelf(self._devices, self._stays, self._marks)
        self._single = Single(self._shelf, self.fences, policy)
        self._swift, self._givers = fast.swift(self.fences, policy), Givers(self._devices, self._single)
        self._past: Past | None = None
        self._ahead: Ahead | None = None
        self._endings = endings.Endings()
        self.faults: list[tuple[int, str, Exception]] = []  # what failed: record, device ("": columns), why

    @property
    def _machine(self) -> Machine:
        return self._single.machine

    # ------------------------------------------------------------------ signals

    def advance(self, signals: Sequence[Signal], received: Sequence[float]) -> list[Transition]:
        """Apply consecutive signals (``received``: journal time of each). Transitions come in record order; ``record``
        is the index into ``signals``."""
        if ahead := self._foreseen():
            told, failed = ahead.take(len(signals))
            self.faults += failed
            return told
        if self._swift is not None and len(signals):
            return self._by_kernels(self._swift, signals, received)
        if len(signals) <= FEW or self.policy.enter_probability <= 0.5:
            return self._one_by_one(signals, received)
        return self._in_columns(signals, received)

    def foresee(self, signals: Sequence[Signal], received: Sequence[float], until: float) -> None:
        """Apply signals and time up to ``until`` (journal time; all that was due before is over) at once, and let
        ``advance`` and ``tick`` tell what came of it, portion by portion. Everything else must wait until all of it is
        told. Only where kernels are in use; elsewhere nothing happens."""
        if self._swift is None or not len(signals) or len(self._endings):
            return
        try:
            given = self._givers.of(signals, received)
        except Exception:  # it will fail again, where that is told
            return
        timers: Fired = []
        told = self._swept(self._swift, given, signals, received, timers)
        timers += self._elapse(until)
        timers.sort(key=itemgetter(0))
        failed = [fault for fault in self.faults if fault[0] >= 0]  # told with their signals
        self.faults = [fault for fault in self.faults if fault[0] < 0]
        self._ahead = Ahead(len(signals), told, [t for _, t in timers], failed)

    def _foreseen(self) -> Ahead | None:
        """What was found out beforehand, as long as some of it is not told."""
        if self._ahead is not None and self._ahead.over:
            self._ahead = None
        return self._ahead

    def _by_kernels(self, swift: Swift, signals: Sequence[Signal], received: Sequence[float]) -> list[Transition]:
        """All at once, but what is rare."""
        try:
            given = self._givers.of(signals, received)
        except Exception as error:  # nothing is changed yet
            self._failed(-1, "", error)
            return self._one_by_one(signals, received)
        return self._swept(swift, given, signals, received)

    def _swept(
        self,
        swift: Swift,
        given: Given,
        signals: Sequence[Signal],
        received: Sequence[float],
        timers: Fired | None = None,
    ) -> list[Transition]:
        """``timers``: where what is told by timers is put, if they are to fire as time passes between signals."""
        single, queue = self._single, self._shelf.queue
        swept = swift.advance(given, self._devices, self._stays, queue.soonest(), timers is not None)
        self._past = Past(signals, self.policy, given.rows, swept.before, received)
        single.late += swept.late
        if swept.arms:
            queue.arm(*swept.armed)
        out = self._told(swept, given.rows, signals) if swept.tellings else []
        if timers is not None:
            timers += fired_between(swept, given.rows, self._devices.names, self.fences.ids)
        if swept.lefts:
            seen = evidence(swept, given, single.judge)
            for k, judged in swept.left:
                known = seen.get(k, {}) if judged else None
                row = int(given.rows[k])
                if timers is not None and self._devices.received[row] < received[k]:
                    timers += self._ring(row, received[k])
                self._apply(row, signals[k], received[k], k, out, known)
            out.sort(key=attrgetter("record"))
        return out

    def _told(self, swept: Swept, rows: Ints, signals: Sequence[Signal]) -> list[Transition]:
        out = transitions(swept, rows, self._devices.names, self.fences.ids)
        return [self._single.shown(t, signals[t.record]) if t.metres and abs(t.metres) > FAR else t for t in out]

    def _in_columns(self, signals: Sequence[Signal], received: Sequence[float]) -> list[Transition]:
        """What changes nothing all at once, the rest one by one."""
        try:
            segment = Segment(Signals.of(signals), received, self._devices, self.policy)
            stirred = segment.stirred(self._devices, self._single)
        except Exception as error:  # nothing is changed yet
            self._failed(-1, "", error)
            return self._one_by_one(signals, received)
        self._past = Past(signals, self.policy, segment.rows, segment.own)
        self._single.late += int(np.count_nonzero(segment.late & ~stirred))
        again, out = segment.again, list[Transition]()
        moving: list[int] = (stirred | again & ~segment.late).nonzero()[0].tolist()
        if isinstance(signals, Signals):
            signals.each(moving)  # at once: they are asked for one by one now, and again by who is told of them
        for k in moving:
            seen = segment.seen(k) if stirred[k] else {}
            if not self._apply(int(segment.rows[k]), signals[k], received[k], k, out, seen, bool(again[k])):
                segment.late[k] = True  # what failed moves nothing
        try:
            self._arm(segment.settle(self._devices, again))
        except Exception as error:
            self._failed(-1, "", error)
            for k in (~(segment.late | again)).nonzero()[0].tolist():
                if stirred[k]:
                    self._single._place(int(segment.rows[k]), signals[k])
                else:
                    self._apply(int(segment.rows[k]), signals[k], received[k], k, out, {})
        return out

    def _one_by_one(self, signals: Sequence[Signal], received: Sequence[float]) -> list[Transition]:
        out: list[Transition] = []
        past = self._past = Past(signals, self.policy)
        for k, signal in enumerate(signals):
            row = self._devices.one(signal.device)
            past.keep(row, self._devices)
            self._apply(row, signal, received[k], k, out)
        return out

    def _apply(
        self,
        row: int,
        signal: Signal,
        received: float,
        k: int,
        out: list[Transition],
        seen: dict[int, Evidence] | None = None,
        place: bool = True,
    ) -> bool:
        """Apply a signal; one that fails is passed over, as if it had not been sent. Whether it did not."""
        count = len(out)
        try:
            self._single.apply(row, signal, received, k, out, seen, place)
        except Exception as error:
            del out[count:]
            self._failed(k, signal.device, error)
            if self._past is not None:
                self._past.skipped.add(k)
            return False
        return True

    def _failed(self, record: int, device: str, error: Exception) -> None:
        if isinstance(error, MemoryError):
            raise error
        self.faults.append((record, device, error))

    def _arm(self, busy: Ints) -> None:
        """See to it that the timers of these devices are looked at in time."""
        if len(busy):
            self._shelf.queue.arm(busy, self._devices.due(busy, self.policy.silence))

    # ------------------------------------------------------------------ time

    def tick(self, received: float, most: float = math.inf) -> list[Transition]:
        """Fire every timer due at or before this journal time, by journal time due, device and fence. Where more than
        ``most`` devices have one the soonest fire; ``next_due`` is then the time of the next."""
        if ahead := self._foreseen():
            return ahead.fire(received)
        found = self._elapse(received, most)
        self._past = None
        found.sort(key=itemgetter(0))
        return [transition for _, transition in found]

    def _elapse(self, received: float, most: float = math.inf) -> Fired:
        """Fire timers, those of each device in order."""
        found: Fired = []
        rows, received = self._shelf.queue.pop(received, self.policy.silence, most)
        rows.sort()
        if self._swift is not None and rows:
            found, rows = self._fired(self._swift, rows, received)
        for row in rows:
            found += self._ring(row, received)
        return found

    def _ring(self, row: int, received: float) -> Fired:
        """Fire the timers of one device."""
        device = self._shelf.take(row)
        try:
            found = self._fire(device, row, received)
            self._shelf.put(device, self._machine)
        except Exception as error:  # its timers rest until something happens to it
            self._failed(-1, device.name, error)
            self._devices.timer[row], self._devices.live[row] = np.inf, False
            return []
        return found

    def _fired(self, swift: Swift, rows: list[int], received: float) -> tuple[Fired, list[int]]:
        """Let the kernels fire what they can; the rows they left."""
        swept = swift.fire(packed(rows, "q"), received, self._devices, self._stays)
        self._shelf.queue.arm(*swept.armed)
        return fired(swept, rows, self._devices.names, self.fences.ids), [rows[n] for n, _ in swept.left]

    def _fire(self, device: Device, row: int, received: float) -> Fired:
        found: Fired = []
        order = 0
        while (timer := self._machine.next_timer(device)) is not None:
            due = timer.at - device.at + device.received
            if due > received:
                break
            transition = self._machine.fire(device, timer, NONE)
            if transition is not None:
                found.append(((due, row, order), transition))
            order += 1
        return found

    def next_due(self) -> float | None:
        """Journal time of the earliest timer, None where nothing is armed."""
        if self._ahead is not None and (soon := self._ahead.next_due()) is not None:
            return soon
        due = self._shelf.queue.earliest(self.policy.silence)
        return due if not len(self._endings) else min(self._endings.since, math.inf if due is None else due)

    # ------------------------------------------------------------------ releases

    def use(self, fences: FenceSet, policy: SensePolicy, received: float | None = None) -> list[Transition]:
        """Another set of fences and another policy from here on (``received``: journal time; None: when each device was
        last heard of). Stays in fences whose id remains stand; the others end silently (``record`` -1, by device and
        fence). Where they are many, nothing but these must have changed of a device's fences for them to be told later,
        by ``endings``, of which none may be left."""
        old, devices = self.fences, self._devices
        moved, other = fences.moves(old)
        anew = other | (policy != self.policy)
        owner, stay = self._stays.of(devices.head[: devices.size])
        fence, gone = self._stays.fence[stay], moved == NONE
        touched, many = self._having(owner, anew[fence]), np.zeros(devices.size, np.bool_)
        if np.count_nonzero(touched) > MANY:
            one_by_one = self._having(owner, (anew & ~gone[:-1])[fence])
            many, touched = touched & ~one_by_one, one_by_one
        changed = [self._shelf.take(row) for row in touched.nonzero()[0].tolist()]
        try:
            self._bind(fences, policy)
        except Exception:  # all is as it was
            self._bind(old, self.policy)
            raise
        if many.any():
            over = many[owner] & gone[fence]
            self._endings.begin(old.ids, endings.end(self._shelf, owner, stay, over), received or 0.0)
            owner, stay = owner[~over], stay[~over]
        self._shelf.renumber(moved, owner, stay)
        self.fences, self.policy = fences, policy
        out: list[Transition] = []
        for device in changed:
            now = device.at if received is None else max(received - device.received, 0.0) + device.at
            try:
                out.extend(carried(device, old, fences, moved, now, self._machine))
            except Exception as error:  # where it is now is found out with its next fix
                self._failed(-1, device.name, error)
                device.stays = []
            self._shelf.put(device, self._machine)
        self._past = None
        devices.queued[: devices.size][devices.head[: devices.size] == NONE] = NEVER
        return out

    def endings(self, received: float, most: int | None = None, of: Iterable[str] = ()) -> list[Transition]:
        """Of the visits that ended with their fences and were not told yet: so many (None: all), or those of some
        devices. While some are left ``next_due`` is the journal time of the last time this was asked."""
        if not len(self._endings):
            return []
        self._endings.since = received
        devices = list(of)
        if devices:
            return self._endings.of(devices, self._devices)
        return self._endings.take(len(self._endings) if most is None else most, self._devices)

    def hasten(self) -> None:
        """Go by the kernels, if they were loaded meanwhile."""
        self._bind(self.fences, self.policy)

    def _bind(self, fences: FenceSet, policy: SensePolicy) -> None:
        self._single.bind(fences, policy)
        self._swift = fast.swift(fences, policy)

    def _having(self, owner: Ints, wanted: Bools) -> Bools:
        """Devices (by row) with a stay that is wanted (``owner``: of each stay)."""
        some = np.zeros(self._devices.size, np.bool_)
        some[owner[wanted]] = True
        return some

    # ------------------------------------------------------------------ questions

    def position(self, device: str, record: float = -1) -> Position | None:
        """Where the device is, as of that record of the segment just advanced (-1: its newest; half a record less:
        before it); None if unheard of."""
        row = self._devices.names.find(device)
        if row == NONE:
            return None
        if self._ahead is not None:
            record = self._ahead.record(record)
        past = None if self._past is None or record <= -1 else self._past.position(row, record)
        view = self._devices.view
        return past or position_of([view[name][row] for name in SHOWN])

    def clock(self, device: str, received: float) -> float:
        """The device's own time at that journal time; of one unheard of, the journal's."""
        row, devices = self._devices.names.find(device), self._devices
        at, heard = (0.0, 0.0) if row == NONE else (float(devices.at[row]), float(devices.received[row]))
        if self._ahead is not None and self._past is not None:
            at, heard = self._past.clock(row, self._ahead.record(-1)) or (at, heard)
        return received - heard + at if np.isfinite(at) and np.isfinite(heard) else received

    def visits(self, device: str) -> list[dict[str, Any]]:
        """The device's stays, by fence: ``fence``, ``state`` (inside, entering, leaving, unknown, closed), ``since``,
        ``visit`` (None while entering, or while the fence is closed)."""
        row = self._devices.names.find(device)
        if row == NONE:
            return []
        return [
            {
                "fence": self.fences.ids[stay.fence],
                "state": STATE_NAMES[stay.state],
                "since": stay.since,
                "visit": None if STATE_NAMES[stay.state] in ("entering", "closed") else stay.visit,
            }
            for stay in self._shelf.take(row).stays
            if stay.state != OVER
        ]

    def late(self) -> int:
        """Signals that came after newer ones of their device, and so changed nothing."""
        return self._single.late

    def strange(self) -> int:
        """Region reports of fences that do not exist."""
        return self._single.strange

    @property
    def names(self) -> Names:
        """Who has which row."""
        return self._devices.names

    def devices(self) -> int:
        """Devices ever heard of."""
        return self._devices.size

    # ------------------------------------------------------------------ checkpoints

    def dump(self) -> bytes:
        """The whole state, columns as bytes."""
        return b"".join(self.pieces())

    def pieces(self) -> Iterator[bytes]:
        """The same bit by bit. The state must not change meanwhile."""
        return pieces(
            {
                "version": VERSION,
                "names": self._devices.names.dump(),
                "fences": self.fences.ids,
                "devices": self._devices.dump(),
                "stays": self._stays.dump(),
                "free": self._stays.free,
                "marks": self._marks.dump(),
                "free_marks": self._marks.free,
                "endings": self._endings.dump(),
                "late": self._single.late,
                "strange": self._single.strange,
            }
        )

    @classmethod
    def load(cls, blob: bytes | memoryview, policy: SensePolicy, fences: FenceSet) -> "Sense":
        """The inverse of ``dump``, under the fences and policy in force then; ValueError on another format."""
        return cls.of(read_tables(blob), policy, fences)

    @classmethod
    def of(cls, tables: Tables, policy: SensePolicy, fences: FenceSet) -> "Sense":
        """The same of a dump whose tables were read already."""
        sense = cls(policy, tables)
        devices, stays, marks, dump = tables
        sense.fences = fences
        sense._bind(fences, policy)
        sense._single.late, sense._single.strange = dump.late, dump.strange
        if dump.endings is not None:
            sense._endings.load(dump.endings)
        if dump.fences != fences.ids:
            moved = np.array([fences.find(name) for name in dump.fences] + [NONE], np.int64)
            for table in (stays, marks):
                table.fence[: table.size] = moved[table.fence[: table.size]]
        sense._shelf.restore(*stays.of(devices.head[: devices.size]))
        devices.queued[: devices.size] = NEVER
        sense._arm((devices.live[: devices.size] | (devices.timer[: devices.size] < np.inf)).nonzero()[0])
        return sense
