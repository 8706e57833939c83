"""Large geofence files are read once; what is kept of them is used only while it is exactly what reading would give."""

import msgspec
import pytest

from engine.author import kept
from engine.author.geojson import read_fences
from engine.author.kept import Kept

FILE = b"""{"type": "FeatureCollection", "features": [
{"type": "Feature", "id": "a", "properties": {"name": "A", "tags": ["x"], "metadata": {"n": [1, 2.5, null]}},
 "geometry": {"type": "Polygon", "coordinates": [[[0,0],[0.1,0],[0.1,0.2],[0,0.2],[0,0]]]}},
{"type": "Feature", "id": "b", "properties": {"radius": 100, "schedule": "mon-fri 08:00-18:00"},
 "geometry": {"type": "Point", "coordinates": [13.4, 52.5]}},
{"type": "Feature", "id": "c", "properties": {"radius": 100},
 "geometry": {"type": "LineString", "coordinates": [[13.4, 52.5], [13.5, 52.5]]}},
{"type": "Feature", "id": "wrong", "properties": {}, "geometry": {"type": "Point", "coordinates": [13.4, 252.5]}}
]}"""
NAME = "geofences/all.geojson"


@pytest.fixture(autouse=True)
def large(monkeypatch) -> None:
    monkeypatch.setattr(kept, "WORTH", 0)


class Counted:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, name, data):
        self.calls += 1
        return read_fences(name, data)


def test_what_is_kept_is_what_was_read(tmp_path) -> None:
    read = Counted()
    first = Kept(tmp_path, read).read(NAME, FILE)
    again = Kept(tmp_path, read).read(NAME, FILE)
    assert again == first == read_fences(NAME, FILE)
    assert len(first[0]) == 3
    assert first[1], "the wrong feature is told each time"
    assert read.calls == 1


def test_the_same_bytes_under_another_name_are_another_file(tmp_path) -> None:
    Kept(tmp_path).read(NAME, FILE)
    fences, _ = Kept(tmp_path).read("geofences/other.geojson", FILE)
    assert fences[0].source.startswith("geofences/other.geojson")


@pytest.mark.parametrize("damage", [b"", b"short", "cut", "flip", "shape"])
def test_what_is_damaged_is_read_anew_and_mended(tmp_path, damage) -> None:
    Kept(tmp_path).read(NAME, FILE)
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    if damage == "cut":
        damage = whole[:-1]
    elif damage == "flip":
        damage = whole[:100] + bytes([whole[100] ^ 1]) + whole[101:]
    elif damage == "shape":
        body = msgspec.msgpack.encode([1, 2])
        damage = kept.sha256(body).digest() + body
    file.write_bytes(damage)
    assert Kept(tmp_path).read(NAME, FILE) == read_fences(NAME, FILE)
    assert file.read_bytes() == whole


def test_another_build_reads_anew(tmp_path, monkeypatch) -> None:
    read = Counted()
    Kept(tmp_path, read).read(NAME, FILE)
    monkeypatch.setattr(kept, "build", lambda *rooms: b"another")
    Kept(tmp_path, read).read(NAME, FILE)
    assert read.calls == 2


def test_where_nothing_can_be_kept_it_is_read(tmp_path) -> None:
    (tmp_path / "read").write_text("a file, not a folder")
    assert Kept(tmp_path / "read").read(NAME, FILE) == read_fences(NAME, FILE)


def test_only_the_newest_stay(tmp_path) -> None:
    for n in range(kept.FILES + 3):
        Kept(tmp_path).read(f"geofences/{n}.geojson", FILE)
    assert len(list(tmp_path.iterdir())) == kept.FILES


def test_an_id_that_comes_twice_in_a_file_is_told_each_time(tmp_path) -> None:
    twice = FILE.replace(b'"id": "c"', b'"id": "a"')
    for _ in range(2):
        fences, _ = Kept(tmp_path).read(NAME, twice)
        assert sorted(fence.id for fence in fences) == ["a", "a", "b"]


def test_what_is_kept_is_not_taken_apart(tmp_path, monkeypatch) -> None:
    Kept(tmp_path).read(NAME, FILE)
    monkeypatch.setattr("engine.model.fences._decode", None)
    fences, _ = Kept(tmp_path).read(NAME, FILE)
    assert fences.ids == ["a", "b", "c"]
