"""Geofences from other formats: KML, CSV and shapefiles become features, each with its place in its file."""

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from engine.author.features import Outline, Place
from engine.author.geojson import Upload, read_features, read_upload
from engine.author.kml import read_kml
from engine.author.properties import slug
from engine.author.shapefile import read_shapefile
from engine.errors import HerenowError

MAX_BYTES = 128_000_000
Feature = tuple[Place, dict[str, Any]]
_COLUMNS = {
    "lat": ("lat", "latitude", "y"),
    "lon": ("lon", "lng", "long", "longitude", "x"),
    "radius": ("radius", "radius_m", "radius (m)", "metres", "meters"),
    "id": ("id", "key", "code"),
    "name": ("name", "title", "label"),
    "tags": ("tags", "tag", "category"),
}


def read_file(path: Path, tags: Sequence[str] = (), radius: float | None = None) -> Upload:
    """The fences of a file, by its ending, each with these tags too, and points without a radius with this one.
    ``HerenowError`` where the file as a whole cannot be read."""
    upload = _read(path, radius)
    if not tags:
        return upload
    return replace(upload, fences=[replace(f, tags=tuple(dict.fromkeys((*f.tags, *tags)))) for f in upload.fences])


def _read(path: Path, radius: float | None) -> Upload:
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise HerenowError(f"{path.name} is of no known kind", str(path), f"Known are {', '.join(_READERS)}.")
    if path.suffix.lower() == ".shp":
        return read_features(path.name, _completed(read_shapefile(path), radius))
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise HerenowError(f"the file cannot be read: {error.strerror or error}", str(path)) from error
    if len(data) > MAX_BYTES:
        raise HerenowError(f"the file is larger than {MAX_BYTES // 1_000_000} MB", str(path), "Split it.")
    features = reader(data)
    return read_upload(path.name, data) if features is None else read_features(path.name, _completed(features, radius))


def _geojson(data: bytes) -> Iterator[Feature] | None:
    """None where the file is not in order: then the reader of such files tells what is wrong."""
    try:
        pieces = [(piece.place, msgspec.json.decode(piece.text)) for piece in Outline(data).pieces()]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    sound = all(isinstance(one, dict) and isinstance(one.get("properties", {}), dict) for _, one in pieces)
    return iter(pieces) if pieces and sound else None


_READERS: Mapping[str, Callable[[bytes], Iterator[Feature] | None]] = {
    ".geojson": _geojson,
    ".json": _geojson,
    ".kml": read_kml,
    ".csv": lambda data: read_csv(data),
    ".shp": _geojson,  # several files: read from its path
}


def _completed(features: Iterator[Feature], radius: float | None) -> Iterator[Feature]:
    """An id from the name where there is none (the same name again is numbered), and a radius for bare points."""
    given: dict[str, int] = {}
    for place, feature in features:
        facts = feature.setdefault("properties", {})
        geometry = feature.get("geometry")
        if radius is not None and isinstance(geometry, dict) and geometry.get("type") in ("Point", "LineString"):
            facts.setdefault("radius", radius)
        if feature.get("id") in (None, "") and facts.get("id") in (None, ""):
            own = slug(facts["name"]) if facts.get("name") else ""
            base = own or f"fence-{place.line}"
            given[base] = given.get(base, 0) + 1
            feature["id"] = base if given[base] == 1 else f"{base}-{given[base]}"
        yield place, feature


# ------------------------------------------------------------------ CSV


def read_csv(data: bytes) -> Iterator[Feature]:
    """Circles: columns lat, lon and radius, and id, name, tags or others (metadata), in any order."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise HerenowError("the CSV file is not UTF-8 text", fix="Save it as UTF-8.") from error
    try:
        kind = csv.Sniffer().sniff(text[:4096].splitlines()[0] if text.strip() else "", ",;\t")
    except csv.Error:
        kind = csv.excel
    rows = csv.reader(io.StringIO(text, newline=""), kind)
    try:
        head = [name.strip() for name in next(rows, [])]
        columns = _columns(head)
        for row in rows:
            if any(cell.strip() for cell in row):
                yield Place(rows.line_num, 1), _circle(head, columns, row)
    except csv.Error as error:
        raise HerenowError(f"line {rows.line_num} is no CSV: {error}") from error


def _columns(head: list[str]) -> dict[str, int]:
    lower = [name.lower() for name in head]
    found = {
        what: next(lower.index(name) for name in names if name in lower)
        for what, names in _COLUMNS.items()
        if any(name in lower for name in names)
    }
    missing = [what for what in ("lat", "lon") if what not in found]
    if missing:
        fix = "Name the columns in the first line: id,name,lat,lon,radius"
        raise HerenowError(f"the CSV file has no column {' and no column '.join(missing)}", fix=fix)
    return found


def _circle(head: list[str], columns: Mapping[str, int], row: list[str]) -> dict[str, Any]:
    def cell(what: str) -> str | None:
        at = columns.get(what)
        return row[at].strip() if at is not None and at < len(row) else None

    known = set(columns.values())
    facts: dict[str, Any] = {what: value for what in ("name", "tags", "radius") if (value := cell(what))}
    others = {name: row[at].strip() for at, name in enumerate(head) if at not in known and at < len(row) and name}
    facts["metadata"] = {name: value for name, value in others.items() if value}
    position = [_number(cell("lon")), _number(cell("lat"))]
    geometry = {"type": "Point", "coordinates": position}
    return {"type": "Feature", "id": cell("id") or None, "geometry": geometry, "properties": facts}


def _number(text: str | None) -> Any:
    """A number where it is one; else the text, for the message that says so."""
    try:
        return float((text or "").replace(",", "."))
    except ValueError:
        return text
