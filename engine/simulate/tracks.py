"""From a persona and a seed to what the phone would have sent: the same inputs give the same signals, always."""

import heapq
import math
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any

from msgspec import Struct

from engine.simulate.personas import SPEEDS, Move, Persona

METRES_PER_DEGREE = 111_195.0
STILL = 300.0  # seconds between fixes of a phone that lies still
STEP = {"walk": 15.0, "run": 10.0, "bike": 10.0, "car": 10.0, "train": 20.0}
ACCURACY = {
    "still": (18.0, 45.0),
    "walk": (6.0, 20.0),
    "run": (5.0, 12.0),
    "bike": (5.0, 18.0),
    "car": (5.0, 15.0),
    "train": (15.0, 65.0),
}
GRID = math.radians(18.0)  # the streets of the city run this much off north
BLOCK = 400.0

Point = tuple[float, float]
Body = dict[str, Any]


class _Phone(Struct):
    """What a phone adds to the truth: drifting noise, its own idea of accuracy, gaps, an emptying battery."""

    rng: Random
    device: str
    day: str
    east: float = 0.0
    north: float = 0.0
    count: int = 0
    silent_until: float = 0.0

    def fix(self, at: float, place: Point, mode: str, speed: float = 0.0, heading: float | None = None) -> Body | None:
        """A position report, or None while there is no reception."""
        low, high = ACCURACY[mode]
        accuracy = low + (high - low) * self.rng.betavariate(1.6, 3.2)
        self._drift(accuracy / 1.51)
        if mode == "train" and self.rng.random() < 0.06:
            self.silent_until = at + self.rng.uniform(60.0, 240.0)
        if at < self.silent_until:
            return None
        lat, lon = shift(place, self.east, self.north)
        body = self._body(at) | {"lat": round(lat, 6), "lon": round(lon, 6), "accuracy": round(accuracy, 1)}
        if speed:
            body["speed"] = round(max(0.0, self.rng.gauss(speed, speed * 0.12)), 1)
        if heading is not None:
            body["heading"] = round(heading % 360.0, 0) % 360.0
        return body

    def event(self, at: float, name: str, data: dict[str, Any]) -> Body:
        """A named event, without a position."""
        return self._body(at) | {"event": name} | ({"context": data} if data else {})

    def _drift(self, sigma: float) -> None:
        self.east = 0.8 * self.east + 0.6 * self.rng.gauss(0.0, sigma)
        self.north = 0.8 * self.north + 0.6 * self.rng.gauss(0.0, sigma)

    def _body(self, at: float) -> Body:
        self.count += 1
        seconds_awake = at % 86400.0
        return {
            "device": self.device,
            "id": f"{self.day}-{self.count}",
            "at": round(at, 3),
            "battery": round(max(0.08, 1.0 - seconds_awake / 110_000.0), 2),
        }


def shift(place: Point, east: float, north: float) -> Point:
    """A (lat, lon) moved by metres."""
    lat, lon = place
    return lat + north / METRES_PER_DEGREE, lon + east / (METRES_PER_DEGREE * math.cos(math.radians(lat)))


def offset(start: Point, end: Point) -> Point:
    """Metres east and north from ``start`` to ``end``."""
    scale = METRES_PER_DEGREE * math.cos(math.radians((start[0] + end[0]) / 2))
    return (end[1] - start[1]) * scale, (end[0] - start[0]) * METRES_PER_DEGREE


def street_path(rng: Random, start: Point, end: Point, mode: str) -> list[Point]:
    """Corner points from ``start`` to ``end`` along two street directions; trains go straight."""
    if mode == "train":
        return [start, end]
    east, north = offset(start, end)
    along = east * math.cos(GRID) + north * math.sin(GRID)
    across = north * math.cos(GRID) - east * math.sin(GRID)
    blocks = max(1, round(math.hypot(along, across) / BLOCK))
    u, v = _cuts(rng, blocks), _cuts(rng, blocks)
    corners, du, dv = [start], 0.0, 0.0
    for i in range(blocks):
        for axis in (0, 1) if rng.random() < 0.5 else (1, 0):
            du, dv = (u[i] * along, dv) if axis == 0 else (du, v[i] * across)
            corners.append(
                shift(start, du * math.cos(GRID) - dv * math.sin(GRID), du * math.sin(GRID) + dv * math.cos(GRID))
            )
    return [*corners[:-1], end]


def _cuts(rng: Random, count: int) -> list[float]:
    return [*sorted(rng.random() for _ in range(count - 1)), 1.0]


def day_track(persona: Persona, seed: int | str, day: date) -> Iterator[Body]:
    """All signals of one local day, in order of time, as ``POST /v1/signals`` takes them."""
    zone = persona.zone
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()
    next_day = day + timedelta(days=1)
    end = datetime(next_day.year, next_day.month, next_day.day, tzinfo=zone).timestamp()
    rng = Random(f"{seed}|{persona.id}|{day.isoformat()}")  # noqa: S311 (a simulation, not a secret)
    phone = _Phone(rng, persona.devices[0], day.isoformat())
    here, now = persona.places[persona.wakes_at(day)], midnight + rng.uniform(1.0, 60.0)
    for step in persona.steps(day):
        at = max(now, midnight + step.at + rng.uniform(0.0, 30.0))
        yield from _stay(phone, here, now, min(at, end))
        if at >= end:
            return
        now = at
        if isinstance(step, Move):
            there = persona.places[step.place]
            path = street_path(rng, here, there, step.mode)
            for arrived, body in _travel(phone, path, now, step.mode):
                now = arrived
                if body is not None and now < end:
                    yield body
            here = there
        else:
            yield phone.event(at, step.event, step.data)
    yield from _stay(phone, here, now, end)


def _stay(phone: _Phone, place: Point, start: float, end: float) -> Iterator[Body]:
    now = start
    while now < end:
        body = phone.fix(now, place, "still")
        if body is not None:
            yield body
        now += STILL * phone.rng.uniform(0.8, 1.2)


def _travel(phone: _Phone, path: list[Point], start: float, mode: str) -> Iterator[tuple[float, Body | None]]:
    """Instants and fixes along the path at about the mode's speed; the last one is the arrival."""
    now = start
    for a, b in pairwise(path):
        east, north = offset(a, b)
        length, done = math.hypot(east, north), 0.0
        heading = math.degrees(math.atan2(east, north))
        while done < length:
            speed = SPEEDS[mode] * phone.rng.uniform(0.8, 1.15)
            seconds = min(STEP[mode], (length - done) / speed)
            done, now = done + speed * seconds, now + seconds
            share = min(1.0, done / length)
            place = (a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share)
            yield now, phone.fix(now, place, mode, speed, heading)


def track(persona: Persona, seed: int | str, start: float, until: float) -> Iterator[Body]:
    """The persona's signals with ``start`` <= at < ``until``."""
    day = datetime.fromtimestamp(start, persona.zone).date()
    while True:
        for body in day_track(persona, seed, day):
            if body["at"] >= until:
                return
            if body["at"] >= start:
                yield body
        day += timedelta(days=1)


def city_track(personas: Iterable[Persona], seed: int | str, start: float, until: float) -> Iterator[Body]:
    """The signals of all of them in order of time (ties: by device)."""
    streams = [track(persona, seed, start, until) for persona in personas]
    return heapq.merge(*streams, key=lambda body: (body["at"], body["device"]))
