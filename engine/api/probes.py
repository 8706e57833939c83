"""Health, metrics, and the dashboard's files."""

import asyncio
from pathlib import Path

from aiohttp import web

from engine.api.gate import Caller
from engine.api.problems import SERVER, Refused
from engine.api.router import Api, reply
from engine.measure.metrics import CONTENT_TYPE

STATIC = Path(__file__).parent / "static"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".json": "application/json",
    ".woff2": "font/woff2",
}
_SAFE = {
    "Server": SERVER,
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


async def get_healthz(api: Api, request: web.Request, caller: Caller) -> web.Response:
    """The process lives and answers."""
    return reply({"status": "ok"})


async def get_readyz(api: Api, request: web.Request, caller: Caller) -> web.Response:
    """Whether signals are accepted and worked on; 503 otherwise. Why is told to those who may read."""
    health = api.engine.health()
    status = 200 if health.get("ready") else 503
    if not caller.may("read"):
        return reply({"ready": status == 200}, status)
    channels = api.sending.problems() if api.sending is not None else []
    return reply({**health, "channels": channels}, status)


async def get_metrics(api: Api, request: web.Request, caller: Caller) -> web.Response:
    """Prometheus."""
    metrics = api.engine.metrics
    api.engine.gauge()
    metrics.outbox_is(await api.engine.store.counts())
    return web.Response(body=metrics.render(), headers={"Server": SERVER, "Content-Type": CONTENT_TYPE})


async def get_page(api: Api, request: web.Request, caller: Caller) -> web.Response:
    """The live page."""
    return await _file("index.html")


async def get_static(api: Api, request: web.Request, caller: Caller) -> web.Response:
    """One of its files."""
    return await _file(request.match_info["name"])


async def _file(name: str) -> web.Response:
    """Only files that lie in the folder itself, of types we serve."""
    path = STATIC / Path(name).name
    kind = _TYPES.get(path.suffix)
    if kind is None or path.name != name or not path.is_file():
        raise Refused(404, "there is no such file")
    return web.Response(body=await asyncio.to_thread(path.read_bytes), headers={**_SAFE, "Content-Type": kind})
