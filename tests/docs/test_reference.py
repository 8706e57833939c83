"""The page on rule files is complete: every word that the readers know is on it, and every finding that they tell."""

import ast
import re
from functools import cache
from pathlib import Path
from typing import get_args

import pytest

from engine.author import (
    catalog,
    conditions,
    fields,
    journeys,
    message,
    named,
    partials,
    rules,
    sequences,
    templates,
    tokens,
    triggers,
    words,
)
from engine.compose.filters import allowed_filters
from engine.compose.liquid_setup import BLOCKS
from engine.model.rule import Outcome

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "rules.md").read_text("utf-8")
CODE = " ".join(re.findall(r"`([^`\n]+)`", PAGE))  # everything that is set as code in a line
EXAMPLES = "\n".join(re.findall(r"^```(?:yaml|text)[^\n]*\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
_CODE = re.compile(r"[A-Z][A-Z_]{2,}")
_TELLING = {"error", "tell", "Finding", "_Fault", "_wrong", "told"}


def rows(heading: str) -> str:
    """The first cells of the tables below a heading."""
    below = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return "\n".join(re.findall(r"^\| (.*?) \|", below, re.MULTILINE))


def absent(known: object, text: str) -> list[str]:
    assert isinstance(known, tuple | list | dict | frozenset | set)
    return sorted(str(word) for word in known if not re.search(rf"(?<![\w.]){re.escape(str(word))}(?!\w)", text))


@pytest.mark.parametrize(
    ("heading", "known"),
    [
        ("A whole rule", (*rules.KEYS, *templates.USE_KEYS)),
        ("Triggers", triggers.KINDS),
        ("Conditions", tuple(conditions.READERS)),
        ("Messages", message.KEYS),
    ],
)
def test_every_word_has_its_row(heading, known):
    assert absent(known, rows(heading)) == []


@pytest.mark.parametrize(
    "known",
    [
        (*triggers.EXTRAS, *triggers.SCHEDULE_EXTRAS),
        get_args(Outcome),
        sequences.KINDS,
        rules.STATUS,
        rules.PURPOSE,
        fields.TYPES,
        tuple(word for word in words.ROOTS if word != "person"),
        partials.KEYS,
        named.TOPS,
        (templates.PARAMETERS,),
        ("s", "m", "h", "d", "w", "mo"),
        BLOCKS,
        tuple(allowed_filters()),
        ("per_person", "total", "within", "event"),
    ],
    ids=str,
)
def test_every_other_word_is_on_the_page(known):
    assert absent(known, CODE + "\n" + EXAMPLES + PAGE.partition("**Durations**")[2][:200]) == []


@pytest.mark.parametrize(
    "known", [catalog.OFFER_KEYS, journeys.JOURNEY_KEYS, journeys.STAGE_KEYS, fields.KEYS[:1]], ids=str
)
def test_every_key_of_the_catalogues_is_shown(known):
    assert absent(known, EXAMPLES) == []


def test_every_operator_and_name_of_expressions_is_in_their_tables():
    table = rows("Conditions")
    assert [op for op in tokens.COMPARISONS if f"`{op}`" not in table and f" {op} " not in table] == []
    assert [op for op in "+-*/" if f"`{op}`" not in PAGE] == []
    assert absent(("in", "not in", "contains", "between", "exists"), table) == []
    for root in ("device", "event", "person"):
        assert [name for name in words._FIELDS[root] if f"`{root}.{name}`" not in table] == []
    assert absent(("and", "or", "not"), CODE) == []


@cache
def codes() -> set[str]:
    """Every code that the readers and checks tell."""
    found: set[str] = set()
    files = [*(ROOT / "engine" / "author").glob("*.py"), *(ROOT / "engine" / "match").glob("*.py")]
    for path, node in ((file, node) for file in files for node in ast.walk(ast.parse(file.read_text("utf-8")))):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            parts = node.args if name in _TELLING else ()
        elif isinstance(node, ast.Assign) and path.name.startswith("lint_"):
            parts = (node.value,)
        else:
            continue
        texts = (c.value for part in parts for c in ast.walk(part) if isinstance(c, ast.Constant))
        found |= {text for text in texts if isinstance(text, str) and _CODE.fullmatch(text)}
    return found


def test_every_finding_is_explained():
    told = codes()
    assert {"UNKNOWN_KEY", "SHADOWED", "LEFT_BEHIND", "OVERLAPPING_SCHEDULES", "NEEDS_QUOTES"} <= told
    assert sorted(code for code in told if f"`{code}`" not in PAGE) == []


def test_no_finding_is_explained_that_nobody_tells():
    below = PAGE.partition("| code | severity |")[2]
    named = set(re.findall(r"`([A-Z][A-Z_]{2,})`", below))
    kinds = {f"UNKNOWN_{kind}" for kind in ("FENCE", "TAG", "SEGMENT", "OFFER", "CHANNEL", "JOURNEY", "STAGE", "RULE")}
    assert sorted(named - codes() - kinds) == []
