"""Decided candidates become moments: composed where they will be sent, traced always."""

from collections.abc import Collection, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from engine.compose import TemplateError
from engine.decide import Candidate, Decided, give_back
from engine.model.ids import moment_id
from engine.model.moment import Check, Decision, Effects, Message, Moment
from engine.model.person import Position
from engine.model.reason import Reason, Verdict
from engine.model.signal import Cause, Signal
from engine.pipeline.faults import Faults, check
from engine.pipeline.flight import Flight
from engine.pipeline.state import CoreState
from engine.pipeline.versions import Compiled
from engine.pipeline.world import CoreWorld, nest

ROOTS = ("profile", "person", "device", "event", "context", "global", "fence", "offer")  # of names in templates
_TRACED = tuple(name for name in Signal.__struct_fields__ if name not in ("key", "reported", "person"))
_encode = msgspec.msgpack.Encoder().encode


class Composing:
    """Makes moments under one release, and lets their notifications go."""

    def __init__(self, compiled: Compiled, world: CoreWorld, state: CoreState, flight: Flight, faults: Faults) -> None:
        self._compiled, self._world, self._state = compiled, world, state
        self._flight, self._faults = flight, faults

    def take(
        self,
        decided: Decided,
        signal: Signal | None,
        position: Position | None,
        now: float,
        zone: ZoneInfo,
        fx: Effects,
    ) -> None:
        """Compose what was decided and launch it; where that fails, this one is given back and told."""
        try:
            moment = self.moment(decided, signal, position, now, zone)
            _encode(moment)  # what no store can keep must not get there
        except Exception as error:
            self._faults.note(error, "compose", decided.candidate.rule.id, now)
            self.lost([decided.candidate], frozenset(), error, now, fx)
            return
        fx.moments.append(moment)
        if moment.message is not None:
            not_before = moment.decision.until or now
            self._flight.launch(moment, not_before, moment.decision.deadline or moment.expires, fx)

    def lost(
        self, candidates: Sequence[Candidate], known: Collection[str], error: Exception, now: float, fx: Effects
    ) -> None:
        """An error stopped these: what was taken for them is given back, and each becomes a moment that says so.
        ``known``: moments that were decided before."""
        for candidate in candidates:
            id = moment_id(candidate.person.id, candidate.rule.id, candidate.cause.id)
            if id in known:
                continue
            give_back(candidate.person, self._state.decide, id)
            decision = Decision(Verdict.SUPPRESS, Reason.ERROR, checks=(check(error),))
            fx.moments.append(self._bare(id, candidate, decision, now))

    def _bare(self, id: str, candidate: Candidate, decision: Decision, now: float) -> Moment:
        """Only what is certain to be storable."""
        cause, rule = candidate.cause, candidate.rule
        bare = Cause(cause.id, cause.kind, cause.at, cause.fence, cause.event)
        return Moment(
            id,
            rule.id,
            self._compiled.release.hash,
            candidate.person.id,
            candidate.device,
            bare,
            decision,
            now,
            now,
            purpose=rule.purpose,
        )

    def moment(
        self, decided: Decided, signal: Signal | None, position: Position | None, now: float, zone: ZoneInfo
    ) -> Moment:
        """The moment; its message is None unless it will be sent. A template that fails suppresses it."""
        decision, message = decided.decision, None
        if decision.verdict is not Verdict.SUPPRESS:
            try:
                message = self._compose(decided, position, now, zone)
            except TemplateError as error:
                decision = self._failed(decided, error)
        candidate = decided.candidate
        return Moment(
            id=decided.moment,
            rule=candidate.rule.id,
            release=self._compiled.release.hash,
            person=candidate.person.id,
            device=candidate.device,
            cause=candidate.cause,
            decision=decision,
            at=now,
            expires=decided.expires,
            score=candidate.score or 0.0,
            variant=decided.variant,
            purpose=candidate.rule.purpose,
            test=decided.test,
            channels=decided.channels,
            message=message,
            trace=_signal_trace(signal),
        )

    def _compose(self, decided: Decided, position: Position | None, now: float, zone: ZoneInfo) -> Message:
        candidate = decided.candidate
        profile = candidate.person.profile
        roots = self._compiled.composer.roots(candidate.rule, profile.language)
        names = {root: self._named(root, decided, position, now) for root in ROOTS if roots is None or root in roots}
        return self._compiled.composer.compose(candidate.rule, names, profile.language, now, zone)

    def _named(self, root: str, decided: Decided, position: Position | None, now: float) -> dict[str, Any] | None:
        """What templates may name below a root; None: nothing. Facts pushed for a fence win over its authored
        metadata."""
        candidate, profile = decided.candidate, decided.candidate.person.profile
        match root:
            case "profile":
                return {**profile.attributes, "language": profile.language, "time_zone": profile.time_zone}
            case "person":
                return {"id": candidate.person.id}
            case "device":
                return {**_facts_of(position), "id": candidate.device}
            case "event":
                return {"name": candidate.cause.event, **candidate.cause.data} if candidate.cause.event else {}
            case "context":
                return nest(self._sticky(candidate.device, candidate.cause.at))
            case "global":
                return nest(self._facts("global", now))
            case "fence" if (fence := candidate.fence) is not None:
                own = {"id": fence.id, "name": fence.name or fence.id, "tags": list(fence.tags)}
                return {**fence.metadata, **nest(self._facts(fence.id, now)), **own}
            case "offer" if (offer := self._compiled.release.offers.get(candidate.rule.offer or "")) is not None:
                own = {"id": offer.id, "title": offer.title, "code": decided.code or offer.code}
                return {**offer.metadata, **own}
        return None

    def _facts(self, scope: str, now: float) -> dict[str, Any]:
        return {key: value for key, (value, until) in self._state.facts.get(scope, {}).items() if now < until}

    def _sticky(self, device: str, at: float) -> dict[str, Any]:
        held = self._state.sticky.get(device, {})
        return {key: held[key][0] for key in held if self._world.sticky(device, key, at) is not None}

    def _failed(self, decided: Decided, error: TemplateError) -> Decision:
        give_back(decided.candidate.person, self._state.decide, decided.moment)
        check = Check("template", False, needs="a value", reason=Reason.TEMPLATE_ERROR, note=str(error))
        old = decided.decision
        return msgspec.structs.replace(
            old, verdict=Verdict.SUPPRESS, reason=Reason.TEMPLATE_ERROR, until=None, checks=(*old.checks, check)
        )


def _facts_of(position: Position | None) -> dict[str, Any]:
    """What templates may say of a device; never-told things are missing, not empty."""
    if position is None:
        return {}
    return {
        name: value for name, value in msgspec.structs.asdict(position).items() if value is not None and name != "at"
    }


def _signal_trace(signal: Signal | None) -> dict[str, Any]:
    """What the device said, where a signal was the cause."""
    if signal is None:
        return {}
    return {"signal": {name: value for name in _TRACED if (value := getattr(signal, name)) is not None}}
