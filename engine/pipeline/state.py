"""All that the core remembers between records, apart from the columns of ``sense``."""

from typing import Any

import msgspec
from msgspec import Struct, field

from engine.decide import DecideState
from engine.model.moment import Check, Notification
from engine.model.person import Person
from engine.model.signal import Cause

VERSION = 1


class Inflight(Struct, array_like=True):
    """A notification that is not settled yet; ``channels`` are those still to try, ``cancelled`` why it may not
    retry."""

    notification: Notification
    channels: tuple[str, ...] = ()
    attempts: int = 0
    cancelled: str = ""


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


class CoreState(Struct):
    """One checkpoint's worth, without the device columns. Times in ``sticky`` are device times, elsewhere journal
    times."""

    salt: str = ""
    release: str = ""
    seen: str = ""  # the last release that came from the folder: what hot reload compares with
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


class Checkpoint(Struct, array_like=True):
    """What a checkpoint file holds: core state, device columns, and the last keys of each device."""

    state: CoreState
    sense: bytes
    recent: bytes = b""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Checkpoint)


def encode_checkpoint(checkpoint: Checkpoint) -> bytes:
    """As msgpack."""
    return _encoder.encode(checkpoint)


def decode_checkpoint(blob: bytes) -> Checkpoint:
    """The inverse; raises ``msgspec.DecodeError`` on damage or another version's shape."""
    return _decoder.decode(blob)
