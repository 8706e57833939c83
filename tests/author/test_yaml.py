"""YAML files: plain scalars stay text, places are kept, and hostile files end in one exact message."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.author.nodes import plain
from engine.author.yaml import MAX_BYTES, load


def read(text):
    document, findings = load("x.yaml", text if isinstance(text, bytes) else text.encode())
    return (None if document.root is None else plain(document.root)), findings


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("12:30", "12:30"),
        ("0123", "0123"),
        ("2026-11-02", "2026-11-02"),
        ("1_000", "1_000"),
        ("true", True),
        ("12", 12),
        ("-1.5e3", -1500.0),
        ("1e999", "1e999"),
        ("9" * 400, "9" * 400),
        (".inf", ".inf"),
        ("~", None),
        ("50 % off", "50 % off"),
        ("Welcome to {{ fence.name }}", "Welcome to {{ fence.name }}"),
    ],
)
def test_a_plain_scalar_is_what_an_author_means(text, value):
    assert read(f"key: {text}\n") == ({"key": value}, [])


@pytest.mark.parametrize(
    ("line", "corrected"),
    [
        ("title: {{ x }} is here", 'title: "{{ x }} is here"'),
        ("title: {{ x }}", 'title: "{{ x }}"'),
        ("title: {{ x | default: 'you' }}", "title: \"{{ x | default: 'you' }}\""),
        ("title: Sale: today only", 'title: "Sale: today only"'),
        ("title: *Sale*", 'title: "*Sale*"'),
        ("title: @you", 'title: "@you"'),
        ("title: >50 % off", 'title: ">50 % off"'),
        ("title: %off", 'title: "%off"'),
        ("title: &more", 'title: "&more"'),
        ("title: !now", 'title: "!now"'),
        ("title: `now`", 'title: "`now`"'),
        ("title: - now", 'title: "- now"'),
        ("title: [Sale] now", 'title: "[Sale] now"'),
        ('title: "Sale" now', "title: '\"Sale\" now'"),
        ("title: 'it's here'", 'title: "it\'s here"'),
        ('title: "never closed', 'title: "never closed"'),
        ("- {{ x }} is here", '- "{{ x }} is here"'),
        ("title: {{ x }} is here # a comment", 'title: "{{ x }} is here" # a comment'),
    ],
)
def test_a_text_that_needs_quotes_is_printed_with_them(line, corrected):
    _, findings = read(f"first: 1\n{line}\n" if not line.startswith("-") else f"{line}\n")
    assert [f.code for f in findings] == ["NEEDS_QUOTES"]
    assert findings[0].fix == f"Write: {corrected}"
    assert findings[0].line == (1 if line.startswith("-") else 2)
    value, again = read(corrected)
    assert again == []
    assert value


def test_every_line_that_needs_quotes_is_told_at_once():
    value, findings = read("a: {{ x }} b\nb: Sale: 1\nc: @x\nd: fine\n")
    assert [(f.line, f.column) for f in findings] == [(1, 4), (2, 4), (3, 4)]
    assert value["d"] == "fine"


def test_a_quote_left_open_lines_above_is_blamed_where_it_opens():
    _, findings = read('a: "Hello\nb: "there"\nc: 1\n')
    assert [(f.line, f.fix) for f in findings] == [(1, 'Write: a: "Hello"')]


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("a: 1\na: 2\n", "DUPLICATE_KEY", (2, 1)),
        ("a:\n\tb: 1\n", "TABS", (2, 1)),
        ("a: \x00\n", "ENCODING", (1, 4)),
        (b"ok: 1\na: \xff\n", "ENCODING", (2, 4)),
        ("a: [x\n", "YAML", (1, 4)),
        ("a:\n  b: 1\n c: 2\n", "YAML", (3, 2)),
        ("a: 1\n---\nb: 2\n", "YAML", (2, 1)),
        ("? [a]\n: b\n", "YAML", (1, 3)),
        ("&a [*a]\n", "YAML", (1, 5)),
        ("[" * 100_000, "TOO_DEEP", (1, 33)),
        ("{a: " * 100_000, "TOO_DEEP", (1, 129)),
        ("- " * 100_000, "TOO_DEEP", (1, 65)),
        (b"x" * (MAX_BYTES + 1), "TOO_LARGE", (0, 0)),
        (b"x" * 10_000_000, "TOO_LARGE", (0, 0)),
    ],
)
def test_a_hostile_file_gets_one_exact_message(text, code, place):
    _, findings = read(text)
    assert [f.code for f in findings] == [code]
    assert (findings[0].line, findings[0].column) == place
    assert findings[0].problem


def test_aliases_work_within_bounds_and_bombs_do_not():
    assert read("a: &x [1, 2]\nb: *x\n") == ({"a": [1, 2], "b": [1, 2]}, [])
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n"
    bomb += "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    _, findings = read(bomb)
    assert [f.code for f in findings] == ["TOO_LARGE"]


@pytest.mark.parametrize(
    "text", ["", "\n\n", "# nothing\n", " " * 999_999, "\n" * 999_999, '"' * 999_999, "&a " * 300_000, "a: " * 300_000]
)
def test_empty_and_endless_files_end_soon(text):
    _, findings = read(text)
    assert len(findings) <= 1


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab:- \n\t{}[]*&!|>'\"#%@`?,~\\\x00\u2028é", max_size=60))
def test_any_text_gives_a_document_or_findings(text):
    document, findings = load("x.yaml", text.encode())
    for finding in findings:
        assert finding.problem
        assert finding.line <= text.count("\n") + 1
    if not findings and document.root is not None:
        plain(document.root)
