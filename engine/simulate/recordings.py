"""Recorded tracks as signals: GPX and CSV, bounded, without ever resolving an entity."""

import csv
import io
import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

from engine.errors import HerenowError
from engine.simulate.tracks import Body

LARGEST = 64_000_000
NAMES = {
    "at": ("at", "time", "timestamp", "datetime", "recorded_at"),
    "lat": ("lat", "latitude", "y"),
    "lon": ("lon", "lng", "longitude", "x"),
    "accuracy": ("accuracy", "acc", "hdop_m"),
    "speed": ("speed",),
}


def read_track(path: Path, device: str) -> list[Body]:
    """The points of a GPX or CSV file as signals of ``device``, in order of time. Raises ``HerenowError``."""
    try:
        if path.stat().st_size > LARGEST:
            raise HerenowError(f"is larger than {LARGEST // 1_000_000} MB.", str(path), "Cut it into parts.")
        data = path.read_bytes()
    except OSError as problem:
        raise HerenowError(f"cannot be read: {problem.strerror}.", str(path)) from problem
    readers: dict[str, Callable[[str, bytes], Iterator[Body]]] = {".gpx": _gpx, ".csv": _csv}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise HerenowError("is neither .gpx nor .csv.", str(path), "Save it as one of these.")
    bodies = sorted(reader(str(path), data), key=lambda body: float(body["at"]))
    if not bodies:
        raise HerenowError("holds no point with a time.", str(path))
    return [{"device": device, "id": f"{path.stem}-{index}"} | body for index, body in enumerate(bodies)]


def _gpx(name: str, data: bytes) -> Iterator[Body]:
    root = _parse_xml(name, data)
    for element in root.iter():
        if element.tag.rpartition("}")[2] not in ("trkpt", "rtept"):
            continue
        texts = {child.tag.rpartition("}")[2]: child.text or "" for child in element}
        if "time" not in texts:
            continue
        row = {"lat": element.get("lat", ""), "lon": element.get("lon", ""), "at": texts["time"]}
        yield _body(name, row | ({"speed": texts["speed"]} if "speed" in texts else {}))


def _parse_xml(name: str, data: bytes) -> ElementTree.Element:
    """Parse without entities: a file that has a DTD, or hides one in another encoding, is refused before it expands."""
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data or b"\0" in data[:64]:
        raise HerenowError("has a DTD or is not UTF-8; neither is taken.", name, "Save it as plain UTF-8 GPX.")
    try:
        return ElementTree.fromstring(data)  # noqa: S314 (no DTD, so nothing can expand)
    except ElementTree.ParseError as problem:
        raise HerenowError(f"is not well-formed XML: {problem}.", name) from problem


def _csv(name: str, data: bytes) -> Iterator[Body]:
    try:
        text = data.decode("utf-8-sig")
        rows = csv.DictReader(io.StringIO(text, newline=""))
        header = {column.strip().lower(): column for column in rows.fieldnames or ()}
        columns = {
            key: header[found] for key, names in NAMES.items() if (found := next((n for n in names if n in header), ""))
        }
        missing = [key for key in ("at", "lat", "lon") if key not in columns]
        if missing:
            raise HerenowError(f"has no column {', '.join(missing)}.", name, "Name the columns at, lat, lon, accuracy.")
        for row in rows:
            yield _body(f"{name}:{rows.line_num}", {key: row[column] or "" for key, column in columns.items()})
    except (UnicodeDecodeError, csv.Error) as problem:
        raise HerenowError(f"cannot be read as CSV: {problem}.", name) from problem


def _body(where: str, row: dict[str, str]) -> Body:
    body: Body = {
        "at": _instant(where, row["at"]),
        "lat": _number(where, row["lat"]),
        "lon": _number(where, row["lon"]),
    }
    for key in ("accuracy", "speed"):
        if row.get(key, "").strip():
            body[key] = max(0.0, _number(where, row[key]))
    return body


def _number(where: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise HerenowError(f"'{text}' is not a number.", where)
    return value


def _instant(where: str, text: str) -> float:
    """Epoch seconds, or ISO 8601 (UTC where no offset is given)."""
    try:
        return float(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError as problem:
        raise HerenowError(f"'{text}' is not a time.", where, "Write 2026-11-24T08:15:00Z.") from problem
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
