"""The one page: what happens to a record, in order.

    sense ─► match ─► decide ─► compose ─► effects

``Core.step`` is a pure function of the records given so far and the releases they name: it reads no clock, no random
source, no socket. How records are cut into steps never shows in the effects.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from engine.decide import Candidate, Decider, apply_control, resolve_zone
from engine.match import CompiledRule, Situation, Truth, history
from engine.model.fence import Fence
from engine.model.moment import Check, Effects
from engine.model.person import Person, Position
from engine.model.reason import Reason
from engine.model.record import (
    Attempt,
    ContextChange,
    Control,
    Feedback,
    FenceChange,
    Frame,
    Genesis,
    ProfileChange,
    Record,
    ReleaseChange,
    ScheduleDue,
    Tick,
)
from engine.model.runs import items_of, joined
from engine.model.signal import Signal, Transition
from engine.model.signals import Signals, telling
from engine.pipeline import causes, force, profiles
from engine.pipeline.agenda import Agenda
from engine.pipeline.calls import Group, Rules, occasions
from engine.pipeline.causes import Occasion
from engine.pipeline.faults import Faults, check
from engine.pipeline.flight import Flight
from engine.pipeline.histories import Histories
from engine.pipeline.moments import Composing
from engine.pipeline.scheduled import Firings
from engine.pipeline.sequels import Sequels
from engine.pipeline.state import CoreState
from engine.pipeline.versions import EMPTY, Compiled, place
from engine.pipeline.windows import Windows, candidates_of
from engine.pipeline.world import CoreWorld, push, stick, unstick
from engine.sense import Sense

# Rules that are not meant to run now are not worth a moment each time they are woken.
QUIET_GATES = frozenset({Reason.DRAFT, Reason.ENDED, Reason.NOT_RUNNING})
Said = Signal | None
Found = list[tuple[Candidate, Situation]]  # who competes, and how it was seen
Where = tuple[Position | None, ZoneInfo]


class Core:
    """State and how it advances. ``versions`` holds every release that the records to come may name, compiled.

    ``watch`` makes misses (rules woken in vain) part of the effects, ``keep_transitions`` what was sensed; neither
    changes anything else.
    """

    def __init__(
        self, versions: Mapping[str, Compiled], state: CoreState | None = None, sense: Sense | None = None
    ) -> None:
        self.versions = versions
        self.state = state or CoreState()
        held = (place(self.state.release, self.state.fences), self.state.release)
        self.compiled = next((versions[name] for name in held if name in versions), None) or Compiled.of(EMPTY)
        self.sense = sense or Sense(self.compiled.release.policy.sense)
        self.faults = Faults(self.state.faults)
        self.flight = Flight(self.state, self.faults)
        self.windows = Windows(self.state)
        self.firings = Firings(self.state.schedules, self.state.people, self.state.links)
        self.schedules = Agenda(self.firings)  # what somebody should append, and when
        self.sequels = Sequels(self.state.followed)
        self.histories = Histories(self.state, self.faults, self.flight, self.windows, self.firings)
        self.watch = False
        self.keep_transitions = False
        self.misses: dict[str, int] = {}
        self.transitions = self.histories.counts
        self.skipped_releases = 0
        self.situate()

    # ------------------------------------------------------------------ records

    def step(self, frames: Sequence[Frame]) -> Effects:
        """Apply the records in order; consecutive signals are sensed together, everything else stands between them."""
        fx = Effects()
        signals: list[Signal | Signals] = []
        times: list[float] = []
        for frame in frames:
            for record in items_of(frame.records):
                if type(record) is Signal or type(record) is Signals:
                    signals.append(record)
                    times += [frame.received] * (len(record) if type(record) is Signals else 1)
                    continue
                if signals:
                    self._signals(joined(signals), times, fx)
                    signals, times = [], []
                try:
                    self._other(record, frame.received, fx)
                except Exception as error:
                    self.faults.note(error, "record", type(record).__name__, frame.received)
            self.state.received = frame.received
            self.state.offset = frame.end
        if signals:
            self._signals(joined(signals), times, fx)
        self.firings.roster.catch_up()
        return fx

    def next_due(self) -> float | None:
        """Journal time of the earliest timer: when the next tick is worth a record."""
        timers = (self.sense, self.flight, self.windows, self.firings, self.sequels)
        dues = [due for timer in timers if (due := timer.next_due()) is not None]
        return min(dues) if dues else None

    def _other(self, record: Record, now: float, fx: Effects) -> None:
        match record:
            case Tick():
                self._tick(now, fx)
            case Attempt():
                went = self.flight.attempt(record, now, fx)
                self._call(self.sequels.sent(went, record, now), now, fx)
            case ProfileChange():
                person = profiles.change(self.state, record, now)
                self.firings.roster.moved(person)
                self.flight.consent_changed(person, fx)
            case ScheduleDue():
                self.firings.take(record, now)
                self._call(self.firings.slice(now), now, fx)
            case ContextChange():
                push(self.state, record, now)
            case Feedback():
                self._feedback(record, now, fx)
            case ReleaseChange():
                force.release(self, record, now, fx)
            case FenceChange():
                force.fences(self, record, now, fx)
            case Control():
                holds, cancels = apply_control(self.state.decide, record, now)
                fx.holds += holds
                fx.cancels += [replace(cancel, before=len(fx.notifications)) for cancel in cancels]
                self.flight.dropped(cancels)
            case Genesis():
                self.state.salt = record.salt
                self.situate()

    def situate(self) -> None:
        """Bind what depends on the release in force."""
        release = self.compiled.release
        self.rules = self.compiled.rules
        self.world = CoreWorld(self.state, self.compiled)
        self.decider = Decider(release, self.state.decide, self.state.salt, self.compiled.plans)
        self.composing = Composing(self.compiled, self.world, self.state, self.flight, self.faults)
        self.histories.use(self.compiled.matcher.horizon, self.rules)
        self.firings.use(self.compiled.matcher, release.policy, self.world.fence)
        self.sequels.use(self.compiled.matcher)

    # ------------------------------------------------------------------ signals and time

    def _signals(self, signals: Sequence[Signal], times: list[float], fx: Effects) -> None:
        """A run of signals: sensed in columns, then told in record order to whoever has something to do with them."""
        transitions = self.sense.advance(signals, times)
        lost, heard = self.faults.sensed(self.sense, times), telling(signals)
        if not transitions and not heard:  # so it is with most
            return
        woken = self.compiled.matcher.woken
        heard |= {t.record for t in transitions if woken(t, t.initial)}
        if lost:
            heard, transitions = heard - lost, [t for t in transitions if t.record not in lost]
        told = sorted(heard)
        if told and isinstance(signals, Signals):
            signals.each(told)  # at once: they are asked for one by one now
        records, at = [t.record for t in transitions], 0
        for i in told:
            first, last = bisect_left(records, i, at), bisect_right(records, i, at)
            self._passed(transitions[at:first], times, fx)
            self._heard(signals[i], transitions[first:last], i, times[i], fx)
            at = last
        self._passed(transitions[at:], times, fx)

    def _passed(self, transitions: Sequence[Transition], times: list[float], fx: Effects) -> None:
        """What wakes nobody, as most does: nobody will look at the signals, and nothing competes."""
        for t in transitions:
            try:
                self.note(t, times[t.record], fx)
            except Exception as error:
                self.faults.note(error, "cause", t.device, times[t.record])

    def _heard(self, signal: Signal, fired: list[Transition], i: int, now: float, fx: Effects) -> None:
        """A signal that says more than where a device is, or wakes a rule; what was overdue comes before it."""
        attempt = self.faults.attempt
        if signal.person is not None and signal.device not in self.state.links:
            attempt("link", signal.device, now, self._link, signal.device, signal.person, fx)
        overdue = [t for t in fired if t.due is not None]
        for _, due in groupby(overdue, key=attrgetter("at")):
            self._sensed(list(due), None, i - 0.5, now, fx)
        if signal.context is not None:
            attempt("context", signal.device, now, stick, self.state, signal.device, signal.context, signal.at)
        self._sensed([t for t in fired if t.due is None] if overdue else fired, signal, i, now, fx)

    def _link(self, device: str, person: str, fx: Effects) -> None:
        profiles.link(self.state, device, person)
        self.flight.consent_changed(self.person(person), fx)

    def _tick(self, now: float, fx: Effects) -> None:
        """Timers: those of devices by person and due instant, then windows, then what never came back."""

        def cause(t: Transition) -> tuple[float, str]:
            return (t.due or 0.0, self.person_of(t.device))

        force.tell_endings(self, now, fx, force.PORTION)
        fired = sorted(self.sense.tick(now, force.PORTION), key=cause)
        self.faults.sensed(self.sense, (now,))
        for _, group in groupby(fired, key=cause):
            self._sensed(list(group), None, -1, now, fx)
        for person, window in self.windows.closing(now):
            candidates = candidates_of(self.person(person), window, self.rules, self.compiled.fences.fences)
            if candidates:
                self._decide(candidates, None, None, now, fx)
        self._call(self.sequels.tick(now), now, fx)
        self._call(self.firings.slice(now), now, fx)
        self.flight.tick(now)
        unstick(self.state, self.sense.clock, now)

    def _sensed(self, transitions: list[Transition], signal: Said, index: float, now: float, fx: Effects) -> None:
        """One cause: the transitions of one signal (and its event), or of one due instant. They compete together; where
        something fails, that cause alone is lost."""
        try:
            self._caused(transitions, signal, index, now, fx)
        except Exception as error:
            device = signal.device if signal is not None else transitions[0].device
            self.faults.note(error, "cause", device, now)

    def _caused(self, transitions: list[Transition], signal: Said, index: float, now: float, fx: Effects) -> None:
        found: Found = []
        people = [self.note(t, now, fx) for t in transitions]
        for t, person in zip(transitions, people, strict=True):
            rules = self.compiled.matcher.woken(t, t.initial)
            if rules:
                occasion = Occasion(causes.of_transition(t), person, t.device, t.at, now, signal, index)
                found += self._ask(rules, occasion, fx)
        if signal is not None and signal.event is not None:
            person = self.person(self.person_of(signal.device))
            occasion = Occasion(causes.of_event(signal), person, signal.device, signal.at, now, signal, index)
            found += self._event(occasion, fx)
        self._compete(found, signal, now, fx)

    def note(self, t: Transition, now: float, fx: Effects) -> Person:
        """Take a transition into the history of its person, who is told."""
        if self.keep_transitions:
            fx.transitions.append(t)
        return self.histories.note(t, now, fx)

    def _feedback(self, record: Feedback, now: float, fx: Effects) -> None:
        """What a server reports of a person or a notification wakes rules as an event from a device does."""
        if record.person is None:
            return
        person = self.person(record.person)
        if not causes.new(record, person):
            return
        device = person.devices[0] if person.devices else person.id
        occasion = Occasion(causes.of_feedback(record), person, device, record.at, now, None, -1)
        found = self._event(occasion, fx) + self._asked(self.sequels.feedback(record, now), -1, now, fx)
        self._compete(found, None, now, fx)

    def _event(self, o: Occasion, fx: Effects) -> Found:
        """Events are noted after the match: the present one is not part of the past."""
        rules = self.compiled.matcher.woken(o.cause)
        found = self._ask(rules, o, fx) if rules else []
        found += self._asked(self.sequels.event(o.person.id, o.cause, o.now), o.index, o.now, fx)
        history.note_event(o.person, causes.happened(o.cause), self.compiled.matcher.horizon)
        return found

    # ------------------------------------------------------------------ match

    def _call(self, groups: Iterable[Group], now: float, fx: Effects) -> None:
        """Rules that no device woke: of schedules, and of what became of messages."""
        for group in self.faults.each(groups, "call", now):
            try:
                self._compete(self._asked(group, -1, now, fx), None, now, fx)
            except Exception as error:
                self.faults.note(error, "cause", group[0].person, now)

    def _asked(self, calls: Group, index: float, now: float, fx: Effects) -> Found:
        asked = occasions(calls, self.firings.roster, self.sense, now, index)
        return [one for call, o in asked for one in self._ask(call.rules, o, fx, call.only)]

    def _ask(self, rules: Rules, o: Occasion, fx: Effects, only: Truth | None = None) -> Found:
        """Which of the rules that a cause wakes hold, and in what situation."""
        situation = self._situation(o)
        if only is not None and not only(situation):
            return []
        found: Found = []
        for compiled in rules:
            try:
                checks = self._judge(compiled, o, situation, fx)
            except Exception as error:  # of this rule alone, told as a moment that was suppressed
                self.faults.note(error, "rule", compiled.rule.id, o.now)
                checks = (check(error),)
            if checks is not None:
                one = Candidate(compiled.rule, o.cause, o.person, o.device, situation.fence, checks)
                found.append((one, situation))
        return found

    def _judge(
        self, compiled: CompiledRule, o: Occasion, situation: Situation, fx: Effects
    ) -> tuple[Check, ...] | None:
        """What the conditions saw; None where they do not hold, or the rule is not meant to run."""
        gate = self.decider.gate(compiled.rule, o.cause, o.now, situation.zone, o.person.id)
        holds = compiled.holds(situation)
        if gate.reason in QUIET_GATES or holds is False:
            reason = gate.reason if gate.reason in QUIET_GATES else Reason.CONDITION
            self.misses[reason or ""] = self.misses.get(reason or "", 0) + 1
            if self.watch:
                fx.misses.append(causes.miss(compiled, situation, gate, reason or Reason.CONDITION))
            return None
        return compiled.explain(situation)

    def _situation(self, o: Occasion) -> Situation:
        fence = self.world.fence(o.cause.fence) if o.cause.fence else None
        position, zone = self._where(o.device, o.index, o.person, fence)
        return Situation(o.now, o.device_now, o.cause, o.person, o.device, position, fence, o.signal, zone, self.world)

    def _where(self, device: str, index: float, person: Person, fence: Fence | None) -> Where:
        """Where a device is, as of that record, and by which clock it is seen there."""
        position, told = self.sense.position(device, index), person.profile.time_zone
        if fence is not None and not told:
            return position, self.world.zone(fence)
        project = self.compiled.release.policy.decide.time_zone
        return position, resolve_zone(told, fence, project, causes.point(position))[0]

    # ------------------------------------------------------------------ decide and compose

    def _compete(self, found: Found, signal: Said, now: float, fx: Effects) -> None:
        """Decide now, or when the person's arbitration window closes."""
        if not found:
            return
        candidates, seen = [candidate for candidate, _ in found], found[0][1]
        seconds = self.compiled.release.policy.decide.window
        if seconds > 0:
            self.windows.wait(candidates, now + seconds)
        else:
            self._decide(candidates, (seen.position, seen.zone), signal, now, fx)

    def _decide(self, candidates: list[Candidate], at: Where | None, signal: Said, now: float, fx: Effects) -> None:
        """Candidates of one person; ``at``: where the first was judged, if it was just now."""
        first, known = candidates[0], {sent.moment for sent in candidates[0].person.sent}
        try:
            position, zone = at or self._where(first.device, -1, first.person, first.fence)
            decided, holds = self.decider.decide(candidates, now, zone, zone.key)
        except Exception as error:
            self.faults.note(error, "decide", first.person.id, now)
            self.composing.lost(candidates, known, error, now, fx)
            return
        fx.holds += holds
        for one in decided:
            self.composing.take(one, signal, position, now, zone, fx)

    def person_of(self, device: str) -> str:
        """The person a device belongs to; an unknown person is the device itself."""
        return self.state.links.get(device, device)

    def person(self, id: str) -> Person:
        """The person, made on first sight."""
        return self.histories.person(id)
