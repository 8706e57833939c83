"""Fences from KML, CSV, shapefiles and GeoJSON without ids: good ones come in, each bad one is told with its place."""

from pathlib import Path

import pytest

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
        ("<kml>\n<Placemark>", "line 2"),
        ("<gpx/>", "<gpx>"),
        ("", "line 1"),
        (b"\xff\xfe\x00", "XML"),
        ('<?xml version="1.0" encoding="nobody-knows"?><kml/>', "encoding"),
    ],
)
def test_hostile_and_broken_kml_ends_in_one_message(tmp_path: Path, content: str | bytes, words: str):
    with pytest.raises(HerenowError, match=words):
        imported(tmp_path, "x.kml", content)


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
    ("content", "words"),
    [
        ("id,name\na,b\n", "no column lat and no column lon"),
        ("", "no column"),
        (b"lat,lon\n\xff,1\n", "UTF-8"),
        ("lat,lon\n" + "1" * 200_000 + ",2\n", "line 2"),
    ],
)
def test_a_csv_file_that_is_none_is_told(tmp_path: Path, content: str | bytes, words: str):
    with pytest.raises(HerenowError, match=words):
        imported(tmp_path, "x.csv", content)


def test_geojson_without_ids_gets_them_from_the_names(tmp_path: Path):
    feature = '{"type": "Feature", "properties": {"name": "Old Town", "radius": 90}, "geometry": %s}'
    point = '{"type": "Point", "coordinates": [13.4, 52.5]}'
    text = '{"type": "FeatureCollection", "features": [\n' + ",\n".join([feature % point] * 2 + ["3"]) + "]}"
    fences, errors = imported(tmp_path, "x.geojson", text.replace(",\n3", ""))
    assert (list(fences), errors) == (["old-town", "old-town-2"], [])
    fences, errors = imported(tmp_path, "x.geojson", text)  # read as any file of geofences/, which needs ids
    assert [error.code for error in errors] == ["NO_ID", "NO_ID", "GEOJSON"]


def test_a_file_of_no_known_kind_is_told(tmp_path: Path):
    with pytest.raises(HerenowError, match="no known kind"):
        imported(tmp_path, "x.docx", "")


# ------------------------------------------------------------------ shapefiles


def write_shapefile(path: Path, crs: int | None = 4326) -> None:
    shapefile = pytest.importorskip("shapefile")
    pyproj = pytest.importorskip("pyproj")
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
