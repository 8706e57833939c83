"""The sandbox: a Monday morning in the demo city, and nothing that could reach anybody."""

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from engine.model.config import Channel, Config, Paths
from engine.simulate.sandbox import city_folder, sandbox_config, sandbox_start
from engine.simulate.weather import city_facts


def test_it_starts_on_a_monday_at_half_past_seven_in_the_city():
    start = datetime.fromtimestamp(sandbox_start(), ZoneInfo("Europe/Berlin"))
    assert (start.strftime("%A"), start.hour, start.minute) == ("Monday", 7, 30)


def test_channels_keep_their_names_and_reach_only_console_and_inbox(tmp_path: Path):
    config = Config(
        channels=(Channel("push", "webhook", {"url": "https://example.com"}),), egress_allow=("10.0.0.0/8",)
    )
    harmless = sandbox_config(config, tmp_path)
    assert [(c.name, c.adapter, c.settings) for c in harmless.channels] == [
        ("push", "console", {}),
        ("console", "console", {}),
        ("inbox", "inbox", {}),
    ]
    assert harmless.policy.channels == ("push", "console", "inbox")
    assert harmless.egress_allow == ()


def test_its_data_lies_apart(tmp_path: Path):
    assert sandbox_config(Config(), tmp_path).paths.data == str(tmp_path / "var" / "sandbox")


def test_an_empty_folder_gets_the_demo_city_and_a_project_keeps_its_own(tmp_path: Path):
    assert sandbox_config(Config(paths=Paths(str(tmp_path / "rules"))), tmp_path).paths.rules == str(
        city_folder() / "rules"
    )
    for name in ("rules", "geofences"):
        (tmp_path / name).mkdir()
    own = Paths(str(tmp_path / "rules"), str(tmp_path / "geofences"))
    assert sandbox_config(Config(paths=own), tmp_path).paths.rules == own.rules


def test_it_is_cold_on_a_november_morning_and_trains_are_late_at_rush_hour_only():
    assert city_facts(sandbox_start(), 1)["weather"]["temp_c"] < 12
    assert city_facts(sandbox_start(), 1)["transit"]["delay_min"] >= 5
    assert "transit" not in city_facts(sandbox_start() + 4 * 3600, 1)
    assert city_facts(sandbox_start(), 1) == city_facts(sandbox_start(), 1)
