"""What a capable user would write in an afternoon: aiohttp, json, an STRtree, and a dict of who is inside what.

No durability, no repeats, no uncertainty, no rules: it counts enters and exits. ``http_ingest`` runs beside it.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import shapely
import uvloop
from aiohttp import WSMsgType, web


class Geofencing:
    """Fences of a GeoJSON file, and which of them each device was last seen in."""

    def __init__(self, file: Path) -> None:
        shapes = [shapely.geometry.shape(feature["geometry"]) for feature in json.loads(file.read_text())["features"]]
        self.tree = shapely.STRtree(shapes)
        self.inside: dict[str, set[int]] = {}
        self.enters = self.exits = 0

    def take(self, signals: list[dict[str, Any]]) -> None:
        """Where each signal is, and what changed with it."""
        points = shapely.points([s["lon"] for s in signals], [s["lat"] for s in signals])
        found: list[set[int]] = [set() for _ in signals]
        for signal, fence in self.tree.query(points, predicate="intersects").T.tolist():
            found[signal].add(fence)
        for signal, now in zip(signals, found, strict=True):
            before = self.inside.get(signal["device"], set())
            if now != before:
                self.enters += len(now - before)
                self.exits += len(before - now)
                self.inside[signal["device"]] = now


async def main(port: int, file: Path) -> None:
    geofencing = Geofencing(file)

    async def signals(request: web.Request) -> web.Response:
        told = json.loads(await request.read())
        batch = told if isinstance(told, list) else [told]
        geofencing.take(batch)
        return web.json_response({"accepted": len(batch)}, status=202)

    async def ws(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                frame = json.loads(message.data)
                geofencing.take(frame["signals"])
                await socket.send_json({"ack": frame["seq"], "accepted": len(frame["signals"])})
        return socket

    async def ready(request: web.Request) -> web.Response:
        return web.json_response({"queued": 0})

    app = web.Application(client_max_size=16_000_000)
    app.router.add_post("/v1/signals", signals)
    app.router.add_get("/v1/ws", ws)
    app.router.add_get("/readyz", ready)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), Path(sys.argv[2])))
