"""Traces: what ``GET /v1/moments/{id}`` and ``GET /v1/why`` answer. Dicts of JSON values, built from model structs."""

from collections.abc import Iterable, Mapping
from typing import Any

from engine.measure.sentences import decision_sentence, failed_check, row_sentence, sentence
from engine.measure.times import iso
from engine.model.moment import Check, Decision, Message, Miss, Moment, OutboxRow
from engine.model.reason import Verdict
from engine.model.signal import Cause
from engine.ports import StoredMoment

CONDITIONS = 2
# What these checks saw is an instant.
INSTANTS = frozenset({"expiry", "cooldown", "quiet hours"})
GEOMETRY = ("visit", "probability", "metres")


def moment_view(stored: StoredMoment) -> dict[str, Any]:
    """The whole trace of a moment: signal, transition, each condition with the value it saw, decision, attempts."""
    moment = stored.moment
    return {
        **summary_view(stored),
        "release": moment.release,
        "score": moment.score,
        "expires_at": iso(moment.expires),
        "signal": signal_view(moment.trace.get("signal")),
        "transition": transition_view(moment.cause),
        "conditions": [check_view(c) for c in moment.decision.checks if c.step == CONDITIONS and c.name != "expiry"],
        "checks": [check_view(c) for c in moment.decision.checks if c.step != CONDITIONS or c.name == "expiry"],
        "channels": list(moment.channels),
        "attempts": [row_view(row) for row in stored.outbox],
    }


def summary_view(stored: StoredMoment) -> dict[str, Any]:
    """One line of the feed: who, where, which rule, what was said, or why nothing was."""
    moment = stored.moment
    return {
        "seq": stored.seq,
        "id": moment.id,
        "at": iso(moment.at),
        "person": moment.person,
        "device": moment.device,
        "rule": moment.rule,
        "purpose": moment.purpose,
        "variant": moment.variant,
        "test": moment.test,
        "trigger": trigger_view(moment.cause),
        "decision": decision_view(moment.decision),
        "message": message_view(moment.message),
        "sentence": moment_sentence(moment, stored.outbox),
    }


def miss_view(miss: Miss, time_zone: str = "UTC") -> dict[str, Any]:
    """A rule that was woken and did not become a candidate, in the shape of a moment."""
    failed = failed_check(miss.checks, miss.reason)
    return {
        "at": iso(miss.at),
        "person": miss.person,
        "device": miss.device,
        "rule": miss.rule,
        "trigger": trigger_view(miss.cause),
        "transition": transition_view(miss.cause),
        "decision": {"verdict": Verdict.SUPPRESS.value, "reason": miss.reason.value, "time_zone": time_zone},
        "conditions": [check_view(check) for check in miss.checks if check.step == CONDITIONS],
        "checks": [check_view(check) for check in miss.checks if check.step != CONDITIONS],
        "sentence": sentence(miss.reason, failed, at=miss.at, zone=time_zone),
    }


def moment_sentence(moment: Moment, rows: Iterable[OutboxRow] = ()) -> str:
    """Why it was decided so or, once it is on its way, how it stands: on the channel that sent it, else the last."""
    tried = sorted(rows, key=lambda row: row.status == "sent")
    if not tried or (moment.decision.verdict is Verdict.HOLD and tried[-1].status == "waiting"):
        return decision_sentence(moment.decision, moment.at)
    return row_sentence(tried[-1])


def trigger_view(cause: Cause) -> dict[str, Any]:
    """What woke the rule, as webhooks say it too: kind, fence or event, device time."""
    view: dict[str, Any] = {"id": cause.id, "kind": cause.kind, "at": iso(cause.at)}
    for name in ("fence", "event", "seconds"):
        value = getattr(cause, name)
        if value is not None:
            view[name] = value
    return view


def transition_view(cause: Cause) -> dict[str, Any] | None:
    """How the transition was sensed: visit, P(inside), distance to the border; None where an event was the cause."""
    if cause.fence is None:
        return None
    view: dict[str, Any] = {"kind": cause.kind, "fence": cause.fence, "at": iso(cause.at)}
    view |= {name: cause.data[name] for name in GEOMETRY if name in cause.data}
    if isinstance(view.get("visit"), float):
        view["visit"] = iso(view["visit"])
    return view


def signal_view(signal: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What the device said; None where time alone was the cause."""
    if not signal:
        return None
    at = signal.get("at")
    return {**signal, "at": iso(at)} if isinstance(at, float | int) else dict(signal)


def decision_view(decision: Decision) -> dict[str, Any]:
    """Verdict, reason and times, without the checks."""
    return {
        "verdict": decision.verdict.value,
        "reason": decision.reason.value,
        "until": iso(decision.until),
        "deadline": iso(decision.deadline),
        "time_zone": decision.time_zone,
    }


def check_view(check: Check) -> dict[str, Any]:
    """One check: its line, how it came out (None: unknown), what it saw and needed, and when it frees by itself."""
    view: dict[str, Any] = {"name": check.name, "ok": check.ok, "saw": _saw(check)}
    for name in ("needs", "where", "note", "depth"):
        value = getattr(check, name)
        if value:
            view[name] = value
    if check.reason is not None:
        view["reason"] = check.reason.value
    if check.free is not None:
        view["free_at"] = iso(check.free)
    return view


def row_view(row: OutboxRow) -> dict[str, Any]:
    """How the notification of one channel stands."""
    notification = row.notification
    return {
        "notification": notification.id,
        "channel": notification.channel,
        "status": row.status,
        "attempts": row.attempts,
        "due_at": iso(row.due) if row.status == "waiting" else None,
        "not_before": iso(notification.not_before),
        "deadline": iso(notification.deadline),
        "reason": row.reason or None,
        "detail": row.detail,
        "sentence": row_sentence(row),
    }


def message_view(message: Message | None) -> dict[str, Any] | None:
    """What was said, or None."""
    if message is None:
        return None
    return {"title": message.title, "body": message.body, "link": message.link, "data": message.data}


def _saw(check: Check) -> Any:
    saw = check.saw
    if check.name in INSTANTS:
        return iso(saw) if isinstance(saw, float) else saw
    if isinstance(saw, Mapping) and "since" in saw:
        return {**saw, "since": iso(saw["since"])}
    return sorted(saw) if isinstance(saw, frozenset | set) else saw
