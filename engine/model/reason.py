"""Every "no" has a name: the same word in trace, metric, API and dashboard."""

from enum import StrEnum


class Verdict(StrEnum):
    """What was decided about a candidate."""

    SEND = "send"
    HOLD = "hold"
    SUPPRESS = "suppress"


class Reason(StrEnum):
    """Why. ``OK`` accompanies a plain send."""

    OK = "OK"
    # 1 status, runs, pause, canary
    DRAFT = "DRAFT"
    ENDED = "ENDED"
    NOT_RUNNING = "NOT_RUNNING"  # outside `runs`
    RULE_PAUSED = "RULE_PAUSED"
    FENCE_PAUSED = "FENCE_PAUSED"
    CHANNEL_PAUSED = "CHANNEL_PAUSED"
    ALL_PAUSED = "ALL_PAUSED"
    CANARY = "CANARY"  # the rule goes to a share of people first, and this one is not among them
    # 2 conditions
    CONDITION = "CONDITION"
    UNKNOWN_VALUE = "UNKNOWN_VALUE"
    TOO_IMPRECISE = "TOO_IMPRECISE"
    EXPIRED = "EXPIRED"
    # 3 control groups
    CONTROL_GROUP = "CONTROL_GROUP"
    # 4 consent
    NO_CONSENT = "NO_CONSENT"
    # 5 limits, cooldown, stock
    COOLDOWN = "COOLDOWN"
    CAP = "CAP"
    RULE_LIMIT = "RULE_LIMIT"
    OUT_OF_STOCK = "OUT_OF_STOCK"
    OFFER_INVALID = "OFFER_INVALID"
    BLAST_GUARD = "BLAST_GUARD"
    # 6 arbitration
    OUTRANKED = "OUTRANKED"
    # 7 quiet hours
    QUIET_HOURS = "QUIET_HOURS"
    # compose and deliver
    TEMPLATE_ERROR = "TEMPLATE_ERROR"
    NO_CHANNEL = "NO_CHANNEL"
    LEFT = "LEFT"  # the place was left before the message went
    SUPERSEDED = "SUPERSEDED"  # an earlier channel of the same moment delivered
    DROPPED = "DROPPED"  # an operator resumed and dropped what waited
    REJECTED = "REJECTED"  # the far side refused for good
    AMBIGUOUS = "AMBIGUOUS"  # the sender died inside the attempt; nobody knows whether it left
    # at any step
    ERROR = "ERROR"  # an error of the server's own: what it concerns is passed over, and told
