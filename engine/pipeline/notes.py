"""What an operator should know of a server that works, read from its state."""

from engine.pipeline.faults import newest
from engine.pipeline.state import CoreState

CLOCK_BACK = 10.0  # seconds that a clock may be set back before anybody is told


def notes_of(state: CoreState, now: float) -> dict[str, str]:
    """Rules that paused themselves, until somebody resumes them; a clock (``now``) that went back, until the journal's
    time, which never does, is caught up with."""
    notes = {
        f"rule {hold.id}": f"It paused itself and holds what waits: {hold.why}. POST /v1/rules/{hold.id}/resume"
        for hold in state.decide.switches.values()
        if hold.by == "guard"
    }
    if told := newest(state.faults, now):
        notes["errors"] = told
    ahead = state.received - now
    if ahead > CLOCK_BACK:
        told = f"The clock was set back: the journal is {ahead:.0f} s ahead of it."
        notes["clock"] = f"{told} Messages may expire until it caught up."
    return notes
