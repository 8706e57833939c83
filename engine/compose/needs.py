"""Which names a template writes, and which of them it cannot do without."""

from collections.abc import Sequence

from liquid.ast import Node
from liquid.builtin.expressions import FilteredExpression
from liquid.builtin.expressions.path import Path
from liquid.builtin.output import OutputNode

from engine.compose.problems import TemplateError
from engine.compose.simple import outputs
from engine.compose.templates import all_nodes, is_plain, parse


def names_written(source: str) -> dict[str, bool]:
    """Every name (``profile.first_name``) -> whether the template fails where it is unknown; none where it is wrong.

    What an ``if`` or the like asks about anywhere in the template counts as looked after.
    """
    if is_plain(source):
        return {}
    simple = outputs(source)
    if simple is not None:
        found: dict[str, bool] = {}
        for name, default in simple:
            found[name] = found.get(name, False) or not default
        return found
    try:
        template = parse(source)
    except TemplateError:
        return {}
    known = {
        _dotted(list(variable.segments)): False
        for variables in template.analyze().globals.values()
        for variable in variables
    }
    nodes = list(all_nodes(template))
    asked = {name for node in nodes if not isinstance(node, OutputNode) for name in _asked(node)}
    for node in nodes:
        needed = _needed(node)
        if needed in known and not any(needed == name or needed.startswith(f"{name}.") for name in asked):
            known[needed] = True
    return {name: needed for name, needed in known.items() if "." in name}


def _needed(node: Node) -> str | None:
    """The name that an output writes as it is."""
    if not isinstance(node, OutputNode) or not isinstance(node.expression, FilteredExpression):
        return None
    if any(filter_.name == "default" for filter_ in node.expression.filters or ()):
        return None
    return _dotted(node.expression.left.path) if isinstance(node.expression.left, Path) else None


def _asked(node: Node) -> list[str]:
    """The names in the expressions of a tag."""
    waiting, found = list(node.expressions()), []
    while waiting:
        part = waiting.pop()
        waiting.extend(part.children())
        if isinstance(part, Path):
            found.append(_dotted(part.path))
    return found


def _dotted(segments: Sequence[object]) -> str:
    """The words of a path, up to the first that is no word."""
    words = []
    for segment in segments:
        if not isinstance(segment, str):
            break
        words.append(segment)
    return ".".join(words)
