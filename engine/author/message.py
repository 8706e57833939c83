"""The message of a rule: channels, texts, and texts by language."""

import re

from msgspec.structs import replace

from engine.author.durations import parse_duration
from engine.author.merging import merge_messages
from engine.author.nodes import Mapping, Node, Scalar
from engine.author.partials import fill
from engine.author.report import TextError, clip, did_you_mean, renamed
from engine.author.source import Source
from engine.model.rule import MessageSpec, MessageText

_TEXTS = ("title", "body", "link")
KEYS = ("use", "channels", "send_within", *_TEXTS, "data", "languages")
LANGUAGE_KEYS = (*_TEXTS, "data")
_THEN = re.compile(r"\s*,\s*(?:then\s+)?|\s+then\s+")
LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8}){0,3}")
MAX_TEMPLATE = 20_000  # characters


def read_message(source: Source, node: Node) -> MessageSpec | None:
    """The message; every template and channel is noted for the cross-check."""
    message = source.mapping(node, "message", KEYS)
    if message is not None and "use" in message.entries:
        message = _use(source, message)
    if message is None:
        _tell_of_use(source, node)
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


def _use(source: Source, message: Mapping) -> Mapping | None:
    """The parts of a named message, and over them the own ones."""
    place = message.entries["use"]
    name = source.text(place, "use")
    if name is None:
        return None
    known = source.shelf.messages
    if name not in known:
        fix = did_you_mean(name, known) or "Add it to rules/messages.yaml, under 'messages:'."
        source.error(place, "UNKNOWN_MESSAGE", f"Unknown message '{clip(name)}'.", fix, edit=renamed(name, known))
        return None
    source.use("message", name, place)
    if known[name].wrong:
        source.told["error"] = source.told.get("error", 0) + 1  # told where it stands
        return None
    if not source.shelf.spend(known[name].weight):
        problem = "All the rules that use this message come to more than can be read."
        source.error(place, "TOO_LARGE", problem, "Shorten the message, or use it less often.")
        return None
    return merge_messages(source, known[name].node, message)


def _tell_of_use(source: Source, node: Node) -> None:
    """``message: welcome`` where that is the name of a message: say how to use it."""
    if isinstance(node, Scalar) and node.text in source.shelf.messages and source.findings:
        fix = f"Write 'message:' and below it, indented, 'use: {node.text}'."
        source.findings[-1] = replace(source.findings[-1], fix=fix)


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


def _texts(source: Source, message: Mapping, language: str = "") -> MessageText:
    entries = message.entries
    texts = {key: _template(source, entries[key], key, language) for key in _TEXTS if key in entries}
    data: dict[str, str] = {}
    if "data" in message.entries:
        for key, _, value in source.entries(message.entries["data"], "data"):
            data[key] = _template(source, value, f"data.{key}", language)
    return MessageText(**texts, data=data)


def _template(source: Source, node: Node, what: str, language: str) -> str:
    written = source.text(node, what, MAX_TEMPLATE)
    if written is None or not isinstance(node, Scalar):
        return ""
    _comment(source, node, what)
    text = fill(source, node, written, language)
    if text is None:
        return ""
    if "{{" in text or "{%" in text:
        source.use("template", text, node)
    return text


def _comment(source: Source, node: Scalar, what: str) -> None:
    """``title: You are #1`` loses ``#1``, which YAML takes for a comment: say so."""
    lines = source.lines_of(node)
    if node.quoted or node.end_line != node.line or node.line > len(lines):
        return
    rest = lines[node.line - 1][node.end_column - 1 :].strip()
    if rest.startswith("#") and not rest.startswith(("# ", "##")) and rest != "#":
        line = lines[node.line - 1]
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
            languages[key] = _texts(source, texts, key)
    return languages
