"""What is exchanged with deciding, and a decision while it is being made."""

from dataclasses import dataclass, field

from msgspec import Struct

from engine.decide.plan import Plan
from engine.model.fence import Fence
from engine.model.moment import Check, Decision
from engine.model.person import Person
from engine.model.reason import Reason, Verdict
from engine.model.rule import Rule
from engine.model.signal import Cause


class Candidate(Struct, frozen=True):
    """A match competing for a person's attention. ``checks`` are its conditions; a line that does not hold, or is
    unknown, suppresses it here. ``score`` None counts as 0."""

    rule: Rule
    cause: Cause
    person: Person
    device: str
    fence: Fence | None
    checks: tuple[Check, ...] = ()
    score: float | None = None


class Decided(Struct, frozen=True):
    """A candidate with its decision. ``channels`` are those it may take, in the order they are tried; ``code`` is the
    one-time code that its message says."""

    candidate: Candidate
    moment: str
    decision: Decision
    expires: float
    variant: str | None
    test: bool
    channels: tuple[str, ...]
    code: str = ""


@dataclass(slots=True)
class Draft:
    """A decision in the making. ``reason`` is that of the first check that failed; ``at`` the first instant at which
    the message may go; ``held`` says that this is later than now."""

    candidate: Candidate
    plan: Plan
    moment: str
    test: bool
    expires: float
    at: float
    channels: tuple[str, ...] = ()
    checks: list[Check] = field(default_factory=list)
    quiet: Check | None = None
    held: bool = False
    reason: Reason | None = None
    deadline: float | None = None
    code: str = ""

    def add(self, check: Check) -> bool:
        """Write the check down; the first one that fails is the reason. Whether it passed."""
        self.checks.append(check)
        if check.ok is not True and self.reason is None:
            self.reason = check.reason or Reason.CONDITION
        return check.ok is True

    @property
    def rank(self) -> tuple[float, float, str, str]:
        """Least is best: highest score, then priority, then rule id; the trigger only tells a rule from itself."""
        candidate = self.candidate
        return -self.score, -candidate.rule.priority, candidate.rule.id, candidate.cause.id

    @property
    def score(self) -> float:
        """None and not-a-number count as 0."""
        score = self.candidate.score
        return score if score is not None and score == score else 0.0

    def decided(self, zone_name: str) -> Decided:
        """The finished decision."""
        if self.quiet is not None:
            self.checks.append(self.quiet)
        verdict = Verdict.SEND if self.reason is None else Verdict.SUPPRESS
        reason = self.reason or Reason.OK
        if verdict is Verdict.SEND and self.held:
            verdict, reason = Verdict.HOLD, Reason.QUIET_HOURS
        going = verdict is not Verdict.SUPPRESS
        decision = Decision(
            verdict,
            reason,
            until=self.at if verdict is Verdict.HOLD else None,
            checks=tuple(self.checks),
            time_zone=zone_name,
            deadline=self.deadline if going else None,
        )
        return Decided(
            self.candidate,
            self.moment,
            decision,
            self.expires,
            None,
            self.test,
            self.channels if going else (),
            self.code if going else "",
        )
