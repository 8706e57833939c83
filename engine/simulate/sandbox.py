"""What makes a server the sandbox: the demo city, its own folder, two harmless channels, a fast clock."""

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from engine.model.config import Channel, Config
from engine.simulate.personas import CITY_ZONE

SPEED = 60.0
"""Simulated seconds per real second: a day takes 24 minutes."""

HARMLESS = ("console", "inbox")


def sandbox_start() -> float:
    """The instant at which every sandbox begins: a Monday, 07:30 in the demo city (epoch seconds)."""
    return datetime(2026, 11, 23, 7, 30, tzinfo=ZoneInfo(CITY_ZONE)).timestamp()


def city_folder() -> Path:
    """The folder of the demo city's ``rules`` and ``geofences``: inside the wheel, or the top of a checkout."""
    packaged = Path(__file__).parent / "city"
    return packaged if packaged.is_dir() else Path(__file__).parents[2]


def sandbox_config(config: Config, folder: Path) -> Config:
    """``config`` made harmless: data in ``folder``/var/sandbox, no egress, and nothing but the console and the inbox.

    A channel of another kind keeps its name, so that rules which use it still load, and prints to the console.
    Rules and geofences stay those of the configuration where they exist, else they are the demo city's.
    """
    paths = config.paths
    if not (Path(paths.rules).is_dir() and Path(paths.geofences).is_dir()):
        paths = replace(paths, rules=str(city_folder() / "rules"), geofences=str(city_folder() / "geofences"))
    decide = config.policy.decide
    if decide.time_zone == "UTC":
        decide = replace(decide, time_zone=CITY_ZONE)
    channels = tuple(Channel(c.name, c.adapter if c.adapter in HARMLESS else "console") for c in config.channels)
    channels += tuple(Channel(name, name) for name in HARMLESS if name not in {c.name for c in channels})
    return replace(
        config,
        paths=replace(paths, data=str(folder / "var" / "sandbox")),
        store="embedded:",
        channels=channels,
        egress_allow=(),
        policy=replace(config.policy, decide=decide, channels=tuple(c.name for c in channels)),
    )
