"""Fences from KML, CSV, shapefiles and GeoJSON without ids: good ones come in, each bad one is told with its place."""

import contextlib
import io
import tracemalloc
import zipfile
from pathlib import Path

import pyproj
import pytest
import shapefile

from engine.author.importing import read_file
from engine.errors import HerenowError
from engine.model.fence import Circle, Corridor, Polygons

KML = """<?xml version="1.0" encoding="UTF-8"?>
<kml xmlns="http://www.opengis.net/kml/2.2"><Document><Folder>
<Placemark id="yard"><name>Yard</name><description>The back yard</description>
  <Polygon><outerBoundaryIs><LinearRing><coordinates>
    13.40,52.50,0 13.41,52.50,0 13.41,52.51,0 13.40,52.51,0 13.40,52.50,0
  </coordinates></LinearRing></outerBoundaryIs>
  <innerBoundaryIs><LinearRing><coordinates>
    13.402,52.502 13.404,52.502 13.404,52.504 13.402,52.502
  </coordinates></LinearRing></innerBoundaryIs></Polygon></Placemark>
<Placemark><name>Stop A</name><ExtendedData><Data name="radius"><value>80</value></Data>
  <Data name="line"><value>14</value></Data></ExtendedData>
  <Point><coordinates>13.4,52.5</coordinates></Point></Placemark>
<Placemark><name>Stop A</name><Point><coordinates>13.5,52.5</coordinates></Point></Placemark>
<Placemark><name>Tram</name><ExtendedData><Data name="radius"><value>30</value></Data></ExtendedData>
  <LineString><coordinates>13.4,52.5 13.5,52.6</coordinates></LineString></Placemark>
<Placemark><name>Two</name><MultiGeometry>
  <Polygon><outerBoundaryIs><LinearRing>
    <coordinates>1,1 2,1 2,2 1,1</coordinates></LinearRing></outerBoundaryIs></Polygon>
  <Polygon><outerBoundaryIs><LinearRing>
    <coordinates>3,1 4,1 4,2 3,1</coordinates></LinearRing></outerBoundaryIs></Polygon>
</MultiGeometry></Placemark>
<Placemark><name>Nothing</name></Placemark>
<Placemark><name>Broken</name><Point><coordinates>east,52.5</coordinates></Point></Placemark>
</Folder></Document></kml>
"""


def imported(folder: Path, name: str, content: str | bytes, **more):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    upload = read_file(path, **more)
    errors = [told.finding for told in upload.told if told.finding.severity == "error"]
    return {fence.id: fence for fence in upload.fences}, errors


def test_kml_polygons_points_lines_and_several_in_one_come_in(tmp_path: Path):
    fences, errors = imported(tmp_path, "x.kml", KML)
    assert list(fences) == ["yard", "stop-a", "tram", "two"]
    yard, stop, tram, two = fences.values()
    assert isinstance(yard.shape, Polygons)
    assert [len(ring) for ring in yard.shape.parts[0]] == [5, 4]
    assert yard.metadata == {"description": "The back yard"}
    assert (stop.shape, stop.name, stop.metadata) == (Circle(13.4, 52.5, 80.0), "Stop A", {"line": "14"})
    assert tram.shape == Corridor(((13.4, 52.5), (13.5, 52.6)), 30.0)
    assert len(two.shape.parts) == 2
    assert [(error.line, error.column) for error in errors] == [(13, 1), (22, 1), (23, 1)]


def test_a_radius_for_bare_points_and_tags_for_all_may_be_given(tmp_path: Path):
    fences, _ = imported(tmp_path, "x.kml", KML, radius=50.0, tags=("stop",))
    assert (fences["stop-a"].shape.radius, fences["stop-a-2"].shape.radius) == (80.0, 50.0)
    assert {fence.tags for fence in fences.values()} == {("stop",)}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('<!DOCTYPE kml [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><kml>&b;</kml>', "DTD"),
        ('<!DOCTYPE kml SYSTEM "http://127.0.0.1/x.dtd"><kml/>', "DTD"),
        ("<kml>" + "<Folder>" * 100, "nested"),
        ("<kml><Placemark>" + "<Folder>" * 100, "nested"),
        ("<gpx/>", "<gpx>"),
        ('<?xml version="1.0" encoding="nobody-knows"?><kml/>', "encoding"),
    ],
)
def test_hostile_kml_ends_in_one_message(tmp_path: Path, content: str | bytes, words: str):
    with pytest.raises(HerenowError, match=words):
        imported(tmp_path, "x.kml", content)


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ("<kml>\n<Placemark>", (2, 12)),
        ("", (1, 1)),
        (b"\xff\xfe\x00", (1, 2)),
        ("<kml>&nbsp;</kml>", (1, 6)),
        ("<kml>\n&secret;</kml>", (2, 1)),
    ],
)
def test_where_kml_is_no_xml_is_told(tmp_path: Path, content: str | bytes, place: tuple[int, int]):
    fences, (error,) = imported(tmp_path, "x.kml", content)
    assert (fences, (error.line, error.column)) == ({}, place)
    assert "no XML" in error.problem


def test_what_comes_before_the_xml_breaks_off_comes_in(tmp_path: Path):
    one = '<Placemark id="p{}"><Point><coordinates>13.4, 52.5</coordinates></Point></Placemark>\n'
    text = "<kml>\n" + "".join(one.format(k) for k in range(2000)) + "<Placemark><Poi"
    fences, (error,) = imported(tmp_path, "x.kml", text, radius=50.0)
    assert list(fences) == [f"p{k}" for k in range(2000)]
    assert error.line == 2002


def test_a_placemark_as_large_as_the_file_costs_little_memory(tmp_path: Path):
    one = '<Placemark id="a"><Point><coordinates>13.4,52.5</coordinates></Point></Placemark>'
    text = (
        "<kml>" + one + "<Placemark>" + "<a/>" * 60_000 + "x" * 1_000_000 + "</Placemark>" + one.replace('"a"', '"b"')
    )
    tracemalloc.start()
    try:
        fences, (error,) = imported(tmp_path, "x.kml", text + "</kml>", radius=50.0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert list(fences) == ["a", "b"]
    assert "20000 elements" in error.problem
    assert peak < 20_000_000


def test_a_long_text_in_kml_is_read_once(tmp_path: Path):
    ring = " ".join(f"{13.4 + k * 1e-7},{52.5 + k % 2 * 1e-3}" for k in range(90_000))
    text = (
        f"<kml><Placemark><name>Wall</name><LineString><coordinates>{ring}</coordinates></LineString></Placemark></kml>"
    )
    fences, errors = imported(tmp_path, "x.kml", text, radius=20.0)
    assert (len(fences["wall"].shape.line), errors) == (90_000, [])


def test_csv_circles_come_in_whatever_the_order_of_the_columns(tmp_path: Path):
    text = "Name;Latitude;Longitude;Radius;City;tags\nCafé Ost;52,5;13,4;120;Berlin;cafe, east\n;1;2;50;;\n"
    fences, errors = imported(tmp_path, "x.csv", "\ufeff" + text)
    assert errors == []
    cafe, other = fences.values()
    assert (cafe.id, cafe.name, cafe.tags) == ("café-ost", "Café Ost", ("cafe", "east"))
    assert (cafe.shape, cafe.metadata) == (Circle(13.4, 52.5, 120.0), {"City": "Berlin"})
    assert (other.id, other.shape) == ("fence-3", Circle(2.0, 1.0, 50.0))


def test_bad_csv_rows_are_told_with_their_line(tmp_path: Path):
    text = "id,lat,lon,radius\na,52.5,13.4,100\nb,north,13.4,100\nc,52.5\nd,99,13.4,100\ne,52.5,13.4,wide\n\nf,1,2,3\n"
    fences, errors = imported(tmp_path, "x.csv", text)
    assert list(fences) == ["a", "f"]
    assert [error.line for error in errors] == [3, 4, 5, 6]


@pytest.mark.parametrize(
    "text",
    [
        "id;lat;lon;radius\r\na;52,5;13,4;120,5\r\n",
        'id,lat,lon,radius\na,"52,5","13,4","120,5"\n',
        "sep=;\r\nid;lat;lon;radius\r\na;52,5;13,4;120,5\r\n",
        "id\tlat\tlon\tradius\na\t52.5\t13.4\t120.5 m\n",
        '"id","lat","lon","radius"\n"a","52.5","13.4","120.5"\n',
        '"radius, in metres",id,lat,lon,radius\n,a,52.5,13.4,120.5\n',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_csv_comes_in_as_spreadsheets_write_it(tmp_path: Path, text: str, encoding: str):
    fences, errors = imported(tmp_path, "x.csv", text.encode(encoding))
    assert errors == []
    assert fences["a"].shape == Circle(13.4, 52.5, 120.5)


def test_quotes_and_lines_inside_a_cell_belong_to_it_and_its_row_is_where_it_begins(tmp_path: Path):
    text = 'id,note,lat,lon,radius\na,"says ""hi""\nand, goes",52.5,13.4,90\nb,"two\nlines",x,13.4,90\nc,,52,13,90\n'
    fences, errors = imported(tmp_path, "x.csv", text)
    assert list(fences) == ["a", "c"]
    assert fences["a"].metadata == {"note": 'says "hi"\nand, goes'}
    assert [error.line for error in errors] == [4]


def test_a_decimal_comma_between_commas_is_told_and_not_taken_for_other_numbers(tmp_path: Path):
    fences, (cells, radius) = imported(tmp_path, "x.csv", 'id,lat,lon,radius\na,52,5,13,4,100\nb,52.5,13.4,"1,500"\n')
    assert fences == {}
    assert (cells.line, radius.line) == (2, 3)
    assert "6 cells" in cells.problem
    assert "1500 or 1.500" in radius.problem


def test_a_quote_that_never_closes_spoils_only_its_row(tmp_path: Path):
    text = "id,lat,lon,radius\na,1,2,90\n" + "1" * 200_000 + ",2,3,4\nb,1,2,90\n"
    fences, (error,) = imported(tmp_path, "x.csv", text)
    assert (list(fences), error.line) == (["a", "b"], 3)


def test_so_much_wrong_is_not_told_to_the_end(tmp_path: Path):
    upload_errors = imported(tmp_path, "x.csv", "lat,lon,radius\n" + "1,2,wide\n" * 30_000)[1]
    assert 1000 < len(upload_errors) < 11_000
    assert upload_errors[-1].code == "TOO_LARGE"


def test_a_large_table_comes_in_and_says_how_far_it_is(tmp_path: Path):
    rows = "".join(f"s{k},{k % 80}.5,{k % 170},50\n" for k in range(10_000))
    heard: list[int] = []
    fences, errors = imported(tmp_path, "x.csv", "id,lat,lon,radius\n" + rows, heard=heard.append)
    assert (len(fences), errors) == (10_000, [])
    assert (sum(heard), len(heard)) == (10_000, 20)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("id,name\na,b\n", "no column lat and no column lon"),
        ("", "no column"),
        (b"lat,lon\n1,2\n\xff,1\n", "line 3 .*UTF-8"),
    ],
)
def test_a_csv_file_that_is_none_is_told(tmp_path: Path, content: str | bytes, words: str):
    with pytest.raises(HerenowError, match=words):
        imported(tmp_path, "x.csv", content)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.csv", "id,lat,lon,radius\na,13.4,52.5,100\n"),
        ("x.kml", "<kml><Placemark id='a'><Point><coordinates>52.5,13.4</coordinates></Point></Placemark></kml>"),
    ],
)
def test_coordinates_that_look_swapped_are_told_and_come_in(tmp_path: Path, name: str, content: str):
    (tmp_path / name).write_text(content)
    upload = read_file(tmp_path / name, radius=100.0)
    assert [fence.id for fence in upload.fences] == ["a"]
    assert [told.finding.code for told in upload.told] == ["LOOKS_SWAPPED"]


def test_a_ring_that_crosses_itself_is_mended_and_told(tmp_path: Path):
    ring = "<LinearRing><coordinates>13,52 14,53 14,52 13,53 13,52</coordinates></LinearRing>"
    polygon = f"<Polygon><outerBoundaryIs>{ring}</outerBoundaryIs></Polygon>"
    (tmp_path / "x.kml").write_text(f"<kml>\n<Placemark id='a'>{polygon}</Placemark></kml>")
    upload = read_file(tmp_path / "x.kml")
    assert len(upload.fences[0].shape.parts) == 2
    assert [(told.finding.code, told.finding.line) for told in upload.told] == [("REPAIRED", 2)]


GEOJSON = """{"type": "FeatureCollection", "features": [
{"type": "Feature", "properties": {"name": "Old Town", "radius": 90}, "geometry": POINT},
{"type": "Feature", "properties": {"name": "Old Town", "radius": 90}, "geometry": POINT},
3,
{"type": "Feature", "properties": {"name": "Nowhere", "radius": 90}, "geometry": null},
{"type": "Feature", "properties": null, "geometry": POINT},
{"type": "Feature", "properties": {"name": 7}, "geometry": POINT},
{"type": "Feature", "properties": {"name": "!!!"}, "geometry": POINT},
{"type": "Feature", "properties": {"name": "Tag"}, "geometry": POINT},
  {"type": "Feature", "id": "far", "properties": {}, "geometry": {"type": "Point", "coordinates": [13.4, 97]}}]}
""".replace("POINT", '{"type": "Point", "coordinates": [13.4, 52.5]}')


def test_geojson_without_ids_gets_them_and_each_bad_feature_is_told_with_its_place(tmp_path: Path):
    fences, errors = imported(tmp_path, "x.geojson", GEOJSON, radius=50.0)
    assert list(fences) == ["old-town", "old-town-2", "fence-6", "7", "fence-8", "fence-tag"]
    assert [(error.line, error.column) for error in errors] == [(4, 1), (5, 1), (10, 3)]
    assert {fence.shape.radius for fence in fences.values()} == {90.0, 50.0}


def test_a_feature_that_is_no_json_spoils_only_itself(tmp_path: Path):
    text = GEOJSON.replace('"name": "Nowhere"', '"name": NaN')
    fences, errors = imported(tmp_path, "x.geojson", text, radius=50.0)
    assert len(fences) == 6
    assert [(error.line, error.code) for error in errors] == [(4, "GEOJSON"), (5, "JSON"), (10, "FENCE")]


def test_a_file_of_no_known_kind_is_told(tmp_path: Path):
    with pytest.raises(HerenowError, match="no known kind"):
        imported(tmp_path, "x.docx", "")


def zipped(**files: str) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("_", "."), content)
    return held.getvalue()


@pytest.mark.parametrize("kind", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_kmz_with_a_wrong_byte_is_read_or_refused(tmp_path: Path, kind: int):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", kind) as archive:
        archive.writestr("doc.kml", KML)
    for at in range(0, len(held.getvalue()), 7):
        spoiled = bytearray(held.getvalue())
        spoiled[at] ^= 0xFF
        with contextlib.suppress(HerenowError):
            imported(tmp_path, "x.kmz", bytes(spoiled))


@pytest.mark.parametrize("name", ["x.kmz", "x.kml"])
def test_kmz_is_read_as_the_kml_that_is_in_it_whatever_its_ending(tmp_path: Path, name: str):
    fences, errors = imported(tmp_path, name, zipped(style_png="x", doc_kml=KML))
    assert (list(fences), len(errors)) == (["yard", "stop-a", "tram", "two"], 3)
    assert list(imported(tmp_path, "y.kmz", KML)[0]) == list(fences)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (zipped(a_txt="x"), "no .kml"),
        (zipped(doc_kml=KML)[:200], "archive cannot be read"),
        (zipped(doc_kml="<kml>" + " " * 130_000_000), "larger than 128 MB"),
    ],
)
def test_a_kmz_that_holds_no_kml_of_a_decent_size_is_refused(tmp_path: Path, content: bytes, words: str):
    with pytest.raises(HerenowError, match=words):
        imported(tmp_path, "x.kmz", content)


@pytest.mark.parametrize(
    ("name", "content", "fix"),
    [
        ("x.geojson", KML, ".kml"),
        ("x.csv", "\ufeff" + KML, ".kml"),
        ("x.csv", GEOJSON, ".geojson"),
        ("x.kml", GEOJSON, ".geojson"),
        ("x.csv", zipped(a_csv="x"), "Unzip"),
        ("x.json", zipped(a_csv="x"), "Unzip"),
    ],
)
def test_a_file_with_the_wrong_ending_is_told_what_it_seems_to_be(tmp_path, name: str, content: str | bytes, fix: str):
    with pytest.raises(HerenowError) as caught:
        imported(tmp_path, name, content)
    assert fix in caught.value.fix


def test_shapes_of_several_kinds_in_one_placemark_are_told_by_its_name(tmp_path: Path):
    ring = "<LinearRing><coordinates>1,1 2,1 2,2 1,1</coordinates></LinearRing>"
    area = f"<Polygon><outerBoundaryIs>{ring}</outerBoundaryIs></Polygon>"
    label = "<Point><coordinates>1.5,1.2</coordinates></Point>"
    both = f"<Placemark><name>Yard</name><MultiGeometry>{label}{area}</MultiGeometry></Placemark>"
    fences, (error,) = imported(tmp_path, "x.kml", f"<kml>{both}</kml>")
    assert (fences, error.column) == ({}, 6)
    assert "'Yard' holds 2 shapes (Point, Polygon)" in error.problem
    assert "placemark of each" in error.fix


def test_points_without_a_radius_are_told_how_to_get_one_and_once(tmp_path: Path):
    (tmp_path / "x.csv").write_text("id,lat,lon,radius\na,52.5,13.4,\nb,52.5,13.4,80\nc,52.6,13.4,\n")
    told = read_file(tmp_path / "x.csv").told
    (hint,) = [one.finding for one in told if one.finding.severity == "info"]
    assert (hint.code, hint.line) == ("NO_RADIUS", 2)
    assert "2 points" in hint.problem
    assert "--radius 100" in hint.fix
    assert read_file(tmp_path / "x.csv", radius=50.0).told == []


@pytest.mark.parametrize(("name", "content"), [("x.csv", "id,lat,lon\n"), ("x.kml", "<kml/>")])
def test_a_file_without_features_says_so(tmp_path: Path, name: str, content: str):
    (tmp_path / name).write_text(content)
    assert [told.finding.code for told in read_file(tmp_path / name).told] == ["EMPTY"]


def test_a_row_that_a_quote_made_longer_says_by_how_much(tmp_path: Path):
    _, (error,) = imported(tmp_path, "x.csv", 'id,lat,lon,radius\n"a,1,2,90\nb,1,2,90\nc,1,2,90\n')
    assert error.line == 2
    assert "takes 2 more lines in" in error.fix


@pytest.mark.parametrize(
    ("content", "problem", "place"),
    [
        ("", "is empty", (1, 1)),
        (" \n", "is empty", (1, 1)),
        ('{"type": "Feature"}\n{"type": "Feature"}\n', "Another JSON", (2, 1)),
        (b'\xff\xfe{\x00"\x00', "not UTF-8", (1, 1)),
    ],
)
def test_what_is_no_single_json_text_is_told_in_plain_words(tmp_path, content: str | bytes, problem: str, place):
    _, (error,) = imported(tmp_path, "x.geojson", content)
    assert problem in error.problem
    assert (error.line, error.column) == place


# ------------------------------------------------------------------ shapefiles


def write_shapefile(path: Path, crs: int | None = 4326) -> None:
    with shapefile.Writer(str(path), shapeType=shapefile.POLYGON) as writer:
        writer.field("NAME", "C", size=20)
        writer.field("FLOORS", "N")
        ring = [(13.40, 52.50), (13.40, 52.51), (13.41, 52.51), (13.41, 52.50), (13.40, 52.50)]
        if crs is not None:
            turn = pyproj.Transformer.from_crs(4326, crs, always_xy=True).transform
            ring = [turn(*position) for position in ring]
            path.with_suffix(".prj").write_text(pyproj.CRS(crs).to_wkt("WKT1_ESRI"))
        writer.poly([ring])
        writer.record("Depot", 3)
        writer.null()
        writer.record("Nowhere", 0)


@pytest.mark.parametrize("crs", [4326, 25833])
def test_a_shapefile_comes_in_whatever_its_projection(tmp_path: Path, crs: int):
    write_shapefile(tmp_path / "x.shp", crs)
    upload = read_file(tmp_path / "x.shp")
    (depot,) = upload.fences
    assert (depot.id, depot.name, depot.metadata) == ("depot", "Depot", {"floors": 3})
    assert min(depot.shape.parts[0][0]) == pytest.approx((13.40, 52.50), abs=1e-6)
    assert [(told.finding.severity, told.finding.line) for told in upload.told] == [("error", 2)]


def test_a_shapefile_without_a_prj_is_refused(tmp_path: Path):
    write_shapefile(tmp_path / "x.shp", None)
    with pytest.raises(HerenowError, match=r"no \.prj"):
        read_file(tmp_path / "x.shp")


def test_without_the_extra_a_shapefile_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import sys

    monkeypatch.setitem(sys.modules, "shapefile", None)
    (tmp_path / "x.shp").write_bytes(b"")
    with pytest.raises(HerenowError) as caught:
        read_file(tmp_path / "x.shp")
    assert "herenow[shapefile]" in caught.value.fix


def test_a_damaged_shapefile_ends_in_a_message(tmp_path: Path):
    write_shapefile(tmp_path / "x.shp")
    (tmp_path / "x.shp").write_bytes(b"\x00" * 40)
    with pytest.raises(HerenowError, match="cannot be read"):
        read_file(tmp_path / "x.shp")


@pytest.mark.parametrize(("told", "encoding"), [("ISO-8859-1", "latin-1"), ("1252", "cp1252"), (None, "utf-8")])
def test_texts_of_a_shapefile_are_read_as_its_cpg_says(tmp_path: Path, told: str | None, encoding: str):
    with shapefile.Writer(str(tmp_path / "x.shp"), shapeType=shapefile.POINT, encoding=encoding) as writer:
        writer.field("NAME", "C", size=20)
        writer.field("RADIUS", "N", decimal=1)
        writer.point(13.4, 52.5)
        writer.record("Café Süd", 80.5)
    (tmp_path / "x.prj").write_text(pyproj.CRS(4326).to_wkt("WKT1_ESRI"))
    if told is not None:
        (tmp_path / "x.cpg").write_text(told + "\n")
    (cafe,) = read_file(tmp_path / "x.shp").fences
    assert (cafe.id, cafe.name, cafe.shape) == ("café-süd", "Café Süd", Circle(13.4, 52.5, 80.5))


def test_shapefile_texts_in_another_encoding_than_told_stop_nothing(tmp_path: Path):
    with shapefile.Writer(str(tmp_path / "x.shp"), shapeType=shapefile.POINT, encoding="latin-1") as writer:
        writer.field("NAME", "C", size=20)
        writer.point(13.4, 52.5)
        writer.record("Café Süd")
    (tmp_path / "x.prj").write_text(pyproj.CRS(4326).to_wkt("WKT1_ESRI"))
    (cafe,) = read_file(tmp_path / "x.shp", radius=50.0).fences
    assert cafe.name == "Caf\ufffd S\ufffdd"


def test_holes_and_several_parts_of_a_shapefile_come_in(tmp_path: Path):
    outer = [(13.0, 52.0), (13.0, 53.0), (14.0, 53.0), (14.0, 52.0), (13.0, 52.0)]
    hole = [(13.4, 52.4), (13.6, 52.4), (13.6, 52.6), (13.4, 52.6), (13.4, 52.4)]
    other = [(x + 2.0, y) for x, y in outer]
    with shapefile.Writer(str(tmp_path / "x.shp"), shapeType=shapefile.POLYGON) as writer:
        writer.field("ID", "C", size=20)
        writer.poly([outer, hole, other])
        writer.record("both")
    (tmp_path / "x.prj").write_text(pyproj.CRS(4326).to_wkt("WKT1_ESRI"))
    upload = read_file(tmp_path / "x.shp")
    assert [told.finding.code for told in upload.told] == []
    assert sorted(len(part) for part in upload.fences[0].shape.parts) == [1, 2]
