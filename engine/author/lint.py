"""What is right and probably not meant: the checks of ``herenow check`` beyond what a release needs, in order."""

from collections.abc import Callable, Iterator
from datetime import date

from engine.author import (
    lint_fields,
    lint_journeys,
    lint_lines,
    lint_never,
    lint_quiet,
    lint_schedules,
    lint_shadow,
    lint_templates,
    lint_types,
    lint_unused,
)
from engine.author.collector import let_go, pieces_of
from engine.author.crosscheck import Parts
from engine.author.lint_scene import Scene
from engine.errors import Finding

Check = Callable[[Scene], Iterator[Finding]]

REFUSING: tuple[Check, ...] = (lint_fields.check, lint_types.check, lint_lines.check)
"""Those that find errors, too. The last works out what must be so for a rule, which others ask for: it comes first."""

CHECKS: tuple[Check, ...] = (
    *REFUSING,
    lint_quiet.check,
    lint_schedules.check,
    lint_never.check,
    lint_shadow.check,
    lint_templates.check,
    lint_unused.check,
    lint_journeys.check,
)


def lint(parts: Parts, today: date | None = None, told: bool = True) -> list[Finding]:
    """All findings of all checks; where nobody is ``told`` what is no error, of those alone that find errors.
    ``today``: the project's date, without which nothing is said about what is over."""
    scene = Scene(parts, today)
    findings = [finding for check in (CHECKS if told else REFUSING) for finding in check(scene)]
    pieces = pieces_of(*vars(scene).values())
    del scene
    let_go(pieces)
    return findings
