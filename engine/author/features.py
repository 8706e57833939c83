"""Where each feature of a GeoJSON file begins and ends, found without decoding the whole: a large file never holds up
the other threads of a server for longer than one feature takes, and one bad feature does not spoil the others."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from engine.author.report import TextError

# Everything up to and with the next brace that is not inside a text. Never backtracks, whatever the file holds.
_TO_BRACE = re.compile(rb'[^"{}]*+(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"[^"{}]*+)*+[{}]', re.DOTALL)
_FEATURES = re.compile(rb'"features"\s*:')


class Place(NamedTuple):
    """Line and column, from 1; 0 where a whole file is meant."""

    line: int
    column: int


class Piece(NamedTuple):
    """One feature: its number from 0, where it begins, and its text."""

    number: int
    place: Place
    text: bytes | bytearray


# What a reader of another format tells of one feature: its place, and it, or what is wrong with it.
Sourced = tuple[Place, dict[str, Any] | TextError]


class Collection(msgspec.Struct):
    """The head of a file, its features still raw."""

    type: Any = None
    features: list[msgspec.Raw] | None = None


_head = msgspec.json.Decoder(Collection)


class Outline:
    """A file whose objects one level down are replaced by their numbers: ``{"features": [{"": 0}, {"": 1}]}``. What is
    left is small, and JSON where the file is."""

    def __init__(self, data: bytes | bytearray) -> None:
        self._data = data
        self._spans: list[tuple[int, int]] = []
        self._rest = self._without_objects()
        self.head = _head.decode(self._rest)

    def _without_objects(self) -> bytes:
        depth, begin, end, parts = 0, 0, 0, []
        data, spans = self._data, self._spans
        after = 0
        while (found := _TO_BRACE.match(data, after)) is not None:
            after = found.end()
            at = after - 1
            if data[at] == 0x7B:
                depth += 1
                if depth == 2:
                    begin = at
            else:
                depth -= 1
                if depth == 1:
                    parts += [data[end:begin], b'{"":%d}' % len(spans)]
                    end = after
                    spans.append((begin, end))
        parts.append(data[end:])
        return b"".join(parts)

    def pieces(self) -> Iterator[Piece]:
        """The features in order, with their places."""
        found = _FEATURES.search(self._rest)
        at = found.end() if found else 0
        ahead, last, place = 0, 0, Place(1, 1)  # how much longer the file is than what is left of it, so far
        for number, raw in enumerate(self.head.features or ()):
            text = bytes(raw)
            at = max(self._rest.find(text, at), at)
            begin, end = at + ahead, at + ahead + len(text)
            if text.startswith(b"{"):
                begin, end = self._spans[int(text[4:-1])]
                ahead = end - at - len(text)
            place = advance(self._data, last, begin, place)
            yield Piece(number, place, self._data[begin:end])
            at, last = at + len(text), begin


def advance(data: bytes | bytearray, start: int, end: int, place: Place) -> Place:
    """Where ``end`` is, given where ``start`` is."""
    lines = data.count(b"\n", start, end)
    begin = data.rfind(b"\n", start, end) + 1 if lines else start
    width = len(data[begin:end].decode("utf-8", "replace"))
    return Place(place.line + lines, width + (1 if lines else place.column))
