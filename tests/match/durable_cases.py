"""Random rules that durable-rules can express, and situations that are hard on it.

``python -m tests.match.durable_cases SEED`` asks both matchers and prints, as JSON, what came of it.
"""

import json
import math
import random
import sys
from typing import Any
from zoneinfo import ZoneInfo

from engine.match import Matcher, Situation
from engine.match.durable import DurableMatcher, refusals
from engine.model import rule as m
from engine.model.fence import Circle, Fence
from engine.model.person import Happened, Person, Position, Profile, Visit
from engine.model.release import Release
from engine.model.signal import Cause

NOW = 1_795_508_100.0
FENCES = tuple(
    Fence(id, Circle(0.0, 0.0, 50.0), tags=tags, metadata={"seats": 40})
    for id, tags in {"bakery": ("food", "small"), "cafe": ("food",), "office": ("work",)}.items()
)
EVENT = m.OnEvent("buy")
NAMES = [
    ("profile", "age"),
    ("profile", "tier"),
    ("profile", "vip"),
    ("profile", "likes"),
    ("context", "mood"),
    ("fence", "temp"),
    ("fence", "seats"),
    ("fence", "tags"),
    ("device", "speed"),
    ("event", "amount"),
    ("global", "sale"),
]
NUMBERS = [0, 1, 3, 3.0, 4.5, -2, -0.0, 0.1, 0.000001, -0.5, 12, 1_795_508_100, 4_000_000_000, -4e9]
TEXTS = [
    "gold",
    "Gold",
    "",
    "3",
    "true",
    "?",
    "=gold",
    "a b",
    "Café",
    'say "hi"',
    "back\\slash",
    "it's",
    "x" * 300,
    "0",
]
HELD: list[Any] = [
    *(None, math.nan, math.inf, -math.inf, {"a": 1}, [], ["gold", 3], [3], True, False, True, False),
    *(4.499999999, 4.500000001, 0.30000000000000004, 1e-7, -1e-300, 5e-324, 1e300, -1e300, 2**70, -(10**400)),
    *(4_000_000_000.5, 4_000_000_001, 2.9999999999999996, 3.0000000000000004, "x" * 299),
    *("\ud800", "a\x00b", "line\nbreak", "\u200d"),
    *NUMBERS,
    *TEXTS,
]  # fmt: skip
COLD = m.Compare("<", m.Name(("fence", "temp")), m.Literal_(4.5))
GOLD = m.Compare("=", m.Name(("profile", "tier")), m.Literal_("gold"))
SEGMENTS = {
    "cold": m.Segment("cold", (m.Expression(expr=COLD), m.Inside(target=m.Target(tags=("food",))))),
    "both": m.Segment("both", (m.InSegment(segments=("cold", "gold")), m.Did(event="buy", times=1, seconds=3600.0))),
    "gold": m.Segment("gold", (m.Expression(expr=GOLD),)),
    "loop": m.Segment("loop", (m.InSegment(segments=("loop",)),)),
    "all": m.Segment("all", ()),
}


def release(rules: tuple[m.Rule, ...]) -> Release:
    """A release of these rules."""
    return Release("h", rules, FENCES, segments=SEGMENTS)


def drawn(r: random.Random, count: int) -> tuple[m.Rule, ...]:
    """So many rules that durable-rules does not refuse."""
    found: list[m.Rule] = []
    while len(found) < count:
        one = rule(r, f"r{len(found):05}")
        found += [] if refusals([one], SEGMENTS) else [one]
    return tuple(found)


def rule(r: random.Random, id: str) -> m.Rule:
    """Up to four lines, nested up to three deep."""
    only_if = tuple(condition(r, 2) for _ in range(r.randint(0, 3)))
    unless = tuple(condition(r, 2) for _ in range(r.randint(0, 1)))
    return m.Rule(
        id, (EVENT,), m.MessageSpec(m.MessageText("x")), only_if=only_if, unless=unless, where="rules/r.yaml:1"
    )


def condition(r: random.Random, depth: int) -> Any:
    roll = r.randint(0, 11 if depth else 8)
    seconds = r.choice([60.0, 3600.0, 86400.0])
    where = m.Target(("office",) if r.random() < 0.4 else (), (r.choice(["food", "small", "work"]),))
    match roll:
        case 0:
            spans = (m.DayTime(tuple(range(7)), r.randint(0, 1439), r.randint(0, 1440)),)
            return m.LocalTime(spans=spans)
        case 1:
            return m.Inside(target=where)
        case 2:
            return m.Visited(target=where, times=r.randint(1, 2), seconds=seconds)
        case 3:
            amount = m.Compare("<", m.Name(("event", "amount")), m.Literal_(3))
            return m.Did(event="buy", times=r.randint(1, 2), seconds=seconds, filter=r.choice([None, amount]))
        case 9 | 10:
            kind = r.choice([m.AnyOf, m.AllOf, m.NoneOf])
            return kind(items=tuple(condition(r, depth - 1) for _ in range(r.randint(1, 3))))
        case 11:
            return m.InSegment(segments=tuple(r.sample(["cold", "both", "gold", "loop", "all", "nowhere"], 2)))
        case _:
            return m.Expression(expr=expression(r, 2))


def expression(r: random.Random, depth: int) -> Any:
    roll = r.random()
    if depth and roll < 0.25:
        return m.Logic(r.choice(["and", "or"]), tuple(expression(r, depth - 1) for _ in range(r.randint(2, 3))))
    if depth and roll < 0.35:
        return m.Not(expression(r, depth - 1))
    left = value(r)
    if roll < 0.42:
        return r.choice([left, m.Compare("exists", left, None)])
    if roll < 0.5:
        return m.Compare("contains", m.Name(r.choice(NAMES)), m.Literal_(r.choice([3, "gold", "o"])))
    constants = r.choice([NUMBERS, NUMBERS, TEXTS, [True, False]])
    op = r.choice(["=", "!=", "in", "not-in", "<", "<=", ">", ">=", "between"])
    if constants is TEXTS and op not in ("=", "!=", "in", "not-in"):
        constants = NUMBERS
    if op in ("in", "not-in"):
        return m.Compare(op, left, m.Literal_(tuple(r.choice(constants) for _ in range(r.randint(1, 3)))))
    if op == "between":
        return m.Compare(op, left, m.Literal_((r.choice(constants), r.choice(constants))))
    constant = m.Literal_(r.choice(constants))
    return m.Compare(op, constant, left) if r.random() < 0.1 else m.Compare(op, left, constant)


def value(r: random.Random) -> Any:
    name = m.Name(r.choice(NAMES))
    if r.random() < 0.85:
        return name
    return m.Arith(r.choice("+-*/"), name, r.choice([m.Literal_(r.choice(NUMBERS)), m.Name(r.choice(NAMES))]))


class World:
    """Random facts, sticky context and distances."""

    def __init__(self, r: random.Random) -> None:
        held = {(s.id, k): r.choice(HELD) for s in FENCES for k in ("temp", "seats") if r.random() < 0.6}
        self.facts = {**held, ("global", "sale"): r.choice(HELD)}
        self.mood = r.choice(HELD)

    def fence(self, id: str) -> Fence | None:
        return next((fence for fence in FENCES if fence.id == id), None)

    def fact(self, scope: str, key: str, now: float) -> Any:
        return self.facts.get((scope, key))

    def sticky(self, device: str, key: str, at: float) -> Any:
        return self.mood if key == "mood" else None

    def distance(self, fence: str, lat: float, lon: float) -> float:
        return -100.0

    def segment(self, id: str) -> m.Segment | None:
        return SEGMENTS.get(id)


def situation(r: random.Random) -> Situation:
    attributes = {key: r.choice(HELD) for key in ("age", "tier", "vip", "likes") if r.random() < 0.85}
    visits = [
        Visit(r.choice(FENCES).id, "d1", enter := NOW - r.uniform(10.0, 90_000.0), r.choice([None, enter + 9]))
        for _ in range(r.randint(0, 3))
    ]
    for visit in visits:
        visit.lost = visit.exit is None and r.random() < 0.4
    amounts = [None, {"amount": 1}, {"amount": 9}, {"amount": "3"}]
    events = [Happened("buy", NOW - r.uniform(0.0, 90_000.0), r.choice(amounts)) for _ in range(r.randint(0, 3))]
    fence = r.choice([None, *FENCES])
    cause = Cause("c", "event", NOW, event="buy", data={"amount": r.choice(HELD)})
    if fence is not None and r.random() < 0.5:
        cause = Cause("c", r.choice(["enter", "exit", "dwell"]), NOW, fence=fence.id)
    position = r.choice([None, Position(NOW - r.choice([1.0, 9_000.0]), 1.0, 2.0, speed=r.choice([None, 0.0, 3.0]))])
    zone = ZoneInfo(r.choice(["UTC", "Pacific/Auckland"]))
    person = Person("p", Profile(attributes), ["d1"])
    person.visits, person.events = visits, events
    return Situation(NOW + r.choice([0.0, 40_000.0]), NOW, cause, person, "d1", position, fence, None, zone, World(r))


def main(seed: int, rules: int = 2_000, situations: int = 60) -> dict[str, Any]:
    """Ask both matchers the same, rule by rule."""
    r = random.Random(seed)
    several = release(drawn(r, rules))
    ours, theirs = Matcher.compile(several), DurableMatcher.compile(several)
    answers: dict[str, int] = {}
    different: list[str] = []
    for number in range(situations):
        s = situation(r)
        for a, b in zip(ours.rules, theirs.rules, strict=True):
            expected, found = a.holds(s), b.holds(s)
            answers[str(expected)] = answers.get(str(expected), 0) + 1
            if found is not expected:
                different.append(f"{a.rule.id} in situation {number}: {found}, not {expected}")
    return {"cases": sum(answers.values()), "answers": answers, "different": different[:20]}


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]))))
