"""Questions to the core that change nothing: what would happen (``preview``) and why it did or did not (``why``)."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any, TypeVar

import msgspec

from engine.decide import DecideState
from engine.measure.times import iso
from engine.measure.trace import miss_view, moment_view
from engine.model.moment import Effects, Miss, Moment
from engine.model.person import Person, Position
from engine.model.record import Frame
from engine.model.rule import OnTransition, Rule
from engine.model.signal import Signal
from engine.pipeline import recovery
from engine.pipeline.core import Core
from engine.pipeline.releases import Releases
from engine.pipeline.replay import cut, releases_in
from engine.pipeline.state import CoreState
from engine.ports import Store, StoredMoment
from engine.sense import fork

LOOK_BACK = 86400.0  # seconds of journal that ``why`` looks through before the instant asked about
MAX_FINDINGS = 200
NEAREST = 3

T = TypeVar("T")


def preview(core: Core, signals: Sequence[Signal], now: float) -> list[dict[str, Any]]:
    """Per rule what it would do now, and why; on a copy of the people and devices concerned."""
    scratch = _scratch(core, signals)
    offset = core.state.offset
    effects = scratch.step([Frame(offset, max(now, core.state.received), list(signals))])
    out = [_moment_line(moment) for moment in effects.moments] + [_miss_line(miss) for miss in effects.misses]
    woken = {line["rule"] for line in out}
    asleep = _asleep(scratch, signals)
    out += [{"rule": rule.id, **asleep} for rule in core.compiled.release.rules if rule.id not in woken]
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
        received=state.received,
        offset=state.offset,
        people={id: _copy(state.people[id], Person) for id in sorted(ids) if id in state.people},
        links=links,
        sticky={d: dict(state.sticky[d]) for d in devices if d in state.sticky},
        facts=dict(state.facts),
        decide=_copy(state.decide, DecideState),
    )
    scratch = Core({state.release: core.compiled}, copy, fork(core.sense, devices))
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


# ------------------------------------------------------------------ why


async def why(
    store: Store, releases: Releases, device: str, rule: str | None, at: float, look_back: float = LOOK_BACK
) -> dict[str, Any]:
    """Recompute from the journal every rule that this device could have set off in the day before ``at``."""
    found = await recovery.load(store, releases, at - look_back)
    core = found.core
    core.watch = True
    start = max(found.checkpointed, await store.first_offset(recovery.PARTITION))
    lines: list[dict[str, Any]] = []
    begins: float | None = None
    async for frame in _until(store.read(recovery.PARTITION, start), at):
        begins = frame.received if begins is None else begins
        await releases.ensure(releases_in(frame.records))
        lines += _lines(core.step([frame]), device, rule, at - look_back)
        await asyncio.sleep(0)
    return {
        "device": device,
        "person": core.person_of(device),
        "at": iso(at),
        "history_begins": iso(begins),
        "position": _position(core.sense.position(device)),
        "inside": [_visit(visit) for visit in core.sense.visits(device)],
        "findings": lines[-MAX_FINDINGS:][::-1],
        "rules": _standing(core, device, rule, lines),
    }


async def _until(frames: AsyncIterator[Frame], at: float) -> AsyncIterator[Frame]:
    async for frame in frames:
        if frame.received > at:
            return
        yield cut(frame, frame.offset)


def _lines(effects: Effects, device: str, rule: str | None, since: float) -> Iterable[dict[str, Any]]:
    def concerns(item: Moment | Miss) -> bool:
        return item.device == device and rule in (None, item.rule) and item.at >= since

    moments = [_moment_line(m) for m in effects.moments if concerns(m)]
    return moments + [_miss_line(m) for m in effects.misses if concerns(m)]


def _standing(core: Core, device: str, rule: str | None, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One line a rule: the last thing it did for this device, or that nothing woke it and how far its fences are."""
    last = {line["rule"]: line for line in lines}
    position = core.sense.position(device)
    return [
        last.get(r.id) or {"rule": r.id, **_never(core, r, position)}
        for r in core.compiled.release.rules
        if rule in (None, r.id)
    ]


def _awaited(core: Core, rule: Rule) -> list[str]:
    """The fences whose transitions the rule waits for."""
    targets = [trigger.target for trigger in rule.when if isinstance(trigger, OnTransition)]
    return [
        fence.id
        for fence in core.compiled.release.fences
        if any(fence.id in target.fences or not set(target.tags).isdisjoint(fence.tags) for target in targets)
    ]


def _never(core: Core, rule: Rule, position: Position | None) -> dict[str, Any]:
    line: dict[str, Any] = {"would": "nothing", "reason": "NOT_WOKEN", "sentence": "Nothing woke it in that time."}
    fences = _awaited(core, rule)
    if position is None or position.lat is None or position.lon is None or not fences:
        return line
    lat, lon = position.lat, position.lon
    metres, nearest = max((core.compiled.fences.distance(fence, lat, lon), fence) for fence in fences)
    side = "inside" if metres >= 0 else "outside"
    line["nearest"] = {"fence": nearest, "metres": round(metres, 1)}
    line["sentence"] = f"Nothing woke it in that time; the device was last {abs(metres):.0f} m {side} {nearest}."
    return line


def _position(position: Position | None) -> dict[str, Any] | None:
    return None if position is None else {**msgspec.to_builtins(position), "at": iso(position.at)}


def _visit(visit: dict[str, Any]) -> dict[str, Any]:
    return {**visit, "since": iso(visit["since"]), "visit": iso(visit["visit"])}
