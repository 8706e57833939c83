"""Positions as the columns keep them: what hardly matters to the last digit takes four bytes."""

from typing import Any

import numpy as np
from msgspec.structs import replace

from engine.model.person import Position
from engine.model.signal import Signal

SHOWN = ("fixed", "lat", "lon", "accuracy", "speed", "heading", "altitude", "battery")


def position_of(shown: list[Any]) -> Position:
    """A position from column values, in the order of ``SHOWN``; NaN is None."""
    at, lat, lon, accuracy, speed, heading, altitude, battery = shown
    return Position(
        _number(at),
        _number(lat),
        _number(lon),
        _number(accuracy),
        speed=_short(speed),
        heading=_short(heading),
        altitude=_short(altitude),
        battery=_short(battery),
    )


def after(held: Position, signal: Signal) -> Position:
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
    )


def _number(value: Any) -> float | None:
    return None if value != value else float(value)


def _short(value: Any) -> float | None:
    """A number kept in four bytes, as it was written (to six digits)."""
    return None if value != value else float(f"{value:.6g}")


def _kept(value: float | None) -> float | None:
    return None if value is None else _short(np.float32(value))
