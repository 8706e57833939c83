"""What compiling made of large fence sets is used only while it is exactly what compiling would make."""

import numpy as np
import pytest

from engine.model.fence import Circle, Corridor, Fence, Polygons
from engine.model.release import Release
from engine.pipeline import made
from engine.pipeline.made import Made
from engine.pipeline.runtime import RunTimeSet
from engine.pipeline.versions import Compiled
from engine.sense import FenceSet, compiling
from engine.sense.fixes import Fixes

SQUARE = ((13.4, 52.5), (13.41, 52.5), (13.41, 52.51), (13.4, 52.51), (13.4, 52.5))
LONG = tuple((13.5 + 0.001 * np.cos(a), 52.5 + 0.001 * np.sin(a)) for a in np.linspace(0, 2 * np.pi, 200)[:-1])
BOW = ((13.6, 52.5), (13.61, 52.51), (13.61, 52.5), (13.6, 52.51), (13.6, 52.5))
FENCES = (
    Fence("square", Polygons(((SQUARE,),)), catchment=20.0),
    Fence("long", Polygons((((*LONG, LONG[0]),),))),
    Fence("bow", Polygons(((BOW,),))),
    Fence("circle", Circle(13.45, 52.5, 120.0)),
    Fence("way", Corridor(((13.4, 52.6), (13.5, 52.61)), 30.0)),
    Fence("nothing", Polygons((((SQUARE[0], SQUARE[1], SQUARE[0], SQUARE[0]),),))),
)


@pytest.fixture(autouse=True)
def large(monkeypatch) -> None:
    monkeypatch.setattr(made, "WORTH", 1)


@pytest.fixture
def never(monkeypatch) -> None:
    def compiled(fences):
        raise AssertionError("compiled again")

    monkeypatch.setattr(compiling, "plain_rings", compiled)


def told(fences: FenceSet) -> list:
    rng = np.random.default_rng(1)
    fixes = Fixes(rng.uniform(13.39, 13.62, 400), rng.uniform(52.49, 52.62, 400), rng.uniform(1.0, 60.0, 400))
    at, each = np.repeat(np.arange(400), len(FENCES)), np.tile(np.arange(len(FENCES)), 400)
    inside, metres = fences.measure(fixes, at, each)
    found = fences.index.query(fixes.lon, fixes.lat)
    return [column.tolist() for column in (inside, metres, fences.mass(fixes, at, each, metres), *found)]


def test_a_set_that_was_kept_says_the_same_to_the_last_bit(tmp_path, request) -> None:
    release = Release("r1", fences=FENCES)
    first = Compiled.of(release, Made(tmp_path))
    request.getfixturevalue("never")
    again = Compiled.of(release, Made(tmp_path))
    assert told(again.fences) == told(first.fences)
    assert again.fences.too_small(25.0) == first.fences.too_small(25.0)
    assert again.fences.nearest(52.5, 13.42, 6) == first.fences.nearest(52.5, 13.42, 6)


def test_columns_that_were_kept_look_to_the_kernels_like_those_just_made(tmp_path) -> None:
    fences = FenceSet.compile(FENCES)
    Made(tmp_path).save("r1", fences)
    columns = Made(tmp_path).load("r1", len(FENCES))
    assert columns is not None
    for name, column in fences.columns().items():
        assert (columns[name].dtype, columns[name].shape) == (column.dtype, column.shape)
        assert columns[name].flags.writeable
        assert columns[name].flags.aligned
        assert columns[name].flags.c_contiguous


def test_run_time_fences_are_kept_with_their_release(tmp_path, request) -> None:
    release, runtime = Release("r1", fences=FENCES[:2]), RunTimeSet.of(FENCES[2:])
    base = Compiled.of(release)
    first = base.with_fences(runtime)
    Made(tmp_path).save(first.place, first.fences)
    request.getfixturevalue("never")
    assert told(base.with_fences(runtime, None, Made(tmp_path)).fences) == told(first.fences)


@pytest.mark.parametrize("damage", ["", "short", "cut", "flip", "head", "text"])
def test_what_is_damaged_is_compiled_anew(tmp_path, damage) -> None:
    fences = FenceSet.compile(FENCES)
    Made(tmp_path).save("r1", fences)
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    at = {"flip": len(whole) // 2, "head": 1, "text": 40}.get(damage)
    broken = whole[:-1] if damage == "cut" else damage.encode()
    file.write_bytes(broken if at is None else whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    assert Made(tmp_path).load("r1", len(FENCES)) is None
    assert told(Compiled.of(Release("r1", fences=FENCES), Made(tmp_path)).fences) == told(fences)


def test_what_another_build_kept_is_not_used(tmp_path, monkeypatch) -> None:
    Made(tmp_path).save("r1", FenceSet.compile(FENCES))
    monkeypatch.setattr(made, "build", lambda *rooms: b"another")
    assert Made(tmp_path).load("r1", len(FENCES)) is None


def test_a_set_of_another_size_or_place_is_not_used(tmp_path) -> None:
    Made(tmp_path).save("r1", FenceSet.compile(FENCES))
    assert Made(tmp_path).load("r1", len(FENCES) - 1) is None
    assert Made(tmp_path).load("r2", len(FENCES)) is None


def test_small_sets_are_not_kept(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(made, "WORTH", len(FENCES) + 1)
    Made(tmp_path).save("r1", FenceSet.compile(FENCES))
    assert not list(tmp_path.iterdir())


def test_the_newest_sets_stay(tmp_path) -> None:
    fences = FenceSet.compile(FENCES)
    for k in range(made.FILES + 2):
        Made(tmp_path).save(f"r{k}", fences)
    assert [Made(tmp_path).load(f"r{k}", len(FENCES)) is None for k in range(made.FILES + 2)] == [True] * 2 + [
        False
    ] * 3


def test_where_nothing_can_be_written_fences_are_compiled(tmp_path) -> None:
    (tmp_path / "read").write_text("in the way")
    compiled = Compiled.of(Release("r1", fences=FENCES), Made(tmp_path / "read"))
    assert compiled.fences.containing(52.505, 13.405) == ["square"]
