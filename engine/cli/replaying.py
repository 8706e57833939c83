"""Replays for the command line: the past through rule files, alone or beside what was, with nothing sent."""

import gc
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import msgspec

from engine.author.project import read_bundle
from engine.cli.histories import History, Shelf, gone, in_force, of_file, of_journal, open_past
from engine.errors import HerenowError
from engine.model.config import Config
from engine.model.moment import Effects, Moment
from engine.model.record import Frame
from engine.model.runs import signals_of
from engine.pipeline.changes import changes
from engine.pipeline.diff import Comparison
from engine.pipeline.diff_run import LockStep, Side
from engine.pipeline.diff_words import TOLD, Ground, Report, report
from engine.pipeline.estimate import Estimator
from engine.sense import fast

LONG = 500_000  # records from which compiled loops save more time than it takes to compile them
WORTH = 300_000  # from which they save more than it takes to load them, where they are compiled
TAIL = 1800.0  # seconds that pass after the last signal of a file, so that what still waits is seen


class Wanted(msgspec.Struct, frozen=True):
    """What to replay: the files to try, the file of signals (None: the journal), and the time to look at."""

    files: Config
    file: Path | None = None
    device: str = "track"
    since: float | None = None
    until: float | None = None
    back: float | None = None  # seconds before the end, instead of ``since``

    def history(self, past: Any) -> History:
        """The past, from where it is needed to know all that matters since then."""
        if self.file is not None:
            history = of_file(self.files, self.file, self.device, past)
        else:
            since = past.ended - self.back if self.back is not None and past is not None else self.since
            history = of_journal(self.files, past, since)
        if history.records > LONG or (history.records > WORTH and fast.kept()):
            fast.load()
        return history

    def first(self, end: float) -> float:
        """From when on what happens is looked at."""
        return end - self.back if self.back is not None else self.since or 0.0


@contextmanager
def seldom() -> Iterator[None]:
    """The collector of garbage looks at what is new, and hardly ever at all that a core holds."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(50_000, 50, 1000)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


class Tells(Protocol):
    """Is told how many more records are done."""

    def __call__(self, records: int, /) -> None: ...


@contextmanager
def progress(total: int, what: str) -> Iterator[Tells]:
    """A bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda records: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda records: bar.advance(task, records)


def _bounded(frames: Iterable[Frame], until: float | None) -> Iterator[Frame]:
    for frame in frames:
        if until is not None and frame.received > until:
            return
        yield frame


def _drive(
    steps: LockStep, history: History, frames: Iterable[Frame], until: float | None, what: str
) -> Iterator[float]:
    """Journal time after each batch; a file's last timers fire at the end."""
    with progress(history.records, what) as tell, seldom():
        for history.reached, records in steps.run(_bounded(frames, until)):
            tell(records)
            yield history.reached
    if not history.live:
        silence = max(side.core.compiled.release.policy.sense.silence for side in steps.sides)
        steps.wait(history.reached + max(TAIL, silence))
        yield history.reached


class Counted:
    """Frames on their way, with the signals counted that came after ``first``."""

    def __init__(self, frames: Iterator[Frame], first: float) -> None:
        self._frames, self._first, self.signals = frames, first, 0

    def __iter__(self) -> Iterator[Frame]:
        for frame in self._frames:
            if frame.received >= self._first:
                self.signals += sum(map(len, signals_of(frame.records)))
            yield frame


# ------------------------------------------------------------------ one run


class Alone:
    """The past under the files as they are. What it sends is taken as sent."""

    def __init__(self, wanted: Wanted) -> None:
        past = open_past(wanted.files)
        self.history, shelf = wanted.history(past), Shelf(past)
        self.release = shelf.put(read_bundle(wanted.files)).release
        self.side = Side(self.history.core(shelf, self.release.hash), assumes=True)
        self.first = wanted.first(self.history.end)
        self.counted = Counted(self.history.frames, self.first)
        self._steps, self._until = LockStep([self.side], shelf.ensure), wanted.until

    def run(self, what: str) -> Iterator[Effects]:
        """What happened, batch by batch."""
        for _ in _drive(self._steps, self.history, self.counted, self._until, what):
            yield self.side.take()


def alone(wanted: Wanted) -> dict[str, Any]:
    """All transitions and moments."""
    run = Alone(wanted)
    run.side.core.keep_transitions = True
    transitions: list[Any] = []
    moments: list[Any] = []
    for fx in run.run("replay"):
        transitions += [msgspec.to_builtins(t) for t in fx.transitions]
        moments += [_moment(m) for m in fx.moments if m.at >= run.first]
    return {
        "release": run.release.hash,
        "signals": run.counted.signals,
        "transitions": transitions,
        "moments": moments,
    }


def estimate(wanted: Wanted) -> dict[str, Any]:
    """How much every rule would have sent."""
    run = Alone(wanted)
    estimator = Estimator([rule.id for rule in run.release.rules], run.release.policy.decide.time_zone)
    for fx in run.run("estimate"):
        estimator.add([m for m in fx.moments if m.at >= run.first])
    seconds = max(0.0, run.history.reached - max(run.first, run.history.start))
    return {"release": run.release.hash, "days": round(seconds / 86400.0, 2), "estimates": estimator.close(seconds)}


def _moment(m: Moment) -> dict[str, Any]:
    return {
        "id": m.id,
        "at": m.at,
        "rule": m.rule,
        "person": m.person,
        "device": m.device,
        "trigger": msgspec.to_builtins(m.cause),
        "decision": str(m.decision.verdict),
        "reason": str(m.decision.reason),
        "until": m.decision.until,
        "channels": list(m.channels),
        "message": None if m.message is None else msgspec.to_builtins(m.message),
    }


# ------------------------------------------------------------------ two runs


def compared(wanted: Wanted, before: Config, limit: int = TOLD) -> Report:
    """The past as it was (under the journal's releases or, for a file, the one in force) beside the past under the
    files. ``before``: the project's own settings and files, for a file of signals where no server has worked yet."""
    past = open_past(wanted.files)
    history, shelf = wanted.history(past), Shelf(past)
    new = shelf.put(read_bundle(wanted.files)).release
    name = None if history.live else _old(shelf, in_force(past), before, new.hash)
    old_side = Side(history.core(shelf, name), follows=history.live, assumes=not history.live)
    new_side = Side(history.core(shelf, new.hash), assumes=not history.live)
    first = wanted.first(history.end)
    comparison = Comparison(old_side.core, new_side.core, first)
    counted, names = Counted(history.frames, first), dict[str, None]()
    last = old_side.core.compiled.release
    for _ in _drive(LockStep([old_side, new_side], shelf.ensure), history, counted, wanted.until, "compare"):
        comparison.add(old_side.take(), new_side.take())
        last = old_side.core.compiled.release
        names.setdefault(last.hash)
    if shelf.missing:
        raise gone(shelf.missing[0])
    ground = Ground(
        max(first, history.start), history.reached, counted.signals, tuple(filter(None, names)), new.hash,
        history.start if history.cut else None, history.source, tuple(changes(last, new)),
    )  # fmt: skip
    return report(comparison, ground, list(new_side.core.compiled.fences.fences.values()), limit)


def _old(shelf: Shelf, running: str | None, before: Config, new: str) -> str:
    """What a file of signals is compared with: the release in force, else the project's files."""
    if running is not None and shelf.have(running):
        return running
    shelf.missing.clear()
    name = shelf.put(read_bundle(before)).release.hash
    if name == new:
        raise HerenowError(
            "there is nothing to compare with: no server has worked here yet, and these are the project's own files",
            fix="Name the changed files with --rules or --geofences.",
        )
    return name
