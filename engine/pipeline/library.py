"""Releases compiled for the core: parsed by ``author``, compiled by each core room, off the hot path."""

from dataclasses import dataclass

from engine.compose import Composer
from engine.match import Matcher
from engine.model.release import Release
from engine.sense import FenceSet


@dataclass(frozen=True, slots=True)
class Compiled:
    """A release with everything that ``Core`` needs to put it in force between two records."""

    release: Release
    fences: FenceSet
    matcher: Matcher
    composer: Composer

    @classmethod
    def of(cls, release: Release) -> "Compiled":
        """Compile; pure, may take seconds for large releases."""
        matcher = Matcher.compile(release)
        fences = FenceSet.compile(release.fences, matcher.dwells)
        return cls(release, fences, matcher, Composer.compile(release))


EMPTY = Release(hash="")
