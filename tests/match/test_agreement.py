"""The fast answer, the explained one and a third, plain evaluator agree on random rules and situations."""

import hashlib
from pathlib import Path

import pytest

from tests.match import agreement_cases as cases

MATCH = Path(__file__).resolve().parents[2] / "engine" / "match"


def anew() -> int:
    """A seed that nobody chose, and that changes whenever the matcher does."""
    told = hashlib.sha256(b"".join(file.read_bytes() for file in sorted(MATCH.glob("*.py"))))
    return int(told.hexdigest()[:8], 16)


@pytest.mark.parametrize("seed", [0, 1, anew()])
def test_three_evaluators_agree_on_a_hundred_thousand_random_cases(seed: int) -> None:
    told = cases.main(seed, cases.TREES // 3)
    assert told["different"] == []
    assert min(told["answers"].values()) > 1_000


def test_the_plain_evaluator_notices_a_wrong_answer() -> None:
    """The comparison can fail: against a rule that says the opposite."""

    class Opposite:
        def __init__(self, compiled):
            self.explain = compiled.explain
            self.holds = lambda s: {True: False, False: True, None: True}[compiled.holds(s)]

    with pytest.MonkeyPatch.context() as patch:
        plain = cases.differs
        patch.setattr(cases, "differs", lambda compiled, lines, s: plain(Opposite(compiled), lines, s))
        assert cases.main(0, 2, 2)["different"]
