"""Many signals of one body, plainly good, into columns at once."""

import math
from collections.abc import Iterator, Sequence
from datetime import datetime

import numpy as np
from msgspec.structs import astuple

from engine.ingest.identity import key_of_id, keys_of_columns
from engine.ingest.wire import EARLIEST, SignalIn
from engine.model.signals import NUMBERS, Floats, Ints, Lines, More, Signals, fill, ids_of

Texts = Sequence[str | None]
NONE = -1  # no key: none is below zero


def columns_of(wires: Sequence[SignalIn], arrival: float, latest: float) -> Signals | None:
    """Checked structs that say where and when, an event and a person at most; None where there is more to look at."""
    devices, times, *places, events, reported, contexts, people, ids = zip(*map(astuple, wires), strict=True)
    size = len(wires)
    if reported.count(None) < size or contexts.count(None) < size:
        return None
    if not "".join([*devices, *(text for texts in (events, people, ids) for text in texts if text)]).isprintable():
        return None
    numbers = np.empty((len(NUMBERS), size))
    if set(map(type, times)) != {float}:
        times = tuple(at.timestamp() if isinstance(at, datetime) else at for at in times)
    for row, values in zip(numbers, (times, *places), strict=True):
        fill(row, values)
    if np.isnan(numbers[1] + numbers[2]).any():
        return None
    keys = np.array([NONE if id is None else key_of_id(id) for id in ids], np.int64)
    fill_keys(keys, numbers, devices, events, people)
    if not told(numbers[0], arrival, latest):
        return None
    return Signals(Lines(list(devices)), keys, numbers, ids_of(ids), more_of(events, people))


def fill_keys(keys: Ints, numbers: Floats, names: Sequence[str], events: Texts, people: Texts) -> None:
    """Put the keys of those that have none for want of an id; ``numbers``: as sent, NaN where ``at`` was not."""
    some: list[int] = (keys == NONE).nonzero()[0].tolist()
    if some:
        keys[some] = keys_of_columns(numbers[:, some], [(names[k], events[k], people[k]) for k in some])


def more_of(events: Texts, people: Texts) -> dict[int, More]:
    """What few signals have, of those that have it."""
    if events.count(None) == len(events) and people.count(None) == len(people):
        return {}
    pairs = enumerate(zip(events, people, strict=True))
    return {k: More(event=event, person=person) for k, (event, person) in pairs if event or person}


def in_order(signals: Signals, counts: Sequence[int]) -> Signals:
    """Those of one device in order of ``at``, within each request of so many signals; see ``order_of``."""
    mixed = list(_disordered(signals.numbers[0], counts))
    if not mixed:
        return signals
    order = list(range(len(signals)))
    for begin, end in mixed:
        part = order_of(signals.devices[begin:end], signals.numbers[0, begin:end].tolist())
        order[begin:end] = [begin + k for k in part or range(end - begin)]
    return signals.take(order)


def _disordered(at: Floats, counts: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Where requests lie in which a time is before the one before it."""
    falls = (at[1:] < at[:-1]).nonzero()[0] + 1
    ends = np.cumsum(counts)
    for request in np.unique(np.searchsorted(ends, falls, "right")).tolist() if len(falls) else ():
        begin, end = int(ends[request]) - counts[request], int(ends[request])
        if (at[begin + 1 : end] < at[begin : end - 1]).any():
            yield begin, end


def order_of(devices: Sequence[str], times: Sequence[float]) -> list[int] | None:
    """The order, stable by time, among the places that each device has; devices keep their places. None where each has
    but one."""
    places: dict[str, list[int]] = {}
    for place, device in enumerate(devices):
        places.setdefault(device, []).append(place)
    if len(places) == len(devices):
        return None
    order = list(range(len(devices)))
    for own in places.values():
        if len(own) > 1:
            for place, source in zip(own, sorted(own, key=times.__getitem__), strict=True):
                order[place] = source
    return order


def told(at: Floats, arrival: float, latest: float) -> bool:
    """Put the time of arrival where none was sent; whether none is refused."""
    if math.isnan(at.min()):
        at[np.isnan(at)] = arrival
    return bool(at.min() >= EARLIEST and at.max() <= latest)
