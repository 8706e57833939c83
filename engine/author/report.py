"""How a mistake in a text is told: the problem, the column, the fix, and the word that was probably meant."""

import re
from collections.abc import Iterable

from rapidfuzz import fuzz, process
from rapidfuzz.distance import OSA

from engine.errors import Finding

_LIKE = 70.0  # similarity (0-100) from which another word is offered
_SEPARATORS = re.compile(r"[-_. ]")
_DIGITS = re.compile(r"\d+")
_LONGEST = 60  # characters of an author's text that are repeated in a message


class TextError(ValueError):
    """A text is not what it should be. ``column`` counts from 0 within the text; ``edit`` is what to write in place of
    what, where that is certain."""

    def __init__(self, problem: str, fix: str = "", column: int = 0, edit: tuple[str, str] | None = None) -> None:
        super().__init__(problem)
        self.problem, self.fix, self.column, self.edit = problem, fix, column, edit

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


def misspelt(word: str, known: Iterable[str]) -> str | None:
    """The one known word that ``word`` is a slip of the pen for; None when none is, or several are.

    Stricter than ``nearest``: what it says may be put in the word's place. ``cafe-1`` is no slip for ``cafe-2``.
    """
    found = [other for other in set(known) if other != word and _slip(word, other)]
    return found[0] if len(found) == 1 else None


def renamed(word: str, known: Iterable[str]) -> tuple[str, str] | None:
    """The edit that puts the right word in the place of a slip of the pen; None where it is not certain."""
    right = misspelt(word, known)
    return None if right is None else (word, right)


def _slip(word: str, other: str) -> bool:
    most = 1 if min(len(word), len(other)) < 8 else 2
    if abs(len(word) - len(other)) > most or min(len(word), len(other)) < 4:
        return False
    if _SEPARATORS.sub("", word).lower() == _SEPARATORS.sub("", other).lower():
        return True
    if OSA.distance(word, other, score_cutoff=most) > most:
        return False
    pairs = list(zip(_SEPARATORS.split(word), _SEPARATORS.split(other), strict=False))
    if len(_SEPARATORS.split(word)) != len(_SEPARATORS.split(other)):
        return True
    return all(a == b or (min(len(a), len(b)) > 2 and _DIGITS.sub("", a) != _DIGITS.sub("", b)) for a, b in pairs)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``Did you mean 'depot'?``, or what there is to choose from when little is known, or nothing."""
    choices = sorted(known)
    near = nearest(word, choices)
    if near is not None:
        return f"Did you mean '{near}'?"
    return f"Known: {', '.join(choices)}." if 0 < len(choices) <= 20 else ""


def clip(text: str) -> str:
    """An author's text, short enough and plain enough for one line of a message."""
    if len(text) <= _LONGEST and text.isprintable():
        return text
    plain = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[: _LONGEST + 1])
    return plain if len(plain) <= _LONGEST else plain[:_LONGEST] + "…"


def ordered(findings: Iterable[Finding]) -> list[Finding]:
    """By file, line and column; each thing once."""
    return sorted(set(findings), key=lambda f: (f.file, f.line, f.column, f.severity, f.code, f.problem, f.fix))
