"""Step 5: caps, cooldown, the rule's own limits, stock. Each answers one check; nothing is taken here.

All are asked for the instant at which the message may first go (``at``): a message held till the morning counts on the
day it is sent. Sends held for later than ``at`` count in rolling windows too, so that no window is ever overfull.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import inf
from zoneinfo import ZoneInfo

from engine.decide import localtime
from engine.decide.plan import Plan
from engine.decide.state import DecideState
from engine.decide.tally import Tally, tally_key
from engine.model.moment import Check
from engine.model.person import Person
from engine.model.reason import Reason
from engine.model.rule import Cap, Offer

STEP = 5
UNITS = (("week", 604800), ("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))


def caps(person: Person, policy: Sequence[Cap], at: float, zone: ZoneInfo) -> list[Check]:
    """The project's caps, over everything counted that went to this person."""
    times = [sent.at for sent in person.sent if sent.capped] if policy else []
    return [_window("cap", cap, times, at, zone, Reason.CAP) for cap in policy]


def cooldown(person: Person, plan: Plan, fence: str | None, at: float) -> Check:
    """The same rule, at the same fence, to the same person: not again so soon."""
    if plan.cooldown <= 0:
        return Check("cooldown", True, needs="none", step=STEP)
    rule = plan.rule.id
    last = max((sent.at for sent in person.sent if sent.rule == rule and sent.fence == fence), default=None)
    free = None if last is None else last + plan.cooldown
    needs = f"{span(plan.cooldown)} since the last one"
    if free is None or free <= at:
        return Check("cooldown", True, last, needs, step=STEP)
    return Check("cooldown", False, last, needs, reason=Reason.COOLDOWN, free=free, step=STEP)


def per_person(person: Person, plan: Plan, at: float, zone: ZoneInfo) -> list[Check]:
    """The rule's own limits for one person, whatever the fence."""
    own = plan.rule.limits.per_person
    times = [sent.at for sent in person.sent if sent.rule == plan.rule.id] if own else []
    return [_window("limit per person", cap, times, at, zone, Reason.RULE_LIMIT) for cap in own]


def total(state: DecideState, plan: Plan, at: float, project_zone: str) -> list[Check]:
    """The rule's limits for everybody together; days and weeks are those of the project's time zone."""
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
    """The offer exists, is still valid when the message may go, and is not used up."""
    if plan.offer_missing:
        return [
            Check("offer", False, plan.rule.offer, "an offer of this release", reason=Reason.OFFER_INVALID, step=STEP)
        ]
    if plan.offer is None:
        return []
    return [*_valid(plan.offer, at, zone), *_in_stock(state, plan.offer)]


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


def _window(name: str, cap: Cap, times: Sequence[float], at: float, zone: ZoneInfo, reason: Reason) -> Check:
    """How many of the times fall into the cap's window at ``at``, and when there is room again."""
    if isinstance(cap.per, str):
        start, end = _calendar(cap.per, at, zone)
        count = sum(1 for t in times if start <= t < end)
        free: float | None = end
    else:
        inside = sorted(t for t in times if t > at - cap.per)
        count = len(inside)
        free = inside[count - cap.count] + cap.per if 0 < cap.count <= count else None
    if count < cap.count:
        return Check(name, True, count, cap_text(cap), step=STEP)
    free = free if cap.count > 0 else None
    return Check(name, False, count, cap_text(cap), reason=reason, free=free, step=STEP)


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
