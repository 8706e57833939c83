"""Should *this* person hear *this* message *now*? The steps of the decision, in order, every result in the trace.

Steps 1 and 2 end it at once. From step 3 on everything is asked, so that a trace shows all that stood in the way; the
first check that failed gives the reason.
"""

from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from zoneinfo import ZoneInfo

from engine.decide import codes, gate, guard, limits
from engine.decide.consent import consent_ok
from engine.decide.draft import Candidate, Decided, Draft
from engine.decide.plan import Memory, Plan, TestPeople, make_plan, make_plans
from engine.decide.quiet import next_quiet, quiet_until
from engine.decide.state import DecideState, reserve
from engine.decide.tally import tally_key
from engine.decide.zones import load_zone
from engine.model.ids import moment_id, share
from engine.model.moment import Check, Hold
from engine.model.person import Sent
from engine.model.reason import Reason
from engine.model.release import Release
from engine.model.rule import Rule
from engine.model.signal import Cause

CONTROL, TREATED = "control", "treated"
TEST = "test person: not asked"
NEVER_QUIET = Check("quiet hours", True, needs="none", step=7)


class Decider:
    """Decides under one release. ``salt`` is the project's; ``state`` is changed in place. ``plans``: the release's,
    where they are made already: for thousands of rules that takes longer than a record may."""

    def __init__(
        self, release: Release, state: DecideState, salt: str, plans: Mapping[str, Plan] | None = None
    ) -> None:
        self._policy = release.policy
        self._release, self._state, self._salt = release, state, salt
        self._plans = make_plans(release) if plans is None else plans
        self._test_people = TestPeople(release.policy.test.people)
        self._codes = codes.Drawer(state.codes)
        self._memory = Memory(self._plans, release.policy)
        zone = release.policy.decide.time_zone
        self._project_zone = zone if load_zone(zone) is not None else "UTC"

    def gate(self, rule: Rule, cause: Cause, now: float, zone: ZoneInfo, person: str | None = None) -> Check:
        """Step 1 alone: the first check that fails, or one that passed. Asked before conditions are."""
        check = gate.status(rule)
        if check.ok:
            runs = gate.runs(rule, now, zone)
            if runs is not None and not runs.ok:
                return runs
            if not self._state.switches:
                return gate.NO_SWITCH
            check = gate.pause(self._state, rule, cause, self._routes(self._plan(rule), self._is_test(person)))
        return check

    def decide(
        self, candidates: Sequence[Candidate], now: float, zone: ZoneInfo, zone_name: str, keep: bool = True
    ) -> tuple[list[Decided], list[Hold]]:
        """Decide all candidates of one cause of one person, in their order; at most one of them goes.

        What goes is reserved in the person and the state; holds are the rules that the blast guard paused. A moment
        that is reserved already, or stands twice among the candidates, is left out: it is decided. With ``keep`` False
        nothing is remembered (a preview).
        """
        drafts: list[Draft] = []
        known = {sent.moment for candidate in candidates[:1] for sent in candidate.person.sent}
        for candidate in candidates:
            moment = moment_id(candidate.person.id, candidate.rule.id, candidate.cause.id)
            if moment not in known:
                known.add(moment)
                drafts.append(self._judge(candidate, moment, now, zone, keep))
        holds: list[Hold] = []
        winner = self._arbitrate(drafts, now, holds)
        if winner is not None:
            self._schedule(winner, zone)
            if keep and not winner.test:
                self._reserve(winner, now)
        if keep:
            for hold in holds:
                self._state.pull(hold)
        return [draft.decided(zone_name) for draft in drafts], holds

    # ------------------------------------------------------------------ steps 1 to 5, and quiet hours

    def _judge(self, candidate: Candidate, moment: str, now: float, zone: ZoneInfo, keep: bool) -> Draft:
        plan = self._plan(candidate.rule)
        test = candidate.person.id in self._test_people
        draft = Draft(candidate, plan, moment, test, candidate.cause.at + plan.send_within, now)
        if self._eligible(draft, now, zone) and self._conditions(draft, now):
            self._group(draft, keep)
            self._consent(draft)
            self._quiet(draft, now, zone)
            self._limits(draft, limits.When(now, draft.at, zone))
        return draft

    def _eligible(self, draft: Draft, now: float, zone: ZoneInfo) -> bool:
        """1: status, runs, pause, canary."""
        rule = draft.candidate.rule
        draft.channels = self._routes(draft.plan, draft.test)
        if not draft.add(gate.status(rule)):
            return False
        runs = gate.runs(rule, now, zone)
        if runs is not None and not draft.add(runs):
            return False
        paused = gate.pause(self._state, rule, draft.candidate.cause, draft.channels)
        draft.channels = gate.open_channels(self._state, draft.channels)
        if not draft.add(paused):
            return False
        canary = gate.canary(rule, draft.candidate.person.id, self._salt, draft.test)
        return canary is None or draft.add(canary)

    def _conditions(self, draft: Draft, now: float) -> bool:
        """2: what was asked before, and whether it is not too late."""
        for check in draft.candidate.checks:
            draft.checks.append(check)
            if check.depth == 0 and check.ok is not True and draft.reason is None:
                draft.reason = check.reason or (Reason.UNKNOWN_VALUE if check.ok is None else Reason.CONDITION)
        if draft.reason is not None:
            return False
        late = now >= draft.expires
        reason = Reason.EXPIRED if late else None
        return draft.add(Check("expiry", not late, draft.expires, _soon(draft.plan.send_within), reason=reason, step=2))

    def _group(self, draft: Draft, keep: bool) -> None:
        """3: sticky and salted; written down before anything else can stop the message."""
        rule, person = draft.candidate.rule, draft.candidate.person
        if rule.control_group <= 0:
            return
        needs = f"not in the control group of {rule.control_group:.4g}"
        if draft.test or not draft.plan.marketing:
            note = TEST if draft.test else f"{rule.purpose}: not asked"
            draft.add(Check("control group", True, needs=needs, note=note, step=3))
            return
        group = person.groups.get(rule.id)
        if group is None:
            group = CONTROL if share(self._salt, rule.id, person.id) < rule.control_group else TREATED
            if keep:
                person.groups[rule.id] = group
        out = group == CONTROL
        draft.add(Check("control group", not out, group, needs, reason=Reason.CONTROL_GROUP if out else None, step=3))

    def _consent(self, draft: Draft) -> None:
        """4: channels without consent fall away; none left is a no."""
        rule, profile = draft.candidate.rule, draft.candidate.person.profile
        if not draft.channels:
            draft.add(Check("channel", False, [], "a channel", reason=Reason.NO_CHANNEL, step=4))
            return
        needs = f"consent for {rule.purpose} on a channel"
        if draft.plan.transactional:
            draft.add(Check("consent", True, needs=needs, note="transactional: not asked", step=4))
            return
        if not profile.consent:
            draft.add(_agreed(rule.purpose, draft.channels))
            return
        saw = {channel: consent_ok(profile, rule.purpose, channel) for channel in draft.channels}
        draft.channels = tuple(channel for channel in draft.channels if saw[channel])
        reason = None if draft.channels else Reason.NO_CONSENT
        draft.add(Check("consent", bool(draft.channels), saw, needs, reason=reason, step=4))

    def _quiet(self, draft: Draft, now: float, zone: ZoneInfo) -> None:
        """7, looked at early: limits are asked for the instant at which the message may go. Written down last."""
        quiet = self._quiet_of(draft)
        skip = TEST if draft.test else "transactional: not asked" if draft.plan.transactional else ""
        if quiet is None:
            draft.quiet = Check("quiet hours", True, note=skip, step=7) if skip else NEVER_QUIET
            return
        needs = f"outside {_clock(quiet[0])}-{_clock(quiet[1])}"
        until = quiet_until(now, zone, quiet)
        if until is None:
            draft.quiet = Check("quiet hours", True, now, needs, step=7)
            return
        draft.held = until < self._last_instant(draft, zone)
        draft.at = until if draft.held else now
        note = "held to the first allowed instant" if draft.held else "too late by the first allowed instant"
        draft.quiet = Check("quiet hours", False, now, needs, reason=Reason.QUIET_HOURS, free=until, note=note, step=7)

    def _limits(self, draft: Draft, when: limits.When) -> None:
        """5: caps, cooldown, the rule's limits, the offer."""
        plan, person = draft.plan, draft.candidate.person
        if draft.test:
            draft.add(Check("limits", True, note="test person: not asked, not counted", step=5))
            draft.code = codes.TEST_CODE if plan.offer is not None and plan.offer.codes else ""
            return
        caps = self._policy.decide.caps
        if plan.marketing:
            checks = limits.caps(person, caps, when)
        else:
            checks = [Check("cap", True, note=f"{plan.rule.purpose}: not asked", step=5)] if caps else []
        checks.append(limits.cooldown(person, plan, draft.candidate.cause.fence, when))
        checks += limits.per_person(person, plan, when)
        checks += limits.total(self._state, plan, when.at, self._project_zone)
        checks += limits.offer(self._state, plan, when.at, when.zone)
        if plan.offer is not None and plan.offer.codes:
            draft.code, found = self._codes.ask(person, plan.offer)
            checks += found
        for check in checks:
            draft.add(check)

    # ------------------------------------------------------------------ step 6, the guard, and what goes

    def _arbitrate(self, drafts: Sequence[Draft], now: float, holds: list[Hold]) -> Draft | None:
        """6: the best of those that nothing stopped; where the guard stops it, the next best. None: nobody goes."""
        running = sorted((draft for draft in drafts if draft.reason is None), key=lambda draft: draft.rank)
        while running and not self._guard(running[0], now, holds):
            running.pop(0)
        if not running:
            return None
        winner, *losers = running
        if losers:
            winner.add(Check("arbitration", True, _standing(winner), f"the best of {len(running)}", step=6))
        for loser in losers:
            needs = f"to outrank {winner.candidate.rule.id}"
            saw = {"own": _standing(loser), "winner": _standing(winner)}
            loser.add(Check("arbitration", False, saw, needs, reason=Reason.OUTRANKED, step=6))
        if winner.quiet is not None and not winner.quiet.ok and not winner.held:
            winner.reason = Reason.QUIET_HOURS
            return None
        return winner

    def _guard(self, draft: Draft, now: float, holds: list[Hold]) -> bool:
        """A rule that would send too many in a minute, or far more than its estimate, pauses itself."""
        rule = draft.candidate.rule
        going = draft.held or draft.quiet is None or draft.quiet.ok
        if draft.test or not going:
            return True
        count, needs, why = guard.look(self._state, rule, draft.at, self._policy.sends_per_minute)
        if not why:
            return draft.add(Check("blast guard", True, count, needs, step=5))
        if all(hold.id != rule.id for hold in holds):
            holds.append(Hold("rule", rule.id, True, why, "guard", now))
        return draft.add(Check("blast guard", False, count, needs, reason=Reason.BLAST_GUARD, step=5))

    def _schedule(self, draft: Draft, zone: ZoneInfo) -> None:
        """No send begins at or after the deadline: the message, the offer or the run is over, or quiet hours start."""
        draft.expires = self._last_instant(draft, zone)
        quiet = next_quiet(draft.at, zone, self._quiet_of(draft))
        draft.deadline = draft.expires if quiet is None else min(draft.expires, quiet)

    def _reserve(self, draft: Draft, now: float) -> None:
        plan, candidate = draft.plan, draft.candidate
        rule = plan.rule
        sent = Sent(
            draft.moment,
            rule.id,
            candidate.cause.fence,
            draft.at,
            plan.marketing,
            None if plan.offer is None else plan.offer.id,
            tuple(sorted({tally_key(cap) for cap in rule.limits.total})) if rule.limits.total else (),
            draft.deadline or draft.expires,
            draft.code,
        )
        if candidate.person.sent:
            self._memory.trim(candidate.person, now)
        reserve(candidate.person, self._state, rule, sent, now, self._project_zone)

    # ------------------------------------------------------------------ small questions

    def _plan(self, rule: Rule) -> Plan:
        plan = self._plans.get(rule.id)
        return plan if plan is not None and plan.rule is rule else make_plan(rule, self._release)

    def _is_test(self, person: str | None) -> bool:
        return person is not None and person in self._test_people

    def _routes(self, plan: Plan, test: bool) -> tuple[str, ...]:
        return self._policy.test.channels if test else plan.channels

    def _quiet_of(self, draft: Draft) -> tuple[int, int] | None:
        """The quiet hours this message obeys."""
        return None if draft.test or draft.plan.transactional else self._policy.decide.quiet_hours

    def _last_instant(self, draft: Draft, zone: ZoneInfo) -> float:
        """When the message is over: too late for its trigger, its run ended, or its offer no longer valid."""
        ends = [draft.expires, gate.runs_end(draft.plan.rule, zone)]
        if draft.plan.offer is not None and not draft.test:
            end = limits.offer_end(draft.plan.offer, zone)
            ends.append(end if end > draft.candidate.cause.at else None)
        return min(end for end in ends if end is not None)


def _standing(draft: Draft) -> dict[str, object]:
    rule = draft.candidate.rule
    return {"rule": rule.id, "score": draft.score, "priority": rule.priority}


@cache
def _soon(seconds: float) -> str:
    return f"within {limits.span(seconds)} of the trigger"


@lru_cache(maxsize=1024)
def _agreed(purpose: str, channels: tuple[str, ...]) -> Check:
    """Of those who never said anything of it; one and the same for most."""
    needs = f"consent for {purpose} on a channel"
    return Check("consent", True, dict.fromkeys(channels, True), needs, step=4)


@cache
def _clock(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
