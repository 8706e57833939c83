"""How near a "no" was to a "yes": a number to rank by, and words. 0 is nearest, 1 is far."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from engine.measure.sentences import sentence
from engine.measure.times import clock, lasting
from engine.model.moment import Check, Decision, Miss
from engine.model.reason import Reason
from engine.model.signal import Cause

HOUR = 3600.0
SOME_METRES = 100.0  # half way from near to far
UNRANKED = 0.5
_NUMBER = r"(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)"
_COMPARED = re.compile(rf"(not )?(<=|>=|<|>|=|!=) {_NUMBER}$")
_BETWEEN = re.compile(rf"(not )?between {_NUMBER} and {_NUMBER}$|(not )?between {_NUMBER}, {_NUMBER}$")
_OFTEN = re.compile(r"(not )?(.*?) ?at least (\d+) times? in the last (.+)$")
_WITHIN = re.compile(r"(not )?within ([\d.]+(?:e[+-]?\d+)?) m of (.+)$")
_SIGNS = r"\s*(?:<=|>=|!=|<|>|=|not in\b|in\b|between\b|contains\b|exists\b)"
TRUTHS = (Reason.CONTROL_GROUP, Reason.CANARY, Reason.OUTRANKED, Reason.NO_CONSENT)


class Near(Struct, frozen=True):
    """``gap`` adds up over all that stood in the way; ``words`` name each, the nearest first."""

    gap: float
    words: tuple[str, ...]

    def text(self) -> str:
        """One line."""
        return "; ".join(self.words)


def gap(distance: float, scale: float) -> float:
    """A distance of any size as 0 to 1: half at ``scale``."""
    distance = abs(distance)
    return distance / (distance + scale) if distance + scale > 0 else 0.0


def of_decision(decision: Decision, cause: Cause, at: float) -> Near:
    """A moment that was not sent; one that was has nothing in its way."""
    return _of(decision.checks, cause, at, decision.time_zone)


def of_miss(miss: Miss, zone: str = "UTC") -> Near:
    """A rule that was woken in vain."""
    return _of(miss.checks, miss.cause, miss.at, zone)


def _of(checks: Sequence[Check], cause: Cause, at: float, zone: str) -> Near:
    found = [_check(head, parts, cause, at, zone) for head, parts in _lines(checks) if head.ok is not True]
    found.sort(key=lambda one: one[0])
    return Near(round(sum(g for g, _ in found), 4), tuple(words for _, words in found))


def _lines(checks: Sequence[Check]) -> Iterator[tuple[Check, list[Check]]]:
    """Each line with its parts."""
    head: Check | None = None
    parts: list[Check] = []
    for check in checks:
        if check.depth > 0:
            parts.append(check)
            continue
        if head is not None:
            yield head, parts
        head, parts = check, []
    if head is not None:
        yield head, parts


def _check(check: Check, parts: Sequence[Check], cause: Cause, at: float, zone: str) -> tuple[float, str]:
    if check.step != 2 or check.name == "expiry":
        return _step(check, at, zone)
    if check.ok is None:
        return 0.6, f"{_name(check)} is not known" + (f": {check.note}" if check.note else "")
    leaves = [part for part in parts if part.ok is not True and not any(_below(parts, part))]
    if leaves and not check.needs.startswith("not "):
        ranked = sorted((_condition(leaf, cause, at, zone) for leaf in leaves), key=lambda one: one[0])
        every = check.needs == "every one"
        value = sum(g for g, _ in ranked) if every else ranked[0][0]
        return min(0.99, value), ", ".join(words for _, words in (ranked[:3] if every else ranked[:1]))
    return _condition(check, cause, at, zone)


def _below(parts: Sequence[Check], part: Check) -> Iterator[bool]:
    """Whether the next line of the trace is a part of this one."""
    index = next(n for n, other in enumerate(parts) if other is part)
    yield index + 1 < len(parts) and parts[index + 1].depth > part.depth


def _condition(check: Check, cause: Cause, at: float, zone: str) -> tuple[float, str]:
    """One condition with the value it saw."""
    for reader in (_number, _range, _often, _within):
        told = reader(check, cause)
        if told is not None:
            return told
    if check.free is not None and check.free > at:
        was = f"it was {check.saw}, " if check.saw is not None else ""
        words = f"{was}needs {check.needs}; that comes {clock(check.free, at, zone)}"
        return gap(check.free - at, HOUR), words
    if check.saw is None and check.note:
        return UNRANKED, f"{_name(check)}: {check.note}"
    needs = f", needs {check.needs}" if check.needs else ""
    return UNRANKED, f"{_name(check)} is {_shown(check.saw)}{needs}"


def _number(check: Check, cause: Cause) -> tuple[float, str] | None:
    found = _COMPARED.match(check.needs)
    if found is None or isinstance(check.saw, bool) or not isinstance(check.saw, int | float):
        return None
    wanted = float(found[3])
    return max(0.001, gap(check.saw - wanted, abs(wanted) or 1.0)), f"{_name(check)} {check.saw:g}, needs {check.needs}"


def _range(check: Check, cause: Cause) -> tuple[float, str] | None:
    found = _BETWEEN.match(check.needs)
    if found is None or isinstance(check.saw, bool) or not isinstance(check.saw, int | float):
        return None
    low, high = (float(part) for part in (found[2] or found[5], found[3] or found[6]))
    away = max(low - check.saw, check.saw - high, 0.0)
    return max(0.001, gap(away, abs(high - low) or 1.0)), f"{_name(check)} {check.saw:g}, needs {check.needs}"


def _often(check: Check, cause: Cause) -> tuple[float, str] | None:
    """Visits and events: how many there were, and which this one would have been."""
    found = _OFTEN.match(check.needs)
    if found is None or isinstance(check.saw, bool) or not isinstance(check.saw, int):
        return None
    needed, what, window = int(found[3]), found[2], found[4]
    if found[1]:
        return gap(check.saw - needed + 1, needed), f"{check.saw} × {what} in the last {window}, must be below {needed}"
    present = f"; this would have been the {ordinal(check.saw + 1)}" if _counts_itself(check, cause) else ""
    words = f"{check.saw} × {what} before in the last {window}, needs {needed}{present}"
    return gap(needed - check.saw, needed), words


def _counts_itself(check: Check, cause: Cause) -> bool:
    return cause.kind in ("enter", "dwell") and check.name.startswith("visited")


def _within(check: Check, cause: Cause) -> tuple[float, str] | None:
    found = _WITHIN.match(check.needs)
    if found is None or not isinstance(check.saw, Mapping) or "metres" not in check.saw:
        return None
    metres, limit = float(check.saw["metres"]), float(found[2])
    words = f"{metres:.0f} m from {check.saw.get('fence', found[3])}, needs {found[1] or ''}within {limit:g} m"
    return gap(metres - limit, SOME_METRES), words


def _step(check: Check, at: float, zone: str) -> tuple[float, str]:
    """What the other steps of the decision say."""
    reason = check.reason or Reason.CONDITION
    if check.free is not None and check.free > at and reason not in TRUTHS:
        words = f"{check.name} frees at {clock(check.free, at, zone)}, in {lasting(check.free - at)}"
        return gap(check.free - at, HOUR), words + (f" ({check.needs})" if check.needs else "")
    told = sentence(reason, check, at=at, zone=zone).removeprefix("Not sent: ").rstrip(".")
    return UNRANKED, told


def _name(check: Check) -> str:
    """What was looked at: a comparison by its left side."""
    return re.split(_SIGNS, check.name, maxsplit=1)[0].strip() or check.name


def _shown(value: Any) -> str:
    if value is None:
        return "not known"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    text = str(value)
    return text if len(text) <= 80 else text[:79] + "…"


def ordinal(n: int) -> str:
    """1st, 2nd, 3rd, 11th."""
    end = "th" if 10 <= n % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{end}"
