"""Shipping a change over HTTP: who and why, going back, and what a wrong push cannot do."""

from pathlib import Path
from typing import Any

from tests.support import OPEN_HOUSE, Running, circle, running, write_project

CAFE = circle("cafe", 52.52, 13.405, 100, tags=["cafe"])
RULES = """
rules:
  hello:
    when:
      event: open
    conversion: purchase
    message:
      title: {}
"""


def project(folder: Path, title: str = "One") -> Path:
    return write_project(folder, OPEN_HOUSE, RULES.format(title), [CAFE])


async def push(here: Running, title: str, status: int = 201, **more: Any) -> dict[str, Any]:
    return await here.post("/v1/releases", {"files": {"rules/all.yaml": RULES.format(title)}, **more}, status)


async def said(here: Running, device: str) -> str:
    await here.post("/v1/signals", {"device": device, "event": "open"})
    return (await here.moments(device=device))[-1]["message"]["title"]


async def test_a_push_is_in_force_at_once_and_says_who_and_why(tmp_path: Path):
    async with running(project(tmp_path)) as here:
        first = (await here.get("/v1/releases"))["in_force"]
        pushed = await push(here, "Two", why="new words", approved_by="Mira")
        assert pushed["in_force"]
        assert await said(here, "d1") == "Two"
        listed = await here.get("/v1/releases")
        newest, oldest = listed["releases"]
        assert (newest["release"], newest["why"], newest["approved_by"], newest["by"], newest["source"]) == (
            pushed["release"],
            "new words",
            "Mira",
            "local",
            "push",
        )
        assert newest["in_force"]
        assert (oldest["release"], oldest["source"], oldest["in_force"]) == (first, "folder", False)
        entry = (await here.get("/v1/audit"))["audit"][0]
        assert (entry["action"], entry["scope"], entry["id"], entry["approved_by"]) == (
            "activate",
            "release",
            pushed["release"],
            "Mira",
        )


async def test_a_bad_push_names_place_and_fix_and_changes_nothing(tmp_path: Path):
    async with running(project(tmp_path)) as here:
        before = await here.get("/v1/releases")
        files = {"rules/all.yaml": RULES.format("Two").replace("event: open", "enters: nowhere")}
        answer = await here.post("/v1/releases", {"files": files}, 422)
        finding = answer["findings"][0]
        assert (finding["file"], finding["line"], finding["severity"]) == ("rules/all.yaml", 5, "error")
        assert "in force still is" in answer["detail"]
        assert await here.get("/v1/releases") == before
        assert await said(here, "d1") == "One"


async def test_files_that_belong_to_no_release_are_refused_by_name(tmp_path: Path):
    async with running(project(tmp_path)) as here:
        for name in ("../etc/passwd", "rules/../../x.yaml", "rules/a.test.yaml", "config.toml", "rules/a.txt"):
            answer = await here.post("/v1/releases", {"files": {name: ""}}, 422)
            assert answer["field"] == "files", name
        assert (await here.post("/v1/releases", {"files": {}}, 422))["field"] == "files"


async def test_a_rollback_is_not_undone_by_a_restart(tmp_path: Path):
    config = project(tmp_path)
    async with running(config) as here:
        first = (await here.get("/v1/releases"))["in_force"]
        second = (await push(here, "Two"))["release"]
        back = await here.post("/v1/releases/previous/activate", {"why": "wrong price"}, 200)
        assert back["release"] == first
        third = (await push(here, "Three"))["release"]
        await here.post(f"/v1/releases/{second[:10]}/activate", {"why": "better"}, 200)
    async with running(config) as here:
        listed = await here.get("/v1/releases")
        assert listed["in_force"] == second
        assert listed["folder"] == first
        assert [held["source"] for held in listed["activations"]] == ["rollback", "push", "rollback", "push", "folder"]
        assert listed["activations"][1]["release"] == third
        assert await said(here, "d1") == "Two"


async def test_a_changed_folder_is_taken_after_a_rollback(tmp_path: Path):
    config = project(tmp_path)
    async with running(config) as here:
        await push(here, "Two")
    project(tmp_path, "Three")
    async with running(config) as here:
        assert await said(here, "d1") == "Three"


async def test_a_staged_release_waits_for_somebody_to_activate_it(tmp_path: Path):
    async with running(project(tmp_path)) as here:
        staged = await push(here, "Two", stage=True, why="for Mira to see")
        assert not staged["in_force"]
        assert await said(here, "d1") == "One"
        newest = (await here.get("/v1/releases"))["releases"][0]
        assert (newest["release"], newest["source"]) == (staged["release"], "staged")
        await here.post(f"/v1/releases/{staged['release']}/activate", {"approved_by": "Mira"}, 200)
        assert await said(here, "d2") == "Two"


async def test_what_differs_is_told_in_plain_words(tmp_path: Path):
    async with running(project(tmp_path)) as here:
        first = (await here.get("/v1/releases"))["in_force"]
        second = (await push(here, "Two"))["release"]
        told = await here.get(f"/v1/releases/{second}", against=first[:8], files="true")
        assert told["changes"][0] == {"kind": "rule", "id": "hello", "what": "changed", "lines": ["title: One → Two"]}
        assert [change["kind"] for change in told["changes"]] == ["rule", "geofence"]
        assert told["files"] == {"rules/all.yaml": RULES.format("Two")}
        assert [rule["id"] for rule in told["rules"]] == ["hello"]


async def test_unknown_and_ambiguous_releases_are_named(tmp_path: Path):
    async with running(project(tmp_path)) as here:
        answer = await here.post("/v1/releases/abcdef123/activate", {}, 404)
        assert "abcdef123" in answer["detail"]
        assert (await here.post("/v1/releases/previous/activate", {}, 404))["status"] == 404
        assert (await here.post(f"/v1/releases/{'0' * 40}/activate", {}, 404))["status"] == 404
        same = (await here.get("/v1/releases"))["in_force"]
        assert (await here.post(f"/v1/releases/{same}/activate", {}, 200))["changed"] is False


async def test_pushing_needs_the_scope_publish(tmp_path: Path):
    from engine.api.keys import Keyring

    config = project(tmp_path)
    ring = Keyring.open(tmp_path / "var", {})
    _, operate = ring.create(("operate", "read"), "")
    _, publish = ring.create(("publish",), "")
    async with running(config) as here:
        for key, status in ((operate, 403), (publish, 201)):
            body = {"files": {"rules/all.yaml": RULES.format("Two")}}
            headers = {"Authorization": f"Bearer {key}"}
            async with here.session.post(f"{here.server.url}/v1/releases", json=body, headers=headers) as answer:
                assert answer.status == status, await answer.text()
