"""The live page: works under a strict content policy, and never turns what it is told into markup."""

import re
from pathlib import Path

import pytest

STATIC = Path(__file__).parents[2] / "engine" / "api" / "static"
PAGE = (STATIC / "index.html").read_text("utf-8")
SCRIPTS = {path.name: path.read_text("utf-8") for path in sorted(STATIC.glob("*.js"))}


def test_the_page_has_no_inline_script_style_or_handler():
    assert re.findall(r"<script(?![^>]*\bsrc=)", PAGE) == []
    assert re.findall(r"<style|\sstyle=|\son\w+=|javascript:", PAGE) == []


@pytest.mark.parametrize("name", SCRIPTS)
def test_text_from_outside_never_becomes_markup(name):
    for danger in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "srcdoc"):
        assert danger not in SCRIPTS[name]


def test_everything_the_page_loads_is_there_and_comes_from_this_server():
    loaded = re.findall(r'(?:href|src)="([^"#]+)"', PAGE)
    assert loaded
    assert [url for url in loaded if not (url.startswith("/static/") and (STATIC / url[8:]).is_file())] == []
    for text in SCRIPTS.values():
        assert all((STATIC / name).is_file() for name in re.findall(r'from "\./([^"]+)"', text))
        assert "http://" not in text
        assert "https://" not in text


def test_every_element_that_the_script_asks_for_exists():
    ids = set(re.findall(r'\bid="([\w-]+)"', PAGE))
    asked = set(re.findall(r'\$\("([\w-]+)"\)', SCRIPTS["app.js"]))
    assert asked <= ids


def test_controls_have_names_and_states_for_those_who_do_not_see():
    assert '<html lang="en">' in PAGE
    assert all("aria-pressed" in tile for tile in re.findall(r'<button[^>]*class="tile[^>]*>', PAGE))
    for control in re.findall(r"<(?:input|select)[^>]*>", PAGE):
        before = PAGE[: PAGE.index(control)]
        assert before.rindex("<label>") > (before.rindex("</label>") if "</label>" in before else -1), control
