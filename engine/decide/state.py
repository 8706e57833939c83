"""What deciding remembers beside the people: switches, counters, stock, and who pulled which switch."""

import msgspec
from msgspec import Struct, field

from engine.decide.codes import Given, release, take
from engine.decide.tally import Tally, count_second, pace_seconds, tally_key
from engine.model.moment import Cancel, Hold
from engine.model.person import Person, Sent
from engine.model.reason import Reason
from engine.model.record import Control
from engine.model.rule import Rule

MAX_AUDIT = 1000


class Audit(Struct, array_like=True):
    """Who paused, resumed, activated or staged what, when (journal time), and why. ``by`` is "guard" for the blast
    guard."""

    at: float
    by: str
    action: str
    scope: str
    id: str = ""
    why: str = ""
    drop: bool = False
    approved_by: str = ""


class DecideState(Struct):
    """Plain data, changed only inside a step. ``switches`` holds those that are on, by :func:`switch_key`; ``stock``
    how much of each offer is taken; ``rule_sends`` a rule's sends per second and ``paces`` those in the window of its
    estimate, for the guard; ``rule_totals`` by rule and window; ``codes`` the one-time codes of each offer that were
    given."""

    switches: dict[str, Hold] = field(default_factory=dict)
    rule_sends: dict[str, dict[int, int]] = field(default_factory=dict)
    rule_totals: dict[str, dict[str, Tally]] = field(default_factory=dict)
    stock: dict[str, int] = field(default_factory=dict)
    audit: list[Audit] = field(default_factory=list)
    paces: dict[str, Tally] = field(default_factory=dict)
    codes: dict[str, Given] = field(default_factory=dict)

    def switch(self, scope: str, id: str = "") -> Hold | None:
        """The switch that is on for this scope and id, or None."""
        return self.switches.get(switch_key(scope, id))

    def pull(self, hold: Hold, drop: bool = False) -> None:
        """Turn a switch on or off, and write down who did."""
        key = switch_key(hold.scope, hold.id)
        if hold.on:
            self.switches[key] = hold
        else:
            self.switches.pop(key, None)
            self._forgive(hold)
        action = "pause" if hold.on else "resume"
        self.note(Audit(hold.at, hold.by, action, hold.scope, hold.id, hold.why, drop))

    def note(self, audit: Audit) -> None:
        """Write down what somebody did; the oldest make room."""
        self.audit.append(audit)
        del self.audit[:-MAX_AUDIT]

    def _forgive(self, hold: Hold) -> None:
        """A person looked and let the rule go on: the guard counts from zero, or it would pause the rule at once."""
        if hold.scope == "rule":
            self.rule_sends.pop(hold.id, None)
            self.paces.pop(hold.id, None)
        elif hold.scope == "all":
            self.rule_sends.clear()
            self.paces.clear()

    def dump(self) -> bytes:
        """As msgpack."""
        return msgspec.msgpack.encode(self)

    @classmethod
    def load(cls, blob: bytes) -> "DecideState":
        """The inverse; raises ``msgspec.DecodeError``."""
        return msgspec.msgpack.decode(blob, type=cls)


def switch_key(scope: str, id: str = "") -> str:
    """``rule:morning-coffee``; everything is ``all:``."""
    return f"{scope}:{id}"


def reserve(person: Person, state: DecideState, rule: Rule, sent: Sent, now: float, project_zone: str) -> None:
    """Take what a send or hold needs: the person's limits, the rule's totals and minute, the offer's stock or code."""
    person.sent.append(sent)
    _take_offer(person, state, sent)
    count_second(state.rule_sends.setdefault(rule.id, {}), sent.at, now)
    if rule.estimate is not None:
        seconds, pace = pace_seconds(rule.estimate), state.paces.get(rule.id)
        if pace is None or pace.per != seconds:
            pace = state.paces[rule.id] = Tally(seconds, "")
        pace.add(sent.at, now)
    windows = {tally_key(cap): cap.per for cap in rule.limits.total} if sent.totals else {}
    for key in sent.totals:
        tally = state.rule_totals.setdefault(rule.id, {}).setdefault(key, Tally(windows[key], project_zone))
        tally.zone = project_zone
        tally.add(sent.at, now)


def went(sent: Sent, at: float) -> None:
    """What was on its way left, or may have, by ``at``: from here on it counts there."""
    sent.at, sent.until = max(sent.at, at), 0.0


def _take_offer(person: Person, state: DecideState, sent: Sent) -> None:
    if sent.offer is not None and sent.code:
        take(person, state.codes, sent.offer, sent.code)
    elif sent.offer is not None:
        state.stock[sent.offer] = state.stock.get(sent.offer, 0) + 1


def _return_offer(person: Person, state: DecideState, sent: Sent) -> None:
    if sent.offer is not None and sent.code:
        release(person, state.codes, sent.offer, sent.code)
    elif sent.offer is not None:
        left = state.stock.get(sent.offer, 0) - 1
        if left > 0:
            state.stock[sent.offer] = left
        else:
            state.stock.pop(sent.offer, None)


def take_again(person: Person, state: DecideState, sent: Sent, now: float) -> None:
    """Undo that a reservation was given back: it went after all."""
    person.sent.append(sent)
    _take_offer(person, state, sent)
    for key in sent.totals:
        state.rule_totals[sent.rule][key].add(sent.at, now)


def give_back(person: Person, state: DecideState, moment: str) -> bool:
    """Undo a reservation: caps, limits, totals, stock or code. False when there is none (any more): asking twice is
    harmless. The guard's minute stays as it is: it counts what was decided."""
    index = next((i for i, sent in enumerate(person.sent) if sent.moment == moment), None)
    if index is None:
        return False
    sent = person.sent.pop(index)
    _return_offer(person, state, sent)
    for key in sent.totals:
        state.rule_totals[sent.rule][key].remove(sent.at)
    return True


def apply_control(state: DecideState, control: Control, now: float) -> tuple[list[Hold], list[Cancel]]:
    """Pull a kill switch: what ``begin_send`` must obey from now on and, on a resume that drops, what is cancelled."""
    id = "" if control.scope == "all" else control.id
    hold = Hold(control.scope, id, control.action == "pause", control.why, control.by, now)
    dropping = control.action == "resume" and control.drop
    state.pull(hold, drop=dropping)
    return [hold], [_drop(control.scope, id)] if dropping else []


def _drop(scope: str, id: str) -> Cancel:
    match scope:
        case "rule":
            return Cancel(Reason.DROPPED, rule=id)
        case "channel":
            return Cancel(Reason.DROPPED, channel=id)
        case "geofence":
            return Cancel(Reason.DROPPED, fence=id)
        case _:
            return Cancel(Reason.DROPPED)
