"""How long one transition takes to be matched, with 100, 1k and 10k rules, next to asking every rule in turn.

    python benchmarks/match.py

Ten thousand fences; each transition wakes one rule of three lines (a pushed fact, a profile field, a history window),
of which one in a hundred holds. Fewer rules share the fences by tag, so that only the number of rules differs.
"""

import time
from collections.abc import Callable, Sequence
from zoneinfo import ZoneInfo

from engine.match import Matcher, Situation
from engine.model.fence import Circle, Fence
from engine.model.person import Happened, Person, Position, Profile
from engine.model.release import Release
from engine.model.rule import (
    Compare,
    Did,
    Expression,
    Literal_,
    MessageSpec,
    MessageText,
    Name,
    OnTransition,
    Rule,
    Target,
)
from engine.model.signal import Cause

SIZES = (100, 1_000, 10_000)
FENCES = 10_000
TRANSITIONS = 20_000
ROUNDS = 15


class World:
    def __init__(self, count: int) -> None:
        self.cold = {f"f{i}": 4.0 if i % 100 == 0 else 20.0 for i in range(count)}

    def fence(self, id: str) -> Fence | None:
        return None

    def fact(self, scope: str, key: str, now: float) -> float | None:
        return self.cold.get(scope)

    def sticky(self, device: str, key: str, at: float) -> None:
        return None

    def distance(self, fence: str, lat: float, lon: float) -> float:
        return 0.0

    def segment(self, id: str) -> None:
        return None


def rule(i: int) -> Rule:
    return Rule(
        f"r{i:06}",
        (OnTransition("enter", Target(tags=(f"t{i}",))),),
        MessageSpec(MessageText("hello")),
        only_if=(
            Expression(expr=Compare("<", Name(("fence", "weather", "temp_c")), Literal_(10 + i % 9))),
            Expression(
                expr=Compare("=", Name(("profile", "tier")), Literal_("gold" if i % 100 == 0 or i % 3 else "silver"))
            ),
        ),
        unless=(Did(event="purchase", times=1, seconds=86400.0 * (1 + i % 4)),),
    )


def situations(fences: Sequence[Fence], world: World) -> list[Situation]:
    person = Person("p", Profile({"tier": "gold"}), ["d"])
    person.events = [Happened("app_open", 900.0), Happened("app_open", 950.0)]
    zone, position = ZoneInfo("UTC"), Position(1000.0, 0.0, 0.0, 10.0)
    out = []
    for i in range(TRANSITIONS):
        fence = fences[i * 7919 % len(fences)]
        cause = Cause(f"d|{fence.id}|enter|{i}", "enter", 1000.0, fence=fence.id)
        out.append(Situation(1000.0, 1000.0, cause, person, "d", position, fence, None, zone, world))
    return out


def indexed(matcher: Matcher, asked: Sequence[Situation]) -> int:
    return sum(1 for s in asked for rule in matcher.woken(s.cause) if rule.holds(s))


def linear(matcher: Matcher, asked: Sequence[Situation]) -> int:
    held = 0
    for s in asked:
        for compiled in matcher.rules:
            wakes = any(t.kind == s.cause.kind and s.fence.tags[0] in t.target.tags for t in compiled.rule.when)
            held += bool(wakes and compiled.holds(s))
    return held


def microseconds(
    run: Callable[[Matcher, Sequence[Situation]], int], matcher: Matcher, asked: Sequence[Situation]
) -> tuple[float, int]:
    """Processor time of one round, per transition, and how many rules held."""
    start = time.process_time()
    held = run(matcher, asked)
    return (time.process_time() - start) / len(asked) * 1e6, held


def main() -> None:
    """The best of some rounds. The sizes take turns, so that what else the machine does strikes them alike."""
    world, made = World(FENCES), []
    for count in SIZES:
        fences = [Fence(f"f{i}", Circle(0.0, 0.0, 50.0), tags=(f"t{i % count}",)) for i in range(FENCES)]
        start = time.process_time()
        matcher = Matcher.compile(Release("bench", tuple(rule(i) for i in range(count)), tuple(fences)))
        made.append((matcher, situations(fences, world), time.process_time() - start))
    rounds = [[microseconds(indexed, matcher, asked) for matcher, asked, _ in made] for _ in range(ROUNDS)]
    costs = []
    for size, (matcher, asked, built), times in zip(SIZES, made, zip(*rounds, strict=True), strict=True):
        cost, held = min(times)
        scan, _ = microseconds(linear, matcher, asked[: max(20, 200_000 // size)])
        costs.append(cost)
        matched = f"{cost:5.2f} us/transition ({held / len(asked):.1%} held)"
        print(f"{size:>6} rules: {matched}   linear scan {scan:9.1f} us   compiled in {built:.2f} s")
    print(f"ratio {SIZES[-1]} to {SIZES[0]} rules: {costs[-1] / costs[0]:.2f}")


if __name__ == "__main__":
    main()
