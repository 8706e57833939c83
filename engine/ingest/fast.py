"""numba, where it is installed (``herenow[fast]``): the same signals, bit for bit, in less time. Never required."""

from pathlib import Path
from types import ModuleType

import numpy as np

from engine.ingest import lastkeys
from engine.ingest.columns import columns, more_of, told
from engine.ingest.wire import BOUNDS
from engine.loops import kept_apart
from engine.model.signals import FEW, NUMBERS, Floats, Lines, Signals

loops: ModuleType | None = None  # None: go by the decoder
_PLAIN = b'[{"device":"nobody","at":1795508100.25,"lat":52.5,"lon":13.4}]'
_ANY = -np.inf, np.inf


def load() -> bool:
    """Use the loops from here on, where numba is installed; whether it is. It takes seconds the first time."""
    global loops
    if loops is None:
        try:
            with kept_apart(Path(__file__).parent):
                from engine.ingest import kernel_keys, kernel_scan  # noqa: PLC0415  (it may not be there)
        except ImportError:
            return False
        read(kernel_scan, _PLAIN, 1, 0.0, np.inf)
        loops, lastkeys.loops = kernel_scan, kernel_keys
        nobody = np.zeros(0, np.int64)
        lastkeys.LastKeys().add_settled(nobody, nobody)
    return True


def signals(body: bytes, most: int, arrival: float, latest: float) -> Signals | None:
    """The signals of a JSON array of more than a few that is plainly written and plainly good; else None."""
    if loops is None or not FEW < (count := body.count(b"{")) <= most:
        return None
    return read(loops, body, count, arrival, latest)


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
    told_names = names[: names_to - 1].tobytes().decode("ascii")
    told_ids = ids[: ids_to - 1].tobytes().decode("ascii")
    events, people = (
        ([body[a:b].decode() or None for a, b in spans] for spans in telling.tolist()) if some else ([], [])
    )
    if named < count:
        nobody: list[str | None] = [None] * count
        texts = told_names.split("\n"), numbers, events or nobody, people or nobody
        return columns(*texts, [id or None for id in told_ids.split("\n")], arrival, latest)
    if not told(numbers[0], arrival, latest):
        return None
    return Signals(Lines(told_names), keys, numbers, Lines(told_ids), more_of(events, people))


def _long(body: bytes, odd: list[list[int]], numbers: Floats) -> bool:
    """Read the numbers of too many digits; whether they are within bounds."""
    for field, k, begin, end in odd:
        value = numbers[field, k] = float(body[begin:end])
        least, most = BOUNDS.get(NUMBERS[field], _ANY)
        if not least <= value <= most:
            return False
    return True
