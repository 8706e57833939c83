"""Why, for any past instant: recomputed from the journal, the nearest miss first."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from engine.clock import SystemClock
from engine.errors import Busy
from engine.pipeline import why as asking
from engine.pipeline.state import CoreState
from tests.support import OPEN_HOUSE, Running, circle, polygon, running, write_project

LAT, LON = 52.52, 13.405
METRE = 1 / 111_195.0
FENCES = [
    circle("cafe-mitte", LAT, LON, 100, tags=["cafe"]),
    circle("kiosk", LAT + 0.02, LON, 20),
    polygon("office", [[(13.42, 52.50), (13.43, 52.50), (13.43, 52.51), (13.42, 52.51)]]),
]
RULES = """
rules:
  coffee:
    when:
      enters: cafe-mitte
    only_if:
      - context.temp < 12
    message:
      body: Coffee
  again:
    when:
      enters: cafe-mitte
    only_if:
      - visited: tag cafe, at least 3 times, in the last 7 days
    message:
      body: Again
  tiny:
    when:
      enters: kiosk
    message:
      body: Kiosk
  desk:
    when:
      enters: office
    message:
      body: Desk
  linger:
    when:
      dwells: cafe-mitte, for 20 minutes
    message:
      body: Linger
  tap:
    when:
      event: tap
    message:
      body: Tap
"""


def project(folder: Path, rules: str = RULES, config: str = OPEN_HOUSE) -> Path:
    return write_project(folder, config, rules, FENCES)


def now() -> float:
    return SystemClock().now()


async def fix(here: Running, device: str, at: float, metres: float = 0.0, lat: float = LAT, **more: Any) -> None:
    body = {"device": device, "at": at, "lat": lat + metres * METRE, "lon": LON, "accuracy": 5, **more}
    await here.post("/v1/signals", body)


async def why(here: Running, device: str, **params: str) -> dict[str, dict[str, Any]]:
    await here.settled()
    answer = await here.get("/v1/why", device=device, **params)
    return {line["rule"]: line for line in answer["rules"]}


async def test_fourteen_metres_outside_is_told_at_the_closest_and_ranks_first(tmp_path: Path):
    async with running(project(tmp_path)) as here:
        for step, metres in enumerate((900, 400, 114, 300, 2000)):
            await fix(here, "d1", now() - 60 + step, metres)
        told = await why(here, "d1")
        assert told["coffee"]["nearest_miss"] == "14 m outside cafe-mitte"
        assert told["coffee"]["nearest"]["metres"] == pytest.approx(-14, abs=0.5)
        assert next(iter(told)) in ("coffee", "again", "linger")
        assert list(told)[-1] == "tap"
        assert "event tap" in told["tap"]["sentence"]


async def test_each_condition_has_the_value_it_saw_and_how_near_it_was(tmp_path: Path):
    async with running(project(tmp_path)) as here:
        await fix(here, "d1", now() - 5, context={"temp": 13.1})
        told = await why(here, "d1")
        assert told["coffee"]["nearest_miss"] == "context.temp 13.1, needs < 12"
        assert told["coffee"]["conditions"][0]["saw"] == 13.1
        assert told["again"]["nearest_miss"] == (
            "0 × tag cafe before in the last 1 week, needs 3; this would have been the 1st"
        )
        assert told["linger"]["nearest_miss"].startswith("stayed")
        assert told["linger"]["nearest_miss"].endswith("in cafe-mitte, needs 20 minutes")


async def test_a_fence_too_small_for_the_accuracy_is_told_by_name(tmp_path: Path):
    async with running(project(tmp_path)) as here:
        await fix(here, "d1", now() - 5, lat=LAT + 0.02, accuracy=40)
        told = await why(here, "d1", rule="tiny")
        assert list(told) == ["tiny"]
        assert told["tiny"]["reason"] == "TOO_IMPRECISE"
        assert "40 m accuracy" in told["tiny"]["nearest_miss"]


async def test_a_cap_says_when_it_frees(tmp_path: Path):
    config = OPEN_HOUSE.replace("caps = []", 'caps = ["1 per 2 hours"]')
    async with running(project(tmp_path, config=config)) as here:
        for n in range(2):
            await here.post("/v1/signals", {"device": "d1", "event": "tap", "id": f"t{n}"})
        await here.settled()
        answer = await here.get("/v1/why", device="d1", rule="tap")
        suppressed = next(f for f in answer["findings"] if f["would"] == "suppress")
        assert suppressed["reason"] == "CAP"
        assert suppressed["nearest_miss"].startswith("cap frees at")
        assert answer["rules"][0]["would"] == "send"


async def test_a_past_instant_is_answered_as_it_was_then(tmp_path: Path):
    async with running(project(tmp_path)) as here:
        await fix(here, "d1", now() - 50, 114)
        await here.settled()
        await asyncio.sleep(0.02)
        between = now()
        await asyncio.sleep(0.02)
        await fix(here, "d1", now() - 5, context={"temp": 3})
        assert (await why(here, "d1"))["coffee"]["would"] == "send"
        assert (await why(here, "d1", at=repr(between)))["coffee"]["nearest_miss"] == "14 m outside cafe-mitte"


async def test_other_people_change_nothing_and_the_person_is_whole(tmp_path: Path):
    """The answer is that of a replay of everybody: histories of the person's other device included."""
    async with running(project(tmp_path)) as here:
        await here.put("/v1/profiles/p1", {"devices": ["d1", "d2"]})
        for n in range(3):
            await fix(here, "d2", now() - 3000 + 400 * n, id=f"in{n}")
            for k in range(3):
                await fix(here, "d2", now() - 2900 + 400 * n + 70 * k, 900, id=f"out{n}{k}")
            await fix(here, f"other{n}", now() - 10)
        await here.settled()
        await here.server.runner.checkpoint()
        begun = now()
        await fix(here, "d1", now() - 5)
        asked = now() + 0.001
        for window in ("1d", repr(asked - begun)):  # from the journal's beginning, and from the checkpoint
            told = await why(here, "d1", at=repr(asked), window=window)
            assert told["again"]["would"] == "send"
            assert told["again"]["conditions"][0]["saw"] == 3
            assert told["again"]["person"] == "p1"


async def test_after_a_restart_the_checkpoint_is_where_it_begins(tmp_path: Path):
    config = project(tmp_path)
    async with running(config) as here:
        await here.put("/v1/profiles/p1", {"devices": ["d1"], "attributes": {"tier": "gold"}})
        await fix(here, "d1", now() - 50, 114)
    async with running(config) as here:
        await here.server.runner.checkpoint()
        begun = now()
        await fix(here, "d1", now() - 5, 130)
        asked = now() + 0.001
        late = {"at": repr(asked), "window": repr(asked - begun)}
        assert (await why(here, "d1", **late))["coffee"]["nearest_miss"] == "30 m outside cafe-mitte"
        assert (await why(here, "d1"))["coffee"]["nearest_miss"] == "14 m outside cafe-mitte"
        assert (await here.get("/v1/why", device="d1", **late))["person"] == "p1"


async def test_the_store_knows_better_than_one_person_can(tmp_path: Path):
    """A rule's total is used up by others: recomputed alone it would have been a send."""
    rules = RULES.replace("event: tap\n", "event: tap\n    limits:\n      total: 1 per day\n    purpose: service\n")
    async with running(project(tmp_path, rules)) as here:
        await here.post("/v1/signals", {"device": "early", "event": "tap"})
        await here.post("/v1/signals", {"device": "late", "event": "tap"})
        told = await why(here, "late")
        assert (told["tap"]["would"], told["tap"]["reason"]) == ("suppress", "RULE_LIMIT")


async def test_window_and_device_are_checked(tmp_path: Path):
    async with running(project(tmp_path)) as here:
        for params, field in (
            ({"device": "d1", "window": "soon"}, "window"),
            ({"device": "d1", "window": "99d"}, "window"),
        ):
            async with here.session.get(f"{here.server.url}/v1/why", params=params) as answer:
                assert answer.status == 400
                assert (await answer.json())["field"] == field
        assert (await here.get("/v1/why", device="nobody"))["rules"]


async def test_too_many_questions_are_sent_away(monkeypatch: pytest.MonkeyPatch):
    gate = asyncio.Event()

    async def slow(*args: Any) -> dict[str, Any]:
        await gate.wait()
        return {}

    monkeypatch.setattr(asking, "answer", slow)
    questions, live = asking.Questions(None, None), CoreState()  # type: ignore[arg-type]  # nothing of them is asked
    most = asking.AT_ONCE + asking.WAITING
    waiting = [asyncio.create_task(questions.why(live, "d", None, 0.0)) for _ in range(most)]
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await questions.why(live, "d", None, 0.0)
    gate.set()
    assert len(await asyncio.gather(*waiting)) == most
    assert await questions.why(live, "d", None, 0.0) == {}


async def test_where_many_people_are_held_a_process_of_its_own_says_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    async with running(project(tmp_path)) as here:
        await here.put("/v1/profiles/p1", {"devices": ["d1"]})
        await fix(here, "d1", now() - 50, 114)
        await here.server.runner.checkpoint()
        await fix(here, "d1", now() - 5, context={"temp": 3})
        await here.settled()
        await asyncio.sleep(0.2)  # the console has sent
        at = repr(now())
        within = await here.get("/v1/why", device="d1", at=at)
        monkeypatch.setattr(asking, "MANY", -1)
        assert await here.get("/v1/why", device="d1", at=at) == within
        assert within["rules"][0]["rule"] == "coffee"


async def test_answers_are_bounded(tmp_path: Path):
    many = "".join(f"  r{n}:\n    when:\n      enters: cafe-mitte\n    message:\n      body: x\n" for n in range(250))
    async with running(project(tmp_path, "rules:\n" + many)) as here:
        await fix(here, "d1", now() - 5, 500)
        await here.settled()
        answer = await here.get("/v1/why", device="d1")
        assert len(answer["rules"]) == asking.MAX_RULES
        assert answer["rules_left_out"] == 150
