"""``inside`` and ``near``: where the person's devices are now."""

from collections.abc import Callable

from engine.match.names import position_of
from engine.match.seen import Node, Seen
from engine.match.situation import Situation
from engine.match.values import MAX_SHOWN_ITEMS
from engine.model.rule import Inside, Near, Target

Resolve = Callable[[Target], tuple[str, ...]]
"""A target as the sorted ids of the fences it means."""


def compile_inside(condition: Inside, resolve: Resolve) -> Node:
    """A device of the person is inside now; a visit gone silent is unknown, not over."""
    fences = frozenset(resolve(condition.target))
    name, needs = condition.text or "inside", f"in {target_words(condition.target)}"

    def holds(s: Situation) -> bool | None:
        answer: bool | None = False
        cause = s.cause
        if cause.fence in fences and cause.kind in ("enter", "dwell"):
            return True
        for visit in s.person.stays:
            if visit.fence not in fences:
                continue
            if visit.fence == cause.fence and visit.device == s.device and cause.kind == "exit":
                continue  # being left by this very cause, whether history knows it yet or not
            if not visit.lost:
                return True
            answer = None
        return answer

    def look(s: Situation) -> Seen:
        ok = holds(s)
        open_visits = s.person.stays
        saw = [visit.fence for visit in open_visits if not visit.lost][:MAX_SHOWN_ITEMS]
        lost = [visit.fence for visit in open_visits if visit.lost and visit.fence in fences]
        note = f"unknown since the device in {', '.join(lost[:MAX_SHOWN_ITEMS])} went silent" if ok is None else ""
        return Seen(name, ok, saw, needs, note, condition.where)

    return Node(holds, look)


def compile_near(condition: Near, resolve: Resolve, silence: float) -> Node:
    """The triggering device is at most that many metres from the border, or inside; no recent position: unknown."""
    fences, metres = resolve(condition.target), condition.metres
    name = condition.text or "near"
    needs = f"within {metres:g} m of {target_words(condition.target)}"

    def holds(s: Situation) -> bool | None:
        position = position_of(s, silence)
        if position is None or position.lat is None or position.lon is None:
            return None
        lat, lon, distance = position.lat, position.lon, s.world.distance
        return any(distance(fence, lat, lon) >= -metres for fence in fences)

    def look(s: Situation) -> Seen:
        position = position_of(s, silence)
        if position is None or position.lat is None or position.lon is None:
            return Seen(
                name, None, None, needs, "the device's position is unknown: never told, or too old", condition.where
            )
        saw = None
        if fences:
            depth, fence = max((s.world.distance(f, position.lat, position.lon), f) for f in fences)
            saw = {"fence": fence, "metres": round(max(0.0, -depth), 1)}
        return Seen(name, holds(s), saw, needs, where=condition.where)

    return Node(holds, look)


def target_words(target: Target) -> str:
    """A target as an author writes it."""
    return " or ".join([*target.fences, *(f"tag {tag}" for tag in target.tags)])
