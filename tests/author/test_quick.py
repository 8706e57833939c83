"""The quick reader takes plain files alone, and reads them as the full reader does."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.author import quick
from engine.author import yaml as full
from engine.author.nodes import Items, Mapping, Node, Scalar

ROOT = Path(__file__).parents[2]
DEMO = [path for path in sorted((ROOT / "rules").glob("*.yaml")) if ".test." not in path.name]
BITS = [
    *("  ", "- ", ": ", ":", " #", "#", "'", '"', "\n", "\n  ", "\n    ", "a: b", "- x", "key:", "\n- ", "{", "[", "|"),
    *(
        ">",
        "&a",
        "*a",
        "!",
        "%",
        "@",
        "~",
        "null",
        "---",
        "...",
        "?",
        "- - ",
        ", ",
        "]",
        "}",
        "\\",
        "é",
        "\u00a0",
        "0123",
    ),
]


def shown(node: Node | None) -> Any:
    """Everything that readers of a tree may look at."""
    if isinstance(node, Scalar):
        return node.line, node.column, node.end_line, node.end_column, node.text, node.value, bool(node.quoted)
    if isinstance(node, Items):
        return node.line, node.column, [shown(item) for item in node.items]
    if isinstance(node, Mapping):
        return node.line, node.column, [(k, shown(node.keys[k]), shown(v)) for k, v in node.entries.items()]
    return None


def both(text: str, monkeypatch_context) -> None:
    taken = quick.read(text.split("\n"), full.MAX_NODES)
    if taken is None:
        return
    with monkeypatch_context() as patch:
        patch.setattr(quick, "read", lambda lines, most: None)
        document, findings = full.load("x.yaml", text.encode())
    assert findings == []
    assert shown(document.root) == shown(taken)


@pytest.mark.parametrize("path", DEMO, ids=lambda path: path.name)
def test_the_demo_files_are_plain_and_read_alike(path, monkeypatch):
    text = path.read_text("utf-8")
    assert quick.read(text.split("\n"), full.MAX_NODES) is not None
    both(text, monkeypatch.context)


SEEDS = [
    "rules:\n  hello:\n    when:\n      enters: tag cafe # near\n    only_if:\n    - a.b > 3\n    - did: x, in a day\n",
    "a:\n  - b: 1\n    c: 'two'\n  - any_of:\n      - x\n      - y: \"z\"\nd:\ne: f\n",
    "# only this\n\na b, (c): d\n",
    "a: -1\nb:\n  - -2.5\n  - c: -3 to 4\n",
]


@pytest.mark.parametrize("text", SEEDS)
def test_what_rule_files_and_scenarios_are_made_of_is_taken(text, monkeypatch):
    assert quick.read(text.split("\n"), full.MAX_NODES) is not None
    both(text, monkeypatch.context)


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_whatever_is_taken_is_read_as_the_full_reader_does(data):
    text = data.draw(st.sampled_from(SEEDS))
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, len(text)))
        text = text[:at] + data.draw(st.sampled_from(BITS)) + text[at + data.draw(st.integers(0, 4)) :]
    if "\t" not in text:
        both(text, pytest.MonkeyPatch.context)


@pytest.mark.parametrize(
    "text",
    [
        "- a\n", "a: {b: c}\n", "a: [b]\n", "a: |\n  b\n", "a: &x b\n", "a: *x\n", "a: !x b\n", "---\na: b\n",
        "a: b: c\n", "a: b\n  c\n", "  a: b\n", "a: 'it''s'\n", 'a: "b\\n"\n', "a:\n- b\n  - c\n", "? a\n", "a: b:\n",
        "a: b\na: c\n", "a:\n   b: c\n  d: e\n", "a: 'b # c'\n", f"{'k' * 1001}: b\n", "", "# nothing\n",
    ],
)  # fmt: skip
def test_what_is_not_plain_is_left_to_the_full_reader(text):
    assert quick.read(text.split("\n"), full.MAX_NODES) is None


def test_the_bounds_hold():
    deep = "".join(f"{'  ' * i}a:\n" for i in range(40))
    assert quick.read(deep.split("\n"), full.MAX_NODES) is None
    assert quick.read(["a: b"] * 3, 2) is None
    many = [f"k{i}: v" for i in range(100)]
    assert quick.read(many, 400) is not None
    assert quick.read(many, 200) is None


def test_no_pattern_runs_away():
    assert re.fullmatch(quick._LINE, f"{'a' * 900} (b")
    assert quick.read([f"- {'a ' * 400}!"], 100) is None
