"""Lines that YAML would misread or choke on: the error prints the corrected line, and ``--fix`` writes it."""

import time

import pytest

from engine.author.bundle import Bundle
from engine.author.crosscheck import cross_check
from engine.author.fix import fix_files
from engine.author.lint import lint
from engine.author.project import compile_bundle, read_parts
from engine.model.release import Policy

HEAD = "rules:\n  hello:\n    purpose: service\n    when:\n      event: x\n    message:\n      title: Hi\n"
NAME = "rules/a.yaml"


def judge(files):
    parts, findings = read_parts(Bundle(files, Policy()))
    return [*findings, *cross_check(parts), *lint(parts)]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("{{ event.name }} hi", "{{ event.name }} hi"),
        ("{% if profile.a %}x{% endif %}", "{% if profile.a %}x{% endif %}"),
        ("Now: free", "Now: free"),
        ("Now:", "Now:"),
        ("*free* coffee", "*free* coffee"),
        ("& more", "& more"),
        ("@home", "@home"),
        ("> 50 % off", "> 50 % off"),
        ("| x", "| x"),
        ("% off", "% off"),
        ("!now", "!now"),
        ("`x`", "`x`"),
        ("- x", "- x"),
        ("? x", "? x"),
        (", x", ", x"),
        ("#1 coffee", "#1 coffee"),
        ("[Sale] today", "[Sale] today"),
        ("[Sale]", "[Sale]"),
        ("{x} today", "{x} today"),
        ("'tis the season", "'tis the season"),
        ('"Sale" today', '"Sale" today'),
        ('"Sale', "Sale"),
        ("It is 5 \\ 3: \"so\" 'so'", "It is 5 \\ 3: \"so\" 'so'"),
        ("!!python/object/apply:os.system ['x']", "!!python/object/apply:os.system ['x']"),
    ],
)
def test_a_text_that_yaml_would_misread_is_printed_right_and_mended(text, meant):
    data = HEAD.replace("title: Hi", f"title: {text}").encode()
    findings = [f for f in judge({NAME: data}) if f.severity == "error"]
    assert [(f.code, f.line) for f in findings] == [("NEEDS_QUOTES", 7)]
    mended = fix_files({NAME: data}, judge)[NAME].decode()
    right = mended.splitlines()[6]
    assert findings[0].fix == f"Write: {right.strip()}"
    assert mended.replace(right, "      title: Hi") == HEAD
    release, _ = compile_bundle(Bundle({NAME: mended.encode()}, Policy()))
    assert release.rules[0].message.text.title == meant


@pytest.mark.parametrize("text", ["no", "12:30", "0123", "on", "1e3", "0x10", "2026-11-02", "😀 ok", "a\tb"])
def test_a_text_that_other_readers_change_is_kept_as_written(text):
    release, _ = compile_bundle(Bundle({NAME: HEAD.replace("Hi", text).encode()}, Policy()))
    assert release.rules[0].message.text.title == text


@pytest.mark.parametrize(
    ("old", "new", "column"),
    [("    when", "\twhen", 1), ("      title", "    \ttitle", 5), ("      title", "\t\t\ttitle", 1)],
)
def test_a_tab_is_mended_to_where_the_line_above_lets_it_stand(old, new, column):
    data = HEAD.replace(old, new).encode()
    assert [(f.code, f.column) for f in judge({NAME: data})] == [("TABS", column)]
    assert fix_files({NAME: data}, judge)[NAME].decode() == HEAD


NEST = "      - any_of:\n"
BOMB = "b0: &b0 [x, x, x, x]\n" + "".join(f"b{i}: &b{i} [{', '.join([f'*b{i - 1}'] * 9)}]\n" for i in range(1, 9))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("rules: " + "[" * 100_000, "TOO_DEEP"),
        ("rules: " + "{a: " * 100_000, "TOO_DEEP"),
        (HEAD + "    only_if:\n" + "".join("  " * i + NEST for i in range(60)), "TOO_DEEP"),
        (HEAD + f"    only_if:\n      - {'(' * 200}profile.a = 1{')' * 200}\n", "EXPRESSION"),
        (HEAD + f"    only_if:\n      - {'not ' * 400}profile.a = 1\n", "EXPRESSION"),
        (BOMB, "TOO_LARGE"),
        (HEAD + "# " + "x" * 10_000_000, "TOO_LARGE"),
        (HEAD + "    purpose: service\n", "DUPLICATE_KEY"),
        (HEAD + "---\n" + HEAD, "YAML"),
        (HEAD + "\x00", "ENCODING"),
        (HEAD.replace("Hi", '"{{ (1..100000000) | join }}"'), "TEMPLATE"),
    ],
    ids=["lists", "mappings", "conditions", "brackets", "nots", "aliases", "10 MB", "twice", "two", "zero", "liquid"],
)
def test_a_hostile_file_is_told_in_bounded_time(text, code):
    before = time.process_time()
    findings = judge({NAME: text.encode()})
    assert code in {f.code for f in findings}
    assert time.process_time() - before < 5
