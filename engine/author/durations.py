"""Amounts as people write them: durations, distances, sizes, caps, shares."""

import math
import re
from functools import lru_cache
from typing import Literal

from engine.author.report import TextError, clip, did_you_mean, nearest
from engine.model.rule import Cap

UNITS: dict[str, float] = {}
for _names, _seconds in (
    ("s sec secs second seconds", 1.0),
    ("m min mins minute minutes", 60.0),
    ("h hr hrs hour hours", 3600.0),
    ("d day days", 86400.0),
    ("w week weeks", 604800.0),
    ("mo month months", 2592000.0),
):
    UNITS.update(dict.fromkeys(_names.split(), _seconds))

METRES = {"m": 1.0, "metre": 1.0, "metres": 1.0, "meter": 1.0, "meters": 1.0, "km": 1000.0}
METRES |= {"kilometre": 1000.0, "kilometres": 1000.0, "kilometer": 1000.0, "kilometers": 1000.0}
_BYTES = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_BYTES |= {"kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}

_AMOUNT = re.compile(r"\s*(\d{1,12}(?:\.\d{1,9})?)\s*([^\W\d_]*)\s*(?:and\s+|,\s*)?")
_CAP = re.compile(r"(\d{1,9})\s*(?:times?\s+)?(?:per|/|an?|every|in)\s*(.+)", re.IGNORECASE)
_SHARE = re.compile(r"(\d{1,3}(?:\.\d{1,6})?)\s*%")
_LONGEST = 3660 * 86400.0
_DURATION_FIX = "Write for example 15 minutes, 2 hours or 7 days (units s m h d w mo)."
_CAP_FIX = "Write for example 3 per day, 1 per 6 hours or 10 per 7 days."


@lru_cache(maxsize=4096)  # a thousand rules share few durations, caps, targets and times of day
def parse_duration(text: str) -> float:
    """``15 minutes``, ``15m``, ``1 hour 30 minutes``, ``0s``: seconds. A month is 30 days. Raises ``TextError``."""
    text = text.strip()
    if text == "0":
        return 0.0
    total, at = 0.0, 0
    while at < len(text) or at == 0:
        found = _AMOUNT.match(text, at)
        if found is None:
            raise TextError(f"'{clip(text)}' is not a duration.", _DURATION_FIX, at)
        total += float(found[1]) * _unit(found[2], text, found.start(2))
        at = found.end()
    if not math.isfinite(total) or total > _LONGEST:
        raise TextError(f"'{clip(text)}' is longer than ten years.", _DURATION_FIX)
    return total


def _unit(unit: str, text: str, column: int) -> float:
    seconds = UNITS.get(unit.lower())
    if seconds is not None:
        return seconds
    if not unit:
        raise TextError(f"'{clip(text)}' has no unit.", _DURATION_FIX, column)
    raise TextError(f"'{unit}' is not a unit of time.", f"{did_you_mean(unit, UNITS)} {_DURATION_FIX}".strip(), column)


def parse_span(text: str) -> float:
    """A duration in which ``day`` alone means one day: for ``in the last day`` and ``per hour``."""
    seconds = UNITS.get(text.strip().lower())
    return parse_duration(text) if seconds is None else seconds


def duration_text(seconds: float) -> str:
    """Seconds as an author would write them."""
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        if seconds >= size and seconds % size == 0:
            count = int(seconds // size)
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return f"{seconds:g} seconds"


def parse_metres(text: str) -> float:
    """``300 m``, ``1.5 km``: metres. Raises ``TextError``."""
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,6})?)\s*([a-z]*)", text.strip().lower())
    size = METRES.get(found[2]) if found else None
    if found is None or size is None:
        raise TextError(f"'{clip(text)}' is not a distance.", "Write for example 300 m or 1.5 km.")
    return float(found[1]) * size


def parse_size(text: str) -> int:
    """``8MB``, ``20 GB``, ``64KiB``: bytes. Raises ``TextError``."""
    found = re.fullmatch(r"(\d{1,15}(?:\.\d{1,6})?)\s*([a-z]*)", text.strip().lower())
    size = _BYTES.get(found[2]) if found else None
    if found is None or size is None:
        raise TextError(f"'{clip(text)}' is not a size.", "Write for example 500KB, 8MB or 20GB.")
    return int(float(found[1]) * size)


@lru_cache(maxsize=4096)
def parse_cap(text: str) -> Cap:
    """``3 per day`` (the person's calendar day), ``3 per week``, ``1 per 6 hours`` (rolling). Raises ``TextError``."""
    found = _CAP.fullmatch(text.strip())
    if found is None:
        raise TextError(f"'{clip(text)}' is not a cap.", _CAP_FIX)
    count, window = int(found[1]), found[2].strip().lower()
    if count < 1:
        raise TextError("A cap of 0 would never let anything through.", "Use status: paused to stop a rule.")
    if window in ("day", "d"):
        return Cap(count, "day")
    if window in ("week", "w"):
        return Cap(count, "week")
    try:
        seconds = parse_span(window)
    except TextError as error:
        near = nearest(window, UNITS)
        fix = f"Did you mean '{near}'?" if near else _CAP_FIX
        raise TextError(f"'{clip(window)}' is no time for a cap.", fix, found.start(2)) from error
    if seconds <= 0:
        raise TextError("A cap needs a window longer than nothing.", _CAP_FIX, found.start(2))
    return Cap(count, seconds)


def parse_estimate(text: str) -> Cap:
    """``200 per day``, ``40 per hour``: how much is expected, to everybody together. Raises ``TextError``."""
    try:
        return parse_cap(text)
    except TextError as error:
        problem = f"'{clip(text)}' is no estimate of how much is sent."
        raise TextError(problem, "Write for example 200 per day or 40 per hour.", error.column) from error


def cap_text(cap: Cap) -> str:
    """A cap as an author would write it."""
    per: float | Literal["day", "week"] | str = cap.per
    return f"{cap.count} per {per if isinstance(per, str) else duration_text(per)}"


def parse_share(text: str) -> float:
    """``5%`` (0.05) or ``none`` (0). Raises ``TextError``."""
    text = text.strip().lower()
    if text in ("none", "0"):
        return 0.0
    found = _SHARE.fullmatch(text)
    if found is None or float(found[1]) > 100:
        raise TextError(f"'{clip(text)}' is not a share of people.", "Write for example 5% (or none).")
    return float(found[1]) / 100
