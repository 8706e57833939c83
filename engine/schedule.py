"""Chores on the machine's clock, run by APScheduler: hot reload, checkpoints, retention. They only append records or
tidy."""

from collections.abc import Awaitable, Callable

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

log = structlog.get_logger("herenow.schedule")

Chore = Callable[[], Awaitable[None]]

RELOAD_SECONDS = 1.0
CHECKPOINT_SECONDS = 3600.0
RETAIN_SECONDS = 3600.0


def scheduler(reload: Chore, checkpoint: Chore, retain: Chore) -> AsyncIOScheduler:
    """A started scheduler with the house's chores. One that is late runs once, never not at all, never twice at a
    time."""
    jobs = AsyncIOScheduler(job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1})
    for chore, seconds in ((reload, RELOAD_SECONDS), (checkpoint, CHECKPOINT_SECONDS), (retain, RETAIN_SECONDS)):
        jobs.add_job(_safely, "interval", args=(chore,), seconds=seconds, id=chore.__name__)
    jobs.start()
    return jobs


async def _safely(chore: Chore) -> None:
    try:
        await chore()
    except Exception:
        log.exception("a chore failed", chore=chore.__name__)
