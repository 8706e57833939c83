"""What is wrong with one signal, in plain words: only reached when the fast way refused it."""

import re
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Struct
from rapidfuzz import fuzz, process

from engine.ingest.wire import EARLIEST, FIELDS, MILLISECONDS, NEEDS, SIGNAL_BYTES, SYNONYMS, LooseSignalIn

_any = msgspec.json.Decoder()
_loose = msgspec.json.Decoder(LooseSignalIn)
_PATH = re.compile(r" - at (?:`key` in )?`\$(?:\[\d*\])?\.?([^`]*)`$")
_SEPARATORS = re.compile(r"[_\-\s]")
_KNOWN = frozenset(FIELDS)


class Rejection(Struct, frozen=True):
    """One signal of a request that was not accepted: its index there, the field, and the problem in words."""

    index: int
    field: str
    problem: str


Flaw = tuple[str, str]  # field, problem
Examined = tuple[LooseSignalIn | None, list[str], Flaw]


def examine(raw: bytes | memoryview, depth: int, reject_unknown: bool) -> Examined:
    """Decode one signal the slow way: the signal and the names of its harmless unknown fields, or None and its first
    flaw."""
    if flaw := _overgrown(raw):
        return None, [], flaw
    try:
        loaded = _any.decode(raw)
    except RecursionError:
        return None, [], _too_deep(depth)
    except msgspec.ValidationError as error:
        return None, [], _beyond(raw, str(error))
    except (msgspec.DecodeError, ValueError) as error:
        return None, [], ("", f"not JSON: {plain_json_error(error)}")
    if not isinstance(loaded, dict):
        problem = f'a signal must be an object such as {{"device": "d1", "event": "app_open"}}, not {_show(loaded)}'
        return None, [], ("", problem)
    if _deeper(loaded, depth):
        return None, [], _too_deep(depth)
    unknown = [name for name in loaded if name not in _KNOWN]
    for name in unknown:
        if flaw := _unknown_name(name, reject_unknown):
            return None, [], flaw
    try:
        return _loose.decode(raw), unknown, ("", "")
    except msgspec.ValidationError as error:
        return None, [], _explain(str(error), loaded)


def _beyond(raw: bytes | memoryview, message: str) -> Flaw:
    """A number that no float holds: the typed decoder knows in which field, where it is one of ours."""
    try:
        _loose.decode(raw)
    except msgspec.ValidationError as error:
        message = str(error)
    match = _PATH.search(message)
    name = match.group(1) if match else ""
    return name, f"{name or 'a field'} is a number beyond any range"


def _overgrown(raw: bytes | memoryview) -> Flaw | None:
    if len(raw) <= SIGNAL_BYTES:
        return None
    return "", f"a signal may have at most {SIGNAL_BYTES} bytes, this one has {len(raw)}"


def _too_deep(depth: int) -> Flaw:
    return "", f"nested deeper than {depth} levels"


def plain_json_error(error: Exception) -> str:
    """The decoder's words without its prefix."""
    if isinstance(error, UnicodeDecodeError):
        return "text that is not UTF-8"
    text = str(error).removeprefix("JSON is malformed: ")
    return "it ends too early, or has half of a surrogate pair" if "truncated" in text else text


def _deeper(value: object, depth: int) -> bool:
    """Whether lists and objects nest deeper than ``depth``."""
    level: list[object] = [value]
    for _ in range(depth):
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node)  # type: ignore[attr-defined]
            if isinstance(child, (dict, list))
        ]
        if not level:
            return False
    return True


def _unknown_name(name: str, reject: bool) -> Flaw | None:
    shown = _short(name)
    if right := nearest_field(name):
        return shown, f"unknown field {shown!r}: the name is {right!r}"
    if reject:
        return shown, f"unknown field {shown!r}; known are {', '.join(FIELDS)}"
    return None


def nearest_field(name: str) -> str | None:
    """The field that was probably meant by an unknown name, or None when it is like none of ours."""
    return _nearest(name[:64])


@lru_cache(maxsize=2048)  # senders repeat their own fields in every signal
def _nearest(name: str) -> str | None:
    plain = _SEPARATORS.sub("", name).lower()
    if plain in SYNONYMS:
        return SYNONYMS[plain]
    if plain in _KNOWN:
        return plain
    if len(plain) < 4:
        return None
    best = process.extractOne(plain, FIELDS, scorer=fuzz.ratio, score_cutoff=83)
    return best[0] if best and len(best[0]) > 3 else None


def _explain(message: str, loaded: dict[str, Any]) -> Flaw:
    """Our words for msgspec's refusal of a known field."""
    match = _PATH.search(message)
    if match is None:  # about the object itself: the one required field is missing
        return "device", "device is required"
    path = match.group(1)
    top = re.split(r"[.\[]", path, maxsplit=1)[0]
    if top not in NEEDS:
        return path, message
    value = loaded.get(top)
    if value is None:
        return top, f"{NEEDS[top]}, not null"
    if top == "at":
        return top, _explain_at(value)
    if top in ("reported", "context") and isinstance(value, dict):
        return path, f"{NEEDS[top]} ({message.split(' - at', maxsplit=1)[0]})"
    return top, f"{NEEDS[top]}, not {_show(value)}"


def _explain_at(value: object) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if value >= MILLISECONDS:
            return f"at {_show(value)} is in milliseconds: send seconds, not milliseconds"
        if value < EARLIEST:
            return f"at {_show(value)} is before 1990: send epoch seconds"
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?", value):
        return f"at {value!r} has no time zone: end it with Z or an offset such as +01:00"
    return f"{NEEDS['at']}, not {_show(value)}"


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


def _show(value: object) -> str:
    """A value for a person to recognise, never more than 60 characters, whatever was sent."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int) and value.bit_length() > 128:
        return "a number beyond any range"
    return _short(repr(value))
