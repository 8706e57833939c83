"""Templates, named messages and partials: what rules share without copying it."""

import pytest

from engine.author.bundle import Bundle
from engine.author.crosscheck import cross_check
from engine.author.fix import fix_files
from engine.author.lint import lint
from engine.author.project import compile_bundle, read_parts
from engine.model.release import Policy
from engine.model.rule import OnTransition
from engine.pipeline.changes import changes

HEAD = "rules:\n  a:\n    purpose: service\n    when:\n      event: x\n    message:\n"
ONE_GAP = "templates:\n  t:\n    parameters: [x]\n    purpose: service\n    when:\n      event: y\n    message:\n"
CAFE = {
    "geofences/a.geojson": b'{"type": "Feature", "id": "c", "properties": {"tags": ["cafe"], "radius": 200}, '
    b'"geometry": {"type": "Point", "coordinates": [13.4, 52.5]}}'
}
MESSAGES = """\
messages:
  welcome:
    title: Welcome to {{ fence.name }}
    body: Good to see you. {{ partial.signature }}
    link: shop://hello
    data:
      kind: greeting
      sound: bell
    languages:
      de:
        title: Willkommen
        body: Schön, dich zu sehen. {{ partial.signature }}
partials:
  signature:
    text: Your team in {{ partial.city }}
    languages:
      de: Dein Team in {{ partial.city }}
  city: Berlin
"""
TEMPLATES = """\
templates:
  stay:
    parameters:
      place:
      time: 10 minutes
      rank: 40
    about: Somebody has been at <place> for <time>.
    purpose: service
    priority: <rank>
    when:
      dwells: <place>, for <time>
    only_if:
      - profile.tier = gold
    unless:
      - did: purchase, in the last 2 hours
    message:
      use: welcome
      send_within: 20 minutes
"""
RULE = """\
rules:
  linger:
    use: stay
    with:
      place: tag cafe
"""


def built(compiled, rule=RULE, messages=MESSAGES, templates=TEMPLATES, **more):
    release, findings = compiled(a=rule, messages=messages, templates=templates, **more)
    return (release.rules[0] if release else None), [f for f in findings if f.severity != "info"]


def places(findings):
    return [f"{f.file}:{f.line}:{f.column} {f.code}" for f in findings]


# ------------------------------------------------------------------ templates


def test_a_rule_fills_the_gaps_of_its_template(compiled):
    rule, findings = built(compiled)
    assert findings == []
    trigger = rule.when[0]
    assert isinstance(trigger, OnTransition)
    assert (trigger.kind, trigger.target.tags, trigger.seconds) == ("dwell", ("cafe",), 600.0)
    assert (rule.id, rule.about, rule.priority) == ("linger", "Somebody has been at tag cafe for 10 minutes.", 40.0)
    assert (rule.where, rule.only_if[0].where) == ("rules/a.yaml:2", "rules/templates.yaml:13")


def test_what_a_rule_says_beside_it_goes_over_the_template(compiled):
    more = "    priority: 90\n    only_if: profile.age > 30\n    message:\n      title: Still here?\n      languages:\n"
    rule, findings = built(compiled, RULE + more + "        de:\n          title: Noch da?\n")
    assert findings == []
    assert rule.priority == 90.0
    assert [c.text for c in rule.only_if] == ["profile.tier = gold", "profile.age > 30"]  # narrower, never wider
    assert [c.text for c in rule.unless] == ["did: purchase, in the last 2 hours"]
    assert rule.message.text.title == "Still here?"
    assert rule.message.text.body.startswith("Good to see you.")
    assert rule.message.languages["de"].title == "Noch da?"
    assert rule.message.languages["de"].body.startswith("Schön")
    assert rule.message.send_within == 1200.0


def test_a_gap_may_take_a_whole_list(compiled):
    templates = (
        "templates:\n  t:\n    parameters: [lines, event]\n    purpose: service\n    when:\n      event: <event>\n"
    )
    templates += "    only_if: <lines>\n    message:\n      title: Hi\n"
    rule = "rules:\n  a:\n    use: t\n    with:\n      event: open\n      lines:\n"
    rule += "        - profile.a = 1\n        - profile.b = 2\n"
    read, findings = built(compiled, rule, templates=templates)
    assert findings == []
    assert [(c.text, c.where) for c in read.only_if] == [
        ("profile.a = 1", "rules/a.yaml:7"),
        ("profile.b = 2", "rules/a.yaml:8"),
    ]


def test_a_wrong_value_is_told_where_it_stands_and_names_the_gap(compiled):
    _, findings = built(compiled, RULE.replace("tag cafe", "tag caffe"))
    assert places(findings) == ["rules/a.yaml:5:14 UNKNOWN_TAG"]
    assert "(It goes into rules/templates.yaml:11.)" in findings[0].problem
    assert findings[0].fix == "Did you mean 'cafe'?"


def test_a_wrong_template_is_told_once_where_it_stands_and_names_a_rule(compiled):
    rules = RULE + "".join(f"  more-{n}:\n    use: stay\n    with:\n      place: depot\n" for n in range(50))
    _, findings = built(compiled, rules, templates=TEMPLATES.replace("profile.tier = gold", "profle.tier = gold"))
    assert places(findings) == ["rules/templates.yaml:13:9 EXPRESSION"]
    assert "(The rule 'linger' uses it: rules/a.yaml:2.)" in findings[0].problem


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("use: stay", "use: stat", "3:10 UNKNOWN_TEMPLATE: Unknown template 'stat'. Did you mean 'stay'?"),
        ("place: tag", "plaice: tag", "5:7 UNKNOWN_PARAMETER: 'plaice' is no parameter of the template 'stay'."),
        ("    with:\n      place: tag cafe\n", "", "3:5 MISSING: The template 'stay' (rules/templates.yaml:3) needs"),
        ("place: tag cafe", "place:", "5:13 MISSING: 'place' is empty."),
        ("place: tag cafe", "place: [a, b]", "5:14 WRONG_TYPE: 'place' goes into a text (rules/templates.yaml"),
        ("    use: stay\n", "", "3:5 MISSING: 'with' fills the gaps of a template, and there is none."),
        ("place: tag cafe", "place: tag cafe\n      time: 10 mintes", "6:16 BAD_VALUE"),
        ("    use:", "    usee:", "4:5 MISSING: 'with' fills the gaps of a template, and there is none."),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_use_is_told_at_the_rule(compiled, before, after, told):
    _, findings = built(compiled, RULE.replace(before, after))
    assert any(f"{f.line}:{f.column} {f.code}: {f.problem} {f.fix}".startswith(told) for f in findings), findings
    assert {f.file for f in findings} == {"rules/a.yaml"}


@pytest.mark.parametrize(
    ("before", "after", "place"),
    [
        ("    purpose: service", "    use: stay\n    purpose: service", "8:5 TEMPLATE_IN_TEMPLATE"),
        ("<place>, for", "<plaice>, for", "11:15 UNKNOWN_PARAMETER"),
        ("    purpose:", "    purpos:", "8:5 UNKNOWN_KEY"),
        ("      place:\n", "      place:\n      3d: x\n", "5:7 BAD_VALUE"),
        ("      use: welcome", "      data:\n        <place>: x", "18:9 BAD_VALUE"),
    ],
)
def test_a_template_is_checked_although_no_rule_uses_it(compiled, before, after, place):
    text = "rules:\n  a:\n    purpose: service\n    when:\n      event: x\n    message:\n      title: Hi\n"
    _, findings = built(compiled, text, templates=TEMPLATES.replace(before, after))
    assert f"rules/templates.yaml:{place}" in places(findings)


def test_a_rule_of_a_wrong_template_adds_nothing_to_what_is_told(compiled):
    _, findings = built(compiled, templates=TEMPLATES.replace("<place>, for", "<plaice>, for"))
    assert places(findings) == ["rules/templates.yaml:11:15 UNKNOWN_PARAMETER"]


def test_a_parameter_without_a_gap_and_what_nobody_uses_are_told():
    parts = {
        "rules/templates.yaml": TEMPLATES.replace("priority: <rank>", "priority: 3"),
        "rules/messages.yaml": MESSAGES,
    }
    findings = judge({name: text.encode() for name, text in parts.items()})
    assert {(f.severity, f.code, f.problem) for f in findings} == {
        ("warning", "UNUSED", "The parameter 'rank' of 'stay' goes nowhere."),
        ("info", "UNUSED", "No rule uses the template 'stay'."),
        ("info", "UNUSED", "No rule uses the message 'welcome'."),
    }


# ------------------------------------------------------------------ messages and partials


def test_a_rule_uses_a_message_and_changes_a_part_of_it(compiled):
    text = "rules:\n  a:\n    purpose: service\n    when:\n      enters: tag cafe\n    message:\n      use: welcome\n"
    rule, findings = built(compiled, text + "      body: Free cake.\n      data:\n        sound: gong\n")
    assert rule.message.text.title == "Welcome to {{ fence.name }}"
    assert (rule.message.text.body, rule.message.text.link) == ("Free cake.", "shop://hello")
    assert rule.message.text.data == {"kind": "greeting", "sound": "gong"}
    assert rule.message.languages["de"].body == "Schön, dich zu sehen. Dein Team in Berlin"
    assert places(findings) == ["rules/a.yaml:8:7 LEFT_BEHIND"]  # the German says something else now
    assert "its 'de' is still that of rules/messages.yaml:12" in findings[0].problem


def test_partials_speak_the_language_of_their_message(compiled):
    rule, _ = built(compiled)
    assert rule.message.text.body == "Good to see you. Your team in Berlin"
    assert rule.message.languages["de"].body.endswith("Dein Team in Berlin")
    austrian = MESSAGES.replace("      de:\n        title", "      de-AT:\n        title")
    rule, _ = built(compiled, messages=austrian)
    assert rule.message.languages["de-AT"].body.endswith("Dein Team in Berlin")
    french = MESSAGES.replace("      de:\n        title", "      fr:\n        title")
    rule, _ = built(compiled, messages=french)
    assert rule.message.languages["fr"].body.endswith("Your team in Berlin")


def test_rules_of_their_own_use_partials_too(compiled):
    rule, findings = built(compiled, HEAD + "      title: In {{partial.city}}!\n")
    assert (rule.message.text.title, findings) == ("In Berlin!", [])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Hi {{ partial.signatur }}", "7:28 UNKNOWN_PARTIAL: Unknown partial 'signatur'. Did you mean 'signature'?"),
        ("Hi {{ partial.city | upcase }}", "7:14 PARTIAL: A partial is put in as it stands."),
        ("Hi {% if partial.city %}x{% endif %}", "7:14 PARTIAL: A partial is put in as it stands."),
        ("Hi {{ partials.city }}", "7:14 PARTIAL: A partial is put in as it stands."),
    ],
)
def test_a_partial_that_is_not_there_or_more_than_text_is_told(compiled, text, told):
    _, findings = built(compiled, f"{HEAD}      title: {text}\n")
    shown = [f"{f.line}:{f.column} {f.code}: {f.problem} {f.fix}" for f in findings]
    assert len(shown) == 1
    assert shown[0].startswith(told)


def test_a_field_that_is_called_partial_is_none(compiled):
    rule = HEAD + "      title: A {{ profile.partial.sum }} b partial. c\n"
    read, findings = built(compiled, rule)
    assert (read is not None, findings) == (True, [])


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("  city: Berlin", "  city: Berlin {{ partial.signature }}", ["CIRCULAR"]),
        ("  city: Berlin", "  city: Berlin {{ partial.citi }}", ["UNKNOWN_PARTIAL"]),
        ("  city: Berlin", "  city: Berlin {{ oops", ["TEMPLATE"]),
        ("    title: Welcome", "    use: other\n    title: Welcome", ["MESSAGE_IN_MESSAGE"]),
        ("    text: Your team in {{ partial.city }}\n", "", ["MISSING"]),
        ("    link:", "    lnik:", ["UNKNOWN_KEY"]),
        ("  signature:", "  signa ture:", ["UNKNOWN_PARTIAL", "UNKNOWN_PARTIAL", "BAD_VALUE"]),
    ],
)
def test_what_is_wrong_in_the_file_of_messages_is_told_there_alone(compiled, before, after, told):
    _, findings = built(compiled, messages=MESSAGES.replace(before, after))
    assert [f.code for f in findings if f.code != "UNUSED"] == told
    assert {f.file for f in findings} == {"rules/messages.yaml"}


def test_an_unknown_message_is_told_with_the_nearest(compiled):
    head = "rules:\n  a:\n    purpose: service\n    when:\n      event: x\n    message:"
    _, findings = built(compiled, f"{head}\n      use: wellcome\n")
    assert [f"{f.line}:{f.column} {f.problem} {f.fix}" for f in findings] == [
        "7:12 Unknown message 'wellcome'. Did you mean 'welcome'?"
    ]
    _, findings = built(compiled, f"{head} welcome\n")
    assert [f.fix for f in findings] == ["Write 'message:' and below it, indented, 'use: welcome'."]


@pytest.mark.parametrize("key", ["templates", "messages", "partials"])
def test_a_file_of_rules_holds_none_of_them(compiled, key):
    _, findings = compiled(a=f"{key}:\n  x: y\n")
    file = "templates" if key == "templates" else "messages"
    assert [f.fix for f in findings] == [f"Put them into rules/{file}.yaml."]


# ------------------------------------------------------------------ lints, fixes, releases


def judge(files):
    parts, findings = read_parts(Bundle(files, Policy()))
    return [*findings, *cross_check(parts), *lint(parts)]


def files(**named):
    texts = {"a": RULE, "messages": MESSAGES, "templates": TEMPLATES} | named
    return {f"rules/{name}.yaml": text.encode() for name, text in texts.items()}


def test_checks_see_the_rule_as_it_is_in_the_end():
    errors = [f for f in judge(files(a=RULE + "    only_if: profile.tier = silver\n")) if f.code == "CONTRADICTION"]
    assert places(errors) == ["rules/a.yaml:6:5 CONTRADICTION"]
    assert "rules/templates.yaml:13" in errors[0].problem


def test_a_name_that_may_be_missing_is_told_in_the_file_that_writes_it():
    wanting = MESSAGES.replace("Good to see you.", "Hello {{ profile.first_name }}.")
    found = [f for f in judge(files(messages=wanting)) if f.code == "MAY_BE_MISSING" and "first_name" in f.problem]
    assert places(found) == ["rules/messages.yaml:4:20 MAY_BE_MISSING"]
    assert "'linger' sends nothing" in found[0].problem


def test_a_name_that_a_partial_writes_is_told_at_the_partial():
    wanting = MESSAGES.replace("  city: Berlin", "  city: Berlin {{ profile.district }}")
    found = [f for f in judge(files(messages=wanting)) if f.code == "MAY_BE_MISSING" and "district" in f.problem]
    assert places(found) == ["rules/messages.yaml:18:19 MAY_BE_MISSING"]


@pytest.mark.parametrize("gap", ["{{ place }}", "{place}", "< place >", "<place", "$place"])
def test_a_gap_in_other_brackets_is_told(gap):
    text = TEMPLATES.replace("dwells: <place>", f'dwells: "{gap}').replace(
        "for <time>\n    only", 'for <time>"\n    only'
    )
    found = [f for f in judge(files(templates=text)) if f.code == "NO_GAP"]
    assert [(f.line, f.fix) for f in found] == [(11, "Write: <place>")]


def test_fix_mends_each_mistake_in_its_own_file():
    broken = files(
        a=RULE.replace("use: stay", "use: stey").replace("place:", "plase:"),
        templates=TEMPLATES.replace("<place>, for", "<plaec>, for").replace("use: welcome", "use: welcmoe"),
        messages=MESSAGES.replace("{{ partial.city }}\n    languages", "{{ partial.ciyt }}\n    languages"),
    )
    mended = fix_files(broken, lambda files: judge(files))
    whole = files()
    assert {name: data.decode() for name, data in mended.items()} == {
        name: whole[name].decode() for name in whole if whole[name] != broken[name]
    }


def test_fix_mends_a_line_with_gaps_where_the_mistake_is():
    """Part of the line is the template's, part of it the rule's."""
    broken = files(templates=TEMPLATES.replace("<place>, for <time>", "<place> or tag cfae, for <time>"))
    mended = fix_files(broken | CAFE, judge)
    assert mended == {"rules/templates.yaml": broken["rules/templates.yaml"].replace(b"cfae", b"cafe")}
    broken = files(a=RULE.replace("tag cafe", "tag cfae"))
    mended = fix_files(broken | CAFE, judge)
    assert mended == {"rules/a.yaml": RULE.encode()}


def test_a_changed_template_shows_as_changes_of_its_rules():
    old, _ = compile_bundle(Bundle(files() | CAFE, Policy()))
    newer = files(templates=TEMPLATES.replace("time: 10 minutes", "time: 20 minutes"))
    new, _ = compile_bundle(Bundle(newer | CAFE, Policy()))
    assert old.hash != new.hash
    assert [(c.kind, c.id, c.what) for c in changes(old, new)] == [("rule", "linger", "changed")]


# ------------------------------------------------------------------ hostile


def test_ten_thousand_uses_are_read(compiled):
    rules = "rules:\n" + "".join(
        f"  r{n}:\n    use: stay\n    with: {{place: depot, rank: {n % 100}}}\n" for n in range(10_000)
    )
    release, findings = compiled(a=rules, messages=MESSAGES, templates=TEMPLATES)
    assert [f for f in findings if f.severity == "error"] == []
    assert len(release.rules) == 10_000


def test_a_template_cannot_stand_for_gigabytes(compiled):
    big = "templates:\n  t:\n    purpose: service\n    when:\n      event: x\n    only_if:\n"
    big += "".join(f"      - profile.a{n} = {'y' * 400}\n" for n in range(1000)) + "    message:\n      title: Hi\n"
    rules = "rules:\n" + "".join(f"  r{n}:\n    use: t\n" for n in range(30_000))
    _, findings = compiled(a=rules, templates=big)
    assert {(f.code, "Make the templates smaller" in f.fix) for f in findings if f.severity == "error"} == {
        ("TOO_LARGE", True)
    }


def test_gaps_in_gaps_do_not_multiply(compiled):
    gaps = " ".join(["<x>"] * 4000)
    templates = f"{ONE_GAP}      title: {gaps}\n"
    rule = f"rules:\n  a:\n    use: t\n    with:\n      x: {'<x>' * 300}\n"
    _, findings = compiled(a=rule, templates=templates)
    assert places(findings) == ["rules/a.yaml:5:10 TOO_LARGE"]


def test_a_filled_gap_is_not_filled_again(compiled):
    templates = f"{ONE_GAP}      title: A <x>\n"
    rule, _ = built(compiled, "rules:\n  a:\n    use: t\n    with:\n      x: <x>\n", templates=templates)
    assert rule.message.text.title == "A <x>"


def test_partials_of_partials_do_not_explode(compiled):
    lines = ["partials:", "  p0: " + "lol " * 100]
    lines += [f"  p{n}: " + f"{{{{ partial.p{n - 1} }}}}".join(["x"] * 30) for n in range(1, 12)]
    _, findings = compiled(messages="\n".join(lines) + "\n")
    assert {f.code for f in findings if f.severity == "error"} <= {"TOO_LARGE", "TOO_DEEP", "TEMPLATE"}
    assert any(f.severity == "error" for f in findings)


@pytest.mark.parametrize(
    "text",
    [
        *("", "# nothing\n", "templates:\n", "templates: 3\n", "templates:\n  a:\n", "templates:\n  a: [1]\n"),
        *("[1]\n", "x: 1\n", "messages:\n", "messages:\n  a: 3\n", "partials: 3\n", "partials:\n  a: [1]\n"),
        *("partials:\n  a:\n    languages: 3\n", "templates:\n  a: &a\n    when: *a\n"),
        *("templates:\n  a:\n    parameters: 3\n", "templates:\n  a:\n    parameters: {a: {b: c}}\n"),
    ],
)
@pytest.mark.parametrize("name", ["templates", "messages"])
def test_any_file_gives_findings_and_no_crash(compiled, name, text):
    compiled(**{name: text, "a": RULE})
