"""``sequence``: examples, and a brute-force evaluator that agrees on random histories."""

import itertools
import random
from dataclasses import replace

import pytest

from engine.match import Matcher, Situation
from engine.model.fence import Circle, Fence
from engine.model.person import Happened, Visit
from engine.model.release import Release
from engine.model.rule import Compare, InOrder, Literal_, MessageSpec, MessageText, Name, OnEvent, Rule, Step, Target
from engine.model.signal import Cause

NOW = 1_795_508_098.0  # the device's clock
FENCES = [
    Fence(id, Circle(0.0, 0.0, 50.0), tags=tags)
    for id, tags in (("shop", ("retail",)), ("park", ()), ("mall", ("retail",)))
]
SHOP, PARK = Target(tags=("retail",)), Target(fences=("park",))
DEAR = Compare(">", Name(("event", "price")), Literal_(10))


def ask(situation: Situation, *steps: Step, seconds: float = 3600.0):
    line = InOrder(steps=steps, seconds=seconds, text="sequence")
    rule = Rule("r", (OnEvent("hi"),), MessageSpec(MessageText("x")), only_if=(line,))
    (compiled,) = Matcher.compile(Release("h", (rule,), tuple(FENCES))).rules
    (check,) = compiled.explain(situation)
    assert check.ok is compiled.holds(situation)
    return check


@pytest.fixture
def person(situation):
    """Parked an hour ago for ten minutes, viewed something, went into the shop, where they are."""
    situation.person.visits += [
        Visit("park", "d1", NOW - 3000.0, NOW - 2400.0), Visit("shop", "d1", NOW - 1200.0)
    ]  # fmt: skip
    situation.person.events += [Happened("view", NOW - 1800.0, {"price": 12}), Happened("view", NOW - 600.0, {})]
    return replace(situation, cause=Cause("c", "enter", NOW, fence="shop"))


def test_steps_in_order_each_in_time_hold(person):
    check = ask(person, Step("enter", target=PARK), Step("event", 1500.0, event="view"), Step("enter", 700.0, SHOP))
    assert check.ok is True
    assert check.saw == "3 of 3 steps"
    words = "enters park, then event view within 25 minutes, then enters tag retail within 700 seconds"
    assert check.needs == f"{words}; beginning in the last 1 hour"


def test_a_step_too_late_or_out_of_order_is_missing_and_named(person):
    check = ask(person, Step("enter", target=PARK), Step("event", 1100.0, event="view"))
    assert (check.ok, check.saw, check.note) == (
        False, "1 of 2 steps", "step 2 is missing: event view within 1100 seconds",
    )  # fmt: skip
    assert ask(person, Step("enter", target=SHOP), Step("exit", 9999.0, PARK)).ok is False


def test_the_first_step_must_lie_in_the_time_looked_back(person):
    steps = (Step("exit", target=PARK), Step("enter", 1300.0, SHOP))
    assert ask(person, *steps, seconds=2500.0).ok is True
    assert ask(person, *steps, seconds=2400.0).ok is False


def test_the_present_event_may_be_the_last_step_and_is_not_counted_twice(person):
    last = replace(person, cause=Cause("c", "event", NOW, event="buy", data={"price": 20}))
    steps = (Step("enter", target=SHOP), Step("event", 1300.0, event="buy", filter=DEAR))
    assert ask(last, *steps).ok is True
    assert ask(person, *steps).ok is False
    twice = (Step("event", event="buy"), Step("event", 1300.0, event="buy"))
    assert ask(last, *twice).ok is False, "one purchase is not two"
    last.person.events += [Happened("buy", NOW, {})]
    assert ask(last, *twice).ok is True, "two at one instant are"


def test_a_stay_is_long_enough_or_not_and_one_gone_silent_is_unknown(person):
    assert ask(person, Step("dwell", target=PARK, seconds=600.0), Step("enter", 1300.0, SHOP)).ok is True
    assert ask(person, Step("dwell", target=PARK, seconds=601.0), Step("enter", 1300.0, SHOP)).ok is False
    assert ask(person, Step("enter", target=PARK), Step("dwell", 3000.0, SHOP, 1200.0)).ok is True
    person.person.stays[0].lost = True
    check = ask(person, Step("enter", target=PARK), Step("dwell", 3000.0, SHOP, 1200.0))
    assert check.ok is None
    assert check.note == "step 2 cannot be told: dwells tag retail for 20 minutes within 50 minutes"


def test_a_value_that_is_missing_makes_it_unknown_unless_another_suffices(person):
    view = Step("event", 9999.0, event="view", filter=DEAR)
    assert ask(person, Step("enter", target=SHOP), view).ok is None, "the later view has no price"
    assert ask(person, Step("enter", target=PARK), view).ok is True, "the earlier has"


# ------------------------------------------------------------------ brute force


def happenings(s: Situation, step: Step) -> list[tuple[float, tuple[str, ...], bool]]:
    """When, what, and whether surely."""
    if step.kind == "event":
        events = [*s.person.events]
        if s.cause.kind == "event":
            events.append(Happened(s.cause.event or "", s.cause.at, s.cause.data))
        found = []
        for number, event in enumerate(events):
            price = (event.data or {}).get("price")
            sure = step.filter is None or (price is not None and price > 10)
            if event.event == step.event and (sure or price is None):
                found.append((event.at, ("event", str(number)), sure))
        return found
    inside = ("shop", "mall") if step.target == SHOP else ("park",)
    visits = [(v, (v.fence, v.device, repr(v.enter))) for v in s.person.visits if v.fence in inside]
    if step.kind == "enter":
        return [(v.enter, ("enter", *id), True) for v, id in visits]
    if step.kind == "exit":
        return [(v.exit, ("exit", *id), True) for v, id in visits if v.exit is not None]
    return [
        (v.enter + step.seconds, ("dwell", str(step.seconds), *id), not v.lost)
        for v, id in visits
        if v.enter + step.seconds <= (NOW if v.exit is None else v.exit)
    ]


def brute(s: Situation, steps: tuple[Step, ...], seconds: float) -> bool | None:
    answer: bool | None = False
    for way in itertools.product(*(happenings(s, step) for step in steps)):
        pairs = list(itertools.pairwise(way))
        near = all(
            a[1] != b[1] and 0 <= b[0] - a[0] <= step.within for (a, b), step in zip(pairs, steps[1:], strict=True)
        )
        if near and way[0][0] > NOW - seconds:
            if all(sure for *_, sure in way):
                return True
            answer = None
    return answer


@pytest.mark.parametrize("seed", range(4))
def test_brute_force_agrees_on_random_histories(situation, seed):
    r = random.Random(seed)
    outcomes = {True: 0, False: 0, None: 0}
    for _ in range(1500):
        times = [NOW - 60.0 * r.randint(0, 30) for _ in range(12)]
        visits = [
            Visit(
                r.choice(["shop", "park", "mall"]),
                r.choice(["d1", "d2"]),
                t,
                r.choice([None, t + 60.0 * r.randint(0, 9)]),
            )
            for t in times[:6]
        ]
        for visit in visits:
            visit.lost = visit.exit is None and r.random() < 0.5
        visits = sorted({(v.fence, v.device, v.enter): v for v in visits}.values(), key=lambda v: v.enter)
        events = sorted(
            (
                Happened(r.choice(["view", "buy"]), t, r.choice([{"price": 5}, {"price": 20}, {}, None]))
                for t in times[6:]
            ),
            key=lambda e: e.at,
        )
        cause = r.choice(
            [Cause("c", "enter", NOW, fence="shop"), Cause("c", "event", NOW, event="buy", data={"price": 20})]
        )
        steps = []
        for _ in range(r.randint(2, 4)):
            kind = r.choice(["enter", "exit", "dwell", "event", "event"])
            within = 60.0 * r.randint(0, 12)
            if kind == "event":
                steps.append(Step("event", within, event=r.choice(["view", "buy"]), filter=r.choice([None, DEAR])))
            else:
                steps.append(
                    Step(kind, within, r.choice([SHOP, PARK]), 60.0 * r.randint(1, 5) if kind == "dwell" else 0.0)
                )
        s = replace(situation, device_now=NOW, cause=cause)
        s.person.visits, s.person.events = visits, events
        seconds = 60.0 * r.randint(5, 40)
        expected = brute(s, tuple(steps), seconds)
        assert ask(s, *steps, seconds=seconds).ok is expected, (steps, visits, events, cause, seconds)
        outcomes[expected] += 1
    assert min(outcomes.values()) > 30, outcomes
