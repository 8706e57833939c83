"""The route table: every route has a scope, and keeps to it."""

import re

import pytest

from engine.api.keys import SCOPES
from engine.api.routes import ROUTES

OPEN = {"/", "/static/{name}", "/healthz", "/readyz", "/openapi.json"}


def path_of(route):
    return re.sub(r"{\w+}", "hello", route.path)


def test_only_probes_and_the_page_are_open():
    assert {route.path for route in ROUTES if route.scope is None} == OPEN
    assert all(route.scope in SCOPES for route in ROUTES if route.scope is not None)


async def test_the_router_knows_no_route_that_the_table_does_not(start):
    from engine.api import application

    server = await start()
    app = application(server.engine, server.keyring)
    known = {(r.method, r.resource.canonical) for r in app.router.routes() if r.resource is not None}
    assert known - {("*", "/{anything}")} == {(route.method, route.path) for route in ROUTES}


async def test_without_a_key_every_route_is_401(start):
    server = await start(keys=True)
    for route in ROUTES:
        if route.scope is None:
            continue
        for headers in (
            {},
            {"Authorization": "Bearer hk_wrong"},
            {"Authorization": "Basic eDp5"},
            {"Authorization": "x"},
        ):
            status, got, answer = await server.call(route.method, path_of(route), headers=headers)
            assert status == 401, route.path
            assert got["WWW-Authenticate"].startswith("Bearer")
            assert answer["detail"]


@pytest.mark.parametrize("held", SCOPES)
async def test_a_key_does_only_what_its_scope_allows(start, held):
    server = await start(keys=True)
    _, secret = server.keyring.create([held])
    for route in ROUTES:
        if route.scope is None or route.path.endswith("stream") or "inbox" in route.path:
            continue
        headers = {"Authorization": f"Bearer {secret}"}
        status, _, answer = await server.call(route.method, path_of(route), headers=headers)
        if held in (route.scope, "admin"):
            assert status not in (401, 403, 500), (route.path, answer)
        else:
            assert status == 403, (route.path, answer)
            assert route.scope in answer["detail"]


async def test_streams_keep_to_their_scope(start):
    server = await start(keys=True)
    _, secret = server.keyring.create(["ingest"])
    for path in ("/v1/moments/stream", "/v1/inbox/p1"):
        status, _, _ = await server.call("GET", path, headers={"Authorization": f"Bearer {secret}"})
        assert status == 403


async def test_the_open_routes_are_open(start):
    server = await start(keys=True)
    for path in ("/healthz", "/readyz", "/openapi.json"):
        status, _, _ = await server.call("GET", path)
        assert status == 200


async def test_a_key_in_the_query_counts_only_where_headers_cannot_be_set(start):
    server = await start(keys=True)
    _, secret = server.keyring.create(["admin"])
    for route in ROUTES:
        if route.scope is None or route.query_key:
            continue
        status, _, _ = await server.call(route.method, f"{path_of(route)}?key={secret}")
        assert status == 401, route.path
    async with server.session.get(f"{server.url}/v1/moments/stream?key={secret}") as response:
        assert response.status == 200


async def test_unknown_paths_are_404_and_wrong_methods_405(server):
    status, headers, answer = await server.call("GET", "/v1/nothing")
    assert (status, headers["Content-Type"].split(";")[0]) == (404, "application/problem+json")
    assert "openapi" in answer["fix"]
    status, headers, answer = await server.call("GET", "/v1/signals")
    assert (status, headers["Allow"]) == (405, "POST")
    status, headers, answer = await server.call("DELETE", "/v1/profiles/p1")
    assert (status, headers["Allow"]) == (405, "GET, PATCH, PUT")
    status, _, _ = await server.call("POST", "/")
    assert status == 405


async def test_openapi_describes_every_route_and_resolves_every_reference(server):
    status, _, document = await server.call("GET", "/openapi.json")
    assert (status, document["openapi"]) == (200, "3.1.0")
    described = {(method.upper(), path) for path, calls in document["paths"].items() for method in calls}
    assert described == {(route.method, route.path) for route in ROUTES}
    names = set(re.findall(r'#/components/schemas/([^"\']+)', str(document)))
    assert {"SignalIn", "Receipt", "Problem"} <= names
    assert names <= set(document["components"]["schemas"])
    ids = [call["operationId"] for calls in document["paths"].values() for call in calls.values()]
    assert len(ids) == len(set(ids))
