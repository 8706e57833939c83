"""HTTP: routes, keys, problem+json, OpenAPI, live streams, the dashboard's files."""

from engine.api.app import application
from engine.api.server import listen

__all__ = ["application", "listen"]
