"""The web application: routes, guards, and what happens off the known paths."""

from aiohttp import web

from engine.api.engine import Engine, Sending
from engine.api.express import EXPRESS, Express
from engine.api.gate import Gate
from engine.api.keys import Keyring, is_loopback
from engine.api.openapi import DOCUMENT, document
from engine.api.problems import problem, problem_of
from engine.api.reading import BODY_SECONDS, DEADLINE
from engine.api.router import Api, guarded
from engine.api.routes import ROUTES, SIGNALS
from engine.api.streams import end_streams
from engine.api.together import Together
from engine.api.ws import close_sockets


def application(
    engine: Engine, keyring: Keyring, sending: Sending | None = None, body_seconds: float = BODY_SECONDS
) -> web.Application:
    """The API over a runner. Serve it with :func:`engine.api.server.listen`, which sets the limits below HTTP."""
    app = web.Application(client_max_size=engine.config.limits.body)
    api = Api(engine, Gate(keyring, is_loopback(engine.config.server.host)), Together(engine), sending)
    app[DEADLINE], app[DOCUMENT], app[EXPRESS] = body_seconds, document(ROUTES), Express(api, SIGNALS)
    for route in ROUTES:
        app.router.add_route(route.method, route.path, guarded(api, route), expect_handler=_expect)
    app.router.add_route("*", "/{anything:.*}", _elsewhere, expect_handler=_expect)

    async def stop(_: web.Application) -> None:
        await close_sockets(api)
        await end_streams(api)

    app.on_shutdown.append(stop)
    return app


async def _elsewhere(request: web.Request) -> web.Response:
    """404, or 405 where another method would do."""
    allowed: set[str] = set()
    for resource in request.app.router.resources():
        if resource.canonical != "/{anything}":
            allowed |= (await resource.resolve(request))[1]
    if allowed:
        methods = ", ".join(sorted(allowed))
        return problem(405, f"{request.method} is not for {request.path[:200]}", headers={"Allow": methods})
    return problem(404, f"there is nothing at {request.path[:200]}", "The calls are listed in /openapi.json.")


async def _expect(request: web.Request) -> web.StreamResponse | None:
    """Only 100-continue can be met."""
    if request.headers.get("Expect", "").lower() != "100-continue":
        return problem(417, "only Expect: 100-continue can be met")
    try:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    except ConnectionError as error:
        return problem_of(error)
    request.writer.output_size = 0
    return None
