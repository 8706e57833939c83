"""The kernels at work: all that signals and time do to devices, by numba's loops (``herenow[fast]``)."""

import math
from collections.abc import Sequence
from struct import Struct
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from engine.model.release import SensePolicy
from engine.model.signal import Signal, Transition
from engine.model.signals import FEW, NUMBERS, Signals, numbers_of
from engine.sense.arithmetic import Floats, Ints, scale_table
from engine.sense.columns import NONE, Devices, Stays, packed
from engine.sense.context import CALL, CONTEXT, MORE_STAYS, MORE_TOLD, TOLD
from engine.sense.fences import FenceSet
from engine.sense.fixes import Fixes
from engine.sense.ground import GROUND, ROUND
from engine.sense.index import SLOT
from engine.sense.machine import KINDS, Evidence
from engine.sense.mass import SIGMA_PER_ACCURACY, edge_table, small_table, wide_table
from engine.sense.names import Names
from engine.sense.segment import Segment
from engine.sense.single import Single
from engine.sense.verdict import KNOWN, Judge, Pairs, Thresholds

Fired = list[tuple[tuple[float, int, int], Transition]]  # what timers told, each with what it is sorted by
_FIRST = 64  # rows of what is found, to begin with
_NONE_FORCED = np.zeros(0, np.uint8)
_KINDS: dict[str, Any] = {  # floats but for these
    "devices": Devices.row(),
    "before": Devices.row(),
    "stays": Stays.row(),
    "told": TOLD,
    "fences": GROUND,
    "rounds": ROUND,
    "slots": SLOT,
    "members": np.int32,
    "bounds": np.int8,
    **dict.fromkeys(("knowns", "levels", "pairs", "spare", "left", "armed"), np.int64),
}


class Given(NamedTuple):
    """Signals: rows of their devices, their ``NUMBERS`` (a row each, one after the other in memory), when they were
    received, and which of them the kernels are to leave (empty: none)."""

    rows: Ints
    numbers: Floats
    received: Floats
    forced: Any


class Swept:
    """What came of signals: how many were ``late``, came after newer ones of their device; how much else there is."""

    __slots__ = ("_held", "arms", "late", "lefts", "spares", "tellings")

    def __init__(self, held: dict[str, Any], tellings: int, lefts: int, spares: int, arms: int, late: int) -> None:
        self._held, self.tellings, self.lefts, self.spares, self.arms = held, tellings, lefts, spares, arms
        self.late = late

    @property
    def before(self) -> Any:
        """The row of each signal's device as it was."""
        return self._held["before"]

    @property
    def told(self) -> list[tuple[Any, ...]]:
        """Rows of ``TOLD``."""
        rows: list[tuple[Any, ...]] = self._held["told"][: self.tellings].tolist()
        return rows

    @property
    def left(self) -> list[tuple[int, int]]:
        """Signals that are not applied, and whether what is to be known of them is among the ``spare`` pairs."""
        rows: list[tuple[int, int]] = self._held["left"][: self.lefts].tolist()
        return rows

    @property
    def spare(self) -> tuple[Ints, Floats]:
        """Pairs of signals that are left: signal, fence, what is known, and what came of it (-1: it is yet to be
        judged; else a row of the second: into, out, probability, metres)."""
        return self._held["spare"][: self.spares], self._held["spare_seen"][: self.spares]

    @property
    def armed(self) -> tuple[Ints, Floats]:
        """Rows whose timers are to be looked at, and by when."""
        return self._held["armed"][: self.arms], self._held["armed_due"][: self.arms]


class Swift:
    """Kernels with what they need of fences and policy, and room for what they find."""

    def __init__(self, made: ModuleType, fences: FenceSet, policy: SensePolicy) -> None:
        self._made, limits = made, Thresholds(policy)
        self._context = np.zeros(1, CONTEXT)
        self._fields: Any = self._context[0]
        self._call = self._context.view(np.uint8).data
        self._held: dict[str, Any] = {}
        self._fields["limits"] = (
            *(limits.enter, limits.exit, limits.surely_in, limits.surely_not_in, limits.surely_out),
            *(limits.surely_not_out, policy.silence, policy.max_accuracy, SIGMA_PER_ACCURACY, policy.default_accuracy),
            *(policy.min_inside, policy.min_outside, policy.resume_within),
        )
        self._fields["width"] = fences.dwell_table.shape[1]
        self._fields["travelled"] = bool(fences.crossed or fences.approached)
        tables = {"scale": scale_table(), "edges": edge_table(), "wide": wide_table(), "small": small_table()}
        given = {**fences.ground._asdict(), **tables, "knowns": KNOWN, "dwells": fences.dwell_table}
        found = {"told": np.zeros(_FIRST, TOLD), **_pairs(_FIRST), **self._of_signals(_FIRST)}
        for name, array in (given | found).items():
            self._hold(name, array)

    def _hold(self, name: str, array: Any) -> None:
        """Keep an array, and tell the kernels where it lies. They go by the address alone: TypeError where it is not
        what they take it for."""
        if not array.flags.c_contiguous or array.dtype != _KINDS.get(name, np.float64):
            raise TypeError(f"the kernels cannot read {name}: {array.dtype}")
        self._held[name] = array
        self._fields[name], self._fields[f"n_{name}"] = array.ctypes.data, len(array)

    def _of_signals(self, count: int) -> dict[str, Any]:
        """Room for what there is of each signal."""
        kinds = {"before": Devices.row(), "left": np.dtype((np.int64, 2)), "armed": np.int64, "armed_due": np.float64}
        return {name: np.zeros(count, kind) for name, kind in kinds.items()}

    def advance(self, given: Given, devices: Devices, stays: Stays, soon: float, passing: bool = False) -> Swept:
        """Apply signals, but for what is not for the kernels. ``soon``: journal time of the next timer; who comes
        sooner is armed. ``passing``: time passes between signals, so timers of their devices that are due by the
        journal fire before them; what these tell has the complement of the signal that they came before."""
        self._begin(len(given.rows), devices, stays, soon)
        self._fields["passing"] = passing
        while ends := self._made.advance(self._context, *given):
            self._enlarge(ends, stays)
        return self._end(stays)

    def fire(self, rows: Ints, received: float, devices: Devices, stays: Stays) -> Swept:
        """Fire the timers of these devices that are due by a journal time. What is told and left is by the place among
        the rows."""
        self._begin(len(rows), devices, stays, -math.inf)
        while ends := self._made.fire(self._context, rows, received):
            self._enlarge(ends, stays)
        return self._end(stays)

    def _begin(self, count: int, devices: Devices, stays: Stays, soon: float) -> None:
        held, ready = self._held, stays.room(1)
        if len(held["before"]) < count:
            for name, array in self._of_signals(count).items():
                self._hold(name, array)
        if held.get("devices") is not devices.table:
            self._hold("devices", devices.table)
        if held.get("stays") is not stays.table:
            self._hold("stays", stays.table)
        CALL.pack_into(self._call, 0, soon, 0, 0, 0, 0, 0, 0, stays.size, stays.free, ready, 0)

    def _end(self, stays: Stays) -> Swept:
        _, _, told, lefts, spares, arms, late, stays.size, stays.free, *_ = CALL.unpack_from(self._call)
        return Swept(self._held, told, lefts, spares, arms, late)

    def _enlarge(self, ends: int, stays: Stays) -> None:
        """Make more room of what was too little."""
        fields, wanted = self._fields, 2 * int(self._fields["wanted"])
        if ends == MORE_STAYS:
            stays.size = int(fields["size"])
            fields["ready"] = stays.room(wanted)
            self._hold("stays", stays.table)
            return
        larger = {"told": np.zeros(wanted, TOLD)} if ends == MORE_TOLD else _pairs(wanted)
        for name, array in larger.items():
            array[: len(self._held[name])] = self._held[name]
            self._hold(name, array)


def _pairs(count: int) -> dict[str, Any]:
    """Room for pairs of signal and fence."""
    numbers = {name: np.zeros((count, 4), np.int64) for name in ("pairs", "spare")}
    return {**numbers, **{name: np.zeros((count, 4)) for name in ("seen", "spare_seen")}}


class Givers:
    """Makes signals what the kernels want them to be."""

    def __init__(self, devices: Devices, single: Single) -> None:
        self._devices, self._single = devices, single
        self._handfuls = [Handful(count) for count in range(FEW + 1)]

    def of(self, signals: Sequence[Signal], received: Sequence[float]) -> Given:
        """Unknown devices get their rows. Holds until it is asked again."""
        if type(signals) is Signals:
            given = Given(self._devices.rows_of(signals), signals.numbers, packed(received, "d"), _NONE_FORCED)
            left = [k for k, more in signals.more.items() if more.reported is not None]
        else:
            handful = self._handfuls[len(signals)] if len(signals) <= FEW else Handful(len(signals))
            given = handful.fill(signals, received, self._devices)
            left = [k for k, signal in enumerate(signals) if signal.reported is not None]
        if left or self._single.travelled:
            return given._replace(forced=self._forced(signals, received, left))
        return given

    def _forced(self, signals: Sequence[Signal], received: Sequence[float], left: list[int]) -> Any:
        single, forced = self._single, np.zeros(len(signals), np.bool_)
        if single.travelled:
            forced = Segment(Signals.of(signals), received, self._devices, single.policy).travelled(
                self._devices, single
            )
        forced[left] = True
        return forced.view(np.uint8)


class Handful:
    """Room for a few signals, to be used again: arrays are dear to make."""

    def __init__(self, count: int) -> None:
        whole = np.zeros(count * (2 + len(NUMBERS)))
        self._view, self._kind = whole.view(np.uint8).data, Struct(f"{count}q{len(whole) - count}d")
        rows, times, numbers = whole[:count], whole[count : 2 * count], whole[2 * count :]
        self.given = Given(rows.view(np.int64), numbers.reshape(len(NUMBERS), count), times, _NONE_FORCED)

    def fill(self, signals: Sequence[Signal], received: Sequence[float], devices: Devices) -> Given:
        """Put down so many signals."""
        rows = [devices.one(signal.device) for signal in signals]
        self._kind.pack_into(self._view, 0, *rows, *received, *numbers_of(signals))
        return self.given


def evidence(swept: Swept, given: Given, judge: Judge) -> dict[int, dict[int, Evidence]]:
    """What the fixes of signals that were left say of fences, by signal and fence."""
    found: dict[int, dict[int, Evidence]] = {}
    spare, told = swept.spare
    for (k, fence, _, outcome), (into, out, mass, metres) in zip(spare.tolist(), told.tolist(), strict=True):
        if outcome > 0:
            found.setdefault(k, {})[fence] = Evidence(into > 0.0, out > 0.0, mass, metres)
    at, fences, known, _ = spare[spare[:, 3] < 0].T
    if len(at):
        lat, lon, accuracy = given.numbers[1:4, at]
        precise = np.where(np.isnan(accuracy), judge.policy.default_accuracy, accuracy)
        nothing = np.zeros(0)
        unsure = Pairs(np.arange(len(at)), fences, known, np.zeros(len(at)), nothing, nothing)
        for k, area, seen in judge.many(Fixes(lon, lat, precise), unsure):
            found.setdefault(int(at[k]), {})[area] = seen
    return found


def transitions(swept: Swept, rows: Ints, names: Names, ids: Sequence[str]) -> list[Transition]:
    """What signals told, in words (``names``: of devices, by row; ``ids``: of fences)."""
    found = []
    for at, visit, seconds, probability, metres, due, k, fence, kind, initial in swept.told:
        if k < 0:
            continue
        sure, away = None if probability != probability else probability, None if metres != metres else metres
        when = None if due != due else due
        found.append(
            Transition(KINDS[kind], names[rows[k]], ids[fence], at, visit, k, seconds, sure, away, initial, when)
        )
    return found


def fired(swept: Swept, rows: list[int], names: Names, ids: Sequence[str]) -> Fired:
    """What timers told, by journal time due, row, order."""
    found: Fired = []
    for order, (at, visit, seconds, _, _, due, k, fence, kind, initial) in enumerate(swept.told):
        told = Transition(KINDS[kind], names[rows[k]], ids[fence], at, visit, NONE, seconds, initial=initial, due=due)
        found.append(((due, rows[k], order), told))
    return found


def fired_between(swept: Swept, rows: Ints, names: Names, ids: Sequence[str]) -> Fired:
    """What timers told between signals (``rows``: of their devices)."""
    found: Fired = []
    for order, (at, visit, seconds, _, _, due, k, fence, kind, initial) in enumerate(swept.told):
        if k < 0:
            row = int(rows[~k])
            told = Transition(KINDS[kind], names[row], ids[fence], at, visit, NONE, seconds, initial=initial, due=due)
            found.append(((due, row, order), told))
    return found
