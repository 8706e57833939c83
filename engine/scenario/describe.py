"""Records of generated days in words."""

from collections.abc import Iterator
from typing import Any

from engine.model.record import ContextChange, Control, ProfileChange, Record
from engine.model.signal import Signal
from engine.scenario.generated import Broken
from engine.scenario.local import Local
from engine.sense import FenceSet

MOST = 30  # records told of one case


def describe(broken: Broken, fences: FenceSet) -> Iterator[str]:
    """The promises that are broken, the few records that suffice, and how to see it again."""
    case = broken.case
    local = Local(case.zone, broken.items[0][0] if broken.items else 0.0)
    first = broken.violations[0]
    for violation in broken.violations[:3]:
        when = f"{local.day(violation.at)} {local.clock(violation.at)}"
        yield f"broken: {violation.law}: {violation.rule} for {violation.person} on {when}: {violation.words}"
    more = len(broken.violations) - 3
    if more > 0:
        yield f"and {more} more of that case"
    yield f"of {len(case.items)} records these {len(broken.items)} suffice to break '{first.law}' ({case.zone}):"
    for at, record in broken.items[:MOST]:
        yield f"  {local.day(at)} {local.clock(at)}  {said(record, fences)}"
    if len(broken.items) > MOST:
        yield f"  … and {len(broken.items) - MOST} more"
    yield f"see it again: herenow test --generated 1 --seed {case.seed}"


def said(record: Record, fences: FenceSet) -> str:
    """One record in a line."""
    if isinstance(record, Signal):
        return f"{record.device}{' and'.join(_signal(record, fences))}"
    if isinstance(record, ProfileChange):
        told = {**record.attributes, **({"consent": record.consent} if record.consent else {})}
        return f"profile of {record.person}: {_pairs(told) or 'nothing'}"
    if isinstance(record, ContextChange):
        return f"facts of {record.scope}: {_pairs(record.facts)}, for {record.ttl / 3600:.1f} hours"
    if isinstance(record, Control):
        return f"{record.action} {record.scope} {record.id}".rstrip()
    return type(record).__name__.lower()


def _signal(signal: Signal, fences: FenceSet) -> Iterator[str]:
    if signal.lat is not None and signal.lon is not None:
        inside = ", ".join(fences.containing(signal.lat, signal.lon)) or "no fence"
        accuracy = "" if signal.accuracy is None else f" (accuracy {signal.accuracy:g} m)"
        yield f" is at {signal.lat:.5f}, {signal.lon:.5f}{accuracy}, inside {inside}"
    if signal.event is not None:
        yield f" does {signal.event} {_pairs(signal.context or {})}".rstrip()
    elif signal.context:
        yield f" says {_pairs(signal.context)}"


def _pairs(facts: dict[str, Any]) -> str:
    return " ".join(f"{key}={value}" for key, value in facts.items())
