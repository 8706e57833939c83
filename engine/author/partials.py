"""Partials: pieces of text that messages use as ``{{ partial.NAME }}``. They are put in when the files are read."""

import re

from engine.author.nodes import Node, Scalar
from engine.author.report import clip, did_you_mean, renamed
from engine.author.shelf import Partial
from engine.author.source import Source
from engine.compose import check_template

KEYS = ("text", "languages")
MAX_DEPTH = 5  # partials within partials
MAX_LENGTH = 20_000  # characters of a text with its partials in it
_PARTIAL = re.compile(r"\{\{-?\s*partial\.([\w\-]+)\s*-?\}\}")
_MENTIONED = re.compile(r"\{[{%][^{}]*?(?<![\w.])(partials?)\s*[.\[]")
_NAME = re.compile(r"\w[\w\-]{0,99}")
_Raw = dict[str, Scalar]  # by language in small letters; "" the text itself


def read_partials(source: Source, node: Node) -> None:
    """``partials:``, each a text, or ``text`` with ``languages``, onto the shelf of the source."""
    raw: dict[str, _Raw] = {}
    for key, place, value in source.entries(node, "partials"):
        if not _NAME.fullmatch(key):
            fix = "Use letters, digits, - and _."
            source.error(place, "BAD_VALUE", f"'{clip(key)}' cannot be the name of a partial.", fix)
        texts = _texts(source, key, value)
        if texts is not None:
            raw[key] = texts
        source.shelf.partials[key] = None
    finished = _Finishing(source, raw)
    for key in raw:
        finished.finish(key)


def _texts(source: Source, key: str, node: Node) -> _Raw | None:
    if isinstance(node, Scalar):
        return {"": node} if source.text(node, key, MAX_LENGTH) is not None else None
    partial = source.mapping(node, f"partial '{clip(key)}'", KEYS)
    if partial is None:
        return None
    if "text" not in partial.entries:
        source.error(
            node, "MISSING", f"The partial '{clip(key)}' has no 'text'.", "Add it: it is what is said elsewhere."
        )
        return None
    texts: dict[str, Node] = {"": partial.entries["text"]}
    if "languages" in partial.entries:
        for code, _, value in source.entries(partial.entries["languages"], "languages"):
            texts[code.lower().replace("_", "-")] = value
    found = {
        code: value
        for code, value in texts.items()
        if source.text(value, "text", MAX_LENGTH) is not None and isinstance(value, Scalar)
    }
    return found if len(found) == len(texts) else None


class _Finishing:
    """Puts partials into partials, innermost first."""

    def __init__(self, source: Source, raw: dict[str, _Raw]) -> None:
        self.source, self.raw = source, raw
        self.done: set[str] = set()
        self.open: list[str] = []  # those that are being finished, the outermost first

    def finish(self, key: str) -> None:
        """Put onto the shelf what the partial comes to; one that is wrong stays as None, and is told."""
        if key in self.done or key not in self.raw:
            return
        self.done.add(key)
        self.open.append(key)
        texts = {code: self._finished(key, node, code) for code, node in self.raw[key].items()}
        self.open.pop()
        whole = {code: text for code, text in texts.items() if text is not None}
        if len(whole) == len(texts):
            self.source.shelf.partials[key] = Partial(whole.pop(""), whole)

    def _finished(self, key: str, node: Scalar, language: str) -> str | None:
        """The text with what it uses in it; None where something is wrong, which is told."""
        for name in dict.fromkeys(found[1] for found in _PARTIAL.finditer(node.text)):
            if name in self.open:
                problem = f"The partial '{clip(key)}' comes back to '{clip(name)}'."
                self.source.error(node, "CIRCULAR", problem, "Take one of them out of the circle.")
                return None
            if len(self.open) >= MAX_DEPTH:
                problem = f"Partials are more than {MAX_DEPTH} deep here."
                self.source.error(node, "TOO_DEEP", problem, "Write the innermost text itself.")
                return None
            if name in self.raw:
                self.finish(name)
        text = fill(self.source, node, node.text.strip(), language)
        wrong = None if text is None else check_template(text)
        if wrong is not None:
            self.source.error(node, "TEMPLATE", wrong)
            return None
        return text


def fill(source: Source, node: Scalar, text: str, language: str) -> str | None:
    """The text with its partials in it, in a language; None where one is unknown or wrong, or it grows too long."""
    if "partial" not in text:
        return text
    pieces, at, length = list[str](), 0, 0
    for found in _PARTIAL.finditer(text):
        partial = _partial(source, node, found)
        if partial is None:
            return None
        pieces += [text[at : found.start()], partial.said(language)]
        length += len(pieces[-1]) + len(pieces[-2])
        at = found.end()
        if length > MAX_LENGTH or not source.shelf.spend(len(pieces[-1])):
            problem = f"With its partials this text is longer than {MAX_LENGTH} characters."
            source.error(node, "TOO_LARGE", problem, "Shorten it.")
            return None
    pieces.append(text[at:])
    whole = "".join(pieces)
    return None if _misused(source, node, text) else whole


def _partial(source: Source, node: Scalar, found: re.Match[str]) -> Partial | None:
    name, known = found[1], source.shelf.partials
    if name not in known:
        shift = found.start(1) + node.quoted if node.line == node.end_line else 0
        fix = did_you_mean(name, known) or "Add it to rules/messages.yaml, under 'partials:'."
        edit = renamed(name, known)
        source.error(node, "UNKNOWN_PARTIAL", f"Unknown partial '{clip(name)}'.", fix, shift, edit)
        return None
    source.use("partial", name, node)
    partial = known[name]
    if partial is None:  # told where it stands; this rule is left out for it
        source.told["error"] = source.told.get("error", 0) + 1
    return partial


def _misused(source: Source, node: Scalar, text: str) -> bool:
    """``{{ partial.x | upcase }}`` and ``{% if partial.x %}``: a partial is text, and nothing more."""
    wrong = _MENTIONED.search(_PARTIAL.sub("", text))
    if wrong is None:
        return False
    fix = "Write {{ partial.NAME }} and nothing else between the brackets."
    edit = ("partials", "partial") if wrong[1] == "partials" else None
    source.error(node, "PARTIAL", "A partial is put in as it stands.", fix, edit=edit)
    return True
