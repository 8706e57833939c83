"""A server with a schedule, on a fast clock: it sends at the minute, and catches up after it was down."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from engine.app import Server, open_server
from engine.author.config import load_config
from engine.clock import SimulatedClock
from engine.model.config import Config
from engine.model.record import ProfileChange
from engine.ports import MomentQuery

RULES = """
rules:
  minute:
    purpose: service
    cooldown: 0s
    when:
      schedule: "*/5 9-10 * * *"
    message:
      send_within: 30 minutes
      title: "Good morning, {{ profile.name }}"
"""
CONFIG = """
[server]
port = 0
[decide]
time_zone = "Europe/Berlin"
[channels.console]
adapter = "console"
"""


def project(folder: Path) -> Config:
    (folder / "rules").mkdir()
    (folder / "geofences").mkdir()
    (folder / "rules" / "all.yaml").write_text(RULES)
    (folder / "config.toml").write_text(CONFIG)
    return load_config(folder / "config.toml", {})


def clock(text: str, speed: float) -> SimulatedClock:
    return SimulatedClock(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp(), speed)


async def sent(server: Server, at_least: int) -> list[str]:
    """The local times of what was sent, once there are so many."""
    moments = []
    for _ in range(200):
        moments = await server.runner.store.moments(MomentQuery(rule="minute"))
        if len([m for m in moments if m.outbox and m.outbox[0].status == "sent"]) >= at_least:
            break
        await asyncio.sleep(0.05)
    return sorted(str(m.moment.cause.data["local"]) for m in moments if m.moment.decision.verdict == "send")


async def test_a_server_sends_at_the_minute_and_catches_up_after_it_was_down(tmp_path: Path) -> None:
    config = project(tmp_path)
    async with open_server(config, {}, clock("2026-11-24T07:59:00", 240.0)) as server:
        await server.runner.submit([ProfileChange("ada", True, {"name": "Ada"})], applied=True)
        times = await sent(server, 2)
        assert times[:2] == ["2026-11-24T09:00", "2026-11-24T09:05"]
        assert server.runner.health()["ready"]
    grid = [f"2026-11-24T09:{minute:02d}" for minute in range(0, 55, 5)]
    expected = [text for text in grid if text <= times[-1] or text > "2026-11-24T09:20"]
    again = clock("2026-11-24T08:50:30", 1.0)  # it was down until ten to ten
    async with open_server(config, {}, again) as server:
        assert await sent(server, len(expected)) == expected, "what may still be sent, and each once"
        expired = await server.runner.store.moments(MomentQuery(rule="minute", decision="suppress"))
        late = [(str(m.moment.cause.data["local"]), str(m.moment.decision.reason)) for m in expired]
        assert late == [(text, "EXPIRED") for text in ("2026-11-24T09:20",) if text not in expected]
        assert server.runner.divergence == 0
