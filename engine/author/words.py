"""The names that expressions may use, and what was probably meant by others."""

from collections.abc import Iterable, Sequence

from engine.author.report import clip, nearest

ROOTS = ("profile", "context", "fence", "device", "person", "event", "global")
_FIELDS = {
    "device": (
        "id",
        "age",
        "lat",
        "lon",
        "accuracy",
        "speed",
        "heading",
        "altitude",
        "battery",
        "stopped",
        "stopped_for",
    ),
    "fence": ("id", "name", "tags", "metadata", "weather", "stock", "queue"),
    "event": ("name",),
    "person": ("id",),
    "profile": ("language", "time_zone"),
}
_CLOSED = ("device", "person")  # roots with no names but these


def root_fix(word: str) -> str:
    """The complaint about a name's first part."""
    return f"No name begins with '{clip(word)}'."


def wrong_field(path: Sequence[str]) -> str | None:
    """The fix for a field that a device or person can never have, or None where the name may be right."""
    if path[0] not in _CLOSED or (len(path) == 2 and path[1] in _FIELDS[path[0]]):
        return None
    near = nearest(".".join(path[1:]), _FIELDS[path[0]])
    other = f"{path[0]}.{near}" if near else f"profile.{'.'.join(path[1:])}"
    return f"Did you mean {other}? Known: {', '.join(f'{path[0]}.{name}' for name in _FIELDS[path[0]])}."


def likely_name(path: Sequence[str], fields: Iterable[str], root: str | None = None) -> str:
    """The full name that a wrong one probably stands for."""
    name = ".".join(path)
    if len(path) == 1 and path[0] in ROOTS:
        return f"{path[0]}.{_FIELDS.get(path[0], ('tier',))[0]}"
    declared = [field for field in sorted(fields) if field.partition(".")[2] == name]
    if declared:
        return declared[0]
    near_root = nearest(path[0], ROOTS, 75.0) if len(path) > 1 else None
    if near_root is not None:
        return ".".join((near_root, *path[1:]))
    if root is not None:
        return f"{root}.{name}"
    for first in sorted(_FIELDS):
        if path[0] in _FIELDS[first]:
            return f"{first}.{name}"
    return f"profile.{name}"
