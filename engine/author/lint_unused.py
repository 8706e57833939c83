"""Segments, offers and journeys that no rule refers to."""

from collections.abc import Iterator, Mapping

from engine.author.lint_scene import Scene
from engine.author.report import clip
from engine.errors import Finding

CODE = "UNUSED"


def check(scene: Scene) -> Iterator[Finding]:
    """By what the rules, segments and schedules name."""
    if "rule" in scene.parts.doubtful:
        return  # what a file says that cannot be read is not known
    used: dict[str, set[str]] = {}
    for use in scene.parts.uses:
        used.setdefault(use.kind, set()).add(use.name)
    parts = scene.parts
    journeys: Mapping[str, object] = parts.journeys or {}
    for kind, declared in (("segment", parts.segments), ("offer", parts.offers), ("journey", journeys)):
        for name in declared:
            if name not in used.get(kind, ()):
                file, line, column = scene.parts.homes.get((kind, name), (f"rules/{kind}s.yaml", 1, 1))
                problem = f"No rule uses the {kind} '{clip(name)}'."
                yield Finding(file, line, column, "info", CODE, problem, "Use it, or delete it.")
