"""``estimate:`` of a rule file: how much a rule is expected to send."""

import pytest

from engine.author.project import Bundle, compile_bundle
from engine.errors import AuthorError
from engine.model.release import Policy
from engine.model.rule import Cap

RULE = """
rules:
  hello:
    estimate: {}
    when:
      event: open
    conversion: purchase
    message:
      body: Hi
"""


def estimate(text: str) -> Cap | None:
    release, _ = compile_bundle(Bundle({"rules/a.yaml": RULE.format(text).encode()}, Policy()))
    return release.rules[0].estimate


@pytest.mark.parametrize(
    ("text", "cap"),
    [("200 per day", Cap(200, "day")), ("40 per hour", Cap(40, 3600.0)), ("900 per week", Cap(900, "week"))],
)
def test_so_many_in_a_time(text: str, cap: Cap):
    assert estimate(text) == cap


@pytest.mark.parametrize("text", ["200", "0 per day", "many per day", "3 per dya"])
def test_anything_else_is_an_error_with_place_and_fix(text: str):
    with pytest.raises(AuthorError) as caught:
        estimate(text)
    (finding,) = [f for f in caught.value.findings if f.severity == "error"]
    assert (finding.file, finding.line) == ("rules/a.yaml", 4)
    assert "is no estimate of how much is sent" in finding.problem
    assert finding.fix == "Write for example 200 per day or 40 per hour."
