"""``given``: how things stand when a scenario begins."""

import re
from collections.abc import Callable
from typing import Any

from engine.author.durations import parse_duration
from engine.author.nodes import Items, Mapping, Node, Scalar, plain, resolve
from engine.author.report import TextError, clip
from engine.author.scenario_keys import GIVEN, PROFILE
from engine.author.scenario_parts import Given, Past, PersonGiven
from engine.author.scenario_times import check_zone, parse_clock
from engine.author.source import Source
from engine.author.targets import read_names

Fields = dict[str, Any]

_ANSWERS = {"yes": True, "true": True, "no": False, "false": False}
_AGO = re.compile(r"\s*,\s*([^,]+?)\s+ago\s*$")
_FOR = re.compile(r"\s*,\s*for\s+([^,]+)$")
_WITH = re.compile(r"(\S+)(?:\s+with\s+(.+))?")
_PAIR = re.compile(r"([\w.]+)=(\"[^\"]*\"|'[^']*'|\S+)\s*,?\s*")
_ID = re.compile(r"[^\s,]{1,200}")
_HOUR = 3600.0


def read_given(source: Source, node: Node, zone: str) -> Fields:
    """The keys of one ``given``; wrong ones are told and left out."""
    given = source.mapping(node, "given", GIVEN)
    fields: Fields = {}
    if given is None:
        return fields
    for key, value in given.entries.items():
        if (reader := _READERS.get(key)) is not None:
            fields[key] = reader(source, value, key)
        elif key == "clock":
            fields[key] = source.parse(value, key, lambda text: parse_clock(text, zone))
    return fields


def make_given(shared: Fields, own: Fields, zone: str) -> Given:
    """One scenario's ``given`` on top of its file's: profiles, contexts and facts are joined, the rest is replaced."""
    both = {**shared, **{key: value for key, value in own.items() if value is not None}}
    for key in ("profile", "context", "facts", "people"):
        if shared.get(key) is not None and own.get(key) is not None:
            both[key] = _joined(shared[key], own[key])
    clock = both.get("clock")
    return Given(
        clock=None if clock is None else clock[0],
        zone=zone if clock is None else clock[1],
        person=both.get("person") or Given().person,
        device=both.get("device") or "",
        profile=both.get("profile"),
        people=both.get("people") or {},
        context=both.get("context") or {},
        facts=both.get("facts") or {},
        past=(*(both.get("visited") or ()), *(both.get("did") or ())),
        control_group=both.get("control_group") or (),
        failing=both.get("failing") or (),
    )


def _joined(shared: Any, own: Any) -> Any:
    if isinstance(shared, PersonGiven):
        return PersonGiven(
            shared.attributes | own.attributes,
            shared.consent | own.consent,
            own.language or shared.language,
            own.time_zone or shared.time_zone,
        )
    joined = dict(shared)
    for key, value in own.items():
        nested = isinstance(value, dict) and isinstance(joined.get(key), dict)
        joined[key] = {**joined[key], **value} if nested else value
    return joined


# ------------------------------------------------------------------ people


def read_profile(source: Source, node: Node, what: str = "profile") -> PersonGiven | None:
    """Attributes, with ``language``, ``time_zone`` and ``consent`` among them."""
    profile = source.mapping(node, what)
    if profile is None:
        return None
    entries = profile.entries
    language, zone, consent = (entries.get(key) for key in PROFILE)
    return PersonGiven(
        attributes={key: plain(value) for key, value in entries.items() if key not in PROFILE},
        consent={} if consent is None else _consent(source, consent),
        language=None if language is None else source.text(language, "language"),
        time_zone=None if zone is None else source.parse(zone, "time_zone", check_zone),
    )


def _consent(source: Source, node: Node) -> dict[str, bool]:
    """``marketing: no``: by purpose, channel, or both."""
    found: dict[str, bool] = {}
    for key, _, value in source.entries(node, "consent"):
        answer = _ANSWERS.get(value.text.lower()) if isinstance(value, Scalar) else None
        if answer is None:
            source.error(value, "BAD_VALUE", f"Consent for {clip(key)} must be yes or no.", f"Write: {clip(key)}: no")
        else:
            found[key] = answer
    return found


def _people(source: Source, node: Node, what: str) -> dict[str, PersonGiven]:
    found: dict[str, PersonGiven] = {}
    for key, place, value in source.entries(node, what):
        if not _ID.fullmatch(key):
            source.error(place, "BAD_VALUE", f"'{clip(key)}' is no id of a person.", "Write one word.")
        person = PersonGiven() if isinstance(value, Scalar) and value.empty else read_profile(source, value, key)
        if person is not None:
            found[key] = person
    return found


def read_id(source: Source, node: Node, what: str) -> str | None:
    """One word."""
    text = source.text(node, what)
    if text is not None and not _ID.fullmatch(text):
        source.error(node, "BAD_VALUE", f"'{clip(text)}' is no id.", "Write one word.")
        return None
    return text


# ------------------------------------------------------------------ facts and the past


def read_data(source: Source, node: Node, what: str) -> dict[str, Any]:
    """Keys with plain values."""
    mapping = source.mapping(node, what)
    return {} if mapping is None else plain(mapping)


def read_facts(source: Source, node: Node, what: str = "facts") -> dict[str, dict[str, Any]]:
    """Facts by scope: ``global`` or a fence id."""
    facts: dict[str, dict[str, Any]] = {}
    for key, place, value in source.entries(node, what):
        if not isinstance(value, Mapping):
            fix = f"Write 'global:' and below it, indented, '{clip(key)}: …'."
            source.error(place, "WRONG_TYPE", f"'{clip(key)}' is a fact without its place.", fix)
            continue
        if key != "global":
            source.use("fence", key, place)
        facts[key] = plain(value)
    return facts


def _visited(source: Source, node: Node, what: str) -> tuple[Past, ...]:
    """``office-park, for 8 hours, 3 days ago`` (or a list)."""

    def parser(text: str) -> Past:
        rest, ago = _ago(text, "office-park, for 8 hours, 3 days ago")
        stay = _FOR.search(rest)
        fence = (rest if stay is None else rest[: stay.start()]).strip()
        if not _ID.fullmatch(fence):
            raise TextError(
                f"'{clip(fence)}' is no fence id.", "Write for example: office-park, for 8 hours, 3 days ago"
            )
        lasted = parse_duration(stay[1]) if stay is not None else min(_HOUR, ago / 2)
        if not 0 < lasted < ago:
            raise TextError("The visit must be over before the scenario begins.", "Make it shorter, or longer ago.")
        return Past(ago, fence=fence, lasted=lasted)

    found = [(item, source.parse(item, what, parser)) for item in source.each(node, what)]
    for item, past in found:
        if past is not None:
            source.use("fence", past.fence, item)
    return tuple(past for _, past in found if past is not None)


def _did(source: Source, node: Node, what: str) -> tuple[Past, ...]:
    """``purchase with category=coffee, 2 hours ago`` (or a list)."""

    def parser(text: str) -> Past:
        example = "purchase with category=coffee, 2 hours ago"
        rest, ago = _ago(text, example)
        found = _WITH.fullmatch(rest.strip())
        if found is None:
            raise TextError(f"'{clip(rest)}' is no event.", f"Write for example: {example}")
        return Past(ago, event=found[1], data=_pairs(found[2] or "", example))

    found = (source.parse(item, what, parser) for item in source.each(node, what))
    return tuple(past for past in found if past is not None)


def _ago(text: str, example: str) -> tuple[str, float]:
    found = _AGO.search(text)
    if found is None:
        raise TextError("How long ago is not said.", f"Write for example: {example}")
    ago = parse_duration(found[1])
    if ago <= 0:
        raise TextError("That is now, not ago.", f"Write for example: {example}", found.start(1))
    return text[: found.start()], ago


def _pairs(text: str, example: str) -> dict[str, Any]:
    data: dict[str, Any] = {}
    at = 0
    while at < len(text):
        found = _PAIR.match(text, at)
        if found is None:
            raise TextError(f"'{clip(text[at:])}' is no key=value.", f"Write for example: {example}")
        value = found[2]
        data[found[1]] = value[1:-1] if value[0] in "\"'" else resolve(value)
        at = found.end()
    return data


def _rules(source: Source, node: Node, what: str) -> tuple[str, ...]:
    names = read_names(source, node, what) or ()
    for name in names:
        source.use("rule", name, node)
    return names


def _channels(source: Source, node: Node, what: str) -> tuple[str, ...]:
    items = source.each(node, what) if isinstance(node, Items) else (node,)
    names = [name for item in items for name in (read_names(source, item, what) or ())]
    for name in names:
        source.use("channel", name, node)
    return tuple(names)


_READERS: dict[str, Callable[[Source, Node, str], Any]] = {
    "person": read_id,
    "device": read_id,
    "profile": read_profile,
    "people": _people,
    "context": read_data,
    "facts": read_facts,
    "visited": _visited,
    "did": _did,
    "control_group": _rules,
    "failing": _channels,
}
