"""What ``check`` finds of names: fields and their types, what templates ask for, and what nobody uses."""

import pytest

from tests.author.conftest import FENCES
from tests.author.small import HEAD, OTHER, lines, titled, told

# ------------------------------------------------------------------ fields and their types

SCHEMA = """\
fields:
  profile.tier: one of gold, silver
  profile.age: number
  profile.member: yes/no
  profile.interests: list
  profile.since: date
  profile.first_name: text, always
  profile.free: any
"""


@pytest.mark.parametrize(
    ("line", "column", "fix"),
    [
        ("profile.age = gold", 9, "declared in rules/schema.yaml:3"),
        ("profile.age > 3 and profile.tier = 3", 29, 'Write "3" in quotes.'),
        ("profile.age contains 3", 9, "Write: profile.age = 3"),
        ("profile.tier = golden", 9, "One of: gold, silver."),
        ("profile.tier in gold, silvr", 9, "Did you mean 'silver'?"),
        ("profile.member = yes", 9, "Write true."),
        ("profile.member < 3", 9, ""),
        ("profile.interests = art", 9, "Write: profile.interests contains art"),
        ("profile.since > 12", 9, "2026-11-02"),
        ("profile.tier + 1 > 3", 9, ""),
        ("profile.age = profile.tier", 9, ""),
        ("device.speed = fast", 9, ""),
        ("device.stopped = yes", 9, "Write true."),
        ("fence.tags = cafe", 9, "fence.tags contains cafe"),
    ],
)
def test_a_comparison_that_the_type_forbids_is_an_error(found, line, column, fix):
    findings = [f for f in found(lines(line), schema=SCHEMA) if f.code == "IMPOSSIBLE_COMPARISON"]
    assert told(findings)[0] == ("IMPOSSIBLE_COMPARISON", 9, column, "error")
    assert fix in findings[0].fix


@pytest.mark.parametrize(
    "line",
    [
        "profile.age between 3 and 5",
        "profile.age * 2 > profile.age + 1",
        "profile.tier in gold, silver",
        "profile.tier != gold",
        "profile.member = true",
        "profile.interests contains art",
        "profile.since > 2026-01-02",
        "profile.first_name contains An",
        "profile.free = 3 or profile.free = x",
        "profile.age exists and not profile.tier exists",
        "fence.name = Café and device.battery < 0.2",
    ],
)
def test_a_comparison_that_the_type_allows_is_none(found, line):
    assert found(lines(line), schema=SCHEMA) == []


def test_a_slip_of_the_pen_for_a_declared_field_is_an_error(found):
    findings = found(lines("profile.teir = gold"), schema=SCHEMA)
    assert told(findings) == [("UNKNOWN_FIELD", 9, 9, "error")]
    assert findings[0].edit == ("profile.teir", "profile.tier")


def test_an_undeclared_field_is_a_warning_only_where_fields_of_its_kind_are_declared(found):
    text = lines("profile.shoe_size > 44", "global.weather.temp_c < 3")
    assert told(found(text, schema=SCHEMA)) == [("UNKNOWN_FIELD", 9, 9, "warning")]
    assert found(text) == []


def test_a_field_in_a_template_is_looked_at_where_it_stands(found):
    text = HEAD.replace("title: Hi", "title: \"Hi {{ profile.frist_name | default: 'you' }}\"")
    assert told(found(text, schema=SCHEMA)) == [("UNKNOWN_FIELD", 7, 21, "error")]


def test_a_part_of_a_declared_field_and_a_fences_metadata_are_known(found):
    fences = {**FENCES, "features": [dict(f) for f in FENCES["features"]]}
    fences["features"][0]["properties"] = {**fences["features"][0]["properties"], "metadata": {"seats": 4}}
    schema = "fields:\n  profile.address: any\n  fence.weather: any\n"
    assert found(lines("profile.address.city = Bonn", "fence.seats > 3"), schema=schema, fences=fences) == []


def test_a_name_used_once_beside_a_like_one_used_often_is_told(found):
    often = (
        lines("profile.loyalty = gold") + OTHER.removeprefix("rules:\n") + "    only_if:\n      - profile.loyalty = x\n"
    )
    findings = found(often + lines("profile.loyality = gold").replace("rules:\n", "").replace("hello", "third"))
    assert [(f.code, f.severity) for f in findings if f.code == "UNKNOWN_FIELD"] == [("UNKNOWN_FIELD", "warning")]
    twice = [lines("profile.loyality = gold").replace("rules:\n", "").replace("hello", name) for name in ("c", "d")]
    assert [f for f in found(often + "".join(twice)) if f.code == "UNKNOWN_FIELD"] == []
    numbered = often.replace("profile.loyalty = x", "profile.loyalty_2 = x")
    assert [f for f in found(numbered) if f.code == "UNKNOWN_FIELD"] == []


# ------------------------------------------------------------------ templates, and what nobody uses


def test_a_name_that_may_be_missing_is_told_where_it_stands(found):
    findings = found(titled("Hi {{ profile.dock }}"))
    assert told(findings) == [("MAY_BE_MISSING", 7, 20, "warning")]
    assert "{{ profile.dock | default: 'something' }}" in findings[0].fix


@pytest.mark.parametrize(
    "text",
    [
        titled("Welcome to {{ fence.name }}, {{ person.id }}"),
        titled("Hi {{ profile.dock }}", "profile.dock exists"),
        titled("Hi {{ profile.dock }}", "profile.dock > 3 and profile.a = 1"),
        titled("Hi {{ profile.dock }}", "any_of: [profile.dock = 1, profile.dock = 2]"),
        titled("Hi {{ profile.dock }}") + "    unless:\n      - profile.dock = 3\n",
        titled("'Hi {% if profile.dock %}{{ profile.dock }}{% endif %}'"),
        titled("\"{{ profile.dock | default: 'x' }}\""),
        titled("Got {{ event.name }}", when="event: purchase"),
    ],
)
def test_a_name_that_is_surely_there_is_no_finding(found, text):
    assert found(text) == []


def test_the_place_of_a_schedule_or_of_the_first_message_goes_along(found):
    scheduled = titled("Lunch at {{ fence.name }}", when="schedule: every day at 11:30")
    assert [f.code for f in found(scheduled)] == ["MAY_BE_MISSING"]
    assert found(scheduled.replace("at 11:30", "at 11:30\n      to: tag cafe")) == []
    second = (
        titled("From {{ fence.name }}", when="after: other clicked")
        .replace("hello", "again", 1)
        .removeprefix("rules:\n")
    )
    assert [f for f in found(OTHER + second) if f.code == "MAY_BE_MISSING"] == []
    event = OTHER.replace("enters: tag cafe", "event: purchase")
    assert [f.code for f in found(event + second) if f.code == "MAY_BE_MISSING"] == ["MAY_BE_MISSING"]


def test_one_branch_alone_promises_nothing(found):
    assert [f.code for f in found(titled("Hi {{ profile.dock }}", "profile.dock = 1 or profile.a = 2"))] == [
        "MAY_BE_MISSING"
    ]
    assert [f.code for f in found(titled("Got {{ fence.name }}", when="event: purchase"))] == ["MAY_BE_MISSING"]


def test_a_declared_field_may_promise_that_it_is_always_there(found):
    assert found(titled("Hi {{ profile.first_name }}"), schema=SCHEMA) == []
    assert [f.code for f in found(titled("Hi {{ profile.tier }}"), schema=SCHEMA)] == ["MAY_BE_MISSING"]


def test_what_a_fence_or_offer_always_has_is_no_finding(found):
    fences = {**FENCES, "features": [{**f, "properties": {**f["properties"], "seats": 3}} for f in FENCES["features"]]}
    assert (
        found(
            titled("{{ fence.seats }} seats").replace("title: {{ fence.seats }} seats", 'title: "{{ fence.seats }}"'),
            fences=fences,
        )
        == []
    )
    offers = "offers:\n  cake:\n    code: X\n"
    assert found(titled("Use {{ offer.code }}") + "    offer: cake\n", offers=offers) == []
    assert "has no offer" in found(titled("Use {{ offer.code }}"))[0].problem


def test_what_nobody_uses_is_pointed_out(found):
    files = {
        "segments": "segments:\n  young:\n    - profile.age < 30\n",
        "offers": "offers:\n  cake:\n    title: Cake\n",
    }
    assert sorted((f.file, f.code, f.line, f.column, f.severity) for f in found(HEAD, **files)) == [
        ("rules/offers.yaml", "UNUSED", 2, 3, "info"),
        ("rules/segments.yaml", "UNUSED", 2, 3, "info"),
    ]
    used = lines("in_segment: young") + "    offer: cake\n"
    assert found(used, **files) == []
