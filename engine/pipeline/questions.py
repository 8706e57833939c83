"""A question to the core that changes nothing: what would happen."""

import asyncio
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from engine.decide import DecideState
from engine.measure.trace import miss_view, moment_view
from engine.model.moment import Miss, Moment
from engine.model.person import Person
from engine.model.record import Frame, Tick
from engine.model.signal import Signal
from engine.pipeline.core import Core
from engine.pipeline.state import CoreState
from engine.ports import StoredMoment
from engine.sense import fork

NEAREST = 3
MOST = 200  # signals
PIECE = 10  # signals: a few milliseconds

T = TypeVar("T")


async def preview(core: Core, signals: Sequence[Signal], now: float) -> list[dict[str, Any]]:
    """Per rule what it would do now, and why; on a copy of the people and devices concerned. At most ``MOST`` signals,
    which bounds the copying; the rest is done in pieces, between which others run."""
    scratch, rules = _scratch(core, signals), core.compiled.release.rules
    received = max(now, core.state.received)
    moments: list[Moment] = []
    misses: list[Miss] = []
    for at in range(0, len(signals), PIECE):
        effects = scratch.step([Frame(scratch.state.offset, received, list(signals[at : at + PIECE]))])
        moments += effects.moments
        misses += effects.misses
        await asyncio.sleep(0)
    if (closes := scratch.windows.next_due()) is not None:  # who wins is known when the arbitration window closes
        moments = moments + scratch.step([Frame(scratch.state.offset, closes, [Tick()])]).moments
    out = [_moment_line(moment) for moment in moments] + [_miss_line(miss) for miss in misses]
    woken = {line["rule"] for line in out}
    asleep = _asleep(scratch, signals)
    out += [{"rule": rule.id, **asleep} for rule in rules if rule.id not in woken]
    return sorted(out, key=lambda line: (line["would"] == "nothing", line["rule"]))


def _scratch(core: Core, signals: Sequence[Signal]) -> Core:
    """A core that knows only the devices and people of these signals; what it does touches nothing else."""
    state = core.state
    devices = sorted({s.device for s in signals})
    links = {d: state.links[d] for d in devices if d in state.links}
    ids = {core.person_of(d) for d in devices} | {s.person for s in signals if s.person} | set(devices)
    copy = CoreState(
        salt=state.salt,
        release=state.release,
        fences=state.fences,
        received=state.received,
        offset=state.offset,
        people={id: _copy(state.people[id], Person) for id in sorted(ids) if id in state.people},
        links=links,
        sticky={d: dict(state.sticky[d]) for d in devices if d in state.sticky},
        facts=dict(state.facts),
        decide=_copy(state.decide, DecideState),
    )
    scratch = Core({core.compiled.place: core.compiled}, copy, fork(core.sense, devices))
    scratch.watch = True
    return scratch


def _copy(value: T, kind: type[T]) -> T:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(value), type=kind)


def _moment_line(moment: Moment) -> dict[str, Any]:
    view = moment_view(StoredMoment(0, moment))
    del view["seq"], view["attempts"]  # nothing is stored or sent
    return {"rule": moment.rule, "would": str(moment.decision.verdict), "reason": str(moment.decision.reason), **view}


def _miss_line(miss: Miss) -> dict[str, Any]:
    return {"rule": miss.rule, "would": "nothing", "reason": str(miss.reason), **miss_view(miss)}


def _asleep(core: Core, signals: Sequence[Signal]) -> dict[str, Any]:
    """Why nothing woke the other rules: no transition and no event they wait for; and how near the nearest fences
    are."""
    nearest: list[dict[str, Any]] = []
    for signal in signals[-1:]:
        if signal.lat is not None and signal.lon is not None:
            found = core.compiled.fences.nearest(signal.lat, signal.lon, NEAREST)
            nearest = [{"fence": fence, "metres": round(metres, 1)} for fence, metres in found]
    sentence = "Nothing woke it: this signal is no enter, exit, dwell or event that the rule waits for."
    return {"would": "nothing", "reason": "NOT_WOKEN", "sentence": sentence, "nearest": nearest}
