"""Text lines that need quotes: what is wrong with them, and the line as it should be."""

import re

_KEYED = re.compile(r"(\s*(?:-\s+)*[\w.\-]+:\s+)(\S.*)")
_LISTED = re.compile(r"(\s*-\s+)(\S.*)")
_COMMENT = re.compile(r"\s+#(?:\s|$)")
_ALL_COMMENT = re.compile(r"\s*(?:-\s+)*[\w.\-]+:\s+#[^\s#]")
_ELISION = re.compile(r"'(?:tis|twas|til|em|n|cause|bout|round|\d\ds?)\b(?!.*')", re.IGNORECASE)  # no quote was begun
_FIRST = "*&!@%`>|\"'{[]},?#"  # characters with which no plain text may begin
_LOOK_BACK = 50  # lines searched for a quote that was not closed
_LONGEST_LINE = 2000


class Correction:
    """A line that needs quotes: ``number`` from 0, ``column`` from 1, the problem, and the corrected line."""

    __slots__ = ("column", "line", "number", "problem")

    def __init__(self, number: int, column: int, problem: str, line: str) -> None:
        self.number, self.column, self.problem, self.line = number, column, problem, line

    @property
    def fix(self) -> str:
        """The fix, for a finding."""
        return f"Write: {self.line.strip()}"


def correct(lines: list[str], number: int, force: bool = False) -> Correction | None:
    """The correction of one line, or None where it needs no quotes. ``force``: what stands there is meant as a text."""
    if not 0 <= number < len(lines) or len(lines[number]) > _LONGEST_LINE:
        return None
    line = lines[number]
    found = _KEYED.match(line) or _LISTED.match(line)
    if found is None:
        return None
    head, text = found[1], found[2].rstrip()
    comment = _COMMENT.search(text)
    tail = ""
    if comment is not None and text[0] not in "\"'":
        text, tail = text[: comment.start()], text[comment.start() :]
    problem = _problem(text, force)
    if not text or problem is None:
        return None
    return Correction(number, len(head) + 1, problem, head + quote(text) + tail)


def find(lines: list[str], numbers: list[int]) -> Correction | None:
    """The first of these lines that needs quotes; else the last line before them whose quote was not closed."""
    for number in numbers:
        correction = correct(lines, number)
        if correction is not None:
            return correction
    if not numbers:
        return None
    start = min(max(numbers), len(lines) - 1)
    for number in range(start, max(-1, start - _LOOK_BACK), -1):
        correction = correct(lines, number)
        if correction is not None and "closed" in correction.problem:
            return correction
    return None


def untabbed(lines: list[str], number: int) -> str:
    """A line with spaces for the tabs in its indentation: as many as put it where the line above lets it stand."""
    line = lines[number]
    body = line.lstrip(" \t")
    lead = line[: len(line) - len(body)]
    above = next((text for text in reversed(lines[max(0, number - _LOOK_BACK) : number]) if text.strip()), "")
    indent = len(above) - len(above.lstrip(" "))
    fitting = (indent + 2,) if above.rstrip().endswith(":") else (indent,)
    widths = [len(lead.expandtabs(size)) for size in (2, 4, 8)]
    width = next((width for width in widths if width in fitting), widths[0])
    return " " * width + body


def is_commented(lines: list[str], number: int) -> bool:
    """``title: #1 coffee``: all of the text is a comment for YAML, and was hardly meant as one."""
    return 0 <= number < len(lines) and _ALL_COMMENT.match(lines[number]) is not None


def quote(text: str) -> str:
    """The text as a quoted YAML scalar; quotes that were already begun or wrapped round it are taken off first."""
    first = text[0]
    if _ELISION.match(text):
        pass
    elif first in "\"'" and text.count(first) == 1:
        text = text[1:]
    elif first in "\"'" and text[-1] == first and len(text) > 1:
        text = text[1:-1]
    if '"' not in text and "\\" not in text:
        return f'"{text}"'
    if "'" not in text:
        return f"'{text}'"
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _problem(text: str, force: bool) -> str | None:
    """Why this text needs quotes, or None when it does not."""
    first = text[:1]
    if first and first in "\"'":
        return _quoted_problem(text, first)
    if text.startswith(("{{", "{%")):
        return f"A text that begins with '{text[:2]}' needs quotes."
    if first and first in "{[":
        closed = text.rstrip().endswith("]" if first == "[" else "}")
        return f"A text that begins with '{first}' needs quotes." if force or _goes_on(text, closed) else None
    if first and first in "|>" and re.fullmatch(r"[|>][-+0-9]{0,2}", text):
        return None
    if first and first in _FIRST:
        return f"A text that begins with '{first}' needs quotes."
    if text.startswith("- ") or text == "-":
        return "A text that begins with '- ' needs quotes."
    if ": " in text or text.endswith(":"):
        return "A text with a colon and a space in it needs quotes."
    return None


def _goes_on(text: str, closed: bool) -> bool:
    """``[Sale] today``: the bracket closes and the text goes on."""
    return not closed and ("]" in text or "}" in text)


def _quoted_problem(text: str, first: str) -> str | None:
    inner = text[1:].replace("\\\\", "").replace('\\"', "") if first == '"' else text[1:].replace("''", "")
    if first not in inner:
        return "The quotes around this text are not closed."
    if not inner.endswith(first) and not re.search(re.escape(first) + r"\s*#", inner):
        return "Quotes must go around the whole text."
    return "Quotes inside a text need other quotes around it." if inner.count(first) > 1 else None
