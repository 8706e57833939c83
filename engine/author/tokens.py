"""Tokens of the expression language."""

import re
from typing import Final

from engine.author.report import TextError, clip

END: Final = "end"
NAME: Final = "name"  # a word, dotted or not; on the right of an operator it is text
NUMBER: Final = "number"
OP: Final = "op"
TEXT: Final = "text"  # in quotes
WORD: Final = "word"  # a word of the language

COMPARISONS = ("=", "!=", "<", "<=", ">", ">=")
_WORDS = frozenset(("and", "or", "not", "in", "contains", "between", "exists"))
_OTHERS = {  # what other languages write, and what is meant
    "==": "=",
    "===": "=",
    "<>": "!=",
    "=>": ">=",
    "=<": "<=",
    "&&": "and",
    "||": "or",
    "!": "not",
    "&": "and",
    "|": "or",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
}
_CURLED = dict.fromkeys("“”„‟«»", '"') | dict.fromkeys("‘’‚‛‹›", "'")  # what word processors make of quotes
_TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<number>(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?![\w:]|[.\-/]\w))
    |(?P<word>\w+(?:[.:/@'-]+\w+)*[%]?)
    |(?P<op>===|==|<>|<=|>=|!=|=>|=<|&&|\|\||[=<>()+\-*/,!&|≤≥≠])""",
    re.VERBOSE,
)
_MAX_TOKENS = 500


class Token:
    """One token: ``key`` is the operator or word of the language, ``path`` the parts of a dotted name."""

    __slots__ = ("column", "end", "key", "kind", "number", "path", "text")

    def __init__(self, kind: str, text: str, column: int, end: int, key: str = "") -> None:
        self.kind, self.text, self.column, self.end, self.key = kind, text, column, end, key
        self.path: tuple[str, ...] = ()
        self.number: float = 0


def tokenize(text: str) -> list[Token]:
    """All tokens, an end token last. Raises ``TextError``."""
    tokens: list[Token] = []
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise _foreign(text, at)
        if found.lastgroup != "space":
            tokens.append(_token(found))
        at = found.end()
        if len(tokens) > _MAX_TOKENS:
            raise TextError(f"The expression has more than {_MAX_TOKENS} parts.", "Split it into several lines.", at)
    tokens.append(Token(END, "", len(text), len(text)))
    return tokens


def _token(found: re.Match[str]) -> Token:
    text, start, end = found[0], found.start(), found.end()
    if found.lastgroup == "quoted":
        return Token(TEXT, re.sub(r"\\(.)", r"\1", text[1:-1]), start, end)
    if found.lastgroup == "number":
        token = Token(NUMBER, text, start, end)
        token.number = _number(text, start)
        return token
    if found.lastgroup == "op":
        if text in _OTHERS:
            other = _OTHERS[text]
            edit = (text, _apart(found, other))
            raise TextError(f"'{text}' is no operator here.", f"Write '{other}'.", start, edit)
        return Token(OP, text, start, end, text)
    if text.lower() in _WORDS and (text.islower() or text.isupper()):
        return Token(WORD, text, start, end, text.lower())
    token = Token(NAME, text, start, end)
    token.path = tuple(text.split("."))
    return token


def _apart(found: re.Match[str], word: str) -> str:
    """A word in the place of a sign, with spaces around it where there are none."""
    whole, start, end = found.string, found.start(), found.end()
    if not word.isalpha():
        return word
    before = "" if start == 0 or whole[start - 1].isspace() else " "
    return f"{before}{word}{'' if whole[end : end + 1].isspace() else ' '}"


def _number(text: str, column: int) -> float:
    """An int where it was written as one, of at most 15 digits; else a float."""
    if text.isdigit() and len(text) <= 15:
        return int(text)
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise TextError(f"The number {clip(text)} is too large.", "", column)
    return value


def _foreign(text: str, at: int) -> TextError:
    if text[at] in _CURLED:
        straight, end = _CURLED[text[at]], next((i for i in range(at + 1, len(text)) if text[i] in _CURLED), None)
        inner = text[at + 1 : end]
        edit = (text[at : end + 1], f"{straight}{inner}{straight}") if end and straight not in inner else None
        return TextError(f"'{text[at]}' is no straight quote.", f"Write {straight}{clip(inner)}{straight}.", at, edit)
    if text[at] in "\"'":
        return TextError("The quotes are not closed.", f"Put a {text[at]} at the end of the text.", at)
    if text.startswith(("{{", "{%"), at):
        return TextError("Expressions take names without braces.", "Write for example profile.tier = gold.", at)
    return TextError(f"'{clip(text[at])}' means nothing here.", "Put quotes round a text that holds it.", at)
