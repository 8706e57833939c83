"""A composer for one rule, and names as the core gives them."""

from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from engine.compose import Composer
from engine.model.moment import Message
from engine.model.release import Release
from engine.model.rule import MessageSpec, MessageText, OnEvent, Rule

NOW = 1_795_508_100.0  # Tuesday 2026-11-24 08:15 UTC

Compose = Callable[..., Message]


@pytest.fixture
def names() -> dict[str, Any]:
    return {
        "profile": {"first_name": "Ada", "points": 7, "likes": ["flat white", "tea"], "nothing": None, "zip": "12"},
        "fence": {"id": "cafe-mitte", "name": "Café Mitte", "tags": ["cafe", "central"], "weather": {"temp_c": 4}},
        "device": {"id": "d1"},
        "event": {"name": "app_open"},
        "context": {},
        "person": {"id": "p9"},
        "offer": {"title": "20 %", "price": 1234.5, "until": "2026-12-24T18:00:00Z"},
        "global": {},
    }


@pytest.fixture
def compose(names: dict[str, Any]) -> Compose:
    def run(
        title: str = "",
        body: str = "",
        link: str = "",
        data: dict[str, str] | None = None,
        languages: dict[str, MessageText] | None = None,
        language: str | None = None,
        now: float = NOW,
        zone: str = "UTC",
        **more: Any,
    ) -> Message:
        spec = MessageSpec(
            MessageText(title, body, link, data or {}), languages=languages or {}, where="rules/x.yaml:9"
        )
        rule = Rule("r", (OnEvent("e"),), spec)
        return Composer.compile(Release("h", (rule,))).compose(rule, {**names, **more}, language, now, ZoneInfo(zone))

    return run


@pytest.fixture
def title(compose: Compose) -> Callable[..., str]:
    """Only what a title comes out as."""
    return lambda source, **more: compose(title=source, **more).title
