"""The same message whatever the hash seed, the machine's zone, or its clock."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = """
from zoneinfo import ZoneInfo
import msgspec
from engine.compose import Composer, check_template
from engine.model.release import Release
from engine.model.rule import MessageSpec, MessageText, OnEvent, Rule

text = MessageText(
    "{{ now | date: '%A %H:%M %z' }} {{ today }} {{ '2026-12-24' | date: 'long' }}",
    "{% for like in profile.likes %}{{ like }} {% endfor %}{{ profile.likes | uniq | sort | join: '+' }}",
    data={key: "{{ profile." + key + " | default: now }}" for key in "zyxwv"},
)
rule = Rule("r", (OnEvent("e"),), MessageSpec(text, languages={"de": text, "fr": text}))
composer = Composer.compile(Release("h", (rule,)))
names = {"profile": {"likes": ["tea", "coffee", "tea"], "x": 5}}
for language in (None, "de", "fr"):
    message = composer.compose(rule, names, language, 1_795_508_100.0, ZoneInfo("Europe/Berlin"))
    print(msgspec.json.encode(message).decode())
for wrong in ("{{ x | upcse }}", "{% iff %}", "{{ profil.x }}", "{{ 1 | nope }}"):
    print(check_template(wrong))
"""


def said(seed: str, zone: str) -> str:
    environment = {
        "PYTHONHASHSEED": seed,
        "TZ": zone,
        "LC_ALL": "C",
        "PYTHONPATH": str(ROOT),
        "PYTHONIOENCODING": "utf-8",
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, encoding="utf-8", check=True
    )
    return done.stdout


@pytest.mark.parametrize(("seed", "zone"), [("1", "America/New_York"), ("4242", "Asia/Tokyo")])
def test_messages_and_problems_are_byte_for_byte_the_same(seed: str, zone: str) -> None:
    first = said("0", "UTC")
    assert "Tuesday 09:15 +0100 2026-11-24" in first
    assert "Dienstag 09:15" in first
    assert said(seed, zone) == first
