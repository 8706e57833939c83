"""How long does a large project take to be checked, to be loaded, and to be tested?

    python -m benchmarks.check                    # 10,000 rules and 10,000 scenarios
    python -m benchmarks.check --rules 1000 --scenarios 0

Every rule is its own: no two have the same title, and most lines differ. Files hold a hundred rules each. ``check`` is
all that ``herenow check`` does after its command is loaded; ``load`` is what a server does with a changed folder before
the new release can be put in force: read, parse, look for errors, compile rules, templates and fences; ``test`` is what
``herenow test`` does: every scenario is played, and is as expected. Each is measured in a process of its own, so that
nothing is remembered from a run before.
"""

import argparse
import json
import multiprocessing
import tempfile
import time
from pathlib import Path
from typing import Any

from engine.author.checking import check
from engine.author.config import load_config
from engine.author.project import compile_bundle, read_bundle
from engine.author.scenario_files import read_files
from engine.pipeline.releases import compile_all
from engine.scenario import for_scenarios, run_all

PER_FILE = 100
FENCES = 1_000
TAGS = 500
RUNS = {"check": 3, "load": 3, "test": 1}  # the best of them is printed
GOALS = {"check": 5.0, "load": 3.0}  # seconds, for ten thousand of each


def rule(n: int) -> str:
    """One rule of the usual length."""
    return f"""\
  rule-{n:05}:
    about: Campaign {n} for people who come by in the morning.
    owner: crm-team
    priority: {n // 100 % 100}
    when:
      enters: tag t{n % TAGS}
    only_if:
      - local_time: mon-fri 08:{n % 60:02}-19:00
      - profile.points > {n}
      - fence.weather.temp_c < {n % 30}
    unless:
      - did: purchase, in the last {1 + n % 48} hours
    message:
      send_within: 15 minutes
      title: "Hello {{{{ profile.first_name | default: 'you' }}}}, offer {n}"
      body: {n % 50} % off at {{{{ fence.name }}}} until {n % 12}:30.
    limits:
      per_person: 1 per day
    conversion:
      event: purchase
      within: 2 hours
"""


def scenario(n: int) -> str:
    """One scenario of the rule of the same number."""
    return f"""\
  rule {n} speaks on a cold morning:
    given:
      clock: 2026-11-24 08:00 Europe/Berlin
      profile:
        first_name: Nora
        points: {n + 5}
      facts:
        f{n % TAGS}:
          weather.temp_c: -1
    steps:
      - arrives: f{n % TAGS}
        at: 08:{n % 60:02}
    expect:
      - moment: rule-{n:05}
        says: offer {n}
"""


def fence(n: int) -> dict[str, Any]:
    """A circle of the grid."""
    point = {"type": "Point", "coordinates": [13 + n % 100 * 0.01, 52 + n // 100 * 0.01]}
    properties = {"name": f"Fence {n}", "tags": [f"t{n % TAGS}"], "radius": 120}
    return {"type": "Feature", "id": f"f{n}", "properties": properties, "geometry": point}


def write_project(root: Path, rules: int, scenarios: int) -> None:
    """The files of a project of that size."""
    (root / "rules").mkdir()
    (root / "geofences").mkdir()
    (root / "config.toml").write_text("")
    for count, top, make, end in ((rules, "rules", rule, ".yaml"), (scenarios, "scenarios", scenario, ".test.yaml")):
        for start in range(0, count, PER_FILE):
            text = "".join(make(n) for n in range(start, min(count, start + PER_FILE)))
            (root / "rules" / f"r{start // PER_FILE:04}{end}").write_text(f"{top}:\n{text}")
    collection = {"type": "FeatureCollection", "features": [fence(n) for n in range(FENCES)]}
    (root / "geofences" / "grid.geojson").write_text(json.dumps(collection))


def timed(name: str, settings: Path) -> tuple[float, float]:
    """Wall and processor seconds of one run."""
    config = load_config(settings, {})
    wall, cpu = time.perf_counter(), time.process_time()
    if name == "check":
        findings = check(config)
        assert findings == [], f"the project is meant to be right: {findings[0]}"
    elif name == "test":
        scenarios = read_files(config, ()).scenarios
        compiled = for_scenarios(compile_bundle(read_bundle(config))[0])
        wrong = [result for result in run_all(compiled, scenarios) if not result.ok]
        assert wrong == [], f"the scenarios are meant to be right: {wrong[0]}"
    else:
        compile_all(read_bundle(config), new=True, told=False)
    return time.perf_counter() - wall, time.process_time() - cpu


def alone(name: str, settings: Path) -> tuple[float, float]:
    """The same in a fresh process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(timed, (name, settings))


def main() -> None:
    """Print both, with the goal where the size is the goal's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rules", type=int, default=10_000)
    parser.add_argument("--scenarios", type=int, default=10_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write_project(Path(folder), asked.rules, asked.scenarios)
        print(f"{asked.rules} rules, {asked.scenarios} scenarios, {FENCES} geofences")
        print(f"{'':8}{'wall s':>8}{'cpu s':>8}{'goal s':>8}")
        for name, runs in RUNS.items():
            wall, cpu = min(alone(name, Path(folder) / "config.toml") for _ in range(runs))
            promised = name in GOALS and (asked.rules, asked.scenarios) == (10_000, 10_000)
            goal = f"{GOALS[name]:8.1f}" if promised else ""
            print(f"{name:8}{wall:8.2f}{cpu:8.2f}{goal}")


if __name__ == "__main__":
    main()
