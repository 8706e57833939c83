"""A thread of its own for one kind of blocking work, in order.

What asyncio's executor does, without its two futures and their locks for every call: a journal append is handed over
and back hundreds of times a second.
"""

import asyncio
import contextlib
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_Job = tuple[asyncio.AbstractEventLoop, "asyncio.Future[Any]", Callable[..., Any], tuple[Any, ...]]


class Worker:
    """Runs what it is given one after the other. Its thread begins with the first call."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread: Thread | None = None
        self._closed = False

    def run(self, call: Callable[[*Ts], T], *args: *Ts) -> "asyncio.Future[T]":
        """The result to be. A call is made even if nobody waits for it any more. ``RuntimeError`` after ``close``."""
        if self._closed:
            raise RuntimeError(f"{self._name} has ended")
        if self._thread is None:
            self._thread = Thread(target=self._work, name=self._name, daemon=True)
            self._thread.start()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._jobs.put((loop, future, call, args))
        return future

    def close(self) -> None:
        """Wait for what was given, and end."""
        self._closed = True
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            loop, future, call, args = job
            result, error = None, None
            try:
                result = call(*args)
            except BaseException as raised:  # it is the caller's, whatever it is
                error = raised
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to be told
                loop.call_soon_threadsafe(_tell, future, result, error)
            del job, loop, future, call, args, result, error  # nothing is kept alive while waiting for the next


def _tell(future: "asyncio.Future[Any]", result: object, error: BaseException | None) -> None:
    if future.done():  # cancelled
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
