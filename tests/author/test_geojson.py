"""GeoJSON files: good features load, each bad one is told with line and fix, hostile files end in a message."""

import json
from pathlib import Path
from random import Random

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.author.geojson import MAX_BYTES, read_fences
from engine.model.fence import Circle, Corridor, Polygons

REAL = Path(__file__).parents[2].parent / "shared" / "data" / "fences" / "nyc-neighbourhoods.geojson"
POINT = {"type": "Point", "coordinates": [13.4, 52.5]}
SQUARE = [(13.0, 52.0), (13.1, 52.0), (13.1, 52.1), (13.0, 52.1), (13.0, 52.0)]


def polygon(*rings):
    return {"type": "Polygon", "coordinates": [[list(position) for position in ring] for ring in rings]}


def feature(geometry, fence="a", /, **properties):
    return {"type": "Feature", "id": fence, "geometry": geometry, "properties": properties}


def read(*features):
    lines = ",\n".join(json.dumps(one) for one in features)
    text = '{"type": "FeatureCollection",\n"features": [\n' + lines + "\n]}"
    return read_fences("geofences/x.geojson", text.encode())


def codes(findings):
    return [(f.severity, f.code) for f in findings]


def test_every_kind_of_shape_loads():
    hole = [(13.02, 52.02), (13.04, 52.02), (13.04, 52.04), (13.02, 52.02)]
    fences, findings = read(
        feature(POINT, "circle", radius=100),
        feature({"type": "LineString", "coordinates": [[1, 1], [2, 2, 30]]}, "corridor", radius="25 m"),
        feature(polygon(SQUARE, hole), "holed"),
        feature({"type": "MultiPolygon", "coordinates": [polygon(SQUARE)["coordinates"]]}, "multi"),
    )
    assert findings == []
    circle, corridor, holed, multi = (fence.shape for fence in fences)
    assert circle == Circle(13.4, 52.5, 100)
    assert corridor == Corridor(((1, 1), (2, 2)), 25)
    assert isinstance(holed, Polygons)
    assert [len(ring) for ring in holed.parts[0]] == [5, 4]
    assert isinstance(multi, Polygons)
    assert [fence.source for fence in fences] == [f"geofences/x.geojson:{line}" for line in (3, 4, 5, 6)]


def test_properties_are_read_and_strange_ones_kept_as_metadata():
    facts = {"name": "Café", "tags": "cafe, city", "dwell": ["10 minutes", 300], "catchment": "75 m", "colour": "red"}
    fences, findings = read(feature(POINT, radius=100, metadata={"seats": 40}, **facts))
    fence = fences[0]
    assert (fence.name, fence.tags, fence.dwell, fence.catchment) == ("Café", ("cafe", "city"), (300, 600), 75)
    assert fence.metadata == {"colour": "red", "seats": 40}
    assert codes(findings) == [("info", "KEPT_AS_METADATA")]


def test_the_id_may_be_a_number_or_a_property():
    inner = {"type": "Feature", "geometry": POINT, "properties": {"id": "b", "radius": 50}}
    fences, findings = read(feature(POINT, 17, radius=50), inner)
    assert [fence.id for fence in fences] == ["17", "b"]
    assert findings == []


def test_hours_validity_and_crossing_are_read():
    facts = {
        "radius": 5,
        "cross": True,
        "schedule": "mon-fri 08:00-18:00",
        "valid": "2026-11-01 to 2026-12-24",
        "on_open": "ignore",
    }
    fences, findings = read(feature(POINT, **facts))
    assert findings == []
    (fence,) = fences
    assert (fence.cross, fence.schedule, fence.on_open) == (True, "mon-fri 08:00-18:00", "ignore")
    assert [(span.days, span.start, span.end) for span in fence.open] == [((0, 1, 2, 3, 4), 480, 1080)]
    assert fence.valid == ("2026-11-01", "2026-12-24")


@pytest.mark.parametrize(
    ("one", "code", "fix"),
    [
        (feature(POINT), "FENCE", '"radius": 100'),
        (feature(POINT, radius=-5), "FENCE", "radius"),
        (feature(POINT, radius=True), "FENCE", "radius"),
        (feature(POINT, radius="wide"), "FENCE", "300 m"),
        (feature(POINT, None, name="Café Mitte", radius=5), "NO_ID", '"id": "café-mitte"'),
        (feature(POINT, [1], radius=5), "FENCE", "cafe-mitte"),
        (feature(POINT, "tag x", radius=5), "FENCE", "'tag'"),
        (feature(POINT, radius=5, tag="cafe"), "FENCE", "Did you mean 'tags'?"),
        (feature(POINT, radius=5, tags=[1]), "FENCE", "tags"),
        (feature(POINT, radius=5, schedule="mon-fir 08:00-18:00"), "FENCE", "Write for example mon-fri"),
        (feature(POINT, radius=5, schedule=["mon"]), "FENCE", "mon-fri 08:00-18:00"),
        (feature(POINT, radius=5, schedule="holidays in DE"), "FENCE", "only_if"),
        (feature(POINT, radius=5, valid="2026-12-24 to 2026-11-01"), "FENCE", "2026-11-01 to 2026-12-24"),
        (feature(POINT, radius=5, on_open="maybe"), "FENCE", "ignore"),
        (feature(POINT, radius=5, cross="yes"), "FENCE", '"cross": true'),
        (feature(POINT, radius=5, dwell="soon"), "FENCE", "15 minutes"),
        (feature(POINT, radius=5, metadata=[1]), "FENCE", "metadata"),
        (feature(POINT, radius=5, big=10**30), "FENCE", "text"),
        (feature({"type": "Point", "coordinates": [48.1, 133.0]}, radius=5), "FENCE", "longitude first"),
        (feature({"type": "Point", "coordinates": [13.4]}, radius=5), "FENCE", "[lon, lat]"),
        (feature({"type": "Point", "coordinates": ["a", "b"]}, radius=5), "FENCE", "[lon, lat]"),
        (feature({"type": "Point", "coordinates": [500, 1]}, radius=5), "FENCE", "-180"),
        (feature({"type": "LineString", "coordinates": [[1, 1], [1, 1]]}, radius=5), "FENCE", "positions"),
        (feature({"type": "MultiPoint", "coordinates": [[1, 1]]}), "FENCE", "Polygon"),
        (feature({"type": {}, "coordinates": []}), "FENCE", "Polygon"),
        (feature(None), "FENCE", "Polygon"),
        (feature(polygon()), "FENCE", "ring"),
        (feature(polygon([(0, 0), (1, 1), (0, 0)])), "FENCE", "missing"),
        (feature(polygon([(0, 0), (1, 1), (2, 2), (0, 0)])), "FENCE", "again"),
        (feature(polygon([(-170, 80), (-80, 80), (10, 80), (100, 80), (-170, 80)])), "FENCE", "several"),
        (feature(polygon([(i / 1e4, 1) for i in range(100_002)])), "FENCE", "Simplify"),
        ({"type": "Point"}, "GEOJSON", "Feature"),
        (3, "GEOJSON", "Feature"),
    ],
)
def test_a_bad_feature_is_told_and_the_good_one_loads(one, code, fix):
    fences, findings = read(feature(POINT, "good", radius=100), one)
    assert [fence.id for fence in fences] == ["good"]
    assert codes(findings) == [("error", code)]
    assert (findings[0].line, findings[0].column) == (4, 1)
    assert fix in findings[0].fix


def test_a_bow_tie_is_repaired_and_told():
    fences, findings = read(feature(polygon([(0, 0), (1, 1), (1, 0), (0, 1), (0, 0)])))
    assert len(fences[0].shape.parts) == 2
    assert codes(findings) == [("warning", "REPAIRED")]
    assert "2 parts" in findings[0].problem


def test_knots_that_would_take_minutes_are_refused():
    random = Random(7)
    knot = [(random.random(), random.random()) for _ in range(3000)]
    zigzag = [(i % 2 * 10 + i * 1e-5, i % 2 * 10 - i * 1e-5) for i in range(50_000)]
    fences, findings = read(
        feature(polygon([*knot, knot[0]]), "knot"),
        feature(polygon([*zigzag, (0, -50), zigzag[0]]), "zigzag"),
        feature(polygon(SQUARE), "good"),
    )
    assert [fence.id for fence in fences] == ["good"]
    assert ["repaired" in findings[0].problem, "checked" in findings[1].problem] == [True, True]


def test_an_open_ring_is_closed_and_told():
    fences, findings = read(feature(polygon(SQUARE[:-1])))
    assert set(fences[0].shape.parts[0][0]) == set(SQUARE)
    assert codes(findings) == [("warning", "UNCLOSED_RING")]


def test_a_polygon_over_the_antimeridian_is_split_and_told():
    fences, findings = read(feature(polygon([(179, 0), (-179, 0), (-179, 1), (179, 1), (179, 0)])))
    longitudes = sorted({lon for part in fences[0].shape.parts for lon, _ in part[0]})
    assert longitudes == [-180, -179, 179, 180]
    assert codes(findings) == [("warning", "SPLIT")]


@pytest.mark.parametrize(
    ("ring", "area"),
    [
        ([(-180, 80), (180, 80), (180, 90), (-180, 90)], 3600),
        ([(-180, 80), (0, 80), (180, 80), (180, 90), (-180, 90)], 3600),
        ([(-180, -90), (180, -90), (180, 90), (-180, 90)], 64800),
        ([(179, 0), (180, 0), (-180, 0), (-179, 0), (-179, 1), (-180, 1), (180, 1), (179, 1)], 2),
    ],
)
def test_a_step_between_the_two_180s_goes_round_the_earth_where_it_must(ring, area):
    fences, _ = read(feature(polygon([*ring, ring[0]])))
    assert sum(shapely.Polygon(rings[0]).area for rings in fences[0].shape.parts) == pytest.approx(area)


def test_a_polygon_over_the_antimeridian_without_an_area_is_refused():
    fences, findings = read(feature(polygon([(179, 0), (-179, 0), (-178, 0), (179, 0)])))
    assert (fences, "no area" in findings[0].problem) == ([], True)


@pytest.mark.parametrize("begins", range(4))
@pytest.mark.parametrize("west", [179.5, 180.2])
def test_a_hole_of_a_polygon_over_the_antimeridian_stays_wherever_its_ring_begins(begins: int, west: float):
    def ring(west, south, east, north, turn):
        around = [(west, south), (east, south), (east, north), (west, north)]
        around = around[turn:] + around[:turn]
        return [((lon + 180) % 360 - 180, lat) for lon, lat in (*around, around[0])]

    shape = polygon(ring(179, 0, 181, 2, 0))
    shape["coordinates"].append(ring(west, 0.5, 180.6, 1.5, begins))
    fences, findings = read(feature(shape))
    assert codes(findings) == [("warning", "SPLIT")]
    area = sum(shapely.Polygon(rings[0], rings[1:]).area for rings in fences[0].shape.parts)
    assert area == pytest.approx(4 - (180.6 - west))


@pytest.mark.parametrize(
    ("lon", "lat", "suspect"), [(52.5, 13.4, True), (48.85, 2.35, True), (13.4, 52.5, False), (-74.0, 40.7, False)]
)
def test_coordinates_that_look_like_lat_lon_are_told(lon, lat, suspect):
    fences, findings = read(feature({"type": "Point", "coordinates": [lon, lat]}, radius=100))
    assert len(fences) == 1
    assert codes(findings) == ([("warning", "LOOKS_SWAPPED")] if suspect else [])


@pytest.mark.parametrize(
    ("data", "code", "place"),
    [
        (b"", "JSON", (1, 1)),
        (b"\x00", "JSON", (1, 1)),
        (b'{"type":\n @}', "JSON", (2, 2)),
        (b"[1]", "GEOJSON", (1, 1)),
        (b"{}", "GEOJSON", (1, 1)),
        (b'{"type": "FeatureCollection", "features": 3}', "GEOJSON", (1, 1)),
        (b'{"type": "FeatureCollection", "features": [\n{"n": NaN}]}', "JSON", (2, 7)),
        (b'{"type": "FeatureCollection", "features": [\n"\xff"]}', "JSON", (2, 1)),
        (b'{"type": "FeatureCollection", "features": [' + b"[" * 100_000, "TOO_DEEP", (0, 0)),
        (b'{"a":' * 100_000, "TOO_DEEP", (0, 0)),
        (b"x" * (MAX_BYTES + 1), "TOO_LARGE", (0, 0)),
    ],
)
def test_a_hostile_file_gets_one_exact_message(data, code, place):
    fences, findings = read_fences("x.geojson", data)
    assert fences == []
    assert [f.code for f in findings] == [code]
    assert (findings[0].line, findings[0].column) == place


def test_a_number_that_is_none_spoils_only_its_own_feature():
    good = json.dumps(feature(POINT, "good", radius=9))
    bad = '{"type": "Feature", "id": "a", "geometry": {"type": "Point", "coordinates": [1e999, 1]}, "properties": {}}'
    fences, findings = read_fences(
        "x.geojson", f'{{"type": "FeatureCollection", "features": [{bad},\n{good}]}}'.encode()
    )
    assert [fence.id for fence in fences] == ["good"]
    assert codes(findings) == [("error", "JSON")]


def test_real_neighbourhoods_load_once_they_have_ids():
    if not REAL.exists():
        pytest.skip(f"{REAL.name} is not beside this checkout")
    collection = json.loads(REAL.read_bytes())
    _, without = read_fences("x.geojson", REAL.read_bytes())
    assert {f.code for f in without} == {"NO_ID"}
    for number, one in enumerate(collection["features"]):
        one["id"] = f"n{number}"
    fences, findings = read_fences("x.geojson", json.dumps(collection).encode())
    assert len(fences) == 262
    assert [f for f in findings if f.severity == "error"] == []


numbers = st.one_of(st.floats(allow_nan=False), st.integers(), st.just(None), st.just("x"))
positions = st.lists(numbers, max_size=4)
nested = st.recursive(positions, lambda inner: st.lists(inner, max_size=4), max_leaves=12)
kinds = st.sampled_from(["Point", "LineString", "Polygon", "MultiPolygon", "GeometryCollection", None])
values = st.one_of(numbers, st.booleans(), st.lists(st.text(max_size=5), max_size=3), st.text(max_size=8))
facts = st.dictionaries(
    st.sampled_from(["id", "name", "tags", "radius", "dwell", "catchment", "metadata", "x"]), values
)


@settings(max_examples=100, deadline=None)
@given(kinds, nested, facts, values)
def test_any_feature_is_a_fence_or_a_finding(kind, coordinates, properties, name):
    one = {
        "type": "Feature",
        "id": name,
        "properties": properties,
        "geometry": {"type": kind, "coordinates": coordinates},
    }
    fences, findings = read(one)
    assert len(fences) + len([f for f in findings if f.severity == "error"]) >= 1


@settings(max_examples=250, deadline=None)
@given(st.binary(max_size=40), st.integers(0, 120))
def test_any_bytes_give_an_answer(noise, at):
    data = json.dumps({"type": "FeatureCollection", "features": [feature(POINT, radius=5)]}).encode()
    fences, findings = read_fences("x.geojson", data[:at] + noise + data[at:])
    assert fences or findings


@pytest.mark.parametrize("between", [(), (0,), (-90, 0, 90)])
@pytest.mark.parametrize("hole", [(170, -170), (170, 180, -180, -170)])
def test_a_hole_over_the_antimeridian_is_cut_out_of_a_band_round_the_earth(between, hole):
    south, north = [-180, *between, 180], [180, *between[::-1], -180]
    shape = polygon([*((lon, 10) for lon in south), *((lon, 20) for lon in north), (-180, 10)])
    shape["coordinates"].append([*((lon, 12) for lon in hole), *((lon, 18) for lon in hole[::-1]), (hole[0], 12)])
    fences, findings = read(feature(shape))
    assert codes(findings) == [("warning", "SPLIT")]
    area = sum(shapely.Polygon(rings[0], rings[1:]).area for rings in fences[0].shape.parts)
    assert area == pytest.approx(3600 - 120)
