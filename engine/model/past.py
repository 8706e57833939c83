"""A person's history at rest: visits and events as a few hundred bytes.

Names stand once; times are whole milliseconds since the one before where that is exact, else as they are. So what comes
out is what went in, to the last bit.
"""

from typing import Any

import msgspec
from msgspec import Struct

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(tuple[list[str], list[Any], list[Any]])


class Visit(Struct, array_like=True):
    """One stay of one device in one fence, device times; ``exit`` None while it lasts; ``lost`` while unknown."""

    fence: str
    device: str
    enter: float
    exit: float | None = None
    lost: bool = False


class Happened(Struct, array_like=True):
    """An event of the person: device time, and its data."""

    event: str
    at: float
    data: dict[str, Any] | None = None


def pack(visits: list[Visit], events: list[Happened]) -> bytes:
    """Both, in their order; ``b""`` where there is nothing."""
    if not visits and not events:
        return b""
    names: dict[str, int] = {}
    rows: list[Any] = []
    clock = _Clock()
    for visit in visits:
        enter = clock.put(visit.enter)
        stay = (False if visit.lost else None) if visit.exit is None else clock.beside(visit.exit)
        rows += (_number(names, visit.fence), _number(names, visit.device), enter, stay)
    told: list[Any] = []
    clock = _Clock()
    for event in events:
        told += (_number(names, event.event), clock.put(event.at), event.data)
    return _encoder.encode((list(names), rows, told))


def unpack(packed: bytes) -> tuple[list[Visit], list[Happened]]:
    """The inverse of :func:`pack`."""
    if not packed:
        return [], []
    names, rows, told = _decoder.decode(packed)
    visits: list[Visit] = []
    clock = _Clock()
    for n in range(0, len(rows), 4):
        fence, device, enter, stay = rows[n : n + 4]
        at = clock.take(enter)
        leave = None if stay is None or stay is False else clock.left(stay)
        visits.append(Visit(names[fence], names[device], at, leave, stay is False))
    events: list[Happened] = []
    clock = _Clock()
    for n in range(0, len(told), 3):
        event, when, data = told[n : n + 3]
        events.append(Happened(names[event], clock.take(when), data))
    return visits, events


class _Clock:
    """Times one after another: an int is milliseconds after the last exact one, a float is itself."""

    __slots__ = ("last",)

    def __init__(self) -> None:
        self.last = 0

    def put(self, at: float) -> int | float:
        exact = _exact(at)
        if exact is None:
            return at
        since, self.last = exact - self.last, exact
        return since

    def beside(self, at: float) -> int | float:
        """A time after the last exact one that is none itself."""
        exact = _exact(at)
        return at if exact is None else exact - self.last

    def take(self, told: int | float) -> float:
        if type(told) is float:
            return told
        self.last += int(told)
        return self.last / 1000.0

    def left(self, told: int | float) -> float:
        return told if type(told) is float else (self.last + int(told)) / 1000.0


def _exact(at: float) -> int | None:
    """Milliseconds, where they are exactly this time."""
    if not -1e15 < at < 1e15:
        return None
    whole = round(at * 1000.0)
    return whole if whole and whole / 1000.0 == at else None


def _number(names: dict[str, int], name: str) -> int:
    return names.setdefault(name, len(names))
