"""Small projects made of texts."""

import json

import pytest

from engine.author.crosscheck import cross_check
from engine.author.lint import lint
from engine.author.project import Bundle, compile_bundle, read_parts
from engine.errors import AuthorError
from engine.model.release import Policy

FENCES = {
    "type": "FeatureCollection",
    "features": [
        {
            "type": "Feature",
            "id": name,
            "properties": {"tags": tags, "radius": 120},
            "geometry": {"type": "Point", "coordinates": [13.4, 52.5]},
        }
        for name, tags in (("cafe-mitte", ["cafe"]), ("depot", ["work"]), ("office", ["office"]))
    ],
}


@pytest.fixture
def compiled():
    """``compiled("rules/a.yaml"=…)`` -> (release or None, findings); three fences are there unless told otherwise."""

    def build(files=None, policy=None, **named):
        content = {"geofences/city.geojson": json.dumps(FENCES), **(files or {})}
        content |= {f"rules/{name}.yaml": text for name, text in named.items()}
        raw = {name: text.encode() if isinstance(text, str) else text for name, text in content.items()}
        try:
            return compile_bundle(Bundle(raw, policy or Policy()))
        except AuthorError as error:
            return None, error.findings

    return build


@pytest.fixture
def rule(compiled):
    """``rule(lines)`` -> (the rule, findings) of a service rule with these further lines (four spaces deep)."""

    def build(lines="", head="when:\n      enters: tag cafe", **more):
        text = f"rules:\n  hello:\n    purpose: service\n    message:\n      title: Hi\n    {head}\n{lines}"
        release, findings = compiled(r=text, **more)
        return (release.rules[0] if release else None), findings

    return build


@pytest.fixture
def found():
    """``found(rules=…)`` -> (code, line, column, severity) of each finding of the checks, and the findings."""

    def look(rules="", today=None, policy=None, fences=FENCES, **files):
        content = {"geofences/city.geojson": json.dumps(fences), "rules/r.yaml": rules}
        content |= {f"rules/{name}.yaml": text for name, text in files.items()}
        bundle = Bundle({name: text.encode() for name, text in content.items()}, policy or Policy())
        parts, findings = read_parts(bundle)
        wrong = [f for f in [*findings, *cross_check(parts)] if f.severity == "error"]
        assert wrong == [], "the example itself must be right"
        return lint(parts, today)

    return look
