"""numba, where it is installed (``herenow[fast]``): the same signals, bit for bit, in less time. Never required."""

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import numpy as np

from engine.ingest import lastkeys
from engine.ingest.columns import Texts, fill_keys, in_order, more_of, told
from engine.ingest.wire import BOUNDS
from engine.loops import keep, kept_apart
from engine.loops import kept as is_kept
from engine.model.signals import FEW, NUMBERS, Floats, Lines, Signals

_HERE = Path(__file__).parent
loops: ModuleType | None = None  # None: go by the decoder
_PLAIN = b'[{"device":"nobody","at":1795508100.25,"lat":52.5,"lon":13.4}]'
_ANY = -np.inf, np.inf
_RICH = (b'"context"', b'"reported"')  # names that the loops leave to the decoder
_FIRST = 400  # bytes of a body in which they are looked for: a sender's signals are alike


def load() -> bool:
    """Use the loops from here on, where numba is installed; whether it is. It takes seconds the first time."""
    global loops
    if loops is None:
        try:
            with kept_apart(_HERE):
                from engine.ingest import kernel_keys, kernel_scan  # noqa: PLC0415  (it may not be there)
        except ImportError:
            return False
        read(kernel_scan, _PLAIN, 1, 0.0, np.inf)
        loops, lastkeys.loops = kernel_scan, kernel_keys
        nobody = np.zeros(0, np.int64)
        lastkeys.LastKeys().add_compiled(nobody, nobody)
        keep(_HERE)
    return True


def kept() -> bool:
    """Whether ``load`` has nothing to compile."""
    return loops is not None or is_kept(_HERE)


def rich(body: bytes) -> bool:
    """Whether it begins with a signal that says what the loops leave to the decoder: then they need not begin."""
    return any(name in body[:_FIRST] for name in _RICH)


def braces(text: bytes) -> int:
    """As many as there are signals, if they are plainly written."""
    return text.count(b"{")


def signals(body: bytes, most: int, arrival: float, latest: float) -> Signals | None:
    """The signals of a JSON array of more than a few that is plainly written and plainly good; else None."""
    if loops is None or not FEW < (count := braces(body)) <= most or rich(body):
        return None
    return read(loops, body, count, arrival, latest)


def together(texts: Sequence[bytes], counts: Sequence[int], arrival: float, latest: float) -> Signals | None:
    """The signals of several requests as one array, where they are more than a few and all are plainly written and
    good; else None. ``texts``: of signals with commas between, those of one device to be in order of ``at`` within
    each; ``counts``: their ``braces``."""
    if loops is None or (most := sum(counts)) <= FEW or not all(text.startswith(b"{") for text in texts):
        return None
    # As many signals as braces, with one of which each text begins: none goes on from one text into the next.
    body = b"[" + b",".join(texts) + b"]"
    found = read(loops, body, most, arrival, latest)
    return None if found is None else in_order(found, counts)


def read(scan: ModuleType, body: bytes, count: int, arrival: float, latest: float) -> Signals | None:
    """The same by loops that are loaded, where there are so many."""
    text = np.frombuffer(body + scan.PAD, np.uint8)
    numbers, keys = np.empty((len(NUMBERS), count)), np.empty(count, np.int64)
    names, ids = np.empty(len(text), np.uint8), np.empty(len(text), np.uint8)
    telling, odd = np.zeros((2, count, 2), np.int64), np.empty((len(NUMBERS) * count, 4), np.int64)
    counts = np.zeros(len(scan.COUNTS), np.int64)
    if not scan.signals(text, numbers, names, ids, keys, telling, odd, counts):
        return None
    long, names_to, ids_to, named, some = counts.tolist()
    if long and not _long(body, odd[:long].tolist(), numbers):
        return None
    devices = Lines(names[: names_to - 1].tobytes().decode("ascii"))
    events: Texts = [None] * count
    people = events
    if some:
        events, people = ([body[a:b].decode() or None for a, b in spans] for spans in telling.tolist())
    if named < count:
        fill_keys(keys, numbers, devices.list, events, people)
    if not told(numbers[0], arrival, latest):
        return None
    given = Lines(ids[: ids_to - 1].tobytes().decode("ascii")) if named else None
    return Signals(devices, keys, numbers, given, more_of(events, people) if some else None)


def _long(body: bytes, odd: list[list[int]], numbers: Floats) -> bool:
    """Read the numbers of too many digits; whether they are within bounds."""
    for field, k, begin, end in odd:
        value = numbers[field, k] = float(body[begin:end])
        least, most = BOUNDS.get(NUMBERS[field], _ANY)
        if not least <= value <= most:
            return False
    return True
