"""The JSON Schemas that editors get: what the readers take they take, and what is wrong they tell."""

import re
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from engine.author import catalog, conditions, message, properties, rules, scenario_keys, schema_places, triggers
from engine.author import schema_rules as words
from engine.author import schema_scenarios as scenarios
from engine.author.nodes import plain
from engine.author.schema import SCHEMAS
from engine.author.schema_settings import shape_of
from engine.author.settings import SECTIONS
from engine.author.yaml import load
from tests.author.test_reuse import MESSAGES, RULE, TEMPLATES
from tests.author.test_rules import CATALOG, MORNING_COFFEE

ROOT = Path(__file__).parents[2]
VALIDATORS = {name: jsonschema.Draft7Validator(make()) for name, make in SCHEMAS.items()}
_BLOCK = re.compile(r"^```(\S*)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[Any]:
    """The examples of this language in the docs."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [
        pytest.param(m[3], id=f"{page.name}:{page.read_text('utf-8').count(chr(10), 0, m.start()) + 1}")
        for page in pages
        for m in _BLOCK.finditer(page.read_text("utf-8"))
        if m[1] == language
    ]


def data_of(text: str) -> Any:
    """A YAML file as its reader understands it: by YAML 1.2."""
    document, findings = load("x.yaml", text.encode())
    assert findings == []
    return None if document.root is None else plain(document.root)


def wrong(kind: str, value: Any) -> list[str]:
    return [f"{list(error.path)}: {error.message}" for error in VALIDATORS[kind].iter_errors(value)]


@pytest.mark.parametrize("kind", SCHEMAS)
def test_a_schema_is_one(kind):
    jsonschema.Draft7Validator.check_schema(SCHEMAS[kind]())
    assert msgspec.json.encode(SCHEMAS[kind]())


@pytest.mark.parametrize("path", sorted((ROOT / "rules").rglob("*.yaml")), ids=lambda path: path.name)
def test_the_demo_rules_and_scenarios_are_taken(path):
    assert wrong("scenarios" if ".test." in path.name else "rules", data_of(path.read_text("utf-8"))) == []


@pytest.mark.parametrize("path", sorted((ROOT / "geofences").rglob("*.geojson")), ids=lambda path: path.name)
def test_the_demo_fences_are_taken(path):
    assert wrong("geofences", msgspec.json.decode(path.read_bytes())) == []


def test_the_demo_settings_are_taken():
    assert wrong("config", tomllib.loads((ROOT / "config.toml").read_text("utf-8"))) == []


@pytest.mark.parametrize("text", blocks("yaml"))
def test_the_rules_and_scenarios_of_the_docs_are_taken(text):
    kind = "scenarios" if re.search(r"^scenarios:", text, re.MULTILINE) else "rules"
    assert wrong(kind, data_of(text)) == []


@pytest.mark.parametrize("text", blocks("geojson"))
def test_the_fences_of_the_docs_are_taken(text):
    assert wrong("geofences", msgspec.json.decode(text)) == []


@pytest.mark.parametrize("text", blocks("toml"))
def test_the_settings_of_the_docs_are_taken(text):
    assert wrong("config", tomllib.loads(text)) == []


@pytest.mark.parametrize(
    "when",
    [
        "enters: <place>\n      initial: <first>",
        "schedule: <time>\n      to: <place>\n      in: <clock>",
        "- enters: <place>\n        initial: <first>\n      - <other>",
        "<other>",
    ],
)
def test_what_wakes_a_template_may_have_gaps_wherever_its_reader_takes_them(when, compiled):
    given = {"place": "tag cafe", "first": "ignore", "time": "every day at 11:30", "clock": "project"}
    gaps = [name for name in (*given, "other") if f"<{name}>" in when]
    text = f"templates:\n  woken:\n    parameters: [{', '.join(gaps)}]\n    purpose: service\n"
    text += f"    when:\n      {when}\n    message:\n      title: Hi\n"
    filled = "".join(f"      {name}: {given.get(name, '')}\n" for name in gaps).replace(
        "other: \n", "other:\n        event: app_open\n"
    )
    release, findings = compiled(templates=text, a=f"rules:\n  one:\n    use: woken\n    with:\n{filled}")
    assert [f for f in findings if f.severity == "error"] == []
    assert release.rules[0].when
    assert wrong("rules", data_of(text)) == []


@pytest.mark.parametrize("text", [TEMPLATES, MESSAGES, RULE])
def test_what_rules_share_is_taken(text):
    assert wrong("rules", data_of(text)) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("    use: stay", "    usee: stay"),
        ("    with:", "    withh:"),
        ("    purpose: service", "    purpose: servise"),
        ("      rank: 40", "      rank: 40\n    use: other"),
        ("    priority: <rank>", "    priority: <>"),
        ("      dwells: <place>, for <time>", "      dwells: <place>, for <time>\n      initial: never"),
        ("    text: Your", "    txt: Your"),
        ("    link: shop://hello", "    lnik: shop://hello"),
        ("    link: shop://hello", "    use: other"),
    ],
)
def test_what_is_wrong_with_what_rules_share_is_told(before, after):
    texts = [text.replace(before, after) for text in (TEMPLATES, MESSAGES, RULE) if before in text]
    assert len(texts) == 1
    assert wrong("rules", data_of(texts[0])) != []


@pytest.mark.parametrize("text", [MORNING_COFFEE, *CATALOG.values(), "", "# nothing\n"])
def test_the_whole_example_and_the_catalogues_are_taken(text):
    assert wrong("rules", data_of(text)) == []


HEAD = "rules:\n  a:\n    when:\n      enters: tag cafe\n    message:\n      title: Hi\n"


@pytest.mark.parametrize(
    "text",
    [
        HEAD.replace("enters: tag cafe", "enters: [tag cafe, depot]"),
        HEAD.replace("enters: tag cafe", "- event: x\n      - dwells: a, for 5m\n        initial: ignore"),
        HEAD + "    only_if: profile.a = 1\n",
        HEAD + "    unless:\n      - any_of:\n          - a.b = 1\n          - inside: x\n",
        HEAD + "    cooldown: 0\n    control_group: none\n    priority: 7.5\n",
        HEAD + "    cooldown: 1 hour and 30 Minutes\n    conversion: purchase\n",
        HEAD + "    limits:\n      per_person: [1 per day, 3 times a week]\n      total: 5/day\n",
        HEAD.replace("title: Hi", "title: 20"),
        HEAD.replace("  a:", "  café-2.b_1:"),
    ],
)
def test_every_form_that_the_reader_takes_is_taken(text, compiled):
    assert wrong("rules", data_of(text)) == []


@pytest.mark.parametrize(
    "text",
    [
        "rules:\n  a: 3\n",
        "rulez: {}\n",
        "rules: [a]\n",
        HEAD.replace("when:", "wenn:"),
        HEAD.replace("enters:", "entres:"),
        HEAD.replace("enters: tag cafe", "enters: tag cafe\n      exits: tag cafe"),
        HEAD.replace("enters: tag cafe", "initial: fire"),
        HEAD.replace("title", "titel"),
        HEAD.replace("title: Hi", "link: a"),
        HEAD.replace("title: Hi", "title: [Sale]"),
        HEAD.replace("title: Hi", "title: Hi\n      languages:\n        german:\n          title: Hallo"),
        HEAD + "    status: lvie\n",
        HEAD + "    priority: 101\n",
        HEAD + "    priority: high\n",
        HEAD + "    cooldown: 5\n",
        HEAD + "    cooldown: 5 lightyears\n",
        HEAD + "    control_group: 5\n",
        HEAD + "    stage: consider\n",
        HEAD + "    limits: 3 per day\n",
        HEAD + "    limits:\n      per_person: 0 per day\n",
        HEAD + "    conversion:\n      within: 3 days\n",
        HEAD + "    only_if:\n      - vistied: x\n",
        HEAD + "    only_if:\n      - inside: x\n        near: y\n",
        HEAD + "    only_if: []\n",
        HEAD.replace("  a:", '  "a b":'),
        "offers:\n  a:\n    stock: -1\n",
        "offers:\n  a:\n    stok: 1\n",
        "fields:\n  profile.a:\n    type: numbr\n",
        "segments:\n  a:\n    about: x\n",
    ],
)
def test_what_is_wrong_is_told(text):
    assert wrong("rules", data_of(text)) != []


@pytest.mark.parametrize(
    "change",
    [
        {"type": "Feture"},
        {"geometry": {"type": "Point", "coordinates": [13.4]}},
        {"geometry": {"type": "Point", "coordinates": [13.4, 152.5]}},
        {"geometry": {"type": "Pint", "coordinates": [13.4, 52.5]}},
        {"geometry": None},
        {"properties": {}},
        {"properties": None},
        {"properties": {"radius": "wide"}},
        {"properties": {"radius": 100, "tags": [1]}},
        {"id": None},
    ],
)
def test_a_wrong_fence_is_told(change):
    point = {"type": "Point", "coordinates": [13.4, 52.5]}
    feature = {"type": "Feature", "id": "a", "properties": {"radius": 100, "size": 3}, "geometry": point}
    assert wrong("geofences", feature) == []
    assert wrong("geofences", {"type": "FeatureCollection", "features": [feature]}) == []
    assert wrong("geofences", feature | change) != []
    assert wrong("geofences", {"type": "FeatureCollection", "features": [feature | change]}) != []


@pytest.mark.parametrize(
    "text",
    [
        "[servr]\nport = 1",
        "[server]\nprt = 1",
        "[server]\nport = 70000",
        '[decide]\nquiet_hours = "late"',
        '[decide]\ntime_zone = "Europe/Berln"',
        '[decide]\ncooldown = "6 hors"',
        "[sense]\nsilence = 30",
        "[channels.push]\nurl = 'x'",
        '[ingest]\nunknown_fields = "wran"',
    ],
)
def test_a_wrong_setting_is_told(text):
    assert wrong("config", tomllib.loads(text)) != []


# ------------------------------------------------------------------ nothing is left out


@pytest.mark.parametrize(
    ("keys", "described"),
    [
        (rules.KEYS, words.RULE),
        (message.KEYS, words.MESSAGE),
        ((*triggers.KINDS, *triggers.EXTRAS, *triggers.SCHEDULE_EXTRAS), words.TRIGGER),
        (conditions.READERS, words.CONDITION),
        (catalog.OFFER_KEYS, words.OFFER),
        (properties.KNOWN, schema_places.PROPERTY),
        (scenario_keys.GIVEN, scenarios.GIVEN),
        ((*scenario_keys.FILE, *scenario_keys.SCENARIO), scenarios.SCENARIO),
        ([key for action, beside in scenario_keys.STEPS.items() for key in (action, *beside)], scenarios.STEP),
        ([key for kind, beside in scenario_keys.EXPECT.items() for key in (kind, *beside)], scenarios.EXPECTED),
    ],
)
def test_editors_say_something_about_every_key(keys, described):
    assert [key for key in keys if not described.get(key, ({}, ""))[1]] == []


def test_every_setting_has_its_shape():
    missing = [f"{section}.{key}" for section, keys in SECTIONS.items() for key in keys if not shape_of(keys[key])]
    assert missing == []
