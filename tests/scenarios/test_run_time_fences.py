"""Fences that are put while the server runs: in force at once, kept, and gone without a trace when deleted."""

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from engine.api import geofences
from engine.clock import ManualClock
from engine.model.fences import Fences
from tests.support import OPEN_HOUSE, Running, circle, running, write_project

START = 1_795_508_000.0
LAT, LON = 52.52, 13.405
RULES = """
rules:
  welcome:
    purpose: service
    when:
      enters: tag cafe
    message:
      body: Welcome to {{ fence.name }}
  linger:
    purpose: service
    when:
      dwells: tag cafe, for 5 minutes
    only_if:
      - inside: tag cafe
    message:
      body: Still in {{ fence.name }}
"""


class Frozen(ManualClock):
    """Time stands still but for what the test says."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.Event().wait()


HALL = circle("hall", LAT + 0.1, LON, 200.0, name="Hall", tags=["cafe"])
KIOSK = circle("kiosk", LAT, LON, 150.0, name="Kiosk", tags=["cafe"])


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_project(tmp_path, OPEN_HOUSE, RULES, [HALL])


async def fix(server: Running, device: str, at: float, lat: float = LAT, lon: float = LON) -> None:
    signal = {"device": device, "at": at, "lat": lat, "lon": lon, "accuracy": 10, "id": f"{device}-{at}"}
    await server.post("/v1/signals", signal)
    await server.settled()


async def call(server: Running, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
    headers = {"Content-Type": "application/geo+json"} if data is not None else {}
    async with server.session.request(method, server.server.url + path, data=data, headers=headers) as answer:
        return answer.status, await answer.json()


async def test_a_fence_put_at_run_time_wakes_rules_by_its_tag_as_soon_as_the_answer_is_there(project: Path):
    async with running(project, clock=Frozen(START)) as server:
        await fix(server, "d1", START)
        assert await server.moments() == []
        status, answer = await call(server, "PUT", "/v1/geofences/kiosk", KIOSK)
        assert (status, answer["changed"]) == (200, 1)
        await fix(server, "d1", START + 10)
        (moment,) = await server.moments()
        assert (moment["rule"], moment["message"]["body"]) == ("welcome", "Welcome to Kiosk")


async def test_putting_the_same_again_changes_nothing(project: Path):
    async with running(project, clock=Frozen(START)) as server:
        await call(server, "PUT", "/v1/geofences/kiosk", KIOSK)
        before = server.server.runner.core.state.offset
        status, answer = await call(server, "PUT", "/v1/geofences/kiosk", KIOSK)
        assert (status, answer["changed"]) == (200, 0)
        assert server.server.runner.core.state.offset == before


async def test_run_time_fences_and_the_visits_in_them_survive_a_restart(project: Path):
    async with running(project, clock=Frozen(START)) as server:
        await call(server, "PUT", "/v1/geofences/kiosk", KIOSK)
        await fix(server, "d1", START + 10)
    clock = Frozen(START + 20)
    async with running(project, clock=clock) as server:
        device = await server.get("/v1/devices/d1")
        assert [visit["fence"] for visit in device["inside"]] == ["kiosk"]
        clock.set(START + 10 + 301)
        await fix(server, "d1", START + 10 + 301)
        assert [moment["rule"] for moment in await server.moments()] == ["welcome", "linger"]


async def test_a_journal_without_a_checkpoint_replays_to_the_same_fences(project: Path):
    async with running(project, clock=Frozen(START)) as server:
        await call(server, "PUT", "/v1/geofences/kiosk", KIOSK)
        await fix(server, "d1", START + 10)
        await call(server, "DELETE", "/v1/geofences/kiosk")
        await call(server, "PUT", "/v1/geofences/booth", KIOSK | {"id": "booth"})
        wanted = server.server.runner.core.state.fences
    for checkpoint in (project.parent / "var" / "checkpoints").glob("*"):
        checkpoint.unlink()
    async with running(project, clock=Frozen(START + 20)) as server:
        runner = server.server.runner
        assert (runner.core.state.fences, runner.divergence) == (wanted, 0)
        assert [f["id"] for f in (await server.get("/v1/geofences"))["features"]] == ["booth", "hall"]


async def test_run_time_fences_survive_a_hot_reload_and_new_rules_see_them(project: Path):
    async with running(project, clock=Frozen(START)) as server:
        await call(server, "PUT", "/v1/geofences/kiosk", KIOSK)
        await fix(server, "d1", START + 10)
        write_project(project.parent, OPEN_HOUSE, RULES.replace("Welcome to", "Hello in"), [HALL])
        await reload(server, project)
        assert [v["fence"] for v in (await server.get("/v1/devices/d1"))["inside"]] == ["kiosk"]
        await fix(server, "d2", START + 30)
        assert [m["message"]["body"] for m in await server.moments()] == ["Welcome to Kiosk", "Hello in Kiosk"]


async def reload(server: Running, project: Path) -> None:
    from engine.author.config import load_config
    from engine.author.project import read_bundle

    await server.server.runner.activate(read_bundle(load_config(project, {})))


async def test_an_authored_fence_of_the_same_id_hides_the_run_time_one_until_it_is_gone(project: Path):
    async with running(project, clock=Frozen(START)) as server:
        await call(server, "PUT", "/v1/geofences/kiosk", KIOSK)
        for features, source in (([HALL, KIOSK | {"properties": {"radius": 90}}], "all.geojson"), ([HALL], "run-time")):
            write_project(project.parent, OPEN_HOUSE, RULES, features)
            await reload(server, project)
            assert source in (await server.get("/v1/geofences/kiosk"))["source"]


async def test_the_fences_of_files_are_refused_with_409(project: Path):
    async with running(project, clock=Frozen(START)) as server:
        for method, body in (("PUT", HALL), ("DELETE", None)):
            status, problem = await call(server, method, "/v1/geofences/hall", body)
            assert (status, problem["code"]) == (409, "AUTHORED")
        both = {"type": "FeatureCollection", "features": [HALL, KIOSK]}
        status, answer = await call(server, "POST", "/v1/geofences", both)
        assert (status, answer["accepted"]) == (200, 1)
        assert [(line["index"], line["code"]) for line in answer["rejected"]] == [(0, "AUTHORED")]


async def test_deleting_a_fence_ends_its_visits_silently_and_cancels_what_waits_there(project: Path):
    quiet = OPEN_HOUSE.replace('quiet_hours = "none"', 'quiet_hours = "09:00-10:00"')
    write_project(project.parent, quiet, RULES, [HALL])
    async with running(project, clock=Frozen(START)) as server:
        await call(server, "PUT", "/v1/geofences/kiosk", KIOSK)
        await fix(server, "d1", START + 10)
        status, answer = await call(server, "DELETE", "/v1/geofences/kiosk")
        assert (status, answer["changed"]) == (200, 1)
        assert (await server.get("/v1/devices/d1"))["inside"] == []
        (visit,) = (await server.get("/v1/profiles/d1"))["visits"]
        assert visit["exit"] is not None
        assert len(await server.moments()) == 1  # no rule was woken by the end
        rows = (await server.get("/v1/outbox"))["rows"]
        assert [(row["status"], row["reason"]) for row in rows] == [("cancelled", "LEFT")]
        status, _ = await call(server, "DELETE", "/v1/geofences/kiosk")
        assert status == 404


async def test_a_bulk_upload_loads_the_good_ones_and_tells_the_place_of_each_bad_one(project: Path):
    bad = circle("bad", LAT, LON, -5.0)
    lines = ",\n".join(json.dumps(one) for one in (KIOSK, bad, KIOSK, circle("b", 1.0, 2.0, 100.0)))
    body = f'{{"type": "FeatureCollection", "features": [\n{lines}]}}'.encode()
    async with running(project, clock=Frozen(START)) as server:
        status, answer = await call(server, "POST", "/v1/geofences", body)
        assert (status, answer["accepted"], answer["total"]) == (200, 2, 2)
        told = [(line["index"], line["id"], line["code"], line.get("line")) for line in answer["rejected"]]
        assert told == [(1, "bad", "FENCE", 3), (2, "kiosk", "DUPLICATE_FENCE", 4)]


async def test_a_replacing_upload_drops_the_others_but_keeps_what_is_only_wrong_now(project: Path):
    async with running(project, clock=Frozen(START)) as server:
        features = [KIOSK, circle("b", 1.0, 2.0, 100.0), circle("c", 1.0, 3.0, 100.0)]
        await call(server, "PUT", "/v1/geofences", {"type": "FeatureCollection", "features": features})
        features = [KIOSK, circle("b", 1.0, 2.0, -1.0)]
        status, answer = await call(server, "PUT", "/v1/geofences", {"type": "FeatureCollection", "features": features})
        assert (status, answer["changed"], answer["total"]) == (200, 1, 2)
        empty = {"type": "FeatureCollection", "features": []}
        status, answer = await call(server, "PUT", "/v1/geofences", empty)
        assert (status, answer["changed"], answer["total"]) == (200, 2, 0)


async def test_changes_that_come_together_are_made_together_and_all_hold(project: Path):
    async with running(project, clock=Frozen(START)) as server:
        puts = [call(server, "PUT", f"/v1/geofences/k{n}", circle(f"k{n}", n, n, 100.0)) for n in range(30)]
        assert {status for status, _ in await asyncio.gather(*puts)} == {200}
        assert len(server.server.runner.core.compiled.runtime) == 30


async def test_why_and_preview_see_run_time_fences(project: Path):
    async with running(project, clock=Frozen(START)) as server:
        await call(server, "PUT", "/v1/geofences/kiosk", KIOSK)
        signal = {"device": "d9", "lat": LAT, "lon": LON, "accuracy": 10}
        told = await server.post("/v1/preview", signal, 200)
        assert ("welcome", "send") in [(line["rule"], line["would"]) for line in told["rules"]]
        await fix(server, "d9", START + 10)
        why = await server.get("/v1/why", device="d9")
        assert "send" in [line["would"] for line in why["rules"] if line["rule"] == "welcome"]


async def test_the_same_facts_in_another_order_change_nothing(project: Path):
    def kiosk(*facts: tuple[str, Any]) -> dict[str, Any]:
        return circle("kiosk", LAT, LON, 150.0, name="Kiosk", metadata={"opened": {}} | dict(facts))

    one = kiosk(("beans", "dark"), ("owner", [{"name": "Mira", "since": 2019}]))
    other = kiosk(("owner", [{"since": 2019, "name": "Mira"}]), ("beans", "dark"))
    async with running(project, clock=Frozen(START)) as server:
        await call(server, "PUT", "/v1/geofences/kiosk", one)
        for path, body in (("/kiosk", other), ("", {"type": "FeatureCollection", "features": [other]})):
            status, answer = await call(server, "PUT", f"/v1/geofences{path}", body)
            assert (status, answer["changed"]) == (200, 0)
        _, answer = await call(server, "PUT", "/v1/geofences/kiosk", kiosk(("beans", "fair"), ("owner", [])))
        assert answer["changed"] == 1


async def test_a_replacing_upload_leaves_nothing_behind_of_a_fence_that_a_file_has_meanwhile(project: Path):
    async with running(project, clock=Frozen(START)) as server:
        await call(server, "PUT", "/v1/geofences/kiosk", KIOSK)
        write_project(project.parent, OPEN_HOUSE, RULES, [HALL, KIOSK])
        await reload(server, project)
        features = [KIOSK, circle("b", 1.0, 2.0, 100.0)]
        status, answer = await call(server, "PUT", "/v1/geofences", {"type": "FeatureCollection", "features": features})
        assert (status, answer["rejected"][0]["code"], answer["total"]) == (200, "AUTHORED", 1)
        write_project(project.parent, OPEN_HOUSE, RULES, [HALL])
        await reload(server, project)
        assert [f["id"] for f in (await server.get("/v1/geofences"))["features"]] == ["b", "hall"]


async def test_pages_go_on_behind_the_last_one_and_decode_no_other(project: Path, monkeypatch: pytest.MonkeyPatch):
    async with running(project, clock=Frozen(START)) as server:
        many = [circle(f"k{n:02}", 1.0, n / 10, 100.0, tags=["odd"] if n % 2 else []) for n in range(30)]
        await call(server, "POST", "/v1/geofences", {"type": "FeatureCollection", "features": many})
        decoded: list[int] = []
        body = Fences.body
        monkeypatch.setattr(Fences, "body", lambda self, row: decoded.append(row) or body(self, row))
        page = await server.get("/v1/geofences", limit="3", after="k25")
        assert ([f["id"] for f in page["features"]], page["after"], page["total"]) == (["k26", "k27", "k28"], "k28", 31)
        assert decoded == [27, 28, 29, 30]
        page = await server.get("/v1/geofences", limit="2", after="k2", tag="odd", source="run-time")
        assert ([f["id"] for f in page["features"]], page["after"]) == (["k21", "k23"], "k23")
        assert (await server.get("/v1/geofences", after="k29"))["features"] == []


async def test_what_takes_long_to_tell_of_fences_is_worked_out_beside_the_loop(project: Path, monkeypatch):
    where: list[bool] = []

    def watched(name: str) -> None:
        real = getattr(geofences, name)

        def told(*arguments: Any) -> Any:
            where.append(threading.current_thread() is threading.main_thread())
            return real(*arguments)

        monkeypatch.setattr(geofences, name, told)

    watched("inspect_at")
    watched("_page")
    async with running(project, clock=Frozen(START)) as server:
        at = await server.get("/v1/geofences", lat=str(LAT + 0.1), lon=str(LON))
        assert [line["id"] for line in at["geofences"]] == ["hall"]
        assert [f["id"] for f in (await server.get("/v1/geofences"))["features"]] == ["hall"]
    assert where == [False, False]
