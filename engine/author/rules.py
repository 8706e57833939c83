"""``rules/*.yaml`` to rules."""

import re
from collections.abc import Callable
from typing import Any

from engine.author.conditions import read_conditions
from engine.author.durations import parse_cap, parse_duration, parse_estimate, parse_share
from engine.author.message import read_message
from engine.author.nodes import Mapping, Node, Scalar
from engine.author.report import TextError, clip
from engine.author.source import Source
from engine.author.templates import USE_KEYS, use_template
from engine.author.times import parse_runs
from engine.author.triggers import read_when
from engine.model.rule import Cap, Conversion, Limits, Rule

_ID = re.compile(r"\w[\w.\-]{0,99}")
_EVENT = re.compile(r"[^\s,]{1,100}")
STATUS = ("live", "draft", "paused", "ended")
PURPOSE = ("marketing", "service", "transactional")
KEYS = (
    *("about", "owner", "status", "purpose", "runs", "priority", "journey", "stage", "when", "only_if", "unless"),
    *("offer", "message", "limits", "cooldown", "conversion", "control_group", "canary", "estimate"),
)
_KNOWN = frozenset(KEYS)
_LIMITS = ("per_person", "total")
_LATER = ("variants", "score", "fallback")  # announced, and not in this version

_Reader = Callable[[Source, Node, str], Any]
"""What one key says; its name is told where it is wrong."""


def read_rules(source: Source) -> list[tuple[Rule, Scalar]]:
    """The rules of one file with the place of each id. Mistakes are told to the source; wrong rules left out."""
    root = source.root
    if root is None or (isinstance(root, Scalar) and root.empty):
        return []
    top = source.mapping(root, "the file")
    if top is None:
        return []
    for key, place in top.keys.items():
        if key != "rules":
            _unknown_top(source, place, key, top.entries[key])
    if "rules" not in top.entries:
        return []
    found = [
        (_rule(source, key, place, node), place) for key, place, node in source.entries(top.entries["rules"], "rules")
    ]
    return [(rule, place) for rule, place in found if rule is not None]


def _unknown_top(source: Source, place: Scalar, key: str, value: Node) -> None:
    if isinstance(value, Mapping) and ("when" in value.entries or "message" in value.entries):
        fix = "Put it under 'rules:', indented by two spaces."
        return source.error(place, "UNKNOWN_KEY", f"The rule '{clip(key)}' stands outside 'rules'.", fix)
    if key in ("segments", "offers", "journeys", "templates", "messages", "partials"):
        fix = f"Put them into rules/{'messages' if key == 'partials' else key}.yaml."
        return source.error(place, "UNKNOWN_KEY", f"'{key}' cannot be in a file of rules.", fix)
    return source.unknown_key(place, key, "the file", ("rules",))


def _rule(source: Source, key: str, place: Scalar, node: Node) -> Rule | None:
    if not _ID.fullmatch(key):
        fix = "Use letters, digits, - _ and . (at most 100), beginning with a letter or digit."
        source.error(place, "BAD_VALUE", f"'{clip(key)}' cannot be the id of a rule.", fix)
    rule = source.mapping(node, f"rule '{clip(key)}'")
    if rule is None:
        return None
    before = source.told.get("error", 0)
    source.user = f"(The rule '{clip(key)}' uses it: {source.where(place)}.)"
    if "use" in rule.entries or "with" in rule.entries:
        rule = use_template(source, rule)
        if rule is None:
            return None
    _check_keys(source, key, place, rule)
    fields = _fields(source, rule)
    when = read_when(source, rule.entries["when"]) if "when" in rule.entries else ()
    message = read_message(source, rule.entries["message"]) if "message" in rule.entries else None
    wrong = source.told.get("error", 0) > before
    if wrong or message is None or not when:
        return None
    if fields.get("purpose", "marketing") == "marketing" and "conversion" not in fields:
        fix = "Add 'conversion:' with the event it is for, to see whether it works."
        source.tell(place, "warning", "NO_CONVERSION", f"The marketing rule '{clip(key)}' has no conversion.", fix)
    return Rule(id=key, when=when, message=message, where=source.where(place), **fields)


def _check_keys(source: Source, key: str, place: Scalar, rule: Mapping) -> None:
    for name in rule.entries:
        if name in _KNOWN:
            continue
        if name in _LATER:
            source.error(rule.keys[name], "NOT_YET", f"'{name}' comes with a later version.", "Delete it until then.")
        else:
            source.unknown_key(rule.keys[name], name, "a rule", (*KEYS, *USE_KEYS))
    for name, example in (("when", "'when:' with 'enters: tag cafe'"), ("message", "'message:' with a title")):
        if name not in rule.entries:
            source.error(place, "MISSING", f"The rule '{clip(key)}' has no '{name}'.", f"Add {example}.")
    if "stage" in rule.entries and "journey" not in rule.entries:
        source.error(rule.keys["stage"], "MISSING", "A stage belongs to a journey.", "Add 'journey:' with its name.")


def _fields(source: Source, rule: Mapping) -> dict[str, Any]:
    """What the keys say, but for ``when`` and ``message``."""
    entries = rule.entries
    fields = {name: read(source, entries[name], name) for name, read in _READERS.items() if name in entries}
    if "stage" in entries:
        fields["stage"] = source.text(entries["stage"], "stage")
        source.use("stage", f"{fields.get('journey')}\n{fields['stage']}", entries["stage"])
    return fields


def _text(source: Source, node: Node, name: str) -> str | None:
    return source.text(node, name)


def _named(source: Source, node: Node, name: str) -> str | None:
    """The name of something that another file declares."""
    text = source.text(node, name)
    source.use(name, text or "", node)
    return text


def _choice(*allowed: str) -> _Reader:
    return lambda source, node, name: source.choice(node, name, allowed)


def _parsed(parser: Callable[[str], Any]) -> _Reader:
    return lambda source, node, name: source.parse(node, name, parser)


def _priority(source: Source, node: Node, name: str) -> float | None:
    return source.number(node, name, 0, 100)


def _canary(text: str) -> float:
    """The share of people whom the rule reaches; ``none`` is everybody."""
    if text.strip().lower() == "none":
        return 1.0
    share = parse_share(text)
    if share <= 0.0:
        raise TextError("A canary of 0% would never send.", "Use status: draft to decide without sending.")
    return share


def _limits(source: Source, node: Node, name: str) -> Limits:
    limits = source.mapping(node, name, _LIMITS)
    caps: dict[str, tuple[Cap, ...]] = {}
    for kind in _LIMITS:
        if limits is not None and kind in limits.entries:
            found = [source.parse(item, kind, parse_cap) for item in source.each(limits.entries[kind], kind)]
            caps[kind] = tuple(cap for cap in found if cap is not None)
    return Limits(**caps)


def _conversion(source: Source, node: Node, name: str) -> Conversion | None:
    """``conversion: purchase``, or with the event and how long it counts."""
    if isinstance(node, Scalar) and not node.empty:
        event = source.parse(node, name, _event)
        return None if event is None else Conversion(event)
    conversion = source.mapping(node, name, ("event", "within"))
    if conversion is None:
        return None
    if "event" not in conversion.entries:
        source.error(node, "MISSING", "The conversion has no event.", "Add for example 'event: purchase'.")
        return None
    event = source.parse(conversion.entries["event"], "event", _event)
    within = conversion.entries.get("within")
    seconds = source.parse(within, "within", parse_duration) if within is not None else None
    return None if event is None else Conversion(event) if seconds is None else Conversion(event, seconds)


def _event(text: str) -> str:
    if not _EVENT.fullmatch(text):
        raise TextError(f"'{clip(text)}' is no event.", "Write one word, for example purchase.")
    return text


_READERS: dict[str, _Reader] = {  # in this order, whatever the order in a file
    "about": _text,
    "owner": _text,
    "status": _choice(*STATUS),
    "purpose": _choice(*PURPOSE),
    "journey": _named,
    "offer": _named,
    "runs": _parsed(parse_runs),
    "cooldown": _parsed(parse_duration),
    "estimate": _parsed(parse_estimate),
    "control_group": _parsed(parse_share),
    "canary": _parsed(_canary),
    "priority": _priority,
    "only_if": read_conditions,
    "unless": read_conditions,
    "limits": _limits,
    "conversion": _conversion,
}
