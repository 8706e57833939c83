"""``herenow release`` against a live server."""

import asyncio
import json
from pathlib import Path

from click.testing import CliRunner, Result

from engine.cli.main import main
from tests.support import OPEN_HOUSE, circle, running, write_project

RULES = "rules:\n  hello:\n    when:\n      event: open\n    message:\n      title: {}\n"


def project(folder: Path, title: str) -> str:
    return str(write_project(folder, OPEN_HOUSE, RULES.format(title), [circle("cafe", 52.52, 13.405, 100)]))


async def release(*args: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, main, ["release", *args], catch_exceptions=False)


async def test_diff_push_list_and_rollback(tmp_path: Path):
    server, mine = project(tmp_path / "server", "One"), project(tmp_path / "mine", "Two")
    async with running(Path(server)) as here:
        at = ("--config", mine, "--url", here.server.url)
        differs = await release("diff", *at)
        assert differs.exit_code == 1
        assert "1 rule changed" in differs.output
        assert "title: One → Two" in differs.output
        pushed = await release("push", *at, "--why", "new words", "--approved-by", "Mira")
        assert (pushed.exit_code, pushed.output.strip().endswith("is in force")) == (0, True)
        assert (await release("diff", *at)).exit_code == 0
        assert (await release("push", *at)).output.strip().endswith("is already in force")
        listed = (await release("list", *at)).output
        assert "push by local, approved by Mira: new words" in listed.splitlines()[0]
        assert "title: Two → One" in (await release("diff", "in-force", "previous", *at)).output
        back = await release("rollback", *at, "--why", "wrong")
        assert back.output.strip().endswith("is in force")
        answer = json.loads((await release("list", *at, "--format", "json")).output)
        assert answer["activations"][0]["why"] == "wrong"
        assert answer["in_force"] == answer["folder"]


async def test_a_wrong_file_is_told_before_anything_is_sent(tmp_path: Path):
    mine = project(tmp_path, "{{ now | nofilter }}")
    result = await release("push", "--config", mine, "--url", "http://127.0.0.1:9")
    assert result.exit_code == 1
    assert "rules/all.yaml:6" in result.output


async def test_staging_leaves_what_is_in_force(tmp_path: Path):
    server, mine = project(tmp_path / "server", "One"), project(tmp_path / "mine", "Two")
    async with running(Path(server)) as here:
        at = ("--config", mine, "--url", here.server.url)
        staged = (await release("push", *at, "--stage")).output
        assert staged.strip().endswith("is staged")
        assert (await release("diff", *at)).exit_code == 1
        await release("rollback", staged.splitlines()[-1].split()[0], *at)
        assert (await release("diff", *at)).exit_code == 0
