"""When to try again, and what one try amounts to: results of adapters become ``Attempt`` records."""

import math
from random import Random

from engine.model.moment import Notification, OutboxRow, Outcome, Result
from engine.model.reason import Reason
from engine.model.record import Attempt

LONGEST_WAIT = 60.0  # seconds between tries of a channel without a schedule of its own
JITTER = 0.2  # a wait grows by up to this share, never shrinks: nobody is asked sooner than agreed
DETAIL = 500  # characters of an adapter's words that are kept

Schedule = tuple[float, ...]


def doubling(number: int) -> float:
    """Seconds to wait after try ``number`` (from 1): 1, 2, 4 … 60."""
    return min(LONGEST_WAIT, 2.0 ** min(max(number, 1) - 1, 10))


def wait_after(number: int, schedule: Schedule, asked: float | None, random: Random) -> float | None:
    """Seconds to wait after the failed try ``number``, or None when the schedule is used up.

    ``schedule``: the waits of the channel (empty: doubling, without end). ``asked``: what the far side asked for; it
    replaces the schedule, but never makes tries come faster than doubling does.
    """
    if schedule and number > len(schedule):
        return None
    wait = schedule[number - 1] if schedule else doubling(number)
    if asked is not None and math.isfinite(asked):
        wait = max(asked, doubling(number))
    return wait * (1.0 + JITTER * random.random())


def attempt_of(row: OutboxRow, result: Result, now: float, schedule: Schedule, random: Random) -> Attempt:
    """The record of a try that ended at ``now`` with ``result``."""
    number = row.attempts + 1
    if result.outcome == "sent":
        return _attempt(row.notification, number, "sent", now, result.detail)
    if result.outcome == "failed":
        return _attempt(row.notification, number, "failed", now, result.detail, Reason.REJECTED)
    if result.outcome == "unknown":
        return _attempt(row.notification, number, "unknown", now, result.detail, Reason.AMBIGUOUS)
    wait = wait_after(number, schedule, result.after, random)
    if wait is None:
        detail = f"given up after {number} tries: {result.detail}"
        return _attempt(row.notification, number, "failed", now, detail, Reason.REJECTED)
    if now + wait >= row.notification.deadline:
        detail = f"no time left for another try: {result.detail}"
        return _attempt(row.notification, number, "failed", now, detail, out_of_time(row.notification))
    return _attempt(row.notification, number, "retry", now, result.detail, retry_at=now + wait)


def homeless(row: OutboxRow, now: float) -> Attempt:
    """The record that ends a waiting row whose channel is no longer configured."""
    detail = f"channel '{row.notification.channel}' is not in config.toml any more"
    return _attempt(row.notification, row.attempts + 1, "failed", now, detail, Reason.NO_CHANNEL)


def interrupted(row: OutboxRow, now: float, idempotent: bool) -> Attempt:
    """The record of a try whose sender died inside it. Resent only where a repeat is harmless on the far side."""
    number = row.attempts + 1
    if not idempotent:
        detail = "the sender died inside the attempt; not resent, since the far side could not tell a repeat"
    elif now >= row.notification.deadline:
        detail = "the sender died inside the attempt, and its time has run out since; not resent"
    else:
        detail = "the sender died inside the attempt; resent under the same id"
        return _attempt(row.notification, number, "retry", now, detail, retry_at=now)
    return _attempt(row.notification, number, "unknown", now, detail, Reason.AMBIGUOUS)


def out_of_time(notification: Notification) -> Reason:
    """Why its deadline is where it is: the quiet hours that begin there, or its expiry."""
    return Reason.QUIET_HOURS if notification.deadline < notification.expires else Reason.EXPIRED


def tidy(text: str, limit: int = DETAIL) -> str:
    """Words of a far side, safe to store and show: one line, printable, bounded, valid Unicode."""
    clean = "".join(c if c.isprintable() else " " for c in text[: limit + 1])
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def _attempt(
    notification: Notification,
    number: int,
    outcome: Outcome,
    now: float,
    detail: str,
    reason: Reason | None = None,
    retry_at: float | None = None,
) -> Attempt:
    return Attempt(
        notification=notification.id,
        moment=notification.moment,
        person=notification.person,
        channel=notification.channel,
        number=number,
        outcome=outcome,
        at=now,
        detail=tidy(detail),
        retry_at=retry_at,
        reason=reason.value if reason else "",
    )
