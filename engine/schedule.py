"""Chores on the machine's clock, run by APScheduler: schedules of rules, hot reload, checkpoints, retention. They only
append records or tidy.

When a rule's schedule comes is worked out by the core's agenda, on the clock of the process and in the zones of people,
from state that survives a restart; a job of APScheduler's own for each would know neither. It is looked at often.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from engine.clock import Clock
from engine.pipeline.agenda import Agenda
from engine.ports import Journal

log = structlog.get_logger("herenow.schedule")

Chore = Callable[[], Awaitable[None]]

SCHEDULE_SECONDS = 0.25
RELOAD_SECONDS = 1.0
CHECKPOINT_SECONDS = 3600.0
RETAIN_SECONDS = 3600.0


def scheduler(schedules: Chore, reload: Chore, checkpoint: Chore, retain: Chore) -> AsyncIOScheduler:
    """A started scheduler with the house's chores. One that is late runs once, never not at all, never twice at a
    time."""
    defaults = {"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
    jobs = AsyncIOScheduler(timezone=UTC, job_defaults=defaults)
    often = ((schedules, SCHEDULE_SECONDS), (reload, RELOAD_SECONDS))
    for chore, seconds in (*often, (checkpoint, CHECKPOINT_SECONDS), (retain, RETAIN_SECONDS)):
        jobs.add_job(_safely, "interval", args=(chore,), seconds=seconds, id=chore.__name__)
    jobs.start()
    return jobs


def schedules_of(agenda: Callable[[], Agenda], clock: Clock, journal: Journal) -> Chore:
    """Appends the schedules that have come. What is not taken, for whatever reason, is appended again; the core takes
    each once."""

    async def schedules() -> None:
        due = agenda().due(clock.now())
        if due:
            await journal.submit(due, applied=True)

    return schedules


async def _safely(chore: Chore) -> None:
    try:
        await chore()
    except Exception:
        log.exception("a chore failed", chore=chore.__name__)
