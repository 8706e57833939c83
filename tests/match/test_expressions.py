"""What expressions mean: names, comparisons, what is unknown, and what the trace says about it."""

import math
from typing import Any

import pytest

from engine.match import Situation
from engine.model.moment import Check
from engine.model.person import Happened, Position
from engine.model.reason import Reason
from engine.model.release import Release
from engine.model.rule import (
    Arith,
    Compare,
    Expr,
    Expression,
    Literal_,
    Logic,
    MessageSpec,
    MessageText,
    Name,
    Not,
    OnEvent,
    Rule,
)
from engine.model.signal import Cause, Signal
from tests.match import engines

pytestmark = pytest.mark.usefixtures("engine")


def ask(expr: Expr, s: Situation) -> tuple[bool | None, tuple[Check, ...]]:
    line = Expression(expr=expr, text="the line", where="rules/x.yaml:7")
    rule = Rule("r", (OnEvent("e"),), MessageSpec(MessageText("x")), only_if=(line,))
    (compiled,) = engines.compiled(Release("h", (rule,))).rules
    return compiled.holds(s), compiled.explain(s)


def name(text: str) -> Name:
    return Name(tuple(text.split(".")))


def compare(left: str, op: str, right: Any = None) -> Compare:
    return Compare(op, name(left), None if op == "exists" else Literal_(right))


@pytest.mark.parametrize(
    ("held", "op", "constant", "answer"),
    [
        (11.5, "<", 12, True),
        (12, "<", 12, False),
        (12, "<=", 12.0, True),
        (13, ">", 12, True),
        (12, ">=", 12.5, False),
        (3, "=", 3.0, True),
        (3, "!=", 3, False),
        ("gold", "=", "gold", True),
        ("Gold", "=", "gold", False),
        ("b", ">", "a", True),
        (True, "=", True, True),
        (True, "!=", False, True),
        ("gold", "in", ("silver", "gold"), True),
        ("gold", "in", "gold", True),
        ("iron", "not-in", ("silver", "gold"), True),
        (3, "between", (3, 5), True),
        (5.0, "between", (3, 5), True),
        (5.1, "between", (3, 5), False),
        (["a", "b"], "contains", "b", True),
        (["a", "b"], "contains", "c", False),
        ([], "contains", "c", False),
        ("flat white", "contains", "white", True),
        ("flat white", "contains", "White", False),
    ],
)
def test_comparisons_of_one_kind_are_definite(
    situation: Situation, held: Any, op: str, constant: Any, answer: bool
) -> None:
    situation.person.profile.attributes["x"] = held
    assert ask(compare("profile.x", op, constant), situation)[0] is answer


@pytest.mark.parametrize(
    ("held", "op", "constant"),
    [
        ("3", "=", 3),
        ("3", "<", 12),
        (3, "=", "3"),
        (3, "!=", "3"),
        (1, "=", True),
        (True, "=", 1),
        (True, "<", False),
        ("3", "in", (1, 2)),
        ("3", "not-in", (1, 2)),
        ("3", "between", (1, 5)),
        (3, "contains", 3),
        ("3", "contains", 3),
        (["3"], "contains", 3),
        (["3"], "=", "3"),
        ({"a": 1}, "=", "a"),
    ],
)
def test_values_of_different_kinds_never_compare_and_the_trace_says_why(
    situation: Situation, held: Any, op: str, constant: Any
) -> None:
    situation.person.profile.attributes["x"] = held
    holds, (check, *_) = ask(compare("profile.x", op, constant), situation)
    assert holds is None
    assert check.reason is Reason.UNKNOWN_VALUE
    assert "compare" in check.note


@pytest.mark.parametrize("held", [None, math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("op", ["=", "!=", "<", ">=", "in", "not-in", "contains", "between"])
def test_a_missing_value_and_a_number_that_is_none_are_unknown_and_named(
    situation: Situation, held: Any, op: str
) -> None:
    situation.person.profile.attributes["x"] = held
    constant = (1, 2) if op in ("in", "not-in", "between") else 3
    holds, (check, *_) = ask(compare("profile.x", op, constant), situation)
    assert holds is None
    assert check.ok is None
    assert "profile.x is unknown" in check.note


def test_exists_is_always_definite(situation: Situation) -> None:
    assert ask(compare("profile.x", "exists"), situation)[0] is False
    assert ask(Not(compare("profile.x", "exists")), situation)[0] is True
    situation.person.profile.attributes["x"] = 0
    assert ask(compare("profile.x", "exists"), situation)[0] is True


@pytest.mark.parametrize(
    ("expr", "answer"),
    [
        (Logic("and", (compare("profile.yes", "=", 1), compare("profile.gone", "=", 1))), None),
        (Logic("and", (compare("profile.gone", "=", 1), compare("profile.yes", "=", 2))), False),
        (Logic("or", (compare("profile.gone", "=", 1), compare("profile.yes", "=", 1))), True),
        (Logic("or", (compare("profile.gone", "=", 1), compare("profile.yes", "=", 2))), None),
        (Not(compare("profile.gone", "=", 1)), None),
        (Not(compare("profile.yes", "=", 1)), False),
    ],
)
def test_and_or_not_follow_kleene(situation: Situation, expr: Expr, answer: bool | None) -> None:
    situation.person.profile.attributes["yes"] = 1
    assert ask(expr, situation)[0] is answer


@pytest.mark.parametrize(
    ("op", "right", "answer"),
    [("+", 2, True), ("*", 2, False), ("/", 0, None), ("-", "text", None), ("*", 10**400, None)],
)
def test_arithmetic_is_on_numbers_and_anything_else_is_unknown(
    situation: Situation, op: str, right: Any, answer: bool | None
) -> None:
    situation.person.profile.attributes |= {"x": 3.0, "y": right}
    expr = Compare("=", Arith(op, name("profile.x"), name("profile.y")), Literal_(5))
    assert ask(expr, situation)[0] is answer


def test_a_value_alone_must_be_true_or_false(situation: Situation) -> None:
    situation.person.profile.attributes |= {"vip": True, "age": 30}
    assert ask(name("profile.vip"), situation)[0] is True
    holds, (check, *_) = ask(name("profile.age"), situation)
    assert holds is None
    assert "neither true nor false" in check.note


def test_a_check_shows_what_it_saw_what_it_needs_and_where_it_stands(situation: Situation, world: Any) -> None:
    world.facts["cafe-mitte", "weather.temp_c"] = 14
    holds, (check,) = ask(compare("fence.weather.temp_c", "<", 12), situation)
    assert holds is False
    assert check == Check("the line", False, 14, "< 12", "rules/x.yaml:7", Reason.CONDITION)


def test_a_compound_line_shows_each_part_and_names_the_unknown_one(situation: Situation) -> None:
    situation.person.profile.attributes["age"] = 30
    both = Logic("and", (compare("profile.age", ">", 18), compare("profile.tier", "=", "gold")))
    holds, (line, age, tier) = ask(both, situation)
    assert holds is None
    assert (line.ok, line.depth, line.reason) == (None, 0, Reason.UNKNOWN_VALUE)
    assert "profile.tier is unknown" in line.note
    assert (age.name, age.ok, age.saw, age.depth, age.reason) == ("profile.age > 18", True, 30, 1, None)
    assert (tier.name, tier.ok, tier.depth) == ("profile.tier = gold", None, 1)


def test_a_comparison_with_another_field_shows_its_value(situation: Situation) -> None:
    situation.person.profile.attributes |= {"spent": 5, "limit": 4}
    _, (check,) = ask(Compare("<", name("profile.spent"), name("profile.limit")), situation)
    assert check.needs == "< profile.limit (4)"


def test_lines_that_differ_only_in_the_kind_of_their_constant_stay_apart(situation: Situation) -> None:
    situation.person.profile.attributes["x"] = 1
    constants = (1, True, 1.0, "1")
    rules = tuple(
        Rule(
            f"r{i}",
            (OnEvent("e"),),
            MessageSpec(MessageText("x")),
            only_if=(Expression(expr=compare("profile.x", "=", c)),),
        )
        for i, c in enumerate(constants)
    )
    compiled = engines.compiled(Release("h", rules)).rules
    assert [one.holds(situation) for one in compiled] == [True, None, True, None]


def test_equal_lines_of_two_rules_keep_their_own_text_and_place(situation: Situation) -> None:
    lines = [Expression(expr=compare("profile.x", "=", 1), text=f"line {i}", where=f"a.yaml:{i}") for i in (1, 2)]
    rules = tuple(Rule(line.text, (OnEvent("e"),), MessageSpec(MessageText("x")), only_if=(line,)) for line in lines)
    checks = [one.explain(situation)[0] for one in engines.compiled(Release("h", rules)).rules]
    assert [(check.name, check.where) for check in checks] == [("line 1", "a.yaml:1"), ("line 2", "a.yaml:2")]


def test_parts_are_shown_as_an_author_would_write_them(situation: Situation) -> None:
    sum_ = Arith("*", Arith("+", name("profile.a"), Literal_(1.5)), Literal_(2))
    expr = Logic("or", (Compare(">", sum_, Literal_(3)), Not(compare("profile.b", "not-in", ("x", "y")))))
    _, (_, *parts) = ask(Logic("and", (expr, compare("profile.c", "between", (1, 2)))), situation)
    assert [(part.depth, part.name) for part in parts] == [
        (1, "(profile.a + 1.5) * 2 > 3 or not (profile.b not in x, y)"),
        (2, "(profile.a + 1.5) * 2 > 3"),
        (2, "not (profile.b not in x, y)"),
        (3, "profile.b not in x, y"),
        (1, "profile.c between 1 and 2"),
    ]


def test_long_values_are_cut_in_traces(situation: Situation) -> None:
    situation.person.profile.attributes |= {"x": "a" * 5_000, "y": list(range(500))}
    _, (check,) = ask(compare("profile.x", "=", "b"), situation)
    assert len(check.saw) < 300
    _, (check,) = ask(compare("profile.y", "contains", 499), situation)
    assert check.ok is True
    assert len(check.saw) < 30


# ------------------------------------------------------------------ names


def value(text: str, s: Situation) -> Any:
    """What a name reads, as its check shows it."""
    _, (check, *_) = ask(compare(text, "=", "?"), s)
    return check.saw


def test_profile_names_reach_into_nested_values_and_the_profile_itself(situation: Situation) -> None:
    profile = situation.person.profile
    profile.attributes |= {"address": {"city": {"name": "Berlin"}}, "a.b": 7, "language": "fr"}
    profile.time_zone = "Europe/Berlin"
    assert value("profile.address.city.name", situation) == "Berlin"
    assert value("profile.address.street.name", situation) is None
    assert value("profile.a.b", situation) == 7
    assert value("profile.time_zone", situation) == "Europe/Berlin"
    assert value("profile.language", situation) == "fr"
    profile.language = "de"
    assert value("profile.language", situation) == "de"


def test_fence_names_prefer_what_was_pushed_over_metadata(situation: Situation, world: Any) -> None:
    assert value("fence.id", situation) == "cafe-mitte"
    assert value("fence.name", situation) == "Café Mitte"
    assert value("fence.tags", situation) == ["cafe", "central"]
    assert value("fence.seats", situation) == 40
    world.facts["cafe-mitte", "seats"] = 12
    assert value("fence.seats", situation) == 12
    world.facts["cafe-mitte", "weather"] = {"temp_c": 4}
    assert value("fence.weather.temp_c", situation) == 4
    situation.fence = None
    assert value("fence.name", situation) is None


def test_context_and_global_names_read_the_world(situation: Situation, world: Any) -> None:
    world.sticking["d1", "transport.mode"] = "bike"
    world.facts["global", "sale"] = True
    assert value("context.transport.mode", situation) == "bike"
    assert value("context.transport.speed", situation) is None
    assert value("global.sale", situation) is True


def test_device_names_read_the_position_and_its_age(situation: Situation) -> None:
    assert value("device.id", situation) == "d1"
    assert value("device.speed", situation) == 1.5
    assert value("device.lat", situation) == 52.5
    assert value("device.age", situation) == 0.0
    assert value("device.battery", situation) is None


def test_a_position_older_than_half_an_hour_says_nothing_but_its_age(situation: Situation) -> None:
    situation.position = Position(at=situation.device_now - 1_801.0, lat=1.0, lon=1.0, speed=9.0)
    assert value("device.speed", situation) is None
    assert value("device.age", situation) == 1_801.0


def test_event_names_read_the_cause_then_the_signal(situation: Situation) -> None:
    situation.cause = Cause("d1|1", "event", 0.0, event="purchase", data={"amount": 12.5})
    situation.signal = Signal("d1", 0.0, 1, event="purchase", context={"amount": 1, "shop": {"city": "Ulm"}})
    assert value("event.name", situation) == "purchase"
    assert value("event.amount", situation) == 12.5
    assert value("event.shop.city", situation) == "Ulm"


def test_person_has_an_id_and_unheard_of_names_are_unknown(situation: Situation) -> None:
    assert value("person.id", situation) == "p9"
    for text in ("person.mood", "device.colour", "weather.temp_c", "profile"):
        assert ask(compare(text, "=", "x"), situation)[0] is None


def test_looking_at_history_leaves_the_situation_as_it_was(situation: Situation) -> None:
    situation.person.events += [Happened("e", situation.device_now - 1.0, {"amount": 1})]
    ask(compare("event.amount", "=", 1), situation)
    assert situation.happened is None


def test_a_result_too_large_to_be_a_number_is_unknown(situation: Situation) -> None:
    situation.person.profile.attributes["x"] = 10**200
    square = Arith("*", name("profile.x"), name("profile.x"))
    assert ask(Compare(">", square, Literal_(1)), situation)[0] is None
