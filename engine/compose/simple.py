"""Templates of text and ``{{ profile.name | default: 'you' }}`` alone, as most are: right at a look, and filled in
without Liquid where the values are plain. Where anything is out of the ordinary, Liquid has the word."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from msgspec import Struct

from engine.compose.guard import Job
from engine.compose.problems import MAX_NUMBER, MAX_SOURCE_BYTES

SIMPLE_ROOTS = ("profile", "fence", "device", "event", "context", "person", "offer", "global")
_OUTPUT = re.compile(
    r"\{\{ ?("
    + "|".join(SIMPLE_ROOTS)
    + r")((?:\.[a-z_][a-z0-9_]{0,60}){1,8}) ?(\| ?default: ?(?:'[^'{}\\]{0,200}'|\"[^\"{}\\]{0,200}\") ?)?\}\}"
)
_BRACES = re.compile(r"[{}%]{2}")
_ITS_OWN = {"size", "first", "last"}  # which Liquid answers where there is no such name
_MOST = 16  # outputs of a template that is filled in here,
_LONGEST = 250  # and letters of a value: so few that no bound is near


class Output(Struct, frozen=True):
    """A name that is written, after some ``text``; ``default``: what else, quotes taken off."""

    text: str
    root: str
    path: tuple[str, ...]
    default: str | None


class Simple(Struct, frozen=True):
    """A whole template: its outputs, and the text after them."""

    outputs: tuple[Output, ...]
    rest: str


@lru_cache(maxsize=32_768)
def outputs(source: str) -> tuple[tuple[str, bool], ...] | None:
    """Each name that is written, and whether it has a default; None where the template holds anything else."""
    if len(source) * 4 > MAX_SOURCE_BYTES or not source.replace("\n", " ").isprintable():
        return None
    if _BRACES.search(_OUTPUT.sub("", source)) is not None:
        return None
    return tuple((root + path, bool(default)) for root, path, default in _OUTPUT.findall(source))


def roots(source: str) -> frozenset[str] | None:
    """What the names of a template begin with; None: there is no telling."""
    found = outputs(source)
    return None if found is None else frozenset(name.partition(".")[0] for name, _ in found)


def simple(source: str) -> Simple | None:
    """A template that can be filled in here; None: it takes Liquid."""
    if outputs(source) is None:
        return None
    found, at = [], 0
    for output in _OUTPUT.finditer(source):
        root, path, default = output.groups()
        told = None if default is None else default.partition(":")[2].strip()[1:-1]
        found.append(Output(source[at : output.start()], root, tuple(path[1:].split(".")), told))
        at = output.end()
    if len(found) > _MOST or any(o.text.endswith("{") or not _ITS_OWN.isdisjoint(o.path) for o in found):
        return None
    return Simple(tuple(found), source[at:])


def filled(template: Simple, names: Mapping[str, Any], job: Job) -> str | None:
    """What Liquid would make of it; None: ask Liquid."""
    parts: list[str] = []
    for output in template.outputs:
        value = names.get(output.root)
        for part in output.path:
            if type(value) is dict:
                value = value.get(part)
            elif value is not None:
                return None
        if value is None and output.default is not None:
            value = output.default
        elif type(value) is int and -MAX_NUMBER <= value <= MAX_NUMBER:
            value = str(value)
        elif type(value) is not str or not value or len(value) > _LONGEST or value.isspace():
            return None
        if not value.isprintable():
            return None
        parts += (output.text, value)
    job.charge(len(template.outputs))
    return "".join((*parts, template.rest))
