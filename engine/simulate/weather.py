"""The demo city's facts: weather and trains, made from the hour and a seed."""

import math
from datetime import datetime
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from engine.simulate.personas import CITY_ZONE

SKIES = ("clear", "cloudy", "cloudy", "rain", "fog")


def city_facts(at: float, seed: int | str) -> dict[str, Any]:
    """Facts of scope ``global`` at that instant. Trains run late at rush hour and are not spoken of at other times."""
    local = datetime.fromtimestamp(at, ZoneInfo(CITY_ZONE))
    rng = Random(f"{seed}|{local.date().isoformat()}|{local.hour}")  # noqa: S311 (a simulation, not a secret)
    season = 9.0 - 10.0 * math.cos(2 * math.pi * (local.timetuple().tm_yday - 20) / 365)
    warmth = 3.5 * math.cos(2 * math.pi * (local.hour - 15) / 24)
    facts: dict[str, Any] = {
        "weather": {"temp_c": round(season + warmth + rng.uniform(-1.5, 1.5), 1), "sky": rng.choice(SKIES)}
    }
    if local.weekday() < 5 and local.hour in (7, 8, 16, 17):
        facts["transit"] = {"delay_min": rng.randint(5, 14), "platform": rng.randint(2, 9)}
    return facts
