"""What is filled in without Liquid is what Liquid would make of it."""

from datetime import UTC, datetime
from typing import Any

from babel import Locale
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.compose.guard import Job
from engine.compose.simple import filled, roots, simple
from engine.compose.templates import parse

WORDS = st.sampled_from(["a", "b", "c", "name", "size", "limit", "true", "and"])
NAMES = st.builds(
    lambda root, path: ".".join((root, *path)),
    st.sampled_from(["profile", "fence", "offer"]),
    st.lists(WORDS, min_size=1, max_size=3),
)
DEFAULTS = st.sampled_from(["", "", " | default: 'you' ", '| default: ""', " |default: ' a: b '"])
OUTPUTS = st.builds(lambda name, default: "{{ " + name + default + "}}", NAMES, DEFAULTS)
TEXTS = st.sampled_from(["", "Hi ", " {", "% }", "\n", "é", "'"])
SOURCES = st.lists(st.one_of(OUTPUTS, TEXTS), min_size=1, max_size=5).map("".join)
PLAIN = [
    *("x", "", " ", "Ada", "a\rb", "a\nb", "é", "\ud800", "\xa0", "y" * 250, "y" * 11_000, "{{ b }}"),
    *(0, 5, -3, 10**15, 10**16, 1.5, True, False, None),
]
VALUES = st.recursive(
    st.sampled_from(PLAIN), lambda some: st.one_of(st.dictionaries(WORDS, some, max_size=3), st.lists(some, max_size=2))
)


def job() -> Job:
    return Job(datetime(2026, 11, 22, tzinfo=UTC), Locale("en"))


@settings(max_examples=1500, deadline=None)
@given(source=SOURCES, names=st.dictionaries(st.sampled_from(["profile", "fence", "offer"]), VALUES))
def test_whatever_is_filled_in_here_liquid_fills_in_alike_at_the_same_price(source: str, names: dict[str, Any]) -> None:
    template, ours, theirs = simple(source), job(), job()
    if template is None or (text := filled(template, names, ours)) is None:
        return
    assert text == parse(source).fill(names, theirs)
    assert ours.left == theirs.left


def test_what_most_messages_are_is_filled_in_here() -> None:
    names = {"profile": {"name": "Ada", "age": 36}, "fence": {"name": "Café", "weather": {}}}
    for source, text in {
        "Hello {{ profile.name }}, {{profile.age}}!": "Hello Ada, 36!",
        "{{ fence.name }} {{ fence.weather.sky | default: 'fair' }}": "Café fair",
        "{{ offer.code | default: '' }}": "",
    }.items():
        template = simple(source)
        assert template is not None
        assert filled(template, names, job()) == text


def test_what_is_out_of_the_ordinary_is_left_to_liquid() -> None:
    for source in ("{{ profile.size }}", "{{{ profile.name }}", "{{ profile.tags.first }}", "{{ now }}"):
        assert simple(source) is None
    template = simple("{{ profile.name }}")
    assert template is not None
    for value in (None, "", 1.5, True, ["a"], {"a": "b"}, "two\nlines", "y" * 300):
        assert filled(template, {"profile": {"name": value}}, job()) is None


def test_roots_are_told_of_simple_templates_alone() -> None:
    assert roots("{{ fence.name }} for {{ profile.name | default: 'you' }}") == {"fence", "profile"}
    assert roots("Hello") == frozenset()
    assert roots("{% if profile.name %}Hello{% endif %}") is None
