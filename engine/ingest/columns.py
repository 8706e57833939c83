"""Many signals of one body, plainly good, into columns at once."""

import math
from collections.abc import Sequence
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


def told(at: Floats, arrival: float, latest: float) -> bool:
    """Put the time of arrival where none was sent; whether none is refused."""
    if math.isnan(at.min()):
        at[np.isnan(at)] = arrival
    return bool(at.min() >= EARLIEST and at.max() <= latest)
