"""What changed files would have made of the same past: messages gained, lost and changed, by rule and person."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from msgspec import Struct

from engine.measure.sentences import failed_check
from engine.model.ids import moment_id
from engine.model.moment import Check, Effects, Miss, Moment
from engine.model.reason import Reason, Verdict
from engine.pipeline import places
from engine.pipeline.core import Core
from engine.pipeline.diff_watch import Watch

MAX_DELTAS = 20_000  # told one by one; all are counted
TIME = 1.0  # seconds: a send that moves by less stays where it is
NOT_WOKEN, NO_RULE = "NOT_WOKEN", "NO_RULE"

Kind = Literal["gained", "lost", "changed", "reason"]
KINDS: tuple[Kind, ...] = ("gained", "lost", "changed", "reason")


class Outcome(Struct, frozen=True):
    """How a moment came out in one run. ``at``: when it went, or was decided; ``line``: the check that said no."""

    verdict: str
    reason: str
    at: float
    channels: tuple[str, ...] = ()
    title: str = ""
    body: str = ""
    more: tuple[Any, ...] = ()  # link, data, language: compared, not shown
    line: str = ""

    @property
    def goes(self) -> bool:
        """Whether a message leaves, now or held till later."""
        return self.verdict != Verdict.SUPPRESS


class Delta(Struct, frozen=True):
    """A moment that differs. ``kind`` reason: no message in either run, for another reason. ``fields``: what of it."""

    kind: Kind
    moment: str
    rule: str
    person: str
    at: float
    before: Outcome | None
    after: Outcome | None
    fields: tuple[str, ...] = ()
    lat: float | None = None
    lon: float | None = None


class Seen(Struct, frozen=True):
    """A moment of one run while its counterpart is awaited."""

    rule: str
    person: str
    at: float
    outcome: Outcome
    lat: float | None
    lon: float | None


@dataclass
class RuleTally:
    """Messages of one rule in both runs, and whom they went to."""

    before: int = 0
    after: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    people_before: set[str] = field(default_factory=set)
    people_after: set[str] = field(default_factory=set)
    why_gained: Counter[str] = field(default_factory=Counter)
    why_lost: Counter[str] = field(default_factory=Counter)


class Comparison:
    """Fed with what both runs did, batch by batch; ``close`` when there is no more."""

    def __init__(self, old: Core, new: Core, since: float = 0.0) -> None:
        self._cores, self._since = (old, new), since
        old.watch = new.watch = True
        self._waiting: tuple[dict[str, Seen], dict[str, Seen]] = ({}, {})
        self._misses: dict[str, tuple[str, str]] = {}  # moments of the new run that are not: reason, line
        self.rules: dict[str, RuleTally] = {}
        self.people: dict[str, Counter[str]] = {}
        self.hours: tuple[Counter[int], Counter[int]] = (Counter(), Counter())
        self.deltas: list[Delta] = []
        self.kinds: Counter[str] = Counter()
        self.fields: Counter[str] = Counter()
        self.left_out = 0
        self.watch = Watch(new)
        self.guarded: tuple[set[str], set[str]] = (set(), set())

    # ------------------------------------------------------------------ batches

    def add(self, old: Effects, new: Effects) -> None:
        """What one batch did in both runs."""
        woken = {moment_id(miss.person, miss.rule, miss.cause.id): miss for miss in old.misses}
        self._feed(0, old.moments)
        for miss in new.misses:
            id = moment_id(miss.person, miss.rule, miss.cause.id)
            if id in self._waiting[0]:
                self._misses[id] = _told(miss)
        self._feed(1, new.moments, woken)
        for side, fx in enumerate((old, new)):
            self.guarded[side].update(hold.id for hold in fx.holds if hold.by == "guard" and hold.on)

    def _feed(self, side: int, moments: Iterable[Moment], woken: dict[str, Miss] | None = None) -> None:
        mine, theirs = self._waiting[side], self._waiting[1 - side]
        for moment in moments:
            if moment.at < self._since or moment.id in mine:
                continue
            seen = self._seen(moment)
            if seen.outcome.goes:
                self._count(side, seen)
                if side == 1:
                    self.watch.sent(moment)
            other = theirs.pop(moment.id, None)
            if other is not None:
                self._pair(moment.id, *((seen, other) if side == 0 else (other, seen)))
                continue
            mine[moment.id] = seen
            if woken and seen.outcome.goes and (miss := woken.get(moment.id)) is not None:
                self._misses[moment.id] = _told(miss)

    def _seen(self, moment: Moment) -> Seen:
        decision, message = moment.decision, moment.message
        check = failed_check(decision.checks, decision.reason)
        outcome = Outcome(
            decision.verdict.value,
            decision.reason.value,
            decision.until or moment.at,
            moment.channels,
            message.title if message else "",
            message.body if message else "",
            (message.link, sorted(message.data.items()), message.language) if message else (),
            check.name if check is not None and decision.reason is Reason.CONDITION else "",
        )
        lat, lon = self._place(moment)
        return Seen(moment.rule, moment.person, moment.at, outcome, lat, lon)

    def _place(self, moment: Moment) -> tuple[float | None, float | None]:
        """Where it was: where the signal was, else the middle of the fence."""
        signal = moment.trace.get("signal", {})
        if signal.get("lat") is not None:
            return signal["lat"], signal["lon"]
        for core in self._cores:
            fence = core.compiled.fences.fences.get(moment.cause.fence or "")
            found = places.middle(fence.shape) if fence is not None else None
            if found is not None:
                return found[1], found[0]
        return None, None

    def _count(self, side: int, seen: Seen) -> None:
        tally = self.rules.setdefault(seen.rule, RuleTally())
        if side == 0:
            tally.before += 1
            tally.people_before.add(seen.person)
        else:
            tally.after += 1
            tally.people_after.add(seen.person)
        self.hours[side][int(seen.outcome.at // 3600)] += 1

    # ------------------------------------------------------------------ pairs

    def close(self) -> None:
        """What has no counterpart by now has none."""
        for id, seen in self._waiting[0].items():
            self._pair(id, seen, None)
        for id, seen in self._waiting[1].items():
            self._pair(id, None, seen)
        self._waiting = ({}, {})
        self.deltas.sort(key=lambda d: (KINDS.index(d.kind), d.at, d.rule, d.person, d.moment))

    def _pair(self, id: str, old: Seen | None, new: Seen | None) -> None:
        a, b = (old.outcome if old else None), (new.outcome if new else None)
        was, now = a is not None and a.goes, b is not None and b.goes
        if was and now and a is not None and b is not None:
            kind: Kind = "changed"
            fields = _fields(a, b)
        elif was or now:
            kind, fields = ("gained" if now else "lost"), ("decision",)
        else:
            kind = "reason"
            fields = () if a is not None and b is not None and a.reason == b.reason else ("reason",)
        if fields:
            any_ = new or old
            assert any_ is not None, "one of the two is there"
            self._tell(Delta(kind, id, any_.rule, any_.person, any_.at, a, b, fields, any_.lat, any_.lon))
        self._misses.pop(id, None)

    def _tell(self, delta: Delta) -> None:
        miss = self._misses.get(delta.moment)
        if miss is not None and delta.kind in ("gained", "lost"):
            absent = Outcome(Verdict.SUPPRESS, miss[0], delta.at, line=miss[1])
            before, after = (absent, delta.after) if delta.kind == "gained" else (delta.before, absent)
            delta = Delta(*(delta.kind, delta.moment, delta.rule, delta.person, delta.at, before, after),
                          delta.fields, delta.lat, delta.lon)  # fmt: skip
        tally = self.rules.setdefault(delta.rule, RuleTally())
        tally.kinds[delta.kind] += 1
        self.kinds[delta.kind] += 1
        if delta.kind != "reason":
            self.people.setdefault(delta.person, Counter())[delta.kind] += 1
        if delta.kind == "changed":
            self.fields.update(delta.fields)
        elif delta.kind != "reason":
            self._why(delta, tally)
        if len(self.deltas) < MAX_DELTAS:
            self.deltas.append(delta)
        else:
            self.left_out += 1

    def _why(self, delta: Delta, tally: RuleTally) -> None:
        """What stood in the way, in the run in which it did not go."""
        side = 0 if delta.kind == "gained" else 1
        other = delta.before if side == 0 else delta.after
        if other is not None:
            why = other.line or other.reason
        else:
            known = any(rule.id == delta.rule for rule in self._cores[side].compiled.release.rules)
            why = NOT_WOKEN if known else NO_RULE
        (tally.why_gained if side == 0 else tally.why_lost)[why] += 1


def _fields(a: Outcome, b: Outcome) -> tuple[str, ...]:
    """What of a message differs."""
    differs = {
        "decision": a.verdict != b.verdict,
        "time": abs(a.at - b.at) > TIME,
        "text": (a.title, a.body, a.more) != (b.title, b.body, b.more),
        "channel": a.channels != b.channels,
    }
    return tuple(name for name, differ in differs.items() if differ)


def _told(miss: Miss) -> tuple[str, str]:
    line: Check | None = failed_check(miss.checks, miss.reason)
    return miss.reason.value, line.name if line is not None and miss.reason is Reason.CONDITION else ""
