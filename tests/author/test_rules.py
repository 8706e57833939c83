"""Rule files: the whole example of the reference loads, and every mistake is told with its place and fix."""

import pytest

from engine.model.release import DecidePolicy, Policy, SensePolicy
from engine.model.rule import (
    AnyOf,
    Cap,
    Compare,
    Conversion,
    DayTime,
    Did,
    Expression,
    InSegment,
    Inside,
    Literal_,
    LocalTime,
    Name,
    Near,
    NoneOf,
    OnEvent,
    OnTransition,
    Target,
    Visited,
)

MORNING_COFFEE = """\
# rules/morning-coffee.yaml
rules:
  morning-coffee:
    about: A commuter near a café on a cold workday morning gets 20 % off a flat white.
    owner: crm-team
    status: live                  # live (default) | draft | paused | ended
    purpose: marketing            # marketing (default) | service | transactional
    runs: 2026-11-02 to 2027-02-26
    priority: 80                  # 0-100, default 50
    journey: coffee-loyalty       # declared in rules/journeys.yaml
    stage: consider
    when:
      enters: tag cafe            # or a fence id; several: tag cafe or tag bakery
    only_if:                      # every line must hold
      - local_time: mon-fri 08:00-10:15
      - in_segment: commuter or student
      - fence.weather.temp_c < 12
      - visited: tag office, at least 2 times, in the last 7 days
    unless:                       # no line may hold
      - did: purchase, in the last 24 hours
    offer: flat-white-20          # rules/offers.yaml: codes, stock, valid_until
    message:
      channels: push, then sms
      send_within: 15 minutes
      title: "Cold out, {{ profile.first_name | default: 'you' }}"
      body: 20 % off a flat white at {{ fence.name }} until 10:30.
      link: shop://offers/flat-white-20
      languages:
        de:
          title: Kalt draußen?
          body: 20 % auf einen Flat White bei {{ fence.name }} bis 10:30.
    limits:
      per_person: 1 per 6 hours
      total: 500 per day
    conversion:
      event: purchase
      within: 3 days
    control_group: 5%             # default: none
"""
SEGMENTS = """\
segments:
  commuter:
    about: Goes to an office.
    only_if:
      - visited: tag office, at least 3 times, in the last 7 days
  student:
    - profile.role = student
"""
OFFERS = """\
offers:
  flat-white-20:
    title: 20 % off a flat white
    code: FW20
    stock: 500
    valid_until: 2027-02-26
"""
JOURNEYS = """\
journeys:
  coffee-loyalty:
    stages: [notice, consider, buy]
"""
CATALOG = {"segments": SEGMENTS, "offers": OFFERS, "journeys": JOURNEYS}
PUSH = Policy(channels=("push", "sms", "console"))


def told(findings, severity="error"):
    return [(f.code, f.line, f.column) for f in findings if f.severity == severity]


def test_the_whole_example_loads(compiled):
    release, findings = compiled(coffee=MORNING_COFFEE, policy=PUSH, **CATALOG)
    assert findings == []
    rule = release.rules[0]
    assert rule.when == (OnTransition("enter", Target((), ("cafe",)), where="rules/coffee.yaml:13"),)
    assert rule.runs == ("2026-11-02", "2027-02-26")
    assert (rule.priority, rule.journey, rule.stage, rule.offer) == (80, "coffee-loyalty", "consider", "flat-white-20")
    time, segment, weather, visited = rule.only_if
    assert isinstance(time, LocalTime)
    assert time.spans == (DayTime((0, 1, 2, 3, 4), 480, 615),)
    assert isinstance(segment, InSegment)
    assert segment.segments == ("commuter", "student")
    assert weather == Expression(
        text="fence.weather.temp_c < 12",
        where="rules/coffee.yaml:17",
        expr=Compare("<", Name(("fence", "weather", "temp_c")), Literal_(12)),
    )
    assert isinstance(visited, Visited)
    assert (visited.target, visited.times, visited.seconds) == (Target((), ("office",)), 2, 604800)
    assert isinstance(rule.unless[0], Did)
    assert (rule.unless[0].event, rule.unless[0].times, rule.unless[0].seconds) == ("purchase", 1, 86400)
    assert rule.message.channels == ("push", "sms")
    assert rule.message.send_within == 900
    assert rule.message.text.title == "Cold out, {{ profile.first_name | default: 'you' }}"
    assert rule.message.languages["de"].title == "Kalt draußen?"
    assert (rule.limits.per_person, rule.limits.total) == ((Cap(1, 21600.0),), (Cap(500, "day"),))
    assert rule.conversion == Conversion("purchase", 259200)
    assert rule.control_group == 0.05
    assert release.offers["flat-white-20"].stock == 500
    assert sorted(release.segments) == ["commuter", "student"]


def test_the_smallest_rule_loads_and_is_advised_to_have_a_conversion(compiled):
    text = (
        "rules:\n  hello:\n    when:\n      enters: tag cafe\n    message:\n      title: Welcome to {{ fence.name }}\n"
    )
    release, findings = compiled(hello=text)
    assert release.rules[0].id == "hello"
    assert told(findings, "warning") == [("NO_CONVERSION", 2, 3)]


@pytest.mark.parametrize(
    ("head", "triggers"),
    [
        ("when:\n      exits: cafe-mitte or tag work", [("exit", ("cafe-mitte",), ("work",), 0, "fire")]),
        ("when:\n      enters: [tag cafe, depot]", [("enter", ("depot",), ("cafe",), 0, "fire")]),
        ("when:\n      dwells: tag cafe, for 10 minutes", [("dwell", (), ("cafe",), 600, "fire")]),
        (
            "when:\n      - enters: tag cafe\n        initial: ignore\n      - dwells: depot, for 5m",
            [("enter", (), ("cafe",), 0, "ignore"), ("dwell", ("depot",), (), 300, "fire")],
        ),
    ],
)
def test_transitions_wake_a_rule(rule, head, triggers):
    found, findings = rule(head=head)
    assert findings == []
    assert [(t.kind, t.target.fences, t.target.tags, t.seconds, t.initial) for t in found.when] == triggers


def test_events_wake_a_rule(rule):
    found, _ = rule(head="when:\n      event: [app_open, purchase]")
    assert [t.event for t in found.when if isinstance(t, OnEvent)] == ["app_open", "purchase"]


@pytest.mark.parametrize(
    ("line", "near"),
    [
        ("crosses: tag cafe or depot", ("cross", 0.0, 0.0)),
        ("approaches: tag cafe, within 300 m", ("approach", 0.0, 300.0)),
        ("approaches: depot, within 1.5 km", ("approach", 0.0, 1500.0)),
        ("approaches: depot, within 5 minutes", ("approach", 300.0, 0.0)),
    ],
)
def test_passing_through_and_coming_near_wake_a_rule(rule, line, near):
    found, findings = rule(head=f"when:\n      {line}")
    assert findings == []
    assert [(t.kind, t.seconds, t.metres) for t in found.when] == [near]


@pytest.mark.parametrize(
    ("line", "fix"),
    [
        ("approaches: depot", "Write: depot, within 300 m"),
        ("approaches: depot, at 300 m", "Write: depot, within 300 m"),
        ("approaches: depot, within 30 km", "at most 20 km"),
        ("approaches: depot, within 3 hours", "at most 60 minutes"),
        ("crosses: depot, within 300 m", "or"),
    ],
)
def test_a_wrong_approach_names_the_fix(rule, line, fix):
    _, findings = rule(head=f"when:\n      {line}")
    assert [finding.severity for finding in findings] == ["error"]
    assert fix in findings[0].fix


def test_conditions_nest(rule):
    found, findings = rule(
        """\
    only_if:
      - any_of:
          - inside: tag office or depot
          - near: cafe-mitte, within 1.5 km
          - none_of:
              - profile.tier in gold, silver
              - did: purchase where event.kind in a, b and event.amount > 3, at least 2 times, in the last day
"""
    )
    assert findings == []
    (any_of,) = found.only_if
    assert isinstance(any_of, AnyOf)
    inside, near, none_of = any_of.items
    assert isinstance(inside, Inside)
    assert inside.target == Target(("depot",), ("office",))
    assert isinstance(near, Near)
    assert near.metres == 1500
    assert isinstance(none_of, NoneOf)
    did = none_of.items[1]
    assert isinstance(did, Did)
    assert (did.times, did.seconds) == (2, 86400)
    assert did.filter is not None


@pytest.mark.parametrize(
    ("line", "code", "column", "fix"),
    [
        ("weather.temp_c < 12", "EXPRESSION", 9, "Did you mean fence.weather.temp_c?"),
        ("profile.tier == gold", "EXPRESSION", 22, "Write '='."),
        ('"profile.tier == gold"', "EXPRESSION", 23, "Write '='."),
        ("profile.tier: gold", "UNKNOWN_CONDITION", 9, "Write: - profile.tier = gold"),
        ("vistied: tag office, in the last 7 days", "UNKNOWN_CONDITION", 9, "Did you mean 'visited'?"),
        ("visited: tag office", "BAD_VALUE", 18, "in the last 7 days"),
        ("visited: tag ofice, in the last 7 days", "UNKNOWN_TAG", 18, "Did you mean 'office'?"),
        ("inside: depo", "UNKNOWN_FENCE", 17, "Did you mean 'depot'? (geofences/city.geojson)"),
        ("inside: cafe", "UNKNOWN_FENCE", 17, "Write: tag cafe"),
        ("inside: depot, office", "BAD_VALUE", 17, "Write: depot or office"),
        ("near: depot", "BAD_VALUE", 15, "Write: depot, within 500 m"),
        ("in_segment: commutr", "UNKNOWN_SEGMENT", 21, "rules/segments.yaml"),
        ("local_time: moon 08:00-09:00", "BAD_VALUE", 21, "Did you mean 'mon'?"),
        ("did: two words, in the last day", "BAD_VALUE", 14, "EVENT"),
        ("did: purchase where amount > 3, in the last day", "EXPRESSION", 29, "Did you mean event.amount?"),
        ("did: purchase, 3 times, in the last day", "BAD_VALUE", 14, "at least N times"),
        ("sequence: [a, b]", "WRONG_TYPE", 20, "enters: tag shop"),
        ("device.batery < 0.3", "EXPRESSION", 9, "device.battery"),
    ],
)
def test_a_wrong_condition_names_place_and_fix(rule, line, code, column, fix):
    _, findings = rule(f"    only_if:\n      - {line}\n")
    assert (findings[0].code, findings[0].line) == (code, 9)
    assert findings[0].column == column
    assert fix in findings[0].fix


@pytest.mark.parametrize(
    ("lines", "code", "fix"),
    [
        ("    stauts: live\n", "UNKNOWN_KEY", "Did you mean 'status'?"),
        ("    status: lvie\n", "BAD_VALUE", "Did you mean 'live'?"),
        ("    priority: 101\n", "BAD_VALUE", ""),
        ("    priority: .nan\n", "BAD_VALUE", ""),
        ("    runs: 2026-13-01\n", "BAD_VALUE", "2026-11-02"),
        ("    cooldown: 5\n", "BAD_VALUE", "15 minutes"),
        ("    control_group: 5\n", "BAD_VALUE", "5%"),
        ("    offer: nothing\n", "UNKNOWN_OFFER", "rules/offers.yaml"),
        ("    stage: consider\n", "MISSING", "journey"),
        ("    limits:\n      per_person: 3 per mnth\n", "BAD_VALUE", "Did you mean 'month'?"),
        ("    limits: 3 per day\n", "WRONG_TYPE", "limits"),
        ("    conversion:\n      within: 3 days\n", "MISSING", "event: purchase"),
        ("    only_if:\n", "MISSING", "list"),
        ("    only_if: []\n", "MISSING", "item"),
        ("    only_if:\n      a: 1\n      b: 2\n", "WRONG_TYPE", "- a"),
        ("    variants: []\n", "NOT_YET", ""),
        ("    owner:\n      - a\n", "WRONG_TYPE", ""),
    ],
)
def test_a_wrong_key_of_a_rule_names_the_fix(rule, lines, code, fix):
    _, findings = rule(lines)
    assert findings[0].code == code
    assert findings[0].line >= 8
    assert fix in findings[0].fix


@pytest.mark.parametrize(
    ("message", "code", "fix"),
    [
        ("      channels: push\n      title: Hi\n", "UNKNOWN_CHANNEL", "console"),
        ("      titel: Hi\n", "UNKNOWN_KEY", "Did you mean 'title'?"),
        ("      link: a\n", "MISSING", "title"),
        ("      title: '{{ fence.name '\n", "TEMPLATE", ""),
        ("      title: [Sale]\n", "NEEDS_QUOTES", 'title: "[Sale]"'),
        ("      title: Hi\n      languages:\n        german:\n          title: Hallo\n", "BAD_VALUE", "de"),
        ("      title: Hi\n      send_within: 0s\n", "BAD_VALUE", "15 minutes"),
        ("      title: Hi\n      channels: console, then console\n", "BAD_VALUE", "Keep one"),
    ],
)
def test_a_wrong_message_names_the_fix(compiled, message, code, fix):
    head = "rules:\n  a:\n    purpose: service\n    when:\n      event: x\n    message:\n"
    _, findings = compiled(a=head + message)
    assert [f.code for f in findings if f.severity == "error"] == [code]
    assert fix in findings[0].fix + findings[0].problem


def test_a_text_that_loses_its_end_to_a_comment_is_told(compiled):
    text = "rules:\n  a:\n    purpose: service\n    when:\n      event: x\n    message:\n      title: You are #1\n"
    release, findings = compiled(a=text)
    assert release is not None
    assert [(f.code, f.fix) for f in findings] == [("COMMENT_IN_TEXT", 'Write: title: "You are #1"')]


def test_all_errors_of_all_files_come_at_once_sorted(compiled):
    first = (
        "rules:\n  a:\n    when:\n      enters: depo\n    message:\n      titel: x\n  b:\n    when:\n      events: y\n"
    )
    _, findings = compiled(b=first, a="rules:\n  c: 3\n", files={"geofences/x.geojson": "{"})
    files = [f.file for f in findings]
    assert files == sorted(files)
    assert {"geofences/x.geojson", "rules/a.yaml", "rules/b.yaml"} == set(files)
    assert {f.code for f in findings} >= {"JSON", "WRONG_TYPE", "UNKNOWN_FENCE", "UNKNOWN_KEY", "UNKNOWN_TRIGGER"}


def test_ids_are_unique_over_files(compiled):
    text = "rules:\n  hello:\n    when:\n      event: x\n    message:\n      title: Hi\n"
    _, findings = compiled(a=text, b=text)
    assert told(findings) == [("DUPLICATE_RULE", 2, 3)]
    assert "rules/a.yaml:2" in findings[1].problem


def test_journeys_and_stages_must_exist_where_journeys_are_declared(rule):
    lines = "    journey: coffee-loyalty\n    stage: consider\n"
    assert rule(lines)[1] == []
    assert rule(lines, journeys=JOURNEYS)[1] == []
    assert told(rule(lines.replace("consider", "consder"), journeys=JOURNEYS)[1]) == [("UNKNOWN_STAGE", 9, 12)]
    assert told(rule(lines.replace("coffee", "tea"), journeys=JOURNEYS)[1]) == [("UNKNOWN_JOURNEY", 8, 14)]


def test_a_dwell_as_long_as_the_silence_is_an_error(rule):
    _, findings = rule(head="when:\n      dwells: depot, for 30 minutes")
    assert told(findings) == [("DWELL_TOO_LONG", 7, 15)]
    patient = Policy(sense=SensePolicy(silence=7200.0), decide=DecidePolicy())
    assert rule(head="when:\n      dwells: depot, for 30 minutes", policy=patient)[1] == []


def test_segments_may_not_depend_on_themselves(compiled):
    text = "segments:\n  a:\n    - in_segment: b\n  b:\n    - in_segment: a\n  c:\n    - in_segment: a\n"
    _, findings = compiled(segments=text)
    assert told(findings) == [("CIRCULAR", 2, 3), ("CIRCULAR", 4, 3)]


@pytest.mark.parametrize(
    "text", ["offers:\n  a:\n    stock: -1\n", "offers:\n  a:\n    stock: 1.5\n", "offers:\n  a: 3\n"]
)
def test_a_wrong_offer_is_told(compiled, text):
    _, findings = compiled(offers=text)
    assert told(findings)


def test_declared_fields_are_offered_for_a_bare_name(rule):
    schema = "fields:\n  fence.weather.temp_c: number\n  fence.temp_c: number\n"
    _, findings = rule("    only_if:\n      - temp_c < 12\n", schema=schema)
    assert "fence.temp_c" in findings[0].fix
    assert told(rule(schema="fields:\n  tier: text\n")[1]) == [("BAD_VALUE", 2, 3)]


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "rules:\n", "- a\n", "hello\n", "rules: 3\n", "rules:\n  - a\n", "3\n"]
)
def test_a_file_without_rules_is_told_or_empty(compiled, text):
    release, findings = compiled(a=text)
    assert release is not None or findings


def test_a_rule_outside_rules_is_shown_where_it_belongs(compiled):
    _, findings = compiled(a="hello:\n  when:\n    event: x\n  message:\n    title: Hi\n")
    assert "under 'rules:'" in findings[0].fix
