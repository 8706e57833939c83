"""Folders to bundles to releases; the bundle's hash; hot reload; and no bytes that make it fall over."""

import json
import subprocess
import sys

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.author import project, watch
from engine.author.bundle import Bundle
from engine.author.checking import check
from engine.author.config import load_config
from engine.author.watch import Watcher
from engine.errors import AuthorError, HerenowError
from engine.model.release import Policy, SensePolicy

RULE = "rules:\n  hello:\n    purpose: service\n    when:\n      enters: cafe\n    message:\n      title: Hi\n"


def fence(radius=100, name="cafe"):
    point = {"type": "Point", "coordinates": [13.4, 52.5]}
    return json.dumps({"type": "Feature", "id": name, "geometry": point, "properties": {"radius": radius}})


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "rules" / "more").mkdir(parents=True)
    (tmp_path / "geofences").mkdir()
    (tmp_path / "config.toml").write_text("")
    (tmp_path / "rules" / "hello.yaml").write_text(RULE)
    (tmp_path / "rules" / "hello.test.yaml").write_text("# no scenarios yet\n")
    (tmp_path / "rules" / ".hidden.yaml").write_text("{")
    (tmp_path / "rules" / "more" / "x.yml").write_text("# nothing yet\n")
    (tmp_path / "geofences" / "city.geojson").write_text(fence())
    return tmp_path


@pytest.fixture
def config(folder):
    return load_config(folder / "config.toml", {})


def test_a_bundle_holds_the_authored_files_and_nothing_else(config):
    bundle = project.read_bundle(config)
    assert list(bundle.files) == ["geofences/city.geojson", "rules/hello.yaml", "rules/more/x.yml"]
    release, findings = project.compile_bundle(bundle)
    assert (release.hash, [rule.id for rule in release.rules], findings) == (bundle.hash, ["hello"], [])


def test_the_hash_is_of_the_content_alone():
    files = {"rules/b.yaml": b"2", "rules/a.yaml": b"1"}
    bundle = Bundle(files, Policy())
    assert bundle.hash == Bundle(dict(reversed(files.items())), Policy()).hash
    assert len(bundle.hash) == 40
    others = [Bundle(files | {"rules/a.yaml": b"x"}, Policy()), Bundle({"rules/b.yaml": b"2"}, Policy())]
    others.append(Bundle(files, Policy(sense=SensePolicy(silence=1.0))))
    assert len({bundle.hash, *(other.hash for other in others)}) == 4


def test_the_hash_and_the_findings_do_not_depend_on_the_hash_seed(folder):
    (folder / "rules" / "bad.yaml").write_text(
        RULE.replace("enters: cafe", "enters: [cafee, tag x]").replace("hello", "b")
    )
    code = (
        "import sys, pathlib\nfrom engine.author import checking, config, project\n"
        "c = config.load_config(pathlib.Path(sys.argv[1]), {})\n"
        "print(project.read_bundle(c).hash, *map(str, checking.check(c)), sep='\\n')"
    )
    command = [sys.executable, "-c", code, str(folder / "config.toml")]
    printed = [
        subprocess.run(command, capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}).stdout
        for seed in ("1", "2")
    ]
    assert printed[0] == printed[1]
    assert "UNKNOWN_FENCE" in printed[0]


def test_a_bundle_survives_its_bytes():
    bundle = Bundle({"rules/a.yaml": b"\x00\xff"}, Policy(channels=("push", "console")))
    assert Bundle.decode(bundle.encode()) == bundle
    assert Bundle.decode(bundle.encode()).hash == bundle.hash
    for blob in (b"", b"\x00", msgspec.msgpack.encode((99, (), Policy()))):
        with pytest.raises(HerenowError):
            Bundle.decode(blob)


def test_check_says_everything_in_the_promised_shape(config, folder):
    (folder / "rules" / "bad.yaml").write_text(
        "rules:\n  b:\n    when:\n      enters: cafee\n    message:\n      title: x\n"
    )
    (folder / "geofences" / "small.geojson").write_text(fence(20, "kiosk"))
    (folder / "rules" / "big.yaml").write_bytes(b"#" * 1_000_001)
    findings = check(config)
    assert [(f.file, f.line, f.column, f.severity, f.code) for f in findings] == [
        ("geofences/small.geojson", 1, 1, "warning", "TOO_IMPRECISE"),
        ("rules/bad.yaml", 2, 3, "warning", "NO_CONVERSION"),
        ("rules/bad.yaml", 4, 15, "error", "UNKNOWN_FENCE"),
        ("rules/big.yaml", 0, 0, "error", "TOO_LARGE"),
    ]
    shown = json.loads(msgspec.json.encode(findings))
    assert list(shown[0]) == ["file", "line", "column", "severity", "code", "problem", "fix"]
    with pytest.raises(AuthorError):
        project.read_bundle(config)


def test_an_empty_project_is_a_release_without_rules(tmp_path):
    (tmp_path / "config.toml").write_text("")
    config = load_config(tmp_path / "config.toml", {})
    release, _ = project.compile_bundle(project.read_bundle(config))
    assert (release.rules, release.fences) == ((), ())
    assert [f.code for f in check(config)] == ["EMPTY"]


def test_fences_that_share_an_id_are_told_over_files(config, folder):
    (folder / "geofences" / "two.geojson").write_text(fence())
    assert [(f.code, f.file) for f in check(config)] == [("DUPLICATE_FENCE", "geofences/two.geojson")]


def test_a_broken_fence_file_does_not_make_its_fences_unknown(config, folder):
    (folder / "geofences" / "city.geojson").write_text("{")
    assert [f.code for f in check(config)] == ["JSON"]


def settled(watcher):
    """What the second of two looks finds."""
    assert watcher.changed() is None
    return watcher.changed()


def test_the_watcher_tells_a_change_once(config, folder):
    watcher = Watcher(config, seen=project.read_bundle(config).hash)
    assert settled(watcher) is None
    (folder / "rules" / "hello.yaml").write_text(RULE.replace("Hi", "Hello there"))
    bundle = settled(watcher)
    assert bundle is not None
    assert bundle.hash == watcher.seen
    assert settled(watcher) is None


def test_the_watcher_compares_with_what_was_last_seen_not_with_what_is_in_force(config, folder):
    seen = project.read_bundle(config).hash
    (folder / "rules" / "hello.yaml").touch()
    assert settled(Watcher(config, seen=seen)) is None
    assert settled(Watcher(config)) is not None


def test_the_watcher_tells_an_unreadable_folder_once(config, folder):
    watcher = Watcher(config, seen=project.read_bundle(config).hash)
    assert settled(watcher) is None
    (folder / "rules" / "big.yaml").write_bytes(b"#" * 1_000_001)
    assert watcher.changed() is None
    with pytest.raises(AuthorError):
        watcher.changed()
    assert watcher.changed() is None


def test_a_file_that_is_being_written_is_not_taken_before_it_is_whole(config, folder):
    watcher = Watcher(config, seen=project.read_bundle(config).hash)
    assert settled(watcher) is None
    file = folder / "rules" / "hello.yaml"
    first, second = RULE, RULE.replace("rules:\n", "").replace("hello:", "second:")
    with file.open("w") as writing:
        for half in (first, second):
            writing.write(half)
            writing.flush()
            assert watcher.changed() is None  # each half is right by itself, and none of them is the file
    bundle = watcher.changed()
    assert bundle is not None
    assert bundle.files["rules/hello.yaml"].decode() == first + second


def test_a_file_that_changes_while_it_is_read_is_looked_at_again(config, folder, monkeypatch):
    watcher = Watcher(config, seen=project.read_bundle(config).hash)
    assert settled(watcher) is None
    file = folder / "rules" / "hello.yaml"
    file.write_text(RULE.replace("Hi", "Half"))

    def read_meanwhile(config):
        bundle = project.read_bundle(config)
        file.write_text(RULE.replace("Hi", "Whole sentence"))
        monkeypatch.setattr(watch, "read_bundle", project.read_bundle)
        return bundle

    monkeypatch.setattr(watch, "read_bundle", read_meanwhile)
    assert settled(watcher) is None
    bundle = watcher.changed()
    assert bundle is not None
    assert b"Whole sentence" in bundle.files["rules/hello.yaml"]


WORDS = ("rules:", "a:", "when:", "enters:", "tag cafe", "message:", "title:", "only_if:", "- ", "offer:", "limits:")
LINES = (
    "profile.x = 3",
    "did: x, in the last day",
    "3 per day",
    "{{ x }}",
    "9" * 30,
    "  ",
    "\n    ",
    *"\n :-,[]{}\"'*&#\t",
)
pieces = st.lists(st.sampled_from((*WORDS, *LINES)), max_size=40).map("".join)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(["r", "segments", "offers", "journeys", "schema"]),
    st.one_of(pieces.map(str.encode), st.binary(max_size=60)),
)
def test_any_file_makes_a_release_or_findings(name, data):
    try:
        project.compile_bundle(Bundle({f"rules/{name}.yaml": data}, Policy()))
    except AuthorError as error:
        findings = error.findings
    else:
        findings = []
    assert all(f.problem and f.code for f in findings)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, len(RULE)), st.integers(0, 12), pieces)
def test_a_rule_with_a_scar_makes_a_release_or_findings(at, cut, scar):
    data = (RULE[:at] + scar + RULE[at + cut :]).encode()
    try:
        release, _ = project.compile_bundle(
            Bundle({"rules/r.yaml": data, "geofences/c.geojson": fence().encode()}, Policy())
        )
    except AuthorError as error:
        assert error.findings  # noqa: PT017
    else:
        assert all(rule.message.where for rule in release.rules)
