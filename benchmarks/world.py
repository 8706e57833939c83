"""The benchmark's world: a metro area of star-shaped fences, devices in random walk, rules on a part of the fences."""

import json
import math
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LAT, LON = 48.85, 2.35
HALF_KM = 25.0
LAT_KM = 1 / 111.195
LON_KM = 1 / (111.195 * math.cos(math.radians(LAT)))
STEP = 10.0  # seconds of a device's time between two of its signals


def star(rng: random.Random, vertices: int, area_km2: float) -> list[list[float]]:
    """A star-shaped polygon somewhere in the area, as a GeoJSON ring."""
    mean = math.sqrt(area_km2 / math.pi)
    x, y = rng.uniform(-HALF_KM, HALF_KM), rng.uniform(-HALF_KM, HALF_KM)
    ring = []
    for k in range(vertices):
        angle = 2 * math.pi * k / vertices
        radius = mean * rng.uniform(0.6, 1.35)
        ring.append([LON + (x + radius * math.cos(angle)) * LON_KM, LAT + (y + radius * math.sin(angle)) * LAT_KM])
    return [*ring, ring[0]]


def fences(count: int, vertices: int = 20, seed: int = 1) -> dict[str, Any]:
    """A FeatureCollection with about 1.8 fences over each point, however many; every tenth is tagged for a rule."""
    rng = random.Random(seed)
    area = 1.8 * (2 * HALF_KM) ** 2 / count
    features = [
        {
            "type": "Feature",
            "id": f"f{i}",
            "properties": {"name": f"Fence {i}", "tags": [f"t{i // 10 % 100}"] if i % 10 == 0 else []},
            "geometry": {"type": "Polygon", "coordinates": [star(rng, vertices, area)]},
        }
        for i in range(count)
    ]
    return {"type": "FeatureCollection", "features": features}


def rules(count: int) -> str:
    """Rules on tags, each with two conditions and the default limits."""
    lines = ["rules:"]
    for i in range(count):
        lines += [
            f"  r{i}:", "    when:", f"      enters: tag t{i}", "    only_if:", "      - local_time: 00:00-23:59",
            "      - device.speed < 50", "    conversion:", "      event: purchase", "    message:",
            "      body: Welcome to {{ fence.name }}",
        ]  # fmt: skip
    return "\n".join(lines) + "\n"


def write_project(folder: Path, fence_count: int, rule_count: int, port: int, decide: str = "") -> Path:
    """config.toml, rules and geofences in ``folder``; returns the config's path. No quiet hours, so that messages leave
    at whatever time of day this runs; caps and cooldown as they come, unless ``decide`` says otherwise."""
    (folder / "rules").mkdir(parents=True)
    (folder / "geofences").mkdir()
    (folder / "geofences" / "metro.geojson").write_text(json.dumps(fences(fence_count)))
    (folder / "rules" / "bench.yaml").write_text(rules(rule_count))
    config = folder / "config.toml"
    config.write_text(
        f'[server]\nport = {port}\n[sense]\nmax_future = "3000d"\n[guard]\nsends_per_minute = 100000000\n'
        f'[decide]\nquiet_hours = "none"\n{decide}[channels.inbox]\nadapter = "inbox"\n'
    )
    return config


def walk(devices: int, seed: int = 2) -> Iterator[dict[str, Any]]:
    """Signals without end: each device moves some metres per round, one signal per device and round, from now on."""
    rng, start = random.Random(seed), round(time.time(), 1)
    x = [rng.uniform(-HALF_KM, HALF_KM) for _ in range(devices)]
    y = [rng.uniform(-HALF_KM, HALF_KM) for _ in range(devices)]
    n = 0
    while True:
        for d in range(devices):
            x[d] += rng.gauss(0, 0.015)
            y[d] += rng.gauss(0, 0.015)
            yield {
                "device": f"device-{d}", "id": f"{n}", "at": start + STEP * (n // devices),
                "lat": round(LAT + y[d] * LAT_KM, 7), "lon": round(LON + x[d] * LON_KM, 7),
                "accuracy": round(rng.uniform(5, 50), 1), "speed": round(rng.uniform(0, 3), 2),
            }  # fmt: skip
            n += 1


def bodies(signals: Iterator[dict[str, Any]], count: int, size: int) -> list[bytes]:
    """``count`` request bodies of ``size`` signals each (size 1: a single object)."""
    made = ([next(signals) for _ in range(size)] for _ in range(count))
    return [json.dumps(batch if size > 1 else batch[0], separators=(",", ":")).encode() for batch in made]
