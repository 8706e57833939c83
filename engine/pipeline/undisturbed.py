"""Large sets of fences come and go without the event loop standing still for them.

Two things would stop every thread of the interpreter at once: the cycle collector walking through all that a large set
is made of, and a large set being freed in one go when its last holder lets it go. The same walk through all that a
server holds (modules, a release, people) would stop it for a tenth of a second now and then.
"""

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from engine.clock import monotonic

if TYPE_CHECKING:
    from engine.pipeline.versions import Compiled

OLDEST = 2  # generation of what has lived long
OFTEN = (700, 5, 1)  # objects made, and younger collections, per collection: what came since the last one is little
LONG = 0.005  # seconds of a collection, from which on what it went through is not gone through again


@contextmanager
def undisturbed(large: bool = True) -> Iterator[None]:
    """No cycle collection inside; what is there in the end is never looked through again (it is freed as ever when its
    last holder lets it go). Does nothing for what is not ``large``."""
    if not large or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextmanager
def settled() -> Iterator[None]:
    """For the life of a server: the collector looks through what comes and goes, and no more through what stays. What
    is here now is set aside; so is, later, whatever took it long to go through. All that is freed as ever when its last
    holder lets it go; only a circle that was whole when it was set aside stays for good."""
    began = 0.0

    def watch(phase: str, told: dict[str, int]) -> None:
        nonlocal began
        if told["generation"] < OLDEST:
            return
        if phase == "start":
            began = monotonic()
        elif monotonic() - began >= LONG:
            gc.freeze()

    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.collect()  # finds nothing, and so learns that little is old: else it waits for a quarter of all to come anew
    gc.set_threshold(*OFTEN)
    gc.callbacks.append(watch)
    try:
        yield
    finally:
        gc.callbacks.remove(watch)
        gc.set_threshold(*before)
        gc.unfreeze()


def bury(compiled: "Compiled | None", large: int) -> None:
    """Let go of a compiled release; one with many fences is freed bit by bit in a thread."""
    if compiled is None or len(compiled.fences.fences) < large:
        return
    threading.Thread(target=_free, args=([compiled],), name="free-fences", daemon=True).start()


def _free(box: "list[Compiled]") -> None:
    """Takes the last hold of the whole first, then of its parts, one by one."""
    pieces = box[0].fences.pieces()
    box.clear()
    while pieces:
        pieces.pop()
