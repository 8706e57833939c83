"""What the checks look at: everything that was read, and the place of each part of it."""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from functools import cached_property
from typing import Any

from msgspec import UNSET, Struct

from engine.author.crosscheck import Parts
from engine.author.holding import Facts
from engine.compose import names_written
from engine.errors import Finding, Severity
from engine.model.fence import Fence
from engine.model.rule import (
    Compare,
    Condition,
    Did,
    Expression,
    InSegment,
    Inside,
    Literal_,
    LocalTime,
    Name,
    Near,
    Rule,
    Target,
    Visited,
)

Place = tuple[str, int, int]
_LEAD = re.compile(r"\s*(?:-\s+)*")
_REACH = 8  # lines below its first in which a word of a folded text is looked for


_NAMELESS = (LocalTime, InSegment, Inside, Near, Visited, Target, Literal_)


class Use(Struct, frozen=True):
    """A name in an expression, and what it is compared with there (``compare`` None: arithmetic, or alone)."""

    path: tuple[str, ...]
    name: str  # ``profile.first_name``
    where: str
    compare: Compare | None = None


class Scene:
    """Everything that was read. ``today`` is the date of the project's clock; without it nothing depends on it."""

    def __init__(self, parts: Parts, today: date | None = None) -> None:
        self.parts, self.today = parts, today
        self.rules: list[Rule] = [rule for rule, *_ in parts.rules]
        self.facts: dict[str, Facts | None] = {}  # what must be so whenever a rule sends (None: it never does)
        self._covered: dict[Target, frozenset[str]] = {}
        self._written: dict[str, list[tuple[Use, bool]]] = {}

    @cached_property
    def by_id(self) -> dict[str, Rule]:
        """The rules by id."""
        return {rule.id: rule for rule in self.rules}

    @cached_property
    def status(self) -> dict[str, str]:
        """The status of each rule."""
        return {rule.id: rule.status for rule in self.rules}

    # -------------------------------------------------------------- places

    def place(self, where: str, *words: str) -> Place:
        """The place of ``file:line``: of the first of these words that stands there, else of the line's own text."""
        file, _, number = where.rpartition(":")
        line = int(number) if number.isdigit() else 0
        lines = self.parts.lines.get(file, ())
        if not 0 < line <= len(lines):
            return file or where, max(line, 1), 1
        for word in words:
            for at in range(line, min(line + _REACH, len(lines) + 1)):
                found = _word(word).search(lines[at - 1])
                if found is not None:
                    return file, at, found.start() + 1
        lead = _LEAD.match(lines[line - 1])
        return file, line, (lead.end() if lead else 0) + 1

    def tell(
        self,
        where: str,
        severity: Severity,
        code: str,
        problem: str,
        fix: str = "",
        at: tuple[str, ...] = (),
        edit: tuple[str, str] | None = None,
    ) -> Finding:
        """A finding at ``file:line``, at the first of the words ``at``."""
        return Finding(*self.place(where, *at), severity, code, problem, fix, edit or UNSET)

    # -------------------------------------------------------------- names

    @cached_property
    def uses(self) -> list[Use]:
        """Every name of every condition, in the order of the files."""
        found: list[Use] = []
        for condition in self._conditions():
            _gather(condition, condition.where, found)
        return found

    def _conditions(self) -> Iterator[Condition]:
        for rule in self.rules:
            yield from rule.only_if
            yield from rule.unless
            for trigger in rule.when:
                yield from getattr(trigger, "only_if", ())
        for segment in self.parts.segments.values():
            yield from segment.only_if

    @cached_property
    def metadata(self) -> Mapping[str, None]:
        """The names that the metadata of any fence has: ``fence.size``."""
        names: dict[str, None] = {}
        for fence in self.parts.fences:
            for key in fence.metadata:
                names[f"fence.{key}"] = None
        return names

    # -------------------------------------------------------------- templates

    @cached_property
    def _templates(self) -> dict[tuple[str, str], list[int]]:
        """The lines at which each template of each file stands."""
        found: dict[tuple[str, str], list[int]] = {}
        for use in self.parts.uses:
            if use.kind == "template":
                found.setdefault((use.file, use.name), []).append(use.line)
        return found

    def written_by(self, rule: Rule) -> list[tuple[Use, bool]]:
        """Every name that the rule's message writes, and whether the message fails where it is unknown."""
        known = self._written.get(rule.id)
        if known is None:
            known = self._written[rule.id] = list(self._names_written(rule))
        return known

    def _names_written(self, rule: Rule) -> Iterator[tuple[Use, bool]]:
        file, _, first = rule.where.rpartition(":")
        for text in (rule.message.text, *rule.message.languages.values()):
            for source in (text.title, text.body, text.link, *text.data.values()):
                if "{" not in source:
                    continue
                where = self._where_written(source, file, int(first)) or rule.message.where
                for name, needed in names_written(source).items():
                    yield Use(tuple(name.split(".")), name, self._home_of(name, where)), needed

    def _home_of(self, name: str, where: str) -> str:
        """The line that writes a name: the one of a partial, where the text itself only uses that."""
        if not self.parts.shelf.partials or self._is_near(name, where):
            return where
        places = (self.parts.homes.get(("partial", partial)) for partial in self.parts.shelf.partials)
        homes = (f"{place[0]}:{place[1]}" for place in places if place is not None)
        return next((home for home in homes if self._is_near(name, home)), where)

    def _is_near(self, word: str, where: str) -> bool:
        """Whether a word stands at ``file:line`` or soon below."""
        file, _, number = where.rpartition(":")
        lines = self.parts.lines.get(file, [])[int(number) - 1 : int(number) - 1 + _REACH]
        return any(_word(word).search(line) for line in lines)

    def _where_written(self, source: str, file: str, first: int) -> str | None:
        """Where a rule's template stands: in its own file from its first line on, else in one that it uses."""
        lines = [line for line in self._templates.get((file, source), ()) if line >= first]
        if lines:
            return f"{file}:{lines[0]}"
        shared = ((other, self._templates.get((other, source))) for other in self.parts.shelf.lines)
        return next((f"{other}:{found[0]}" for other, found in shared if found), None)

    @cached_property
    def written(self) -> list[Use]:
        """Every name that any message writes."""
        return [use for rule in self.rules for use, _ in self.written_by(rule)]

    # -------------------------------------------------------------- fences

    @cached_property
    def fences(self) -> dict[str, Fence]:
        """By id."""
        return {fence.id: fence for fence in self.parts.fences}

    @cached_property
    def tagged(self) -> dict[str, list[str]]:
        """The ids of the fences of each tag."""
        found: dict[str, list[str]] = {}
        for fence in self.parts.fences:
            for tag in fence.tags:
                found.setdefault(tag, []).append(fence.id)
        return found

    def covered(self, target: Target) -> frozenset[str]:
        """The ids of the fences that a target means."""
        known = self._covered.get(target)
        if known is None:
            ids = [fence for fence in target.fences if fence in self.fences]
            for tag in target.tags:
                ids += self.tagged.get(tag, ())
            known = self._covered[target] = frozenset(ids)
        return known


def _word(word: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.\-]){re.escape(word)}(?![\w\-])")


def names_of(thing: Any, where: str) -> list[Use]:
    """The names in a condition or expression, those of conditions inside it included."""
    found: list[Use] = []
    _gather(thing, where, found)
    return found


def _gather(thing: Any, where: str, found: list[Use]) -> None:
    kind = type(thing)
    if kind is Expression:
        _gather(thing.expr, thing.where or where, found)
    elif kind is Compare:
        _sides(thing, where, found)
    elif kind is Name:
        found.append(Use(thing.path, ".".join(thing.path), where))
    elif kind is tuple:
        for item in thing:
            _gather(item, where, found)
    elif kind is Did:
        if thing.filter is not None:
            _gather(thing.filter, thing.where or where, found)
    elif kind not in _NAMELESS and isinstance(thing, Struct):
        inner = getattr(thing, "where", "") or where
        for field in thing.__struct_fields__:
            value = getattr(thing, field)
            if isinstance(value, (Struct, tuple)):
                _gather(value, inner, found)


def _sides(compare: Compare, where: str, found: list[Use]) -> None:
    for side in (compare.left, compare.right):
        if type(side) is Name:
            found.append(Use(side.path, ".".join(side.path), where, compare))
        elif side is not None:
            _gather(side, where, found)
