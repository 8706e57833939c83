"""What rules share without copying it: rule templates, named messages and partials, as they were read."""

from collections.abc import Hashable, Mapping

from msgspec import Struct

from engine.author import nodes

MOST = 25_000_000  # characters that everything which is used comes to, each use counted in full
_PER_NODE = 16  # what a key or value costs beside its text, in characters


class Template(Struct, frozen=True):
    """A rule with gaps. ``parameters``: what fills a gap unless the rule says otherwise (None: the rule must say).

    ``gaps`` are the ids of the nodes that hold a gap somewhere; ``wrong``: something is, and told already.
    """

    name: str
    body: nodes.Mapping
    parameters: Mapping[str, nodes.Node | None]
    gaps: frozenset[int]
    weight: int
    wrong: bool = False


class NamedMessage(Struct, frozen=True):
    """A message that rules use by its name."""

    node: nodes.Mapping
    weight: int
    wrong: bool = False


class Partial(Struct, frozen=True):
    """A piece of text, finished: what it uses itself is in it."""

    text: str
    languages: Mapping[str, str]  # by code, in small letters

    def said(self, language: str) -> str:
        """In a language (``de-at``: else ``de``, else as it is; empty: as it is)."""
        code = language.lower().replace("_", "-")
        while code:
            if code in self.languages:
                return self.languages[code]
            code = code.rpartition("-")[0]
        return self.text


class Shelf:
    """Everything that is shared, by name; and how much of it has been used so far."""

    def __init__(self) -> None:
        self.templates: dict[str, Template] = {}
        self.messages: dict[str, NamedMessage] = {}
        self.partials: dict[str, Partial | None] = {}  # None: it is there, and wrong
        self.lines: dict[str, list[str]] = {}  # of the files that they stand in
        self._spent = 0
        self._known: set[Hashable] = set()

    def known(self, thing: Hashable) -> bool:
        """Whether this was asked before."""
        if thing in self._known:
            return True
        self._known.add(thing)
        return False

    def spend(self, characters: int) -> bool:
        """Whether so much more may be used; a file of one megabyte cannot stand for gigabytes."""
        self._spent += characters
        return self._spent <= MOST


def weight(node: nodes.Node) -> int:
    """What it costs to read a node once, in characters."""
    total, waiting = 0, [node]
    while waiting:
        one = waiting.pop()
        total += _PER_NODE
        if isinstance(one, nodes.Mapping):
            waiting += one.entries.values()
        elif isinstance(one, nodes.Items):
            waiting += one.items
        elif isinstance(one, nodes.Scalar):
            total += len(one.text)
    return total


def lend(node: nodes.Node, file: str) -> None:
    """Mark a node, and everything in it, as standing in this file: others may use it."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if one.file:
            continue  # an alias stands for what was marked already
        one.file = file
        if isinstance(one, nodes.Mapping):
            waiting += one.entries.values()
            waiting += one.keys.values()
        elif isinstance(one, nodes.Items):
            waiting += one.items
