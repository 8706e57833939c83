"""``POST /v1/signals`` and friends: bodies to normalised signals.

The fast way decodes a whole body in one call into checked structs. Only when that fails is the body taken apart,
signal by signal, so that each bad one is named and the good ones are accepted.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Annotated

import msgspec

from engine.ingest import fast
from engine.ingest.body import BadBody, check_utf8, kind_of
from engine.ingest.columns import columns_of, order_of
from engine.ingest.diagnose import Flaw, Rejection, examine, plain_json_error
from engine.ingest.identity import key_of, key_of_text
from engine.ingest.wire import CONTEXT_BYTES, EARLIEST, SignalIn
from engine.model.config import Limits
from engine.model.signal import Reported, Signal
from engine.model.signals import FEW, Signals

_FIRST_YEAR, _LAST_YEAR = 1900, 5000  # beyond, arithmetic on dates overflows
_SEPARATORS_PER_SIGNAL = 20  # commas or lines a body may have per signal of the queue before it is not even split
_LARGE, _PIECE = 262_144, 500  # bytes of a body that is decoded in pieces, and the signals of a piece

_array = msgspec.json.Decoder(list[SignalIn])
_single = msgspec.json.Decoder(SignalIn)
_parts = msgspec.json.Decoder(list[msgspec.Raw])
_raw = msgspec.json.Decoder(msgspec.Raw)
_pack = msgspec.msgpack.Encoder().encode
_REFUSED = (msgspec.DecodeError, ValueError, RecursionError, OverflowError)  # the last: years 1 and 9999


@dataclass(slots=True)
class Decoded:
    """The signals of one body, those of one device in order of ``at``; ``indexes[i]`` is the place of ``signals[i]`` in
    the body."""

    signals: Sequence[Signal] = field(default_factory=list)
    indexes: Sequence[int] = ()
    rejected: list[Rejection] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    unknown: Sequence[str] = ()  # the unknown fields that the warnings are about


def decode(body: bytes, content_type: str, arrival: float, limits: Limits, unknown: str, max_future: float) -> Decoded:
    """A body (inflated) to signals. ``unknown``: ``warn`` or ``reject`` for unknown fields; ``at`` after ``arrival`` +
    ``max_future`` is refused. Raises BadBody: 400 not JSON, 413 too many signals, 415 content type."""
    lines = kind_of(content_type) == "ndjson"
    try:
        return decode_plain(body, arrival, limits, max_future, lines)
    except _REFUSED:
        return _slow(_split(body, lines, limits), arrival, limits, unknown, max_future)


def decode_plain(body: bytes, arrival: float, limits: Limits, max_future: float, lines: bool = False) -> Decoded:
    """The fast way alone: raises what the decoder does (``msgspec.DecodeError``, ``ValueError``, ``RecursionError``,
    ``OverflowError``) where any signal is malformed, has unknown fields, or the body is no JSON."""
    signals = None
    if not lines and len(body) <= _LARGE:
        signals = fast.signals(body, limits.queue, arrival, arrival + max_future)
    if signals is not None:
        return _in_columns(signals)
    wires = _fast(body, lines)
    if len(wires) > limits.queue:
        raise _too_many(limits)
    return _taken(wires, arrival, arrival + max_future)


def _fast(body: bytes, lines: bool) -> list[SignalIn]:
    if len(body) > _LARGE and (lines or body[:1] == b"["):
        return _in_pieces(body, lines)
    if lines:
        return _single.decode_lines(body)
    if body[:1] == b"[":
        return _array.decode(body)
    return [_single.decode(body)]


def _in_pieces(body: bytes, lines: bool) -> list[SignalIn]:
    """The same of a large body: a call of the decoder lets no other thread run, so it is called again and again."""
    parts: Sequence[bytes | msgspec.Raw] = body.split(b"\n") if lines else _parts.decode(body)
    wires: list[SignalIn] = []
    for at in range(0, len(parts), _PIECE):
        piece = parts[at : at + _PIECE]
        wires += _single.decode_lines(b"\n".join(piece)) if lines else _array.decode(b"[" + b",".join(piece) + b"]")
    return wires


class FrameIn(msgspec.Struct, forbid_unknown_fields=True):
    """A WebSocket frame."""

    seq: Annotated[int, msgspec.Meta(ge=0, le=2**53)]
    signals: list[SignalIn]


class _RawFrame(msgspec.Struct, forbid_unknown_fields=True):
    seq: Annotated[int, msgspec.Meta(ge=0, le=2**53)]
    signals: msgspec.Raw


_frame = msgspec.json.Decoder(FrameIn)
_PLAIN_FRAME = re.compile(rb'\{"seq": ?(\d{1,15}), ?"signals": ?\[(\{[^{]+\})\]\}')
_raw_frame = msgspec.json.Decoder(_RawFrame)


def singles_in(frames: Sequence[bytes], last: int) -> tuple[list[int], list[bytes]] | None:
    """The ``seq`` numbers of frames, which rise from ``last``, and the signal of each as its text; None where one has
    not just one, or is not plainly written."""
    found = [_PLAIN_FRAME.fullmatch(frame) for frame in frames]
    seqs = [int(plain[1]) for plain in found if plain]
    if len(seqs) < len(frames) or any(b <= a for a, b in pairwise([last, *seqs])):
        return None
    return seqs, [plain[2] for plain in found if plain]


def decode_frames(
    frames: Sequence[bytes], last: int, arrival: float, max_future: float
) -> tuple[list[int], Sequence[Signal]] | None:
    """Frames that came together, in one call: their ``seq`` numbers, which rise from ``last``, and their signals. None
    where any of them is not plainly good: they are to be looked at one by one."""
    text = b"\n".join(frames)
    if text.count(b"\n") >= len(frames):
        return None  # a line of ours is no frame of theirs
    try:
        read = _frame.decode_lines(text)
    except _REFUSED:
        return None
    seqs = [frame.seq for frame in read]
    if len(read) != len(frames) or any(b <= a for a, b in pairwise([last, *seqs])):
        return None
    if all(len(frame.signals) == 1 for frame in read):  # then there is no order within a frame to be made
        taken = [_taken([frame.signals[0] for frame in read], arrival, arrival + max_future, sort=False)]
    else:
        taken = [_taken(frame.signals, arrival, arrival + max_future) for frame in read]
    if any(decoded.rejected for decoded in taken):
        return None
    if len(taken) == 1:
        return seqs, taken[0].signals
    return seqs, [signal for decoded in taken for signal in decoded.signals]


def decode_frame(data: bytes, arrival: float, limits: Limits, unknown: str, max_future: float) -> tuple[int, Decoded]:
    """A WebSocket frame: its ``seq`` and its signals, as :func:`decode` would take them."""
    try:
        frame = _frame.decode(data)
        return frame.seq, _taken(frame.signals, arrival, arrival + max_future)
    except _REFUSED:
        pass
    check_utf8(data)
    try:
        raw = _raw_frame.decode(data)
    except msgspec.ValidationError as error:
        raise BadBody(422, f'a frame is {{"seq": 7, "signals": [...]}}: {error}') from None
    except _REFUSED as error:
        raise BadBody(400, f"the frame is not JSON: {plain_json_error(error)}") from None
    try:
        return raw.seq, decode(bytes(raw.signals), "", arrival, limits, unknown, max_future)
    except BadBody as error:
        error.extra["seq"] = raw.seq
        raise


# ------------------------------------------------------------------ the fast way


def _taken(wires: Sequence[SignalIn], arrival: float, latest: float, sort: bool = True) -> Decoded:
    """Checked structs to signals: in columns where they are many and plainly good, else one by one."""
    signals = columns_of(wires, arrival, latest) if len(wires) > FEW else None
    if signals is None:
        return _normalise(wires, range(len(wires)), arrival, latest, Decoded(), sort=sort)
    return _in_columns(signals, sort)


def _in_columns(signals: Signals, sort: bool = True) -> Decoded:
    decoded = Decoded(signals, range(len(signals)))
    at = signals.numbers[0]
    if sort and (at[1:] < at[:-1]).any():
        _sort_by_device(decoded)
    return decoded


def _normalise(
    wires: Iterable[SignalIn],
    indexes: Sequence[int],
    arrival: float,
    latest: float,
    into: Decoded,
    raws: Mapping[int, memoryview] | None = None,
    sort: bool = True,
) -> Decoded:
    """Checked structs to signals: one pass, positional, nothing looked up twice. ``raws``: the texts, by index, of
    signals that have more to them than their struct."""
    signals, rejected = list[Signal](), into.rejected
    before = len(rejected)
    ordered, newest = True, 0.0
    for wire in wires:
        at, identity = wire.at, wire.id
        if raws is None or identity is not None:
            key = key_of(wire)
        else:
            text = raws.get(indexes[len(signals) + len(rejected) - before])
            key = key_of(wire) if text is None else key_of_text(text, brief=at is None)
        if at is None:
            at = arrival
        elif isinstance(at, datetime):
            at = at.timestamp()
        device, event, reported, context, person = wire.device, wire.event, wire.reported, wire.context, wire.person
        lat, lon = wire.lat, wire.lon
        if (
            not EARLIEST <= at <= latest
            or lat is None
            or lon is None
            or reported is not None
            or context is not None
            or not device.isprintable()
            or (event is not None and not event.isprintable())
            or (person is not None and not person.isprintable())
            or (identity is not None and not identity.isprintable())
        ) and (flaw := _flaw(wire, at, latest)):
            rejected.append(Rejection(indexes[len(signals) + len(rejected) - before], *flaw))
            continue
        if at < newest:
            ordered = False
        newest = at
        region = None if reported is None else Reported(reported.kind, reported.fence)
        signals.append(
            Signal(device, at, key, lat, lon, wire.accuracy, wire.speed, wire.heading, wire.altitude, wire.battery,
                   event, region, context, person, identity)
        )  # fmt: skip
    if len(rejected) > before:
        refused = {rejection.index for rejection in rejected}
        indexes = [index for index in indexes if index not in refused]
    into.signals, into.indexes = signals, indexes
    if sort and not ordered:
        _sort_by_device(into)
    return into


def _flaw(wire: SignalIn, at: float, latest: float) -> Flaw | None:
    """What types and bounds cannot say."""
    if isinstance(wire.at, datetime) and not _FIRST_YEAR <= wire.at.year <= _LAST_YEAR:
        return "at", f"at has the year {wire.at.year}"
    if at > latest:
        return (
            "at",
            f"at is {at - latest:.0f} s further in the future than a clock may be ahead: check the device's clock",
        )
    if at < EARLIEST:
        return "at", "at is before 1990"
    if (wire.lat is None) != (wire.lon is None):
        missing = "lat" if wire.lat is None else "lon"
        return missing, f"{missing} is missing: lat and lon come together"
    if wire.lat is None and wire.event is None and wire.reported is None:
        return "", "nothing is reported: send at least one of lat and lon, event, reported"
    fence = wire.reported.fence if wire.reported else None
    texts = (wire.device, wire.event, wire.person, wire.id, fence)
    for name, text in zip(("device", "event", "person", "id", "reported.fence"), texts, strict=True):
        if text is not None and not text.isprintable() and has_control(text):
            return name, f"{name} has a control character"
    if wire.context and len(_pack(wire.context)) > CONTEXT_BYTES:
        return "context", f"context has more than {CONTEXT_BYTES} bytes"
    return None


def has_control(text: str) -> bool:
    """Whether the text has a C0, C1 or line-separator control, or half of a surrogate pair (from a header or path that
    is not UTF-8); other unprintable characters are people's own."""
    return any(c < " " or "\x7f" <= c <= "\x9f" or c in "\u2028\u2029" or "\ud800" <= c <= "\udfff" for c in text)


def _sort_by_device(decoded: Decoded) -> None:
    signals, indexes = decoded.signals, decoded.indexes
    if isinstance(signals, Signals):
        order = order_of(signals.devices, signals.numbers[0].tolist())
    else:
        order = order_of([signal.device for signal in signals], [signal.at for signal in signals])
    if order is None:
        return
    decoded.signals = signals.take(order) if isinstance(signals, Signals) else [signals[source] for source in order]
    decoded.indexes = [indexes[source] for source in order]


# ------------------------------------------------------------------ the slow way


def _too_many(limits: Limits) -> BadBody:
    return BadBody(413, f"more than {limits.queue} signals in one request", f"Send at most {limits.queue} at a time.")


def _split(body: bytes, lines: bool, limits: Limits) -> list[memoryview]:
    """The body's signals as raw JSON texts."""
    check_utf8(body)
    body = body.removeprefix(b"\xef\xbb\xbf")
    if body.count(b"\n" if lines else b",") > _SEPARATORS_PER_SIGNAL * limits.queue:
        raise _too_many(limits)
    if lines:
        parts = [memoryview(line) for line in body.split(b"\n") if line.strip()]
    else:
        try:
            raws = _parts.decode(body) if body.lstrip()[:1] == b"[" else [_raw.decode(body)]
            parts = [memoryview(raw) for raw in raws]
        except RecursionError:
            raise BadBody(400, f"the body is nested deeper than {limits.depth} levels") from None
        except _REFUSED as error:
            problem = plain_json_error(error) if body.strip() else "it is empty"
            raise BadBody(400, f"the body is not JSON: {problem}", "Send one signal or an array of them.") from None
    if len(parts) > limits.queue:
        raise _too_many(limits)
    return parts


def _slow(parts: Sequence[memoryview], arrival: float, limits: Limits, unknown: str, max_future: float) -> Decoded:
    """Signal by signal: every flaw is listed, every good one kept."""
    decoded = Decoded()
    wires: list[SignalIn] = []
    indexes: list[int] = []
    ignored: dict[str, int] = {}
    odd: dict[int, memoryview] = {}
    for index, raw in enumerate(parts):
        try:
            wire: SignalIn = _single.decode(raw)
        except _REFUSED:
            examined, names, flaw = examine(raw, limits.depth, unknown == "reject")
            if examined is None:
                decoded.rejected.append(Rejection(index, *flaw))
                continue
            wire = examined
            for name in names:
                ignored[name] = ignored.get(name, 0) + 1
            if names:
                odd[index] = raw
        wires.append(wire)
        indexes.append(index)
    _normalise(wires, indexes, arrival, arrival + max_future, decoded, odd)
    decoded.rejected.sort(key=lambda rejection: rejection.index)
    decoded.unknown = tuple(ignored)
    decoded.warnings = [f"unknown field {n[:60]!r} was ignored in {count} signal(s)" for n, count in ignored.items()]
    return decoded
