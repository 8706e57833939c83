"""Wrong scenario files: every mistake at once, each with its place and what to write instead."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.author import scenario_keys as keys
from engine.author.config import load_config
from engine.author.scenario_files import find_files, read_files
from engine.author.scenario_times import parse_clock, parse_place, parse_route, parse_time_span
from engine.author.scenarios import read_scenarios
from engine.errors import Finding, HerenowError

Check = Callable[[str], list[Finding]]
ROOT = Path(__file__).parents[2]

HEAD = """given:
  clock: tue 2026-11-24 09:00 Europe/Berlin
scenarios:
  it:
"""

ARRIVES = "    steps:\n      - arrives: cafe\n"

STEPS = [
    ("arives: cafe", "6:9", "'arives' is nothing that a step can say. Did you mean 'arrives'?"),
    ("arrives: caffe", "6:18", "There is no geofence or place 'caffe'. Did you mean 'cafe'?"),
    ("arrives: tag cafe", "6:18", "arrives: 'tag cafe' is not one place. Name one fence"),
    ("arrives: 152.5, 13.4", "6:18", "152.5, 13.4 is not on Earth."),
    ("arrives: cafe\n  with:\n    a: 1", "7:9", "'with' says nothing about 'arrives'."),
    ("arrives: cafe\n  waits: 5 minutes", "7:9", "Two actions share one step. Begin this line with '- '"),
    ("at: 09:10", "6:9", "This step does nothing."),
    ("arrives", "6:9", "'arrives' is no step."),
    ("waits: 5 parsecs", "6:18", "waits: 'parsecs' is not a unit of time."),
    ("at: 25:10\n  arrives: cafe", "6:13", "at: '25:10' is no time of the day."),
    ("walks: cafe office", "6:16", "walks: 'cafe office' is no way."),
    ("follows: way.txt", "6:18", "'way.txt' is no track."),
    ("reports: entered cafe", "6:18", "reports: 'entered cafe' is no report."),
    ("feedback: liked hello", "6:19", "feedback: 'liked hello' is no feedback."),
    ("pauses: hello", "6:17", "pauses: 'hello' is nothing to pause."),
    ("pauses: rule helo", "6:17", "There is no rule 'helo'. Did you mean 'hello'?"),
    ("arrives: cafe\n  person: eve", "6:9", "Nothing is given of 'eve'."),
    ("arrives: cafe\n  accuracy: exact", "7:19", "accuracy: 'exact' is not a distance."),
    ("facts:\n    sky: grey", "7:11", "'sky' is a fact without its place. Write 'global:'"),
]

EXPECT = [
    ("momnt: hello", "8:9", "'momnt' is no key that can be expected. Did you mean 'moment'?"),
    ("moment: helo", "8:17", "There is no rule 'helo'."),
    ("moment: hello\n  reason: CAP", "9:9", "'reason' is no key of 'moment' here."),
    ("suppressed: hello\n  reason: CAPS", "9:17", "reason: 'CAPS' is no reason. Did you mean 'CAP'?"),
    ("moment: hello\n  channel: pigeon", "9:18", "There is no channel in config.toml 'pigeon'."),
    ("moment: hello\n  times: 0", "9:16", "times: '0' is no count."),
    ("channel: console", "8:9", "What is expected is not said."),
]

GIVEN = [
    ("clock: mon 2026-11-24 09:00", "6:14", "clock: 2026-11-24 is a tue, no mon."),
    ("clock: 2026-11-24 09:00 Europe/Berln", "6:14", "'Europe/Berln' is no time zone. Did you mean 'Europe/Berlin'?"),
    ("clock: 2026-03-29 02:30", "6:14", "clock: Clocks in Europe/Berlin skip 02:30 on 2026-03-29."),
    ("visited: cafe, yesterday", "6:16", "visited: How long ago is not said."),
    ("did: purchase with coffee, 2 hours ago", "6:12", "did: 'coffee' is no key=value."),
    ("profile:\n  consent:\n    marketing: perhaps", "8:22", "Consent for marketing must be yes or no."),
    ("weather: grey", "6:7", "'weather' is no key of given."),
]

SCENARIO = [
    ("steps:\n  - arrives: cafe\nexpect: nothing", "7:13", "'nothing' says nothing about what is expected."),
    ("steps:\n  - arrives: cafe", "4:3", "The scenario 'it' has no 'expect'. Add 'expect: none'"),
    ("expect: none", "4:3", "The scenario 'it' has no 'steps'."),
    ("others: maybe\nsteps:\n  - arrives: cafe\nexpect: none", "5:13", "'maybe' is no word for others."),
]


def indented(text: str, by: int) -> str:
    """The text, its lines further in."""
    return text.replace("\n", "\n" + " " * by)


BODIES = [
    *((f"    steps:\n      - {indented(text, 6)}\n    expect: none\n", *told) for text, *told in STEPS),
    *((f"{ARRIVES}    expect:\n      - {indented(text, 6)}\n", *told) for text, *told in EXPECT),
    *((f"    given:\n      {indented(text, 6)}\n{ARRIVES}    expect: none\n", *told) for text, *told in GIVEN),
    *((f"    {indented(text, 4)}\n", *told) for text, *told in SCENARIO),
]


@pytest.mark.parametrize(("body", "place", "words"), BODIES)
def test_a_mistake_is_told_with_its_place_and_fix(body: str, place: str, words: str, findings_of: Check) -> None:
    (finding,) = findings_of(HEAD + body)
    assert f"{finding.line}:{finding.column}" == place
    assert words in str(finding)
    assert finding.fix


def test_all_mistakes_come_at_once(findings_of: Check) -> None:
    text = """
        given:
          clok: 2026-11-24 09:00
        places:
          home: here
        scenarios:
          one:
            steps:
              - arives: cafe
              - arrives: nowhere
            expect:
              - moment: helo
          two:
            expect: none
        """
    codes = sorted(finding.code for finding in findings_of(text))
    assert codes == [
        "BAD_VALUE", "MISSING", "MISSING", "UNKNOWN_FENCE", "UNKNOWN_KEY", "UNKNOWN_KEY", "UNKNOWN_RULE",
    ]  # fmt: skip


def test_a_file_without_scenarios_says_what_is_missing(findings_of: Check) -> None:
    assert [f.problem for f in findings_of("given:\n  person: ada\n")] == ["The file has no scenarios."]
    assert findings_of("") == []


@pytest.mark.parametrize(
    "data", [b"\xff\xfe", b"a: [", b"- 1", b"\x00", b"[" * 5000, b"x: &a [*a]", b"scenarios:\n\tx: 1"]
)
def test_hostile_bytes_end_in_findings(data: bytes) -> None:
    read = read_scenarios({"rules/x.test.yaml": data}, "UTC")
    assert read.scenarios == []
    assert read.findings


def test_a_track_that_is_not_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.test.yaml").write_text(HEAD + "    steps:\n      - follows: way.gpx\n    expect: none\n")
    (finding,) = read_files(load_config(None, {}), [str(tmp_path)]).findings
    assert (finding.code, finding.line) == ("NO_FILE", 6)


def test_files_beside_the_rules_are_found_and_named_like_them(tmp_path: Path) -> None:
    (tmp_path / "rules" / "deep").mkdir(parents=True)
    for name in ("a.test.yaml", "a.yaml", ".b.test.yaml", "deep/c.test.yml"):
        (tmp_path / "rules" / name).write_text("scenarios: {}")
    (tmp_path / "config.toml").write_text("")
    config = load_config(tmp_path / "config.toml", {})
    assert [name for name, _ in find_files(config)] == ["rules/a.test.yaml", "rules/deep/c.test.yml"]
    assert [name for name, _ in find_files(config, [str(tmp_path / "rules" / "deep")])] == ["rules/deep/c.test.yml"]
    with pytest.raises(HerenowError, match="there is no file or folder"):
        find_files(config, ["nowhere"])


def test_clocks_places_ways_and_times_are_read() -> None:
    assert parse_clock("2026-11-24 08:00 Europe/Berlin", "UTC") == (1795503600.0, "Europe/Berlin")
    assert parse_clock("tuesday 2026-11-24T08:00:00Z", "Asia/Tokyo") == (1795507200.0, "UTC")
    assert parse_clock("2026-11-24 08:00", "Europe/Berlin") == (1795503600.0, "Europe/Berlin")
    assert parse_clock("2026-11-24 08:00 +01:00", "Asia/Tokyo") == (1795503600.0, "Asia/Tokyo")
    assert parse_place("52.5, -13.25", ()).point == (52.5, -13.25)
    assert (parse_place("1.5 km from cafe", ()).metres, parse_place("Elsewhere", ()).fence) == (1500.0, "")
    start, end, seconds = parse_route("52.5, 13.4 to office, in 10 minutes", ())
    assert start is not None
    assert (start.point, end.fence, seconds) == ((52.5, 13.4), "office", 600.0)
    assert parse_route("to office", ())[0] is None
    span = parse_time_span("08:05-08:10:30")
    assert (span.first.seconds, span.last.seconds, span.last.precision) == (29100.0, 29430.0, 1.0)


def test_every_key_has_its_line_in_the_reference() -> None:
    page = (ROOT / "docs/reference/scenarios.md").read_text("utf-8")
    words = {*keys.FILE, *keys.SCENARIO, *keys.GIVEN, *keys.PROFILE, *keys.STEPS, *keys.EVERY_STEP, *keys.EXPECT}
    words |= {key for table in (keys.STEPS, keys.EXPECT) for beside in table.values() for key in beside}
    words |= {*keys.OTHERS, *keys.FEEDBACK, *keys.REPORTS, *keys.SWITCHES}
    assert sorted(word for word in words if not re.search(rf"\b{word}\b", page)) == []


def test_the_keys_are_those_that_are_read(findings_of: Check) -> None:
    """What the table names, the reader takes: no key of it is unknown."""
    for action, beside in keys.STEPS.items():
        for key in (*keys.EVERY_STEP, *beside):
            found = findings_of(HEAD + f"    steps:\n      - {action}: x\n        {key}: x\n    expect: none\n")
            assert "UNKNOWN_KEY" not in {finding.code for finding in found}, (action, key)
    for kind, beside in keys.EXPECT.items():
        for key in beside:
            text = f"    steps:\n      - arrives: cafe\n    expect:\n      - {kind}: hello\n        {key}: x\n"
            assert "UNKNOWN_KEY" not in {finding.code for finding in findings_of(HEAD + text)}, (kind, key)
