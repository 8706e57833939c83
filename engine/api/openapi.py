"""``GET /openapi.json``: OpenAPI 3.1, made from the route table and the structs, so it cannot drift from them."""

import re
from collections.abc import Iterable
from typing import Any

import msgspec
from aiohttp import web

from engine import __version__
from engine.api.gate import Caller
from engine.api.router import Api, Route, reply

_PART = re.compile(r"{(\w+)}")
_REFUSALS = {400: "not JSON, or a bad parameter", 401: "no key", 403: "the key lacks the scope", 404: "not found"}
_BODY_REFUSALS = {408: "too slow", 413: "too large", 415: "content type", 422: "the field and the problem"}
_PRESSURE = {429: "the queue is full: Retry-After", 503: "not ready: Retry-After"}
_WHOLE = {"before", "limit", "after"}


class Problem(msgspec.Struct):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    fix: str = ""
    field: str = ""


async def get_openapi(api: Api, request: web.Request, caller: Caller) -> web.Response:
    """The description of this API."""
    return reply(request.app[DOCUMENT])


DOCUMENT = web.AppKey("openapi", dict[str, Any])


def document(routes: Iterable[Route]) -> dict[str, Any]:
    """The OpenAPI document for a table of routes."""
    routes = list(routes)
    kinds = {Problem: None} | {t: None for route in routes for t in (route.takes, route.gives) if _is_type(t)}
    types = list(kinds)
    schemas, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    by_type = dict(zip(map(repr, types), schemas, strict=True))
    paths: dict[str, Any] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, by_type)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Herenow", "version": __version__, "license": {"name": "Apache-2.0"}},
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": _SCHEMES},
    }


_SCHEMES = {
    "key": {"type": "http", "scheme": "bearer", "description": "An API key or a device token"},
    "basic": {"type": "http", "scheme": "basic", "description": "The key as password, any user"},
    "query": {"type": "apiKey", "in": "query", "name": "key", "description": "For WebSocket and SSE"},
}


def _is_type(kind: Any) -> bool:
    return kind is not None and not isinstance(kind, str)


def _operation(route: Route, by_type: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": route.does,
        "operationId": _name(route),
        "parameters": _parameters(route),
        "responses": _responses(route, by_type),
    }
    if route.takes is not None:
        schema = by_type[repr(route.takes)]
        content: dict[str, Any] = {"application/json": {"schema": schema}}
        if route.path in ("/v1/signals", "/v1/preview"):
            content["application/x-ndjson"] = {"schema": {"type": "string", "description": "one signal a line"}}
        optional = route.path.endswith(("/pause", "/resume"))
        operation["requestBody"] = {"required": not optional, "content": content}
    if route.scope is not None:
        operation["x-scope"] = route.scope
        ways = ["key", "basic", *(["query"] if route.query_key else [])]
        operation["security"] = [{way: []} for way in ways]
    return operation


def _name(route: Route) -> str:
    words = re.findall(r"\w+", route.path.replace("/v1", "")) or ["page"]
    return "_".join([route.method.lower(), *words])


def _parameters(route: Route) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1, "maxLength": 200}}
        for name in _PART.findall(route.path)
    ]
    for name in route.query:
        kind = {"type": "integer", "minimum": 0} if name in _WHOLE else {"type": "string"}
        parts.append({"name": name, "in": "query", "required": False, "schema": kind})
    return parts


def _responses(route: Route, by_type: dict[str, Any]) -> dict[str, Any]:
    good: dict[str, Any] = {"description": route.does}
    if isinstance(route.gives, str):
        good["content"] = {route.gives: {"schema": {"type": "string"}}}
    elif route.gives is not None:
        good["content"] = {"application/json": {"schema": by_type[repr(route.gives)]}}
    refusals = _REFUSALS | (_BODY_REFUSALS if route.takes is not None else {}) | _PRESSURE
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    bad = {str(status): {"description": text, "content": problem} for status, text in refusals.items()}
    return {str(route.status): good} | bad
