"""Rule templates (``rules/templates.yaml``): a rule with gaps such as ``<place>``, and the rules that fill them."""

import re
from collections.abc import Collection
from copy import copy

from engine.author.merging import merge_rules
from engine.author.nodes import Filled, Items, Mapping, Node, Scalar
from engine.author.report import clip, did_you_mean, nearest, renamed
from engine.author.shelf import Template, lend, weight
from engine.author.source import Source

USE_KEYS = ("use", "with")
PARAMETERS = "parameters"
GAP = re.compile(r"<([^\W\d][\w\-]*)>")
_WORD = r"([^\W\d][\w\-]*)"
_MISTAKEN = re.compile(
    rf"\{{\{{\s*{_WORD}\s*\}}\}}|<\s+{_WORD}\s*>|<{_WORD}\s+>|<{_WORD}(?![\w\-]*>)|(?<!\{{)\{{{_WORD}\}}|\${_WORD}"
)
MAX_TEXT = 20_000  # characters of a text with its gaps filled
_ALONE = "A template cannot use another template."


def read_templates(source: Source, known: Collection[str]) -> None:
    """``templates:``, each with ``parameters`` and the keys of a rule (``known``), onto the shelf of the source."""
    root = source.root
    if root is None or (isinstance(root, Scalar) and root.empty):
        return
    top = source.mapping(root, "the file", ("templates",))
    if top is None or "templates" not in top.entries:
        return
    lend(root, source.file)
    for key, _, node in source.entries(top.entries["templates"], "templates"):
        before = source.told.get("error", 0)
        body = source.mapping(node, f"template '{clip(key)}'")
        if body is not None:
            gaps, parameters = _check(source, key, body, known)
            wrong = source.told.get("error", 0) > before
            source.shelf.templates[key] = Template(key, body, parameters, gaps, weight(body), wrong)


def _check(
    source: Source, key: str, body: Mapping, known: Collection[str]
) -> tuple[frozenset[int], dict[str, Node | None]]:
    """The nodes with gaps, and the parameters."""
    for name, place in body.keys.items():
        if name in USE_KEYS:
            source.error(place, "TEMPLATE_IN_TEMPLATE", _ALONE, "Write its lines here.")
        elif name not in known and name != PARAMETERS:
            source.unknown_key(place, name, "a template", (PARAMETERS, *known))
    parameters = _parameters(source, body)
    used: dict[str, None] = {}
    gaps: set[int] = set()
    for name, value in body.entries.items():
        if name != PARAMETERS:
            _find(source, value, parameters, used, gaps)
    if not any(f.code == "UNKNOWN_PARAMETER" for f in source.findings):
        for name in (name for name in parameters if name not in used):
            problem = f"The parameter '{clip(name)}' of '{clip(key)}' goes nowhere."
            source.tell(
                body.keys[PARAMETERS], "warning", "UNUSED", problem, f"Write <{name}> where it goes, or delete it."
            )
    return frozenset(gaps), parameters


def _parameters(source: Source, body: Mapping) -> dict[str, Node | None]:
    """``[place, offer]``, ``place, offer``, or names with what they are unless a rule says otherwise."""
    node = body.entries.get(PARAMETERS)
    if node is None:
        return {}
    found: dict[str, Node | None] = {}
    if isinstance(node, Mapping):
        for name, value in node.entries.items():
            found[name] = None if isinstance(value, Scalar) and value.empty else value
        places: dict[str, Node] = dict(node.keys)
    else:
        places = {}
        for item in source.each(node, PARAMETERS):
            text = source.text(item, PARAMETERS) or ""
            for name in (part.strip() for part in text.split(",")):
                found[name], places[name] = None, item
    for name in found:
        if not GAP.fullmatch(f"<{name}>"):
            fix = "Use letters, digits, - and _, beginning with a letter."
            source.error(places[name], "BAD_VALUE", f"'{clip(name)}' cannot be the name of a parameter.", fix)
    return found


def _find(source: Source, node: Node, known: Collection[str], used: dict[str, None], gaps: set[int]) -> bool:
    """Note the gaps in a node; whether there are any."""
    if isinstance(node, Scalar):
        for gap in GAP.finditer(node.text):
            used[gap[1]] = None
            if gap[1] not in known:
                _unknown_gap(source, node, gap, known)
        for mistaken in _MISTAKEN.finditer(node.text):
            if (name := next(filter(None, mistaken.groups()))) in known:
                problem = f"'{clip(mistaken[0])}' is no gap: it stays as it is."
                source.tell(node, "warning", "NO_GAP", problem, f"Write: <{name}>")
        found = GAP.search(node.text) is not None
    elif isinstance(node, Items):
        found = sum(_find(source, item, known, used, gaps) for item in node.items) > 0
    else:
        assert isinstance(node, Mapping)
        for name, place in node.keys.items():
            if GAP.search(name):
                source.error(place, "BAD_VALUE", f"A key cannot have a gap: '{clip(name)}'.", "Write the key itself.")
        found = sum(_find(source, value, known, used, gaps) for value in node.entries.values()) > 0
    if found:
        gaps.add(id(node))
    return found


def _unknown_gap(source: Source, node: Scalar, gap: re.Match[str], known: Collection[str]) -> None:
    near = nearest(gap[1], known)
    fix = f"Did you mean <{near}>?" if near else f"Add '{gap[1]}' to the parameters of the template."
    shift = gap.start() + node.quoted if node.line == node.end_line else 0
    edit = renamed(gap[1], known)
    problem = f"'<{clip(gap[1])}>' is no parameter of this template."
    source.error(node, "UNKNOWN_PARAMETER", problem, fix, shift, edit and (f"<{edit[0]}>", f"<{edit[1]}>"))


# ------------------------------------------------------------------ a rule that uses one


def use_template(source: Source, rule: Mapping) -> Mapping | None:
    """The rule with the lines of its template; None where that is not possible, which is told."""
    if "use" not in rule.entries:
        fix = "Add 'use:' with the name of a template of rules/templates.yaml."
        source.error(rule.keys["with"], "MISSING", "'with' fills the gaps of a template, and there is none.", fix)
        return None
    place = rule.entries["use"]
    name = source.text(place, "use")
    if name is None:
        return None
    source.use("rule template", name, place)
    template = source.shelf.templates.get(name)
    if template is None:
        known = source.shelf.templates
        fix = did_you_mean(name, known) or "Add it to rules/templates.yaml."
        source.error(place, "UNKNOWN_TEMPLATE", f"Unknown template '{clip(name)}'.", fix, edit=renamed(name, known))
        return None
    values = None if template.wrong else _values(source, template, rule)
    if values is None:
        return None
    filled = _Filling(source, template, values, place).body()
    return None if filled is None else merge_rules(source, rule, filled, (*USE_KEYS, PARAMETERS))


def _values(source: Source, template: Template, rule: Mapping) -> dict[str, Node] | None:
    """What fills each gap; None where something is missing or unknown."""
    given: dict[str, Node] = {}
    right = True
    if "with" in rule.entries:
        right = isinstance(rule.entries["with"], Mapping)
        for name, place, value in source.entries(rule.entries["with"], "with"):
            given[name] = value
            if name not in template.parameters:
                right = False
                problem = f"'{clip(name)}' is no parameter of the template '{clip(template.name)}'."
                fix = did_you_mean(name, template.parameters) or "It has none: delete the line."
                source.error(place, "UNKNOWN_PARAMETER", problem, fix, edit=renamed(name, template.parameters))
            elif isinstance(value, Scalar) and value.empty and not value.quoted:
                right = False
                source.wrong(value, name, "text")
    values = {name: given.get(name, default) for name, default in template.parameters.items()}
    missing = [name for name, value in values.items() if value is None]
    if missing and right:
        names = " and ".join(f"'{clip(name)}'" for name in missing)
        problem = f"The template '{clip(template.name)}' ({source.where(template.body)}) needs {names}."
        fix = f"Add under 'with:': {missing[0]}: …"
        source.error(rule.keys["use"], "MISSING", problem, fix)
    return {name: value for name, value in values.items() if value is not None} if right and not missing else None


class _Filling:
    """One use of a template."""

    def __init__(self, source: Source, template: Template, values: dict[str, Node], place: Node) -> None:
        self.source, self.template, self.values, self.place = source, template, values, place
        self.weights = {name: weight(value) for name, value in values.items()}
        self.full = False  # something went wrong: the rest need not be filled

    def body(self) -> Mapping | None:
        """The lines of the template with its gaps filled; None where they come to too much."""
        if not self.source.shelf.spend(self.template.weight):
            self._too_much()
        found = None if self.full else self._node(self.template.body)
        return found if isinstance(found, Mapping) and not self.full else None

    def _too_much(self) -> None:
        if not self.full:
            self.full = True
            problem = "All the rules that use templates come to more than can be read."
            self.source.error(self.place, "TOO_LARGE", problem, "Make the templates smaller, or use them less often.")

    def _node(self, node: Node) -> Node:
        if self.full or (id(node) not in self.template.gaps and node is not self.template.body):
            return node
        if isinstance(node, Scalar):
            return self._scalar(node)
        if isinstance(node, Items):
            items = copy(node)
            items.items = [self._node(item) for item in node.items]
            return items
        assert isinstance(node, Mapping)
        mapping = copy(node)
        mapping.entries = {
            key: value if key == PARAMETERS else self._node(value) for key, value in node.entries.items()
        }
        return mapping

    def _scalar(self, node: Scalar) -> Node:
        whole = GAP.fullmatch(node.text)
        if whole is not None:
            return self._placed(whole[1], node)
        pieces: list[tuple[int, int, int, int, Scalar]] = []
        parts, at, length = list[str](), 0, 0
        for gap in GAP.finditer(node.text):
            value = self._placed(gap[1], node)
            if not isinstance(value, Scalar):
                problem = f"'{clip(gap[1])}' goes into a text ({self.source.where(node)}): it must be one line."
                return self._wrong(value, "WRONG_TYPE", problem, "Write one line of text.")
            parts += (node.text[at : gap.start()], value.text)
            length += len(parts[-2]) + len(parts[-1])
            at = gap.end()
            if length > MAX_TEXT:
                problem = (
                    f"With its gaps filled the text of {self.source.where(node)} is longer than {MAX_TEXT} characters."
                )
                return self._wrong(value, "TOO_LARGE", problem, "Shorten it.")
            pieces.append((length - len(value.text), length, gap.start(), gap.end(), value))
        text = "".join(parts) + node.text[at:]
        start, end = (node.line, node.column), (node.end_line, node.column)
        return Filled(*start, text, node.quoted, *end, node, pieces, file=node.file)

    def _wrong(self, value: Node, code: str, problem: str, fix: str) -> Node:
        if not self.full:
            self.full = True
            value.into = ""  # the problem says it
            self.source.error(value, code, problem, fix)
        return value

    def _placed(self, name: str, gap: Node) -> Node:
        """The value as it stands in that gap: a mistake in it is told at its own place, and names the gap's."""
        value = self.values[name]
        if not self.source.shelf.spend(self.weights[name]):
            self._too_much()
        placed = copy(value)
        if not value.file:  # what fills the gap unless a rule says stands in the template itself
            placed.into = self.source.where(gap)
        return placed
