"""What a server does first: which release it puts in force, and that it sends nothing before it has its port."""

import socket
from pathlib import Path
from typing import Any

import pytest

from engine.app import open_server
from engine.author.config import load_config
from engine.author.project import Bundle
from engine.deliver import Deliverer
from engine.errors import AuthorError, Finding
from engine.pipeline import releases
from engine.store.embedded import EmbeddedStore
from tests.support import OPEN_HOUSE, running, write_project

RULES = "rules:\n  hello:\n    when:\n      event: hello\n    message:\n      body: {}\n"


def refuse(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """A version that cannot load these releases."""
    real = releases.compile_all

    def compile_all(bundle: Bundle, new: bool = False, *more: Any) -> Any:
        if bundle.hash in names:
            raise AuthorError([Finding("rules/all.yaml", 1, 1, "error", "OLD", "This is not known any more.")])
        return real(bundle, new, *more)

    monkeypatch.setattr(releases, "compile_all", compile_all)


async def pushed(runner: Any, body: str) -> str:
    bundle = Bundle({"rules/all.yaml": RULES.format(body).encode()}, runner.config.policy)
    return await runner.activate(bundle, "ann", "why", "push")


async def test_a_chosen_release_that_cannot_be_loaded_gives_way_to_the_one_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = write_project(tmp_path, OPEN_HOUSE, RULES.format("Folder"), [])
    async with running(config) as r:
        good = await pushed(r.server.runner, "Good")
        bad = await pushed(r.server.runner, "Bad")
    refuse(monkeypatch, bad)
    async with running(config) as r:
        runner = r.server.runner
        assert runner.core.compiled.release.hash == good
        assert f"Release {bad[:12]} cannot be loaded" in runner.health()["notes"]["release"]
        await pushed(runner, "Better")
        assert "release" not in runner.health()["notes"]


async def test_the_folder_that_somebody_chose_against_does_not_come_back_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = write_project(tmp_path, OPEN_HOUSE, RULES.format("Folder"), [])
    async with running(config) as r:
        bad = await pushed(r.server.runner, "Bad")
    refuse(monkeypatch, bad)
    async with running(config) as r:
        assert r.server.runner.core.compiled.release.rules == ()
        assert "nothing is in force" in r.server.runner.health()["notes"]["release"]
    (tmp_path / "rules" / "all.yaml").write_text(RULES.format("Changed"))
    async with running(config) as r:
        assert [rule.id for rule in r.server.runner.core.compiled.release.rules] == ["hello"]


async def test_what_the_folder_holds_is_not_read_from_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, asked, read = write_project(tmp_path, OPEN_HOUSE, RULES.format("Folder"), []), [], EmbeddedStore.get_object

    async def get_object(store: EmbeddedStore, key: str) -> bytes | None:
        asked.append(key)
        return await read(store, key)

    async with running(config) as r:
        folder = r.server.runner.core.compiled.release.hash
    monkeypatch.setattr(EmbeddedStore, "get_object", get_object)
    async with running(config) as r:
        assert (r.server.runner.core.compiled.release.hash, asked) == (folder, [])
        chosen = await pushed(r.server.runner, "Chosen")
    async with running(config) as r:
        assert r.server.runner.core.compiled.release.hash == chosen == asked[-1]


async def test_who_pushes_a_release_is_told_of_warnings_and_a_changed_folder_is_asked_for_errors_alone(
    tmp_path: Path,
) -> None:
    twice = RULES.format("One") + RULES.format("Two").replace("hello:", "other:").removeprefix("rules:\n")
    async with running(write_project(tmp_path, OPEN_HOUSE, twice, [])) as r:
        runner = r.server.runner
        folder = runner.core.compiled.release.hash
        bundle = Bundle({"rules/all.yaml": twice.replace("Two", "Three").encode()}, runner.config.policy)
        pushed = await runner.activate(bundle, "ann", "why", "push")
        codes = {name: {finding.code for finding in runner.releases.findings[name]} for name in (folder, pushed)}
        assert "NO_CONVERSION" in codes[folder]
        assert "SHADOWED" in codes[pushed] - codes[folder]


async def test_a_server_that_does_not_get_its_port_sends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []

    async def note(self: Deliverer) -> None:
        begun.append("sending")

    monkeypatch.setattr(Deliverer, "recover", note)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        text = OPEN_HOUSE.replace("port = 0", f"port = {taken.getsockname()[1]}")
        config = load_config(write_project(tmp_path, text, RULES.format("Hi"), []), {})
        with pytest.raises(Exception, match=r"(?i)port|address"):
            async with open_server(config, {}):
                pass
    assert begun == []
