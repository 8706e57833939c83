"""Step 1: is the rule meant to run now at all? Its status, the days it runs, and the kill switches."""

from zoneinfo import ZoneInfo

from engine.decide import localtime
from engine.decide.state import DecideState
from engine.model.ids import share
from engine.model.moment import Check, Hold
from engine.model.reason import Reason
from engine.model.rule import Rule
from engine.model.signal import Cause

STATUS = {"draft": Reason.DRAFT, "paused": Reason.RULE_PAUSED, "ended": Reason.ENDED}
CANARY = "canary"  # apart from the control group: who is in one says nothing about the other
LIVE = Check("status", True, "live", "live", step=1)
NO_SWITCH = Check("pause", True, needs="no switch on", step=1)


def status(rule: Rule) -> Check:
    """As the author wrote it."""
    if rule.status == "live":
        return LIVE
    return Check("status", False, rule.status, "live", rule.where, reason=STATUS[rule.status], step=1)


def runs(rule: Rule, now: float, zone: ZoneInfo) -> Check | None:
    """The person's local date lies in ``runs``, both ends included; None where the rule has no dates."""
    first, last = rule.runs
    if first is None and last is None:
        return None
    today = localtime.iso_day(localtime.day(now, zone))
    needs = f"{first or '...'} to {last or '...'}"
    if first is not None and today < first:
        free = localtime.day_start(localtime.day_of_iso(first), zone)
        return Check("runs", False, today, needs, rule.where, reason=Reason.NOT_RUNNING, free=free, step=1)
    if last is not None and today > last:
        return Check("runs", False, today, needs, rule.where, reason=Reason.NOT_RUNNING, step=1)
    return Check("runs", True, today, needs, rule.where, step=1)


def runs_end(rule: Rule, zone: ZoneInfo) -> float | None:
    """The first instant after the last day it runs."""
    last = rule.runs[1]
    return None if last is None else localtime.day_start(localtime.day_of_iso(last) + 1, zone)


def canary(rule: Rule, person: str, salt: str, test: bool) -> Check | None:
    """The person is among the share that the rule reaches; a larger share keeps those who were in. None where it
    reaches everybody. Test people are asked in."""
    if rule.canary >= 1.0:
        return None
    needs = f"{rule.canary * 100:.4g}% of people"
    if test:
        return Check("canary", True, needs=needs, note="test person: not asked", step=1)
    ok = share(salt, CANARY, rule.id, person) < rule.canary
    return Check("canary", ok, None, needs, rule.where, reason=None if ok else Reason.CANARY, step=1)


def pause(state: DecideState, rule: Rule, cause: Cause, channels: tuple[str, ...]) -> Check:
    """No switch is on for everything, the rule, the fence, or every channel the message could take."""
    if not state.switches:
        return NO_SWITCH
    for scope, id, reason in (
        ("all", "", Reason.ALL_PAUSED),
        ("rule", rule.id, Reason.RULE_PAUSED),
        ("geofence", cause.fence or "", Reason.FENCE_PAUSED),
    ):
        hold = state.switch(scope, id)
        if hold is not None:
            return _paused(hold, reason)
    held = [hold for hold in (state.switch("channel", channel) for channel in channels) if hold is not None]
    if held and len(held) == len(channels):
        return _paused(held[0], Reason.CHANNEL_PAUSED)
    return NO_SWITCH


def open_channels(state: DecideState, channels: tuple[str, ...]) -> tuple[str, ...]:
    """Those that are not paused."""
    if not state.switches:
        return channels
    return tuple(channel for channel in channels if state.switch("channel", channel) is None)


def _paused(hold: Hold, reason: Reason) -> Check:
    saw = {"scope": hold.scope, "id": hold.id, "by": hold.by, "since": hold.at}
    return Check("pause", False, saw, "no switch on", reason=reason, note=hold.why, step=1)
