"""``geofences/*.geojson`` to fences (RFC 7946, and Point or LineString with ``radius``).

Good features load and bad ones are told, each with the place at which it begins.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import msgspec
from msgspec import Struct, field

from engine.author import properties
from engine.author.features import Collection, Outline, Piece, Place, Sourced, advance
from engine.author.plain import read_plain
from engine.author.properties import Properties
from engine.author.report import TextError, clip, ordered
from engine.author.shapes import read_shape
from engine.author.swapped import looks_swapped
from engine.author.tangles import Budget
from engine.errors import Finding, Severity
from engine.model.fence import Fence, Shape

MAX_BYTES = 128_000_000
MAX_FEATURES = 1_000_000
_MAX_FINDINGS = 1000  # told about one file
_AT_ONCE = 500  # features checked together: short enough not to hold up other threads
_WHOLE = 'Write {"type": "FeatureCollection", "features": [...]}.'
NOWHERE, START = Place(0, 0), Place(1, 1)
_BYTE = re.compile(r"\(byte (\d+)\)")

Complete = Callable[[Place, dict[str, Any]], None]  # gives a decoded feature what it lacks
Heard = Callable[[int], None]  # is told how many more features are read

_head = msgspec.json.Decoder(Collection)
_any = msgspec.json.Decoder()


class Told(Struct, frozen=True):
    """Something found: of which feature (from 0; -1: of the whole file), its id where it could be read."""

    index: int
    id: str
    finding: Finding


class Upload(Struct, frozen=True):
    """What was read of a file: the good fences in order, and everything that is to say."""

    fences: list[Fence]
    told: list[Told] = field(default_factory=list)
    features: int = 0
    numbers: list[int] = field(default_factory=list)  # of which feature each fence is, from 0


def read_fences(name: str, data: bytes) -> tuple[list[Fence], list[Finding]]:
    """The fences of one file and what was found. Any bytes give an answer, never an exception."""
    upload = read_upload(name, data)
    return upload.fences, ordered(told.finding for told in upload.told)


def quiet(features: int) -> None:
    """Nobody wants to know how far it is."""


def read_upload(
    name: str,
    data: bytes | bytearray,
    most: int = MAX_FEATURES,
    complete: Complete | None = None,
    heard: Heard = quiet,
) -> Upload:
    """The same, with what was found of which feature; of more than ``most`` features none is read."""
    reader = _Reader(name, data[3:] if data.startswith(b"\xef\xbb\xbf") else data, most, complete, heard)
    reader.read()
    return Upload(reader.fences, reader.told, reader.features, reader.numbers)


def read_features(
    name: str, features: Iterable[Sourced], complete: Complete | None = None, heard: Heard = quiet
) -> Upload:
    """Features that came from another format, each with its place there, or what is wrong with it."""
    reader = _Reader(name, b"", MAX_FEATURES, complete, heard)
    reader.sourced(iter(features))
    return Upload(reader.fences, reader.told, reader.features, reader.numbers)


class _Reader:
    def __init__(self, name: str, data: bytes | bytearray, most: int, complete: Complete | None, heard: Heard) -> None:
        self.name, self.data, self.most, self.complete, self.heard = name, data, most, complete, heard
        self.fences: list[Fence] = []
        self.told: list[Told] = []
        self.numbers: list[int] = []
        self.features = 0
        self.strangers: dict[str, list[Any]] = {}  # unknown property -> how many, first place
        self.budget = Budget()
        self.index, self.id = -1, ""

    def tell(self, place: Place, severity: Severity, code: str, problem: str, fix: str = "") -> None:
        if severity == "error" or len(self.told) < _MAX_FINDINGS:
            self.told.append(Told(self.index, self.id, Finding(self.name, *place, severity, code, problem, fix)))

    def read(self) -> None:
        if len(self.data) > MAX_BYTES:
            size = f"{len(self.data) / 1e6:.0f} MB"
            problem = f"The file is larger than {MAX_BYTES // 1_000_000} MB ({size})."
            return self.tell(NOWHERE, "error", "TOO_LARGE", problem, "Split it into several files.")
        try:
            outline = Outline(self.data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return self._unreadable()
        head = outline.head
        if head.type == "Feature":
            self.features = 1
            return self._piece(Piece(0, START, self.data))
        if head.type != "FeatureCollection" or head.features is None:
            problem = "The file is no GeoJSON FeatureCollection or Feature."
            return self.tell(START, "error", "GEOJSON", problem, _WHOLE)
        if not head.features:
            self.tell(START, "info", "EMPTY", "The file has no features.")
        self.features = len(head.features)
        if self.features > self.most:
            problem = f"There are more than {self.most} features ({self.features})."
            return self.tell(START, "error", "TOO_LARGE", problem, "Split them into several files.")
        return self._pieces(iter(outline.pieces()))

    def _pieces(self, pieces: Iterable[Piece]) -> None:
        """Most features are plain and read many at once; the others one by one."""
        while some := list(islice(pieces, _AT_ONCE)):
            plain = read_plain(some)
            self.heard(len(some))
            for piece in some:
                found = plain.get(piece.number)
                if found is not None:
                    self._keep(found.id, found.shape, found.facts, piece.number, piece.place)
                    continue
                if self._enough(piece.place):
                    return None
                self._piece(piece)
        return self.strange()

    def sourced(self, features: Iterator[Sourced]) -> None:
        """Features of another format."""
        while some := list(islice(features, _AT_ONCE)):
            self.heard(len(some))
            for place, feature in some:
                if self._enough(place):
                    return
                self.features += 1
                if isinstance(feature, TextError):
                    self.index, self.id = self.features - 1, ""
                    self.tell(place, "error", "FENCE", feature.problem, feature.fix)
                else:
                    self.feature(feature, self.features - 1, place)
        if not self.features:
            self.tell(START, "info", "EMPTY", "The file has no features.")
        self.strange()

    def _enough(self, place: Place) -> bool:
        """Whether so much is wrong that the rest is not worth reading."""
        if len(self.told) < 10 * _MAX_FINDINGS:
            return False
        self.index, self.id = -1, ""
        self.tell(place, "error", "TOO_LARGE", "There is too much wrong in this file.")
        return True

    def _unreadable(self) -> None:
        """Not JSON, or not GeoJSON: what the decoder says of the whole."""
        error: Exception | None = None
        try:
            _head.decode(self.data)
            return self.tell(START, "error", "JSON", "This is not JSON.", "Open it in an editor that checks JSON.")
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as caught:
            error = caught
        if isinstance(error, RecursionError):
            return self.tell(NOWHERE, "error", "TOO_DEEP", "The file is nested too deeply.", "Nest less.")
        if isinstance(error, UnicodeDecodeError):
            place = advance(self.data, 0, error.start, START)
            return self.tell(place, "error", "ENCODING", "This is not UTF-8 text.", "Save it as UTF-8.")
        if isinstance(error, msgspec.ValidationError):
            return self.tell(START, "error", "GEOJSON", f"The file is no GeoJSON: {error}.", _WHOLE)
        problem, fix, at = _no_json(error, self.data)
        return self.tell(advance(self.data, 0, at, START), "error", "JSON", problem, fix)

    # ------------------------------------------------------------------ one by one

    def _piece(self, piece: Piece) -> None:
        self.index, self.id = piece.number, ""
        try:
            self.feature(_any.decode(piece.text), piece.number, piece.place)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            problem, fix, at = _no_json(error, piece.text)
            place = advance(piece.text, 0, at, piece.place)
            self.tell(place, "error", "JSON", f"feature {piece.number + 1} cannot be read: {problem}", fix)
        self.index = -1

    def feature(self, feature: Any, number: int, place: Place) -> None:
        """One decoded feature."""
        self.index, self.id, label = number, "", f"feature {number + 1}"
        if not isinstance(feature, dict) or feature.get("type") != "Feature":
            return self.tell(place, "error", "GEOJSON", f"{label} is no Feature.", 'Its "type" must be "Feature".')
        if self.complete is not None:
            self.complete(place, feature)
        facts = feature.get("properties")
        facts = facts if isinstance(facts, dict) else {}
        if isinstance(facts.get("name"), str):
            label += f" ('{clip(facts['name'])}')"
        try:
            fence_id = properties.read_id(feature.get("id"), facts.get("id"))
            if fence_id is None:
                fix = f'Add "id": "{properties.slug(facts.get("name"))}" beside its "type".'
                return self.tell(place, "error", "NO_ID", f"{label}: There is no id.", fix)
            self.id, label = fence_id, f"'{clip(fence_id)}'"
            self._fence(feature, facts, fence_id, place)
        except TextError as error:
            self.tell(place, "error", "FENCE", f"{label}: {error.problem}", error.fix)
        return None

    def _fence(self, feature: dict[str, Any], facts: dict[str, Any], fence_id: str, place: Place) -> None:
        read = properties.read(facts)
        tell = _warner(self, fence_id, place)
        shape = read_shape(feature.get("geometry"), read.radius, tell, self.budget)
        if looks_swapped(shape):
            fix = "Swap them; GeoJSON writes longitude first: [lon, lat]. If this is right, ignore this."
            tell("LOOKS_SWAPPED", "The coordinates look like lat, lon: they lie in the sea, swapped on land.", fix)
        self._keep(fence_id, shape, read, self.index, place)

    def _keep(self, fence_id: str, shape: Shape, read: Properties, number: int, place: Place) -> None:
        self.numbers.append(number)
        for stranger in read.strangers:
            self.strangers.setdefault(stranger, [0, place])[0] += 1
        self.fences.append(
            Fence(
                id=fence_id,
                shape=shape,
                name=read.name,
                tags=read.tags,
                catchment=read.catchment,
                dwell=read.dwell,
                cross=read.cross,
                schedule=read.schedule,
                metadata=read.metadata,
                source=f"{self.name}:{place[0]}",
                open=read.open,
                but=read.but,
                valid=read.valid,
                on_open=read.on_open,
            )
        )

    def strange(self) -> None:
        """One line for each unknown property, however many features have it."""
        self.index, self.id = -1, ""
        for stranger, (count, place) in sorted(self.strangers.items()):
            problem = f"'{clip(stranger)}' is no property of a fence ({count} feature{'s' if count > 1 else ''})."
            fix = f"It is kept as metadata: rules read it as fence.{clip(stranger)}."
            self.tell(place, "info", "KEPT_AS_METADATA", problem, fix)


def _no_json(error: Exception, text: bytes | bytearray) -> tuple[str, str, int]:
    """What is wrong with a text that does not decode, how to mend it, and at which byte it is."""
    if not text.strip():
        return "The file is empty.", _WHOLE, 0
    found = _BYTE.search(str(error))
    at = int(found[1]) if found else len(text) if "ended prematurely" in str(error) else 0
    numberless = re.match(rb"[-+]?(NaN|Infinity|inf|nan)", text[at : at + 10]) if found else None
    fix = "JSON has no NaN or Infinity: write a number." if numberless else "Open it in an editor that checks JSON."
    if not found and at:
        return "The file ends too early.", fix, at
    if "trailing" in str(error) and text[at - 1 : at] == b"{":
        return "Another JSON text begins here.", f"There must be one for all. {_WHOLE}", at - 1
    if text.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "This is not UTF-8 text.", "Save it as UTF-8.", 0
    return f"This is not JSON: {clip(str(error).partition(' (byte')[0])}.", fix, at


def _warner(reader: _Reader, fence_id: str, place: Place) -> Callable[[str, str, str], None]:
    def tell(code: str, problem: str, fix: str) -> None:
        reader.tell(place, "warning", code, f"'{clip(fence_id)}': {problem}", fix)

    return tell
