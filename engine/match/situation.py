"""What a condition may look at: one cause, one person, one instant, and the world around them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from engine.model.fence import Fence
from engine.model.person import Happened, Person, Position
from engine.model.rule import Segment
from engine.model.signal import Cause, Signal


class World(Protocol):
    """What conditions may look at besides the situation. Answers depend on the records so far and nothing else."""

    def fence(self, id: str) -> Fence | None:
        """A fence of the release in force."""
        ...

    def fact(self, scope: str, key: str, now: float) -> Any | None:
        """Pushed context of a fence id or ``global``, keys dotted; None when missing, or stale at journal time."""
        ...

    def sticky(self, device: str, key: str, at: float) -> Any | None:
        """Signal context of a device, keys dotted; None when missing or stale at device time ``at``."""
        ...

    def distance(self, fence: str, lat: float, lon: float) -> float:
        """Signed metres to the fence's border, positive inside."""
        ...

    def segment(self, id: str) -> Segment | None:
        """A segment of the release in force."""
        ...


@dataclass(slots=True)
class Situation:
    """Everything a rule's conditions are judged by. ``now`` is journal time, ``device_now`` the device's clock then.

    ``happened`` is set only while the filter of a ``did`` line looks at one event of the history.
    """

    now: float
    device_now: float
    cause: Cause
    person: Person
    device: str
    position: Position | None
    fence: Fence | None
    signal: Signal | None
    zone: ZoneInfo
    world: World
    happened: Happened | None = None


Truth = Callable[[Situation], bool | None]
"""True, False, or None where the answer is not known."""

Read = Callable[[Situation], Any]
"""A value; None where it is not known."""
