"""``herenow replay``: on the journal of a live server, on a file, and where history was cut."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from engine.cli.main import main
from tests.support import OPEN_HOUSE, circle, running, write_project

CAFE = circle("cafe", 52.52, 13.405, 100, tags=["cafe"])
RULES = """
rules:
  hello:
    when:
      event: open
    only_if:
      - event.value > {}
    message:
      title: {}
"""


def project(folder: Path, least: int = 5, title: str = "One", config: str = OPEN_HOUSE) -> Path:
    return write_project(folder, config, RULES.format(least, title), [CAFE])


def ran(*args: str) -> Result:
    return CliRunner().invoke(main, ["replay", *map(str, args)], catch_exceptions=False)


async def told(*args: str, code: int = 0) -> str:
    """Beside a server that runs in this very loop."""
    result = await asyncio.to_thread(ran, *args)
    assert result.exit_code == code, result.output
    return result.output


def changed(folder: Path, least: int = 2, title: str = "One") -> str:
    """Changed rules in a folder of their own."""
    rules = folder / "changed"
    rules.mkdir(exist_ok=True)
    (rules / "all.yaml").write_text(RULES.format(least, title))
    return str(rules)


async def test_the_journal_of_a_live_server_under_changed_rules(tmp_path: Path):
    config = project(tmp_path)
    async with running(config) as here:
        for n in range(8):
            await here.post("/v1/signals", {"device": f"d{n}", "event": "open", "context": {"value": n}})
        await here.settled()
        args = ("--config", str(config), "--diff", "--rules", changed(tmp_path))
        text = await told(*args)
        assert text.startswith("3 more people would have got hello (5 instead of 2).")
        assert "Nobody above a cap, nothing in quiet hours." in text
        report = json.loads(await told(*args, "--format", "json"))
        assert report["totals"]["gained"] == 3
        assert report["rules"][0]["why_gained"] == {"event.value > 5": 3}
        assert {m["person"] for m in report["moments"]} == {"d3", "d4", "d5"}
        assert report["signals"] == 8
        await told(*args, "--format", "html", "--out", str(tmp_path / "page.html"))
        assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")
        same = await told("--config", str(config), "--diff")
        assert same.startswith("Nobody would have noticed: the same 2 messages")
        report = json.loads(await told(*args, "--format", "json", "--since", "2100-01-01T00:00:00Z"))
        assert report["totals"]["before"] == report["totals"]["after"] == 0


async def test_history_that_was_cut_begins_at_a_checkpoint_and_says_so(tmp_path: Path):
    config = project(tmp_path)
    async with running(config) as here:
        await here.put("/v1/profiles/p1", {"devices": ["d1"]})
        await here.settled()
    journal = tmp_path / "var" / "journal"
    async with running(config) as here:
        await here.server.runner.store._run(  # type: ignore[attr-defined]  # as retention does, a day later
            here.server.runner.store._journal_thread,
            here.server.runner.store._journal.roll,  # type: ignore[attr-defined]
        )
        await here.post("/v1/signals", {"device": "d1", "event": "open", "context": {"value": 3}})
        await here.settled()
    first, *rest = sorted(journal.glob("*.seg"))
    assert rest
    first.unlink()
    text = await told("--config", str(config), "--diff", "--rules", changed(tmp_path))
    assert "1 more person would have got hello (1 instead of 0)." in text
    assert "History begins" in text
    report = json.loads(await told("--config", str(config), "--diff", "--rules", changed(tmp_path), "--format", "json"))
    assert report["history_begins"] is not None
    assert report["moments"][0]["person"] == "p1"  # known from the checkpoint


def signals(folder: Path) -> Path:
    file = folder / "track.ndjson"
    rows = [{"device": f"d{n}", "at": 1_795_521_600 + n, "event": "open", "context": {"value": n}} for n in range(8)]
    file.write_text("\n".join(map(json.dumps, rows)))
    return file


async def test_a_file_is_compared_with_the_projects_own_files(tmp_path: Path):
    config = project(tmp_path)
    file = signals(tmp_path)
    args = (str(file), "--config", str(config), "--diff", "--format", "json")
    report = json.loads(await told(*args, "--rules", changed(tmp_path)))
    assert (report["totals"]["gained"], report["source"]) == (3, "track.ndjson")
    report = json.loads(await told(*args, "--rules", changed(tmp_path, 5, "Two")))
    assert report["totals"]["changed"] == 2
    assert "nothing to compare with" in await told(*args, code=2)


async def test_estimates_count_what_each_rule_would_send(tmp_path: Path):
    config = project(tmp_path)
    answer = json.loads(await told(str(signals(tmp_path)), "--config", str(config), "--estimate", "--format", "json"))
    (hello,) = answer["estimates"]
    assert (hello["rule"], hello["messages"], hello["people"], hello["minute_peak"]) == ("hello", 2, 2, 2)


async def test_a_change_that_trips_the_blast_guard_ends_with_1(tmp_path: Path):
    config = project(tmp_path, config=OPEN_HOUSE.replace("1000000", "3"))
    args = (str(signals(tmp_path)), "--config", str(config), "--diff", "--rules", changed(tmp_path, -1))
    text = await told(*args, code=1)
    assert "Careful: the blast guard would have paused hello." in text


def test_wrong_use_is_told(tmp_path: Path):
    config = str(project(tmp_path))
    for args, words in (
        (("--diff", "--estimate"), "ask one"),
        (("--format", "html"), "--diff"),
        ((), "there is no journal"),
        (("--since", "yesterday"), "--since"),
    ):
        result = ran("--config", config, *args)
        assert result.exit_code == 2, args
        assert words in result.output, args


def test_plain_replay_of_a_file_lists_its_moments(tmp_path: Path):
    result = ran(str(signals(tmp_path)), "--config", str(project(tmp_path)), "--format", "json")
    answer: dict[str, Any] = json.loads(result.output)
    assert [m["decision"] for m in answer["moments"]] == ["send", "send"]
    assert answer["signals"] == 8


def test_progress_is_silent_where_nobody_watches(tmp_path: Path):
    result = ran(str(signals(tmp_path)), "--config", str(project(tmp_path)))
    assert result.stderr == ""


@pytest.mark.parametrize("kept", [False, True])
def test_only_a_long_past_is_worth_loading_compiled_loops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: bool):
    """Loading them takes longer than a short replay does; compiling them first, much longer."""
    loaded: list[int] = []
    monkeypatch.setattr("engine.cli.replaying.fast.load", lambda: loaded.append(1))
    monkeypatch.setattr("engine.cli.replaying.fast.kept", lambda: kept)
    file, config = signals(tmp_path), project(tmp_path)
    for long, worth, times in ((8, 8, 0), (8, 7, int(kept)), (7, 7, int(kept) + 1)):
        monkeypatch.setattr("engine.cli.replaying.LONG", long)
        monkeypatch.setattr("engine.cli.replaying.WORTH", worth)
        ran(str(file), "--config", str(config))
        assert len(loaded) == times
