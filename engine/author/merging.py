"""Laying what a rule says over what it uses: a template, a named message."""

from collections.abc import Collection

from engine.author.nodes import Items, Mapping, Node
from engine.author.source import Source

_ADDED = ("only_if", "unless")  # a rule narrows its template and never widens it
_TEXTS = ("title", "body", "link")


def merge_rules(source: Source, rule: Mapping, template: Mapping, drop: Collection[str]) -> Mapping:
    """The template's keys, and over them those of the rule: lines of ``only_if`` and ``unless`` come on top, a message
    part by part, everything else in place of it. The result stands where the rule stands."""
    merged = Mapping(rule.line, rule.column)
    for part in (template, rule):
        for key, value in part.entries.items():
            if key in drop:
                continue
            before = merged.entries.get(key)
            if before is not None and part is rule:
                value = _joined(source, key, before, value)
            merged.keys[key], merged.entries[key] = part.keys[key], value
    return merged


def _joined(source: Source, key: str, before: Node, value: Node) -> Node:
    if key in _ADDED:
        both = Items(value.line, value.column)
        both.items = [*_lines(before), *_lines(value)]
        return both
    if key == "message" and isinstance(before, Mapping) and isinstance(value, Mapping):
        return merge_messages(source, before, value)
    return value


def _lines(node: Node) -> list[Node]:
    return node.items if isinstance(node, Items) else [node]


def merge_messages(source: Source, base: Mapping, own: Mapping) -> Mapping:
    """The base's parts, and over them the own ones: languages and data key by key. A text that is replaced while its
    translations stay is told."""
    _tell_left_behind(source, base, own)
    merged = _over(base, own, ("languages", "data"))
    before, after = base.entries.get("languages"), own.entries.get("languages")
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        languages = _over(before, after, after.entries)
        for code, texts in languages.entries.items():
            one, other = before.entries.get(code), after.entries.get(code)
            if isinstance(one, Mapping) and isinstance(other, Mapping):
                languages.entries[code] = _over(one, other, ("data",))
            else:
                languages.entries[code] = texts
        merged.entries["languages"] = languages
    return merged


def _over(base: Mapping, own: Mapping, deep: Collection[str]) -> Mapping:
    """Both, the own entries over the base's; of the keys ``deep`` one level deeper as well."""
    merged = Mapping(own.line, own.column, file=own.file)
    merged.keys = {**base.keys, **own.keys}
    merged.entries = {**base.entries, **own.entries}
    for key in deep:
        one, other = base.entries.get(key), own.entries.get(key)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            merged.entries[key] = _over(one, other, ())
    return merged


def _tell_left_behind(source: Source, base: Mapping, own: Mapping) -> None:
    """``title`` is new, and its German is still that of the message underneath."""
    translations = base.entries.get("languages")
    if not isinstance(translations, Mapping):
        return
    given = own.entries.get("languages")
    own_languages = given.entries if isinstance(given, Mapping) else {}
    for key in _TEXTS:
        if key not in own.entries:
            continue
        for code, texts in translations.entries.items():
            mine = own_languages.get(code)
            if (
                isinstance(texts, Mapping)
                and key in texts.entries
                and not (isinstance(mine, Mapping) and key in mine.entries)
            ):
                problem = f"'{key}' is new here, and its '{code}' is still that of {source.where(texts.keys[key])}."
                fix = f"Add under 'languages:', '{code}:' the {key} in that language."
                source.tell(own.keys[key], "warning", "LEFT_BEHIND", problem, fix)
