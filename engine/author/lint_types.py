"""Comparisons that can never be true because of the kind of value that a field has."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from engine.author.fields import Field
from engine.author.lint_scene import Scene, Use
from engine.author.report import clip, misspelt
from engine.errors import Finding
from engine.match.expressions import text_of
from engine.model.rule import Arith, Compare, Literal_, Name

CODE = "IMPOSSIBLE_COMPARISON"
_OWN: tuple[tuple[str, str], ...] = (
    ("device.id", "text"),
    *((f"device.{key}", "number") for key in ("age", "lat", "lon", "accuracy", "speed", "heading", "altitude")),
    ("device.battery", "number"),
    ("device.stopped", "yes/no"),
    ("device.stopped_for", "number"),
    ("person.id", "text"),
    ("fence.id", "text"),
    ("fence.name", "text"),
    ("fence.tags", "list"),
    ("event.name", "text"),
    ("profile.language", "text"),
    ("profile.time_zone", "text"),
)
OWN: Mapping[str, Field] = {name: Field(name, kind) for name, kind in _OWN}  # type: ignore[arg-type]
_MOMENT = re.compile(r"\d{4}-\d\d(-\d\d)?|\d\d:\d\d")
_CALLED = {
    "text": "a text",
    "number": "a number",
    "yes/no": "yes or no (true or false)",
    "list": "a list",
    "date": "a date",
}


def check(scene: Scene) -> Iterator[Finding]:
    """Every comparison of a name whose type is known, with a constant or another such name."""
    fields = {**OWN, **scene.parts.fields}
    seen: set[tuple[int, str, str]] = set()
    for use in scene.uses:
        field = fields.get(use.name)
        if field is None or field.type == "any" or (id(use.compare), use.name, use.where) in seen:
            continue
        seen.add((id(use.compare), use.name, use.where))
        wrong = _alone(use, field) if use.compare is None else _compare(use.compare, use, field, fields)
        if wrong is not None:
            problem, fix, edit = wrong
            yield scene.tell(use.where, "error", CODE, problem, fix, (use.name,), edit)


Wrong = tuple[str, str, tuple[str, str] | None]


def _alone(use: Use, field: Field) -> Wrong | None:
    """In arithmetic only numbers make sense."""
    if field.type == "number":
        return None
    return f"{use.name} is {_CALLED[field.type]}: it cannot be reckoned with.", _declared(field), None


def _compare(compare: Compare, use: Use, field: Field, fields: Mapping[str, Field]) -> Wrong | None:
    if compare.op == "exists":
        return None
    mine = isinstance(compare.left, Name) and compare.left.path == use.path
    other = compare.right if mine else compare.left
    if isinstance(other, Literal_):
        return _constant(compare, field, other.value)
    if isinstance(other, Arith) and field.type != "number":
        return f"{field.name} is {_CALLED[field.type]}, and no number.", _declared(field), None
    if isinstance(other, Name) and mine:
        second = fields.get(".".join(other.path))
        if (
            second is not None
            and second.type not in ("any", field.type)
            and compare.op not in ("contains", "in", "not-in")
        ):
            problem = (
                f"{field.name} is {_CALLED[field.type]} and {second.name} {_CALLED[second.type]}: they never compare."
            )
            return problem, _declared(field), None
    return None


def _constant(compare: Compare, field: Field, value: Any) -> Wrong | None:
    """A field against a constant (or the constants of a list)."""
    op, values = compare.op, value if isinstance(value, (tuple, list)) else (value,)
    if op == "contains":
        return _contains(field, values)
    if field.type == "list":
        return f"{field.name} is a list: '{op}' never holds.", f"Write: {field.name} contains {_show(values[0])}", None
    if (
        op in ("<", "<=", ">", ">=", "between")
        and field.type in ("yes/no", "text")
        and not _texts_in_order(field, values)
    ):
        return f"{field.name} is {_CALLED[field.type]}: '{op}' never holds.", _declared(field), None
    for item in values:
        wrong = _item(field, item)
        if wrong is not None:
            return wrong
    return None


def _texts_in_order(field: Field, values: Any) -> bool:
    return field.type == "text" and all(isinstance(item, str) for item in values)


def _contains(field: Field, values: Any) -> Wrong | None:
    if field.type in ("number", "yes/no", "date"):
        problem = f"{field.name} is {_CALLED[field.type]}: it contains nothing."
        return problem, f"Write: {field.name} = {_show(values[0])}", None
    if field.type == "text" and not all(isinstance(item, str) for item in values):
        return _quotes(field, values[0])
    return None


def _item(field: Field, value: Any) -> Wrong | None:
    """One constant against the type and the choices of a field."""
    kind = "yes/no" if isinstance(value, bool) else "number" if isinstance(value, (int, float)) else "text"
    if field.type == "date":
        if isinstance(value, str) and _MOMENT.match(value):
            return None
        return f"{field.name} is a date, and {_show(value)!r} is none.", "Write for example 2026-11-02.", None
    if kind != field.type:
        return _other_kind(field, value)
    if field.choices and value not in field.choices:
        near = misspelt(value, field.choices)
        fix = f"Did you mean '{near}'?" if near else f"One of: {', '.join(field.choices)}."
        problem = f"{field.name} is never '{clip(value)}'."
        return problem, f"{fix} {_declared(field)}".strip(), (value, near) if near else None
    return None


def _other_kind(field: Field, value: Any) -> Wrong:
    if field.type == "yes/no" and str(value).lower() in ("yes", "no", "on", "off", "0", "1"):
        word = "true" if str(value).lower() in ("yes", "on", "1") else "false"
        return f"{field.name} is true or false, and never '{_show(value)}'.", f"Write {word}.", (_show(value), word)
    if field.type == "text":
        return _quotes(field, value)
    problem = f"{field.name} is {_CALLED[field.type]}, and {_show(value)!r} is none: they never compare."
    return problem, _declared(field), None


def _quotes(field: Field, value: Any) -> Wrong:
    shown = _show(value)
    return f"{field.name} is a text, and {shown} is none: they never compare.", f'Write "{shown}" in quotes.', None


def _declared(field: Field) -> str:
    return f"It is declared in {field.file}:{field.line}." if field.file else ""


def _show(value: Any) -> str:
    return text_of(Literal_(value))
