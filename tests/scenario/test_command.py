"""``herenow test`` as people and build servers call it."""

import json
import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from engine.cli.main import main

ROOT = Path(__file__).parents[2]
GOOD = """
given:
  clock: tue 2026-11-24 09:00 Europe/Berlin
scenarios:
  01 it is sent:
    steps:
      - arrives: cafe-mitte
    expect:
      - moment: mitte-birthday
  02 it is not:
    steps:
      - arrives: elsewhere
    expect: none
"""
BAD = GOOD.replace("- moment: mitte-birthday", "- moment: mitte-birthday\n        says: pie")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The demo city without its scenarios, as the folder in which commands run."""
    for name in ("rules", "geofences"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("*.test.yaml"))
    shutil.copy(ROOT / "config.toml", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def herenow(*words: str) -> Result:
    return CliRunner().invoke(main, ["test", *words])


def test_good_scenarios_are_dots_and_end_with_0(project: Path) -> None:
    (project / "rules" / "a.test.yaml").write_text(GOOD)
    told = herenow()
    assert told.exit_code == 0
    assert told.output.startswith("rules/a.test.yaml ..\n2 scenarios: 2 passed, 0 failed (")
    assert "  ok   02 it is not\n" in herenow("-v").output


def test_a_failure_ends_with_1_and_says_why(project: Path) -> None:
    (project / "rules" / "a.test.yaml").write_text(BAD)
    told = herenow()
    assert told.exit_code == 1
    assert "rules/a.test.yaml F.\n" in told.output
    assert "FAIL rules/a.test.yaml:5  01 it is sent\n  line 9\n" in told.output
    assert "  - expected  moment mitte-birthday saying 'pie'\n" in told.output
    assert "  + happened  it does not say 'pie'\n" in told.output
    assert "2 scenarios: 1 passed, 1 failed" in told.output


def test_names_and_paths_choose(project: Path) -> None:
    (project / "rules" / "a.test.yaml").write_text(GOOD)
    (project / "rules" / "b.test.yaml").write_text(BAD)
    assert "1 scenario: 1 passed" in herenow("rules/a.test.yaml", "-k", "IT IS SENT").output
    assert "2 scenarios: 2 passed" in herenow("rules", "-k", "it is not").output
    nothing = herenow("-k", "no such name")
    assert (nothing.exit_code, "no scenario is like that" in nothing.output) == (2, True)
    assert herenow("nowhere.test.yaml").exit_code == 2
    assert herenow("--generated", "0").exit_code == 2


def test_no_scenarios_at_all_is_said(project: Path) -> None:
    told = herenow()
    assert (told.exit_code, told.output) == (0, "no scenarios: put *.test.yaml files beside the rules\n")


def test_mistakes_in_one_file_do_not_stop_the_others(project: Path) -> None:
    (project / "rules" / "a.test.yaml").write_text(GOOD)
    (project / "rules" / "b.test.yaml").write_text(GOOD.replace("arrives: cafe-mitte", "arrives: cafe-mite"))
    told = herenow()
    assert told.exit_code == 1
    assert "rules/b.test.yaml:7:18: error: There is no geofence or place 'cafe-mite'. Did you mean" in told.output
    assert "2 scenarios: 2 passed, 0 failed" in told.output


def test_wrong_rules_are_told_first(project: Path) -> None:
    (project / "rules" / "a.test.yaml").write_text(GOOD)
    (project / "rules" / "wrong.yaml").write_text("rules:\n  x:\n    when: 1\n")
    told = herenow()
    assert told.exit_code == 1
    assert "rules/wrong.yaml:" in told.output


def test_json_says_the_same(project: Path) -> None:
    (project / "rules" / "a.test.yaml").write_text(BAD)
    told = herenow("--format", "json", "--generated", "1")
    data = json.loads(told.output)
    assert told.exit_code == 1
    assert (data["ok"], data["scenarios"], data["failed"]) == (False, 2, 1)
    (failed,) = [result for result in data["results"] if not result["ok"]]
    assert (failed["file"], failed["line"], failed["failures"][0]["line"]) == ("rules/a.test.yaml", 5, 9)
    assert data["generated"]["cases"] == 1
    assert data["generated"]["broken"] == []


def test_junit_is_read_by_build_servers(project: Path) -> None:
    (project / "rules" / "a.test.yaml").write_text(BAD)
    assert herenow("--junit", "report.xml", "--generated", "1").exit_code == 1
    suite = ElementTree.parse(project / "report.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", "1", "0")
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert "it does not say 'pie'" in (failure.text or "")
    assert herenow("--junit", "no/such/folder.xml").exit_code == 2


def test_generated_days_are_reported(project: Path) -> None:
    told = herenow("--generated", "2", "--seed", "3")
    assert told.exit_code == 0
    assert re.search(r"generated days \.\.\n.*\n2 generated cases: 2 kept every promise, 0 did not \(", told.output)


def test_the_demo_city_keeps_what_its_scenarios_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every rule of the demo city has a scenario in which it is sent, or the reason why it never is."""
    monkeypatch.chdir(ROOT)
    told = herenow("--format", "json")
    assert told.exit_code == 0, told.output
    rules = set(re.findall(r"^  ([\w-]+):$", "".join(p.read_text() for p in _demo("*.yaml")), re.MULTILINE))
    named = set(re.findall(r"- (?:moment|suppressed): ([\w-]+)", "".join(p.read_text() for p in _demo("*.test.yaml"))))
    assert sorted(rules - named) == []


def _demo(pattern: str) -> list[Path]:
    tests = sorted((ROOT / "rules").glob("*.test.yaml"))
    return tests if pattern == "*.test.yaml" else [p for p in sorted((ROOT / "rules").glob(pattern)) if p not in tests]


def test_the_difference_in_the_reference_is_the_real_one(project: Path) -> None:
    page = (ROOT / "docs/reference/scenarios.md").read_text("utf-8")
    (shown,) = re.findall(r"```text\n(.*?)```", page, re.DOTALL)
    (text,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (project / "rules" / "museum.test.yaml").write_text(text.replace("[art, coffee]", "[coffee]"))
    assert shown in herenow().output
