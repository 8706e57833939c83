"""Scenarios of a text, in the town of this folder."""

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from engine.author.scenarios import Names, read_scenarios
from engine.errors import Finding
from engine.pipeline.versions import Compiled
from engine.scenario import Result, run_all
from tests.scenario.town import release_of

BEGIN = "given:\n  clock: tue 2026-11-24 09:00 Europe/Berlin\nscenarios:\n"

Run = Callable[..., list[Result]]


@pytest.fixture(scope="session")
def compiled() -> Compiled:
    return release_of()


@pytest.fixture
def findings_of() -> Callable[[str], list[Finding]]:
    """Everything that is wrong with a file of scenarios."""

    def check(text: str) -> list[Finding]:
        names = Names(("hello", "long-stay", "regulars", "pilot"), ("cafe", "office", "lane"), ("console", "inbox"))
        return read_scenarios({"rules/x.test.yaml": dedent(text).encode()}, "Europe/Berlin").checked(names)

    return check


@pytest.fixture
def run(compiled: Compiled, tmp_path: Path) -> Run:
    """Play the scenarios of a text; ``release`` another than the town's."""

    def play(text: str, release: Compiled | None = None) -> list[Result]:
        read = read_scenarios({"t.test.yaml": dedent(text).encode()}, "Europe/Berlin", {"t.test.yaml": tmp_path})
        assert read.findings == []
        return list(run_all(release or compiled, read.scenarios))

    return play


@pytest.fixture
def one(run: Run) -> Callable[..., Result]:
    """Play one scenario, given its body."""

    def play(body: str, release: Compiled | None = None) -> Result:
        text = BEGIN + "  it:\n" + "".join(f"    {line}\n" for line in dedent(body).strip("\n").split("\n"))
        (result,) = run(text, release)
        return result

    return play
