"""What a YAML file holds, with the place of everything. By YAML 1.2 ``no``, ``12:30`` and ``0123`` are text."""

import math
import re
from typing import Any

_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NULLS = ("", "~", "null", "Null", "NULL")
_WORDS: dict[str, Any] = {
    **dict.fromkeys(_NULLS),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_BIGGEST = 2**63


class Node:
    """Anything in a file: where it begins, and how many nodes it stands for (aliases counted in full).

    ``file`` is set only of what other files may use (a template, a named message), ``into`` only of a value that a rule
    gives to a template: the place in the template that it goes to.
    """

    __slots__ = ("column", "file", "into", "line", "size")
    file: str
    into: str

    def __init__(self, line: int, column: int) -> None:
        self.line, self.column, self.size = line, column, 1


class Scalar(Node):
    """A text, number, true/false or nothing. ``text`` is what was written, ``quoted`` whether in quotes or a block."""

    __slots__ = ("end_column", "end_line", "quoted", "text")

    def __init__(self, line: int, column: int, text: str, quoted: bool = False, end_column: int = 0) -> None:
        self.line = self.end_line = line
        self.column = column
        self.size = 1
        self.text = text
        self.quoted = quoted
        self.end_column = end_column or column

    @property
    def value(self) -> str | int | float | bool | None:
        """What it is by YAML 1.2."""
        return self.text if self.quoted else resolve(self.text)

    @property
    def empty(self) -> bool:
        """Nothing was written (or only ``null``)."""
        return not self.text or (not self.quoted and self.text in _NULLS)


class Filled(Scalar):
    """A text of a template with its gaps filled: ``gap`` is the text as it stands there, ``pieces`` where each value
    begins and ends in the filled text, and where its gap began and ended."""

    __slots__ = ("gap", "pieces")

    def __init__(self, gap: Scalar, text: str, pieces: list[tuple[int, int, int, int, Scalar]]) -> None:
        super().__init__(gap.line, gap.column, text, gap.quoted)
        self.end_line, self.gap, self.pieces = gap.end_line, gap, pieces

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


class Items(Node):
    """A list."""

    __slots__ = ("items",)

    def __init__(self, line: int, column: int) -> None:
        super().__init__(line, column)
        self.items: list[Node] = []


class Mapping(Node):
    """Keys (always text, in file order) and what they hold; ``keys`` has the place of each key."""

    __slots__ = ("entries", "keys")

    def __init__(self, line: int, column: int) -> None:
        super().__init__(line, column)
        self.entries: dict[str, Node] = {}
        self.keys: dict[str, Scalar] = {}


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
