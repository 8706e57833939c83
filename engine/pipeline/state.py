"""All that the core remembers between records, apart from the columns of ``sense``."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec
from msgspec import Struct, field

from engine.decide import Audit, DecideState
from engine.model.moment import Check, Notification
from engine.model.person import Person, Sent
from engine.model.pieces import head_of_bytes
from engine.model.record import ReleaseChange
from engine.model.release import Release
from engine.model.signal import Cause
from engine.pipeline.faults import Fault
from engine.pipeline.scheduled import ScheduleState
from engine.pipeline.sequels import Following

VERSION = 2
MAX_ACTIVATIONS = 200
STAGED = "staged"  # made known, not put in force


class Inflight(Struct, array_like=True):
    """A notification that is not settled yet; ``channels`` are those still to try, ``cancelled`` why it may not
    retry."""

    notification: Notification
    channels: tuple[str, ...] = ()
    attempts: int = 0
    cancelled: str = ""


class Late(Struct, array_like=True):
    """What was given back because nothing was heard of it in time; remembered until journal time ``until``."""

    person: str
    device: str
    sent: Sent
    until: float


class Waiting(Struct, array_like=True):
    """A candidate that waits for its person's arbitration window to close."""

    rule: str
    cause: Cause
    device: str
    checks: tuple[Check, ...]


class Window(Struct, array_like=True):
    """An open arbitration window: journal time at which it closes, and who competes."""

    closes: float
    waiting: list[Waiting] = field(default_factory=list)


class Activation(Struct, array_like=True):
    """A release that was put in force, or staged: when (journal time), by whom, why, from where, and its size."""

    release: str
    at: float
    by: str = ""
    why: str = ""
    source: str = "folder"
    approved_by: str = ""
    rules: int = 0
    fences: int = 0


class CoreState(Struct):
    """One checkpoint's worth, without the device columns. Times in ``sticky`` are device times, elsewhere journal
    times."""

    salt: str = ""
    release: str = ""
    seen: str = ""  # the last release that came from the folder: what hot reload compares with
    fences: str = ""  # the run-time fence set in force
    received: float = 0.0
    offset: int = 0
    people: dict[str, Person] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)  # device -> person, for linked devices only
    sticky: dict[str, dict[str, tuple[Any, float]]] = field(default_factory=dict)
    facts: dict[str, dict[str, tuple[Any, float]]] = field(default_factory=dict)  # scope -> key -> (value, stale at)
    inflight: dict[str, Inflight] = field(default_factory=dict)
    windows: dict[str, Window] = field(default_factory=dict)
    decide: DecideState = field(default_factory=DecideState)
    version: int = VERSION
    activations: list[Activation] = field(default_factory=list)  # oldest first, the newest MAX_ACTIVATIONS
    schedules: ScheduleState = field(default_factory=ScheduleState)
    followed: dict[str, Following] = field(default_factory=dict)  # by moment: what others wait for of its message
    late: dict[str, Late] = field(default_factory=dict)  # by notification, in the order in which they were given back
    faults: list[Fault] = field(default_factory=list)  # what was passed over because of an error, the newest


def remember(state: CoreState, record: ReleaseChange, release: Release, now: float) -> None:
    """Write down who released what and why: for the list of releases, and for the audit."""
    by, why, approved = record.by, record.why, record.approved_by
    size = len(release.rules), len(release.fences)
    state.activations.append(Activation(record.release, now, by, why, record.source, approved, *size))
    del state.activations[:-MAX_ACTIVATIONS]
    action = "stage" if record.source == STAGED else "activate"
    state.decide.note(Audit(now, by, action, "release", record.release, why, approved_by=approved))


class Checkpoint(Struct, array_like=True):
    """What a checkpoint file holds: its format, core state, device columns, and the last keys of each device."""

    state: CoreState
    sense: bytes
    recent: bytes = b""
    build: str = ""  # the version that wrote it


class Found(Struct, array_like=True):
    """A checkpoint as it was read: what is large is a view of its bytes."""

    state: CoreState
    sense: memoryview
    recent: memoryview = memoryview(b"")
    build: str = ""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Found)


def encode_checkpoint(checkpoint: Checkpoint) -> bytes:
    """As msgpack."""
    return _encoder.encode(checkpoint)


def checkpoint_pieces(
    state: CoreState, sense: Callable[[], Iterable[bytes]], recent: Callable[[], Iterable[bytes]], build: str
) -> Iterator[bytes]:
    """The same bit by bit: what is large never lies in memory twice."""
    yield b"\x94"  # an array of four
    yield _encoder.encode(state)
    for part in (sense, recent):
        yield head_of_bytes(sum(map(len, part())))
        yield from part()
    yield _encoder.encode(build)


def decode_checkpoint(blob: bytes) -> Found:
    """The inverse; raises ``msgspec.DecodeError`` on damage or another version's shape."""
    found = _decoder.decode(blob)
    if found.state.version != VERSION:
        raise msgspec.DecodeError(f"a checkpoint of format {found.state.version}: this build reads {VERSION}")
    return found
