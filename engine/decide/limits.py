"""Step 5: caps, cooldown, the rule's own limits, stock. Each answers one check; nothing is taken here.

All are asked for the instant at which the message may first go (``at``): a message held till the morning counts on the
day it is sent. What went counts when it went; what is still on its way may go at any instant up to its deadline, and
counts wherever that may be. So no window is ever overfull by what people really get, however late retries come.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import inf
from typing import NamedTuple
from zoneinfo import ZoneInfo

from engine.decide import localtime
from engine.decide.plan import Plan
from engine.decide.state import DecideState
from engine.decide.tally import Tally, tally_key
from engine.model.moment import Check
from engine.model.person import Person, Sent
from engine.model.reason import Reason
from engine.model.rule import Cap, Offer

STEP = 5
UNITS = (("week", 604800), ("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))


class When(NamedTuple):
    """A send that is decided at ``now`` and may first go at ``at`` (journal time), on the person's calendar."""

    now: float
    at: float
    zone: ZoneInfo


Span = tuple[float, float]  # the earliest and the latest instant of a send; one that went has only one


def caps(person: Person, policy: Sequence[Cap], when: When) -> list[Check]:
    """The project's caps, over everything counted that went to this person."""
    spans = [_span(sent, when.now) for sent in person.sent if sent.capped] if policy else []
    return [_window("cap", cap, spans, when, Reason.CAP) for cap in policy]


def cooldown(person: Person, plan: Plan, fence: str | None, when: When) -> Check:
    """The same rule, at the same fence, to the same person: not again so soon."""
    if plan.cooldown <= 0:
        return Check("cooldown", True, needs="none", step=STEP)
    if not person.sent:
        return _cool(plan.cooldown)
    rule = plan.rule.id
    at = when.at
    theirs = [_span(sent, when.now) for sent in person.sent if sent.rule == rule and sent.fence == fence]
    last = max((_latest(span, at) for span in theirs), default=None)
    free = None if last is None else last + plan.cooldown
    needs = f"{span(plan.cooldown)} since the last one"
    if free is None or free <= at:
        return Check("cooldown", True, last, needs, step=STEP)
    return Check("cooldown", False, last, needs, reason=Reason.COOLDOWN, free=free, step=STEP)


@lru_cache(maxsize=1024)
def _cool(cooldown: float) -> Check:
    """Nothing was sent before: most are asked for the first time, and are told one and the same."""
    return Check("cooldown", True, None, f"{span(cooldown)} since the last one", step=STEP)


def per_person(person: Person, plan: Plan, when: When) -> list[Check]:
    """The rule's own limits for one person, whatever the fence."""
    own = plan.rule.limits.per_person
    if not own:
        return []
    spans = [_span(sent, when.now) for sent in person.sent if sent.rule == plan.rule.id]
    return [_window("limit per person", cap, spans, when, Reason.RULE_LIMIT) for cap in own]


def total(state: DecideState, plan: Plan, at: float, project_zone: str) -> list[Check]:
    """The rule's limits for everybody together; days and weeks are those of the project's time zone."""
    if not plan.rule.limits.total:
        return []
    tallies = state.rule_totals.get(plan.rule.id, {})
    checks = []
    for cap in plan.rule.limits.total:
        tally = tallies.get(tally_key(cap)) or Tally(cap.per, project_zone)
        count = tally.count(at)
        ok = count < cap.count
        free = None if ok else tally.free(at, cap.count)
        reason = None if ok else Reason.RULE_LIMIT
        checks.append(Check("limit in total", ok, count, cap_text(cap), reason=reason, free=free, step=STEP))
    return checks


def offer(state: DecideState, plan: Plan, at: float, zone: ZoneInfo) -> list[Check]:
    """The offer exists, is still valid when the message may go, and is not used up (one with codes: they tell)."""
    if plan.offer_missing:
        return [
            Check("offer", False, plan.rule.offer, "an offer of this release", reason=Reason.OFFER_INVALID, step=STEP)
        ]
    if plan.offer is None:
        return []
    return [*_valid(plan.offer, at, zone), *([] if plan.offer.codes else _in_stock(state, plan.offer))]


def offer_end(offer: Offer, zone: ZoneInfo) -> float:
    """The instant from which the offer is no longer valid: a date is valid to its end, on the person's calendar;
    without one it is valid for ever, and what is neither a date nor an instant never was."""
    if offer.valid_until is None:
        return inf
    text = offer.valid_until.strip()
    try:
        if len(text) == len("2026-11-24"):
            return localtime.day_start(localtime.day_of_iso(text) + 1, zone)
        return localtime.instant_of_iso(text, zone)
    except ValueError:
        return -inf


def _valid(offer: Offer, at: float, zone: ZoneInfo) -> list[Check]:
    if offer.valid_until is None:
        return []
    ok = at < offer_end(offer, zone)
    reason = None if ok else Reason.OFFER_INVALID
    return [Check("offer", ok, offer.valid_until, "a date not yet over", reason=reason, step=STEP)]


def _in_stock(state: DecideState, offer: Offer) -> list[Check]:
    if offer.stock is None:
        return []
    left = offer.stock - state.stock.get(offer.id, 0)
    reason = None if left > 0 else Reason.OUT_OF_STOCK
    return [Check("stock", left > 0, left, "at least 1 left", reason=reason, step=STEP)]


def _span(sent: Sent, now: float) -> Span:
    earliest = max(sent.at, now) if sent.until else sent.at
    return earliest, max(earliest, sent.until)


def _latest(span: Span, at: float) -> float:
    """The instant of a send that is nearest to ``at``, or after it."""
    return max(span[0], min(span[1], at))


def _window(name: str, cap: Cap, spans: Sequence[Span], when: When, reason: Reason) -> Check:
    """How many of the sends may fall into the cap's window at that instant, and when there is room again."""
    if not spans and cap.count > 0:
        return _unused(name, cap)
    at = when.at
    if isinstance(cap.per, str):
        start, end = _calendar(cap.per, at, when.zone)
        count = sum(1 for first, last in spans if first < end and (first >= start or last > start))
        free: float | None = end
    else:
        inside = sorted(t for t in (_latest(span, at) for span in spans) if t > at - cap.per)
        count = len(inside)
        free = inside[count - cap.count] + cap.per if 0 < cap.count <= count else None
    if count < cap.count:
        return Check(name, True, count, cap_text(cap), step=STEP)
    free = free if cap.count > 0 else None
    return Check(name, False, count, cap_text(cap), reason=reason, free=free, step=STEP)


@lru_cache(maxsize=1024)
def _unused(name: str, cap: Cap) -> Check:
    return Check(name, True, 0, cap_text(cap), step=STEP)


def _calendar(per: str, at: float, zone: ZoneInfo) -> tuple[float, float]:
    """The local day or Monday-based week around ``at``: start included, end not."""
    day, days = localtime.day(at, zone), 1
    if per == "week":
        day, days = localtime.monday(day), 7
    return localtime.day_start(day, zone), localtime.day_start(day + days, zone)


@lru_cache(maxsize=1024)
def cap_text(cap: Cap) -> str:
    """``3 per day``, ``10 per 7 days``."""
    if isinstance(cap.per, str):
        return f"{cap.count} per {cap.per}"
    text = span(cap.per)
    return f"{cap.count} per {text[2:] if text in ('1 hour', '1 minute', '1 second') else text}"


@lru_cache(maxsize=1024)
def span(seconds: float) -> str:
    """``6 hours``, ``7 days``: in the largest unit that divides it."""
    for unit, size in UNITS:
        count, rest = divmod(seconds, size)
        if rest == 0 and count >= 1 and not (unit == "week" and count == 1):
            return f"{count:g} {unit}{'' if count == 1 else 's'}"
    return f"{seconds:g} seconds"
