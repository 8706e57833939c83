"""The page of guards names lines and tests that exist."""

import re

from tests.support import ROOT

PAGE = (ROOT / "docs" / "guards.md").read_text("utf-8")
ROWS = re.findall(r"^\| .+ \| `(engine/\S+\.py)` `(\w+)` \| `(tests/\S+\.py)` `(test_\w+)` \|$", PAGE, re.MULTILINE)


def test_every_row_of_the_page_names_a_guard_and_a_test():
    lines = [line for line in PAGE.splitlines() if line.startswith("| ") and "**" not in line]
    assert len(ROWS) == len(lines) - 1 > 50


def test_guards_and_tests_of_the_page_exist():
    for row in ROWS:
        for file, name in (row[:2], row[2:]):
            text = (ROOT / file).read_text("utf-8")
            assert re.search(rf"^ *(?:async )?def {name}\b", text, re.MULTILINE), f"{name} is not in {file}"
