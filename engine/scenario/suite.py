"""Many scenarios against one release: compiled once, a fresh core for each."""

from collections.abc import Iterable, Iterator

from msgspec import Struct
from msgspec.structs import replace

from engine.author.collector import paused
from engine.author.scenario_parts import Scenario
from engine.clock import monotonic
from engine.model.release import Release
from engine.pipeline.versions import Compiled
from engine.scenario.expect import Failure, compare
from engine.scenario.explain import Telling, story, tell
from engine.scenario.local import Local
from engine.scenario.places import Atlas
from engine.scenario.player import Player
from engine.scenario.stage import Prepared
from engine.scenario.timing import Stuck


class Result(Struct, frozen=True):
    """How one scenario went: no failures means well. ``story``: what happened, where it failed."""

    scenario: Scenario
    failures: tuple[Telling, ...]
    story: tuple[str, ...]
    seconds: float

    @property
    def ok(self) -> bool:
        """Everything was as expected."""
        return not self.failures


def for_scenarios(release: Release) -> Compiled:
    """The release as scenarios try it: a rule that is rolled out to a share of people reaches everybody in it."""
    rules = tuple(rule if rule.canary >= 1.0 else replace(rule, canary=1.0) for rule in release.rules)
    with paused():
        return Compiled.of(replace(release, rules=rules))


def run_all(compiled: Compiled, scenarios: Iterable[Scenario]) -> Iterator[Result]:
    """One result a scenario, in order. No scenario knows of another."""
    prepared, atlas = Prepared(compiled), Atlas(compiled.fences)
    for scenario in scenarios:
        yield run_one(prepared, atlas, scenario)


def run_one(prepared: Prepared, atlas: Atlas, scenario: Scenario) -> Result:
    """Play one scenario and compare.

    Where many rules are woken in vain, explaining why takes most of the time, and it is told of failures alone: unless
    something is to be suppressed a scenario is played without, and once more where it fails.
    """
    began = monotonic()
    watch = any(expected.kind == "suppressed" for expected in scenario.expect)
    try:
        player, local, failures = _played(prepared, atlas, scenario, watch)
        if failures and not watch:
            player, local, failures = _played(prepared, atlas, scenario, watch=True)
    except Stuck as stuck:
        telling = Telling(stuck.mark.line, stuck.mark.column, stuck.mark.text, (stuck.problem, stuck.fix))
        return Result(scenario, (telling,), (), monotonic() - began)
    tellings = tuple(tell(scenario, local, prepared.compiled, player, failure) for failure in failures)
    told = tuple(story(local, player)) if failures else ()
    return Result(scenario, tellings, told, monotonic() - began)


def _played(prepared: Prepared, atlas: Atlas, scenario: Scenario, watch: bool) -> tuple[Player, Local, list[Failure]]:
    player = Player(prepared, atlas, scenario, watch)
    player.play()
    local = Local(scenario.given.zone, player.begins)
    return player, local, compare(scenario, player.stage.seen, local)
