"""What many tests need: a running server in this process, real tracks, and where things are."""

import csv
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import aiohttp
import pytest

from engine.app import Server, open_server
from engine.author.config import load_config
from engine.clock import Clock

ROOT = Path(__file__).parents[1]
DATA = ROOT.parent / "shared" / "data"

OPEN_HOUSE = """
[server]
port = 0
[decide]
quiet_hours = "none"
caps = []
cooldown = "0s"
send_within = "3600d"
[guard]
sends_per_minute = 1000000
"""


def real_data(name: str) -> Path:
    """A file of recorded data, or a skip that says so."""
    path = DATA / name
    if not path.is_file():
        pytest.skip(f"real data is not here: {path}")
    return path


def bus_track() -> list[tuple[float, float, float]]:
    """(at, lat, lon) of the Liverpool bus, as recorded."""
    with real_data("tracks/liverpool-bus-14.csv").open() as file:
        rows = [
            (
                datetime.fromisoformat(row["timestamp"]).replace(tzinfo=UTC).timestamp(),
                float(row["latitude"]),
                float(row["longitude"]),
            )
            for row in csv.DictReader(file)
        ]
    return sorted(rows)


def ride_track(name: str) -> list[tuple[float, float, float]]:
    """(at, lat, lon) of one of the rides."""
    root = ElementTree.parse(real_data(f"tracks/{name}.gpx")).getroot()
    space = {"g": "http://www.topografix.com/GPX/1/1"}
    return [
        (
            datetime.fromisoformat(point.findtext("g:time", "", space)).timestamp(),
            float(point.attrib["lat"]),
            float(point.attrib["lon"]),
        )
        for point in root.iterfind(".//g:trkpt", space)
    ]


def circle(id: str, lat: float, lon: float, radius: float, **properties: Any) -> dict[str, Any]:
    """A GeoJSON circle."""
    geometry = {"type": "Point", "coordinates": [lon, lat]}
    return {"type": "Feature", "id": id, "geometry": geometry, "properties": {"radius": radius, **properties}}


def polygon(id: str, rings: list[list[tuple[float, float]]], **properties: Any) -> dict[str, Any]:
    """A GeoJSON polygon from rings of (lon, lat), closed here."""
    closed = [[*map(list, ring), list(ring[0])] for ring in rings]
    return {
        "type": "Feature",
        "id": id,
        "geometry": {"type": "Polygon", "coordinates": closed},
        "properties": properties,
    }


@dataclass
class Running:
    """A server and a session to it."""

    server: Server
    session: aiohttp.ClientSession

    async def post(self, path: str, body: Any, status: int = 202) -> Any:
        async with self.session.post(self.server.url + path, json=body) as answer:
            assert answer.status == status, (answer.status, await answer.text())
            return await answer.json()

    async def put(self, path: str, body: Any, status: int = 200) -> Any:
        async with self.session.put(self.server.url + path, json=body) as answer:
            assert answer.status == status, (answer.status, await answer.text())
            return await answer.json()

    async def get(self, path: str, **params: str) -> Any:
        async with self.session.get(self.server.url + path, params=params) as answer:
            assert answer.status == 200, (answer.status, await answer.text())
            return await answer.json()

    async def settled(self) -> None:
        """Everything sent so far has been decided."""
        await self.server.runner.flush(applied=True)

    async def moments(self, **params: str) -> list[dict[str, Any]]:
        """The whole feed, oldest first."""
        await self.settled()
        found: list[dict[str, Any]] = []
        while True:
            page = (await self.get("/v1/moments", limit="1000", **params))["moments"]
            found += page
            if len(page) < 1000:
                return found[::-1]
            params["before"] = str(page[-1]["seq"])


def write_project(folder: Path, config: str, rules: str, features: list[dict[str, Any]]) -> Path:
    """Authored files in ``folder``; returns the config's path."""
    (folder / "rules").mkdir(parents=True, exist_ok=True)
    (folder / "geofences").mkdir(exist_ok=True)
    (folder / "rules" / "all.yaml").write_text(rules)
    fences = {"type": "FeatureCollection", "features": features}
    (folder / "geofences" / "all.geojson").write_text(json.dumps(fences))
    (folder / "config.toml").write_text(config)
    return folder / "config.toml"


@asynccontextmanager
async def running(
    config: Path, environ: Mapping[str, str] | None = None, clock: Clock | None = None
) -> AsyncIterator[Running]:
    """A server in this process on a port of its own."""
    environ = environ or {}
    async with (
        open_server(load_config(config, environ), environ, clock) as server,
        aiohttp.ClientSession() as session,
    ):
        yield Running(server, session)
