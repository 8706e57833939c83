"""How a mistake in a text is told: the problem, the column, the fix, and the word that was probably meant."""

from collections.abc import Iterable

from rapidfuzz import fuzz, process

from engine.errors import Finding

_LIKE = 70.0  # similarity (0-100) from which another word is offered
_LONGEST = 60  # characters of an author's text that are repeated in a message


class TextError(ValueError):
    """A text is not what it should be. ``column`` counts from 0 within the text."""

    def __init__(self, problem: str, fix: str = "", column: int = 0) -> None:
        super().__init__(problem)
        self.problem, self.fix, self.column = problem, fix, column

    def __str__(self) -> str:
        return f"{self.problem} {self.fix}".strip()


class NotYet(TextError):
    """Understood, and not in this version."""

    def __init__(self, what: str) -> None:
        super().__init__(f"'{what}' comes with a later version.", "Delete it until then.")


def nearest(word: str, known: Iterable[str], least: float = _LIKE) -> str | None:
    """The known word most like ``word``, or None when none is like it. The same for any order of ``known``."""
    choices = sorted(known)
    found = process.extractOne(word[:200].lower(), choices, scorer=fuzz.ratio, processor=str.lower, score_cutoff=least)
    return choices[found[2]] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``Did you mean 'depot'?``, or what there is to choose from when little is known, or nothing."""
    choices = sorted(known)
    near = nearest(word, choices)
    if near is not None:
        return f"Did you mean '{near}'?"
    return f"Known: {', '.join(choices)}." if 0 < len(choices) <= 20 else ""


def clip(text: str) -> str:
    """An author's text, short enough and plain enough for one line of a message."""
    plain = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[: _LONGEST + 1])
    return plain if len(plain) <= _LONGEST else plain[:_LONGEST] + "…"


def ordered(findings: Iterable[Finding]) -> list[Finding]:
    """By file, line and column; each thing once."""
    return sorted(set(findings), key=lambda f: (f.file, f.line, f.column, f.severity, f.code, f.problem, f.fix))
