"""Segments: named groups of lines that may name each other."""

from typing import Any

import pytest

from engine.match import Situation
from engine.model.fence import Circle, Fence
from engine.model.moment import Check
from engine.model.person import Visit
from engine.model.release import Release
from engine.model.rule import (
    Compare,
    Condition,
    Expression,
    InSegment,
    Literal_,
    MessageSpec,
    MessageText,
    Name,
    OnEvent,
    Rule,
    Segment,
    Target,
    Visited,
)
from tests.match import engines

pytestmark = pytest.mark.usefixtures("engine")

FENCES = (Fence("office", Circle(13.6, 52.5, 50.0), tags=("work",)),)


def ask(s: Situation, condition: Condition, segments: dict[str, Segment]) -> tuple[bool | None, tuple[Check, ...]]:
    rule = Rule("r", (OnEvent("e"),), MessageSpec(MessageText("x")), only_if=(condition,))
    (compiled,) = engines.compiled(Release("h", (rule,), FENCES, segments=segments)).rules
    return compiled.holds(s), compiled.explain(s)


def field(name: str, op: str, value: Any) -> Expression:
    return Expression(expr=Compare(op, Name(tuple(name.split("."))), Literal_(value)))


SEGMENTS = {
    "student": Segment("student", (field("profile.job", "=", "student"),), "rules/segments.yaml:2"),
    "commuter": Segment(
        "commuter", (Visited(target=Target(tags=("work",)), times=2, seconds=604_800.0), field("profile.age", ">", 17))
    ),
    "young-commuter": Segment("young-commuter", (InSegment(segments=("commuter",)), field("profile.age", "<", 30))),
    "loop": Segment("loop", (InSegment(segments=("pool",)),)),
    "pool": Segment("pool", (InSegment(segments=("loop",)),)),
    "by-loop": Segment("by-loop", (InSegment(segments=("loop", "student")),)),
    "everybody": Segment("everybody", ()),
}


def test_in_segment_holds_when_any_segment_does_with_all_its_lines(situation: Situation) -> None:
    now, attributes = situation.device_now, situation.person.profile.attributes
    either = InSegment(segments=("young-commuter", "student"))
    attributes |= {"job": "baker", "age": 20}
    assert ask(situation, either, segments=SEGMENTS)[0] is False
    situation.person.visits += [
        Visit("office", "d1", now - 90.0, now - 80.0),
        Visit("office", "d1", now - 70.0, now - 60.0),
    ]
    holds, checks = ask(situation, either, segments=SEGMENTS)
    assert holds is True
    assert checks[0].saw == ["young-commuter"]
    assert max(check.depth for check in checks) == 4
    assert ask(situation, InSegment(segments=("everybody",)), segments=SEGMENTS)[0] is True


@pytest.mark.parametrize(("id", "note"), [("loop", "leads back to itself"), ("nowhere", "is not defined")])
def test_a_segment_that_cannot_be_asked_is_unknown_and_says_so(situation: Situation, id: str, note: str) -> None:
    holds, (check, *_) = ask(situation, InSegment(segments=(id,)), segments=SEGMENTS)
    assert holds is None
    assert note in check.note


def test_a_segment_beside_a_cycle_still_answers(situation: Situation) -> None:
    situation.person.profile.attributes["job"] = "student"
    assert ask(situation, InSegment(segments=("by-loop",)), segments=SEGMENTS)[0] is True


def test_segments_built_on_each_other_are_asked_unless_it_would_never_end(situation: Situation) -> None:
    def chain(length: int) -> dict[str, Segment]:
        links = {f"s{i}": Segment(f"s{i}", (InSegment(segments=(f"s{i + 1}", f"s{i + 1}")),)) for i in range(length)}
        return {**links, f"s{length}": Segment(f"s{length}", (field("profile.x", "=", 1),))}

    situation.person.profile.attributes["x"] = 2
    first = InSegment(segments=("s0",))
    assert ask(situation, first, segments=chain(8))[0] is False
    holds, (check, *_) = ask(situation, first, segments=chain(40))
    assert holds is None
    assert "more than 2000 lines" in check.note
    holds, (check, *_) = ask(situation, first, segments=chain(3_000))
    assert holds is None
    assert "more than 50 other segments" in check.note
