"""Templates of text and ``{{ profile.name | default: 'you' }}`` alone, as most are: right at a look."""

import re
from functools import lru_cache

from engine.compose.problems import MAX_SOURCE_BYTES

SIMPLE_ROOTS = ("profile", "fence", "device", "event", "context", "person", "offer", "global")
_OUTPUT = re.compile(
    r"\{\{ ?("
    + "|".join(SIMPLE_ROOTS)
    + r")((?:\.[a-z_][a-z0-9_]{0,60}){1,8}) ?(\| ?default: ?(?:'[^'{}\\]{0,200}'|\"[^\"{}\\]{0,200}\") ?)?\}\}"
)
_BRACES = re.compile(r"[{}%]{2}")


@lru_cache(maxsize=32_768)
def outputs(source: str) -> tuple[tuple[str, bool], ...] | None:
    """Each name that is written, and whether it has a default; None where the template holds anything else."""
    if len(source) * 4 > MAX_SOURCE_BYTES or not source.replace("\n", " ").isprintable():
        return None
    if _BRACES.search(_OUTPUT.sub("", source)) is not None:
        return None
    return tuple((root + path, bool(default)) for root, path, default in _OUTPUT.findall(source))
