"""YAML files to nodes that know their place; hostile files end in findings.

Built on PyYAML's event stream alone: composing recurses in C and takes the process down on deeply nested input, so the
tree is made here, in a loop, with bounds on bytes, depth and what aliases stand for.
"""

import re
from collections.abc import Iterable
from typing import Any, cast

import yaml
from msgspec import UNSET
from yaml import CSafeLoader

from engine.author import quick, quoting
from engine.author.nodes import Items, Mapping, Node, Scalar
from engine.author.report import clip
from engine.errors import Finding

MAX_BYTES = 1_000_000
MAX_DEPTH = 32
MAX_NODES = 200_000
_MAX_FAULTS = 100  # told about one file
_MAX_REPAIRS = 10  # lines mended in memory to find what else is wrong
_REPAIRABLE_BYTES = 200_000
_UNUSUAL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
_TEXT_TAGS = (None, "tag:yaml.org,2002:str")

_PLAIN_WORDS = {
    "did not find expected key": "This line does not fit: check its indentation, and that its key ends with a colon.",
    "mapping values are not allowed in this context": "A key cannot be here: check the indentation of this line.",
    "could not find expected ':'": "This line is no key with a colon, and does not continue the text above it.",
    "did not find expected <document start>": "This line does not belong to what is above it: check the indentation.",
    "found unexpected end of stream": "The quotes around this text are not closed.",
    "did not find expected ',' or ']'": "This list is not closed: a ] is missing.",
    "did not find expected ',' or '}'": "This is not closed: a } is missing.",
    "did not find expected '-' indicator": "This line does not fit the list above it: check its indentation.",
    "found a tab character that violates indentation": "There is a tab in the indentation.",
    "block sequence entries are not allowed in this context": "A list cannot begin here: put it on its own lines.",
}


class Document:
    """A loaded file: its lines (for corrections) and its root (None where it is empty or unreadable)."""

    __slots__ = ("lines", "root")

    def __init__(self, root: Node | None, lines: list[str]) -> None:
        self.root, self.lines = root, lines


class _Fault(Exception):
    """Why a file cannot be read on. ``line`` from 0, ``column`` from 0; ``mended`` is the corrected line, if known."""

    def __init__(
        self, line: int, column: int, code: str, problem: str, fix: str = "", mended: str | None = None
    ) -> None:
        super().__init__(problem)
        self.line, self.column, self.code, self.problem, self.fix, self.mended = (
            line,
            column,
            code,
            problem,
            fix,
            mended,
        )


def load(name: str, data: bytes) -> tuple[Document, list[Finding]]:
    """Read one file. Any bytes give a document or findings (both, where what could be read is worth checking)."""
    findings: list[Finding] = []
    text = _decode(name, data, findings)
    if text is None:
        return Document(None, []), findings
    lines = text.split("\n")
    plain = None if "\t" in text else quick.read(lines, MAX_NODES)
    if plain is not None:
        return Document(plain, lines), findings
    for _ in range(_MAX_REPAIRS):
        builder = _Builder(lines)
        try:
            root = builder.build(yaml.parse("\n".join(lines), CSafeLoader))
        except _Fault as fault:
            root = None
            findings.append(_finding(name, fault, lines))
            if fault.mended is not None and len(data) <= _REPAIRABLE_BYTES and lines[fault.line] != fault.mended:
                lines[fault.line] = fault.mended
                continue
        findings += [_finding(name, fault, lines) for fault in builder.faults[:_MAX_FAULTS]]
        return Document(root, lines), findings
    return Document(None, lines), findings


def _finding(name: str, fault: _Fault, lines: list[str]) -> Finding:
    edit = UNSET if fault.mended is None or not lines else (lines[fault.line], fault.mended)
    return Finding(name, fault.line + 1, fault.column + 1, "error", fault.code, fault.problem, fault.fix, edit)


def _decode(name: str, data: bytes, findings: list[Finding]) -> str | None:
    if len(data) > MAX_BYTES:
        problem = f"The file is larger than {MAX_BYTES // 1_000_000} MB ({len(data) / 1e6:.1f} MB)."
        findings.append(Finding(name, 0, 0, "error", "TOO_LARGE", problem, "Split it into several files."))
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        at = data.rfind(b"\n", 0, error.start) + 1
        place = (data.count(b"\n", 0, error.start) + 1, len(data[at : error.start].decode("utf-8", "replace")) + 1)
        problem = f"This is not UTF-8 text (byte 0x{data[error.start]:02x})."
        findings.append(Finding(name, *place, "error", "ENCODING", problem, "Save the file as UTF-8."))
        return None
    text = text.replace("\r\n", "\n")
    unusual = _UNUSUAL.search(text)
    if unusual is None:
        return text
    at, start = text.rfind("\n", 0, unusual.start()) + 1, unusual.start()
    problem = f"There is a control character here (U+{ord(unusual[0]):04X})."
    findings.append(
        Finding(name, text.count("\n", 0, start) + 1, start - at + 1, "error", "ENCODING", problem, "Delete it.")
    )
    return None


class _Builder:
    """Makes the tree of one document from its events, without recursion."""

    def __init__(self, lines: list[str]) -> None:
        self.lines, self.faults = lines, list[_Fault]()
        self.root: Node | None = None
        self.stack: list[tuple[Node, Scalar | None, str | None]] = []  # container, its pending key, its anchor
        self.key: Scalar | None = None  # the key that waits for its value, of the innermost mapping
        self.anchors: dict[str, Node] = {}
        self.unused: dict[str, Node] = {}
        self.nodes = 0

    def build(self, events: Iterable[Any]) -> Node | None:
        """The root of the document. Raises ``_Fault``; lesser faults are kept in ``faults``."""
        try:
            for event in events:
                self._event(event)
        except yaml.YAMLError as error:
            raise self._syntax(error) from error
        for name, node in self.unused.items():
            self.faults.append(self._needs_quotes(node.line - 1, node.column - 1, f"'&{clip(name)}' is used nowhere."))
        return self.root

    def _event(self, event: Any) -> None:
        kind = type(event)
        if kind is yaml.ScalarEvent:
            self._scalar(event)
        elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
            self._open(event, Mapping if kind is yaml.MappingStartEvent else Items)
        elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
            self._close()
        elif kind is yaml.AliasEvent:
            self._alias(event)
        elif kind is yaml.DocumentStartEvent and self.root is not None:
            mark = event.start_mark
            fix = "Keep one document a file: delete the line '---'."
            raise _Fault(mark.line, mark.column, "YAML", "A second document begins here.", fix)

    def _scalar(self, event: Any) -> None:
        mark, end = event.start_mark, event.end_mark
        if event.tag not in _TEXT_TAGS:
            self._tag(event.tag, mark)
        quoted = bool(event.style) or event.tag is not None
        node = Scalar(mark.line + 1, mark.column + 1, event.value, quoted, end.line + 1, end.column + 1)
        if event.anchor is not None:
            self._anchor(event.anchor, node)
        self._add(node, mark)

    def _open(self, event: Any, make: type[Mapping] | type[Items]) -> None:
        mark = event.start_mark
        if len(self.stack) >= MAX_DEPTH:
            problem = f"The nesting is deeper than {MAX_DEPTH}."
            raise _Fault(mark.line, mark.column, "TOO_DEEP", problem, "Nest less.")
        if event.tag is not None:
            self._tag(event.tag, mark)
        if self.stack and isinstance(self.stack[-1][0], Mapping) and self.key is None:
            raise self._needs_quotes(mark.line, mark.column, "A key must be a plain word.")
        self.stack.append((make(mark.line + 1, mark.column + 1), self.key, event.anchor))
        self.key = None

    def _close(self) -> None:
        node, self.key, anchor = self.stack.pop()
        if anchor is not None:
            self._anchor(anchor, node)
        self._add(node, None)

    def _alias(self, event: Any) -> None:
        mark = event.start_mark
        node = self.anchors.get(event.anchor)
        if node is None:
            raise self._needs_quotes(mark.line, mark.column, f"'*{clip(event.anchor)}' stands for nothing.")
        if self.stack and isinstance(self.stack[-1][0], Mapping) and self.key is None:
            raise self._needs_quotes(mark.line, mark.column, "A key must be a plain word.")
        self.unused.pop(event.anchor, None)
        self._add(node, mark)

    def _add(self, node: Node, mark: Any) -> None:
        """Put a finished node where it belongs, counting what it stands for."""
        self.nodes += node.size if mark is not None else 1
        if self.nodes > MAX_NODES:
            line, column = (mark.line, mark.column) if mark is not None else (node.line - 1, node.column - 1)
            problem = f"The file stands for more than {MAX_NODES} values (aliases counted in full)."
            raise _Fault(line, column, "TOO_LARGE", problem, "Split the file, and use no aliases of aliases.")
        if not self.stack:
            self.root = node
            return
        parent = self.stack[-1][0]
        parent.size += node.size
        if isinstance(parent, Items):
            parent.items.append(node)
        elif self.key is None:
            self.key = cast(Scalar, node)
        else:
            self._entry(cast(Mapping, parent), self.key, node)
            self.key = None

    def _entry(self, parent: Mapping, key: Scalar, node: Node) -> None:
        first = parent.keys.get(key.text)
        if first is not None:
            problem = f"'{clip(key.text)}' is there twice (first in line {first.line})."
            self.faults.append(_Fault(key.line - 1, key.column - 1, "DUPLICATE_KEY", problem, "Keep one of them."))
            return
        parent.keys[key.text], parent.entries[key.text] = key, node

    def _anchor(self, name: str, node: Node) -> None:
        if len(self.anchors) >= 100:
            raise _Fault(node.line - 1, node.column - 1, "TOO_LARGE", "There are more than 100 anchors.", "Use fewer.")
        self.anchors[name] = self.unused[name] = node

    def _tag(self, tag: str, mark: Any) -> None:
        self.faults.append(self._needs_quotes(mark.line, mark.column, f"'{clip(tag)}' is no kind of value here."))

    def _needs_quotes(self, line: int, column: int, otherwise: str) -> _Fault:
        """The fault of a text that lacks its quotes, or ``otherwise`` where the line is no text line."""
        correction = quoting.correct(self.lines, line)
        if correction is None:
            return _Fault(line, column, "YAML", otherwise, "Put quotes around the text.")
        return self._corrected(correction)

    def _corrected(self, correction: quoting.Correction) -> _Fault:
        place = (correction.number, correction.column - 1)
        return _Fault(*place, "NEEDS_QUOTES", correction.problem, correction.fix, correction.line)

    def _syntax(self, error: yaml.YAMLError) -> _Fault:
        """libyaml's complaint in plain words, at the line that is to blame."""
        mark, context = getattr(error, "problem_mark", None), getattr(error, "context_mark", None)
        if mark is None:
            return _Fault(0, 0, "YAML", f"This cannot be read as YAML: {clip(str(error))}")
        line = self.lines[mark.line] if mark.line < len(self.lines) else ""
        if "\t" in line[: mark.column + 1] and not line[: mark.column + 1].strip():
            mended = quoting.untabbed(self.lines, mark.line)
            fix = f"Indent with spaces: {mended.rstrip()!r}"
            return _Fault(mark.line, line.index("\t"), "TABS", "There is a tab in the indentation.", fix, mended)
        numbers = [mark.line] if context is None else [mark.line, context.line]
        correction = quoting.find(self.lines, numbers)
        if correction is not None:
            return self._corrected(correction)
        problem = str(getattr(error, "problem", "") or "")
        place = context if context is not None and "closed" in _PLAIN_WORDS.get(problem, "") else mark
        words = _PLAIN_WORDS.get(problem, f"This cannot be read as YAML: {problem}.")
        return _Fault(min(place.line, max(0, len(self.lines) - 1)), place.column, "YAML", words)
