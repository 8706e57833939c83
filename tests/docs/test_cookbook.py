"""The cookbook: every recipe is checked, tested, and on its page."""

import re
from datetime import date
from functools import cache
from pathlib import Path

import jsonschema
import pytest

from engine.author.checking import check
from engine.author.config import load_config
from engine.author.nodes import plain
from engine.author.project import compile_bundle, read_bundle
from engine.author.scenario_files import read_files
from engine.author.schema import SCHEMAS
from engine.author.yaml import load
from engine.scenario import for_scenarios, run_all

ROOT = Path(__file__).parents[2]
BOOK = ROOT / "docs" / "cookbook"
CONFIG = load_config(BOOK / "config.toml", {})
PAGE = (ROOT / "docs" / "cookbook.md").read_text("utf-8")
SHARED = {f"{name}.yaml" for name in ("schema", "segments", "offers", "journeys", "messages", "templates")}
RECIPES = sorted(p for p in (BOOK / "rules").glob("*.yaml") if ".test." not in p.name and p.name not in SHARED)


def recipe() -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)


@cache
def release():
    return compile_bundle(read_bundle(CONFIG), new=True)[0]


@cache
def prepared():
    return for_scenarios(release())


def rules_of(path):
    return [rule for rule in release().rules if rule.where.startswith(f"rules/{path.name}:")]


def test_there_are_at_least_twenty():
    assert len(RECIPES) >= 20


def test_check_has_nothing_to_say():
    assert [str(finding) for finding in check(CONFIG, date(2026, 11, 20))] == []


@recipe()
def test_every_scenario_comes_out_as_it_says(path):
    read = read_files(CONFIG, [str(path.with_suffix(".test.yaml"))])
    assert read.findings == []
    results = list(run_all(prepared(), read.scenarios))
    assert [(result.scenario.name, result.failures) for result in results if not result.ok] == []


@recipe()
def test_a_recipe_shows_when_it_is_sent_and_when_it_is_not(path):
    scenarios = read_files(CONFIG, [str(path.with_suffix(".test.yaml"))]).scenarios
    own = {rule.id for rule in rules_of(path)}
    assert own
    sent = {e.rule for s in scenarios for e in s.expect if e.kind == "moment"}
    assert own <= sent, "every rule of a recipe is sent in one of its scenarios"
    assert any(unsent(scenario, own) for scenario in scenarios), "one scenario in which it is not sent"


def unsent(scenario, own):
    """Whether nothing of the recipe is sent in the scenario."""
    return not any(e.kind in ("moment", "held") and e.rule in own for e in scenario.expect)


@recipe()
def test_a_recipe_says_whose_it_is_what_for_and_how_it_is_measured(path):
    for rule in rules_of(path):
        assert rule.about
        assert rule.owner
        assert rule.conversion is not None or rule.purpose != "marketing"


@recipe()
def test_a_recipe_is_on_the_page(path):
    assert f"[{path.stem}](cookbook/rules/{path.name})" in PAGE


def test_the_page_names_only_files_that_are_there():
    links = re.findall(r"\]\((cookbook/[^)#]*)\)", PAGE)
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
    assert {link.rpartition("/")[2] for link in links} >= SHARED


@pytest.mark.parametrize("path", sorted((BOOK / "rules").glob("*.yaml")), ids=lambda path: path.name)
def test_editors_know_every_word_of_it(path):
    document, findings = load(path.name, path.read_bytes())
    assert findings == []
    schema = SCHEMAS["scenarios" if ".test." in path.name else "rules"]()
    wrong = jsonschema.Draft7Validator(schema).iter_errors(plain(document.root))
    assert [f"{list(error.path)}: {error.message}" for error in wrong] == []


def test_the_cookbook_shows_every_way_to_wake_a_rule_and_most_conditions():
    from engine.author.conditions import READERS
    from engine.author.triggers import KINDS

    text = "".join(path.read_text("utf-8") for path in (BOOK / "rules").glob("*.yaml") if ".test." not in path.name)
    assert [kind for kind in KINDS if not re.search(rf"^\s*(?:- )?{kind}:", text, re.MULTILINE)] == []
    rare = {"near", "any_of", "all_of", "in_segment"}
    assert [kind for kind in READERS if f"{kind}:" not in text and kind not in rare] == []
