"""Long runs of durable-rules, in processes of their own: a crash there is a failed test and not a dead suite."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.match.engines import need_durable

ROOT = Path(__file__).parents[2]
SEEDS = range(4) if os.environ.get("CI") == "true" else range(1)
DECISIONS = 200_000


def run(*arguments: str) -> Any:
    """The last line that a program prints, as JSON."""
    need_durable()
    done = subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, f"{arguments} ended with {done.returncode}:\n{done.stdout}\n{done.stderr[-4000:]}"
    print(done.stdout)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("seed", SEEDS)
def test_it_agrees_with_the_index_on_a_hundred_thousand_random_rules_and_facts(seed: int) -> None:
    figures = run("tests.match.durable_cases", str(seed))
    assert figures["different"] == []
    assert figures["cases"] >= 100_000
    assert min(figures["answers"].values()) > 5_000


def test_two_hundred_thousand_decisions_leave_the_memory_flat() -> None:
    figures = run("benchmarks.durable", "--soak", str(DECISIONS))
    assert figures["decisions"] >= DECISIONS
    assert figures["different"] == 0
    assert min(figures["answers"].values()) > 1_000
    assert figures["mb_at_the_end"] - figures["mb_after_a_tenth"] < 3.0
