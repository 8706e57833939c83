"""Every call of the API: route, scope, handler. This table is the only place that says who may do what."""

from typing import Any

from engine.api import changes, controls, geofences, inbox, moments, openapi, people, probes, releases, signals, ws
from engine.api.controls import Action, ControlIn, Scope, control
from engine.api.router import Route
from engine.ingest.wire import SignalIn

_SIGNALS = SignalIn | list[SignalIn]


def _switches() -> list[Route]:
    routes = []
    actions: tuple[Action, ...] = ("pause", "resume")
    folders: tuple[tuple[Scope, str], ...] = (("rule", "rules"), ("channel", "channels"), ("geofence", "geofences"))
    for action in actions:
        for scope, folder in folders:
            handler = control(scope, action)
            does = f"{action.capitalize()} one {scope}; 200 once in force"
            routes.append(Route("POST", f"/v1/{folder}/{{id}}/{action}", "operate", handler, does, ControlIn))
        everything = control("all", action)
        does = f"{action.capitalize()} everything; survives a restart"
        routes.append(Route("POST", f"/v1/{action}", "operate", everything, does, ControlIn))
    return routes


SIGNALS = Route("POST", "/v1/signals", "ingest", signals.post_signals,
                "One signal, an array, or NDJSON; 202 once durable",
                _SIGNALS, signals.Receipt, status=202, token_ok=True)  # fmt: skip

ROUTES: tuple[Route, ...] = (
    SIGNALS,
    Route("POST", "/v1/preview", "read", signals.post_preview, "What these signals would set off; nothing is kept",
          _SIGNALS, signals.Previewed),
    Route("GET", "/v1/ws", "ingest", ws.get_ws, "Signals in WebSocket frames, acknowledged in order",
          status=101, token_ok=True, query_key=True),
    Route("POST", "/v1/owntracks", "ingest", signals.post_owntracks, "OwnTracks HTTP as phones send it",
          dict[str, Any], list[Any]),
    Route("PUT", "/v1/profiles/{person}", "ingest", people.put_profile, "Replace a profile; 200 once in force",
          people.ProfileIn, dict[str, Any]),
    Route("PATCH", "/v1/profiles/{person}", "ingest", people.patch_profile, "Change a profile; null removes a key",
          people.ProfileIn, dict[str, Any]),
    Route("GET", "/v1/profiles/{person}", "read", people.get_profile, "All that is held of a person",
          gives=dict[str, Any]),
    Route("PUT", "/v1/context/{scope}", "ingest", changes.put_context, "Facts of a fence, or of global",
          changes.ContextIn, dict[str, Any]),
    Route("GET", "/v1/moments", "read", moments.get_moments, "Moments, newest first, suppressed ones too",
          gives=dict[str, Any], query=(*moments.FILTERS, "before", "limit")),
    Route("GET", "/v1/moments/stream", "read", moments.get_stream, "Moments live (SSE, Last-Event-ID)",
          gives="text/event-stream", query=(*moments.FILTERS, "after"), query_key=True),
    Route("GET", "/v1/moments/{id}", "read", moments.get_moment, "One moment with its trace", gives=dict[str, Any]),
    Route("GET", "/v1/devices/{id}", "read", people.get_device, "Where a device is, and inside what",
          gives=dict[str, Any]),
    Route("GET", "/v1/why", "read", people.get_why, "Why a person did or did not get a message",
          gives=dict[str, Any], query=("device", "rule", "at", "window")),
    Route("GET", "/v1/inbox/{person}", "read", inbox.get_inbox, "The in-app channel (SSE, Last-Event-ID)",
          gives="text/event-stream", query=("channel", "after"), token_ok=True, query_key=True),
    Route("POST", "/v1/feedback", "ingest", changes.post_feedback, "What became of a message, or an event of a person",
          changes.FeedbackIn, dict[str, Any], status=202, token_ok=True),
    Route("GET", "/v1/geofences", "read", geofences.get_geofences, "All fences by id; those that hold ?lat&lon",
          gives=dict[str, Any], query=("lat", "lon", "accuracy", "tag", "source", "after", "limit")),
    Route("POST", "/v1/geofences", "publish", geofences.post_geofences, "Put many; 200 once in force",
          dict[str, Any], dict[str, Any]),
    Route("PUT", "/v1/geofences", "publish", geofences.put_geofences, "Make these the only run-time fences",
          dict[str, Any], dict[str, Any]),
    Route("GET", "/v1/geofences/nearest", "read", geofences.get_nearest, "The regions a phone should register",
          gives=dict[str, Any], query=("lat", "lon", "limit", "tag")),
    Route("GET", "/v1/geofences/{id}", "read", geofences.get_geofence, "One fence as a GeoJSON Feature",
          gives=dict[str, Any]),
    Route("PUT", "/v1/geofences/{id}", "publish", geofences.put_geofence, "Put a run-time fence; 200 once in force",
          dict[str, Any], dict[str, Any]),
    Route("DELETE", "/v1/geofences/{id}", "publish", geofences.delete_geofence, "Take a fence away; its visits end",
          gives=dict[str, Any]),
    *_switches(),
    Route("GET", "/v1/rules", "read", controls.get_rules, "The rules in force and the switches that are on",
          gives=dict[str, Any]),
    Route("GET", "/v1/releases", "read", releases.get_releases, "What is in force, what was, who put it there and why",
          gives=dict[str, Any], query=("limit",)),
    Route("POST", "/v1/releases", "publish", releases.post_release, "Push rule and geofence files; 201 once in force",
          releases.ReleaseIn, dict[str, Any], status=201),
    Route("GET", "/v1/releases/{hash}", "read", releases.get_release, "One release, and what differs from another",
          gives=dict[str, Any], query=("against", "files")),
    Route("POST", "/v1/releases/{hash}/activate", "publish", releases.post_activate, "Go back to a release",
          releases.ActivateIn, dict[str, Any]),
    Route("GET", "/v1/audit", "read", controls.get_audit, "Who pulled which switch",
          gives=dict[str, Any], query=("limit",)),
    Route("GET", "/v1/outbox", "read", controls.get_outbox, "The queue and the dead letters",
          gives=dict[str, Any], query=("status", "person", "limit")),
    Route("GET", "/healthz", None, probes.get_healthz, "The process answers", gives=dict[str, Any]),
    Route("GET", "/readyz", None, probes.get_readyz, "Signals are accepted and worked on", gives=dict[str, Any]),
    Route("GET", "/metrics", "read", probes.get_metrics, "Prometheus", gives="text/plain"),
    Route("GET", "/openapi.json", None, openapi.get_openapi, "This description", gives=dict[str, Any]),
    Route("GET", "/", None, probes.get_page, "The live page", gives="text/html"),
    Route("GET", "/static/{name}", None, probes.get_static, "A file of the live page", gives="text/plain"),
)  # fmt: skip
