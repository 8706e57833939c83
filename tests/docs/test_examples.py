"""Docs that cannot lie: every fenced block of every page is compiled, loaded, parsed or run."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from engine.author.checking import check
from engine.author.config import load_config
from engine.author.geojson import read_fences
from engine.author.project import compile_bundle, read_bundle
from engine.model.config import Channel, Config

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
NOT_RUN = 9
"""Blocks marked ``not-run``: they set up a machine, run until stopped, or need a file that only the reader has."""

_BLOCK = re.compile(r"^```(\S*)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One fenced block: where it begins, its language, whether it is marked as one that cannot run, and the file that
    its first line names (```yaml town/rules/x.yaml): it is saved there, and judged by what the page does with it."""

    page: str
    line: int
    language: str
    runs: bool
    text: str
    file: str = ""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    """All fenced blocks of a page, in order."""
    text = page.read_text("utf-8")
    name = str(page.relative_to(ROOT))
    return [
        Block(name, text.count("\n", 0, m.start()) + 1, m[1], "not-run" not in m[2], m[3], m[2].strip())
        for m in _BLOCK.finditer(text)
    ]


BLOCKS = [block for page in PAGES for block in blocks_of(page)]


def of(*languages: str) -> Any:
    """The blocks of these languages, as parameters of a test."""
    return pytest.mark.parametrize("block", [b for b in BLOCKS if b.language in languages], ids=str)


# ------------------------------------------------------------------ what only needs to be read


def test_every_block_is_of_a_kind_that_is_tested():
    kinds = {"sh", "yaml", "toml", "json", "geojson", "python", "text"}
    assert [str(b) for b in BLOCKS if b.language not in kinds] == []
    assert all(text.count("```") % 2 == 0 for text in (page.read_text("utf-8") for page in PAGES))


def test_blocks_that_cannot_run_are_counted():
    assert len([b for b in BLOCKS if not b.runs]) == NOT_RUN


SCENARIOS = [
    b for b in BLOCKS if b.language == "yaml" and not b.file and re.search("^scenarios:", b.text, re.MULTILINE)
]
RULES = [b for b in BLOCKS if b.language == "yaml" and not b.file and b not in SCENARIOS]


@pytest.mark.parametrize("block", RULES, ids=str)
def test_rules_compile_in_the_demo_city(block: Block, tmp_path: Path):
    config = city(tmp_path)
    catalogue = re.match(r"# rules/((?:schema|segments|offers|journeys|messages|templates)\.yaml)\n", block.text)
    name = catalogue[1] if catalogue else "example.yaml"
    for other in (b for b in BLOCKS if b.page == block.page):  # what rules of the page may use
        if shared := re.match(r"# (rules/(?:messages|templates)\.yaml)\n", other.text):
            (tmp_path / shared[1]).write_text(other.text)
    (Path(config.paths.rules) / name).write_text(block.text)
    release, _ = compile_bundle(read_bundle(config))
    findings = check(config)
    own = set() if catalogue else set(re.findall(r"^  ([\w-]+):$", block.text, re.MULTILINE))
    assert own <= {rule.id for rule in release.rules}
    assert [str(f) for f in findings if name in f.file and f.severity != "info" and f.code != "NO_CONVERSION"] == []


@pytest.mark.parametrize("block", SCENARIOS, ids=str)
def test_scenarios_come_out_as_they_say(block: Block, tmp_path: Path):
    """In the demo city, with the rule files that the same page shows."""
    from engine.author.scenario_files import read_files
    from engine.scenario import for_scenarios, run_all

    config = city(tmp_path)
    for other in (b for b in BLOCKS if b.page == block.page):
        if named := re.match(r"# (rules/[\w-]+\.yaml)\n", other.text):
            (tmp_path / named[1]).write_text(other.text)
    (tmp_path / "example.test.yaml").write_text(block.text)
    read = read_files(config, [str(tmp_path / "example.test.yaml")])
    assert read.findings == []
    results = list(run_all(for_scenarios(compile_bundle(read_bundle(config))[0]), read.scenarios))
    assert results
    assert [(r.scenario.name, r.failures) for r in results if not r.ok] == []


def city(folder: Path) -> Config:
    """A project with the demo city's files."""
    for name in ("rules", "geofences"):
        shutil.copytree(ROOT / name, folder / name)
    config = load_config(ROOT / "config.toml", {})
    channels = (*config.channels, Channel("push", "console"), Channel("sms", "console"))
    policy = replace(config.policy, channels=tuple(c.name for c in channels))
    paths = replace(config.paths, rules=str(folder / "rules"), geofences=str(folder / "geofences"))
    return replace(config, paths=paths, channels=channels, policy=policy)


@of("toml")
def test_settings_load(block: Block, tmp_path: Path):
    (tmp_path / "config.toml").write_text(block.text)
    load_config(tmp_path / "config.toml", {})


def test_the_settings_page_shows_the_defaults(tmp_path: Path):
    whole = next(b for b in BLOCKS if b.page == "docs/reference/config.md" and b.language == "toml")
    (tmp_path / "config.toml").write_text(whole.text)
    (tmp_path / "empty.toml").write_text("")
    shown, default = load_config(tmp_path / "config.toml", {}), load_config(tmp_path / "empty.toml", {})
    for part in ("server", "store", "retention", "limits", "unknown_fields", "egress_allow"):
        assert getattr(shown, part) == getattr(default, part), part
    for part in ("sense", "decide", "sends_per_minute", "matcher"):
        assert getattr(shown.policy, part) == getattr(default.policy, part), part


def test_the_settings_page_names_every_key_of_the_demo_settings():
    page = (ROOT / "docs/reference/config.md").read_text("utf-8")
    keys = re.findall(r"^(?:# )?(\w+) = ", (ROOT / "config.toml").read_text("utf-8"), re.MULTILINE)
    assert [key for key in keys if f"{key} = " not in page] == []


@of("geojson")
def test_fences_are_read(block: Block):
    fences, findings = read_fences("example.geojson", block.text.encode())
    assert fences
    assert findings == []


@of("json")
def test_json_is_json(block: Block):
    json.loads(block.text)


@of("python")
def test_the_webhook_receiver_verifies_what_the_adapter_signs(block: Block):
    from datetime import UTC, datetime

    from standardwebhooks.webhooks import Webhook

    secret, body, names = "whsec_" + "c2VjcmV0" * 4, b'{"type": "moment", "data": {"rule": "hello"}}', {}
    exec(compile(block.text, str(block), "exec"), names)
    now = datetime.now(UTC)
    headers = {
        "webhook-id": "ntf_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign("ntf_1", now, body.decode()),
    }
    assert names["receive"](body, headers, secret) == {"rule": "hello"}


# ------------------------------------------------------------------ what must run


@dataclass
class Sandbox:
    """A real server in a project folder of its own; shell blocks run there as a reader would run them."""

    folder: Path
    port: int
    at: Path = Path()
    """Where the reader of a page stands: ``cd`` lasts from block to block."""

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return json.loads(answer.read() or b"null")

    def shell(self, script: str) -> subprocess.CompletedProcess[str]:
        lines = script.replace("127.0.0.1:8080", f"127.0.0.1:{self.port}").replace(
            "curl -s", "curl -sS --fail-with-body"
        )
        # doctor looks whether the port is free, and here the reader's server has it
        port = free_port() if "doctor" in script else self.port
        environ = environment(self.folder) | {"HERENOW_SERVER__PORT": str(port)}
        here = self.folder / ".here"
        done = subprocess.run(
            ["bash", "-e", "-c", f"{lines}\npwd > {here}"],
            cwd=self.folder / self.at, env=environ, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        if done.returncode == 0:
            self.at = Path(here.read_text().strip())
        return done

    def until(self, path: str, words: str) -> Any:
        """Ask until the answer holds these words."""
        answer = None
        for _ in range(100):
            answer = self.get(path)
            if words in json.dumps(answer):
                return answer
            time.sleep(0.2)
        raise AssertionError(f"GET {path} never spoke of {words}: {answer}")


def environment(folder: Path) -> dict[str, str]:
    """The reader's environment: ``herenow`` on the path, no settings of this machine."""
    (folder / "bin").mkdir(exist_ok=True)
    command = folder / "bin" / "herenow"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m engine.cli "$@"\n')
    command.chmod(0o755)
    own = {key: value for key, value in os.environ.items() if not key.startswith("HERENOW_")}
    return own | {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    if shutil.which("bash") is None or shutil.which("curl") is None:
        pytest.skip("the shell examples need bash and curl")
    folder = tmp_path_factory.mktemp("project")
    for name in ("rules", "geofences"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copytree(ROOT / "docs" / "cookbook", folder / "docs" / "cookbook")
    shutil.copy(ROOT / "config.toml", folder)
    port = free_port()
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "engine.cli", "serve", "--sandbox", "--port", str(port)],
            cwd=folder, env=environment(folder), stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            wait_until_ready(server, port, folder / "server.log")
            yield Sandbox(folder, port)
        finally:
            server.send_signal(signal.SIGTERM)
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def wait_until_ready(server: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    """Until ``/readyz`` answers 200."""
    for _ in range(150):
        if server.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise AssertionError(f"the sandbox did not start:\n{log.read_text()[-4000:]}")


@pytest.mark.parametrize(
    "page", [p for p in PAGES if any(b.language == "sh" and b.runs for b in blocks_of(p))], ids=lambda p: p.name
)
def test_a_reader_can_follow_the_page(page: Path, sandbox: Sandbox):
    """Blocks run in order; a rule file that names itself in its first line is saved and taken by the server."""
    ran, sandbox.at = 0, Path()
    for block in blocks_of(page):
        if block.runs and block.file:
            (sandbox.folder / block.file).write_text(block.text)
        named = re.match(r"# (rules/[\w-]+\.yaml)\n", block.text)
        if named:
            (sandbox.folder / named[1]).write_text(block.text)
            rule = re.search(r"^  ([\w-]+):$", block.text, re.MULTILINE)
            assert rule is not None
            sandbox.until("/v1/rules", f'"{rule[1]}"')
        elif named := re.match(r"# (rules/[\w-]+\.test\.yaml)\n", block.text):
            (sandbox.folder / named[1]).write_text(block.text)
        if block.language == "sh" and block.runs:
            done = sandbox.shell(block.text)
            assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
            ran += 1
    assert ran > 0


def test_the_first_message_of_the_readme_was_sent(sandbox: Sandbox):
    """The five minutes end well: the test person's moment was sent to the console."""
    if not (sandbox.folder / "rules" / "hello.yaml").exists():
        test_a_reader_can_follow_the_page(ROOT / "README.md", sandbox)
    answer = sandbox.until("/v1/moments?person=me", "hello")
    moment = next(m for m in answer["moments"] if m["rule"] == "hello")
    assert moment["decision"]["verdict"] == "send"
    assert moment["message"]["title"] == "Welcome to Hotel Krone"


# ------------------------------------------------------------------ nothing is left out


def test_every_command_has_its_heading():
    from engine.cli.main import COMMANDS

    page = (ROOT / "docs/reference/cli.md").read_text("utf-8")
    assert [name for name in COMMANDS if f"## herenow {name}\n" not in page] == []


def test_every_call_is_on_the_page():
    from engine.api.routes import ROUTES

    page = (ROOT / "docs/reference/http.md").read_text("utf-8").replace("`", " ")
    switches = re.compile(r"/v1/(rules|channels|geofences)/\{id\}/(pause|resume)")
    paths = {route.path for route in ROUTES if not switches.fullmatch(route.path) and "static" not in route.path}
    assert sorted(path for path in paths if f"{path} " not in re.sub(r"[?,;|]", " ", page)) == []


def test_every_reason_is_explained():
    from engine.model.reason import Reason

    page = (ROOT / "docs/reference/semantics.md").read_text("utf-8")
    assert [reason for reason in Reason if reason != "OK" and f"`{reason}`" not in page] == []


def test_every_adapter_is_named():
    from importlib.metadata import entry_points

    page = (ROOT / "docs/reference/config.md").read_text("utf-8")
    adapters = entry_points(group="herenow.adapters").names
    assert {"console", "webhook", "inbox"} <= adapters
    assert sorted(name for name in adapters if f"`{name}`" not in page) == []
