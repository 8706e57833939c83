"""Personas: people of the demo city with a week in their lives, authored as YAML and parsed to plain data."""

import re
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml
from msgspec import Struct, field

from engine.errors import HerenowError

FOLDER = Path(__file__).parent / "people"
CITY_ZONE = "Europe/Berlin"
SPEEDS = {"walk": 1.35, "run": 2.9, "bike": 4.6, "car": 8.5, "train": 14.0}  # metres per second
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_STEP = re.compile(r"(\d\d):(\d\d) (?:does (?P<event>\w+)(?P<data>(?: \w+=\S+)*)|(?P<mode>\w+) to (?P<place>[\w-]+))$")


class Move(Struct, frozen=True):
    """Leave for ``place`` at ``at`` (seconds of the local day)."""

    at: float
    mode: str
    place: str


class Act(Struct, frozen=True):
    """An event such as ``purchase`` with its data."""

    at: float
    event: str
    data: dict[str, Any] = field(default_factory=dict)


Step = Move | Act


class Persona(Struct, frozen=True):
    """One person. ``places`` are (lat, lon), the city's included; ``week`` holds the steps of each day (0 = Monday)."""

    id: str
    name: str
    language: str
    devices: tuple[str, ...]
    places: dict[str, tuple[float, float]]
    week: tuple[tuple[Step, ...], ...]
    profile: dict[str, Any] = field(default_factory=dict)
    consent: dict[str, bool] = field(default_factory=dict)
    time_zone: str = CITY_ZONE

    def steps(self, day: date) -> tuple[Step, ...]:
        """The plan of that day, in order of time."""
        return self.week[day.weekday()]

    def wakes_at(self, day: date) -> str:
        """The place where the day begins: where the last move of the days before ended."""
        for back in range(1, 8):
            moves = [s for s in self.week[(day.weekday() - back) % 7] if isinstance(s, Move)]
            if moves:
                return moves[-1].place
        return "home"

    @property
    def zone(self) -> ZoneInfo:
        """The zone in which the plan's times are meant."""
        return ZoneInfo(self.time_zone)


def load_personas(folder: Path = FOLDER) -> list[Persona]:
    """All personas of a folder (``*.yaml``; ``places.yaml`` holds the shared places), by id.

    Raises ``HerenowError`` naming the file and the line of the plan that is wrong.
    """
    city = _places(_read(folder / "places.yaml")) if (folder / "places.yaml").exists() else {}
    found = [_persona(path, city) for path in sorted(folder.glob("*.yaml")) if path.name != "places.yaml"]
    if not found:
        raise HerenowError("no personas here.", str(folder), "Put one *.yaml file per persona into the folder.")
    return sorted(found, key=lambda p: p.id)


def _read(path: Path) -> dict[str, Any]:
    try:
        data = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as problem:
        raise HerenowError(f"cannot be read: {problem}", str(path)) from problem
    if not isinstance(data, dict):
        raise HerenowError("is not a YAML mapping.", str(path))
    return data


def _places(data: dict[str, Any]) -> dict[str, tuple[float, float]]:
    return {str(name): (float(lat), float(lon)) for name, (lat, lon) in data.items()}


def _persona(path: Path, city: dict[str, tuple[float, float]]) -> Persona:
    data = _read(path)
    missing = [key for key in ("id", "devices", "places", "week") if key not in data]
    if missing:
        raise HerenowError(f"lacks {', '.join(missing)}.", str(path))
    places = city | _places(data["places"])
    return Persona(
        id=str(data["id"]),
        name=str(data.get("name", data["id"])),
        language=str(data.get("language", "en")),
        devices=tuple(map(str, data["devices"])),
        places=places,
        week=_week(path, data["week"], places),
        profile=dict(data.get("profile", {})),
        consent=dict(data.get("consent", {})),
        time_zone=str(data.get("time_zone", CITY_ZONE)),
    )


def _week(
    path: Path, plan: dict[str, list[str]], places: dict[str, tuple[float, float]]
) -> tuple[tuple[Step, ...], ...]:
    week: list[tuple[Step, ...]] = [()] * 7
    for span, lines in plan.items():
        steps = tuple(_step(path, line, places) for line in lines)
        if [s.at for s in steps] != sorted(s.at for s in steps):
            raise HerenowError(f"the steps of {span} are not in order of time.", str(path))
        first, _, last = span.partition("-")
        if first not in DAYS or (last or first) not in DAYS:
            raise HerenowError(f"'{span}' names no days.", str(path), "Write mon-fri, sat or sat-sun.")
        for day in range(DAYS.index(first), DAYS.index(last or first) + 1):
            week[day] = steps
    return tuple(week)


def _step(path: Path, line: str, places: dict[str, tuple[float, float]]) -> Step:
    match = _STEP.match(str(line))
    if match is None:
        raise HerenowError(
            f"cannot read '{line}'.", str(path), "Write '07:30 walk to home' or '08:00 does purchase price=3'."
        )
    at = int(match[1]) * 3600.0 + int(match[2]) * 60.0
    if match["event"]:
        pairs = (pair.split("=", 1) for pair in match["data"].split())
        return Act(at, match["event"], {key: yaml.safe_load(value) for key, value in pairs})
    if match["mode"] not in SPEEDS:
        raise HerenowError(
            f"'{match['mode']}' in '{line}' is no way to move.", str(path), f"Use one of {', '.join(SPEEDS)}."
        )
    if match["place"] not in places:
        raise HerenowError(f"'{match['place']}' in '{line}' is no known place.", str(path), "Add it under places.")
    return Move(at, match["mode"], match["place"])
