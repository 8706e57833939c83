"""Circles from CSV, as spreadsheets write it: commas, semicolons or tabs, decimal commas, byte order marks, texts that
go on in the next line. A row that is wrong is told with the line it begins in; the others come in."""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from typing import Any

from engine.author.features import Place, Sourced
from engine.author.report import TextError, clip
from engine.errors import HerenowError

_COLUMNS = {
    "lat": ("lat", "latitude", "y"),
    "lon": ("lon", "lng", "long", "longitude", "x"),
    "radius": ("radius", "radius_m", "radius (m)", "metres", "meters"),
    "id": ("id", "key", "code"),
    "name": ("name", "title", "label"),
    "tags": ("tags", "tag", "category"),
}
_QUOTED = re.compile(r'"[^"]*"')
_THOUSANDS = re.compile(r"\d{1,3}(,\d{3})+")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def read_csv(data: bytes) -> Iterator[Sourced]:
    """Columns lat, lon and radius, and id, name, tags or others (metadata), in any order. ``HerenowError`` where the
    first line does not name them, or the file is no text."""
    text = _decoded(data)
    before, separator = _separator(text)
    rows = csv.reader(io.StringIO(text[before:], newline=""), delimiter=separator)
    skipped = text.count("\n", 0, before)
    head = [name.strip() for name in next(rows, [])]
    columns = _columns(head)
    while True:
        place = Place(skipped + rows.line_num + 1, 1)
        try:
            row = next(rows, None)
        except csv.Error as error:
            problem = f"The row cannot be read: {error}."
            yield place, TextError(problem, "A quote that opens a cell must close it.")
            continue
        if row is None:
            return
        if any(cell.strip() for cell in row):
            found = _row(head, columns, row)
            if isinstance(found, TextError) and (more := skipped + rows.line_num - place.line) > 0:
                found = TextError(found.problem, f"{found.fix} A quote opens in it that takes {more} more lines in.")
            yield place, found


def _decoded(data: bytes) -> str:
    """UTF-8 or, with its mark, UTF-16 (which Excel calls Unicode text)."""
    try:
        return data.decode("utf-16") if data.startswith(_UTF16) else data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        fix = "Save it as UTF-8 (Excel: CSV UTF-8)."
        raise HerenowError(f"line {line} of the CSV file is not UTF-8 text", fix=fix) from error


def _separator(text: str) -> tuple[int, str]:
    """Where the table begins, and what stands between its cells: as Excel's ``sep=;`` says, else by the first line."""
    first, newline, _ = text.partition("\n")
    told = first.strip().lower()
    if newline and told.startswith("sep=") and len(told) == 5:
        return len(first) + 1, told[4]
    bare = _QUOTED.sub("", first)
    return 0, max(",;\t", key=bare.count)


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


def _row(head: list[str], columns: Mapping[str, int], row: list[str]) -> dict[str, Any] | TextError:
    if any(cell.strip() for cell in row[len(head) :]):
        problem = f"The row has {len(row)} cells, the first line names {len(head)} columns."
        return TextError(problem, "Put cells that hold a comma in quotes.")

    def cell(what: str) -> str | None:
        at = columns.get(what)
        return row[at].strip() or None if at is not None and at < len(row) else None

    facts: dict[str, Any] = {what: value for what in ("name", "tags") if (value := cell(what))}
    known = set(columns.values())
    others = {name: row[at].strip() for at, name in enumerate(head) if at not in known and at < len(row) and name}
    facts["metadata"] = {name: value for name, value in others.items() if value}
    try:
        position = [_number("longitude", cell("lon")), _number("latitude", cell("lat"))]
        if radius := cell("radius"):
            facts["radius"] = _metres(radius)
    except TextError as error:
        return error
    geometry = {"type": "Point", "coordinates": position}
    return {"type": "Feature", "id": cell("id"), "geometry": geometry, "properties": facts}


def _number(what: str, text: str | None) -> float:
    if text is None:
        raise TextError(f"The row has no {what}.", "Write it in degrees, for example 52.5219.")
    try:
        return float(text.replace(",", "."))
    except ValueError:
        raise TextError(f"The {what} '{clip(text)}' is no number.", "Write degrees, for example 52.5219.") from None


def _metres(text: str) -> float | str:
    """A number where it is one; else the text, for whoever reads ``120 m``."""
    if _THOUSANDS.fullmatch(text):
        plain = text.replace(",", "")
        raise TextError(f"The radius '{text}' may be {plain} or {text.replace(',', '.', 1)}.", f"Write {plain}.")
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return text
