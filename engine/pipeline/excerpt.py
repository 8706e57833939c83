"""One person cut out of a checkpoint, with their devices: what a question about the past begins with."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog

from engine.model.person import Person
from engine.pipeline.core import Core
from engine.pipeline.releases import Releases
from engine.pipeline.state import CoreState
from engine.pipeline.versions import Compiled
from engine.sense import Sense, fork

log = structlog.get_logger("herenow.why")

# What there is of each person is left as bytes until somebody is asked for: most are not.
BY_ID = ("people", "sticky")

_Lean = msgspec.defstruct(
    "_Lean",
    [
        (f.name, dict[str, msgspec.Raw] if f.name in BY_ID else f.type, f.default)
        if f.default_factory is msgspec.NODEFAULT
        else (
            f.name,
            dict[str, msgspec.Raw] if f.name in BY_ID else f.type,
            msgspec.field(default_factory=f.default_factory),
        )
        for f in msgspec.structs.fields(CoreState)
    ],
)


class _LeanCheckpoint(msgspec.Struct, array_like=True):
    state: _Lean  # type: ignore[valid-type]  # made of the fields of CoreState, whatever they are
    sense: memoryview
    recent: memoryview = memoryview(b"")


_decoder = msgspec.msgpack.Decoder(_LeanCheckpoint)
_people = msgspec.msgpack.Decoder(Person)


class Known(msgspec.Struct, frozen=True):
    """What the live core knows of a device: whose it is now, and that person's devices."""

    device: str
    person: str
    devices: tuple[str, ...]
    salt: str

    @classmethod
    def of(cls, live: CoreState, name: str) -> "Known":
        """As of now. A person's id stands for the device that was last linked to them."""
        person = live.links.get(name, name)
        held = live.people.get(person)
        devices = tuple(held.devices) if held is not None else ()
        device = devices[-1] if devices and name not in live.links else name
        return cls(device, person, devices, live.salt)


@dataclass
class Excerpt:
    """A core that knows one person and their devices, as of record ``offset``; ``begins``: its journal time (None:
    where the journal begins). ``devices`` and ``people`` are those concerned, and grow as links are made. ``cut``: what
    was before is no longer held."""

    core: Core
    versions: dict[str, Compiled]
    offset: int
    begins: float | None
    devices: set[str]
    people: set[str]
    cut: bool = False


async def excerpt(
    offset: int, blob: bytes, known: Known, releases: Releases, versions: dict[str, Compiled]
) -> Excerpt | None:
    """None where the checkpoint is of another version, or its release is gone."""
    try:
        checkpoint: Any = await asyncio.to_thread(_decoder.decode, blob)
    except msgspec.DecodeError as error:
        log.error("a checkpoint is of another version; reading the journal from its beginning", problem=str(error))
        return None
    lean = checkpoint.state
    compiled = await releases.joined(lean.release, lean.fences, versions)
    if compiled is None:
        return None
    devices, people = _together(known, lean)
    core = await asyncio.to_thread(_core, checkpoint, compiled, devices, people, versions)
    return Excerpt(core, versions, offset, core.state.received, devices, people)


def _core(
    checkpoint: Any, compiled: Compiled, devices: set[str], people: set[str], versions: dict[str, Compiled]
) -> Core:
    state = _state_of(checkpoint.state, devices, people)
    sense = Sense.load(checkpoint.sense, compiled.release.policy.sense, compiled.fences)
    return Core(versions, state, fork(sense, sorted(devices)))


def _together(known: Known, lean: Any) -> tuple[set[str], set[str]]:
    """The person of the device then and now, and all devices of both."""
    devices, people = {known.device, *known.devices}, {known.device, known.person}
    people.add(lean.links.get(known.device, known.device))
    for id in sorted(people):
        if id in lean.people:
            devices.update(_people.decode(lean.people[id]).devices)
    return devices, people | devices


def _state_of(lean: Any, devices: Iterable[str], people: Iterable[str]) -> CoreState:
    """Their part of the state; what concerns everybody is whole."""
    told = {f: getattr(lean, f) for f in lean.__struct_fields__}
    devices, people = sorted(devices), frozenset(people)
    told["people"] = {id: _people.decode(lean.people[id]) for id in sorted(people) if id in lean.people}
    told["links"] = {d: lean.links[d] for d in devices if d in lean.links}
    told["sticky"] = {d: msgspec.msgpack.decode(lean.sticky[d], type=_STICKY) for d in devices if d in lean.sticky}
    told["windows"] = {id: window for id, window in lean.windows.items() if id in people}
    told["inflight"] = {id: one for id, one in lean.inflight.items() if one.notification.person in people}
    told["followed"] = {id: one for id, one in lean.followed.items() if one.person in people}
    return CoreState(**told)


_STICKY = dict[str, tuple[Any, float]]
