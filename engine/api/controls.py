"""Kill switches, rules, audit, outbox. A switch is answered 200 only once no send can begin against it any more."""

from typing import Any, Literal

import msgspec
from aiohttp import web
from msgspec import Struct

from engine.api.gate import Caller
from engine.api.problems import Refused
from engine.api.reading import named, read_json, text_of, whole_of
from engine.api.router import Api, Handler, dated, reply
from engine.author.report import did_you_mean
from engine.decide import cap_text, paced, pauses_at
from engine.measure.times import iso
from engine.measure.trace import message_view, row_view
from engine.model.moment import OutboxRow
from engine.model.record import Control
from engine.model.rule import Rule

Scope = Literal["all", "rule", "channel", "geofence"]
Action = Literal["pause", "resume"]
STATUSES = ("waiting", "sending", "sent", "dead", "cancelled", "unknown")


class ControlIn(Struct, forbid_unknown_fields=True):
    """Why; and on a resume what becomes of what waits (what is past its time is never sent)."""

    why: str = ""
    waiting: Literal["send", "drop"] = "send"


def control(scope: Scope, action: Action) -> Handler:
    """The handler that pulls one kind of switch."""

    async def handler(api: Api, request: web.Request, caller: Caller) -> web.Response:
        id = "" if scope == "all" else named(request, "id")
        known = _known(api, scope)
        if scope != "all" and id not in known:
            raise Refused(404, f"there is no {scope} {id[:60]!r}", did_you_mean(id, known))
        body = await read_json(request, api.engine.config.limits, ControlIn, empty=ControlIn())
        record = Control(action, scope, id, body.why[:500], caller.name, action == "resume" and body.waiting == "drop")
        await api.engine.submit([record], applied=True)
        return reply({"scope": scope, "id": id, "paused": action == "pause"})

    return handler


def _known(api: Api, scope: Scope) -> list[str]:
    if scope == "rule":
        return [rule.id for rule in api.engine.core.compiled.release.rules]
    if scope == "channel":
        return [channel.name for channel in api.engine.config.channels]
    return list(api.engine.core.compiled.fences.fences)


async def get_rules(api: Api, request: web.Request, caller: Caller) -> web.Response:
    """The rules in force, and which switches are on."""
    state, release = api.engine.core.state, api.engine.core.compiled.release
    switches = state.decide.switches
    rules = [
        {
            "id": rule.id,
            "status": rule.status,
            "paused": _switch(switches.get(f"rule:{rule.id}")),
            "about": rule.about,
            "owner": rule.owner,
            "purpose": rule.purpose,
            "priority": rule.priority,
            "runs": rule.runs,
            "channels": rule.message.channels or api.engine.config.policy.channels[:1],
            "where": rule.where,
            "estimate": _estimate(api, rule),
        }
        for rule in release.rules
    ]
    holds = [dated(msgspec.to_builtins(hold), "at") for _, hold in sorted(switches.items())]
    return reply({"release": state.release, "rules": rules, "switches": holds})


def _estimate(api: Api, rule: Rule) -> dict[str, Any] | None:
    """What the rule is expected to send, what it sent in that time, and at how many it pauses itself."""
    if rule.estimate is None:
        return None
    sent = paced(api.engine.core.state.decide.paces, rule, api.engine.clock.now())
    return {"expected": cap_text(rule.estimate), "sent": sent, "pauses_at": pauses_at(rule.estimate)}


def _switch(hold: Any) -> Any:
    return None if hold is None else {"why": hold.why, "by": hold.by, "at": iso(hold.at)}


async def get_audit(api: Api, request: web.Request, caller: Caller) -> web.Response:
    """Who pulled which switch, newest first."""
    limit = whole_of(request, "limit", 1, 1000) or 100
    entries = api.engine.core.state.decide.audit[-limit:]
    return reply({"audit": [dated(msgspec.structs.asdict(entry), "at") for entry in reversed(entries)]})


async def get_outbox(api: Api, request: web.Request, caller: Caller) -> web.Response:
    """The queue and the dead letters, newest first; and records that an error of the server's own passed over."""
    status = text_of(request, "status")
    if status is not None and status not in STATUSES:
        raise Refused(400, f"status must be one of {', '.join(STATUSES)}", extra={"field": "status"})
    store, limit = api.engine.store, whole_of(request, "limit", 1, 1000) or 100
    rows = await store.rows(status, text_of(request, "person"), limit)
    errors = [dated(msgspec.structs.asdict(fault), "at") for fault in reversed(api.engine.core.state.faults)]
    return reply({"counts": dict(await store.counts()), "rows": [_row(row) for row in rows], "errors": errors})


def _row(row: OutboxRow) -> dict[str, Any]:
    notification = row.notification
    whose = {name: getattr(notification, name) for name in ("moment", "rule", "person", "device", "purpose", "test")}
    return whose | row_view(row) | {"message": message_view(notification.message)}
