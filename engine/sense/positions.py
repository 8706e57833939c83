"""Positions as the columns keep them: what hardly matters to the last digit takes four bytes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from msgspec.structs import replace

from engine.model.person import Position
from engine.model.release import SensePolicy
from engine.model.signal import Signal
from engine.model.signals import Signals
from engine.sense.arithmetic import Ints
from engine.sense.columns import Devices
from engine.sense.stops import Stand

SHOWN = ("fixed", "lat", "lon", "accuracy", "speed", "heading", "altitude", "battery", "still")
_BEFORE = ("at", *SHOWN, "stand_lat", "stand_lon", "stand_since")


def position_of(shown: list[Any]) -> Position:
    """A position from column values, in the order of ``SHOWN``; NaN is None."""
    at, lat, lon, accuracy, speed, heading, altitude, battery, still = shown
    return Position(
        _number(at),
        _number(lat),
        _number(lon),
        _number(accuracy),
        speed=_short(speed),
        heading=_short(heading),
        altitude=_short(altitude),
        battery=_short(battery),
        still=_number(still),
    )


def after(held: Position, signal: Signal, still: float) -> Position:
    """The position once a signal is applied: a fix replaces all but the battery, which stays until told anew."""
    battery = held.battery if signal.battery is None else _kept(signal.battery)
    if signal.lat is None:
        return replace(held, battery=battery)
    return Position(
        signal.at,
        signal.lat,
        signal.lon,
        signal.accuracy,
        speed=_kept(signal.speed),
        heading=_kept(signal.heading),
        altitude=_kept(signal.altitude),
        battery=battery,
        still=_number(still),
    )


def _number(value: Any) -> float | None:
    return None if value != value else float(value)


def _short(value: Any) -> float | None:
    """A number kept in four bytes, as it was written (to six digits)."""
    return None if value != value else float(f"{value:.6g}")


def _kept(value: float | None) -> float | None:
    return None if value is None else _short(np.float32(value))


class Past:
    """Where the devices of a segment were before it: what ``position`` needs to tell of its records. ``rows``,
    ``own``: the devices of a whole segment, where they are known beforehand, as they were."""

    def __init__(
        self,
        signals: Sequence[Signal],
        policy: SensePolicy,
        rows: Ints | None = None,
        own: Any = None,
        received: Sequence[float] = (),
    ) -> None:
        self._received = received
        self._signals, self._policy, self._rows, self._own = signals, policy, rows, own
        self._kept: dict[int, tuple[list[float], list[int]]] = {}  # row -> (at and SHOWN before, its signals)
        self._size = 0
        self.skipped: set[int] = set()  # signals that could not be applied

    def keep(self, row: int, devices: Devices) -> None:
        """The next signal is one of this device; nothing of it is applied yet."""
        if row not in self._kept:
            view = devices.view
            self._kept[row] = [view[name][row] for name in _BEFORE], []
        self._kept[row][1].append(self._size)
        self._size += 1

    def position(self, row: int, record: float) -> Position | None:
        """As of that record; None where the segment knows nothing of the device, or nothing newer: it is as it stands
        in the columns."""
        if self._rows is None:
            before, hits = self._kept.get(row, ([], []))
        else:
            before, hits = [], (self._rows == row).nonzero()[0].tolist()
        if not hits or hits[-1] <= record:
            return None
        if self._rows is not None:
            before = [float(self._own[name][hits[0]]) for name in _BEFORE]
        newest, *shown, lat, lon, since = before
        held, stand, policy = position_of(shown), Stand(lat, lon, since, shown[-1]), self._policy
        for k in hits:
            signal = self._signals[k]
            if k > record or signal.at < newest or k in self.skipped:
                continue
            if signal.lat is not None and signal.lon is not None:
                accuracy = policy.default_accuracy if signal.accuracy is None else signal.accuracy
                stand = stand.then(signal.lat, signal.lon, accuracy, signal.at, policy.silence).kept()
            held, newest = after(held, signal, stand.still), signal.at
        return held

    def clock(self, row: int, record: float) -> tuple[float, float] | None:
        """The newest time that a device told by then, and when it was received; None as for ``position``. Of a segment
        whose devices were known beforehand."""
        hits = [] if self._rows is None else (self._rows == row).nonzero()[0].tolist()
        if not hits or hits[-1] <= record:
            return None
        at, heard = (float(self._own[name][hits[0]]) for name in ("at", "received"))
        signals = self._signals
        for k in hits:
            told = float(signals.numbers[0, k]) if isinstance(signals, Signals) else signals[k].at
            if k <= record and told >= at and k not in self.skipped:
                at, heard = told, self._received[k]
        return at, heard
