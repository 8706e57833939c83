"""Why, and why not, in plain words: one sentence for every :class:`~engine.model.reason.Reason`."""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from engine.measure.times import clock, lasting
from engine.model.moment import Check, Decision, OutboxRow
from engine.model.reason import Reason, Verdict

NOTHING_SEEN = Check("", None)


class Told(Struct, frozen=True):
    """What a sentence is made of: the check that failed, when that was, and where."""

    check: Check = NOTHING_SEEN
    at: float = 0.0
    zone: str = "UTC"

    @property
    def saw(self) -> Mapping[str, Any]:
        """What the check saw, where that has parts."""
        return self.check.saw if isinstance(self.check.saw, Mapping) else {}

    def until(self) -> str:
        """``, for another 2 hours until 16:02 (Europe/Berlin)``, where that is known."""
        free = self.check.free
        if free is None or free <= self.at:
            return ""
        return f", for another {lasting(free - self.at)} until {clock(free, self.at, self.zone)}"


def sentence(
    reason: Reason,
    check: Check | None = None,
    *,
    at: float = 0.0,
    zone: str = "UTC",
    verdict: Verdict = Verdict.SUPPRESS,
    until: float | None = None,
) -> str:
    """One sentence. ``check`` is the one that failed, ``at`` the instant it was made, ``until`` the end of a hold.

    >>> sentence(Reason.COOLDOWN, Check("cooldown", False, free=7200.0), at=0.0)
    'Not sent: cooldown, for another 2 hours until 02:00 (UTC).'
    """
    if verdict is Verdict.HOLD and until is not None:
        return f"Held: another {lasting(until - at)} of quiet hours; it goes at {clock(until, at, zone)}."
    if reason is Reason.OK:
        return "To be sent: every check passed."
    told = Told(check or NOTHING_SEEN, at, zone)
    words = WORDS[reason](told)
    return f"{words}." if reason is Reason.AMBIGUOUS else f"Not sent: {words}."


def decision_sentence(decision: Decision, at: float) -> str:
    """Why a candidate is sent, held or suppressed; ``at`` is when that was decided."""
    return sentence(
        decision.reason,
        failed_check(decision.checks, decision.reason),
        at=at,
        zone=decision.time_zone,
        verdict=decision.verdict,
        until=decision.until,
    )


def row_sentence(row: OutboxRow) -> str:
    """How a notification stands."""
    channel, tries = row.notification.channel, f"{row.attempts} attempt{'' if row.attempts == 1 else 's'}"
    match row.status:
        case "sent":
            return f"Sent on {channel}."
        case "sending":
            return f"Being sent on {channel}."
        case "waiting":
            return f"Waiting to be sent on {channel}{f', after {tries}' if row.attempts else ''}."
        case _:
            reason = _reason(row.reason) or (Reason.AMBIGUOUS if row.status == "unknown" else Reason.REJECTED)
            return sentence(reason, Check("", False, note=row.detail))


def failed_check(checks: tuple[Check, ...], reason: Reason) -> Check | None:
    """The check that gave the reason, or None."""
    return next((c for c in checks if c.reason is reason and c.ok is not True and c.depth == 0), None)


def _reason(text: str) -> Reason | None:
    return Reason(text) if text in Reason.__members__ else None


def _noted(words: str) -> Callable[[Told], str]:
    """The words, and the check's note where it has one."""
    return lambda told: f"{words}: {told.check.note.rstrip('.')}" if told.check.note else words


def _paused(what: str) -> Callable[[Told], str]:
    def words(told: Told) -> str:
        id, by = told.saw.get("id", ""), told.saw.get("by", "")
        name = f"{what} {id}".strip()
        return f"{name} is paused{f' by {by}' if by else ''}{f' ({told.check.note})' if told.check.note else ''}"

    return words


def _not_running(told: Told) -> str:
    return f"the rule runs {told.check.needs or 'on other days'}{told.until()}"


def _canary(told: Told) -> str:
    return f"the rule goes to {told.check.needs or 'a few people'} first, and this person is not among them"


def _condition(told: Told) -> str:
    name = told.check.name
    return f"'{name}' does not hold (saw {_short(told.check.saw)})" if name else "a condition does not hold"


def _unknown(told: Told) -> str:
    line = f"'{told.check.name}'" if told.check.name else "a condition"
    return f"{line} cannot be told, a value is missing or stale" + (f": {told.check.note}" if told.check.note else "")


def _expired(told: Told) -> str:
    return f"too late, it had to go {told.check.needs}" if told.check.needs else "its time was over"


def _no_consent(told: Told) -> str:
    asked = ", ".join(sorted(told.saw))
    return f"the person has not consented{f' ({asked})' if asked else ''}"


def _cap(told: Told) -> str:
    return f"the person has had {told.check.needs or 'as many as are allowed'}{told.until()}"


def _rule_limit(told: Told) -> str:
    return f"the rule's {told.check.name or 'limit'} of {told.check.needs or 'sends'} is reached{told.until()}"


def _offer(told: Told) -> str:
    saw = told.check.saw
    return f"the offer is not valid{f' ({_short(saw)})' if saw is not None else ''}"


def _guard(told: Told) -> str:
    return f"the blast guard paused the rule{f' (it allows {told.check.needs})' if told.check.needs else ''}"


def _outranked(told: Told) -> str:
    winner = told.saw.get("winner")
    name = winner.get("rule", "") if isinstance(winner, Mapping) else ""
    return f"rule {name} ranked higher" if name else "another rule ranked higher"


def _quiet(told: Told) -> str:
    late = ", when it is too late" if told.check.free is not None else ""
    return f"quiet hours{told.until()}{late}"


def _short(value: object) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 80 else text[:79] + "…"


WORDS: Mapping[Reason, Callable[[Told], str]] = {
    Reason.DRAFT: lambda _: "the rule is a draft (set `status: live`)",
    Reason.ENDED: lambda _: "the rule has ended",
    Reason.NOT_RUNNING: _not_running,
    Reason.RULE_PAUSED: _paused("rule"),
    Reason.FENCE_PAUSED: _paused("geofence"),
    Reason.CHANNEL_PAUSED: _paused("channel"),
    Reason.ALL_PAUSED: _paused("everything"),
    Reason.CANARY: _canary,
    Reason.CONDITION: _condition,
    Reason.UNKNOWN_VALUE: _unknown,
    Reason.TOO_IMPRECISE: _noted("the position is too imprecise for this fence (use radius >= 100 m, or `catchment`)"),
    Reason.EXPIRED: _expired,
    Reason.CONTROL_GROUP: lambda _: "the person is in the rule's control group",
    Reason.NO_CONSENT: _no_consent,
    Reason.COOLDOWN: lambda told: f"cooldown{told.until()}",
    Reason.CAP: _cap,
    Reason.RULE_LIMIT: _rule_limit,
    Reason.OUT_OF_STOCK: lambda _: "the offer is used up",
    Reason.OFFER_INVALID: _offer,
    Reason.BLAST_GUARD: _guard,
    Reason.OUTRANKED: _outranked,
    Reason.QUIET_HOURS: _quiet,
    Reason.TEMPLATE_ERROR: _noted("the message could not be composed"),
    Reason.NO_CHANNEL: lambda _: "the rule has no channel to go to",
    Reason.LEFT: lambda _: "the place was left before the message went",
    Reason.SUPERSEDED: lambda _: "another channel of the same moment delivered",
    Reason.DROPPED: lambda _: "an operator dropped what waited",
    Reason.REJECTED: _noted("the far side refused it"),
    Reason.AMBIGUOUS: _noted("Nobody knows whether it was sent: the sender stopped inside the attempt"),
    Reason.ERROR: lambda told: (
        f"an error of the server's own stopped it{f' ({_short(told.check.saw)})' if told.check.saw else ''}"
    ),
}
