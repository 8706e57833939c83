"""What the first campaign shows comes out as its page says: the table of shops, the rule, its stories, the mistakes."""

import re
import shutil
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner

from engine.author.checking import check, corrections
from engine.author.config import load_config
from engine.author.project import compile_bundle, read_bundle
from engine.author.scenario_files import read_files
from engine.cli.main import main
from engine.scenario import for_scenarios, run_all

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "first-campaign.md").read_text("utf-8")
TODAY = date(2026, 11, 24)


def after(start: str) -> str:
    """What the page has between these words and the end of the block."""
    return PAGE.partition(start)[2].partition("```")[0]


@pytest.fixture
def town(tmp_path: Path) -> Path:
    """The reader's folder after step 5."""
    for name in ("rules", "geofences"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "config.toml", tmp_path)
    (tmp_path / "shops.csv").write_text(after("<<'END'\n").partition("END\n")[0])
    shops = [str(tmp_path / "shops.csv"), "--out", str(tmp_path / "geofences" / "shops.geojson")]
    done = CliRunner().invoke(main, ["fences", "import", *shops])
    assert done.exit_code == 0, done.output
    (tmp_path / "rules" / "bookshop.yaml").write_text(after("```yaml town/rules/bookshop.yaml\n"))
    (tmp_path / "rules" / "bookshop.test.yaml").write_text(after("```yaml town/rules/bookshop.test.yaml\n"))
    return tmp_path


def told(town: Path) -> list[str]:
    return [str(finding) for finding in check(load_config(town / "config.toml", {}), TODAY)]


def test_the_rule_is_fine_and_its_stories_come_out(town: Path):
    assert told(town) == []
    config = load_config(town / "config.toml", {})
    scenarios = read_files(config, [str(town / "rules" / "bookshop.test.yaml")]).scenarios
    results = list(run_all(for_scenarios(compile_bundle(read_bundle(config))[0]), scenarios))
    assert len(results) == 3
    assert [(result.scenario.name, result.failures) for result in results if not result.ok] == []


def test_the_mistakes_are_told_as_the_page_shows_and_mended(town: Path):
    rule = town / "rules" / "bookshop.yaml"
    right = rule.read_text()
    shown = re.findall(r"^rules/bookshop.yaml:.*$", PAGE, re.MULTILINE)
    rule.write_text(right.replace("enters: tag bookshop", "enter: tag bokshop"))
    assert [line for line in told(town) if "bookshop.yaml" in line] == shown[:1]
    mended = corrections(load_config(town / "config.toml", {}), TODAY)
    assert [change.after.decode() for change in mended] == [right]
    rule.write_text(right.replace("enters: tag bookshop", "enters: tag bokshop"))
    assert told(town) == shown[1:]
