"""Reading one authored YAML file: typed access to its nodes, with every mistake collected instead of raised."""

from collections.abc import Callable, Collection, Iterator
from typing import Any, TypeVar

from msgspec import UNSET, Struct

from engine.author import quoting
from engine.author.nodes import Filled, Items, Mapping, Node, Scalar
from engine.author.report import TextError, clip, nearest, renamed
from engine.author.shelf import Shelf
from engine.author.yaml import load
from engine.errors import Finding, Severity

T = TypeVar("T")

MAX_TEXT = 2000  # characters of one authored line
_MAX_FINDINGS = 200  # kept of each severity
_TOLD = {"text": "a text", "list": "a list", "mapping": "keys with values", "number": "a number"}


class Use(Struct, frozen=True):
    """A name that something else must declare (``kind``: fence, tag, segment, offer, channel…), and where it stands."""

    kind: str
    name: str
    file: str
    line: int
    column: int
    seconds: float = 0.0  # of a dwell
    also: str = ""  # the other place of it, as a sentence: the rule that uses a template, or the template


class Source:
    """One file: its root node, and what was found and named while reading it."""

    def __init__(self, file: str, data: bytes) -> None:
        document, findings = load(file, data)
        self.file, self.root, self.lines = file, document.root, document.lines
        self.findings: list[Finding] = findings
        self.told: dict[str, int] = {}  # how many of each severity, those not kept included
        self.uses: list[Use] = []
        self.fields: tuple[str, ...] = ()  # declared in schema.yaml: offered where a name is wrong
        self.shelf = Shelf()  # what the files of a project share
        self.user = ""  # the rule that is being read, as a sentence, where it uses a template or named message

    # -------------------------------------------------------------- telling

    def tell(
        self,
        node: Node,
        severity: Severity,
        code: str,
        problem: str,
        fix: str = "",
        shift: int = 0,
        edit: tuple[str, str] | None = None,
    ) -> None:
        """Note a finding at a node, ``shift`` columns into it. What is wrong with a template is told once."""
        self.told[severity] = self.told.get(severity, 0) + 1
        if isinstance(node, Filled):
            node, at = node.source_of(max(0, shift - node.quoted))
            shift = at + node.quoted if node.line == node.end_line else 0
        place = (self.file_of(node), node.line, node.column + shift)
        if self.told[severity] > _MAX_FINDINGS or (node.file and self.shelf.known((*place, code, problem))):
            return
        also = self._also(node)
        said = f"{problem} {also}" if also else problem
        self.findings.append(Finding(*place, severity, code, said, fix, edit or UNSET))

    def error(
        self, node: Node, code: str, problem: str, fix: str = "", shift: int = 0, edit: tuple[str, str] | None = None
    ) -> None:
        """Note an error at a node."""
        self.tell(node, "error", code, problem, fix, shift, edit)

    def wrong(self, node: Node, what: str, wanted: str) -> None:
        """Note that ``what`` is not a text, list or mapping, with the corrected line where quotes would mend it."""
        file, lines = self.file_of(node), self.lines_of(node)
        if any(f.line == node.line and f.file == file and f.code == "NEEDS_QUOTES" for f in self.findings):
            return None  # the line is told already
        commented = wanted == "text" and quoting.is_commented(lines, node.line - 1)
        if isinstance(node, Scalar) and node.empty and not commented:
            return self.error(node, "MISSING", f"'{what}' is empty.", f"Give it {_TOLD[wanted]}, or delete the line.")
        correction = quoting.correct(lines, node.line - 1, force=True) if wanted == "text" else None
        if correction is not None:
            whole = (lines[node.line - 1], correction.line)
            return self.error(node, "NEEDS_QUOTES", correction.problem, correction.fix, edit=whole)
        return self.error(node, "WRONG_TYPE", f"'{what}' must be {_TOLD[wanted]}.", _shape_fix(what, wanted))

    def use(self, kind: str, name: str, node: Node, seconds: float = 0.0) -> None:
        """Note a name that something else must declare."""
        if isinstance(node, Filled):
            node = node.source_of_word(name)
        if not node.file and not node.into:
            self.uses.append(Use(kind, name, self.file, node.line, node.column, seconds))
        elif not node.file or not self.shelf.known((node.file, node.line, node.column, kind, name)):
            self.uses.append(Use(kind, name, self.file_of(node), node.line, node.column, seconds, self._also(node)))

    def where(self, node: Node) -> str:
        """``file:line``."""
        return f"{node.file or self.file}:{node.line}"

    def file_of(self, node: Node) -> str:
        """The file in which a node stands: this one, or the one of a template that a rule of this one uses."""
        return node.file or self.file

    def lines_of(self, node: Node) -> list[str]:
        """The lines of that file."""
        file = self.file_of(node)
        return self.lines if file == self.file else self.shelf.lines.get(file, [])

    def _also(self, node: Node) -> str:
        """The other place that a reader needs: who uses the template, or where in the template this value goes."""
        if self.file_of(node) != self.file:
            return self.user
        return f"(It goes into {node.into}.)" if node.into else ""

    # -------------------------------------------------------------- reading

    def mapping(self, node: Node, what: str, known: Collection[str] | None = None) -> Mapping | None:
        """The node as a mapping with only ``known`` keys (None: any); wrong keys are told and left in."""
        if not isinstance(node, Mapping):
            self.wrong(node, what, "mapping")
            return None
        if known is not None:
            for key in node.entries:
                if key not in known:
                    self.unknown_key(node.keys[key], key, what, known)
        return node

    def unknown_key(self, place: Node, key: str, what: str, known: Collection[str]) -> None:
        """Tell an unknown key."""
        near = nearest(key, known)
        fix = f"Did you mean '{near}'?" if near else f"Known: {', '.join(known)}."
        self.error(place, "UNKNOWN_KEY", f"'{clip(key)}' is no key of {what}.", fix, edit=renamed(key, known))

    def text(self, node: Node, what: str, longest: int = MAX_TEXT) -> str | None:
        """The node as a text (numbers as written)."""
        if not isinstance(node, Scalar) or node.empty:
            self.wrong(node, what, "text")
            return None
        text = node.text
        if len(text) > longest:
            self.error(node, "TOO_LARGE", f"'{what}' is longer than {longest} characters.", "Shorten it.")
            return None
        return text.strip()

    def choice(self, node: Node, what: str, allowed: Collection[str]) -> str | None:
        """The node as one of the allowed words."""
        text = self.text(node, what)
        if text is None or text in allowed:
            return text
        near = nearest(text, allowed)
        fix = f"Did you mean '{near}'?" if near else f"One of: {', '.join(allowed)}."
        self.error(node, "BAD_VALUE", f"'{clip(text)}' is no {what}.", fix, edit=renamed(text, allowed))
        return None

    def number(self, node: Node, what: str, low: float, high: float) -> float | None:
        """The node as a number from ``low`` to ``high``."""
        value = node.value if isinstance(node, Scalar) else None
        if isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high:
            return float(value)
        shown = f" '{clip(node.text)}'" if isinstance(node, Scalar) and not node.empty else ""
        self.error(node, "BAD_VALUE", f"'{what}'{shown} must be a number from {low:g} to {high:g}.")
        return None

    def parse(self, node: Node, what: str, parser: Callable[[str], T]) -> T | None:
        """The node's text through a parser that raises ``TextError``."""
        text = self.text(node, what)
        if text is None:
            return None
        try:
            return parser(text)
        except TextError as error:
            assert isinstance(node, Scalar)
            shift = error.column + node.quoted if node.line == node.end_line else 0
            self.error(node, "BAD_VALUE", f"{what}: {error.problem}", error.fix, shift)
            return None

    def each(self, node: Node, what: str) -> Iterator[Node]:
        """The items of a list, or the node itself where it is not one; an empty list is told."""
        if isinstance(node, Items):
            if not node.items:
                self.error(node, "MISSING", f"'{what}' is an empty list.", "Give it an item, or delete the line.")
            yield from node.items
        else:
            yield node

    def entries(self, node: Node, what: str) -> Iterator[tuple[str, Scalar, Node]]:
        """The entries of a mapping of named things: key, the key's place, the value."""
        mapping = self.mapping(node, what)
        if mapping is not None:
            for key, value in mapping.entries.items():
                yield key, mapping.keys[key], value


def _shape_fix(what: str, wanted: str) -> str:
    if wanted == "mapping":
        return f"Write '{what}:' and below it, indented, one 'key: value' a line."
    return f"Write '{what}:' and below it, indented, '- item' lines." if wanted == "list" else "Write one line of text."


def entry(mapping: Mapping, key: str) -> Node | None:
    """The value of a key, or None when it is absent."""
    return mapping.entries.get(key)


def scalar_text(node: Any) -> str:
    """The text of a scalar; empty for anything else."""
    return node.text if isinstance(node, Scalar) else ""
