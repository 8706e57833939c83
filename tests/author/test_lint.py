"""What ``check`` finds beyond what a release needs: each finding with its place, and what is no finding."""

import inspect
import json
import re
from datetime import date
from pathlib import Path

import pytest
from msgspec.structs import replace

from engine.author.bundle import Bundle
from engine.author.lint import CHECKS, REFUSING
from engine.author.project import compile_bundle
from engine.errors import AuthorError
from engine.model.release import DecidePolicy, Policy
from tests.author.conftest import FENCES
from tests.author.small import HEAD, OTHER, lines, pair, told

# ------------------------------------------------------------------ lines that never hold


@pytest.mark.parametrize(
    ("only_if", "unless", "line"),
    [
        (["profile.age < 3", "profile.age > 5"], [], 10),
        (["profile.age < 3", "profile.age >= 3"], [], 10),
        (["profile.tier = gold", "profile.tier in silver, bronze"], [], 10),
        (["profile.tier = gold", "profile.tier != gold"], [], 10),
        (["profile.age = 3 and profile.age = 4"], [], 9),
        (["profile.tier = gold"], ["profile.tier = gold"], 11),
        (["profile.age > 5"], ["profile.age > 3"], 11),
        (["profile.tier = gold", "profile.tier > 3"], [], 10),
        (["profile.tier = gold"], ["profile.tier exists"], 11),
        (["local_time: mon-fri 08:00-10:00", "local_time: sat, sun"], [], 10),
        (["local_time: 08:00-10:00"], ["local_time: 07:00-12:00"], 11),
        (["did: purchase, at least 2 times, in the last day"], ["did: purchase, in the last 7 days"], 11),
        (["visited: depot, in the last 2 days"], ["visited: depot, in the last 2 days"], 11),
        (["near: depot, within 100 m"], ["near: depot, within 1 km"], 11),
        (["inside: depot"], ["inside: depot"], 11),
    ],
)
def test_lines_that_contradict_each_other_are_an_error(found, only_if, unless, line):
    findings = found(lines(*only_if, unless=unless))
    assert [(f.code, f.line, f.column, f.severity) for f in findings if f.severity == "error"] == [
        ("CONTRADICTION", line, 9, "error")
    ]
    assert "'hello' can never send" in findings[0].problem


@pytest.mark.parametrize(
    ("only_if", "unless"),
    [
        (["profile.age > 3", "profile.age < 5"], ["profile.age = 4.5"]),
        (["profile.tier = gold or profile.tier = silver"], ["profile.tier = gold"]),
        (["any_of: [profile.age < 3, profile.age > 5]", "profile.age != 9"], []),
        (["did: purchase, in the last 7 days"], ["did: purchase, in the last 2 hours"]),
        (["visited: depot, in the last 7 days"], ["visited: depot, at least 3 times, in the last 7 days"]),
        (["did: purchase where event.a = 1, in the last day"], ["did: purchase where event.a = 2, in the last day"]),
        (["local_time: mon-fri 08:00-10:00"], ["local_time: fri"]),
        (["local_time: 08:00-10:00"], ["local_time: holidays in DE"]),
        (["local_time: 08:00-10:00"], ["local_time: 2026-12-01 to 2026-12-24"]),
        (["local_time: mon 08:00-10:00"], ["local_time: weekdays, not holidays in DE"]),
        (["profile.likes contains a", "profile.likes contains b"], ["profile.likes contains c"]),
        (["profile.day > 2026-01-01", "profile.day < 2026-03-01"], []),
        (["not (profile.age < 3 and profile.age > 1)", "profile.age < 3"], []),
    ],
)
def test_lines_that_can_hold_together_are_no_finding(found, only_if, unless):
    assert found(lines(*only_if, unless=unless)) == []


def test_every_contradiction_of_a_rule_is_told_at_once(found):
    findings = found(lines("profile.a = 1", "profile.a = 2", "profile.b = 1", "profile.b = 2"))
    assert [f.line for f in findings] == [10, 12]


def test_a_dead_part_of_a_line_is_a_warning(found):
    findings = found(lines("profile.a > 1 or (profile.a < 3 and profile.a > 4)"))
    assert told(findings) == [("CONTRADICTION", 9, 9, "warning")]


def test_a_segment_that_nobody_can_be_in_is_told_there_and_where_it_is_asked_for(found):
    segments = "segments:\n  young:\n    - profile.age < 3\n    - profile.age > 5\n"
    findings = found(lines("in_segment: young"), segments=segments)
    assert sorted((f.file, f.line) for f in findings) == [("rules/r.yaml", 9), ("rules/segments.yaml", 4)]
    lives = found(
        lines("in_segment: young", "profile.age = 4"), segments="segments:\n  young:\n    - profile.age < 3\n"
    )
    assert [(f.code, f.line) for f in lives] == [("CONTRADICTION", 10)]


# ------------------------------------------------------------------ times


def test_a_span_partly_in_quiet_hours_is_told_with_the_lost_times(found):
    findings = found(lines("local_time: mon-fri 07:00-10:00"))
    assert told(findings) == [("QUIET_HOURS", 9, 9, "warning")]
    assert "'hello' can never send 07:00–07:45: quiet hours 21:00–08:00, and send_within 15 minutes." in str(
        findings[0]
    )
    late = lines("local_time: mon-fri 07:00-10:00").replace("title: Hi", "title: Hi\n      send_within: 61 minutes")
    assert found(late) == []


def test_a_span_wholly_in_quiet_hours_never_sends(found):
    findings = found(lines("local_time: 22:00-02:00"))
    assert told(findings) == [("NEVER_SENDS", 9, 9, "warning")]
    assert found(lines("local_time: 22:00-02:00").replace("service", "transactional")) == []
    assert found(lines("local_time: 22:00-02:00"), policy=Policy(decide=DecidePolicy(quiet_hours=None))) == []


@pytest.mark.parametrize("line", ["local_time: mon-fri", "local_time: 08:00-21:00", "local_time: sat 10:00-12:00, sun"])
def test_whole_days_and_spans_outside_quiet_hours_are_no_finding(found, line):
    assert found(lines(line)) == []


SCHEDULED = HEAD.replace("enters: tag cafe", "schedule: every weekday at 11:30")


def test_a_schedule_in_quiet_hours_or_outside_local_time_never_sends(found):
    early = SCHEDULED.replace("11:30", "07:00")
    assert told(found(early)) == [("NEVER_SENDS", 5, 7, "warning")]
    weekend = SCHEDULED + "    only_if:\n      - local_time: sat-sun\n"
    assert told(found(weekend)) == [("NEVER_SENDS", 5, 7, "warning")]
    assert found(SCHEDULED + "    only_if:\n      - local_time: fri\n") == []


def test_schedules_that_meet_for_the_same_people_are_told(found):
    second = SCHEDULED.replace("rules:\n", "").replace("hello", "later").replace("every weekday", "every friday")
    findings = found(SCHEDULED + second)
    assert told(findings) == [("OVERLAPPING_SCHEDULES", 11, 7, "warning")]
    assert "(11:30): it loses" in findings[0].problem
    assert found(SCHEDULED + second.replace("11:30", "12:30")) == []
    assert found(SCHEDULED + second.replace("friday", "sunday")) == []
    first_day = SCHEDULED.replace("weekday", "month on the 1st")
    assert found(first_day + second.replace("friday", "month on the 15th")) == []
    assert [f.code for f in found(first_day + second.replace("friday", "month on the 1st"))] == [
        "OVERLAPPING_SCHEDULES"
    ]
    apart = "    only_if:\n      - profile.tier = gold\n"
    assert found(SCHEDULED + apart + second + apart.replace("gold", "silver")) == []


# ------------------------------------------------------------------ rules that never fire, never send, or always lose


def test_a_rule_whose_run_is_over_never_fires(found):
    text = HEAD + "    runs: 2026-01-01 to 2026-02-01\n"
    assert told(found(text, today=date(2026, 11, 24))) == [("NEVER_FIRES", 2, 3, "warning")]
    assert found(text, today=date(2026, 2, 1)) == []
    assert found(text) == []


def test_an_ended_rule_is_pointed_out(found):
    assert told(found(HEAD + "    status: ended\n")) == [("NEVER_FIRES", 2, 3, "info")]


def test_an_offer_that_is_over_or_gone_never_sends(found):
    offers = "offers:\n  cake:\n    title: Cake\n    valid_until: 2026-10-01\n"
    text = HEAD + "    offer: cake\n    runs: from 2026-11-01\n"
    assert told(found(text, offers=offers)) == [("NEVER_SENDS", 2, 3, "warning")]
    assert told(found(text, offers="offers:\n  cake:\n    stock: 0\n")) == [("NEVER_SENDS", 2, 3, "warning")]
    assert found(text, offers=offers.replace("2026-10", "2027-10")) == []
    assert found(text, offers=offers.replace("2026-10-01", "2026-11-01")) == []


def test_an_event_has_no_fence_to_ask_about(found):
    text = lines("fence.weather.temp_c < 3").replace("enters: tag cafe", "event: purchase")
    assert told(found(text)) == [("NEVER_SENDS", 9, 9, "warning")]
    either = text.replace("fence.weather.temp_c < 3", "fence.weather.temp_c < 3 or profile.a = 1")
    assert found(either) == []


def test_a_control_group_of_everybody_never_sends(found):
    text = HEAD.replace("service", "marketing") + "    control_group: 100%\n    conversion: purchase\n"
    assert told(found(text)) == [("NEVER_SENDS", 2, 3, "warning")]


def test_a_rule_that_always_loses_is_told(found):
    findings = found(pair("    priority: 60\n", "    only_if:\n      - profile.a = 1\n"))
    assert told(findings) == [("SHADOWED", 9, 3, "warning")]
    assert "'hello' (rules/r.yaml:2)" in findings[0].problem
    assert "rests" in findings[0].problem
    assert "can never send" in found(pair("    priority: 60\n    cooldown: 0s\n"))[0].problem


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("    only_if:\n      - profile.a = 1\n", ""),
        ("    priority: 60\n    limits:\n      per_person: 1 per day\n", ""),
        ("    priority: 60\n    status: draft\n", ""),
        ("    priority: 60\n    runs: until 2026-12-01\n", ""),
        ("    priority: 40\n", "    only_if:\n      - profile.a = 1\n"),
        (
            "    priority: 60\n    only_if:\n      - profile.a = 1\n      - profile.b = 2\n",
            "    only_if:\n      - profile.a = 1\n",
        ),
        ("    priority: 60\n    only_if:\n      - profile.a = 1\n", "    only_if:\n      - profile.b = 1\n"),
    ],
)
def test_a_rule_that_wins_now_and_then_is_no_finding(found, first, second):
    assert [f for f in found(pair(first, second)) if f.code == "SHADOWED" and f.line > 3] == []


def test_a_wider_target_shadows_a_narrower_one_and_not_the_other_way(found):
    narrow = OTHER.replace("tag cafe", "cafe-mitte")
    assert [f.code for f in found(pair("    priority: 60\n", other=narrow))] == ["SHADOWED"]
    assert found(pair("    priority: 60\n", other=OTHER.replace("tag cafe", "tag cafe or depot"))) == []
    assert found(pair("    priority: 60\n", other=OTHER.replace("enters", "exits"))) == []


# ------------------------------------------------------------------ whatever it is


def test_the_order_of_files_and_rules_does_not_change_what_is_found(found):
    one, two = found(pair("    priority: 60\n")), found(pair("", "    priority: 60\n", head=OTHER, other=HEAD))
    assert [f.code for f in one] == [f.code for f in two] == ["SHADOWED"]
    assert replace(one[0], line=0, problem="", fix="") == replace(two[0], line=0, problem="", fix="")


def test_every_code_of_these_checks_is_explained():
    root = Path(__file__).parents[2]
    page = (root / "docs/reference/rules.md").read_text("utf-8")
    codes = {
        code
        for path in sorted((root / "engine/author").glob("lint_*.py"))
        for code in re.findall(r'"([A-Z]+(?:_[A-Z]+)*)"', path.read_text("utf-8"))
    }
    assert {"QUIET_HOURS", "SHADOWED", "UNUSED"} <= codes
    assert sorted(code for code in codes if f"`{code}`" not in page) == []


def test_where_nobody_is_told_of_warnings_what_refuses_a_release_is_still_found():
    weak = pair("    priority: 60\n", "    only_if:\n      - profile.a = 1\n")
    files = {"geofences/city.geojson": json.dumps(FENCES).encode(), "rules/r.yaml": weak.encode()}
    loud, quiet = (compile_bundle(Bundle(files, Policy()), new=True, told=told) for told in (True, False))
    assert [f.code for f in loud[1] if f not in quiet[1]] == ["SHADOWED"]
    assert quiet[0] == loud[0]
    files["rules/r.yaml"] += b"      - profile.a = 2\n"
    with pytest.raises(AuthorError, match="never hold together"):
        compile_bundle(Bundle(files, Policy()), new=True, told=False)


def test_checks_that_are_left_out_where_nobody_is_told_know_no_errors():
    sources = {check.__module__: inspect.getsource(inspect.getmodule(check)) for check in CHECKS}
    knowing = {name for name, source in sources.items() if '"error"' in source}
    assert knowing == {check.__module__ for check in REFUSING}
