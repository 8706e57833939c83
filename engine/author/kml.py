"""KML placemarks as GeoJSON features: points (a radius comes from their data), lines, polygons, and several in one."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

from engine.author.features import Place, Sourced
from engine.author.report import TextError, clip
from engine.errors import HerenowError

_MAX_DEPTH = 64
_MOST = 20_000  # elements of one placemark
_CHUNK = 1 << 16  # bytes parsed at a time: what is read of them is done with before the next
_COMMA = re.compile(r"\s*,\s*")


@dataclass(slots=True)
class Element:
    """An XML element without its namespace."""

    name: str
    attributes: dict[str, str]
    place: Place
    children: "list[Element]" = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def __iter__(self) -> "Iterator[Element]":
        return iter(self.children)

    @property
    def text(self) -> str:
        """What stands directly in it."""
        return "".join(self.texts).strip()

    def everything(self) -> "Iterator[Element]":
        """This element and all below it, as they stand in the file."""
        yield self
        for child in self.children:
            yield from child.everything()


class _Builder:
    """Builds a tree of each placemark, one after the other. Takes no document type: its entities could fill all
    memory, or name other files."""

    def __init__(self) -> None:
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._data
        self.done: list[Sourced] = []
        self._depth = self._size = 0
        self._open: list[Element] = []  # the placemark being read, down to the element that is open

    def feed(self, data: bytes, final: bool) -> list[Sourced]:
        """Parse some more; the placemarks that are complete by then."""
        self.parser.Parse(data, final)
        done, self.done = self.done, []
        return done

    def _doctype(self, name: str, system: str | None, public: str | None, internal: bool) -> None:
        raise HerenowError("the KML file has a document type (DTD)", fix="Export it again without one.")

    def _start(self, full: str, attributes: dict[str, str]) -> None:
        name = full.rpartition(" ")[2]
        if self._depth == 0 and name != "kml":
            raise HerenowError(f"the file is no KML: it begins with <{name[:40]}>")
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise HerenowError(f"the KML file is nested deeper than {_MAX_DEPTH}")
        if not self._open and name != "Placemark":
            return
        self._size = self._size + 1 if self._open else 1
        place = Place(self.parser.CurrentLineNumber, self.parser.CurrentColumnNumber + 1)
        element = Element(name, attributes, place)
        if self._open and self._size <= _MOST:
            self._open[-1].children.append(element)
        self._open.append(element)

    def _end(self, name: str) -> None:
        self._depth -= 1
        if self._open:
            element = self._open.pop()
            if not self._open:
                large = TextError(f"The placemark has more than {_MOST} elements.", "Draw several of it.")
                self.done.append((element.place, _feature(element) if self._size <= _MOST else large))

    def _data(self, text: str) -> None:
        if self._open and self._size <= _MOST:
            self._open[-1].texts.append(text)


def read_kml(data: bytes) -> Iterator[Sourced]:
    """Every placemark with its place in the file; where the XML breaks off, what is wrong with it. ``HerenowError``
    when the file is no KML."""
    builder = _Builder()
    try:
        for start in range(0, len(data) + 1, _CHUNK):
            yield from builder.feed(data[start : start + _CHUNK], start + _CHUNK > len(data))
    except expat.ExpatError as error:
        yield from builder.done
        problem = f"From here on it is no XML: {expat.ErrorString(error.code)}."
        yield Place(error.lineno, error.offset + 1), TextError(problem, "Export it again.")
    except (ValueError, LookupError) as error:  # an encoding that nobody knows
        raise HerenowError(f"the file cannot be read: {error}") from error


def _child(element: Element, name: str) -> Element | None:
    return next((child for child in element if child.name == name), None)


def _text(element: Element, name: str) -> str:
    child = _child(element, name)
    return child.text if child is not None else ""


def _feature(placemark: Element) -> dict[str, Any] | TextError:
    facts = _data(placemark)
    if name := _text(placemark, "name"):
        facts["name"] = name
    shapes = [shape for element in placemark for shape in _shapes(element)]
    if len(shapes) > 1 and any(shape["type"] != "Polygon" for shape in shapes):
        kinds = ", ".join(sorted({shape["type"] for shape in shapes}))
        who = f"'{clip(name)}'" if name else "The placemark"
        problem = f"{who} holds {len(shapes)} shapes ({kinds})."
        return TextError(problem, "Only polygons can be one fence together: make a placemark of each.")
    if about := _text(placemark, "description"):
        facts.setdefault("metadata", {})["description"] = about
    return {
        "type": "Feature",
        "id": placemark.attributes.get("id") or facts.pop("id", None),
        "geometry": _together(shapes),
        "properties": facts,
    }


def _data(placemark: Element) -> dict[str, Any]:
    """ExtendedData: what a fence knows (radius, tags, catchment, dwell, id) as such, the rest as metadata."""
    facts: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    for element in placemark.everything():
        if element.name in ("Data", "SimpleData"):
            key = element.attributes.get("name") or ""
            value = _text(element, "value") if element.name == "Data" else element.text
            if key in ("radius", "tags", "catchment", "dwell", "id"):
                facts[key] = value
            elif key:
                metadata[key] = value
    if metadata:
        facts["metadata"] = metadata
    return facts


def _together(shapes: list[dict[str, Any]]) -> dict[str, Any] | None:
    """One shape, or several polygons as one."""
    if len(shapes) > 1:
        return {"type": "MultiPolygon", "coordinates": [shape["coordinates"] for shape in shapes]}
    return shapes[0] if shapes else None


def _shapes(element: Element) -> Iterator[dict[str, Any]]:
    name = element.name
    if name == "MultiGeometry":
        for child in element:
            yield from _shapes(child)
    elif name == "Point":
        positions = _positions(element)
        yield {"type": "Point", "coordinates": positions[0] if positions else []}
    elif name in ("LineString", "LinearRing"):
        yield {"type": "LineString", "coordinates": _positions(element)}
    elif name == "Polygon":
        rings = [ring for side in ("outerBoundaryIs", "innerBoundaryIs") for ring in _rings(element, side)]
        yield {"type": "Polygon", "coordinates": rings}


def _rings(polygon: Element, side: str) -> Iterator[list[list[Any]]]:
    for boundary in polygon:
        if boundary.name == side:
            yield from (_positions(ring) for ring in boundary if ring.name == "LinearRing")


def _positions(element: Element) -> list[list[Any]]:
    """``lon,lat[,alt]`` separated by blanks."""
    points = _COMMA.sub(",", _text(element, "coordinates")).split()
    return [[_number(part) for part in point.split(",")[:2]] for point in points]


def _number(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text
