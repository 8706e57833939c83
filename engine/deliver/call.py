"""One call of an adapter, bounded in time, whatever the adapter does."""

import asyncio
import traceback

import structlog

from engine.model.moment import Notification, Result
from engine.ports import Adapter

_log = structlog.get_logger("deliver")


def start(adapter: Adapter, notification: Notification) -> "asyncio.Task[Result]":
    """Begin a send in a task of its own."""

    async def send() -> Result:
        return await adapter.send(notification)

    return asyncio.create_task(send(), name=f"send {notification.id}")


async def outcome(task: "asyncio.Task[Result]", channel: str, within: float, idempotent: bool) -> Result:
    """What became of a send, ``within`` real seconds at most; the task is told to stop when they are over.

    A call cut off may have reached the far side: it is repeated only where that is harmless (``idempotent``).
    """
    try:
        if not task.done():
            await asyncio.wait({task}, timeout=within)
    except asyncio.CancelledError:
        task.cancel()
        raise
    if not task.done():
        task.cancel()
        return Result("retry" if idempotent else "unknown", f"no answer within {within:g} s")
    if task.cancelled():
        return Result("retry" if idempotent else "unknown", "the adapter gave up its own call")
    error = task.exception()
    if error is not None:
        return Result("retry", _bug(error, channel))
    result = task.result()
    if not isinstance(result, Result) or result.outcome not in ("sent", "retry", "failed", "unknown"):
        return Result("retry" if idempotent else "unknown", "the adapter answered something that is not a Result")
    return result


def _bug(error: BaseException, channel: str) -> str:
    """Name the place, not the words: an exception's text may hold an address with a password in it."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "?"
    _log.warning("adapter_raised", channel=channel, error=type(error).__name__, place=place)
    return f"the adapter raised {type(error).__name__}"
