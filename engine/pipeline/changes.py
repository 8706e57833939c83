"""What differs between two releases, in plain words: for the people who must agree."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeVar

import msgspec
from msgspec import Struct

from engine.decide import cap_text, span
from engine.model.fence import Fence
from engine.model.release import Policy, Release
from engine.model.rule import Cap, Condition, MessageText, Rule, Trigger
from engine.pipeline import places

LONGEST = 160
NOTHING = "nothing"
PLACES = frozenset({"where", "source"})  # where a thing stands in its file changes nothing

Kind = Literal["rule", "geofence", "segment", "offer", "journey", "setting"]
What = Literal["added", "removed", "changed"]


class Change(Struct, frozen=True):
    """One thing that is new, gone or different; ``lines`` say how."""

    kind: Kind
    id: str
    what: What
    lines: tuple[str, ...] = ()


def changes(old: Release, new: Release) -> list[Change]:
    """Everything that differs: settings, rules, what they share, fences; by id."""
    found = list(_settings(old.policy, new.policy))
    found += _of("rule", {r.id: r for r in old.rules}, {r.id: r for r in new.rules}, _rule_lines, _rule_is)
    shared: tuple[tuple[Kind, Mapping[str, Any], Mapping[str, Any]], ...] = (
        ("segment", old.segments, new.segments),
        ("offer", old.offers, new.offers),
        ("journey", old.journeys, new.journeys),
    )
    for kind, before, after in shared:
        found += _of(kind, before, after, _field_lines, lambda thing: ())
    fences = {f.id: f for f in old.fences}, {f.id: f for f in new.fences}
    found += _of("geofence", *fences, _fence_lines, _fence_is)
    return found


def headline(found: Sequence[Change]) -> str:
    """``2 rules changed, 1 rule added, 3 geofences changed``; "nothing differs" where nothing does."""
    counts: dict[tuple[str, str], int] = {}
    for change in found:
        counts[change.kind, change.what] = counts.get((change.kind, change.what), 0) + 1
    return ", ".join(f"{n} {kind}{'' if n == 1 else 's'} {what}" for (kind, what), n in counts.items()) or (
        "nothing differs"
    )


T = TypeVar("T")


def _of(
    kind: Kind,
    old: Mapping[str, T],
    new: Mapping[str, T],
    lines: Callable[[T, T], Iterable[str]],
    tells: Callable[[T], Iterable[str]],
) -> Iterator[Change]:
    for id in sorted(old.keys() | new.keys()):
        if id not in old:
            yield Change(kind, id, "added", tuple(tells(new[id])))
        elif id not in new:
            yield Change(kind, id, "removed")
        elif bare(old[id]) != bare(new[id]):
            yield Change(kind, id, "changed", tuple(lines(old[id], new[id])) or ("a detail that shows nowhere else",))


def bare(value: Any) -> Any:
    """A thing without its place in a file."""
    return _without(msgspec.to_builtins(value))


def _without(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without(v) for key, v in value.items() if key not in PLACES}
    if isinstance(value, list | tuple):
        return [_without(v) for v in value]
    return value


# ------------------------------------------------------------------ rules


def _rule_is(rule: Rule) -> Iterator[str]:
    yield "wakes: " + " or ".join(trigger_words(trigger) for trigger in rule.when)
    if rule.status != "live":
        yield f"status: {rule.status}"
    if rule.message.text.title or rule.message.text.body:
        yield f"says: {_clip(rule.message.text.title or rule.message.text.body)}"


def _rule_lines(old: Rule, new: Rule) -> Iterator[str]:
    yield from _parts("wakes", [trigger_words(t) for t in old.when], [trigger_words(t) for t in new.when])
    yield from _parts("only if", _conditions(old.only_if), _conditions(new.only_if))
    yield from _parts("unless", _conditions(old.unless), _conditions(new.unless))
    yield from _message(old, new)
    yield from _parts("limit per person", _caps(old.limits.per_person), _caps(new.limits.per_person))
    yield from _parts("limit in total", _caps(old.limits.total), _caps(new.limits.total))
    told = {"when", "only_if", "unless", "message", "limits", "id", "where"}
    for name in Rule.__struct_fields__:
        if name not in told:
            yield from _field(name, getattr(old, name), getattr(new, name))


def _message(old: Rule, new: Rule) -> Iterator[str]:
    a, b = old.message, new.message
    yield from _field("channels", a.channels, b.channels)
    yield from _field("send_within", a.send_within, b.send_within)
    yield from _texts("", a.text, b.text)
    for language in sorted(a.languages.keys() | b.languages.keys()):
        empty = MessageText()
        yield from _texts(f"{language} ", a.languages.get(language, empty), b.languages.get(language, empty))


def _texts(language: str, old: MessageText, new: MessageText) -> Iterator[str]:
    for name in ("title", "body", "link", "data"):
        yield from _field(f"{language}{name}", getattr(old, name), getattr(new, name))


def _conditions(conditions: Iterable[Condition]) -> list[str]:
    return [condition.text or _plain(bare(condition)) for condition in conditions]


def _caps(caps: Iterable[Cap]) -> list[str]:
    return [cap_text(cap) for cap in caps]


def trigger_words(trigger: Trigger) -> str:
    """``enters tag cafe``, ``event app_open``: as its author would say it, where that is known."""
    told: dict[str, Any] = bare(trigger)
    kind = told.pop("type", "")
    text = told.get("text")
    if text:
        return f"{kind} {text}"
    target = told.get("target") or {}
    place = " or ".join([*target.get("fences", ()), *(f"tag {tag}" for tag in target.get("tags", ()))])
    words = [f"{told.get('kind')}s" if told.get("kind") else kind, *filter(None, (place, told.get("event")))]
    words += [f"rule {told['rule']}"] if told.get("rule") else []
    words += ["not"] if told.get("missing") else []
    words += [told["outcome"]] if told.get("outcome") else []
    for key, before in (("seconds", "for"), ("within", "within")):
        words += [f"{before} {span(told[key])}"] if told.get(key) else []
    words += [f"within {told['metres']:g} m"] if told.get("metres") else []
    return " ".join(words) + (", not on a first fix" if told.get("initial") == "ignore" else "")


# ------------------------------------------------------------------ fences


def _fence_is(fence: Fence) -> Iterator[str]:
    if fence.name:
        yield f"name: {fence.name}"
    if fence.tags:
        yield f"tags: {', '.join(fence.tags)}"


def _fence_lines(old: Fence, new: Fence) -> Iterator[str]:
    yield from places.moved(old.shape, new.shape)
    for name in Fence.__struct_fields__:
        if name not in ("id", "shape", "source"):
            yield from _field(name, getattr(old, name), getattr(new, name))


# ------------------------------------------------------------------ settings and what is left


def _settings(old: Policy, new: Policy) -> Iterator[Change]:
    for group in ("sense", "decide", "test"):
        a, b = getattr(old, group), getattr(new, group)
        for name in a.__struct_fields__:
            lines = tuple(_field(name, getattr(a, name), getattr(b, name)))
            if lines:
                yield Change("setting", f"{group}.{name}", "changed", lines)
    for name in Policy.__struct_fields__:
        if name not in ("sense", "decide", "test"):
            lines = tuple(_field(name, getattr(old, name), getattr(new, name)))
            if lines:
                yield Change("setting", name, "changed", lines)


def _field_lines(old: Any, new: Any) -> Iterator[str]:
    for name in old.__struct_fields__:
        if name == "codes":
            yield from _codes(old.codes, new.codes)
        elif name not in ("id", *PLACES):
            yield from _field(name, getattr(old, name), getattr(new, name))


def _codes(old: Sequence[str], new: Sequence[str]) -> Iterator[str]:
    """How many came and went: there may be a hundred thousand."""
    before, after = frozenset(old), frozenset(new)
    came, gone = len(after - before), len(before - after)
    if came or gone:
        yield f"codes: {len(new)} instead of {len(old)} ({came} new, {gone} gone)"
    elif old != new:
        yield "codes: in another order"


def _field(name: str, old: Any, new: Any) -> Iterator[str]:
    if bare(old) != bare(new):
        yield f"{name}: {_shown(name, old)} → {_shown(name, new)}"


def _parts(name: str, old: Sequence[str], new: Sequence[str]) -> Iterator[str]:
    """Lines that went and lines that came."""
    for line in old:
        if line not in new:
            yield f"{name}, no longer: {_clip(line)}"
    for line in new:
        if line not in old:
            yield f"{name}, new: {_clip(line)}"
    if sorted(old) == sorted(new) and list(old) != list(new):
        yield f"{name}: in another order"


SECONDS = frozenset({"cooldown", "send_within", "window", "min_inside", "min_outside", "silence", "resume_within"})
SHARES = frozenset({"control_group", "canary", "enter_probability", "exit_probability"})


def _shown(name: str, value: Any) -> str:
    if name in SECONDS and isinstance(value, float | int):
        return span(value) if value else "none"
    if name in SHARES and isinstance(value, float | int):
        return f"{value * 100:.4g}%"
    if name == "quiet_hours" and value is not None:
        return "-".join(f"{minute // 60:02d}:{minute % 60:02d}" for minute in value)
    if name == "caps":
        return ", ".join(_caps(value)) or "none"
    if name == "estimate" and value is not None:
        return cap_text(value)
    if name == "runs":
        return "always" if value == (None, None) else f"{value[0] or '…'} to {value[1] or '…'}"
    return _plain(bare(value))


def _plain(value: Any) -> str:
    if value is None or value in ("", [], {}):
        return NOTHING
    if isinstance(value, str):
        return _clip(value)
    if isinstance(value, list) and all(isinstance(item, str | int | float) for item in value):
        return _clip(", ".join(map(str, value)))
    return _clip(msgspec.json.encode(value).decode())


def _clip(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
