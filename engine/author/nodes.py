"""What a YAML file holds, with the place of everything. By YAML 1.2 ``no``, ``12:30`` and ``0123`` are text."""

import math
import re
from typing import Any

from msgspec import Struct, field

_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NULLS = ("", "~", "null", "Null", "NULL")
_WORDS: dict[str, Any] = {
    **dict.fromkeys(_NULLS),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_BIGGEST = 2**63


class Placed(Struct, eq=False):
    """Where something begins, both from 1."""

    line: int
    column: int


class Node(Placed, eq=False, kw_only=True):
    """Anything in a file: where it begins, and how many nodes it stands for (aliases counted in full).

    ``file`` is set only of what other files may use (a template, a named message), ``into`` only of a value that a rule
    gives to a template: the place in the template that it goes to.
    """

    size: int = 1
    file: str = ""
    into: str = ""


class Scalar(Node, eq=False, gc=False):
    """A text, number, true/false or nothing. ``text`` is what was written, ``quoted`` whether in quotes or a block."""

    text: str
    quoted: bool
    end_line: int
    end_column: int

    @property
    def value(self) -> str | int | float | bool | None:
        """What it is by YAML 1.2."""
        return self.text if self.quoted else resolve(self.text)

    @property
    def empty(self) -> bool:
        """Nothing was written (or only ``null``)."""
        text = self.text
        return not text or (text in _NULLS and not self.quoted)


class Filled(Scalar, eq=False):
    """A text of a template with its gaps filled: ``gap`` is the text as it stands there, ``pieces`` where each value
    begins and ends in the filled text, and where its gap began and ended."""

    gap: Scalar
    pieces: list[tuple[int, int, int, int, Scalar]]

    def source_of(self, at: int) -> tuple[Scalar, int]:
        """What stands at a place of the filled text: a value or the template's text, and the place in it."""
        shift = 0
        for start, end, _, gap_end, value in self.pieces:
            if start <= at < end or (start == at == end):
                return value, at - start
            if at >= end:
                shift = gap_end - end
        return self.gap, at + shift

    def source_of_word(self, word: str) -> Scalar:
        """Where a word of the filled text comes from."""
        return next((value for *_, value in self.pieces if word in value.text), self.gap)


class Items(Node, eq=False):
    """A list."""

    items: list[Node] = field(default_factory=list)


class Mapping(Node, eq=False):
    """Keys (always text, in file order) and what they hold; ``places`` has the place of each key.

    Where all keys stand below each other in the mapping's own column, ``lines`` (the line of each, in order) says
    enough: few keys are ever asked where they stand.
    """

    entries: dict[str, Node] = field(default_factory=dict)
    lines: list[int] = field(default_factory=list)
    _places: dict[str, Scalar] | None = None

    @property
    def keys(self) -> dict[str, Scalar]:
        """The place of each key."""
        if self._places is None:
            lines = zip(self.entries, self.lines, strict=True)
            self._places = {key: word(line, self.column, key) for key, line in lines}
        return self._places

    @keys.setter
    def keys(self, places: dict[str, Scalar]) -> None:
        self._places = places


def word(line: int, column: int, text: str, quoted: bool = False) -> Scalar:
    """A text of one line; a plain one ends as far from its beginning as it is long."""
    return Scalar(line, column, text, quoted, line, column + (0 if quoted else len(text)))


def resolve(text: str) -> str | int | float | bool | None:
    """A plain scalar's value by the core schema of YAML 1.2, where it is a finite number of 64 bits; else its text."""
    if text in _WORDS:
        value: bool | None = _WORDS[text]
        return value
    if text[:1] not in "+-.0123456789" or len(text) > 32:
        return text
    if _INT.fullmatch(text):
        number = int(text)
        return number if -_BIGGEST <= number < _BIGGEST else float(number)
    if _FLOAT.fullmatch(text):
        value_ = float(text)
        return value_ if math.isfinite(value_) else text
    return text


def plain(node: Node) -> Any:
    """A node as ordinary Python data."""
    if isinstance(node, Items):
        return [plain(item) for item in node.items]
    if isinstance(node, Mapping):
        return {key: plain(value) for key, value in node.entries.items()}
    assert isinstance(node, Scalar)
    return node.value
