"""Segments, offers, journeys, templates, messages and partials that nothing refers to."""

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
    shelf: dict[str, Mapping[str, object]] = {
        "template": parts.shelf.templates,
        "message": parts.shelf.messages,
        "partial": parts.shelf.partials,
    }
    catalogues: dict[str, Mapping[str, object]] = {
        "segment": parts.segments,
        "offer": parts.offers,
        "journey": journeys,
        **shelf,
    }
    for kind, declared in catalogues.items():
        for name in declared:
            if name not in used.get("rule template" if kind == "template" else kind, ()):
                file, line, column = scene.parts.homes.get((kind, name), (f"rules/{kind}s.yaml", 1, 1))
                problem = f"{'Nothing' if kind == 'partial' else 'No rule'} uses the {kind} '{clip(name)}'."
                yield Finding(file, line, column, "info", CODE, problem, "Use it, or delete it.")
