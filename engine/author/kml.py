"""KML placemarks as GeoJSON features: points (a radius comes from their data), lines, polygons, and several in one."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

from engine.author.features import Place
from engine.errors import HerenowError

_MAX_DEPTH = 64
Feature = tuple[Place, dict[str, Any]]


@dataclass(slots=True)
class Element:
    """An XML element without its namespace."""

    name: str
    attributes: dict[str, str]
    place: Place
    children: "list[Element]" = field(default_factory=list)
    text: str = ""

    def __iter__(self) -> "Iterator[Element]":
        return iter(self.children)

    def everything(self) -> "Iterator[Element]":
        """This element and all below it, as they stand in the file."""
        yield self
        for child in self.children:
            yield from child.everything()


class _Builder:
    """Builds the tree. Takes no document type: its entities could fill all memory, or name other files."""

    def __init__(self) -> None:
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._data
        self.open = [Element("", {}, Place(0, 0))]

    def _doctype(self, name: str, system: str | None, public: str | None, internal: bool) -> None:
        raise HerenowError("the KML file has a document type (DTD)", fix="Export it again without one.")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self.open) > _MAX_DEPTH:
            raise HerenowError(f"the KML file is nested deeper than {_MAX_DEPTH}")
        place = Place(self.parser.CurrentLineNumber, self.parser.CurrentColumnNumber + 1)
        element = Element(name.rpartition(" ")[2], attributes, place)
        self.open[-1].children.append(element)
        self.open.append(element)

    def _end(self, name: str) -> None:
        self.open.pop()

    def _data(self, text: str) -> None:
        self.open[-1].text += text


def read_kml(data: bytes) -> Iterator[Feature]:
    """Every placemark with its place in the file. ``HerenowError`` when the file is no KML."""
    builder = _Builder()
    try:
        builder.parser.Parse(data, True)
    except expat.ExpatError as error:
        problem = f"line {error.lineno}, column {error.offset + 1}: this is no XML: {expat.ErrorString(error.code)}"
        raise HerenowError(problem) from error
    except (ValueError, LookupError) as error:  # an encoding that nobody knows
        raise HerenowError(f"the file cannot be read: {error}") from error
    root = builder.open[0].children[0]
    if root.name != "kml":
        raise HerenowError(f"the file is no KML: it begins with <{root.name[:40]}>")
    return ((element.place, _feature(element)) for element in root.everything() if element.name == "Placemark")


def _child(element: Element, name: str) -> Element | None:
    return next((child for child in element if child.name == name), None)


def _text(element: Element, name: str) -> str:
    child = _child(element, name)
    return child.text.strip() if child is not None else ""


def _feature(placemark: Element) -> dict[str, Any]:
    facts = _data(placemark)
    if name := _text(placemark, "name"):
        facts["name"] = name
    if about := _text(placemark, "description"):
        facts.setdefault("metadata", {})["description"] = about
    return {
        "type": "Feature",
        "id": placemark.attributes.get("id") or facts.pop("id", None),
        "geometry": _geometry(placemark),
        "properties": facts,
    }


def _data(placemark: Element) -> dict[str, Any]:
    """ExtendedData: what a fence knows (radius, tags, catchment, dwell, id) as such, the rest as metadata."""
    facts: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    for element in placemark.everything():
        if element.name in ("Data", "SimpleData"):
            key = element.attributes.get("name") or ""
            value = _text(element, "value") if element.name == "Data" else element.text.strip()
            if key in ("radius", "tags", "catchment", "dwell", "id"):
                facts[key] = value
            elif key:
                metadata[key] = value
    if metadata:
        facts["metadata"] = metadata
    return facts


def _geometry(placemark: Element) -> dict[str, Any] | None:
    found = [shape for element in placemark for shape in _shapes(element)]
    if not found:
        return None
    if len(found) == 1:
        return found[0]
    kinds = {shape["type"] for shape in found}
    if kinds == {"Polygon"}:
        return {"type": "MultiPolygon", "coordinates": [shape["coordinates"] for shape in found]}
    return {"type": "GeometryCollection", "coordinates": []}


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
    return [[_number(part) for part in point.split(",")[:2]] for point in _text(element, "coordinates").split()]


def _number(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text
