"""What `make run` installs: everything pinned with hashes, nothing that names an index, in step with pyproject.toml."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
FILES = {name: (ROOT / "requirements" / f"{name}.txt").read_text("utf-8") for name in ("run", "dev")}


def plain(requirement: str) -> str:
    """The normalised name of a requirement."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\s<>=!~;\[]", requirement, maxsplit=1)[0]).lower()


@pytest.mark.parametrize("name", FILES)
def test_every_pin_has_hashes_and_no_line_names_a_host(name):
    pins = re.findall(r"^[\w.-]+==[^\n]*\\\n +--hash=sha256:", FILES[name], re.MULTILINE)
    assert len(pins) == len(re.findall(r"^[^\s#]", FILES[name], re.MULTILINE)) > 30
    assert re.findall(r"://|--index|--extra|--find-links|file:", FILES[name]) == []


def test_what_the_project_needs_is_pinned():
    pinned = {name: set(re.findall(r"^([\w.-]+)==", text, re.MULTILINE)) for name, text in FILES.items()}
    needed = {plain(r) for r in PROJECT["project"]["dependencies"]} | {"hatchling", "editables"}
    assert sorted(needed - pinned["run"]) == []
    assert sorted({plain(r) for r in PROJECT["dependency-groups"]["dev"]} - pinned["dev"]) == []


def test_what_is_installed_for_tests_contains_what_is_installed_for_running():
    pins = [set(re.findall(r"^([\w.-]+==[^\s;\\]+)", text, re.MULTILINE)) for text in FILES.values()]
    assert pins[0] <= pins[1]


def test_the_second_matcher_is_pinned_apart_as_the_extra_says():
    text = (ROOT / "requirements" / "durable.txt").read_text("utf-8")
    (extra,) = PROJECT["project"]["optional-dependencies"]["durable"]
    assert re.findall(r"^([\w.-]+==[\w.]+)", text, re.MULTILINE) == [extra.partition(";")[0].strip()]
    assert "--hash=sha256:" in text
    assert re.findall(r"://|--index|--extra|--find-links|file:", text) == []
    assert "setuptools" in re.findall(r"^([\w.-]+)==", FILES["dev"], re.MULTILINE)
