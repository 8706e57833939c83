"""``herenow fences``: what it prints, what it ends with, and that a running server answers the same."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from engine.author.geojson import read_fences
from engine.author.outgoing import feature_of
from engine.cli import main
from tests.support import OPEN_HOUSE, circle, polygon, running, write_project

LAT, LON = 52.52, 13.405
HALL = circle("hall", LAT, LON, 200.0, name="Hall", tags=["cafe", "city"])
NOOK = circle("nook", LAT, LON + 0.0005, 15.0)
KIOSK = circle("kiosk", LAT, LON, 150.0, name="Kiosk")
Herenow = Callable[..., Result]


@pytest.fixture
def herenow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Herenow:
    """The command in a project with two fences."""
    write_project(tmp_path, OPEN_HOUSE, "rules: {}\n", [HALL, NOOK])
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(main, ["fences", *map(str, words)])


def test_inspect_tells_what_holds_the_point_how_far_and_how_likely(herenow: Herenow):
    done = herenow("inspect", LAT, LON, "--accuracy", 20)
    assert done.exit_code == 0
    assert "in    hall (Hall)  200.0 m inside, P(inside) 1.00" in done.output
    assert "near  nook  18.9 m outside" in done.output


def test_inspect_says_of_a_fence_that_no_such_fix_could_enter_it(herenow: Herenow):
    told = json.loads(herenow("inspect", LAT, LON, "--format", "json").output)
    assert {line["id"]: line.get("reason") for line in (*told["geofences"], *told["near"])} == {
        "hall": None,
        "nook": "TOO_IMPRECISE",
    }
    assert "TOO_IMPRECISE" in herenow("inspect", LAT, LON).output
    assert "TOO_IMPRECISE" not in herenow("inspect", LAT, LON, "--accuracy", 5).output
    assert "TOO_IMPRECISE" not in herenow("inspect", LAT, LON, "--accuracy", 0).output


@pytest.mark.parametrize("words", [("91", "0"), ("0", "181"), ("nan", "0"), ("0", "0", "--accuracy", "nan"), ("0",)])
def test_what_is_no_place_is_wrong_use(herenow: Herenow, words: tuple[str, ...]):
    assert herenow("inspect", *words).exit_code == 2


def test_places_in_the_south_and_west_need_no_tricks(herenow: Herenow):
    done = herenow("inspect", "-33.86", "-151.2")
    assert (done.exit_code, "no geofence holds this point" in done.output) == (0, True)


def test_list_tells_all_of_them(herenow: Herenow):
    lines = herenow("list").output.splitlines()
    assert [line.split()[0] for line in lines] == ["hall", "nook", "2"]
    features = json.loads(herenow("list", "--format", "json").output)["features"]
    assert [feature["id"] for feature in features] == ["hall", "nook"]


def test_import_writes_what_is_good_tells_the_rest_and_ends_with_one(herenow: Herenow, tmp_path: Path):
    Path("shops.csv").write_text("id,lat,lon,radius\na,52.5,13.4,100\nb,north,13.4,100\na,52.6,13.4,90\n")
    done = herenow("import", "shops.csv", "--out", "geofences/shops.geojson", "--tag", "shop")
    assert done.exit_code == 1
    assert "shops.csv:3:1: error" in done.output
    assert "shops.csv:4:1: error" in done.output
    assert "1 geofence(s) imported, 2 refused" in done.output
    (fence,), findings = read_fences("shops.geojson", Path("geofences/shops.geojson").read_bytes())
    assert (fence.id, fence.tags, findings) == ("a", ("shop",), [])


def test_import_without_out_prints_geojson_and_ends_with_zero(herenow: Herenow):
    Path("shops.csv").write_text("id,lat,lon\na,52.5,13.4\n")
    done = CliRunner().invoke(main, ["fences", "import", "shops.csv", "--radius", "80"])
    assert done.exit_code == 0
    assert json.loads(done.stdout)["features"][0]["properties"] == {"radius": 80.0}


@pytest.mark.parametrize(
    ("name", "words"), [("x.docx", "no known kind"), ("x.csv", "no column"), ("none.csv", "exist")]
)
def test_a_file_that_cannot_be_read_at_all_is_wrong_use(herenow: Herenow, name: str, words: str):
    if name != "none.csv":
        Path(name).write_text("")
    done = herenow("import", name)
    assert (done.exit_code, words in done.output) == (2, True)


def test_import_that_cannot_write_says_so(herenow: Herenow):
    Path("shops.csv").write_text("id,lat,lon,radius\na,52.5,13.4,100\n")
    Path("taken").write_text("")
    done = herenow("import", "shops.csv", "--out", "taken/shops.geojson")
    assert (done.exit_code, "cannot write" in done.output) == (2, True)


@pytest.mark.parametrize("command", ["inspect", "list", "import"])
def test_help_shows_an_example(herenow: Herenow, command: str):
    assert f"herenow fences {command}" in herenow(command, "--help").output


@pytest.mark.parametrize(
    "properties",
    [
        {"radius": 90, "schedule": "mon-fri 08:00-18:00", "valid": "2026-11-01 to 2026-12-24", "on_open": "ignore"},
        {"radius": 90, "valid": "from 2026-11-01"},
        {"radius": 90, "valid": "until 2026-11-01"},
        {"radius": 90, "valid": "2026-11-01"},
        {"radius": 90, "dwell": ["5 minutes", 60], "cross": True, "catchment": 30, "tags": "a, b", "floor": 3},
    ],
)
def test_what_is_written_reads_back_as_the_same_fence(properties: dict[str, Any]):
    def read(feature: dict[str, Any]) -> Any:
        text = json.dumps({"type": "FeatureCollection", "features": [feature]})
        (fence,), _ = read_fences("x.geojson", text.encode())
        return fence

    geometry = {"type": "Point", "coordinates": [LON, LAT]}
    fence = read({"type": "Feature", "id": "a", "properties": properties, "geometry": geometry})
    assert read(feature_of(fence)) == fence


# ------------------------------------------------------------------ of a running server


@contextmanager
def serving(config: Path) -> Iterator[str]:
    """A server in a thread of its own, with one run-time fence; where it is."""
    url: list[str] = []
    ready, loop = threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve() -> None:
        async with running(config) as here:
            async with here.session.put(here.server.url + "/v1/geofences/kiosk", json=KIOSK) as answer:
                assert answer.status == 200
            url.append(here.server.url)
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    assert ready.wait(20)
    try:
        yield url[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(20)
        loop.close()


def test_a_running_server_tells_the_same_and_its_run_time_fences(herenow: Herenow, tmp_path: Path):
    config = tmp_path / "config.toml"
    local = json.loads(herenow("inspect", LAT, LON, "--format", "json").output)
    with serving(config) as url:
        told = json.loads(herenow("inspect", LAT, LON, "--url", url, "--format", "json").output)
        listed = herenow("list", "--url", url).output
        refused = herenow("inspect", LAT, LON, "--url", url, "--accuracy", 1e6)
    mine = [line for line in told["geofences"] if line["id"] != "kiosk"]
    assert (mine, told["near"]) == (local["geofences"], local["near"])
    assert [line["source"] for line in told["geofences"] if line["id"] == "kiosk"] == ["run-time"]
    assert "3 geofence(s)" in listed
    assert refused.exit_code == 0


def test_a_server_that_is_not_there_is_told(herenow: Herenow):
    done = herenow("inspect", LAT, LON, "--url", "http://127.0.0.1:9")
    assert (done.exit_code, "no server answers" in done.output) == (2, True)


def test_the_whole_earth_is_a_fence_without_a_border(herenow: Herenow, tmp_path: Path):
    ring = [(-180.0, -90.0), (180.0, -90.0), (180.0, 90.0), (-180.0, 90.0)]
    write_project(tmp_path, OPEN_HOUSE, "rules: {}\n", [polygon("earth", [ring])])
    assert "in    earth  no border anywhere, P(inside) 1.00" in herenow("inspect", LAT, LON).output
    told = json.loads(herenow("inspect", LAT, LON, "--format", "json").output)
    assert told["geofences"][0]["metres"] is None
