"""What fences say of one point, for people who look: which hold it, how far is each border, how likely the inside."""

import math
from collections.abc import Mapping
from typing import Any, Protocol

from engine.model.fence import Fence
from engine.model.reason import Reason
from engine.model.release import SensePolicy
from engine.sense.fences import FenceSet

_NEAR = 5  # fences beside the point that are told though they do not hold it


class Inspected(Protocol):
    """As much of a ``FenceSet`` as is asked."""

    @property
    def fences(self) -> Mapping[str, Fence]: ...
    def containing(self, lat: float, lon: float) -> list[str]: ...
    def nearest(self, lat: float, lon: float, limit: int) -> list[tuple[str, float]]: ...
    def distance(self, fence: str, lat: float, lon: float) -> float: ...
    def probability(self, fence: str, lat: float, lon: float, accuracy: float) -> float: ...


def inspect_at(
    fences: Inspected, policy: SensePolicy, lat: float, lon: float, accuracy: float | None = None
) -> dict[str, Any]:
    """``geofences`` that hold the point and those ``near``, each with ``metres`` to its border (positive inside; None:
    the whole Earth has none), the ``probability`` of being inside with that accuracy in metres (None: the policy's
    default), and a ``reason`` where no fix of that accuracy could ever enter it."""
    radius = policy.default_accuracy if accuracy is None else accuracy
    holding = fences.containing(lat, lon)
    near = [id for id, _ in fences.nearest(lat, lon, _NEAR + len(holding)) if id not in holding][:_NEAR]
    small: list[str] = []
    if radius > 0.0:
        shown = FenceSet.compile([fences.fences[id] for id in (*holding, *near)])
        small = shown.too_small(radius, policy.enter_probability)

    def line(id: str) -> dict[str, Any]:
        fence = fences.fences[id]
        told: dict[str, Any] = {"id": id, "name": fence.name, "tags": list(fence.tags), "source": fence.source}
        metres = fences.distance(id, lat, lon)
        told["metres"] = round(metres, 2) if math.isfinite(metres) else None
        told["probability"] = round(fences.probability(id, lat, lon, radius), 4)
        return told | ({"reason": Reason.TOO_IMPRECISE} if id in small else {})

    parts = {"geofences": [line(id) for id in holding], "near": [line(id) for id in near]}
    return {"lat": lat, "lon": lon, "accuracy": radius, **parts}
