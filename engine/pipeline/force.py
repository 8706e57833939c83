"""Putting releases and run-time fence sets in force, between two records; where that fails the last good one stays."""

from typing import TYPE_CHECKING

from engine.model.moment import Effects
from engine.model.record import FenceChange, ReleaseChange
from engine.pipeline.state import STAGED, remember
from engine.pipeline.versions import EMPTY, Compiled, place

PORTION = 200  # visits told at once of those that end with their fences; devices whose timers fire with one tick

if TYPE_CHECKING:
    from engine.pipeline.core import Core


def release(core: "Core", record: ReleaseChange, now: float, fx: Effects) -> None:
    """Put a release in force; visits, windows and limits live on. One that this build cannot compile is passed over."""
    state, compiled = core.state, core.versions.get(record.release)
    if compiled is None:
        core.skipped_releases += 1
        return
    remember(state, record, compiled.release, now)
    if record.source == STAGED:
        return
    if state.fences:  # compiled beforehand by the runner; the same comes out here, only later
        joined = core.versions.get(place(record.release, state.fences))
        compiled = joined or compiled.with_fences(core.compiled.runtime, core.compiled)
    if _use(core, compiled, "release", now, fx):
        state.release = record.release
        if record.source == "folder":
            state.seen = record.release
        core.firings.begin(now)


def fences(core: "Core", record: FenceChange, now: float, fx: Effects) -> None:
    """Put a run-time fence set in force; visits of fences that are gone end, and what waits for them with them."""
    name = place(core.state.release, record.fences)
    compiled = core.versions.get(name) if name else Compiled.of(EMPTY)
    if compiled is None:
        core.skipped_releases += 1
    elif _use(core, compiled, "geofences", now, fx):
        core.state.fences = record.fences


def _use(core: "Core", compiled: Compiled, what: str, now: float, fx: Effects) -> bool:
    """Whether it is in force now."""
    tell_endings(core, now, fx, None)  # a fence that comes back is entered after the visit before has ended
    before, core.compiled = core.compiled, compiled
    try:
        core.situate()
        transitions = core.sense.use(compiled.fences, compiled.release.policy.sense, now)
    except Exception as error:
        core.faults.note(error, "release", what, now)
        core.skipped_releases += 1
        core.compiled = before
        core.situate()
        return False
    core.faults.sensed(core.sense, (now,))
    core.flight.released(core.rules, fx)
    for t in transitions:
        core.note(t, now, fx)
    waiting = dict.fromkeys(flying.notification.device for flying in core.state.inflight.values())
    waiting |= dict.fromkeys(one.device for window in core.state.windows.values() for one in window.waiting)
    for t in core.sense.endings(now, of=waiting) if waiting else ():
        core.note(t, now, fx)
    return True


def tell_endings(core: "Core", now: float, fx: Effects, most: int | None) -> None:
    """Visits that ended with their fences, so many (None: all). The others follow with ticks, which come at once."""
    for t in core.sense.endings(now, most):
        core.note(t, now, fx)
