"""Values written for durable-rules compare with constants as they do themselves."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.match import durable_facts as facts

CONSTANTS = st.integers(-4_000_000_000, 4_000_000_000) | st.integers(-(10**12), 10**12).map(lambda n: n / 1_000_000)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers() | CONSTANTS


def order(a: Any, b: Any) -> int:
    return (a > b) - (a < b)


@given(NUMBERS, CONSTANTS)
def test_a_number_stands_to_every_constant_as_before(value: Any, constant: Any) -> None:
    assert facts.exact(constant)
    written, fixed = facts.number(value), facts.number(constant)
    assert written is not None
    assert fixed is not None
    assert order(written, fixed) == order(value, constant)
    assert -facts.HIGHEST < written < facts.HIGHEST


@given(st.integers(-(10**12), 10**12), st.integers(-4, 4))
def test_so_do_the_nearest_neighbours_of_a_constant(millionths: int, steps: int) -> None:
    from math import inf, nextafter

    constant = value = millionths / 1_000_000
    for _ in range(abs(steps)):
        value = nextafter(value, inf if steps > 0 else -inf)
    written, fixed = facts.number(value), facts.number(constant)
    assert written is not None
    assert fixed is not None
    assert order(written, fixed) == order(value, constant)


@given(NUMBERS)
def test_a_written_number_is_whole_and_needs_no_exponent(value: Any) -> None:
    written = repr(facts.number(value))
    assert written.endswith(".0")
    assert "e" not in written


@pytest.mark.parametrize("constant", [0.0000001, 1.23456789, 4_000_000_001, -4e9 - 1, 1e300, 10**400])
def test_a_constant_that_would_be_rounded_is_told_from_the_others(constant: Any) -> None:
    assert not facts.exact(constant)


@pytest.mark.parametrize("value", [None, True, "1", [1], {}, float("nan"), float("inf")])
def test_what_is_no_number_is_none(value: Any) -> None:
    assert facts.number(value) is None


@given(st.text(), st.text())
def test_texts_are_written_alike_only_if_they_are_the_same(a: str, b: str) -> None:
    assert (facts.text(a) == facts.text(b)) is (a == b)
    assert facts.text(a) != facts.UNKNOWN_TEXT


@pytest.mark.parametrize("value", ['say "hi"', "back\\slash", "a\x00b", "line\nbreak", "\ud800", "x" * 201, "\u200d"])
def test_a_text_that_durable_rules_would_misread_is_written_as_its_digest(value: str) -> None:
    written = facts.text(value)
    assert written is not None
    assert written.isascii()
    assert len(written) == 33


def test_flags_are_numbers_and_nothing_else_is_a_flag() -> None:
    assert [facts.flag(value) for value in (True, False, 1, 0, None, "true")] == [1, 0, None, None, None, None]
