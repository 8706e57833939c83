"""Which matcher a test asks: the tests of conditions say the same of each."""

import os

import pytest

from engine.match import Matcher
from engine.match.durable import DurableMatcher, missing, refusals
from engine.model.release import Release

ENGINES = ("indexed", "durable")
chosen = "indexed"


def need_durable() -> None:
    """Skip where durable-rules cannot be had, saying so; CI must have it."""
    problem = missing()
    if problem is None:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI always tests the second matcher, and durable-rules cannot be loaded: {problem}")
    pytest.skip(f"durable-rules cannot be loaded here (Python 3.12 or older and a C compiler): {problem}")


def compiled(release: Release) -> Matcher:
    """The release compiled by the matcher under test; one that it refuses by name is not its to answer."""
    if chosen == "indexed":
        return Matcher.compile(release)
    refused = refusals(release.rules, release.segments)
    if refused:
        pytest.skip(f"refused at load: {refused[0].problem}")
    return DurableMatcher.compile(release)
