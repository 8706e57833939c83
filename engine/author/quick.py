"""The plain part of YAML that rule files are written in, read a line at a time: many times as fast as libyaml.

It takes block mappings and lists of one-line texts, plain or in quotes, and comments. Anything else, and anything that
is wrong, is left to the full reader: ``read`` answers None then. What it does take it reads as the full reader does.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from engine.author.nodes import Items, Mapping, Scalar

MAX_DEPTH = 30  # containers: fewer than the full reader allows
_LINE = re.compile(
    r"( *)(- +)?(?:(\w(?:[\w.\- ,/()%+]*[\w.\-)%])?):(?: +|$))?"
    r"""(?:("[^"\\]*"|'[^']*')|((?:-(?=\d)|[^\s\-?:,\[\]{}#&*!|>'"%@`]).*))?"""
)
_COMMENT = re.compile(r"(?:^| )#.*")
_LONGEST = 1000  # characters: the full reader takes no key beyond 1,024
_KNOWN = 4096  # lines: most of a rule's stand in other rules as well


class _Line(NamedTuple):
    """What one line says by itself, wherever it stands. Empty: a key alone, or nothing but a dash."""

    indent: int
    dash: int  # characters of the dash and its spaces, 0 where there is none
    key: str | None
    text: str | None
    quoted: bool
    column: int
    end: int


_NOTHING = _Line(0, 0, None, None, False, 0, 0)


def read(lines: Sequence[str], most: int) -> Mapping | None:
    """The mapping that the lines are, of at most ``most`` nodes; None: read it in full."""
    reader = _Reader(most - 3 * len(lines))
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        said = _known(line) if len(line) <= _LONGEST else _said(line)
        if said is None:
            return None
        indent, dash, key, text, quoted, column, end = said
        mapping = reader.mapping
        if mapping is None or indent != reader.indent or key is None or text is None or dash or reader.pending:
            if said is not _NOTHING and not reader.line(number, said):
                return None
        elif key in mapping.entries:
            return None
        else:  # most lines: one more entry of the mapping that is open
            mapping.entries[key] = Scalar(number, column, text, quoted, number, end)
            mapping.lines.append(number)
    return reader.close()


def _said(line: str) -> _Line | None:
    """One line; None where it is not plain enough."""
    if "#" in line:
        if ("'" in line or '"' in line) and not line.lstrip(" ").startswith("#"):
            return None
        line = _COMMENT.sub("", line, count=1)
    line = line.rstrip(" ")
    if not line:
        return _NOTHING
    found = _LINE.fullmatch(line) if len(line) <= _LONGEST else None
    if found is None:
        return None
    spaces, dash, key, quoted, plain = found.groups()
    if plain is not None and (": " in plain or plain[-1] == ":"):
        return None
    written = plain if quoted is None else quoted
    text = written if quoted is None else quoted[1:-1]
    column = 0 if written is None else len(line) - len(written) + 1
    return _Line(len(spaces), len(dash or ""), key, text, quoted is not None, column, len(line) + 1)


_known = lru_cache(maxsize=_KNOWN)(_said)


class _Reader:
    __slots__ = ("indent", "left", "mapping", "pending", "root", "stack")

    def __init__(self, most: int) -> None:
        self.left = most
        self.root: Mapping | None = None
        self.stack: list[tuple[int, Mapping | None, Items | None]] = []  # what is open, and its indentation
        self.mapping: Mapping | None = None  # the innermost of them, where that is one, and
        self.indent = 0  # its indentation
        self.pending = ""  # the key of it that waits for its value

    def line(self, number: int, said: _Line) -> bool:
        """Take one line that says something; False where the whole is not plain enough."""
        indent, dash, key, text, quoted, column, end = said
        if dash:
            items = self._list(number, indent)
            if items is None:
                return False
            if key is None:
                if text is not None:
                    items.items.append(Scalar(number, column, text, quoted, number, end))
                return text is not None
            mapping = self._open(number, indent + dash)
            items.items.append(mapping)
        else:
            found = self._mapping(number, indent)
            if found is None:
                return False
            mapping = found
        if key is None or key in mapping.entries or self.left < 0:
            return False
        mapping.lines.append(number)
        if text is None:
            self.pending = key
        else:
            mapping.entries[key] = Scalar(number, column, text, quoted, number, end)
        return True

    def _mapping(self, number: int, indent: int) -> Mapping | None:
        """The mapping that a line of this indentation belongs to, opened where a key waits for it."""
        if self.pending and self.mapping is not None:
            if indent > self.indent:
                above, key = self.mapping, self.pending
                mapping = above.entries[key] = self._open(number, indent)
                return mapping
            self._nothing()
        elif self.root is None:
            self.root = self._open(number, 0)
        return self._back(indent, dash=False)[0]

    def _list(self, number: int, indent: int) -> Items | None:
        """The same for a line that begins with a dash."""
        if self.pending and self.mapping is not None:
            if indent >= self.indent:
                items = Items(number, indent + 1)
                self.mapping.entries[self.pending] = items
                self.pending, self.mapping, self.indent = "", None, indent
                self.stack.append((indent, None, items))
                return items if len(self.stack) <= MAX_DEPTH else None
            self._nothing()
        return self._back(indent, dash=True)[1]

    def _open(self, number: int, indent: int) -> Mapping:
        """A new mapping, to which belongs what follows."""
        self.mapping, self.indent, self.pending = Mapping(number, indent + 1), indent, ""
        self.stack.append((indent, self.mapping, None))
        if len(self.stack) > MAX_DEPTH:
            self.left = -1
        return self.mapping

    def _back(self, indent: int, dash: bool) -> tuple[Mapping | None, Items | None]:
        """Leave what is indented more; neither, where nothing that is open has this indentation."""
        stack = self.stack
        while stack:
            at, mapping, items = stack[-1]
            if at < indent:
                break
            if at == indent and (items is not None) is dash:
                self.mapping, self.indent = mapping, indent
                return mapping, items
            if at == indent and dash:
                break  # a mapping of that indentation is no list
            stack.pop()
        return None, None

    def _nothing(self) -> None:
        """The key that waits has no value: an empty one, right behind its colon."""
        if self.pending and self.mapping is not None:
            at = (self.mapping.lines[-1], self.mapping.column + len(self.pending) + 1)
            self.mapping.entries[self.pending] = Scalar(*at, "", False, *at)
            self.pending = ""

    def close(self) -> Mapping | None:
        """The whole, once all lines are taken."""
        self._nothing()
        return self.root
