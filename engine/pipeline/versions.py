"""Releases compiled for the core: parsed by ``author``, compiled by each core room, off the hot path. What is in force
is a release together with a run-time fence set."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.author.collector import pieces_of
from engine.compose import Composer
from engine.decide import Plan, make_plans
from engine.match import Matcher
from engine.match.durable import DurableMatcher
from engine.model.fences import Fences
from engine.model.release import Release
from engine.model.rule import Rule
from engine.pipeline.made import Made
from engine.pipeline.runtime import NONE, RunTimeSet
from engine.sense import FenceSet, Outlines

MATCHERS: Mapping[str, type[Matcher]] = {"indexed": Matcher, "durable": DurableMatcher}
"""``[match] engine`` of config.toml to who decides whether conditions hold."""
NOTHING_MADE = Made(None)


def place(release: str, fences: str) -> str:
    """Where a release with a run-time fence set (both by hash) stands among the versions."""
    return f"{release}+{fences}" if fences else release


@dataclass(frozen=True, slots=True)
class Compiled:
    """A release with everything that ``Core`` needs to put it in force between two records. ``fences`` are the
    authored and the run-time ones; an authored fence hides a run-time one of the same id."""

    release: Release
    fences: FenceSet
    matcher: Matcher
    composer: Composer
    runtime: RunTimeSet = NONE
    authored: Collection[str] = ()
    plans: Mapping[str, Plan] = field(default_factory=dict)
    rules: Mapping[str, Rule] = field(default_factory=dict)

    @classmethod
    def of(cls, release: Release, made: Made = NOTHING_MADE) -> "Compiled":
        """Compile the authored files alone; pure, may take seconds for large releases. What ``made`` has of their
        fences is taken from there; what it has not is put there."""
        matcher = MATCHERS.get(release.policy.matcher, Matcher).compile(release)
        fences = FenceSet.compile(
            release.fences,
            matcher.dwells,
            crosses=matcher.crosses,
            approaches=matcher.approaches,
            made=made.load(release.hash, len(release.fences)),
        )
        made.save(release.hash, fences)
        plans, rules = make_plans(release), {rule.id: rule for rule in release.rules}
        return cls(release, fences, matcher, Composer.compile(release), NONE, fences.fences, plans, rules)

    def with_fences(
        self,
        runtime: RunTimeSet,
        like: "Compiled | None" = None,
        made: Made = NOTHING_MADE,
        drawn: Sequence[Outlines] = (),
    ) -> "Compiled":
        """This release with another run-time set; what ``made`` has of it, or what is ``drawn`` or ``like`` compiled of
        the same fences, is taken from there."""
        everything = Fences.of(self.release.fences).over(runtime.fences)
        matcher = self.matcher.with_fences(everything)
        fences = FenceSet.compile(
            everything,
            matcher.dwells,
            (like or self).fences,
            matcher.crosses,
            matcher.approaches,
            made.load(place(self.release.hash, runtime.hash), len(everything)),
            drawn,
        )
        return Compiled(self.release, fences, matcher, self.composer, runtime, self.authored, self.plans, self.rules)

    def pieces(self) -> list[Any]:
        """Its many parts, to be let go of one by one."""
        return pieces_of(self.release.rules, self.matcher.rules, self.rules, self.plans)

    @property
    def place(self) -> str:
        """Where it stands among the versions."""
        return place(self.release.hash, self.runtime.hash)


EMPTY = Release(hash="")
