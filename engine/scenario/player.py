"""A scenario's steps become records, each at its time."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from engine.author.scenario_keys import SPEEDS
from engine.author.scenario_parts import Past, PersonGiven, Scenario, Step
from engine.decide.decider import CONTROL, TREATED
from engine.model.record import ContextChange, Control, Feedback, ProfileChange
from engine.model.release import SensePolicy
from engine.model.signal import Reported, Signal
from engine.scenario.places import Atlas, Point, between, length
from engine.scenario.stage import Prepared, Stage
from engine.scenario.timing import Stuck, begins_at, instant_of, instants, track_of

ACCURACY = 10.0  # metres, of a fix that names none
STAY_EVERY = 300.0  # seconds between two fixes of somebody who stays
MOVE_EVERY = 15.0
FOR_EVER = 3650 * 86400.0
SETTLES = 120.0  # seconds that pass after the last step at least, so that leaving a place is noticed


class Last(NamedTuple):
    """What a phone said last: when, where, how exactly."""

    at: float
    point: Point
    accuracy: float


class Player:
    """Plays one scenario on a stage of its own. ``story`` tells what people did, with the journal time; ``watch``: the
    stage keeps what rules that were woken in vain saw."""

    def __init__(self, prepared: Prepared, atlas: Atlas, scenario: Scenario, watch: bool = True) -> None:
        self._compiled, self._atlas, self._scenario = prepared.compiled, atlas, scenario
        self._sampled = prepared.sampled  # rules that have a control group
        given = scenario.given
        self.begins = begins_at(scenario)
        earliest = max((past.ago for past in given.past), default=0.0)
        self.stage = Stage(prepared, self.begins - earliest, given.failing, watch=watch)
        self.story: list[tuple[float, str]] = []
        self.fixes: list[tuple[float, str, Point, float]] = []  # journal time, person, where, accuracy
        self._last: dict[str, Last] = {}  # by device
        self._context: dict[str, Any] = dict(given.context)
        self._keys = 0

    def play(self) -> None:
        """Everything that is given, every step, and the time that it takes to settle. Raises ``Stuck``."""
        self._people()
        if self._scenario.given.past:
            self._past()
        self.stage.advance(self.begins)
        for scope, facts in self._scenario.given.facts.items():
            self.stage.put(ContextChange(scope, facts, FOR_EVER))
        for step in self._scenario.steps:
            self._time(step)
            self._ACTIONS[step.action](self, step)
        policy = self._compiled.release.policy
        last = policy.sense.min_inside + policy.sense.min_outside + policy.decide.window + 1.0
        self.stage.advance(self.stage.now + max(SETTLES, last))

    # ------------------------------------------------------------------ what is given

    def _people(self) -> None:
        given = self._scenario.given
        profiles = {given.person: given.profile or PersonGiven(), **given.people}
        sampled = self._sampled
        for rule in given.control_group:
            if rule not in sampled:
                raise Stuck(self._scenario.mark, f"The rule '{rule}' has no control group.", "Name one that has.")
        for person in sorted(profiles):
            self.stage.put(_profile(person, profiles[person], True, (given.device_of(person),)))
            self.stage.core.person(person).groups.update(
                {rule: CONTROL if rule in given.control_group else TREATED for rule in sampled}
            )

    def _past(self) -> None:
        """Lived with everything paused: it makes history, and no messages."""
        sense = self._compiled.release.policy.sense
        self.stage.put(Control("pause", "all", why="before the scenario"))
        signals = [s for past in self._scenario.given.past for s in self._lived(past, sense)]
        for signal in sorted(signals, key=lambda s: s.at):
            self.stage.put(signal, signal.at)
        self.stage.advance(max(self.stage.now, self.begins - 1.0))
        self.stage.put(Control("resume", "all", why="the scenario begins", drop=True))
        self.stage.forget()
        self._last.clear()

    def _lived(self, past: Past, sense: SensePolicy) -> Iterator[Signal]:
        device = self._scenario.given.device_of(self._scenario.given.person)
        start = self.begins - past.ago
        if past.event:
            yield self._signal(device, start, event=past.event, context=past.data or None)
            return
        end, here = start + past.lasted, self._atlas.inside(past.fence)
        away = self._atlas.outside(past.fence)
        for at in instants(start, end, sense.silence / 2):
            yield self._signal(device, at, here)
        yield self._signal(device, end + 1.0, away)
        yield self._signal(device, min(end + 2.0 + sense.min_outside, self.begins - 1.0), away)

    # ------------------------------------------------------------------ time

    def _time(self, step: Step) -> None:
        if step.at is not None:
            self._pass(instant_of(step.at, self.stage.now, self._scenario.given.zone, step.mark))

    def _pass(self, until: float, but: str = "") -> None:
        """Time goes by; phones that lie where they are say so often enough not to be forgotten, all ``but`` one."""
        every = self._compiled.release.policy.sense.silence * 0.9
        while True:
            due = min(((last.at + every, name) for name, last in self._last.items() if name != but), default=None)
            if due is None or due[0] >= until:
                break
            at, device = max(due[0], self.stage.now), due[1]
            last = self._last[device] = self._last[device]._replace(at=at)
            self.stage.put(self._signal(device, at, last.point, last.accuracy), at)
        self.stage.advance(until)

    # ------------------------------------------------------------------ moving

    def _arrives(self, step: Step) -> None:
        assert step.place is not None
        self._tell(step, f"arrives at {step.place.text}")
        self._fix(step, self._point(step))

    def _leaves(self, step: Step) -> None:
        assert step.place is not None
        self._tell(step, f"leaves {step.place.text}")
        away = self._atlas.outside(step.place.fence) if step.place.fence else self._atlas.inside("")
        self._fix(step, away)

    def _stays(self, step: Step) -> None:
        here = self._point(step) if step.place is not None else self._here(step)
        start, seconds = self.stage.now, step.seconds or 0.0
        self._tell(step, f"stays {step.mark.text.partition(': ')[2]}")
        for at in instants(start, start + seconds, step.every or self._stay_every()):
            self._fix(step, here, at)

    def _moves(self, step: Step) -> None:
        start, end = self._way(step)
        began = self.stage.now
        seconds = step.seconds or max(1.0, length(start, end) / SPEEDS[step.action])
        self._tell(step, f"{step.action} {step.mark.text.partition(': ')[2]}")
        for at in instants(began, began + seconds, step.every or MOVE_EVERY):
            self._fix(step, between(start, end, (at - began) / seconds), at, length(start, end) / seconds)

    def _way(self, step: Step) -> tuple[Point, Point]:
        if step.start is None or step.place is None:
            return self._here(step), self._point(step)
        try:
            return self._atlas.way(step.start, step.place)
        except KeyError as error:
            raise Stuck(step.mark, f"There is no fence {error}.", "Name one of the release.") from error

    def _follows(self, step: Step) -> None:
        track = track_of(self._scenario, step)
        shift = 0.0 if self._scenario.given.clock is None else self.stage.now - track[0]["at"]
        self._tell(step, f"follows {step.name}")
        for body in track:
            accuracy = body.get("accuracy", step.accuracy)
            self._fix(step, (body["lat"], body["lon"]), body["at"] + shift, body.get("speed"), accuracy)

    def _point(self, step: Step) -> Point:
        assert step.place is not None
        try:
            return self._atlas.point(step.place)
        except KeyError as error:
            raise Stuck(step.mark, f"There is no fence {error}.", "Name one of the release.") from error

    def _here(self, step: Step) -> Point:
        device = self._device(step)
        if device not in self._last:
            raise Stuck(step.mark, "Nobody knows where the person is yet.", "Begin with a place: - arrives: …")
        return self._last[device].point

    def _stay_every(self) -> float:
        return min(STAY_EVERY, self._compiled.release.policy.sense.silence / 2)

    # ------------------------------------------------------------------ signals

    def _fix(
        self, step: Step, point: Point, at: float | None = None, speed: float | None = None,
        accuracy: float | None = None,
    ) -> None:  # fmt: skip
        """One position report, made ``at`` (None: now) and received ``late``."""
        at = self.stage.now if at is None else at
        accuracy = step.accuracy if step.accuracy is not None else ACCURACY if accuracy is None else accuracy
        device = self._device(step)
        self._pass(at + step.late, but=device)
        self._last[device] = Last(at, point, accuracy)
        self.fixes.append((at + step.late, self._person(step), point, accuracy))
        context = self._said(step.data)
        signal = self._signal(device, at, point, accuracy, step.speed if step.speed is not None else speed, context)
        self.stage.put(signal, at + step.late)

    def _signal(
        self, device: str, at: float, point: Point | None = None, accuracy: float = ACCURACY,
        speed: float | None = None, context: dict[str, Any] | None = None, event: str | None = None,
        reported: Reported | None = None,
    ) -> Signal:  # fmt: skip
        self._keys += 1
        lat, lon = (None, None) if point is None else point
        return Signal(
            device, at, self._keys, lat, lon, None if point is None else accuracy, speed, event=event,
            reported=reported, context=context, id=f"s{self._keys}",
        )  # fmt: skip

    def _said(self, own: dict[str, Any]) -> dict[str, Any] | None:
        """The context of a signal: its own, and what is given with the first one."""
        both = {**self._context, **own}
        self._context = {}
        return both or None

    def _event(self, step: Step) -> None:
        self._tell(step, f"does {step.name}")
        now = self.stage.now
        signal = self._signal(self._device(step), now, event=step.name, context=self._said(step.data))
        self.stage.put(signal, now + step.late)

    def _reports(self, step: Step) -> None:
        self._tell(step, f"reports {step.kind} {step.name}")
        now = self.stage.now
        reported = Reported(step.kind, step.name)  # type: ignore[arg-type]
        signal = self._signal(self._device(step), now, context=self._said(step.data), reported=reported)
        self.stage.put(signal, now + step.late)

    # ------------------------------------------------------------------ what is not said by phones

    def _waits(self, step: Step) -> None:
        until = self.stage.now + (step.seconds or 0.0)
        if step.silent:
            self.stage.advance(until)
        else:
            self._pass(until)

    def _profile(self, step: Step) -> None:
        self._tell(step, "has a changed profile")
        self.stage.put(_profile(self._person(step), step.profile or PersonGiven(), False, None))

    def _facts(self, step: Step) -> None:
        for scope, facts in step.data.items():
            self.story.append((self.stage.now, f"facts of {scope} are told"))
            self.stage.put(ContextChange(scope, facts, step.seconds or FOR_EVER))

    def _feedback(self, step: Step) -> None:
        person = self._person(step)
        sent = [o for o in self.stage.seen.outcomes if o.moment.rule == step.name and o.sent_at is not None]
        own = [o for o in sent if o.moment.person == person]
        if not own:
            raise Stuck(step.mark, f"{person} has got no message of '{step.name}' that could be {step.kind}.")
        self._tell(step, f"{step.kind} {step.name}")
        self._keys += 1
        said = Feedback(f"f{self._keys}", step.kind, self.stage.now, own[-1].notification, person)
        self.stage.put(said)

    def _switch(self, step: Step) -> None:
        action = "pause" if step.action == "pauses" else "resume"
        self.story.append((self.stage.now, f"somebody {step.mark.text.replace(':', '')}"))
        self.stage.put(Control(action, step.kind, step.name, "scenario", drop=step.drop))  # type: ignore[arg-type]

    # ------------------------------------------------------------------ who

    def _person(self, step: Step) -> str:
        return step.person or self._scenario.given.person

    def _device(self, step: Step) -> str:
        return step.device or self._scenario.given.device_of(self._person(step))

    def _tell(self, step: Step, words: str) -> None:
        self.story.append((self.stage.now, f"{self._person(step)} {words}"))

    _ACTIONS: dict[str, Callable[["Player", Step], None]] = {  # noqa: RUF012 (never changed)
        "arrives": _arrives, "leaves": _leaves, "stays": _stays, "walks": _moves, "rides": _moves, "drives": _moves,
        "follows": _follows, "event": _event, "reports": _reports, "waits": _waits, "profile": _profile,
        "facts": _facts, "feedback": _feedback, "pauses": _switch, "resumes": _switch,
    }  # fmt: skip


def _profile(person: str, given: PersonGiven, replace: bool, devices: tuple[str, ...] | None) -> ProfileChange:
    consent: dict[str, bool | None] = dict(given.consent)
    return ProfileChange(person, replace, given.attributes, consent, devices, given.language, given.time_zone)
