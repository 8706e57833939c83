"""The message of a rule: channels, texts, and texts by language."""

import re

from engine.author.durations import parse_duration
from engine.author.nodes import Mapping, Node, Scalar
from engine.author.report import TextError, clip
from engine.author.source import Source
from engine.model.rule import MessageSpec, MessageText

_TEXTS = ("title", "body", "link")
KEYS = ("channels", "send_within", *_TEXTS, "data", "languages")
LANGUAGE_KEYS = (*_TEXTS, "data")
_THEN = re.compile(r"\s*,\s*(?:then\s+)?|\s+then\s+")
LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8}){0,3}")
MAX_TEMPLATE = 20_000  # characters


def read_message(source: Source, node: Node) -> MessageSpec | None:
    """The message; every template and channel is noted for the cross-check."""
    message = source.mapping(node, "message", KEYS)
    if message is None:
        return None
    get = message.entries.get
    text = _texts(source, message)
    if get("title") is None and get("body") is None and set(message.entries) <= set(KEYS):
        source.error(message, "MISSING", "The message says nothing.", "Give it a title or a body.")
    channels = get("channels")
    within = get("send_within")
    seconds = None if within is None else source.parse(within, "send_within", _positive)
    return MessageSpec(
        text=text,
        channels=() if channels is None else _channels(source, channels),
        languages=_languages(source, get("languages")),
        send_within=seconds,
        where=source.where(message),
    )


def _positive(text: str) -> float:
    seconds = parse_duration(text)
    if seconds <= 0:
        raise TextError("A message needs some time to be sent.", "Write for example 15 minutes.")
    return seconds


def _channels(source: Source, node: Node) -> tuple[str, ...]:
    """``push, then sms`` (or a list)."""
    names: list[str] = []
    for item in source.each(node, "channels"):
        for name in _THEN.split(source.text(item, "channels") or ""):
            if name in names:
                source.error(item, "BAD_VALUE", f"The channel '{clip(name)}' is there twice.", "Keep one of them.")
            elif name:
                names.append(name)
                source.use("channel", name, item)
    return tuple(names)


def _texts(source: Source, message: Mapping) -> MessageText:
    texts = {key: _template(source, message.entries[key], key) for key in _TEXTS if key in message.entries}
    data: dict[str, str] = {}
    if "data" in message.entries:
        for key, _, value in source.entries(message.entries["data"], "data"):
            data[key] = _template(source, value, f"data.{key}")
    return MessageText(**texts, data=data)


def _template(source: Source, node: Node, what: str) -> str:
    text = source.text(node, what, MAX_TEMPLATE)
    if text is None or not isinstance(node, Scalar):
        return ""
    _comment(source, node, what)
    if "{{" in text or "{%" in text:
        source.use("template", text, node)
    return text


def _comment(source: Source, node: Scalar, what: str) -> None:
    """``title: You are #1`` loses ``#1``, which YAML takes for a comment: say so."""
    if node.quoted or node.end_line != node.line or node.line > len(source.lines):
        return
    rest = source.lines[node.line - 1][node.end_column - 1 :].strip()
    if rest.startswith("#") and not rest.startswith(("# ", "##")) and rest != "#":
        line = source.lines[node.line - 1]
        fix = f'Write: {line[: node.column - 1].strip()} "{line[node.column - 1 :].strip()}"'
        problem = f"'{clip(rest)}' is a comment in YAML and no part of the {what}."
        source.tell(node, "warning", "COMMENT_IN_TEXT", problem, fix)


def _languages(source: Source, node: Node | None) -> dict[str, MessageText]:
    languages: dict[str, MessageText] = {}
    if node is None:
        return languages
    for key, place, value in source.entries(node, "languages"):
        if not LANGUAGE.fullmatch(key):
            source.error(place, "BAD_VALUE", f"'{clip(key)}' is no language.", "Write a code such as de, fr or pt-BR.")
            continue
        texts = source.mapping(value, f"languages.{key}", LANGUAGE_KEYS)
        if texts is not None:
            languages[key] = _texts(source, texts)
    return languages
