"""``check --fix``: the safe corrections, and not one byte more."""

import stat

import pytest

from engine.author.bundle import Bundle
from engine.author.checking import check, corrections
from engine.author.config import load_config
from engine.author.fix import diff, fix_files, write
from engine.errors import Finding, HerenowError

GEOJSON = (
    '{"type": "Feature", "id": "cafe-mitte", "properties": {"radius": 120, "tags": ["cafe"]},'
    ' "geometry": {"type": "Point", "coordinates": [13.4, 52.5]}}'
)
GOOD = """\
# Coffee.   The comment stays.
rules:
  hello:          # greets
    status: live
    purpose: service
    when:
      enters: tag cafe
    only_if:
      - profile.tier = "gold"   # why not
      - visited: cafe-mitte, in the last 7 days
    message:
      title: "{{ fence.name }} is near"
      body: "Note: closed today"
"""


@pytest.fixture
def mended(tmp_path):
    """``mended(text)`` -> the file after ``--fix`` (bytes), as it would be written."""
    for folder in ("rules", "geofences"):
        (tmp_path / folder).mkdir()
    (tmp_path / "config.toml").write_text("")
    (tmp_path / "geofences" / "f.geojson").write_text(GEOJSON)
    config = load_config(tmp_path / "config.toml", {})
    path = tmp_path / "rules" / "a.yaml"

    def mend(text):
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        for change in corrections(config):
            write(change.path, change.before, change.after)
        return path.read_bytes()

    mend.check = lambda: check(config)
    mend.path = path
    return mend


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("status: live", "stauts: live"),
        ("status: live", "status: lvie"),
        ("enters: tag cafe", "entres: tag cafe"),
        ("tag cafe", "tag caffe"),
        ("cafe-mitte,", "cafe-mite,"),
        ("- visited:", "- vistied:"),
        ("title:", "titel:"),
        ('profile.tier = "gold"', 'profile.tier == "gold"'),
        ('profile.tier = "gold"', "profile.tier = “gold”"),
        ('title: "{{ fence.name }} is near"', "title: {{ fence.name }} is near"),
        ('body: "Note: closed today"', "body: Note: closed today"),
        ('body: "Note: closed today"', 'body: "Note: closed today'),
        (
            'body: "Note: closed today"',
            'body: "Note": closed today'.replace('Note"', "Note").replace("today", 'today"'),
        ),
        ("    status: live", "\tstatus: live".replace("\t", "  \t")),
    ],
)
def test_one_mistake_is_mended_and_nothing_else_is_touched(mended, right, wrong):
    assert right in GOOD
    assert mended(GOOD.replace(right, wrong, 1)).decode() == GOOD
    assert [f for f in mended.check() if f.severity == "error"] == []


def test_many_mistakes_are_mended_at_once(mended):
    text = (
        GOOD.replace("status", "stauts")
        .replace("tag cafe", "tag caffe")
        .replace('"{{ fence.name }} is near"', "{{ fence.name }} is near")
    )
    assert mended(text.replace("title", "titel").replace("visited", "vistied")).decode() == GOOD


def test_line_ends_byte_order_mark_and_missing_last_newline_stay(mended):
    good = ("\ufeff" + GOOD.replace("\n", "\r\n").removesuffix("\r\n")).encode()
    wrong = ("\ufeff" + GOOD.replace("status", "stauts").replace("\n", "\r\n").removesuffix("\r\n")).encode()
    assert mended(wrong) == good


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("tag cafe", "tag shop"),  # like nothing
        ("cafe-mitte,", "depot,"),
        ("status: live", "xyz: live"),
        ("7 days", "7 dyas"),  # a value, and not a name
    ],
)
def test_what_is_not_certain_is_left_alone(mended, right, wrong):
    text = GOOD.replace(right, wrong, 1)
    assert mended(text).decode() == text


def test_a_right_file_is_not_written(mended):
    mended(GOOD)
    before = mended.path.stat().st_ino
    assert mended(GOOD).decode() == GOOD
    assert mended.path.stat().st_ino == before


def test_a_word_that_stands_twice_is_left_alone(mended):
    text = GOOD.replace("enters: tag cafe", "enters: tag caffe or tag caffe")
    assert mended(text).decode() == text


def test_an_edit_that_makes_it_worse_is_not_kept():
    files = {"rules/a.yaml": b"a: 1\n", "rules/b.yaml": b"b: 1\n"}

    def judge(now):
        findings = []
        for name, data in now.items():
            first = name[6]
            if data == f"{first}: 1\n".encode():
                findings.append(Finding(name, 1, 1, "error", "X", "", "", (first, f"{first}{first}")))
            elif name == "rules/a.yaml":
                findings += [Finding(name, 1, 1, "error", code, "") for code in "YZ"]
        return findings

    assert fix_files(files, judge) == {"rules/b.yaml": b"bb: 1\n"}


def test_the_difference_is_shown_as_a_patch():
    before, after = {"rules/a.yaml": b"a\nb"}, {"rules/a.yaml": b"a\nc"}
    assert diff(before, after) == (
        "--- a/rules/a.yaml\n+++ b/rules/a.yaml\n@@ -1,2 +1,2 @@\n a\n"
        "-b\n\\ No newline at end of file\n+c\n\\ No newline at end of file\n"
    )


def test_a_file_that_changed_meanwhile_is_not_overwritten(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_bytes(b"theirs")
    with pytest.raises(HerenowError, match="changed"):
        write(path, b"before", b"after")
    assert path.read_bytes() == b"theirs"


def test_a_file_keeps_its_permissions_and_a_link_stays_a_link(tmp_path):
    real, link = tmp_path / "real.yaml", tmp_path / "link.yaml"
    real.write_bytes(b"before")
    real.chmod(0o640)
    link.symlink_to(real)
    write(link, b"before", b"after")
    assert link.is_symlink()
    assert real.read_bytes() == b"after"
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.yaml", "real.yaml"]


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.yaml"
    path.write_bytes(b"before")

    def fail(*args):
        raise OSError("no space")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="no space"):
        write(path, b"before", b"after")
    assert [p.name for p in tmp_path.iterdir()] == ["a.yaml"]
    assert path.read_bytes() == b"before"


def test_the_bundle_of_mended_files_compiles(mended):
    from engine.author.project import compile_bundle
    from engine.model.release import Policy

    text = mended(GOOD.replace("status", "stauts"))
    files = {"rules/a.yaml": text, "geofences/f.geojson": GEOJSON.encode()}
    release, _ = compile_bundle(Bundle(files, Policy()), new=True)
    assert [rule.id for rule in release.rules] == ["hello"]
