"""One-time codes of offers: files in ``rules/codes/`` and lists, and what is wrong with them."""

import pytest

from engine.author.codes import MAX_CODES
from engine.author.config import load_config
from engine.author.project import read_bundle

FILE = "rules/codes/cake.txt"
OFFERS = "offers:\n  cake:\n    codes: codes/cake.txt\n"


def told(findings):
    return [(f.file, f.line, f.code, f.severity) for f in findings if f.code != "UNUSED" or "codes" in f.file]


def test_a_file_of_codes_is_read_in_its_order(compiled):
    release, findings = compiled({FILE: "\ufeff# autumn\nB2\r\n\n  A1  \n"}, offers=OFFERS)
    assert (release.offers["cake"].codes, told(findings)) == (("B2", "A1"), [])


def test_of_a_csv_file_the_first_column_counts(compiled):
    offers = OFFERS.replace(".txt", ".csv")
    release, _ = compiled({"rules/codes/cake.csv": 'code,made\n"B2",2026\nA1;2026\n'}, offers=offers)
    assert release.offers["cake"].codes == ("B2", "A1")


def test_codes_may_stand_in_the_offer_itself(compiled):
    release, _ = compiled(offers="offers:\n  cake:\n    codes: [A1, 0042]\n")
    assert release.offers["cake"].codes == ("A1", "0042")


@pytest.mark.parametrize(
    ("codes", "offers", "expected"),
    [
        ("A1\n", OFFERS.replace("cake.txt", "coke.txt"), ("rules/offers.yaml", 3, "UNKNOWN_CODES", "error")),
        ("A1\n", OFFERS.replace("codes/cake.txt", "../secret.txt"), ("rules/offers.yaml", 3, "UNKNOWN_CODES", "error")),
        ("# none\n", OFFERS, ("rules/offers.yaml", 3, "NO_CODES", "error")),
        ("A1\nB2\nA1\n", OFFERS, (FILE, 3, "DUPLICATE_CODE", "error")),
        ("A1\n", OFFERS + "  tea:\n    codes: [A1]\n", ("rules/offers.yaml", 5, "DUPLICATE_CODE", "error")),
        ("A1\nnot one\n", OFFERS, (FILE, 2, "BAD_VALUE", "error")),
        (b"A1\n\xff\n", OFFERS, (FILE, 2, "ENCODING", "error")),
        ("A1\n", OFFERS + "    stock: 2\n", ("rules/offers.yaml", 3, "FEWER_CODES", "warning")),
        ("A1\n", OFFERS + "    code: B2\n", ("rules/offers.yaml", 3, "BAD_VALUE", "error")),
        ("A1\n", "offers:\n  cake:\n    title: Cake\n", (FILE, 1, "UNUSED", "info")),
        ("\n".join(map(str, range(MAX_CODES + 1))), OFFERS, ("rules/offers.yaml", 3, "TOO_LARGE", "error")),
    ],
)
def test_what_is_wrong_with_codes_is_told_at_its_place(compiled, codes, offers, expected):
    _, findings = compiled({FILE: codes}, offers=offers)
    assert expected in told(findings)


def test_codes_are_part_of_the_release_and_other_texts_are_not(tmp_path):
    (tmp_path / "rules" / "codes").mkdir(parents=True)
    (tmp_path / "config.toml").write_text("")
    (tmp_path / "rules" / "offers.yaml").write_text(OFFERS)
    (tmp_path / "rules" / "notes.txt").write_text("to do")
    (tmp_path / FILE).write_text("A1\n")
    config = load_config(tmp_path / "config.toml", {})
    before = read_bundle(config)
    assert list(before.files) == [FILE, "rules/offers.yaml"]
    (tmp_path / FILE).write_text("A2\n")
    assert read_bundle(config).hash != before.hash
