"""durable-rules as the second matcher: what it is asked, what it refuses, and how it is kept out of harm's way."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from engine.errors import AuthorError, ConfigError
from engine.match import Matcher, Situation, durable
from engine.match.durable import DurableMatcher, refusals
from engine.match.durable_terms import MAX_GROUPS, MAX_TESTS, MAX_WAYS
from engine.model.fence import Circle, Fence
from engine.model.release import Policy, Release
from engine.model.rule import (
    AllOf,
    AnyOf,
    Arith,
    Compare,
    Condition,
    Expr,
    Expression,
    InSegment,
    Inside,
    Literal_,
    MessageSpec,
    MessageText,
    Name,
    OnEvent,
    OnTransition,
    Rule,
    Segment,
    Target,
)
from engine.model.signal import Cause
from engine.pipeline.versions import Compiled
from tests.match import durable_cases as cases
from tests.match.engines import need_durable

EVENT = Cause("c", "event", 0.0, event="e")


@pytest.fixture
def durable_rules() -> None:
    need_durable()


def compare(left: Any, op: str, right: Any, line: int = 7) -> Expression:
    left = Name(tuple(left.split("."))) if isinstance(left, str) else left
    right = right if isinstance(right, (Name, Arith, Literal_)) else Literal_(right)
    return Expression(expr=Compare(op, left, right), where=f"rules/x.yaml:{line}")


def rule(id: str, *only_if: Condition, unless: tuple[Condition, ...] = ()) -> Rule:
    message = MessageSpec(MessageText("x"))
    return Rule(id, (OnEvent("e"),), message, only_if=only_if, unless=unless, where="rules/x.yaml:3")


def release(*rules: Rule, **more: Any) -> Release:
    return Release("h", rules, policy=Policy(matcher="durable"), **more)


# ------------------------------------------------------------------ refused at load, by name


def told(*rules: Rule, segments: dict[str, Segment] | None = None) -> list[tuple[str, int, str]]:
    findings = refusals(rules, segments or {})
    assert {finding.code for finding in findings} <= {"NOT_DURABLE"}
    assert all(finding.fix for finding in findings)
    return [(finding.file, finding.line, finding.problem) for finding in findings]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (compare("profile.tier", "<", "gold"), "'profile.tier < gold' orders text"),
        (compare("profile.tier", "between", ("a", "f")), "'profile.tier between a and f' orders text"),
        (compare("profile.spent", "<", Name(("profile", "limit"))), "compares two values that change"),
        (compare("profile.spent", "=", Arith("+", Name(("profile", "a")), Literal_(1))), "two values that change"),
        (compare("profile.x", "<", 0.0000001), "more than 6 decimals"),
        (compare("profile.x", "in", (1, 4_000_000_001)), "above 4 billion"),
        (compare("profile.x", "in", (1, "one")), "a list of several kinds"),
        (AnyOf(items=(compare("profile.ok", "=", 1, 8), compare("profile.tier", ">", "a", 7))), "orders text"),
    ],
)
def test_a_line_that_it_cannot_express_is_refused_with_its_rule_and_place(line: Condition, why: str) -> None:
    ((file, number, problem),) = told(rule("vip", line))
    assert (file, number) == ("rules/x.yaml", 7)
    assert problem.startswith("Rule 'vip' is not for durable-rules.")
    assert why in problem


def test_every_refused_line_is_told_at_once() -> None:
    lines = (compare("profile.a", "<", "x", 4), compare("profile.b", "=", 1, 5))
    unless = (compare("profile.c", ">", "x", 9),)
    found = told(rule("one", *lines, unless=unless), rule("two", compare("profile.d", ">=", "x", 20)))
    assert [line for _, line, _ in found] == [4, 9, 20]


def test_a_refused_line_of_a_segment_is_told_once_at_its_own_place() -> None:
    segments = {"late": Segment("late", (compare("profile.name", ">", "m", 2),))}
    lines = InSegment(segments=("late",), where="rules/x.yaml:7")
    ((_, number, problem),) = told(rule("one", lines), rule("two", lines), segments=segments)
    assert (number, "Rule 'one'" in problem) == (2, True)


def numbers(count: int) -> tuple[Expression, ...]:
    return tuple(compare(f"profile.n{i}", ">", i) for i in range(count))


LARGE = {
    "comparisons": (MAX_TESTS, lambda n: numbers(n)),
    "groups": (MAX_GROUPS - 1, lambda n: [compare(f"profile.t{i}", "=", "x") for i in range(n)]),
    "branches": (MAX_WAYS, lambda n: [AnyOf(items=numbers(n))]),
    "list": (MAX_TESTS - 1, lambda n: [compare("profile.n0", "in", tuple(range(100, 100 + n)))]),
    "ways": (MAX_WAYS // 4, lambda n: (AnyOf(items=numbers(4)), AnyOf(items=numbers(n)))),
}


@pytest.mark.parametrize("what", LARGE)
def test_a_rule_that_is_too_large_for_it_is_refused_as_a_whole(what: str) -> None:
    most, make = LARGE[what]
    assert told(rule("big", *make(most))) == []
    ((file, line, problem),) = told(rule("big", *make(most + 1)))
    assert (file, line, "durable-rules takes" in problem) == ("rules/x.yaml", 3, True)


@pytest.mark.parametrize("what", LARGE)
def test_a_rule_as_large_as_may_be_is_answered(what: str, situation: Situation, durable_rules: None) -> None:
    most, make = LARGE[what]
    big = rule("big", *make(most))
    ours, theirs = (engine(release(big)) for engine in (lambda r: Matcher(r, ()), DurableMatcher.compile))
    attributes = situation.person.profile.attributes
    for found in (
        {**{f"n{i}": 210 for i in range(200)}, **{f"t{i}": "x" for i in range(200)}},
        {**{f"n{i}": 210 for i in range(1, 200)}, **{f"t{i}": "x" for i in range(1, 200)}},
        {f"n{i}": -1 for i in range(200)},
        {},
    ):
        attributes.clear()
        attributes |= found
        assert theirs.rules[0].holds(situation) is ours.rules[0].holds(situation)


def test_compiling_a_release_with_refused_lines_raises_them_all(durable_rules: None) -> None:
    with pytest.raises(AuthorError) as raised:
        Compiled.of(release(rule("a", compare("profile.x", "<", "m")), rule("b", compare("profile.y", ">", "m"))))
    assert [finding.code for finding in raised.value.findings] == ["NOT_DURABLE"] * 2


def test_without_durable_rules_the_error_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable, "missing", lambda: "No module named 'durable'")
    with pytest.raises(ConfigError, match=r"pip install 'herenow\[durable\]'"):
        Compiled.of(release())


# ------------------------------------------------------------------ the port


def test_it_wakes_explains_and_looks_back_as_the_indexed_one_does(situation: Situation, durable_rules: None) -> None:
    r = random.Random(5)
    rules = cases.drawn(r, 40)
    woken = tuple(OnTransition(kind, Target(tags=("food",)), 60.0 * (kind == "dwell")) for kind in ("enter", "dwell"))
    several = cases.release(tuple(Rule(one.id, woken, one.message, one.only_if, one.unless) for one in rules))
    ours, theirs = Matcher.compile(several), DurableMatcher.compile(several)
    assert (theirs.dwells, theirs.horizon) == (ours.dwells, ours.horizon)
    for cause in (Cause("c", "enter", 0.0, fence="cafe"), Cause("c", "dwell", 0.0, fence="cafe", seconds=60.0), EVENT):
        pairs = list(zip(ours.woken(cause), theirs.woken(cause), strict=True))
        assert len(pairs) == (0 if cause is EVENT else 40)
        for a, b in pairs:
            assert (b.rule, b.explain(situation), b.holds(situation)) == (
                a.rule,
                a.explain(situation),
                a.holds(situation),
            )


def test_with_other_fences_it_is_still_durable_rules_that_decides(situation: Situation, durable_rules: None) -> None:
    target = Target(tags=("market",))
    line = Inside(target=target)
    matcher = DurableMatcher.compile(
        release(Rule("r", (OnTransition("enter", target),), MessageSpec(MessageText("x")), (line,)))
    )
    market = Fence("market-hall", Circle(0.0, 0.0, 50.0), tags=("market",))
    other = matcher.with_fences([market])
    assert isinstance(other, DurableMatcher)
    cause = Cause("c", "enter", 0.0, fence="market-hall")
    assert (len(matcher.woken(cause)), len(other.woken(cause))) == (0, 1)
    situation.cause = cause
    assert other.woken(cause)[0].holds(situation) is True
    assert matcher.rules[0].holds(situation) is False


# ------------------------------------------------------------------ out of harm's way


def test_its_vocabulary_has_no_two_names_of_one_hash(durable_rules: None) -> None:
    """durable-rules knows a property by 32 bits of its name, and a fact by 32 bits of its id."""
    from engine.match.durable_host import IDS, SESSION

    def fnv(name: str) -> int:
        value = 0x811C9DC5
        for byte in name.encode():
            value = ((value ^ byte) * 0x01000193) % 2**32
        return value

    names = ["id", "sid", "$s", "$m", "$forward", "$time", "$and", "$or", "$lt", "$lte", "$gt", "$gte", "$neq"]
    names += [f"r{i}" for i in range(400)] + [f"v{i}" for i in range(MAX_TESTS)]
    assert len({fnv(name) for name in names}) == len(names)
    assert fnv(f"sid-{SESSION}") not in {fnv(id) for id in IDS}


def test_it_starts_no_thread_and_knows_one_session(situation: Situation, durable_rules: None) -> None:
    before = threading.active_count()
    matcher = DurableMatcher.compile(release(rule("r", compare("profile.x", "=", 1))))
    for x in (1, 2, None):
        situation.person.profile.attributes["x"] = x
        matcher.rules[0].holds(situation)
    assert threading.active_count() == before


def test_rules_of_one_shape_and_releases_made_again_share_their_place(durable_rules: None) -> None:
    from engine.match.durable_host import RULES_PER_SET, host

    same = tuple(rule(f"r{i}", compare(f"profile.x{i}", "<", 987_654)) for i in range(200))
    DurableMatcher.compile(release(*same))
    held = len(host()._places)
    DurableMatcher.compile(release(*same[::-1]))
    assert len(host()._places) == held
    DurableMatcher.compile(release(*(rule(f"r{i}", compare("profile.x", "<", 900_000 + i)) for i in range(200))))
    assert len(host()._places) == held + 200
    assert max(len(definition) for definition in host()._definitions.values()) <= RULES_PER_SET


def test_a_fact_that_went_wrong_leaves_nothing_for_the_next(
    situation: Situation, durable_rules: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.match.durable_host import host

    def out_of_memory(*_: Any) -> None:
        raise MemoryError

    matcher = DurableMatcher.compile(release(rule("r", compare("profile.x", "<", 123_457))))
    (place,) = host().places([shape for shape in host()._places if "246914000000.0" in shape])
    situation.person.profile.attributes["x"] = 1
    assert matcher.rules[0].holds(situation) is True
    with pytest.raises(Exception, match="error code: 302"):
        host().fires(place, {f"v{i}": 1.0 for i in range(300)})
    with monkeypatch.context() as patched:
        patched.setattr(host(), "retract_fact", out_of_memory)
        with pytest.raises(MemoryError):
            matcher.rules[0].holds(situation)
    assert matcher.rules[0].holds(situation) is True
    situation.person.profile.attributes["x"] = 123_457
    assert matcher.rules[0].holds(situation) is False
    assert host().get_facts(place[0], "s") == []


def test_several_threads_may_ask_it_at_once(durable_rules: None) -> None:
    r = random.Random(11)
    several = cases.release(cases.drawn(r, 40))
    ours, theirs = Matcher.compile(several), DurableMatcher.compile(several)
    asked = [cases.situation(r) for _ in range(40)]

    def answers(matcher: Matcher) -> list[bool | None]:
        return [one.holds(s) for s in asked for one in matcher.rules]

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: answers(theirs), range(4)))
    assert found == [answers(ours)] * 4


def test_sums_and_constants_on_the_left_are_compared_too(situation: Situation, durable_rules: None) -> None:
    def holds(expr: Expr) -> bool | None:
        return DurableMatcher.compile(release(rule("r", Expression(expr=expr)))).rules[0].holds(situation)

    situation.person.profile.attributes |= {"a": 2, "b": 3.5}
    total = Arith("+", Name(("profile", "a")), Name(("profile", "b")))
    assert holds(Compare(">", total, Literal_(5.4))) is True
    assert holds(Compare(">", Literal_(5.5), total)) is False
    assert holds(Compare("<", Literal_(3), Literal_(4))) is True
    assert holds(Compare("=", Arith("/", Name(("profile", "a")), Literal_(0)), Literal_(1))) is None


def test_a_segment_that_leads_back_to_itself_is_unknown_to_it_as_well(
    situation: Situation, durable_rules: None
) -> None:
    segments = {"loop": Segment("loop", (InSegment(segments=("loop",)),)), "all": Segment("all", ())}
    asked = [
        InSegment(segments=("loop",)),
        InSegment(segments=("all",)),
        AllOf(items=(InSegment(segments=("loop", "all")),)),
    ]
    rules = [rule(f"r{i}", line) for i, line in enumerate(asked)]
    compiled = DurableMatcher.compile(release(*rules, segments=segments)).rules
    assert [one.holds(situation) for one in compiled] == [None, True, True]
