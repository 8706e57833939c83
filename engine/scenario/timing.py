"""When the steps of a scenario happen, and a step that cannot."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from engine.author.scenario_parts import Mark, Scenario, Step, TimeOfDay
from engine.author.scenario_times import local_instant
from engine.errors import HerenowError
from engine.simulate.recordings import read_track

MAX_FIXES = 500  # of one step

Body = dict[str, Any]


class Stuck(Exception):
    """A step that cannot be taken: the scenario fails there."""

    def __init__(self, mark: Mark, problem: str, fix: str = "") -> None:
        super().__init__(problem)
        self.mark, self.problem, self.fix = mark, problem, fix


def instants(start: float, end: float, every: float) -> Iterator[float]:
    """From start to end, both included; further apart where they would be too many."""
    every = max(every, (end - start) / MAX_FIXES)
    count = int((end - start) / every) if every > 0 else 0
    for n in range(count + 1):
        yield start + n * every
    if start + count * every < end:
        yield end


def instant_of(time: TimeOfDay, now: float, zone: str, mark: Mark) -> float:
    """The instant of a step's time, which is not before ``now``. Raises ``Stuck``."""
    local = datetime.fromtimestamp(now, ZoneInfo(zone))
    day = local.date()
    if time.day == "next":
        day += timedelta(days=1)
    elif isinstance(time.day, int):
        day += timedelta(days=(time.day - day.weekday()) % 7)
    elif isinstance(time.day, str):
        day = datetime.fromisoformat(time.day).date()
    try:
        instant, _ = local_instant(day, time.seconds, zone)
        if isinstance(time.day, int) and instant + time.precision <= now:
            instant, _ = local_instant(day + timedelta(days=7), time.seconds, zone)
    except ValueError as error:
        raise Stuck(mark, str(error), "Choose a time that the clocks of that day show.") from error
    if instant + time.precision <= now:
        raise Stuck(
            mark, f"It is {local:%a %Y-%m-%d %H:%M} already when this step comes.", "Write a later time, or next day …"
        )
    return max(instant, now)


def begins_at(scenario: Scenario) -> float:
    """The instant of the clock, or of the first point of the track that it begins with. Raises ``Stuck``."""
    if scenario.given.clock is not None:
        return scenario.given.clock
    return float(track_of(scenario, scenario.steps[0])[0]["at"])


def track_of(scenario: Scenario, step: Step) -> list[Body]:
    """The points of the track that a step follows. Raises ``Stuck``."""
    try:
        return _read(Path(scenario.folder) / step.name)
    except HerenowError as error:
        raise Stuck(step.mark, f"The track cannot be read: {error.problem}", error.fix) from error


@lru_cache(maxsize=16)
def _read(path: Path) -> list[Body]:
    return read_track(path, "track")
