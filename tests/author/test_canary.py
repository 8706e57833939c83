"""``canary:`` of a rule file."""

import pytest

from engine.author.project import Bundle, compile_bundle
from engine.errors import AuthorError
from engine.model.release import Policy

RULE = """
rules:
  hello:
    canary: {}
    when:
      event: open
    conversion: purchase
    message:
      body: Hi
"""


def canary(text: str) -> float:
    release, _ = compile_bundle(Bundle({"rules/a.yaml": RULE.format(text).encode()}, Policy()))
    return release.rules[0].canary


@pytest.mark.parametrize(("text", "share"), [("10%", 0.1), ("2.5 %", 0.025), ("100%", 1.0), ("none", 1.0)])
def test_a_share_of_people(text: str, share: float):
    assert canary(text) == pytest.approx(share)


@pytest.mark.parametrize(("text", "words"), [("0%", "never send"), ("120%", "not a share"), ("some", "not a share")])
def test_anything_else_is_an_error_with_place_and_fix(text: str, words: str):
    with pytest.raises(AuthorError) as caught:
        canary(text)
    (finding,) = [f for f in caught.value.findings if f.severity == "error"]
    assert (finding.file, finding.line) == ("rules/a.yaml", 4)
    assert words in finding.problem
    assert finding.fix
