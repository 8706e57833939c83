"""What wakes rules without a device saying anything: a time that has come, or what became of a message."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from engine.match import CompiledRule, Truth
from engine.model.signal import Cause
from engine.pipeline.causes import Occasion
from engine.pipeline.roster import Roster
from engine.sense import Sense

Rules = Sequence[CompiledRule]


@dataclass(frozen=True, slots=True)
class Call:
    """These rules are to be asked about that person (by id), ``only`` where this holds of them."""

    person: str
    device: str
    cause: Cause
    rules: Rules
    only: Truth | None = None


Group = list[Call]
"""Calls of one cause of one person: what they lead to competes."""


def occasions(calls: Group, roster: Roster, sense: Sense, now: float, index: float) -> Iterator[tuple[Call, Occasion]]:
    """Each call as an occasion to ask rules; nobody is made up who is not known (any more)."""
    for call in calls:
        person = roster.find(call.person)
        if person is not None:
            clock = sense.clock(call.device, now)
            yield call, Occasion(call.cause, person, call.device, clock, now, None, index)
