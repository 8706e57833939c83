"""Template sources to templates: refused in plain words when anything about them is wrong or could run away."""

import difflib
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import cast

from liquid.ast import Node
from liquid.builtin.expressions import FilteredExpression
from liquid.builtin.expressions.primitive import RangeLiteral
from liquid.context import RenderContext
from liquid.exceptions import LiquidError
from liquid.expression import Expression

from engine.compose.liquid_setup import ENVIRONMENT, TAG_NAMES, BoundedStop, Template
from engine.compose.problems import MAX_EXPRESSION_DEPTH, MAX_SOURCE_BYTES, MAX_TAG_CHARS, TemplateError, TooMuch

ROOTS = ("profile", "fence", "device", "event", "context", "person", "offer", "global", "now", "today")
_OPENS = re.compile(r"\{\{|\{%")
_TAG = re.compile(r"-?\s*(#|\w*)")
_LATER = ("include", "render")
_INSIDE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
# Words of Liquid's own, which it does not take for a part of a name where they follow a dot.
_WORDS = (
    "true|false|nil|null|empty|blank|and|or|contains|not|in|offset|limit|reversed|cols|continue|with|for|as|if|else"
    "|required"
)
_NAMED_SO = re.compile(rf"""'[^']*'|"[^"]*"|(?<!\.)\.({_WORDS})(?![\w?-])""")


@lru_cache(maxsize=8192)  # a release is checked, then compiled; the next one differs in little
def parse(source: str) -> Template:
    """Read a template; raises ``TemplateError`` with the problem and the fix."""
    try:
        size = len(source.encode())
    except UnicodeEncodeError as error:
        problem = f"{_place(source, error.start)}: half a character stands here."
        raise TemplateError(problem, fix="Write the text again, in UTF-8.") from error
    if size > MAX_SOURCE_BYTES:
        raise TooMuch(f"The template is longer than {MAX_SOURCE_BYTES} bytes.", fix="Shorten it.")
    _scan(source)
    source = _INSIDE.sub(_quoted, source)
    try:
        template = cast(Template, ENVIRONMENT.from_string(source))
    except LiquidError as error:
        raise TemplateError(_said(error, source), fix="See the Liquid language for how it is written.") from error
    nodes = list(_nodes(template.nodes, template))
    template.weight = max(1, len(nodes))
    expressions = [expression for node in nodes for expression in node.expressions()]
    for expression in expressions:
        _check_expression(expression)
    _check_roots(template)
    for expression in expressions:
        _bound_ranges(expression)
    return template


def is_plain(source: str) -> bool:
    """Nothing in it is Liquid: it stands for itself."""
    return _OPENS.search(source) is None


def said(error: LiquidError) -> str:
    """A library error in one line."""
    return str(error.message or type(error).__name__).split("\n")[0]


# ------------------------------------------------------------------ before the parser


def _scan(source: str) -> None:
    """One linear look: every opening is closed nearby and every tag is known. The library's own scanner takes time that
    grows with the square of what lies between, so nothing unbounded may reach it."""
    at = 0
    while (opening := _OPENS.search(source, at)) is not None:
        closing = "}}" if opening.group() == "{{" else "%}"
        end = source.find(closing, opening.end())
        place = _place(source, opening.start())
        if end < 0:
            raise TemplateError(f"{place}: '{opening.group()}' is never closed.", fix=f"Close it with '{closing}'.")
        if end - opening.end() > MAX_TAG_CHARS:
            problem = (
                f"{place}: more than {MAX_TAG_CHARS} characters stand between '{opening.group()}' and '{closing}'."
            )
            raise TooMuch(problem, fix=f"Close it earlier with '{closing}', or split it.")
        if closing == "%}":
            _check_tag(source[opening.end() : end], place)
        elif not source[opening.end() : end].strip(" \t\r\n-"):
            raise TemplateError(f"{place}: '{{{{ }}}}' is empty.", fix="Write a name in it, as in {{ fence.name }}.")
        at = end + 2


def _check_tag(inside: str, place: str) -> None:
    found = _TAG.match(inside)
    name = found.group(1) if found is not None else ""
    if name in _LATER:
        raise TemplateError(f"{place}: '{name}' is not available yet.", fix="Write the text here instead.")
    if name not in TAG_NAMES:
        fix = _likely(name, TAG_NAMES) or "Known are if, unless, case, for, assign, capture and comment."
        raise TemplateError(f"{place}: there is no tag '{name}'.", fix=fix)


def _quoted(inside: re.Match[str]) -> str:
    """``profile.limit`` as ``profile['limit']``: what somebody calls a field may be a word of Liquid's own."""
    return _NAMED_SO.sub(lambda found: f"['{found[1]}']" if found[1] else found[0], inside[0])


# ------------------------------------------------------------------ after the parser


def all_nodes(template: Template) -> Iterator[Node]:
    """Every node of a template, in no particular order."""
    return _nodes(template.nodes, template)


def _nodes(nodes: Iterable[Node], template: Template) -> Iterator[Node]:
    static = RenderContext(template)
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(node.children(static))


def _check_expression(expression: Expression) -> None:
    waiting = [(expression, 1)]
    while waiting:
        part, depth = waiting.pop()
        if depth > MAX_EXPRESSION_DEPTH:
            problem = f"An expression is nested more than {MAX_EXPRESSION_DEPTH} deep."
            raise TooMuch(problem, fix="Split it with assign.")
        if isinstance(part, FilteredExpression):
            for filter_ in part.filters or ():
                if filter_.name not in ENVIRONMENT.filters:
                    fix = (
                        _likely(filter_.name, ENVIRONMENT.filters)
                        or f"Known are {', '.join(sorted(ENVIRONMENT.filters))}."
                    )
                    raise TemplateError(f"There is no filter '{filter_.name}'.", fix=fix)
        waiting.extend((child, depth + 1) for child in part.children())


def _bound_ranges(expression: Expression) -> None:
    waiting = [expression]
    while waiting:
        part = waiting.pop()
        waiting.extend(part.children())
        if isinstance(part, RangeLiteral):
            part.stop = BoundedStop(part.start, part.stop)


def _check_roots(template: Template) -> None:
    for name in template.analyze().globals:
        if name not in ROOTS:
            fix = f"Names begin with one of {', '.join(ROOTS[:8])}; the likely one is profile.{name}."
            near = difflib.get_close_matches(name, ROOTS, 1)
            raise TemplateError(f"There is no name '{name}'.", fix=f"Did you mean '{near[0]}'?" if near else fix)


# ------------------------------------------------------------------ words


def _likely(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), 1)
    return f"Did you mean '{near[0]}'?" if near else ""


def _place(source: str, index: int) -> str:
    before = source[:index]
    return f"line {before.count(chr(10)) + 1}, column {index - (before.rfind(chr(10)) + 1) + 1}"


def _said(error: LiquidError, source: str) -> str:
    index = error.token.start_index if error.token is not None else -1
    place = f"{_place(source, index)}: " if 0 <= index <= len(source) else ""
    return f"{place}{said(error)}."
