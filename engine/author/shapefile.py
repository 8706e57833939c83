"""Shapefiles, with the extra ``herenow[shapefile]`` (pyshp, and pyproj for those that are not in degrees)."""

import warnings
from codecs import lookup
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from engine.author.features import Place, Sourced
from engine.author.report import TextError
from engine.errors import HerenowError

_EXTRA = "Install it: pip install 'herenow[shapefile]'"
_OWN = ("name", "tags", "radius", "catchment", "dwell")


def read_shapefile(path: Path) -> Iterator[Sourced]:
    """The records of a shapefile; a place's line is the number of its record. ``HerenowError`` without the extra, and
    without the .prj that says what the numbers mean."""
    try:
        shapefile, projections = import_module("shapefile"), import_module("pyproj")
    except ImportError as error:
        raise HerenowError("shapefiles need an extra that is not installed", str(path), _EXTRA) from error
    described = next((p for p in (path.with_suffix(".prj"), path.with_suffix(".PRJ")) if p.is_file()), None)
    if described is None:
        fix = "Put the .prj beside it: without it nobody knows what its coordinates mean."
        raise HerenowError("the shapefile has no .prj", str(path), fix)
    try:
        system = projections.CRS.from_wkt(described.read_text("utf-8", "replace"))
        turn = projections.Transformer.from_crs(system, "EPSG:4326", always_xy=True).transform
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "cp1252" is not the "1252" of the .cpg: we know
            with shapefile.Reader(str(path), encoding=_encoding(path), encodingErrors="replace") as reader:
                for number, record in enumerate(reader.iterShapeRecords(), 1):
                    yield Place(number, 1), _read(record, turn)
    except Exception as error:  # the library raises whatever a damaged file makes it stumble over
        raise HerenowError(f"the shapefile cannot be read: {error}", str(path)) from error


def _encoding(path: Path) -> str:
    """The encoding of its texts, as the .cpg beside it says; UTF-8 where it says nothing that is known."""
    told = next((p for p in (path.with_suffix(".cpg"), path.with_suffix(".CPG")) if p.is_file()), None)
    name = "" if told is None else told.read_text("ascii", "replace").strip()
    for encoding in (name, f"cp{name.rpartition(' ')[2]}"):  # "UTF-8", "ISO-8859-1"; "1252", "ANSI 1252"
        try:
            return lookup(encoding).name
        except LookupError:
            continue
    return "utf-8"


def _read(record: Any, turn: Callable[..., Any]) -> dict[str, Any] | TextError:
    try:
        return _feature(record, turn)
    except Exception as error:  # as above, of this one alone
        return TextError(f"The record cannot be read: {error}.", "Draw it again.")


def _feature(record: Any, turn: Callable[..., Any]) -> dict[str, Any]:
    lower = {key.lower(): value for key, value in record.record.as_dict().items() if value not in (None, "")}
    facts = {key: lower.pop(key) for key in _OWN if key in lower}
    id = lower.pop("id", None)
    plain = (int, float, bool, str)
    facts["metadata"] = {key: value if isinstance(value, plain) else str(value) for key, value in lower.items()}
    if record.shape.shapeType == 0:
        return {"type": "Feature", "id": id, "geometry": None, "properties": facts}
    geometry = dict(record.shape.__geo_interface__)
    geometry["coordinates"] = _turned(geometry.get("coordinates", ()), turn)
    return {"type": "Feature", "id": id, "geometry": geometry, "properties": facts}


def _turned(part: Any, turn: Callable[..., Any]) -> Any:
    """Coordinates in degrees; altitudes are left out."""
    if part and isinstance(part[0], (int, float)):
        lon, lat = turn(part[0], part[1])
        return [lon, lat]
    return [_turned(inner, turn) for inner in part]
