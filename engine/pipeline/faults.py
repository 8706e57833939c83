"""Errors inside the core: what failed is passed over, noted and told; everything else goes on.

What is passed over follows from the records alone, so every replay passes over the same. An error of our own stays
loud: it is counted by stage, logged with its traceback once per kind, and named under ``notes`` and in ``/v1/outbox``.
"""

import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import ParamSpec, TypeVar

import structlog
from msgspec import Struct

from engine.model.moment import Check
from engine.model.reason import Reason
from engine.sense import Sense

T = TypeVar("T")
P = ParamSpec("P")

MOST = 100  # kept in the state, the newest
DAY = 86400.0  # seconds for which an operator is told

log = structlog.get_logger("herenow.core")


class Fault(Struct, array_like=True):
    """One thing that was passed over, at journal time ``at``: in which ``stage``, ``what`` (a device, person, rule or
    kind of record), and which ``error`` where."""

    at: float
    stage: str
    what: str
    error: str


class Faults:
    """Keeps ``held``, a part of the state. ``counts``: by stage, since this process began."""

    def __init__(self, held: list[Fault]) -> None:
        self._held = held
        self.counts: dict[str, int] = {}
        self._told: set[tuple[str, str]] = set()
        self._fresh: list[tuple[str, str, Exception]] = []

    def note(self, error: Exception, stage: str, what: str, now: float, keep: bool = True) -> None:
        """Something failed and is passed over. What no replay would meet again goes on its way: memory that ran out.
        ``keep`` False: it made no difference to what is held."""
        if isinstance(error, MemoryError):
            raise error
        text = told(error)
        self.counts[stage] = self.counts.get(stage, 0) + 1
        if keep:
            self._held.append(Fault(now, stage, what, text))
            del self._held[:-MOST]
        if (stage, text) not in self._told:
            self._told.add((stage, text))
            self._fresh.append((stage, what, error))

    def attempt(
        self, stage: str, what: str, now: float, call: Callable[P, object], *args: P.args, **more: P.kwargs
    ) -> None:
        """Make one call; where it fails, that is noted."""
        try:
            call(*args, **more)
        except Exception as error:
            self.note(error, stage, what, now)

    def each(self, items: Iterable[T], stage: str, now: float) -> Iterator[T]:
        """The items, up to where finding the next one fails."""
        iterator = iter(items)
        while True:
            try:
                item = next(iterator)
            except StopIteration:
                return
            except Exception as error:
                self.note(error, stage, "", now)
                return
            yield item

    def sensed(self, sense: Sense, times: Sequence[float]) -> set[int]:
        """Take over what sensing passed over; the records (by index in ``times``) concerned. -1 is the last."""
        if not sense.faults:
            return set()
        faults, sense.faults = sense.faults, []
        for record, device, error in faults:
            self.note(error, "sense", device, times[record], keep=bool(device))
        return {record for record, _, _ in faults}

    def report(self) -> None:
        """Write each new kind of error into the log."""
        for stage, what, error in self._fresh:
            log.error("an error in the core; what it concerns is passed over", stage=stage, what=what, exc_info=error)
        self._fresh.clear()


def told(error: Exception) -> str:
    """The kind of error and where it came from, not its words: they may hold anything."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"


def check(error: Exception) -> Check:
    """The line of a trace that stands for what failed."""
    return Check("error", False, told(error), "no error of the server's own", reason=Reason.ERROR)


def newest(held: list[Fault], now: float) -> str:
    """A sentence for the operator; "" where nothing failed in the last day."""
    lately = [fault for fault in held if fault.at > now - DAY]
    if not lately:
        return ""
    fault = lately[-1]
    many = f"{len(lately)}{' or more' if len(lately) == MOST else ''} in the last day"
    return f"Errors of the server's own, {many}; the newest: {fault.error} ({fault.stage}, {fault.what}). See the log."
