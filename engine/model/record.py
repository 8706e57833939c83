"""Journal records: everything that can change a decision, and nothing else."""

from collections.abc import Sequence
from typing import Any, Literal

from msgspec import Struct, field

from engine.model.moment import Outcome
from engine.model.signal import Signal

FORMAT = 1


class Genesis(Struct, frozen=True, array_like=True, tag="genesis"):
    """The first record of every journal."""

    project: str
    salt: str
    partitions: int
    format: int = FORMAT


class Tick(Struct, frozen=True, array_like=True, tag="tick"):
    """Time itself: appended only when the earliest timer is due."""


class ProfileChange(Struct, frozen=True, array_like=True, tag="profile"):
    """PUT (``replace``) or PATCH of a profile. A None value in ``attributes`` or ``consent`` removes the key."""

    person: str
    replace: bool
    attributes: dict[str, Any] = field(default_factory=dict)
    consent: dict[str, bool | None] = field(default_factory=dict)
    devices: tuple[str, ...] | None = None
    language: str | None = None
    time_zone: str | None = None


class ContextChange(Struct, frozen=True, array_like=True, tag="context"):
    """Facts pushed for a fence or ``global``; each is stale ``ttl`` seconds after the record's journal time."""

    scope: str
    facts: dict[str, Any]
    ttl: float


class Feedback(Struct, frozen=True, array_like=True, tag="feedback"):
    """What became of a notification, or an event of a person that did not come from a device."""

    id: str
    kind: str
    at: float
    notification: str | None = None
    person: str | None = None
    value: float | None = None


class Attempt(Struct, frozen=True, array_like=True, tag="attempt"):
    """The result of one try to send. ``retry_at`` is set when the outcome is ``retry``, ``reason`` (a ``Reason``)
    when it is ``failed`` or ``unknown``."""

    notification: str
    moment: str
    person: str
    channel: str
    number: int
    outcome: Outcome
    at: float
    detail: str = ""
    retry_at: float | None = None
    reason: str = ""


class ReleaseChange(Struct, frozen=True, array_like=True, tag="release"):
    """From here on the release with this content hash is in force. ``source``: folder, push or rollback; a ``staged``
    one is only made known: it waits for somebody to activate it."""

    release: str
    by: str = ""
    why: str = ""
    source: str = "folder"
    approved_by: str = ""


class FenceChange(Struct, frozen=True, array_like=True, tag="fences"):
    """From here on the run-time fences are those of the set with this content hash ("" for none). ``action`` says how
    they came to change, ``id`` which fence where it was one, ``count`` how many changed."""

    fences: str
    action: Literal["put", "delete", "bulk"] = "put"
    id: str = ""
    count: int = 1
    by: str = ""


class ScheduleDue(Struct, frozen=True, array_like=True, tag="due"):
    """A local time of schedules has come. ``at``: its instant; ``rules``: each rule that waits for it, with the name of
    the time zone in which it is that time."""

    at: float
    rules: tuple[tuple[str, str], ...]


class Control(Struct, frozen=True, array_like=True, tag="control"):
    """A kill switch. ``drop``: on resume, what waits is cancelled instead of sent."""

    action: Literal["pause", "resume"]
    scope: Literal["all", "rule", "channel", "geofence"]
    id: str = ""
    why: str = ""
    by: str = ""
    drop: bool = False


Record = (
    Signal
    | Genesis
    | Tick
    | ProfileChange
    | ContextChange
    | Feedback
    | Attempt
    | ReleaseChange
    | Control
    | FenceChange
    | ScheduleDue
)


class Frame(Struct):
    """Consecutive journal records that share one ``received`` (journal time, non-decreasing, epoch seconds).

    ``offset`` is the journal number of the first record. Frames may be cut anywhere: how records are batched never
    shows."""

    offset: int
    received: float
    records: Sequence[Record]  # with columns among them: see ``runs``

    @property
    def end(self) -> int:
        """The offset after the last record."""
        return self.offset + len(self.records)
