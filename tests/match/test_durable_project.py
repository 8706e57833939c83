"""``[match] engine = "durable"`` in a project: accepted where it can be had, checked like all else, unseen in what is
decided."""

import random
from pathlib import Path

import pytest
from msgspec.structs import replace

from engine.author.config import load_config
from engine.author.project import compile_bundle, read_bundle
from engine.errors import AuthorError, ConfigError
from engine.match import durable
from engine.model.release import Policy
from engine.pipeline.core import Core
from engine.pipeline.releases import compile_all
from engine.pipeline.versions import Compiled
from tests.match.engines import need_durable
from tests.pipeline import test_determinism as pipeline
from tests.support import OPEN_HOUSE, circle, running, write_project

DURABLE = '\n[match]\nengine = "durable"\n'

RULES = """
rules:
  cold:
    when:
      enters: tag cafe
    only_if:
      - fence.weather.temp_c < 12
      - any_of:
          - profile.tier in gold, silver
          - profile.visits >= 3
    unless:
      - did: purchase, in the last 24 hours
    message:
      body: Warm up
"""

MORE_RULES = """
  weather:
    purpose: service
    when:
      - enters: tag cafe
      - event: purchase
    only_if:
      - any_of:
          - fence.weather.temp_c between 5 and 20
          - context.value > 30
      - none_of:
          - context.mood in sad, angry
          - profile.first_name = Eve
      - local_time: mon-fri 07:00-19:00
    unless:
      - did: complaint, at least 2 times, in the last 12 hours
      - context.value = 13
    message:
      body: It is {{ fence.weather.temp_c }} degrees
"""


def project(folder: Path, rules: str, config: str = OPEN_HOUSE + DURABLE) -> Path:
    return write_project(folder, config, rules, [circle("cafe", 52.52, 13.405, 200.0, tags=["cafe"])])


def test_config_says_what_to_install_where_durable_rules_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durable, "missing", lambda: "No module named 'durable'")
    with pytest.raises(ConfigError) as raised:
        load_config(project(tmp_path, RULES), {})
    assert raised.value.where.endswith("[match] engine")
    assert "No module named 'durable'" in raised.value.problem
    assert "pip install 'herenow[durable]'" in raised.value.fix


def test_the_lines_that_durable_rules_cannot_express_are_found_with_the_others(tmp_path: Path) -> None:
    need_durable()
    rules = RULES.replace("fence.weather.temp_c < 12", "profile.spent < profile.limit")
    with pytest.raises(AuthorError) as raised:
        compile_bundle(read_bundle(load_config(project(tmp_path, rules), {})))
    (finding,) = [f for f in raised.value.findings if f.severity == "error"]
    assert (finding.file, finding.line, finding.code) == ("rules/all.yaml", 7, "NOT_DURABLE")
    assert finding.problem.startswith(
        "Rule 'cold' is not for durable-rules. 'profile.spent < profile.limit' compares two"
    )
    compile_bundle(read_bundle(load_config(project(tmp_path, rules, OPEN_HOUSE), {})))


async def test_a_server_with_durable_rules_decides_and_explains(tmp_path: Path) -> None:
    need_durable()
    async with running(project(tmp_path, RULES)) as here:
        await here.put("/v1/profiles/p1", {"attributes": {"tier": "gold"}, "consent": {"marketing": True}})
        await here.put("/v1/context/cafe", {"facts": {"weather": {"temp_c": 4}}, "ttl": "1h"})
        for device, person in (("d1", "p1"), ("d2", "p2")):
            signal = {"device": device, "person": person, "lat": 52.52, "lon": 13.405, "accuracy": 5}
            await here.post("/v1/signals", signal)
        found = {m["person"]: m["decision"] for m in await here.moments()}
    assert found["p1"]["verdict"] == "send"
    assert found["p2"]["reason"] == "UNKNOWN_VALUE"


@pytest.mark.parametrize("seed", range(3))
def test_effects_are_byte_for_byte_those_of_the_indexed_matcher(seed: int) -> None:
    need_durable()
    indexed, _ = compile_all(pipeline.bundle(rules=pipeline.RULES + MORE_RULES.encode()))
    policy: Policy = replace(indexed.release.policy, matcher="durable")
    second = Compiled.of(replace(indexed.release, policy=policy))
    name = indexed.release.hash
    several = [
        {name: one} | {pipeline.place(name, s.hash): one.with_fences(s) for s in pipeline.SETS if s.hash}
        for one in (indexed, second)
    ]
    records = pipeline.with_attempts(pipeline.journal(seed, [name], 800), several[0], seed)
    frames = pipeline.frames_of(records, range(0, len(records), random.Random(seed).randint(3, 30)))
    first, other = (pipeline.effects_of(Core(versions), frames, 7) for versions in several)
    assert len(first) > 100
    assert first == other


def test_the_demo_city_can_run_on_it(tmp_path: Path) -> None:
    need_durable()
    root = Path(__file__).parents[2]
    config = tmp_path / "config.toml"
    paths = f'[paths]\nrules = "{root / "rules"}"\ngeofences = "{root / "geofences"}"\ndata = "{tmp_path}"\n'
    config.write_text(
        paths + DURABLE + '[channels.inbox]\nadapter = "inbox"\n[channels.console]\nadapter = "console"\n'
    )
    compiled, _ = compile_all(read_bundle(load_config(config, {})))
    assert compiled.release.policy.matcher == "durable"
    assert len(compiled.matcher.rules) > 5
