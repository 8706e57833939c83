"""Decisions and what leaves the house: moments, notifications, attempts."""

from typing import Any, Literal

from msgspec import Struct, field

from engine.model.reason import Reason, Verdict
from engine.model.signal import Cause, Transition


class Check(Struct, frozen=True):
    """One line of a trace: what was checked, how it came out, with the value it saw.

    ``ok`` is True, False or None (unknown). ``where`` is ``file:line`` for authored conditions, ``free`` the epoch
    second at which the check would pass by itself, where that is known. ``step`` is the step of the decision it belongs
    to (1 status, 2 conditions, 3 groups, 4 consent, 5 limits, 6 arbitration, 7 quiet hours). ``depth`` 0 is a line of
    its own, with its reason; a deeper check shows how a part of the line before it came out.
    """

    name: str
    ok: bool | None
    saw: Any = None
    needs: str = ""
    where: str = ""
    reason: Reason | None = None
    free: float | None = None
    note: str = ""
    depth: int = 0
    step: int = 2


class Decision(Struct, frozen=True):
    """Send, hold until, or suppress, always with a reason and every check that was made, in order."""

    verdict: Verdict
    reason: Reason
    until: float | None = None
    checks: tuple[Check, ...] = ()
    time_zone: str = "UTC"
    deadline: float | None = None  # no send may begin at or after this instant


class Message(Struct, frozen=True):
    """A composed message for one channel."""

    title: str = ""
    body: str = ""
    link: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    language: str | None = None


class Moment(Struct, frozen=True):
    """A decided candidate. ``id`` = hash(person, rule, trigger id). ``at`` is journal time."""

    id: str
    rule: str
    release: str
    person: str
    device: str
    cause: Cause
    decision: Decision
    at: float
    expires: float
    score: float = 0.0
    variant: str | None = None
    purpose: str = "marketing"
    test: bool = False
    channels: tuple[str, ...] = ()
    message: Message | None = None
    trace: dict[str, Any] = field(default_factory=dict)


class Notification(Struct, frozen=True):
    """A moment composed for one channel: one outbox row. ``id`` = hash(moment, channel): the idempotency key.

    No send begins before ``not_before``, nor at or after ``deadline`` (expiry, or the next quiet hour if sooner).
    """

    id: str
    moment: str
    channel: str
    rule: str
    release: str
    person: str
    device: str
    cause: Cause
    message: Message
    not_before: float
    deadline: float
    expires: float
    variant: str | None = None
    purpose: str = "marketing"
    test: bool = False


OutboxStatus = Literal["waiting", "sending", "sent", "dead", "cancelled", "unknown"]


class OutboxRow(Struct, frozen=True):
    """A notification as it stands in the outbox."""

    notification: Notification
    status: OutboxStatus
    attempts: int = 0
    due: float = 0.0
    reason: str = ""
    detail: str = ""


Outcome = Literal["sent", "retry", "failed", "unknown"]


class Result(Struct, frozen=True):
    """What an adapter answers: ``sent``, ``retry`` (``after`` seconds, where the far side asked for it) or
    ``failed`` for good."""

    outcome: Outcome
    detail: str = ""
    after: float | None = None


# ------------------------------------------------------------------ effects of a step


class Settle(Struct, frozen=True):
    """The outbox row of a finished attempt takes its new standing (from an ``Attempt`` record)."""

    notification: str
    status: OutboxStatus
    attempts: int
    due: float = 0.0
    reason: str = ""
    detail: str = ""


class Cancel(Struct, frozen=True):
    """Waiting rows that fit every given field are cancelled for ``reason``; rows already sending are past return.

    ``before`` is how many notifications of the same step there were when it was decided: later ones are not meant.
    None: all are, so that how records are batched never shows.
    """

    reason: Reason
    person: str | None = None
    rule: str | None = None
    channel: str | None = None
    fence: str | None = None
    device: str | None = None
    moment: str | None = None
    purpose: str | None = None
    visit_before: float | None = None  # only causes at or before this device time
    keep_transactional: bool = False
    before: int | None = None


class Hold(Struct, frozen=True):
    """A switch that ``begin_send`` obeys: while on, no row of that scope begins. scope: all, rule, channel,
    geofence."""

    scope: str
    id: str
    on: bool
    why: str = ""
    by: str = ""
    at: float = 0.0


class Miss(Struct, frozen=True):
    """A rule that was woken and did not become a candidate: for metrics, the live page and ``why``; never stored."""

    rule: str
    person: str
    device: str
    cause: Cause
    at: float
    reason: Reason
    checks: tuple[Check, ...] = ()


class Effects(Struct):
    """All that one step wants done; committed together with the journal offset."""

    moments: list[Moment] = field(default_factory=list)
    notifications: list[Notification] = field(default_factory=list)
    settled: list[Settle] = field(default_factory=list)
    cancels: list[Cancel] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)
    misses: list[Miss] = field(default_factory=list)
    transitions: list[Transition] = field(default_factory=list)  # only where they were asked for

    def durable(self) -> bool:
        """Whether anything here must be committed (misses and transitions are for watching only)."""
        return bool(self.moments or self.notifications or self.settled or self.cancels or self.holds)
