"""Geofences from other formats: KML, CSV and shapefiles become features, each with its place in its file."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from engine.author.features import Place, Sourced
from engine.author.geojson import MAX_BYTES, Heard, Upload, quiet, read_features, read_upload
from engine.author.kml import read_kml
from engine.author.properties import slug
from engine.author.shapefile import read_shapefile
from engine.author.table import read_csv
from engine.errors import HerenowError

_GEOJSON, _SHAPEFILE = (".geojson", ".json"), ".shp"
_READERS: Mapping[str, Callable[[bytes], Iterator[Sourced]]] = {".kml": read_kml, ".csv": read_csv}
_WORDS = ("tag", "or")  # of the language of rules: no ids


def read_file(path: Path, tags: Sequence[str] = (), radius: float | None = None, heard: Heard = quiet) -> Upload:
    """The fences of a file, by its ending, each with these tags too, and points without a radius with this one.
    ``heard`` is told how many more features are read. ``HerenowError`` where the file as a whole cannot be read."""
    upload = _read(path, _Completing(radius), heard)
    if not tags:
        return upload
    return replace(upload, fences=[replace(f, tags=tuple(dict.fromkeys((*f.tags, *tags)))) for f in upload.fences])


def _read(path: Path, complete: "_Completing", heard: Heard) -> Upload:
    kind = path.suffix.lower()
    if kind == _SHAPEFILE:
        return read_features(path.name, read_shapefile(path), complete, heard)
    if kind not in _GEOJSON and kind not in _READERS:
        known = ", ".join((*_GEOJSON, *_READERS, _SHAPEFILE))
        fix = "Unzip it: the .kml is inside." if kind == ".kmz" else f"Known are {known}."
        raise HerenowError(f"{path.name} is of no known kind", str(path), fix)
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            data = file.read(min(size, MAX_BYTES) + 1)
    except OSError as error:
        raise HerenowError(f"the file cannot be read: {error.strerror or error}", str(path)) from error
    if len(data) > MAX_BYTES:
        raise HerenowError(f"the file is larger than {MAX_BYTES // 1_000_000} MB", str(path), "Split it.")
    if kind in _GEOJSON:
        return read_upload(path.name, data, complete=complete, heard=heard)
    return read_features(path.name, _READERS[kind](data), complete, heard)


class _Completing:
    """Gives features what they lack: an id from the name (the same name again is numbered), and a radius to points."""

    def __init__(self, radius: float | None) -> None:
        self._radius = radius
        self._given: dict[str, int] = {}

    def __call__(self, place: Place, feature: dict[str, Any]) -> None:
        facts, geometry = feature.get("properties"), feature.get("geometry")
        if not isinstance(facts, dict):
            facts = feature["properties"] = {}
        if self._radius is not None and isinstance(geometry, dict) and geometry.get("type") in ("Point", "LineString"):
            facts.setdefault("radius", self._radius)
        if feature.get("id") in (None, "") and facts.get("id") in (None, ""):
            feature["id"] = self._id(facts.get("name"), place)

    def _id(self, name: Any, place: Place) -> str:
        text = str(name) if isinstance(name, (str, int, float)) else ""
        base = slug(text) if re.search(r"\w", text) else f"fence-{place.line}"
        base = f"fence-{base}" if base in _WORDS else base
        self._given[base] = self._given.get(base, 0) + 1
        return base if self._given[base] == 1 else f"{base}-{self._given[base]}"
