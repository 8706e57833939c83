"""Eligibility, consent, limits, quiet hours, control groups, stock, ranking: a candidate becomes a decision."""

from engine.decide.codes import hand_over
from engine.decide.consent import consent_ok
from engine.decide.decider import Decider
from engine.decide.draft import Candidate, Decided
from engine.decide.guard import paced, pauses_at
from engine.decide.limits import cap_text, span
from engine.decide.plan import Plan, make_plans
from engine.decide.quiet import is_quiet, next_quiet, quiet_until
from engine.decide.state import Audit, DecideState, apply_control, give_back, switch_key, take_again, went
from engine.decide.tally import Tally
from engine.decide.zones import anchor, load_zone, resolve_zone, zone_name_at, zone_names

__all__ = [
    "Audit",
    "Candidate",
    "DecideState",
    "Decided",
    "Decider",
    "Plan",
    "Tally",
    "anchor",
    "apply_control",
    "cap_text",
    "consent_ok",
    "give_back",
    "hand_over",
    "is_quiet",
    "load_zone",
    "make_plans",
    "next_quiet",
    "paced",
    "pauses_at",
    "quiet_until",
    "resolve_zone",
    "span",
    "switch_key",
    "take_again",
    "went",
    "zone_name_at",
    "zone_names",
]
