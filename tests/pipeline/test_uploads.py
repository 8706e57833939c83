"""Geofences of a large body, read by a process of their own, are those that reading them here would give."""

import asyncio
import json
from pathlib import Path

import numpy as np
import pytest

from engine.model.fence import Circle, Fence
from engine.model.fences import Fences
from engine.pipeline import uploads
from engine.pipeline.runtime import RunTimeSet
from engine.pipeline.uploads import Sifted, sifted
from engine.pipeline.versions import EMPTY, Compiled
from engine.sense import compiling

RING = [[13.4, 52.5], [13.41, 52.5], [13.41, 52.51], [13.4, 52.51], [13.4, 52.5]]
BOW = [[13.6, 52.5], [13.61, 52.51], [13.61, 52.5], [13.6, 52.51], [13.6, 52.5]]


def feature(id: str, kind: str, coordinates: list, **properties) -> dict:
    geometry = {"type": kind, "coordinates": coordinates}
    return {"type": "Feature", "id": id, "geometry": geometry, "properties": properties}


FEATURES = [
    feature("way", "LineString", RING[:2], radius=20),
    feature("square", "Polygon", [RING], tags=["cafe"], metadata={"b": 1, "a": [None, "x"]}),
    feature("bad", "Point", [13.4, 52.5], radius=-1),
    feature("hall", "Point", [13.4, 52.5], radius=80),
    feature("square", "Point", [13.4, 52.5], radius=90),
    feature("bow", "Polygon", [BOW], dwell=["5 minutes"]),
    feature("round", "Point", [13.4, 52.5], radius=80, catchment=20),
]
BODY = json.dumps({"type": "FeatureCollection", "features": FEATURES}).encode()


@pytest.fixture
def apart(monkeypatch) -> None:
    """Every body is large."""
    monkeypatch.setattr(uploads, "APART", 1)


async def both(folder: Path) -> tuple[Sifted, Sifted]:
    return await sifted(BODY, ["hall"], folder), await asyncio.to_thread(uploads._sift, BODY, ["hall"])


async def test_another_process_finds_what_this_one_would(apart, tmp_path) -> None:
    there, here = await both(tmp_path)
    assert there.drawn is not None
    assert here.drawn is None
    assert (there.told, there.features, list(there.fences)) == (here.told, here.features, list(here.fences))
    assert there.fences.ids == ["bow", "round", "square", "way"]
    assert there.fences.few == here.fences.few
    codes = [(told.index, told.id, told.finding.code) for told in there.told if told.finding.severity == "error"]
    assert sorted(codes) == [(2, "bad", "FENCE"), (3, "hall", "AUTHORED"), (4, "square", "DUPLICATE_FENCE")]
    assert not list(tmp_path.iterdir())  # nothing is left behind


async def test_it_goes_by_the_server_s_own_code(apart, tmp_path, monkeypatch) -> None:
    (tmp_path / "engine").mkdir()
    (tmp_path / "engine" / "__init__.py").write_text("raise SystemExit(1)")
    monkeypatch.chdir(tmp_path)
    assert (await sifted(BODY, ["hall"], tmp_path)).drawn is not None


async def test_what_it_compiled_is_taken_over_and_says_the_same(apart, tmp_path, monkeypatch) -> None:
    there, here = await both(tmp_path)
    assert there.drawn is not None
    base = Compiled.of(EMPTY).with_fences(RunTimeSet.of([Fence("old", Circle(13.3, 52.4, 50.0))]))
    runtime = base.runtime.changed(there.fences, ())
    asked = base.with_fences(base.runtime.changed(here.fences, ()), base)
    drawn: list[int] = []
    monkeypatch.setattr(compiling, "plain_rings", lambda fences: drawn.append(len(fences)) or {})
    joined = base.with_fences(runtime, base, drawn=[there.drawn])
    assert drawn == []
    mine, theirs = joined.fences.columns(), asked.fences.columns()
    assert list(mine) == list(theirs)
    assert runtime.hash == asked.runtime.hash
    rng = np.random.default_rng(3)
    for lat, lon in zip(rng.uniform(52.39, 52.52, 200), rng.uniform(13.29, 13.62, 200), strict=True):
        assert joined.fences.nearest(lat, lon, 9) == asked.fences.nearest(lat, lon, 9)
        assert joined.fences.containing(lat, lon) == asked.fences.containing(lat, lon)


@pytest.mark.parametrize("broken", ["not started", "ended badly", "cut short"])
async def test_where_no_other_process_can_it_is_read_here(apart, tmp_path, monkeypatch, broken) -> None:
    async def work(room: Path) -> None:
        if broken != "cut short":
            raise OSError(broken)
        (room / "found").write_bytes(b"\x93")

    monkeypatch.setattr(uploads, "_work", work)
    found = await sifted(BODY, [], tmp_path)
    assert (found.fences.ids, found.drawn) == (["bow", "hall", "round", "square", "way"], None)


async def test_a_body_that_is_no_geojson_is_told_as_ever(apart, tmp_path) -> None:
    found = await sifted(b"{" * 10, [], tmp_path)
    assert ([told.finding.code for told in found.told], len(found.fences)) == (["JSON"], 0)


async def test_what_a_killed_server_left_behind_goes_with_the_next_one(apart, tmp_path) -> None:
    (tmp_path / "upload-old").mkdir()
    (tmp_path / "upload-old" / "body").write_bytes(BODY)
    await sifted(BODY, [], tmp_path)
    assert not list(tmp_path.iterdir())


async def test_a_small_body_starts_no_process(tmp_path, monkeypatch) -> None:
    async def work(room: Path) -> None:
        raise AssertionError("started")

    monkeypatch.setattr(uploads, "_work", work)
    assert len((await sifted(BODY, [], tmp_path)).fences) == 5


def test_rows_of_many_and_of_few_are_told_alike() -> None:
    fences = Fences.of(Fence(f"f{n}", Circle(1.0, 2.0, 50.0)) for n in range(40))
    few, many = ["f3", "no"], [f"f{n}" for n in range(60)]
    assert fences.rows(few).tolist() == [fences.find(id) for id in few]
    assert fences.rows(many).tolist() == [fences.find(id) for id in many]
