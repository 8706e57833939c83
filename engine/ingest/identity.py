"""Keys that recognise a repeat: the remainder of the id, read as a number, or 62 bits of xxh3 over the signal as sent.

``BRIEF`` is set on the key of a signal that has neither ``id`` nor ``at``: its repeats are recognised for 60 s only
(see ``dedupe``).
"""

import math
from collections.abc import Iterable
from datetime import datetime
from struct import Struct
from typing import Any

import msgspec
import xxhash

from engine.ingest.wire import SignalIn
from engine.model.signals import Floats

BRIEF = 1 << 62
_MASK = BRIEF - 1
_WIDTH = 64  # bytes of a signal's numbers
PRIME = (1 << 61) - 1  # of a number that long a remainder is found byte by byte, by rotating
_numbers = Struct("<8d")
_pack = msgspec.msgpack.Encoder().encode
_digest = xxhash.xxh3_64_intdigest


def key_of(wire: SignalIn) -> int:
    """The key of one signal."""
    if wire.id is not None:
        return key_of_id(wire.id)
    at = wire.at.timestamp() if isinstance(wire.at, datetime) else wire.at
    given = (at, wire.lat, wire.lon, wire.accuracy, wire.speed, wire.heading, wire.altitude, wire.battery)
    numbers = _numbers.pack(*[math.nan if number is None else number for number in given])
    rest = (wire.device, wire.event, wire.person, wire.reported, wire.context)
    return _digest(numbers + _pack(rest)) & _MASK | (BRIEF if at is None else 0)


def key_of_text(text: bytes | memoryview, brief: bool) -> int:
    """The key of a signal that has more to it than is understood; ``brief``: and no ``at``."""
    return _digest(text) & _MASK | (BRIEF if brief else 0)


def key_of_id(id: str) -> int:
    """The key of a signal with an id."""
    return int.from_bytes(id.encode(), "little") % PRIME


def keys_of_columns(numbers: Floats, texts: Iterable[tuple[Any, ...]]) -> list[int]:
    """The keys of many without ids: as :func:`key_of`. ``numbers``: as sent (NaN where ``at`` was not); ``texts``:
    device, event, person of each."""
    rows, keys = numbers.T.astype("<f8").tobytes(), []
    unknown = [at != at for at in numbers[0].tolist()]
    for k, text in enumerate(texts):
        key = _digest(rows[_WIDTH * k : _WIDTH * (k + 1)] + _pack((*text, None, None))) & _MASK
        keys.append(key | BRIEF if unknown[k] else key)
    return keys
