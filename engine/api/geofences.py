"""Run-time fences: put, taken away and looked at while the server runs. A change is answered once it is in force."""

import asyncio
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice
from typing import Any

import msgspec
from aiohttp import web
from msgspec.structs import replace

from engine.api.gate import Caller
from engine.api.problems import Refused
from engine.api.reading import named, number_of, read_body, read_large, text_of, whole_of
from engine.api.router import Api, reply
from engine.author.geojson import MAX_BYTES, Told, Upload, read_upload
from engine.author.outgoing import feature_of, region_of
from engine.author.properties import read_id
from engine.author.report import TextError, did_you_mean
from engine.ingest.body import kind_of
from engine.model.config import Limits
from engine.model.fence import Fence
from engine.model.fences import Fences
from engine.pipeline.fences import Authored, Wish
from engine.pipeline.runtime import SOURCE, run_time
from engine.pipeline.uploads import Sifted, sifted
from engine.sense.inspecting import inspect_at

LOOKED_AT = 2000  # nearest fences among which those with a tag are looked for
TOLD = 1000  # problems in one answer


# ------------------------------------------------------------------ changing


async def put_geofence(api: Api, request: web.Request, caller: Caller) -> web.Response:
    """Put or replace one fence: the body is a GeoJSON Feature, the id comes from the path."""
    id = _id_of(request)
    body = await _body(request, api.engine.config.limits)
    upload = await asyncio.to_thread(read_upload, "body", _with_id(body, id), 1)
    errors = [told.finding for told in upload.told if told.finding.severity == "error"]
    if errors or len(upload.fences) != 1:
        problem = errors[0].problem if errors else "one GeoJSON Feature is wanted"
        raise Refused(422, problem, errors[0].fix if errors else "")
    fence = run_time(upload.fences[0])
    wish = Wish([fence], action="put", by=caller.name)
    await _change(api, wish)
    return reply({"id": id, "changed": wish.count, "geofence": feature_of(fence), "warnings": _warnings(upload)})


async def delete_geofence(api: Api, request: web.Request, caller: Caller) -> web.Response:
    """Take one fence away: its visits end silently, and what waits for its visitors is cancelled."""
    id, compiled = _id_of(request), api.engine.core.compiled
    if id not in compiled.authored and compiled.runtime.get(id) is None:
        raise Refused(404, f"there is no run-time geofence {id!r}")
    wish = Wish([], [id], action="delete", by=caller.name)
    await _change(api, wish)
    return reply({"id": id, "changed": wish.count})


async def post_geofences(api: Api, request: web.Request, caller: Caller) -> web.Response:
    """Put many at once; the others stay."""
    return await _bulk(api, request, caller, replace_all=False)


async def put_geofences(api: Api, request: web.Request, caller: Caller) -> web.Response:
    """Make these the only run-time fences. One that is wrong now but was right before stays as it was; one that a file
    hides goes, so that it does not come back as it once was."""
    return await _bulk(api, request, caller, replace_all=True)


async def _bulk(api: Api, request: web.Request, caller: Caller, replace_all: bool) -> web.Response:
    async with api.bulk:  # one at a time: each may take a hundred megabytes
        limits = api.engine.config.limits
        large = replace(limits, body=max(limits.body, MAX_BYTES), inflated=max(limits.inflated, MAX_BYTES))
        body = await _body(request, large, read_large)
        authored, folder = api.engine.core.compiled.authored, getattr(api.engine.store, "folder", None)
        upload = await sifted(body, authored, folder)
        del body
        return reply(await _load(api, upload, caller, replace_all))


async def _load(api: Api, upload: Sifted, caller: Caller, replace_all: bool) -> dict[str, Any]:
    errors = [told for told in upload.told if told.finding.severity == "error"]
    whole = next((told.finding for told in errors if told.index < 0), None)
    if whole is not None:
        raise Refused(400 if whole.code in ("JSON", "ENCODING") else 422, whole.problem, whole.fix, _place(whole))
    rejected = sorted(map(_line, errors), key=lambda line: line["index"])
    if rejected and not len(upload.fences):
        raise Refused(422, f"none of {upload.features} features can be loaded", extra={"rejected": rejected[:TOLD]})
    wrong = (told.id for told in errors if told.id and told.finding.code != "AUTHORED")
    keep = frozenset(wrong) if replace_all else frozenset[str]()
    wish = Wish(upload.fences, replace=replace_all, by=caller.name, keep=keep, drawn=upload.drawn)
    await _change(api, wish)
    return {
        "accepted": len(upload.fences),
        "changed": wish.count,
        "rejected": rejected[:TOLD],
        "rejected_count": len(rejected),
        "warnings": _warnings(upload),
        "total": len(api.engine.core.compiled.runtime),
    }


async def _change(api: Api, wish: Wish) -> None:
    try:
        await api.engine.change_fences(wish)
    except Authored as error:
        raise Refused(409, error.problem, error.fix, {"code": "AUTHORED"}) from None


async def _body(
    request: web.Request,
    limits: Limits,
    read: Callable[[web.Request, Limits], Awaitable[bytes | bytearray]] = read_body,
) -> bytes | bytearray:
    body = await read(request, limits)
    kind = request.headers.get("Content-Type", "")
    if kind.partition(";")[0].strip().lower() != "application/geo+json" and kind_of(kind) != "json":
        raise Refused(415, "GeoJSON is wanted", "Send application/geo+json or application/json.")
    return body


def _with_id(body: bytes | bytearray, id: str) -> bytes:
    """The feature with the id of its path; 422 when it names another."""
    try:
        feature = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(400, f"the body is not JSON: {error}") from None
    if not isinstance(feature, dict) or feature.get("type") != "Feature":
        raise Refused(422, "the body is no GeoJSON Feature", 'Its "type" must be "Feature".', {"field": "type"})
    facts = feature.get("properties")
    inner = facts.get("id") if isinstance(facts, dict) else None
    try:
        own = read_id(feature.get("id"), inner)
    except TextError as error:
        raise Refused(422, error.problem, error.fix, {"field": "id"}) from None
    if own not in (None, id):
        raise Refused(422, f"the feature's id is {own!r}, the path says {id!r}", "Leave one out.", {"field": "id"})
    return msgspec.json.encode(feature | {"id": id})


def _id_of(request: web.Request) -> str:
    id = named(request, "id")
    try:
        return read_id(id, None) or id
    except TextError as error:
        raise Refused(422, error.problem, error.fix, {"field": "id"}) from None


def _line(told: Told) -> dict[str, Any]:
    found = told.finding
    return {"index": told.index, "id": told.id or None, "code": found.code} | _place(found) | _said(found)


def _place(found: Any) -> dict[str, Any]:
    where = {"line": found.line, "column": found.column}
    return {name: number for name, number in where.items() if number}


def _said(found: Any) -> dict[str, Any]:
    return {"problem": found.problem, "fix": found.fix}


def _warnings(upload: Upload | Sifted) -> list[dict[str, Any]]:
    return [_line(told) for told in upload.told if told.finding.severity != "error"][:TOLD]


# ------------------------------------------------------------------ looking


async def get_geofences(api: Api, request: web.Request, caller: Caller) -> web.Response:
    """All fences by id, a page at a time; with ``lat`` and ``lon`` those that hold a point."""
    if text_of(request, "lat") is not None or text_of(request, "lon") is not None:
        return reply(await _at_point(api, request))
    limit, after = whole_of(request, "limit", 1, 1000) or 100, text_of(request, "after") or ""
    tag, source = text_of(request, "tag"), text_of(request, "source")
    if source not in (None, SOURCE, "authored"):
        raise Refused(400, f"source must be {SOURCE} or authored", extra={"field": "source"})
    listed = api.engine.core.compiled.fences.listed
    return reply(await asyncio.to_thread(_page, listed, after, limit, tag, source))


def _page(listed: Fences, after: str, limit: int, tag: str | None, source: str | None) -> dict[str, Any]:
    """Those behind an id that are wanted, so many, and behind which the next page begins."""
    rows = range(bisect_right(listed.ids, after), len(listed))
    found = (
        fence
        for fence in map(listed.__getitem__, rows)
        if (tag is None or tag in fence.tags) and (source is None or (fence.source == SOURCE) == (source == SOURCE))
    )
    page = list(islice(found, limit + 1))
    more = page[limit - 1].id if len(page) > limit else None
    features = [feature_of(fence) for fence in page[:limit]]
    return {"type": "FeatureCollection", "features": features, "total": len(listed), "after": more}


async def get_geofence(api: Api, request: web.Request, caller: Caller) -> web.Response:
    """One fence as a GeoJSON Feature."""
    id, fences = named(request, "id"), api.engine.core.compiled.fences.fences
    fence = fences.get(id)
    if fence is None:
        raise Refused(404, f"there is no geofence {id[:60]!r}", did_you_mean(id, islice(fences, 10_000)))
    return reply(feature_of(fence))


async def get_nearest(api: Api, request: web.Request, caller: Caller) -> web.Response:
    """The nearest fences with the circles that a phone can register as regions of its own."""
    lat, lon = _point(request)
    limit, tag = whole_of(request, "limit", 1, 200) or 20, text_of(request, "tag")
    fences = api.engine.core.compiled.fences
    wanted = limit if tag is None else LOOKED_AT
    found: Sequence[tuple[str, float]] = await asyncio.to_thread(fences.nearest, lat, lon, wanted)
    regions = []
    for id, metres in found:
        fence = fences.fences[id]
        if tag is None or tag in fence.tags:
            middle = dict(zip(("lat", "lon", "radius"), region_of(fence), strict=True))
            regions.append(_told(fence) | middle | {"metres": round(metres, 2)})
    return reply({"geofences": regions[:limit]})


async def _at_point(api: Api, request: web.Request) -> dict[str, Any]:
    """What the fences say of a point, worked out beside the loop: large shapes and a poor accuracy take seconds."""
    lat, lon = _point(request)
    compiled, accuracy = api.engine.core.compiled, number_of(request, "accuracy", 0.0, 1e6)
    return await asyncio.to_thread(inspect_at, compiled.fences, compiled.release.policy.sense, lat, lon, accuracy)


def _told(fence: Fence) -> dict[str, Any]:
    return {"id": fence.id, "name": fence.name, "tags": list(fence.tags), "source": fence.source}


def _point(request: web.Request) -> tuple[float, float]:
    lat, lon = number_of(request, "lat", -90.0, 90.0), number_of(request, "lon", -180.0, 180.0)
    if lat is None or lon is None:
        raise Refused(400, "lat and lon are wanted", "Ask as ?lat=52.52&lon=13.40", {"field": "lat"})
    return lat, lon
