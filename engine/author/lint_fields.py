"""Names that nothing declares, or that were probably meant to be another."""

from collections.abc import Iterator, Mapping

from engine.author.fields import DECLARABLE
from engine.author.lint_scene import Scene, Use
from engine.author.lint_types import OWN
from engine.author.report import clip, misspelt
from engine.errors import Finding

CODE = "UNKNOWN_FIELD"


def check(scene: Scene) -> Iterator[Finding]:
    """Where fields are declared, every name of that kind; elsewhere those that stand alone beside a like one."""
    declared = scene.parts.fields
    judged = {name.partition(".")[0] for name in declared}
    known = {**dict.fromkeys(OWN), **dict.fromkeys(declared), **scene.metadata}
    uses = [*scene.uses, *scene.written]
    counts: dict[str, int] = {}
    for use in uses:
        counts[use.name] = counts.get(use.name, 0) + 1
    for use in uses:
        if use.path[0] not in DECLARABLE or _is_known(use.name, known):
            continue
        if use.path[0] in judged:
            yield _undeclared(scene, use, known)
        elif counts[use.name] == 1:
            yield from _lonely(scene, use, {**known, **{name: None for name, count in counts.items() if count > 1}})


def _is_known(name: str, known: Mapping[str, None]) -> bool:
    """Declared, or a part of something that is (``profile.address.city`` of ``profile.address``)."""
    while name not in known:
        name = name.rpartition(".")[0]
        if "." not in name:
            return False
    return True


def _undeclared(scene: Scene, use: Use, known: Mapping[str, None]) -> Finding:
    near = misspelt(use.name, (name for name in known if name.startswith(f"{use.path[0]}.")))
    problem = f"'{clip(use.name)}' is declared nowhere."
    if near is not None:
        fix = f"Did you mean {near}?"
        return scene.tell(use.where, "error", CODE, problem, fix, (use.name,), (use.name, near))
    fix = f"Add it to rules/schema.yaml: '{clip(use.name)}: text' (or number, yes/no, list)."
    return scene.tell(use.where, "warning", CODE, problem, fix, (use.name,))


def _lonely(scene: Scene, use: Use, known: Mapping[str, None]) -> Iterator[Finding]:
    """Used once, and a slip of the pen away from one that is used more often."""
    near = misspelt(use.name, (name for name in known if name.startswith(f"{use.path[0]}.")))
    if near is not None:
        problem = f"'{clip(use.name)}' is used here alone, and {near} elsewhere."
        fix = f"Did you mean {near}? If not, declare both in rules/schema.yaml."
        yield scene.tell(use.where, "warning", CODE, problem, fix, (use.name,))
