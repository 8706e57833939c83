"""Equal lines share how they are asked; lines that only look equal do not."""

import pytest

from engine.match.conditions import Workshop
from engine.model.rule import Compare, Expression, Literal_, Name


def line(value: object) -> Expression:
    return Expression(
        text=f"profile.x = {value}", where="rules/a.yaml:1", expr=Compare("=", Name(("profile", "x")), Literal_(value))
    )


@pytest.mark.parametrize("pair", [(1, 1.0), (1, True), (0, False), ("1", 1)])
def test_values_that_python_takes_for_the_same_are_lines_of_their_own(pair):
    workshop = Workshop({}, lambda target: (), 60.0)
    first, second = (workshop.node(line(value)) for value in pair)
    assert first.holds is not second.holds
    assert workshop.node(line(pair[0])).holds is first.holds


def test_a_number_beyond_64_bits_is_shared_and_told_apart_like_any_other():
    workshop = Workshop({}, lambda target: (), 60.0)
    big = workshop.node(line(10**30))
    assert workshop.node(line(10**30)).holds is big.holds
    assert workshop.node(line(10**30 + 1)).holds is not big.holds
