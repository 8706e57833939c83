"""durable-rules beside our own index: microseconds per rule asked, memory, and a long run that must stay flat.

``python -m benchmarks.durable`` compares both matchers at 100, 1,000 and 10,000 rules of which 1 % match;
``--soak 200000`` makes that many decisions with durable-rules, each checked against the index. Needs the extra
``durable``.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from engine.match import Matcher, Situation
from engine.match.durable import DurableMatcher, missing
from engine.model.fence import Circle, Fence
from engine.model.person import Happened, Person, Position, Profile
from engine.model.release import Release
from engine.model.rule import (
    AnyOf,
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
TRANSITIONS = 20_000
WOKEN = 10  # rules that one transition wakes
TIERS = ("gold", "silver", "bronze", None)


class World:
    """Each fence has its temperature; every seventh is unknown."""

    def fence(self, id: str) -> Fence | None:
        return None

    def fact(self, scope: str, key: str, now: float) -> float | None:
        n = int(scope[1:]) if scope.startswith("f") else 0
        return None if n % 7 == 0 else (n * 7919 % 40_000) / 1000.0

    def sticky(self, device: str, key: str, at: float) -> None:
        return None

    def distance(self, fence: str, lat: float, lon: float) -> float:
        return 0.0

    def segment(self, id: str) -> None:
        return None


def compare(op: str, name: str, value: Any) -> Expression:
    return Expression(expr=Compare(op, Name(tuple(name.split("."))), Literal_(value)))


def rules_of(count: int) -> tuple[Rule, ...]:
    """No two alike: ten on each tag, each with its own temperature."""
    return tuple(
        Rule(
            f"r{i:06}",
            (OnTransition("enter", Target(tags=(f"t{i // WOKEN}",))),),
            MessageSpec(MessageText("hello")),
            only_if=(
                compare("<", "fence.weather.temp_c", ((200_000 if i % 5 else 15_000_000) + i) / 1_000_000),
                AnyOf(items=(compare("in", "profile.tier", ("gold", "silver")), compare(">", "profile.age", 60))),
            ),
            unless=(Did(event="purchase", times=1, seconds=86400.0 * (1 + i % 4)),),
        )
        for i in range(count)
    )


def situations(fences: Sequence[Fence], count: int) -> list[Situation]:
    people = [Person(f"p{n}", Profile({"tier": TIERS[n % 4], "age": 20 + n}), ["d"]) for n in range(50)]
    for n, person in enumerate(people):
        person.events = [Happened("app_open" if n % 3 else "purchase", 900.0)]
    zone, position, world, out = ZoneInfo("UTC"), Position(1000.0, 0.0, 0.0, 10.0), World(), []
    for i in range(count):
        fence, person = fences[i * 7919 % len(fences)], people[i % len(people)]
        cause = Cause(f"d|{fence.id}|enter|{i}", "enter", 1000.0, fence=fence.id)
        out.append(Situation(1000.0, 1000.0, cause, person, "d", position, fence, None, zone, world))
    return out


def resident() -> float:
    """Memory of this process now, in MB (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def matchers(count: int) -> tuple[tuple[Fence, ...], Matcher, Matcher, float]:
    fences = tuple(
        Fence(f"f{i}", Circle(0.0, 0.0, 50.0), tags=(f"t{i % max(1, count // WOKEN)}",)) for i in range(5_000)
    )
    release = Release("bench", rules_of(count), fences)
    indexed = Matcher.compile(release)
    before = resident()
    durable = DurableMatcher.compile(release)
    return fences, indexed, durable, resident() - before


def ask(matcher: Matcher, asked: Sequence[Situation]) -> tuple[float, int, int]:
    """Seconds, rules asked, rules that held."""
    start, total, held = time.perf_counter(), 0, 0
    for s in asked:
        for rule in matcher.woken(s.cause):
            total += 1
            held += rule.holds(s) is True
    return time.perf_counter() - start, total, held


def speed() -> None:
    for count in SIZES:
        fences, indexed, durable, memory = matchers(count)
        asked = situations(fences, TRANSITIONS)
        for name, matcher, part in (("indexed", indexed, asked), ("durable", durable, asked[: TRANSITIONS // 10])):
            ask(matcher, part[:500])
            seconds, total, held = ask(matcher, part)
            cost = f"{seconds / total * 1e6:7.2f} us/rule asked, {len(part) / seconds:9,.0f} transitions/s"
            extra = f", {memory:,.0f} MB" if matcher is durable else ""
            print(f"{count:>6} rules  {name}: {cost}, {held / total:.1%} held{extra}")


def soak(decisions: int) -> dict[str, Any]:
    """Decide, compare, watch the memory. A tenth of the decisions warms up."""
    fences, indexed, durable, _ = matchers(300)
    asked = situations(fences, 2_000)
    made = different = 0
    answers: dict[str, int] = {}
    early, started = 0.0, time.perf_counter()
    while made < decisions:
        for s in asked:
            for a, b in zip(indexed.woken(s.cause), durable.woken(s.cause), strict=True):
                answer = b.holds(s)
                made += 1
                different += a.holds(s) is not answer
                answers[str(answer)] = answers.get(str(answer), 0) + 1
            if not early and made >= decisions / 10:
                early = resident()
    seconds = time.perf_counter() - started
    return {
        "decisions": made,
        "different": different,
        "answers": answers,
        "mb_after_a_tenth": round(early, 1),
        "mb_at_the_end": round(resident(), 1),
        "per_second": round(made / seconds),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--soak", type=int, metavar="DECISIONS", help="only the long run, as one line of JSON")
    options = parser.parse_args()
    problem = missing()
    if problem is not None:
        sys.exit(f"durable-rules cannot be loaded: {problem}")
    if options.soak:
        print(json.dumps(soak(options.soak)))
    else:
        speed()


if __name__ == "__main__":
    main()
