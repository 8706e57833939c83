"""``geofences/*.geojson`` to fences (RFC 7946, and Point or LineString with ``radius``).

Good features load and bad ones are told, each with the place at which it begins.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from engine.author import properties
from engine.author.report import NotYet, TextError, clip, ordered
from engine.author.shapes import read_shape
from engine.author.swapped import looks_swapped
from engine.author.tangles import Budget
from engine.errors import Finding, Severity
from engine.model.fence import Fence

MAX_BYTES = 64_000_000
MAX_FEATURES = 1_000_000
_MAX_FINDINGS = 1000  # told about one file
Place = tuple[int, int]  # line and column, from 1
NOWHERE, START = (0, 0), (1, 1)
_BYTE = re.compile(r"\(byte (\d+)\)")


class _Collection(msgspec.Struct):
    """The head of a file; its features stay raw, so that a bad one does not spoil the others."""

    type: Any = None
    features: list[msgspec.Raw] | None = None


_head = msgspec.json.Decoder(_Collection)
_any = msgspec.json.Decoder()


def read_fences(name: str, data: bytes) -> tuple[list[Fence], list[Finding]]:
    """The fences of one file and what was found. Any bytes give an answer, never an exception."""
    reader = _Reader(name, data.removeprefix(b"\xef\xbb\xbf"))
    reader.read()
    return reader.fences, ordered(reader.findings)


class _Reader:
    def __init__(self, name: str, data: bytes) -> None:
        self.name, self.data = name, data
        self.fences: list[Fence] = []
        self.findings: list[Finding] = []
        self.strangers: dict[str, list[Any]] = {}  # unknown property -> how many, first place
        self.budget = Budget()

    def tell(self, place: Place, severity: Severity, code: str, problem: str, fix: str = "") -> None:
        if severity == "error" or len(self.findings) < _MAX_FINDINGS:
            self.findings.append(Finding(self.name, *place, severity, code, problem, fix))

    def read(self) -> None:
        if len(self.data) > MAX_BYTES:
            size = f"{len(self.data) / 1e6:.0f} MB"
            problem = f"The file is larger than {MAX_BYTES // 1_000_000} MB ({size})."
            return self.tell(NOWHERE, "error", "TOO_LARGE", problem, "Split it into several files.")
        try:
            head = _head.decode(self.data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            return self._unreadable(error)
        if head.type == "Feature":
            return self._feature(self.data, 0, START)
        if head.type != "FeatureCollection" or head.features is None:
            fix = 'Write {"type": "FeatureCollection", "features": [...]}.'
            return self.tell(START, "error", "GEOJSON", "The file is no GeoJSON FeatureCollection or Feature.", fix)
        if not head.features:
            self.tell(START, "info", "EMPTY", "The file has no features.")
        for number, (place, raw) in enumerate(self._placed(head.features)):
            if number >= MAX_FEATURES or len(self.findings) >= 10 * _MAX_FINDINGS:
                return self.tell(place, "error", "TOO_LARGE", "There is too much wrong or too much in this file.")
            self._feature(raw, number, place)
        return self._strangers()

    def _placed(self, raws: list[msgspec.Raw]) -> Iterator[tuple[Place, bytes]]:
        """Each feature's bytes with line and column: found from where the one before it ended."""
        at, line, column = 0, 1, 1
        for raw in raws:
            text = bytes(raw)
            found = max(self.data.find(text, at), at)
            line, column = _advance(self.data[at:found], line, column)
            yield (line, column), text
            line, column = _advance(text, line, column)
            at = found + len(text)

    def _unreadable(self, error: Exception) -> None:
        if isinstance(error, RecursionError):
            return self.tell(NOWHERE, "error", "TOO_DEEP", "The file is nested too deeply.", "Nest less.")
        if isinstance(error, UnicodeDecodeError):
            place = self._place(error.start)
            return self.tell(place, "error", "ENCODING", "This is not UTF-8 text.", "Save it as UTF-8.")
        if isinstance(error, msgspec.ValidationError):
            fix = 'Write {"type": "FeatureCollection", "features": [...]}.'
            return self.tell(START, "error", "GEOJSON", f"The file is no GeoJSON: {error}.", fix)
        found = _BYTE.search(str(error))
        place = self._place(int(found[1])) if found else self._place(len(self.data))
        at = int(found[1]) if found else 0
        numberless = re.match(rb"[-+]?(NaN|Infinity|inf|nan)", self.data[at : at + 10]) if found else None
        fix = "JSON has no NaN or Infinity: write a number." if numberless else "Open it in an editor that checks JSON."
        problem = "The file ends too early." if not found else f"This is not JSON: {str(error).partition(' (byte')[0]}."
        return self.tell(place, "error", "JSON", problem, fix)

    def _place(self, at: int) -> tuple[int, int]:
        start = self.data.rfind(b"\n", 0, at) + 1
        return self.data.count(b"\n", 0, at) + 1, len(self.data[start:at].decode("utf-8", "replace")) + 1

    def _feature(self, raw: bytes, number: int, place: Place) -> None:
        label = f"feature {number + 1}"
        try:
            feature = _any.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            problem = f"{label} cannot be read: {clip(str(error))}."
            return self.tell(place, "error", "JSON", problem, "Correct it.")
        if not isinstance(feature, dict) or feature.get("type") != "Feature":
            return self.tell(place, "error", "GEOJSON", f"{label} is no Feature.", 'Its "type" must be "Feature".')
        facts = feature.get("properties")
        facts = facts if isinstance(facts, dict) else {}
        if isinstance(facts.get("name"), str):
            label += f" ('{clip(facts['name'])}')"
        try:
            fence_id = properties.read_id(feature.get("id"), facts.get("id"))
            if fence_id is None:
                fix = f'Add "id": "{properties.slug(facts.get("name"))}" beside its "type".'
                return self.tell(place, "error", "NO_ID", f"{label}: There is no id.", fix)
            label = f"'{clip(fence_id)}'"
            self._fence(feature, facts, fence_id, place)
        except TextError as error:
            self.tell(
                place,
                "error",
                "NOT_YET" if isinstance(error, NotYet) else "FENCE",
                f"{label}: {error.problem}",
                error.fix,
            )
        return None

    def _fence(self, feature: dict[str, Any], facts: dict[str, Any], fence_id: str, place: Place) -> None:
        read = properties.read(facts)
        tell = _warner(self, fence_id, place)
        shape = read_shape(feature.get("geometry"), read.radius, tell, self.budget)
        if looks_swapped(shape):
            fix = "GeoJSON writes longitude first: [lon, lat]. If this is right, ignore this."
            tell("LOOKS_SWAPPED", "The coordinates look like lat, lon: they lie in the sea, swapped on land.", fix)
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
                metadata=read.metadata,
                source=f"{self.name}:{place[0]}",
            )
        )

    def _strangers(self) -> None:
        """One line for each unknown property, however many features have it."""
        for stranger, (count, place) in sorted(self.strangers.items()):
            problem = f"'{clip(stranger)}' is no property of a fence ({count} feature{'s' if count > 1 else ''})."
            fix = f"It is kept as metadata: rules read it as fence.{clip(stranger)}."
            self.tell(place, "info", "KEPT_AS_METADATA", problem, fix)


def _advance(text: bytes, line: int, column: int) -> tuple[int, int]:
    """Where a text ends that begins at line and column."""
    lines = text.count(b"\n")
    last = text[text.rfind(b"\n") + 1 :] if lines else text
    return line + lines, len(last.decode("utf-8", "replace")) + (1 if lines else column)


def _warner(reader: _Reader, fence_id: str, place: Place) -> Callable[[str, str, str], None]:
    def tell(code: str, problem: str, fix: str) -> None:
        reader.tell(place, "warning", code, f"'{clip(fence_id)}': {problem}", fix)

    return tell
