"""The expression language: what it means, and what is said when it is wrong."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.author import expression
from engine.author.expression import ExpressionError, parse
from engine.author.report import TextError
from engine.model.rule import Arith, Compare, Literal_, Logic, Name, Not

TIER = Name(("profile", "tier"))


def holds(op, value, left=TIER):
    return Compare(op, left, Literal_(value))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("profile.tier = gold", holds("=", "gold")),
        ("profile.tier != gold", holds("!=", "gold")),
        ("fence.weather.temp_c < 12", Compare("<", Name(("fence", "weather", "temp_c")), Literal_(12))),
        ("profile.tier in gold, silver card, 3", holds("in", ("gold", "silver card", 3))),
        ("profile.tier not in (gold, 'or')", holds("not-in", ("gold", "or"))),
        ("profile.tier contains art", holds("contains", "art")),
        ("profile.tier not contains art", Not(holds("contains", "art"))),
        ("profile.tier between 3 and 5", holds("between", (3, 5))),
        ("profile.tier exists", Compare("exists", TIER, None)),
        ("not profile.tier exists", Not(Compare("exists", TIER, None))),
        ("profile.tier = New York", holds("=", "New York")),
        ("profile.tier = 10 Downing Street", holds("=", "10 Downing Street")),
        ("profile.tier = true", holds("=", True)),
        ("profile.tier = yes", holds("=", "yes")),
        ("profile.tier = 01234", holds("=", "01234")),
        ("profile.tier > -2.5", holds(">", -2.5)),
        ("profile.tier < 2026-11-02", holds("<", "2026-11-02")),
        ("profile.tier >= 08:30", holds(">=", "08:30")),
        ("profile.tier = a@b.example", holds("=", "a@b.example")),
        ("profile.tier = fence.name", Compare("=", TIER, Name(("fence", "name")))),
    ],
)
def test_an_expression_means_what_it_says(text, expected):
    assert parse(text) == expected


def test_and_binds_tighter_than_or_and_not_tighter_than_both():
    a, b, c = (holds("=", word) for word in "abc")
    text = "not profile.tier = a and profile.tier = b or profile.tier = c"
    assert parse(text) == Logic("or", (Logic("and", (Not(a), b)), c))
    text = "not (profile.tier = a and (profile.tier = b or profile.tier = c))"
    assert parse(text) == Not(Logic("and", (a, Logic("or", (b, c)))))


def test_products_bind_tighter_than_sums_on_both_sides():
    left = Arith("+", Literal_(1), Arith("*", TIER, Literal_(2)))
    right = Arith("-", Name(("profile", "limit")), Literal_(10))
    assert parse("1 + profile.tier * 2 > profile.limit - 10") == Compare(">", left, right)


@pytest.mark.parametrize(
    ("text", "column", "fix"),
    [
        ("first_name = Ann", 1, "Did you mean profile.first_name?"),
        ("weather.temp_c < 12", 1, "Did you mean fence.weather.temp_c?"),
        ("profil.tier = gold", 1, "Did you mean profile.tier?"),
        ("device.batery < 0.2", 1, "Did you mean device.battery?"),
        ("person.tier = gold", 1, "Did you mean profile.tier?"),
        ("profile.tier == gold", 14, "Write '='."),
        ("profile.tier = gold && fence.id = x", 21, "Write 'and'."),
        ("profile.tier = gold or silver", 24, "NAME in a, silver"),
        ("profile.tier", 1, "profile.tier = true"),
        ("profile.tier =", 15, "profile.tier = gold"),
        ("profile.tier = (1", 18, "Close the ("),
        ("profile.tier = 'gold", 16, "Put a '"),
        ("profile.tier < gold", 16, "Put a number there."),
        ("profile.tier between 5 and 3", 22, "between 3 and 5"),
        ("1 < profile.tier < 3", 18, "Join them with 'and'."),
        ("profile.tier = null", 16, "exists"),
        ("profile..tier = 3", 1, "joined by dots"),
        ("{{ profile.tier }} = 3", 1, "profile.tier = gold"),
        ("profile.tier = 1e999", 16, ""),
        ("profile.tier, profile.x", 1, "profile.tier = true"),
        ("", 1, "profile.tier = gold"),
    ],
)
def test_a_wrong_expression_names_the_column_and_the_fix(text, column, fix):
    with pytest.raises(ExpressionError) as raised:
        parse(text)
    assert raised.value.column == column
    assert fix in raised.value.fix


def test_a_declared_field_is_offered_for_its_bare_name():
    with pytest.raises(ExpressionError) as raised:
        parse("temp_c < 12", fields=("fence.weather.temp_c", "fence.temp_c"))
    assert "fence.temp_c" in raised.value.fix


@pytest.mark.parametrize("text", ["(" * 1000, "not " * 400, "-" * 1500, "profile.a = 1 and " * 100, "x" * 10**6])
def test_length_and_depth_are_bounded(text):
    with pytest.raises(ExpressionError):
        parse(text)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [*"()=<>+-*/,.'\"%{", " ", "and", "or", "not", "in", "between", "exists", "profile.x", "3", "a"]
        )
    )
)
def test_any_text_is_an_expression_or_an_expression_error(parts):
    wrong = None
    try:
        parse(" ".join(parts))
    except ExpressionError as error:
        wrong = error
    assert wrong is None or (wrong.problem and wrong.column >= 1)


@pytest.mark.parametrize("op", ["=", "!=", "<", "<=", ">", ">="])
@pytest.mark.parametrize(
    "value",
    [
        "gold",
        "3",
        "0",
        "12.50",
        "0.0",
        "1" * 15,
        "1" * 16,
        "007",
        "true",
        "null",
        "exists",
        "and",
        "x_1",
        "3a",
        "profile",
        "-3",
        "",
    ],
)
@pytest.mark.parametrize(
    "name", ["profile.a", "fence.weather.temp_c", "device.speed", "person.x", "profil.a", "profile"]
)
def test_a_simple_line_is_read_at_a_look_as_it_would_be_read_in_full(name, op, value):
    text = f"{name} {op} {value}"

    def outcome(read):
        try:
            return repr(read())
        except TextError as error:
            return error.problem, error.fix, error.column

    assert outcome(lambda: expression._parse(text, (), None)) == outcome(
        lambda: expression._Parser(text, (), None).parse()
    )
