"""An array of signals that is plainly written, straight into columns: loops compiled by numba (``herenow[fast]``).

What is plain: known names, each once; numbers as digits with at most one point; text of printable ASCII without
escapes; times as numbers or as ``2026-11-24T08:15:00Z``. Anything else, and anything wrong, is left to the decoder that
reads all of JSON and has the words for it, so nothing is refused or accepted here that it would not. Only ``fast``
imports this. The text ends with NULs, at which every loop stops: nothing reads beyond it.
"""

from typing import Any

import numpy as np

from engine.ingest.identity import PRIME
from engine.ingest.wire import BOUNDS, EVENT, TEXT
from engine.loops import jit
from engine.model.signals import NUMBERS
from engine.peek import byte, integer, put_byte, put_float, put_integer, word

WORDS = ("device", "id", "event", "person")  # the texts of a signal, after its numbers
PAD = b"\0" * 16
COUNTS = ("odd", "names", "ids", "named", "telling")  # numbers of too many digits, bytes, bytes, ids, events and people
_ODD, _NAMED_TO, _IDS_TO, _NAMED, _TELLING = range(0, 8 * len(COUNTS), 8)
DEVICE = len(NUMBERS)
ID = DEVICE + 1
AT, LAT, LON = (NUMBERS.index(name) for name in ("at", "lat", "lon"))
_NEEDED = 1 << DEVICE | 1 << LAT | 1 << LON
_FIELDS = (*NUMBERS, *WORDS)
_NAMES = np.array([int.from_bytes(name.encode(), "little") for name in _FIELDS], np.uint64)
_SIZES = np.array([len(name) for name in _FIELDS])
_LONGEST = np.array([EVENT if word == "event" else TEXT for word in WORDS])
_LEAST, _MOST = (np.array([BOUNDS.get(name, (-np.inf, np.inf))[side] for name in NUMBERS]) for side in (0, 1))
_TENS = 10.0 ** np.arange(23)  # all exact
_EXACT = 1 << 53  # integers up to it are, too
_DIGITS = 18  # of an integer of 64 bits
_QUOTES, _ONES, _HIGH = (np.uint64(int(2 * pair, 16)) for pair in ("22" * 4, "01" * 4, "80" * 4))  # eight of them
Out = tuple[int, int, int, int, int, int, int, int, int]  # addresses, and how many signals there is room for
_SPACE, _QUOTE, _COMMA, _MINUS, _POINT, _COLON, _LINE = (ord(c) for c in ' ",-.:\n')
_ZERO, _NINE, _T, _Z, _OPEN, _CLOSE, _BEGIN, _END, _ESCAPE, _DELETE = (ord(c) for c in "09TZ[]{}\\\x7f")
_N, _U, _L, _E, _BIG_E = (ord(c) for c in "nuleE")
_SHAPE = np.frombuffer(b"0000-00-00T00:00:00", np.uint8)
_MONTHS = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])

# ``at`` is an address in the text everywhere, 0 for nowhere: what is there is not plain.


@jit
def _blank(at: int) -> int:
    """Where the next thing begins."""
    while byte(at) <= _SPACE and (byte(at) == _SPACE or byte(at) == _LINE or byte(at) == 13 or byte(at) == 9):
        at += 1
    return at


@jit
def _digit(letter: int) -> bool:
    return _ZERO <= letter <= _NINE


@jit
def _field(at: int) -> tuple[int, int]:
    """Which field a name tells, and where it ends."""
    read = word(at)
    other = read ^ _QUOTES
    quotes = (other - _ONES) & ~other & _HIGH  # the lowest bit that is set is in the first of them
    if quotes:
        read &= ((quotes & (~quotes + np.uint64(1))) >> np.uint64(7)) - np.uint64(1)
    for field in range(len(_NAMES)):
        if _NAMES[field] == read and byte(at + _SIZES[field]) == _QUOTE:
            return field, at + _SIZES[field]
    return 0, 0


@jit
def _number(at: int) -> tuple[float, int, bool]:
    """A number, where it ends, and whether it has too many digits to be told here."""
    minus = byte(at) == _MINUS
    at += minus
    if not _digit(byte(at)) or (byte(at) == _ZERO and _digit(byte(at + 1))):
        return 0.0, 0, False
    whole, first, places = 0, at, 0
    while _digit(byte(at)):
        whole, at = 10 * whole + (byte(at) - _ZERO), at + 1
    digits = at - first
    if byte(at) == _POINT:
        first = at = at + 1
        while _digit(byte(at)):
            whole, at = 10 * whole + (byte(at) - _ZERO), at + 1
        places = at - first
        if places == 0:
            return 0.0, 0, False
    if byte(at) == _E or byte(at) == _BIG_E or (minus and whole == 0):
        return 0.0, 0, False
    value = float(whole) / _TENS[min(places, 22)]
    return -value if minus else value, at, digits + places > _DIGITS or whole > _EXACT


@jit
def _two(at: int) -> int:
    number: int = 10 * (byte(at) - _ZERO) + (byte(at + 1) - _ZERO)
    return number


@jit
def _micro(at: int) -> tuple[int, int]:
    """A fraction of a second, if there is one, in millionths, and where it ends."""
    if byte(at) != _POINT:
        return 0, at
    micro, places = 0, 0
    while places < 6 and _digit(byte(at + 1 + places)):
        micro, places = 10 * micro + (byte(at + 1 + places) - _ZERO), places + 1
    for _ in range(places, 6):
        micro *= 10
    return micro, at + 1 + places if places else 0


@jit
def _instant(at: int) -> tuple[float, int]:
    """The seconds of a time in UTC, and where it ends."""
    for k in range(len(_SHAPE)):
        if not (_digit(byte(at + k)) if _SHAPE[k] == _ZERO else byte(at + k) == _SHAPE[k]):
            return 0.0, 0
    year, month, day = 100 * _two(at) + _two(at + 2), _two(at + 5), _two(at + 8)
    hour, minute, second = _two(at + 11), _two(at + 14), _two(at + 17)
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if year < 1970 or not 1 <= month <= 12 or hour > 23 or minute > 59 or second > 59:
        return 0.0, 0
    if not 1 <= day <= _MONTHS[month] + (leap and month == 2):
        return 0.0, 0
    micro, at = _micro(at + len(_SHAPE))
    if at == 0 or byte(at) != _Z:
        return 0.0, 0
    before = year - 1
    days = 365 * (year - 1970) + before // 4 - before // 100 + before // 400 - 477 + day - 1
    for passed in range(1, month):
        days += _MONTHS[passed] + (leap and passed == 2)
    seconds = days * 86400 + hour * 3600 + minute * 60 + second
    return float(seconds * 1000000 + micro) / 1e6, at + 1


@jit
def _text(at: int, into: int) -> int:
    """Where a text ends that begins here, copied."""
    first, letter = at, byte(at)
    while _SPACE <= letter < _DELETE and letter != _QUOTE and letter != _ESCAPE:
        put_byte(into + at - first, letter)
        at += 1
        letter = byte(at)
    return at if letter == _QUOTE else 0


@jit
def _key(first: int, end: int) -> int:
    """The key of an id: see ``identity``."""
    key = 0
    for at in range(end - 1, first - 1, -1):
        key = (((key & ((1 << 53) - 1)) << 8) | (key >> 53)) + byte(at)
        key -= PRIME if key >= PRIME else 0
    return key


@jit
def _more(at: int, by: int) -> None:
    put_integer(at, integer(at) + by)


@jit
def _told(at: int, k: int, field: int, out: Out) -> int:
    """Read a text of a signal: where it ends."""
    _, most, start, names, ids, keys, telling, _, counts = out
    if byte(at) != _QUOTE:
        return 0
    into = names + integer(counts + _NAMED_TO) if field == DEVICE else ids + integer(counts + _IDS_TO)
    end: int = _text(at + 1, into)
    size = end - at - 1
    if not 0 < size <= _LONGEST[field - DEVICE]:
        return 0
    if field == DEVICE:
        put_byte(into + size, _LINE)
        _more(counts + _NAMED_TO, size + 1)
    elif field == ID:
        put_integer(keys + 8 * k, _key(into, into + size))
        _more(counts + _IDS_TO, size)
        _more(counts + _NAMED, 1)
    else:
        place = telling + 16 * ((field - ID - 1) * most + k)
        put_integer(place, at + 1 - start)
        put_integer(place + 8, end - start)
        _more(counts + _TELLING, 1)
    return end + 1


@jit
def _value(at: int, k: int, field: int, out: Out) -> int:
    """Read a field of a signal: where it ends."""
    numbers, most, start, _, _, _, _, odd, counts = out
    if byte(at) == _N:
        null = byte(at + 1) == _U and byte(at + 2) == _L and byte(at + 3) == _L
        return at + 4 if null and not _NEEDED >> field & 1 else 0
    end: int
    if field >= DEVICE:
        end = _told(at, k, field, out)
        return end
    place = numbers + 8 * (field * most + k)
    if field == AT and byte(at) == _QUOTE:
        value, end = _instant(at + 1)
        put_float(place, value)
        return end + 1 if end and byte(end) == _QUOTE else 0
    value, end, long = _number(at)
    if end == 0 or (not long and not _LEAST[field] <= value <= _MOST[field]):
        return 0
    put_float(place, value)
    if long:
        row = odd + 32 * integer(counts + _ODD)
        put_integer(row, field)
        put_integer(row + 8, k)
        put_integer(row + 16, at - start)
        put_integer(row + 24, end - start)
        _more(counts + _ODD, 1)
    return end


@jit
def _signal(at: int, k: int, out: Out) -> int:
    """Read the signal that begins here: where it ends."""
    numbers, most, _, _, ids, keys, _, _, counts = out
    for field in range(DEVICE):
        put_float(numbers + 8 * (field * most + k), np.nan)
    put_integer(keys + 8 * k, -1)
    if byte(at) != _BEGIN:
        return 0
    seen, more = 0, True
    while more:
        at = _blank(at + 1)
        if byte(at) != _QUOTE:
            return 0
        field, at = _field(at + 1)
        if at == 0 or seen >> field & 1:
            return 0
        seen |= 1 << field
        at = _blank(at + 1)
        if byte(at) != _COLON:
            return 0
        at = _value(_blank(at + 1), k, field, out)
        if at == 0:
            return 0
        at = _blank(at)
        more = byte(at) == _COMMA
    if byte(at) != _END or seen & _NEEDED != _NEEDED:
        return 0
    put_byte(ids + integer(counts + _IDS_TO), _LINE)
    _more(counts + _IDS_TO, 1)
    return at + 1


@jit
def signals(text: Any, numbers: Any, names: Any, ids: Any, keys: Any, telling: Any, odd: Any, counts: Any) -> bool:
    """Whether the text is an array of as many plain signals as there is room for.

    Of each: ``numbers`` (a row for each of ``NUMBERS``, NaN for none), ``keys`` of ids (-1 for none), where ``telling``
    texts begin and end (event, person; zeros to begin with); ``names`` and ``ids``, one a line; ``odd``: numbers of too
    many digits (field, signal, from, to); ``counts``: see ``COUNTS``, zeros to begin with."""
    start, size, most = np.intp(text.ctypes.data), len(text) - len(PAD), len(keys)
    out = (
        np.intp(numbers.ctypes.data), most, start, np.intp(names.ctypes.data), np.intp(ids.ctypes.data),
        np.intp(keys.ctypes.data), np.intp(telling.ctypes.data), np.intp(odd.ctypes.data), np.intp(counts.ctypes.data),
    )  # fmt: skip
    at, k = _blank(start), 0
    more = byte(at) == _OPEN
    while more:
        at = _signal(_blank(at + 1), k, out) if k < most else 0
        if at == 0:
            return False
        k, at = k + 1, _blank(at)
        more = byte(at) == _COMMA
    return k == most and byte(at) == _CLOSE and _blank(at + 1) == start + size
