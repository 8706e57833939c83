"""The index: who is woken by what."""

import pytest

from engine.errors import ConfigError
from engine.match import Matcher
from engine.match import matcher as matcher_module
from engine.model.fence import Circle, Fence
from engine.model.release import Policy, Release
from engine.model.rule import (
    AnyOf,
    Condition,
    Did,
    MessageSpec,
    MessageText,
    OnEvent,
    OnTransition,
    Rule,
    Segment,
    Target,
    Trigger,
    Visited,
)
from engine.model.signal import Cause, Transition

FENCES = (
    Fence("cafe-mitte", Circle(0.0, 0.0, 50.0), tags=("cafe", "central")),
    Fence("cafe-ost", Circle(0.0, 0.0, 50.0), tags=("cafe",)),
    Fence("office", Circle(0.0, 0.0, 50.0)),
)
CAFES = Target(tags=("cafe",))


def rule(id: str, *when: Trigger, only_if: tuple[Condition, ...] = (), status: str = "live") -> Rule:
    return Rule(id, when, MessageSpec(MessageText("x")), only_if=only_if, status=status)  # type: ignore[arg-type]


def woken(matcher: Matcher, kind: str, what: str, seconds: float | None = None, initial: bool = False) -> list[str]:
    event = what if kind == "event" else None
    fence = None if kind == "event" else what
    cause = Cause("c", kind, 0.0, fence=fence, event=event, seconds=seconds)
    if event is None:  # a transition wakes whom the cause made of it would wake
        transition = Transition(kind, "d", what, 0.0, 0.0, 0, seconds or 0.0)  # type: ignore[arg-type]
        assert matcher.woken(transition, initial) == matcher.woken(cause, initial)
    return [compiled.rule.id for compiled in matcher.woken(cause, initial)]


def compiled(*rules: Rule) -> Matcher:
    return Matcher.compile(Release("h", rules, FENCES))


def test_a_transition_wakes_the_rules_of_its_kind_and_fence_by_id_or_tag_in_rule_order() -> None:
    matcher = compiled(
        rule("z-tag", OnTransition("enter", CAFES)),
        rule("a-id", OnTransition("enter", Target(("cafe-mitte",)))),
        rule("m-both", OnTransition("enter", Target(("cafe-mitte",), ("cafe", "central")))),
        rule("leaving", OnTransition("exit", CAFES)),
        rule("elsewhere", OnTransition("enter", Target(("office", "nowhere"), ("nothing",)))),
    )
    assert woken(matcher, "enter", "cafe-mitte") == ["a-id", "m-both", "z-tag"]
    assert woken(matcher, "enter", "cafe-ost") == ["m-both", "z-tag"]
    assert woken(matcher, "exit", "cafe-ost") == ["leaving"]
    assert woken(matcher, "enter", "office") == ["elsewhere"]
    assert woken(matcher, "enter", "nowhere") == []
    assert woken(matcher, "cross", "cafe-mitte") == []


def test_rules_are_woken_in_the_order_of_their_ids_wherever_they_stand_in_the_files() -> None:
    rules = [rule(f"r{i:02}", OnTransition("enter", CAFES if i % 7 == 1 else Target(("office",)))) for i in range(40)]
    assert woken(compiled(*rules[::-1]), "enter", "cafe-ost") == ["r01", "r08", "r15", "r22", "r29", "r36"]


def test_an_event_wakes_the_rules_that_name_it() -> None:
    matcher = compiled(
        rule("b", OnEvent("app_open"), OnTransition("enter", CAFES)), rule("a", OnEvent("app_open"), OnEvent("buy"))
    )
    assert woken(matcher, "event", "app_open") == ["a", "b"]
    assert woken(matcher, "event", "buy") == ["a"]
    assert woken(matcher, "event", "sell") == []


def test_a_rule_with_several_fitting_triggers_is_woken_once() -> None:
    matcher = compiled(
        rule(
            "a",
            OnTransition("enter", CAFES),
            OnTransition("enter", Target(("cafe-mitte",))),
            OnEvent("e"),
            OnEvent("e"),
        )
    )
    assert woken(matcher, "enter", "cafe-mitte") == ["a"]
    assert woken(matcher, "event", "e") == ["a"]


def test_a_dwell_wakes_only_the_rules_that_wait_for_that_long() -> None:
    matcher = compiled(
        rule("ten", OnTransition("dwell", CAFES, 600.0)),
        rule("five", OnTransition("dwell", Target(("cafe-ost",)), 300.0)),
    )
    assert woken(matcher, "dwell", "cafe-ost", 600.0) == ["ten"]
    assert woken(matcher, "dwell", "cafe-ost", 300.0) == ["five"]
    assert woken(matcher, "dwell", "cafe-ost", 301.0) == []
    assert woken(matcher, "dwell", "cafe-mitte", 300.0) == []
    assert dict(matcher.dwells) == {"cafe-mitte": (600.0,), "cafe-ost": (300.0, 600.0)}


def test_a_first_fix_already_inside_does_not_wake_triggers_that_ignore_it() -> None:
    matcher = compiled(
        rule("ignores", OnTransition("enter", CAFES, initial="ignore")),
        rule("fires", OnTransition("enter", CAFES)),
        rule("either", OnTransition("enter", CAFES, initial="ignore"), OnTransition("enter", Target(("cafe-ost",)))),
    )
    assert woken(matcher, "enter", "cafe-mitte") == ["either", "fires", "ignores"]
    assert woken(matcher, "enter", "cafe-mitte", initial=True) == ["fires"]
    assert woken(matcher, "enter", "cafe-ost", initial=True) == ["either", "fires"]


def test_rules_that_are_not_live_are_woken_too_so_that_the_reason_can_be_named() -> None:
    matcher = compiled(rule("d", OnEvent("e"), status="draft"), rule("p", OnEvent("e"), status="paused"))
    assert woken(matcher, "event", "e") == ["d", "p"]


def test_the_horizon_is_the_longest_window_of_any_rule_or_segment_and_at_least_a_week() -> None:
    day = 86_400.0
    assert compiled().horizon == 7 * day
    assert compiled(rule("a", OnEvent("e"), only_if=(Did(event="x", times=1, seconds=60.0),))).horizon == 7 * day
    nested = AnyOf(items=(Visited(target=CAFES, times=1, seconds=20 * day),))
    assert compiled(rule("a", OnEvent("e"), only_if=(nested,))).horizon == 20 * day
    segments = {"s": Segment("s", (Did(event="x", times=1, seconds=30 * day),))}
    assert Matcher.compile(Release("h", (), FENCES, segments=segments)).horizon == 30 * day


def test_rules_on_one_tag_of_many_fences_share_their_answer() -> None:
    fences = tuple(Fence(f"f{i}", Circle(0.0, 0.0, 50.0), tags=("shop",)) for i in range(500))
    rules = tuple(rule(f"r{i}", OnTransition("enter", Target(tags=("shop",)))) for i in range(50))
    matcher = Matcher.compile(Release("h", rules, fences))
    answers = [matcher.woken(Cause("c", "enter", 0.0, fence=fence.id)) for fence in fences]
    assert len(answers[0]) == 50
    assert all(answer is answers[0] for answer in answers)


def test_a_matcher_that_is_not_here_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="durable"):
        Matcher.compile(Release("h", policy=Policy(matcher="durable")))


def test_another_fence_set_wakes_by_its_own_tags_whatever_was_asked_before() -> None:
    shape = Circle(0.0, 0.0, 50.0)
    rules = (rule("named", OnTransition("enter", Target(("f1",)))), rule("tagged", OnTransition("enter", CAFES)))
    matcher = Matcher.compile(Release("h", rules, (Fence("f1", shape, tags=("cafe",)),)))
    assert woken(matcher, "enter", "f1") == ["named", "tagged"]
    assert woken(matcher, "enter", "f2") == []
    other = matcher.with_fences([Fence("f1", shape), Fence("f2", shape, tags=("cafe",))])
    assert woken(other, "enter", "f1") == ["named"]
    assert woken(other, "enter", "f2") == ["tagged"]
    assert woken(matcher, "enter", "f1") == ["named", "tagged"]


def test_many_fences_are_answered_alike_before_and_after_the_memory_of_them_is_full() -> None:
    fences = [Fence(f"f{n}", Circle(0.0, 0.0, 50.0), tags=(f"t{n % 3}",)) for n in range(100)]
    few = Matcher.compile(Release("h", (rule("one", OnTransition("enter", Target(tags=("t1",)))),), tuple(fences)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matcher_module, "MAX_THERE", 7)
        for n in (*range(100), *range(100)):
            assert woken(few, "enter", f"f{n}") == (["one"] if n % 3 == 1 else [])
        assert len(few._there["enter"]) <= 7
