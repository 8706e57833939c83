"""From what was sensed to what wakes rules. Trigger ids come from the cause alone."""

from dataclasses import dataclass
from typing import Any

from engine.match import CompiledRule, Situation
from engine.model.ids import key_of
from engine.model.moment import Check, Miss
from engine.model.person import Happened, Person, Position
from engine.model.reason import Reason
from engine.model.record import Feedback
from engine.model.signal import Cause, Signal, Transition

HEARD = 64  # feedback remembered of each person


def of_transition(t: Transition) -> Cause:
    """``device|fence|kind|visit start`` (and the dwell's length, or how near an approach was to be): the same however
    often the visit is replayed."""
    trigger = f"{t.device}|{t.fence}|{t.kind}|{t.visit!r}"
    if t.kind == "dwell":
        trigger += f"|{t.seconds:g}"
    if t.kind == "approach":
        trigger += f"|{t.within:g}m" if t.within else f"|{t.seconds:g}s"
    data: dict[str, Any] = {"visit": t.visit}
    if t.probability is not None:
        data["probability"] = round(t.probability, 4)
    if t.metres is not None:
        data["metres"] = round(t.metres, 1)
    return Cause(trigger, t.kind, t.at, fence=t.fence, seconds=t.seconds or None, data=data, within=t.within or None)


def of_event(signal: Signal) -> Cause:
    """``device|signal id``."""
    trigger = f"{signal.device}|{signal.id or format(signal.key, 'x')}"
    return Cause(trigger, "event", signal.at, event=signal.event, data=dict(signal.context or {}))


def of_feedback(feedback: Feedback) -> Cause:
    """An event of a person that came from a server, not a device."""
    data = {} if feedback.value is None else {"value": feedback.value}
    return Cause(f"{feedback.person}|{feedback.id}", "event", feedback.at, event=feedback.kind, data=data)


def new(feedback: Feedback, person: Person) -> bool:
    """Whether this person's feedback was not heard before: one kind of one notification, or one id, counts once."""
    about = (feedback.notification, feedback.kind) if feedback.notification else (feedback.id,)
    key = key_of(*about)
    if key in person.heard:
        return False
    person.heard.append(key)
    del person.heard[:-HEARD]
    return True


def happened(cause: Cause) -> Happened:
    """The event as history keeps it."""
    return Happened(cause.event or "", cause.at, cause.data or None)


@dataclass(slots=True)
class Occasion:
    """One cause and whom it concerns, while it is matched. ``index`` is its place in the segment (half a place less:
    before that signal; -1: a tick)."""

    cause: Cause
    person: Person
    device: str
    device_now: float
    now: float
    signal: Signal | None
    index: float
    initial: bool = False


def miss(compiled: CompiledRule, s: Situation, gate: Check, reason: Reason) -> Miss:
    """A rule that was woken in vain, with all that was asked."""
    checks = (gate, *compiled.explain(s))
    return Miss(compiled.rule.id, s.person.id, s.device, s.cause, s.now, reason, checks)


def point(position: Position | None) -> tuple[float, float] | None:
    """Longitude and latitude, where known."""
    if position is None or position.lat is None or position.lon is None:
        return None
    return position.lon, position.lat
