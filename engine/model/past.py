"""What is over of a person's history, packed: finished visits in the order of their exits, events in that of their
times, as a few hundred bytes that are added to and read without being spread out.

A row has a fixed width: times are whole numbers of 2**-22 seconds, which every double from 2004 to 2038 is; names stand
once and rows have their numbers. So what comes out is what went in, to the last bit. What does not fit such rows (odd
times, very many names) is kept plain, at more bytes.
"""

from bisect import bisect_right
from collections.abc import Collection, Iterable
from operator import attrgetter
from struct import Struct as Layout
from struct import unpack as unpack_struct
from typing import Any

import msgspec
from msgspec import Struct, field

TICKS = 4194304.0  # units in a second
_LATEST = float(2**34)  # seconds: the time and the name's number share 64 bits
_STAY = Layout("<QIH")  # enter and fence (56 + 8 bits); length of the stay and device (44 + 4 bits)
_DEED = Layout("<Q")  # time, event and whether it has data (56 + 7 + 1 bits)
_LONGEST = 2**44
_PLACES, _DEVICES, _NAMES = 256, 16, 128
_WIDTH, _HEIGHT = _STAY.size, _DEED.size
VISIT_BYTES = _WIDTH  # of a finished visit, at the least


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


class _Plain(Struct, array_like=True, tag=1):
    """As it is."""

    visits: list[Visit]
    events: list[Happened]


class _Rows(Struct, array_like=True, tag=2):
    """Rows of both, the names that they number, and the data of those events that have any."""

    places: list[str] = field(default_factory=list)
    devices: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    visits: bytes = b""
    events: bytes = b""
    data: list[msgspec.Raw] = field(default_factory=list)


_encoder = msgspec.msgpack.Encoder()
_decode = msgspec.msgpack.Decoder(_Plain | _Rows).decode
_data = msgspec.msgpack.Decoder(dict[str, Any]).decode


def _encode(held: _Plain | _Rows) -> bytes:
    """As bytes of exactly that size: those of ``encode`` keep the room that they were written in."""
    buffer = bytearray()
    _encoder.encode_into(held, buffer)
    return bytes(buffer)


_by_exit, _by_time = attrgetter("exit"), attrgetter("at")


def pack(visits: Iterable[Visit], events: Iterable[Happened]) -> bytes:
    """Finished visits and events, in any order; ``b""`` where there is nothing."""
    stays, deeds = sorted(visits, key=_by_exit), sorted(events, key=_by_time)
    rows = _Rows()
    if all(_add_visit(rows, visit) for visit in stays) and all(_add_event(rows, event) for event in deeds):
        return _encode(rows) if stays or deeds else b""
    return _encode(_Plain(stays, deeds))


def with_visit(past: bytes, visit: Visit, since: float, most: int) -> bytes:
    """With one more finished visit, and without what the same device left before ``since``; at most the latest
    ``most``."""
    rows = _decode(past) if past else _Rows()
    if type(rows) is _Rows and _add_visit(rows, visit) and _left_before(rows, visit.device, since, most):
        return _encode(rows)
    visits, events = unpack(past)
    visits.append(visit)
    kept = [v for v in visits if v.device != visit.device or v.exit is None or v.exit >= since]
    return pack(sorted(kept, key=_by_exit)[-most:], events)


def with_event(past: bytes, event: Happened, horizon: float, most: int) -> bytes:
    """With one more event (a late one takes its place in time), and without those that came ``horizon`` seconds before
    the newest; at most the latest ``most``."""
    rows = _decode(past) if past else _Rows()
    if type(rows) is _Rows and _add_event(rows, event):
        _happened_before(rows, event.at - horizon, most)
        return _encode(rows)
    visits, events = unpack(past)
    events.insert(bisect_right(events, event.at, key=_by_time), event)
    stale = bisect_right(events, events[-1].at - horizon, key=_by_time)
    return pack(visits, events[max(stale, len(events) - most) :])


def without_visits(past: bytes, count: int) -> bytes:
    """Without those ``count`` visits that ended first."""
    visits, events = unpack(past)
    return pack(visits[count:], events)


def count_visits(past: bytes) -> int:
    """How many there are."""
    held = _decode(past) if past else _Rows()
    return len(held.visits) // _WIDTH if type(held) is _Rows else len(held.visits)


def unpack(past: bytes) -> tuple[list[Visit], list[Happened]]:
    """The inverse of :func:`pack`."""
    return stays_in(past, None), deeds(past, None)


def stays_in(past: bytes, fences: Collection[str] | None, since: float | None = None) -> list[Visit]:
    """Finished visits to these fences (None: all), those that ended after ``since`` (None: all)."""
    held = _decode(past) if past else _Rows()
    if type(held) is _Plain:
        chosen = [v for v in held.visits if fences is None or v.fence in fences]
        return [v for v in chosen if since is None or (v.exit is not None and v.exit > since)]
    wanted = {number: name for number, name in enumerate(held.places) if fences is None or name in fences}
    if not wanted:
        return []
    after, found, devices = float("-inf") if since is None else since * TICKS, [], held.devices
    for begun, low, high in reversed([*_STAY.iter_unpack(held.visits)]):
        enter = begun >> 8
        left = enter + (low | (high >> 4) << 32)
        if left <= after:
            break
        if begun & 255 in wanted:
            found.append(Visit(wanted[begun & 255], devices[high & 15], enter / TICKS, left / TICKS))
    found.reverse()
    return found


def deeds(past: bytes, event: str | None, since: float | None = None) -> list[Happened]:
    """Events of that name (None: all), those that happened after ``since`` (None: all)."""
    held = _decode(past) if past else _Rows()
    if type(held) is _Plain:
        named = [happened for happened in held.events if event in (None, happened.event)]
        return [happened for happened in named if since is None or happened.at > since]
    if event is not None and event not in held.names:
        return []
    rows, found, data = _numbers(held.events), [], iter(reversed(held.data))
    after = float("-inf") if since is None else since * TICKS
    for row in reversed(rows):
        if row >> 8 <= after:
            break
        more, name = next(data) if row & 1 else None, held.names[row >> 1 & 127]
        if event is None or name == event:
            found.append(Happened(name, (row >> 8) / TICKS, None if more is None else _data(more)))
    found.reverse()
    return found


# ------------------------------------------------------------------ rows


def _numbers(rows: bytes) -> tuple[int, ...]:
    return unpack_struct(f"<{len(rows) // _HEIGHT}Q", rows)


def _ticks(at: float) -> int | None:
    """A time in units, where it is one of them exactly."""
    if not 0.0 < at < _LATEST:
        return None
    units = at * TICKS
    return int(units) if units.is_integer() else None


def _number(names: list[str], name: str, most: int) -> int | None:
    if name in names:
        return names.index(name)
    if len(names) >= most:
        return None
    names.append(name)
    return len(names) - 1


def _ended(row: tuple[int, int, int]) -> int:
    begun, low, high = row
    return (begun >> 8) + (low | (high >> 4) << 32)


def _add_visit(rows: _Rows, visit: Visit) -> bool:
    """Append; False where it is no row, or not the last to end."""
    enter, left = _ticks(visit.enter), None if visit.exit is None else _ticks(visit.exit)
    if enter is None or left is None or visit.lost:
        return False
    held, length = rows.visits, left - enter
    if not 0 <= length < _LONGEST or (held and _ended(_STAY.unpack_from(held, len(held) - _WIDTH)) > left):
        return False
    place, device = _number(rows.places, visit.fence, _PLACES), _number(rows.devices, visit.device, _DEVICES)
    if place is None or device is None:
        return False
    rows.visits = held + _STAY.pack(enter << 8 | place, length & 0xFFFFFFFF, length >> 32 << 4 | device)
    return True


def _add_event(rows: _Rows, event: Happened) -> bool:
    """Append; False where it is no row, or not the last to happen."""
    at = _ticks(event.at)
    if at is None or (rows.events and _DEED.unpack_from(rows.events, len(rows.events) - _HEIGHT)[0] >> 8 > at):
        return False
    name = _number(rows.names, event.event, _NAMES)
    if name is None:
        return False
    if event.data is not None:
        rows.data.append(msgspec.Raw(_encoder.encode(event.data)))
    rows.events += _DEED.pack(at << 8 | name << 1 | (event.data is not None))
    return True


def _left_before(rows: _Rows, device: str, since: float, most: int) -> bool:
    """Drop what that device left before, and what is too many. False where it is not simply the first rows."""
    limit, gone, dropped = since * TICKS, [], max(0, len(rows.visits) // _WIDTH - most)
    if not dropped and rows.visits and _ended(_STAY.unpack_from(rows.visits)) >= limit:
        return True  # so it is with most: the rows are in the order of their ends
    for row in _STAY.iter_unpack(rows.visits):
        if _ended(row) >= limit:
            break
        gone.append(row[2] & 15)
    if gone and any(rows.devices[number] != device for number in gone):
        return False
    if gone or dropped:
        rows.visits = rows.visits[max(dropped, len(gone)) * _WIDTH :]
        kept = list(_STAY.iter_unpack(rows.visits))
        unused = len({begun & 255 for begun, _, _ in kept}) < len(rows.places)
        return not unused and len({high & 15 for _, _, high in kept}) == len(rows.devices)
    return True


def _happened_before(rows: _Rows, at: float, most: int) -> None:
    """Drop what happened then or earlier, and what is too many; forget names that nothing has any more."""
    told, limit = _numbers(rows.events), at * TICKS
    stale = 0
    while stale < len(told) and told[stale] >> 8 <= limit:
        stale += 1
    stale = max(stale, len(told) - most)
    if stale <= 0:
        return
    kept = told[stale:]
    used = sorted({row >> 1 & 127 for row in kept})
    anew = {number: place for place, number in enumerate(used)}
    rows.data = rows.data[sum(row & 1 for row in told[:stale]) :]
    rows.names = [rows.names[number] for number in used]
    rows.events = b"".join(_DEED.pack(row >> 8 << 8 | anew[row >> 1 & 127] << 1 | row & 1) for row in kept)
