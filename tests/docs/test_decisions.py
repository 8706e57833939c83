"""Decision records: each has a number of its own, and its heading says it."""

from collections import Counter

from tests.support import ROOT

FILES = sorted((ROOT / "docs" / "adr").glob("*.md"))


def test_numbers_are_given_once_and_headings_say_them():
    numbers = Counter(path.name[:4] for path in FILES)
    assert [number for number, count in numbers.items() if count > 1] == []
    for path in FILES:
        assert path.read_text().startswith(f"# {int(path.name[:4])}. "), path.name
