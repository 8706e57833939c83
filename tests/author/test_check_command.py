"""``herenow check`` and ``herenow schema`` as people and machines see them."""

import json

import pytest
from click.testing import CliRunner

from engine.cli.main import main

RULE = "rules:\n  hello:\n    purpose: service\n    when:\n      enters: tag cafe\n    message:\n      title: Hi\n"
FENCE = (
    '{"type": "Feature", "id": "cafe", "properties": {"radius": 120, "tags": ["cafe"]},'
    ' "geometry": {"type": "Point", "coordinates": [13.4, 52.5]}}'
)


@pytest.fixture
def run(tmp_path, monkeypatch):
    (tmp_path / "rules").mkdir()
    (tmp_path / "geofences").mkdir()
    (tmp_path / "config.toml").write_text("")
    (tmp_path / "geofences" / "f.geojson").write_text(FENCE)
    (tmp_path / "rules" / "a.yaml").write_text(RULE)
    monkeypatch.chdir(tmp_path)

    def call(*arguments, rule=None):
        if rule is not None:
            (tmp_path / "rules" / "a.yaml").write_text(rule)
        return CliRunner().invoke(main, list(arguments))

    call.file = tmp_path / "rules" / "a.yaml"
    return call


def test_a_right_project_is_fine(run):
    done = run("check")
    assert (done.exit_code, done.output) == (0, "fine\n")


def test_an_error_is_told_with_place_and_fix_and_ends_with_1(run):
    done = run("check", rule=RULE.replace("tag cafe", "tag caffe"))
    assert done.exit_code == 1
    assert done.output.splitlines() == [
        "rules/a.yaml:5:15: error: Unknown tag 'caffe'. Did you mean 'cafe'? [UNKNOWN_TAG]",
        "1 error(s), 0 other finding(s)",
        "1 of them: herenow check --fix",
    ]


def test_a_warning_counts_only_where_it_is_asked_for(run):
    rule = RULE.replace("title: Hi", "title: Hi {{ profile.dock }}")
    assert run("check", rule=rule).exit_code == 0
    assert run("check", "--strict").exit_code == 1


def test_json_has_the_promised_keys(run):
    done = run("check", "--format", "json", rule=RULE.replace("tag cafe", "tag shop"))
    (finding,) = json.loads(done.output)
    assert list(finding) == ["file", "line", "column", "severity", "code", "problem", "fix"]
    assert json.loads(run("check", "--format", "json", rule=RULE).output) == []


def test_github_reads_annotations(run):
    rule = RULE.replace("title: Hi", "title: 100% off: now")
    assert run("check", "--format", "github", rule=rule).output.splitlines() == [
        "::error file=rules/a.yaml,line=7,col=14,title=NEEDS_QUOTES::"
        "A text with a colon and a space in it needs quotes. "
        'Write: title: "100%25 off: now"'
    ]


def test_github_gets_the_real_path_of_a_folder_of_another_name(run):
    run.file.parent.rename(run.file.parent.with_name("campaigns"))
    (run.file.parent.parent / "config.toml").write_text('[paths]\nrules = "campaigns"\n')
    (run.file.parent.parent / "campaigns" / "a.yaml").write_text(RULE.replace("tag cafe", "tag shop"))
    assert run("check", "--format", "github").output.startswith("::error file=campaigns/a.yaml,line=5,col=15,")


def test_fix_writes_and_shows_what_it_wrote(run):
    done = run("check", "--fix", rule=RULE.replace("tag cafe", "tag caffe"))
    assert done.exit_code == 0
    assert "-      enters: tag caffe\n+      enters: tag cafe\n" in done.output
    assert done.output.endswith("1 file corrected\n\nfine\n")
    assert run.file.read_text() == RULE
    assert run("check", "--fix").output == "fine\n"


def test_fix_keeps_standard_output_for_the_data(run):
    done = run("check", "--fix", "--format", "json", rule=RULE.replace("tag cafe", "tag caffe"))
    assert json.loads(done.stdout) == []
    assert "1 file corrected" in done.stderr


def test_scenarios_are_checked_with_the_rules(run):
    run.file.with_name("a.test.yaml").write_text("scenarios:\n  one:\n    stps: []\n    expect: none\n")
    done = run("check")
    assert done.exit_code == 1
    assert "rules/a.test.yaml:3:5: error: 'stps' is no key of scenario 'one'. Did you mean 'steps'?" in done.output


@pytest.mark.parametrize("kind", ["rules", "geofences", "config", "scenarios"])
def test_a_schema_is_printed(run, kind):
    done = run("schema", kind)
    assert done.exit_code == 0
    assert json.loads(done.output)["$schema"].startswith("http://json-schema.org/draft-07/")


def test_the_rules_are_the_default_schema(run):
    assert run("schema").output == run("schema", "rules").output
