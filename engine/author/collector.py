"""Reading ten thousand rules makes a million small objects and no garbage: the collector would look at all of them
again and again (a third of the time), and find nothing. Once they are there it need not look at them either: they hold
no circles, so counting references is enough to free them, and a server is spared a pause of a tenth of a second."""

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_lock = threading.Lock()
_paused = 0
_MANY = 100_000  # objects made meanwhile from which they are set aside


@contextmanager
def paused() -> Iterator[None]:
    """No collection of garbage in this block. Blocks may nest, and run beside each other in threads."""
    global _paused
    with _lock:
        if _paused == 0 and not gc.isenabled():
            switched = False
        else:
            switched = True
            _paused += 1
            gc.disable()
    try:
        yield
    finally:
        if switched:
            with _lock:
                _paused -= 1
                if _paused == 0:
                    if gc.get_count()[0] > _MANY:
                        gc.freeze()
                    gc.enable()


def let_go(pieces: list[Any]) -> None:
    """Let go of many things one by one. A million objects that are freed with what holds them keep every other thread
    waiting for as long as that takes: up to a tenth of a second."""
    while pieces:
        pieces.pop()


def pieces_of(*held: Any) -> list[Any]:
    """What large lists, tuples and mappings hold; kept by this list alone once they are gone."""
    found: list[Any] = []
    for one in held:
        if isinstance(one, dict):
            found += one.values()
        elif isinstance(one, list | tuple):
            found += one
    return found
