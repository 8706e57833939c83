"""``steps`` of a scenario: what people do, in order."""

from collections.abc import Callable, Collection
from typing import Any

from engine.author.durations import parse_duration, parse_metres
from engine.author.nodes import Mapping, Node, Scalar
from engine.author.report import TextError, clip, nearest
from engine.author.scenario_given import read_data, read_facts, read_id, read_profile
from engine.author.scenario_keys import EVERY_STEP, FEEDBACK, REPORTS, STEPS, SWITCHES
from engine.author.scenario_parts import Mark, Place, Step
from engine.author.scenario_times import parse_place, parse_route, parse_stay, parse_time
from engine.author.source import Source
from engine.author.targets import one_line

Named = dict[str, tuple[float, float]]
Fields = dict[str, Any]
_ALL_KEYS = frozenset((*STEPS, *EVERY_STEP, *(key for keys in STEPS.values() for key in keys)))
_TRACKS = (".gpx", ".csv")
EVERYTHING = "everything"


def read_steps(source: Source, node: Node, named: Named) -> tuple[Step, ...]:
    """The steps in order; wrong ones are told and left out."""
    found = (_step(source, item, named) for item in source.each(node, "steps"))
    return tuple(step for step in found if step is not None)


def _step(source: Source, node: Node, named: Named) -> Step | None:
    if not isinstance(node, Mapping) or not node.entries:
        shown = clip(one_line(node)) or "this"
        fix = "Write for example - arrives: cafe-mitte, or - waits: 10 minutes"
        source.error(node, "WRONG_TYPE", f"'{shown}' is no step.", fix)
        return None
    action = _action(source, node)
    if action is None:
        return None
    before = source.told.get("error", 0)
    fields = _action_fields(source, action, node.entries[action], named)
    for key, value in node.entries.items():
        if key != action and key in _BESIDE:
            fields |= _BESIDE[key](source, value)
    if source.told.get("error", 0) > before:
        return None
    mark = Mark(node.line, node.column, f"{action}: {one_line(node.entries[action])}".rstrip(": "))
    return Step(action=action, mark=mark, **fields)


def _action(source: Source, node: Mapping) -> str | None:
    """The one key that says what is done; the others must be able to stand beside it."""
    actions = [key for key in node.entries if key in STEPS]
    unknown = [key for key in node.entries if key not in _ALL_KEYS]
    for key in unknown:
        near = nearest(key, _ALL_KEYS)
        fix = f"Did you mean '{near}'?" if near else f"A step is one of: {', '.join(STEPS)}."
        source.error(node.keys[key], "UNKNOWN_KEY", f"'{clip(key)}' is nothing that a step can say.", fix)
    if not actions:
        if not unknown:
            source.error(node, "MISSING", "This step does nothing.", f"Add one of: {', '.join(STEPS)}.")
        return None
    if len(actions) > 1:
        second = node.keys[actions[1]]
        fix = f"Begin this line with '- ': - {clip(actions[1])}: …"
        source.error(second, "WRONG_TYPE", "Two actions share one step.", fix)
        return None
    for key in node.entries:
        if key in _ALL_KEYS and key not in (*actions, *EVERY_STEP, *STEPS[actions[0]]):
            fix = f"Beside it may stand: {', '.join((*EVERY_STEP, *STEPS[actions[0]]))}."
            source.error(node.keys[key], "UNKNOWN_KEY", f"'{key}' says nothing about '{actions[0]}'.", fix)
    return actions[0]


def _action_fields(source: Source, action: str, node: Node, named: Named) -> Fields:
    if action in ("arrives", "leaves"):
        place = source.parse(node, action, lambda text: parse_place(text, named))
        return {"place": _known(source, node, place, named)}
    if action == "stays":
        stay = source.parse(node, action, lambda text: parse_stay(text, named))
        return {} if stay is None else {"place": _known(source, node, stay[0], named), "seconds": stay[1]}
    if action in ("walks", "rides", "drives"):
        route = source.parse(node, action, lambda text: parse_route(text, named))
        if route is None:
            return {}
        start, end = (_known(source, node, place, named) for place in route[:2])
        return {"start": start, "place": end, "seconds": route[2]}
    return _ACTIONS[action](source, node)


def _known(source: Source, node: Node, place: Place | None, named: Named) -> Place | None:
    """A place of the file by its position; a fence noted for the cross-check."""
    if place is not None and place.fence:
        if place.fence in named and place.metres is None:
            return Place(point=named[place.fence], text=place.text)
        source.use("fence", place.fence, node)
    return place


# ------------------------------------------------------------------ actions without a place


def _wait(source: Source, node: Node) -> Fields:
    """``10 minutes``, or ``until next day 08:05``."""

    def parser(text: str) -> Fields:
        if text.lower().startswith("until "):
            return {"at": parse_time(text[6:]), "seconds": 0.0}
        return {"seconds": parse_duration(text)}

    return source.parse(node, "waits", parser) or {}


def _track(source: Source, node: Node) -> Fields:
    name = source.text(node, "follows")
    if name is not None and not name.lower().endswith(_TRACKS):
        source.error(node, "BAD_VALUE", f"'{clip(name)}' is no track.", "Name a .gpx or .csv file beside this one.")
    return {"name": name or ""}


def _report(source: Source, node: Node) -> Fields:
    """``enter cafe-mitte``: what the phone's own OS noticed."""

    def parser(text: str) -> Fields:
        kind, _, fence = text.partition(" ")
        if kind not in REPORTS or not fence.strip() or " " in fence.strip():
            raise TextError(f"'{clip(text)}' is no report.", "Write for example: enter cafe-mitte")
        return {"kind": kind, "name": fence.strip()}

    return _noted(source, node, source.parse(node, "reports", parser), "fence")


def _feedback(source: Source, node: Node) -> Fields:
    """``clicked morning-coffee``: what became of that rule's last message."""

    def parser(text: str) -> Fields:
        kind, _, rule = text.partition(" ")
        if kind not in FEEDBACK or not rule.strip() or " " in rule.strip():
            raise TextError(f"'{clip(text)}' is no feedback.", "Write for example: clicked morning-coffee")
        return {"kind": kind, "name": rule.strip()}

    return _noted(source, node, source.parse(node, "feedback", parser), "rule")


def _switch(source: Source, node: Node) -> Fields:
    """``rule morning-coffee``, ``channel push``, ``geofence cafe-mitte`` or ``everything``."""

    def parser(text: str) -> Fields:
        scope, _, id = text.partition(" ")
        if text == EVERYTHING:
            return {"kind": "all", "name": ""}
        if scope not in SWITCHES or not id.strip():
            raise TextError(f"'{clip(text)}' is nothing to pause.", f"Write for example: rule hello, or {EVERYTHING}")
        return {"kind": scope, "name": id.strip()}

    found = source.parse(node, "pauses", parser)
    kinds = {"rule": "rule", "channel": "channel", "geofence": "fence"}
    return _noted(source, node, found, kinds.get((found or {}).get("kind", ""), ""))


def _noted(source: Source, node: Node, fields: Fields | None, kind: str) -> Fields:
    if fields is not None and kind:
        source.use(kind, fields["name"], node)
    return fields or {}


def _event(source: Source, node: Node) -> Fields:
    return {"name": read_id(source, node, "event") or ""}


_ACTIONS: dict[str, Callable[[Source, Node], Fields]] = {
    "waits": _wait,
    "follows": _track,
    "event": _event,
    "reports": _report,
    "feedback": _feedback,
    "pauses": _switch,
    "resumes": _switch,
    "profile": lambda source, node: {"profile": read_profile(source, node)},
    "facts": lambda source, node: {"data": dict(read_facts(source, node))},
}


# ------------------------------------------------------------------ what stands beside an action


def _metres(source: Source, node: Node) -> Fields:
    """``12``, or ``12 m``."""
    if isinstance(node, Scalar) and isinstance(node.value, (int, float)):
        return {"accuracy": source.number(node, "accuracy", 0, 100_000)}
    return {"accuracy": source.parse(node, "accuracy", parse_metres)}


def _yes(key: str) -> Callable[[Source, Node], Fields]:
    def read(source: Source, node: Node) -> Fields:
        return {key: source.choice(node, key, ("yes", "no", "true", "false")) in ("yes", "true")}

    return read


def _positive(text: str) -> float:
    seconds = parse_duration(text)
    if seconds <= 0:
        raise TextError("That is no time at all.", "Write for example 30 seconds.")
    return seconds


_BESIDE: dict[str, Callable[[Source, Node], Fields]] = {
    "at": lambda source, node: {"at": source.parse(node, "at", parse_time)},
    "person": lambda source, node: {"person": read_id(source, node, "person")},
    "device": lambda source, node: {"device": read_id(source, node, "device")},
    "accuracy": _metres,
    "speed": lambda source, node: {"speed": source.number(node, "speed", 0, 500)},
    "context": lambda source, node: {"data": read_data(source, node, "context")},
    "with": lambda source, node: {"data": read_data(source, node, "with")},
    "every": lambda source, node: {"every": source.parse(node, "every", _positive)},
    "late": lambda source, node: {"late": source.parse(node, "late", parse_duration)},
    "for": lambda source, node: {"seconds": source.parse(node, "for", _positive)},
    "drop": _yes("drop"),
    "silent": _yes("silent"),
}


def check_people(source: Source, steps: Collection[Step], known: Collection[str]) -> None:
    """Everybody who does something is given."""
    for step in steps:
        if step.person is not None and step.person not in known:
            near = nearest(step.person, known)
            fix = f"Did you mean '{near}'?" if near else f"Add them under 'given:', 'people:', '{clip(step.person)}:'."
            source.error(_at(step.mark), "UNKNOWN_PERSON", f"Nothing is given of '{clip(step.person)}'.", fix)


def _at(mark: Mark) -> Node:
    return Node(mark.line, mark.column)
