"""Recorded tracks over real HTTP: the transitions are those that a plain reading of the geometry gives, one for one."""

import asyncio
import math
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

import pyproj
import pytest
from shapely.geometry import Point, shape
from shapely.prepared import prep

from engine.clock import ManualClock
from tests.support import OPEN_HOUSE, bus_track, circle, polygon, ride_track, running, write_project

Track = list[tuple[float, float, float]]

EXACT = '[sense]\nmin_outside = "0s"\nsilence = "300d"\nresume_within = "600d"\n'

RULES = """
rules:
  in:
    purpose: transactional
    when:
      enters: tag all
    message:
      body: in
  out:
    purpose: transactional
    when:
      exits: tag all
    message:
      body: out
"""

TRACKS: dict[str, Callable[[], Track]] = {
    "liverpool-bus-14": bus_track,
    "ride-eifel": lambda: ride_track("ride-eifel"),
    "ride-twente": lambda: ride_track("ride-twente"),
}


def fences_along(track: Track) -> list[dict[str, Any]]:
    """Circles, squares, a ring with a hole, a MultiPolygon and a sharp star, laid along the track."""
    features: list[dict[str, Any]] = []
    step = max(1, len(track) // 14)
    for i, (_, lat, lon) in enumerate(track[step // 2 :: step]):
        w, h = 0.0007 + 0.0004 * (i % 4), 0.0005 + 0.0003 * (i % 3)
        box = [(lon - w, lat - h), (lon + w, lat - h), (lon + w, lat + h), (lon - w, lat + h)]
        hole = [(x + (lon - x) * 0.5, y + (lat - y) * 0.5) for x, y in box]
        features.append(circle(f"circle-{i}", lat, lon, 40.0 + 37.0 * i, tags=["all"]))
        if i % 3 == 0:
            features.append(polygon(f"box-{i}", [box], tags=["all"]))
        elif i % 3 == 1:
            features.append(polygon(f"ring-{i}", [box, hole[::-1]], tags=["all"]))
        else:
            star = [(lon + 3 * w, lat), (lon + w / 4, lat + h / 4), (lon, lat + 3 * h), (lon - w, lat - h)]
            other = [(x + 0.01, y) for x, y in box]
            both = [[[*map(list, ring), list(ring[0])]] for ring in (star, other)]
            geometry = {"type": "MultiPolygon", "coordinates": both}
            features.append(
                {"type": "Feature", "id": f"multi-{i}", "geometry": geometry, "properties": {"tags": ["all"]}}
            )
    return features


def oracle(track: Track, features: list[dict[str, Any]]) -> list[tuple[str, str, float]]:
    """(kind, fence, at): plain containment by Shapely and by the geodesic, told without the product."""
    geod, found = pyproj.Geod(ellps="WGS84"), []
    latest = float("-inf")
    inside: dict[str, bool] = {}
    tests: dict[str, Callable[[float, float], bool]] = {}
    for f in features:
        if f["geometry"]["type"] == "Point":
            (x, y), radius = f["geometry"]["coordinates"], f["properties"]["radius"]
            tests[f["id"]] = lambda lat, lon, x=x, y=y, radius=radius: geod.inv(lon, lat, x, y)[2] <= radius
        else:
            ready = prep(shape(f["geometry"]))
            tests[f["id"]] = lambda lat, lon, ready=ready: ready.intersects(Point(lon, lat))
    for at, lat, lon in track:
        if at < latest:
            continue
        latest = at
        for id, test in tests.items():
            now = test(lat, lon)
            if now != inside.get(id, False):
                found.append(("enter" if now else "exit", id, at))
                inside[id] = now
    return sorted(found, key=lambda t: (t[2], t[1]))


def epoch(text: str) -> float:
    """An instant of the API as epoch seconds."""
    return datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize("name", TRACKS)
async def test_transitions_equal_a_plain_shapely_oracle(name: str, tmp_path: Path) -> None:
    track = TRACKS[name]()
    features = fences_along(track)
    config = write_project(tmp_path, OPEN_HOUSE + EXACT, RULES, features)
    async with running(config) as here:
        signals = [
            {"device": name, "id": str(i), "at": t, "lat": y, "lon": x, "accuracy": 0}
            for i, (t, y, x) in enumerate(track)
        ]
        for start in range(0, len(signals), 100):
            told = await here.post("/v1/signals", signals[start : start + 100])
            assert told["rejected"] == []
        moments = await here.moments(device=name)
    got = [(m["trigger"]["kind"], m["trigger"]["fence"], epoch(m["trigger"]["at"])) for m in moments]
    expected = oracle(track, features)
    assert len(expected) > 30
    assert sorted(got, key=lambda t: (t[2], t[1])) == expected


@pytest.mark.parametrize("accuracy", [8, 15, 30, 50])
async def test_a_track_that_grazes_a_fence_is_one_visit(accuracy: int, tmp_path: Path) -> None:
    """The bus goes along a border that it crosses many times by some metres: with plain containment that is
    flapping."""
    track = bus_track()[200:260]
    lat, lon = track[30][1], track[30][2]
    geod = pyproj.Geod(ellps="WGS84")
    radius = geod.inv(lon, lat, track[33][2], track[33][1])[2] + 1.0
    plain, shaken, rng = circle("stop", lat, lon, radius, tags=["all"]), [], Random(accuracy)
    for at, y, x in track:
        for k in range(6):  # the receiver jitters around each recorded fix as it says it does
            x2, y2, _ = geod.fwd(x, y, rng.uniform(0, 360), accuracy / 1.51 * math.sqrt(-2 * math.log(rng.random())))
            shaken.append((at + k, y2, x2))
    shaken.sort()
    flaps = [t for t in oracle(shaken, [plain]) if t[0] == "enter"]
    assert len(flaps) > 1, "the track must flap under plain containment, or this test shows nothing"
    config = write_project(tmp_path, OPEN_HOUSE, RULES, [plain])
    async with running(config) as here:
        signals = [{"device": "bus", "at": t, "lat": y, "lon": x, "accuracy": accuracy} for t, y, x in shaken]
        for start in range(0, len(signals), 100):
            await here.post("/v1/signals", signals[start : start + 100])
        enters = [m for m in await here.moments() if m["trigger"]["kind"] == "enter"]
    assert len(enters) == 1


class Still(ManualClock):
    """Time stands still but for what the test says."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.Event().wait()


async def test_a_day_uploaded_in_the_evening_gives_its_visits_and_no_messages(tmp_path: Path) -> None:
    """A ride as it went, ten seconds at a time, and the same ride recorded offline, its parts shuffled and sent
    twice."""
    track, rng = sorted(ride_track("ride-twente"))[:1500], Random(5)
    features = [feature for feature in fences_along(track) if feature["geometry"]["type"] == "Point"]
    signals = [
        {"device": "bike", "id": str(k), "at": at, "lat": lat, "lon": lon, "accuracy": 8}
        for k, (at, lat, lon) in enumerate(track)
    ]
    live = [(signals[start]["at"] + 60.0, signals[start : start + 10]) for start in range(0, len(signals), 10)]
    evening = track[-1][0] + 20_000.0
    parts = [signals[start : start + 16] for start in range(0, len(signals), 16)]
    late = [(evening + k, rng.sample(part, len(part))) for k, part in enumerate(parts) for _ in range(2)]
    told = {}
    for name, requests in (("live", live), ("late", late)):
        config = write_project(tmp_path / name, OPEN_HOUSE.replace("3600d", "15m"), RULES, features)
        clock = Still(track[0][0])
        async with running(config, clock=clock) as here:
            for arrival, request in requests:
                clock.set(max(arrival, clock.now()))
                answer = await here.post("/v1/signals", request)
                assert answer["rejected"] == []
            visits = (await here.get("/v1/profiles/bike"))["visits"]
            moments = await here.moments()
        told[name] = [(v["fence"], v["enter"], v["exit"]) for v in visits], {m["trigger"]["id"] for m in moments}
        reasons = {m["decision"]["reason"] for m in moments}
        assert reasons == {"EXPIRED" if name == "late" else "OK"}
    assert len(told["live"][0]) > 10
    assert told["late"] == told["live"]
