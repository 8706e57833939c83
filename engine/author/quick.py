"""The plain part of YAML that rule files are written in, read a line at a time: several times as fast as libyaml.

It takes block mappings and lists of one-line texts, plain or in quotes, and comments. Anything else, and anything that
is wrong, is left to the full reader: ``read`` answers None then. What it does take it reads as the full reader does.
"""

import re
from collections.abc import Sequence

from engine.author.nodes import Items, Mapping, Node, Scalar

MAX_DEPTH = 30  # containers: fewer than the full reader allows
_LINE = re.compile(
    r"( *)(- +)?(?:(\w(?:[\w.\- ,/()%+]*[\w.\-)%])?):(?: +|$))?"
    r"""(?:("[^"\\]*"|'[^']*')|([^\s\-?:,\[\]{}#&*!|>'"%@`].*))?"""
)
_COMMENT = re.compile(r"(?:^| )#.*")
_LONGEST = 1000  # characters: the full reader takes no key beyond 1,024
_Level = tuple[int, Node, bool]  # indentation, container, whether it is a list


def read(lines: Sequence[str], most: int) -> Mapping | None:
    """The mapping that the lines are, of at most ``most`` nodes; None: read it in full."""
    reader = _Reader(most)
    for number, line in enumerate(lines, 1):
        if "#" in line:
            if ("'" in line or '"' in line) and not line.lstrip(" ").startswith("#"):
                return None
            line = _COMMENT.sub("", line, count=1)
        line = line.rstrip(" ")
        if line and (len(line) > _LONGEST or not reader.line(number, line)):
            return None
    return reader.close()


class _Reader:
    __slots__ = ("left", "pending", "root", "stack")

    def __init__(self, most: int) -> None:
        self.left = most
        self.root: Mapping | None = None
        self.stack: list[_Level] = []
        self.pending: tuple[Mapping, Scalar, int] | None = None  # a key that waits for its value

    def line(self, number: int, line: str) -> bool:
        """Take one line that is not empty; False where it is not plain enough."""
        found = _LINE.fullmatch(line)
        if found is None:
            return False
        spaces, dash, key, quoted, plain = found.groups()
        if plain is not None:
            if ": " in plain or plain[-1] == ":":
                return False
            value: Scalar | None = Scalar(number, len(line) - len(plain) + 1, plain, False, len(line) + 1)
        elif quoted is not None:
            value = Scalar(number, len(line) - len(quoted) + 1, quoted[1:-1], True, len(line) + 1)
        else:
            value = None
        indent = len(spaces)
        self.left -= 3
        stack = self.stack
        if dash is None and self.pending is None and stack and stack[-1][0] == indent and not stack[-1][2]:
            here = True  # most lines: one more entry of the mapping that is open
        else:
            here = self._place(number, indent, dash is not None) and len(stack) <= MAX_DEPTH
        if not here or self.left < 0:
            return False
        if dash is not None:
            indent += len(dash)
            items: list[Node] = stack[-1][1].items  # type: ignore[attr-defined]  # a list, or _place says no
            if key is None:
                if value is not None:
                    items.append(value)
                return value is not None
            mapping = Mapping(number, indent + 1)
            items.append(mapping)
            stack.append((indent, mapping, False))
        return key is not None and self._entry(number, indent, key, value)

    def _place(self, number: int, indent: int, dash: bool) -> bool:
        """Go to the container that a line of this indentation belongs to, opening it where a key waits for it."""
        stack = self.stack
        if self.pending is not None:
            mapping, key, at = self.pending
            if indent > at or (dash and indent == at):
                node = Items(number, indent + 1) if dash else Mapping(number, indent + 1)
                mapping.entries[key.text] = node
                stack.append((indent, node, dash))
                self.pending = None
                return True
            self._nothing()
        elif not stack:
            if dash or indent:
                return False
            self.root = Mapping(number, 1)
            stack.append((0, self.root, False))
            return True
        while stack and (stack[-1][0] > indent or (stack[-1][0] == indent and stack[-1][2] and not dash)):
            stack.pop()
        return bool(stack) and stack[-1][0] == indent and stack[-1][2] is dash

    def _entry(self, number: int, indent: int, key: str, value: Scalar | None) -> bool:
        mapping: Mapping = self.stack[-1][1]  # type: ignore[assignment]  # a mapping, or _place says no
        if key in mapping.keys:
            return False
        place = Scalar(number, indent + 1, key, False, indent + 1 + len(key))
        mapping.keys[key] = place
        if value is None:
            self.pending = (mapping, place, indent)
        else:
            mapping.entries[key] = value
        return True

    def _nothing(self) -> None:
        """The key that waits has no value: an empty one, right behind its colon."""
        if self.pending is not None:
            mapping, key, _ = self.pending
            mapping.entries[key.text] = Scalar(key.line, key.end_column + 1, "")
            self.pending = None

    def close(self) -> Mapping | None:
        """The whole, once all lines are taken."""
        self._nothing()
        return self.root
