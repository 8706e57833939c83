"""Geofences from other formats: KML (KMZ), CSV and shapefiles become features, each with its place in its file."""

import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from engine.author.features import Place, Sourced
from engine.author.geojson import MAX_BYTES, Heard, Told, Upload, quiet, read_features, read_upload
from engine.author.kml import read_kml
from engine.author.properties import slug
from engine.author.shapefile import read_shapefile
from engine.author.table import read_csv
from engine.errors import Finding, HerenowError

_GEOJSON, _SHAPEFILE = (".geojson", ".json"), ".shp"
_READERS: Mapping[str, Callable[[bytes], Iterator[Sourced]]] = {".kml": read_kml, ".csv": read_csv}
_KMZ, _ZIP = ".kmz", b"PK\x03\x04"
_WORDS = ("tag", "or")  # of the language of rules: no ids


def read_file(path: Path, tags: Sequence[str] = (), radius: float | None = None, heard: Heard = quiet) -> Upload:
    """The fences of a file, by its ending, each with these tags too, and points without a radius with this one.
    ``heard`` is told how many more features are read. ``HerenowError`` where the file as a whole cannot be read."""
    complete = _Completing(radius)
    upload = _read(path, complete, heard)
    upload.told.extend(complete.hints(path.name))
    if not tags:
        return upload
    return replace(upload, fences=[replace(f, tags=tuple(dict.fromkeys((*f.tags, *tags)))) for f in upload.fences])


def _read(path: Path, complete: "_Completing", heard: Heard) -> Upload:
    kind = path.suffix.lower()
    if kind == _SHAPEFILE:
        return read_features(path.name, read_shapefile(path), complete, heard)
    if kind not in (*_GEOJSON, *_READERS, _KMZ):
        known = ", ".join((*_GEOJSON, *_READERS, _KMZ, _SHAPEFILE))
        raise HerenowError(f"{path.name} is of no known kind", str(path), f"Known are {known}.")
    data = _bytes(path)
    if kind in (".kml", _KMZ) and data.startswith(_ZIP):
        kind, data = ".kml", _unzipped(path, data)
    kind = ".kml" if kind == _KMZ else kind
    if told := _other_kind(kind, data):
        raise HerenowError(f"{path.name} is {told[0]}", str(path), told[1])
    if kind in _GEOJSON:
        return read_upload(path.name, data, complete=complete, heard=heard)
    return read_features(path.name, _READERS[kind](data), complete, heard)


def _bytes(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            data = file.read(min(size, MAX_BYTES) + 1)
    except OSError as error:
        raise HerenowError(f"the file cannot be read: {error.strerror or error}", str(path)) from error
    if len(data) > MAX_BYTES:
        raise HerenowError(f"the file is larger than {MAX_BYTES // 1_000_000} MB", str(path), "Split it.")
    return data


# What zipfile raises of an archive that is broken, or (RuntimeError) of a kind that it does not read.
_BROKEN = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError, EOFError, RuntimeError, ValueError)


def _unzipped(path: Path, data: bytes) -> bytes:
    """The first .kml of a KMZ archive, which is what a KMZ shows; never more of it than a file may have."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = [name for name in archive.namelist() if name.lower().endswith(".kml")]
            if not names:
                raise HerenowError("there is no .kml in the archive", str(path), "Export it again as KML.")
            with archive.open(names[0]) as file:
                found = file.read(MAX_BYTES + 1)
    except _BROKEN as error:
        raise HerenowError(f"the archive cannot be read: {error}", str(path), "Export it again as KML.") from error
    if len(found) > MAX_BYTES:
        raise HerenowError(f"its KML is larger than {MAX_BYTES // 1_000_000} MB", str(path), "Split it.")
    return found


def _other_kind(kind: str, data: bytes) -> tuple[str, str] | None:
    """What a file seems to be that has the wrong ending, and what to do."""
    start = data[:500].removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(_ZIP):
        return "a zip archive", "Unzip it; what Google Earth saves (KMZ) is read as it is, named .kmz."
    if kind != ".kml" and start.startswith(b"<"):
        return "XML, perhaps KML", "Name it .kml."
    if kind not in _GEOJSON and start.startswith(b"{"):
        return "JSON, perhaps GeoJSON", "Name it .geojson."
    return None


class _Completing:
    """Gives features what they lack: an id from the name (the same name again is numbered), and a radius to points."""

    def __init__(self, radius: float | None) -> None:
        self._radius = radius
        self._given: dict[str, int] = {}
        self._bare: list[Place] = []  # points and lines without a radius

    def __call__(self, place: Place, feature: dict[str, Any]) -> None:
        facts, geometry = feature.get("properties"), feature.get("geometry")
        if not isinstance(facts, dict):
            facts = feature["properties"] = {}
        if isinstance(geometry, dict) and geometry.get("type") in ("Point", "LineString") and "radius" not in facts:
            if self._radius is None:
                self._bare.append(place)
            else:
                facts["radius"] = self._radius
        if feature.get("id") in (None, "") and facts.get("id") in (None, ""):
            feature["id"] = self._id(facts.get("name"), place)

    def hints(self, name: str) -> Iterator[Told]:
        """What would have helped many at once."""
        if self._bare:
            many = f"{len(self._bare)} points or lines have" if len(self._bare) > 1 else "A point or line has"
            fix = "--radius 100 gives it to all that have none."
            yield Told(-1, "", Finding(name, *self._bare[0], "info", "NO_RADIUS", f"{many} no radius.", fix))

    def _id(self, name: Any, place: Place) -> str:
        text = str(name) if isinstance(name, (str, int, float)) else ""
        base = slug(text) if re.search(r"\w", text) else f"fence-{place.line}"
        base = f"fence-{base}" if base in _WORDS else base
        self._given[base] = self._given.get(base, 0) + 1
        return base if self._given[base] == 1 else f"{base}-{self._given[base]}"
