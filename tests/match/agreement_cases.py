"""Random rules and situations, and a third evaluator, plain and slow, that the matcher must agree with.

``python -m tests.match.agreement_cases SEED [SEED ...]`` asks all three about 100,000 cases a seed, and prints as JSON
what came of it; it ends with 1 when they differed. Ten seeds are a million cases, in some minutes.
"""

import json
import math
import random
import sys
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from engine.match import Matcher, Situation, decisive
from engine.model import rule as m
from engine.model.fence import Circle, Fence
from engine.model.person import Happened, Person, Position, Profile, Visit
from engine.model.reason import Reason
from engine.model.release import Release
from engine.model.signal import Cause

TREES, SITUATIONS = 2_500, 40  # a seed: 100,000 cases
NOW = 1_795_508_100.0
FENCES = {
    id: Fence(id, Circle(0.0, 0.0, 50.0), tags=tags, metadata={"seats": 40, "temp": 30})
    for id, tags in {"cafe": ("food",), "bakery": ("food", "small"), "office": ("work",)}.items()
}
NAMES = [
    ("profile", "age"),
    ("profile", "tier"),
    ("profile", "vip"),
    ("profile", "odd"),
    ("profile", "likes"),
    ("profile", "address", "city"),
    ("context", "mood"),
    ("fence", "temp"),
    ("fence", "tags"),
    ("fence", "seats"),
    ("device", "speed"),
    ("event", "amount"),
    ("global", "sale"),
]
VALUES: list[Any] = [0, 1, 3, 3.0, 4.5, -2, "3", "gold", "Gold", "", True, False, ["gold", "3"], [3, "x"], []]
STRANGE: list[Any] = [None, math.nan, math.inf, {"a": 1}, *VALUES]


# ------------------------------------------------------------------ random rules and situations


def value(r: random.Random) -> Any:
    return m.Literal_(r.choice(["gold", "3", 3, 3.0, 0, 4.5, True, False]))


def number(r: random.Random, depth: int) -> Any:
    if depth == 0 or r.random() < 0.5:
        return m.Name(r.choice(NAMES)) if r.random() < 0.6 else m.Literal_(r.choice([0, 1, 3, 4.5]))
    return m.Arith(r.choice("+-*/"), number(r, depth - 1), number(r, depth - 1))


def expression(r: random.Random, depth: int) -> Any:
    roll = r.random()
    if depth > 0 and roll < 0.25:
        return m.Logic(r.choice(["and", "or"]), tuple(expression(r, depth - 1) for _ in range(r.randint(2, 3))))
    if depth > 0 and roll < 0.35:
        return m.Not(expression(r, depth - 1))
    if roll < 0.40:
        return m.Name(r.choice(NAMES))
    if roll < 0.45:
        return m.Compare("exists", m.Name(r.choice(NAMES)), None)
    op = r.choice(["=", "!=", "<", "<=", ">", ">=", "in", "not-in", "contains", "between"])
    left = number(r, 1) if op not in ("in", "not-in", "contains") else m.Name(r.choice(NAMES))
    if op in ("in", "not-in"):
        return m.Compare(
            op, left, m.Literal_(tuple(r.choice(["gold", "3", 3, 0, True]) for _ in range(r.randint(1, 3))))
        )
    if op == "between":
        return m.Compare(op, left, m.Literal_(r.choice([(0, 3), (1, 4.5), ("a", "h"), (3, "x")])))
    return m.Compare(op, left, value(r) if r.random() < 0.7 else m.Name(r.choice(NAMES)))


def target(r: random.Random) -> m.Target:
    return m.Target(("office",) if r.random() < 0.4 else (), (r.choice(["food", "small", "work"]),))


def condition(r: random.Random, depth: int) -> Any:
    roll = r.randint(0, 9 if depth else 5)
    seconds = r.choice([60.0, 3600.0, 86400.0])
    if roll == 0:
        return m.LocalTime(
            spans=tuple(m.DayTime((r.randint(0, 6),), r.randint(0, 1439), r.randint(0, 1440)) for _ in range(9))
        )
    if roll == 1:
        return m.Inside(target=target(r))
    if roll == 2:
        return m.Near(target=target(r), metres=float(r.choice([10, 300])))
    if roll == 3:
        return m.Visited(target=target(r), times=r.randint(1, 2), seconds=seconds)
    if roll == 4:
        filter_ = (
            m.Compare(r.choice(["<", "="]), m.Name(("event", "amount")), m.Literal_(3)) if r.random() < 0.6 else None
        )
        return m.Did(event=r.choice(["buy", "open"]), times=r.randint(1, 2), seconds=seconds, filter=filter_)
    if roll in (7, 8):
        kind = r.choice([m.AnyOf, m.AllOf, m.NoneOf])
        return kind(items=tuple(condition(r, depth - 1) for _ in range(r.randint(1, 3))))
    if roll == 9:
        return m.InSegment(segments=tuple(r.sample(["young", "nested", "loop", "nowhere"], r.randint(1, 2))))
    return m.Expression(expr=expression(r, 2))


SEGMENTS = {
    "young": m.Segment("young", (m.Expression(expr=m.Compare("<", m.Name(("profile", "age")), m.Literal_(4))),)),
    "nested": m.Segment("nested", (m.InSegment(segments=("young",)), m.Did(event="buy", times=1, seconds=3600.0))),
    "loop": m.Segment("loop", (m.InSegment(segments=("loop",)),)),
}


class World:
    def __init__(self, r: random.Random) -> None:
        self.facts = {
            (s, k): r.choice(STRANGE) for s in (*FENCES, "global") for k in ("temp", "sale") if r.random() < 0.6
        }
        self.mood = r.choice(STRANGE)
        self.metres = {id: r.uniform(-400.0, 40.0) for id in FENCES}

    def fence(self, id: str) -> Fence | None:
        return FENCES.get(id)

    def fact(self, scope: str, key: str, now: float) -> Any:
        return self.facts.get((scope, key))

    def sticky(self, device: str, key: str, at: float) -> Any:
        return self.mood if key == "mood" else None

    def distance(self, fence: str, lat: float, lon: float) -> float:
        return self.metres[fence]

    def segment(self, id: str) -> m.Segment | None:
        return SEGMENTS.get(id)


def situation(r: random.Random) -> Situation:
    attributes = {key: r.choice(STRANGE) for key in ("age", "tier", "vip", "odd", "likes") if r.random() < 0.8}
    attributes["address"] = r.choice([{"city": "Berlin"}, {}, "text"])
    visits = [
        Visit(
            r.choice(sorted(FENCES)),
            r.choice(["d1", "d2"]),
            enter := NOW - r.uniform(10.0, 90_000.0),
            r.choice([None, enter + 9]),
        )
        for _ in range(r.randint(0, 4))
    ]
    for visit in visits:
        visit.lost = visit.exit is None and r.random() < 0.4
    events = [
        Happened(
            r.choice(["buy", "open"]),
            NOW - r.uniform(0.0, 90_000.0),
            r.choice([None, {"amount": r.choice([1, 3, 9, "3"])}]),
        )
        for _ in range(r.randint(0, 5))
    ]
    speed = r.choice([None, 0.0, 3.0, math.nan])
    position = r.choice([None, Position(NOW - r.choice([1.0, 9_000.0]), 1.0, 2.0, speed=speed), Position(NOW)])
    fence = r.choice([None, *FENCES.values()])
    cause = Cause("c", "event", NOW, event="buy", data=r.choice([{}, {"amount": 3}, {"amount": "3"}]))
    if fence is not None:
        cause = Cause("c", r.choice(["enter", "exit", "dwell"]), NOW, fence=fence.id)
    zone = ZoneInfo(r.choice(["UTC", "Europe/Berlin", "Pacific/Auckland"]))
    person = Person("p", Profile(attributes), ["d1"])
    person.visits, person.events = visits, events
    now = NOW + r.choice([0.0, 7.0, 40_000.0])
    return Situation(now, NOW, cause, person, "d1", position, fence, None, zone, World(r))


# ------------------------------------------------------------------ the third evaluator: plain and slow


def known(v: Any) -> Any:
    return None if isinstance(v, float) and not math.isfinite(v) else v


def sort_of(v: Any) -> str:
    if isinstance(v, bool):
        return "flag"
    if isinstance(v, (int, float)):
        return "number"
    return {str: "text", list: "list", tuple: "list", type(None): "none"}.get(type(v), "other")


def name(path: tuple[str, ...], s: Situation, event: Happened | None) -> Any:
    root, key = path[0], path[-1]
    if root == "profile":
        v = s.person.profile.attributes
        for part in path[1:]:
            v = v.get(part) if isinstance(v, dict) else None
        return known(v)
    if root == "fence":
        if s.fence is None:
            return None
        if key == "tags":
            return s.fence.tags
        pushed = s.world.fact(s.fence.id, key, s.now)
        return known(s.fence.metadata.get(key) if pushed is None else pushed)
    if root == "device":
        recent = s.position is not None and s.device_now - (s.position.at or 0.0) <= 1800.0
        return known(s.position.speed) if recent and s.position is not None else None
    if root == "event":
        return known((event.data or {} if event is not None else s.cause.data).get(key))
    return known(s.world.sticky("d1", key, NOW) if root == "context" else s.world.fact("global", key, s.now))


def evaluate(e: Any, s: Situation, event: Happened | None = None) -> Any:
    """A value, or None for unknown."""
    if isinstance(e, m.Name):
        return name(e.path, s, event)
    if isinstance(e, m.Literal_):
        return e.value
    if isinstance(e, m.Arith):
        a, b = evaluate(e.left, s, event), evaluate(e.right, s, event)
        if sort_of(a) != "number" or sort_of(b) != "number" or (e.op == "/" and b == 0):
            return None
        return known({"+": a + b, "-": a - b, "*": a * b, "/": a / (b or 1)}[e.op])
    return truth(e, s, event)


def kleene(answers: list[bool | None], decides: bool) -> bool | None:
    return decides if decides in answers else None if None in answers else not decides


def truth(e: Any, s: Situation, event: Happened | None = None) -> bool | None:
    if isinstance(e, m.Logic):
        return kleene([truth(i, s, event) for i in e.items], e.op == "or")
    if isinstance(e, m.Not):
        inner = truth(e.item, s, event)
        return None if inner is None else not inner
    if not isinstance(e, m.Compare):
        v = evaluate(e, s, event)
        return v if isinstance(v, bool) else None
    a = evaluate(e.left, s, event)
    if e.op == "exists":
        return a is not None
    return compare(e.op, a, evaluate(e.right, s, event))


def compare(op: str, a: Any, b: Any) -> bool | None:
    if a is None or b is None:
        return None
    if op == "not-in":
        inner = compare("in", a, b)
        return None if inner is None else not inner
    if op == "contains":
        if sort_of(a) == "list":
            return compare("in", b, a)
        return b in a if sort_of(a) == sort_of(b) == "text" else None
    if op == "in":
        if sort_of(b) != "list" or sort_of(a) not in ("number", "text", "flag"):
            return None
        comparable = [item for item in b if sort_of(item) == sort_of(a)]
        return any(item == a for item in comparable) if comparable or not b else None
    if op == "between":
        low, high = compare(">=", a, b[0]), compare("<=", a, b[1])
        return None if low is None or high is None else low and high
    shared = sort_of(a) if sort_of(a) == sort_of(b) else ""
    if shared not in ("number", "text") and not (shared == "flag" and op in ("=", "!=")):
        return None
    return (
        {"=": a == b, "!=": a != b}[op]
        if op in ("=", "!=")
        else {"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[op]
    )


def fences_of(t: m.Target) -> list[str]:
    return [id for id, f in FENCES.items() if id in t.fences or set(t.tags) & set(f.tags)]


def judge(c: Any, s: Situation) -> bool | None:
    if isinstance(c, m.Expression):
        return truth(c.expr, s)
    if isinstance(c, (m.AnyOf, m.NoneOf)):
        answer = kleene([judge(i, s) for i in c.items], True)
        return answer if isinstance(c, m.AnyOf) or answer is None else not answer
    if isinstance(c, m.AllOf):
        return kleene([judge(i, s) for i in c.items], False)
    if isinstance(c, m.InSegment):
        return kleene([segment(id, s) for id in c.segments], True)
    if isinstance(c, m.LocalTime):
        local = datetime.fromtimestamp(s.now, s.zone)
        minute, day = local.hour * 60 + local.minute, local.weekday()
        for span in c.spans:
            if span.start < span.end:
                if day in span.days and span.start <= minute < span.end:
                    return True
            elif (day in span.days and minute >= span.start) or ((day - 1) % 7 in span.days and minute < span.end):
                return True
        return False
    return place_or_history(c, s)


def place_or_history(c: Any, s: Situation) -> bool | None:
    if isinstance(c, m.Did):
        recent = [h for h in s.person.events if h.event == c.event and h.at > s.device_now - c.seconds]
        answers = [True if c.filter is None else truth(c.filter, s, h) for h in recent]
        if answers.count(True) >= c.times:
            return True
        return None if answers.count(True) + answers.count(None) >= c.times else False
    ids = fences_of(c.target)
    if isinstance(c, m.Near):
        if s.position is None or s.position.lat is None or s.device_now - (s.position.at or 0.0) > 1800.0:
            return None
        return any(s.world.distance(id, 0.0, 0.0) >= -c.metres for id in ids)
    if isinstance(c, m.Visited):
        return (
            sum(v.exit is not None and v.exit > s.device_now - c.seconds and v.fence in ids for v in s.person.visits)
            >= c.times
        )
    here = [v for v in s.person.visits if v.exit is None and v.fence in ids]
    if s.cause.kind == "exit":
        here = [v for v in here if not (v.fence == s.cause.fence and v.device == "d1")]
    elif s.cause.fence in ids:
        return True
    return True if any(not v.lost for v in here) else None if here else False


def segment(id: str, s: Situation) -> bool | None:
    return kleene([judge(c, s) for c in SEGMENTS[id].only_if], False) if id in ("young", "nested") else None


def differs(compiled: Any, lines: list[bool | None], s: Situation) -> str:
    """What the compiled rule says otherwise than the plain evaluator, or nothing."""
    expected, found, checks = kleene(lines, False), compiled.holds(s), compiled.explain(s)
    if found is not expected:
        return f"holds says {found}, not {expected}"
    if [check.ok for check in checks if check.depth == 0] != lines:
        return f"the lines are {lines}"
    said_no = decisive(checks)
    reason = {True: None, False: Reason.CONDITION, None: Reason.UNKNOWN_VALUE}[expected]
    return "" if (said_no.reason if said_no is not None else None) is reason else f"the reason is not {reason}"


def main(seed: int, trees: int = TREES, situations: int = SITUATIONS) -> dict[str, Any]:
    """Ask all three the same."""
    r = random.Random(seed)
    asked = [situation(r) for _ in range(situations)]
    answers = {"True": 0, "False": 0, "None": 0}
    different: list[str] = []
    for _ in range(trees):
        only_if = tuple(condition(r, 2) for _ in range(r.randint(0, 2)))
        unless = tuple(condition(r, 2) for _ in range(r.randint(0, 1)))
        rule = m.Rule("r", (m.OnEvent("buy"),), m.MessageSpec(m.MessageText("x")), only_if=only_if, unless=unless)
        (compiled,) = Matcher.compile(Release("h", (rule,), tuple(FENCES.values()), segments=SEGMENTS)).rules
        for s in asked:
            lines = [judge(c, s) for c in only_if]
            lines += [None if (answer := judge(c, s)) is None else not answer for c in unless]
            answers[str(kleene(lines, False))] += 1
            problem = differs(compiled, lines, s)
            if problem:
                different.append(f"{problem}: {rule} in {s}")
    return {"seed": seed, "cases": sum(answers.values()), "answers": answers, "different": different[:5]}


if __name__ == "__main__":
    said = [main(int(seed)) for seed in sys.argv[1:]]
    print("\n".join(json.dumps(one) for one in said))
    sys.exit(any(one["different"] for one in said))
