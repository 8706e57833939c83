"""``herenow check``: everything that is to say about a project's files, and the safe corrections of them."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

from msgspec import Struct

from engine.author import fix, folder, scenario_files
from engine.author.bundle import Bundle
from engine.author.collector import paused
from engine.author.crosscheck import cross_check
from engine.author.lint import lint
from engine.author.project import read_parts
from engine.author.report import ordered
from engine.author.scenarios import Names, read_scenarios
from engine.author.yaml import MAX_BYTES
from engine.errors import Finding
from engine.model.config import Config


class Change(Struct, frozen=True):
    """One file that ``--fix`` mends."""

    name: str
    path: Path
    before: bytes
    after: bytes


class _Project:
    """The files as they were read. Names are those of findings: ``rules/x.yaml``."""

    def __init__(self, config: Config, today: date | None) -> None:
        self.config, self.today = config, today
        self.files, self.unread = folder.read_files(config)
        self.paths = dict(folder.authored(config))
        scenarios = dict(scenario_files.find_files(config))
        self.folders = {name: path.parent for name, path in scenarios.items()}
        self.paths |= scenarios
        for name, path in scenarios.items():
            self._read(name, path)

    def _read(self, name: str, path: Path) -> None:
        try:
            with path.open("rb") as file:
                self.files[name] = file.read(MAX_BYTES + 1)
        except OSError as error:
            self.unread.append(folder.unreadable(name, error))

    def judge(self, files: Mapping[str, bytes]) -> list[Finding]:
        """Everything that is to say about these contents."""
        with paused():
            scenarios = {name: data for name, data in files.items() if name in self.folders}
            rest = {name: data for name, data in files.items() if name not in self.folders}
            parts, findings = read_parts(Bundle(rest, self.config.policy))
            findings += [*cross_check(parts), *lint(parts, self.today)]
            read = read_scenarios(scenarios, self.config.policy.decide.time_zone, self.folders)
            wrong = {finding.file for finding in findings if finding.severity == "error"}
            doubtful = {"rule" if name.startswith("rules/") else "fence" for name in wrong}
            read.uses = [use for use in read.uses if use.kind not in doubtful]
            rules, fences = frozenset(rule.id for rule, *_ in parts.rules), frozenset(f.id for f in parts.fences)
            return [*findings, *read.checked(Names(rules, fences, self.config.policy.channels))]


def check(config: Config, today: date | None = None) -> list[Finding]:
    """Every finding of the project's files, scenarios included, sorted by place. ``today``: the project's date, without
    which nothing is said about what is over."""
    project = _Project(config, today)
    findings = project.judge(project.files)
    if not project.files and not project.unread:
        problem, mend = "There are no rules and no geofences.", "Put files into rules/ and geofences/."
        findings.append(Finding(config.paths.rules, 0, 0, "info", "EMPTY", problem, mend))
    return ordered([*project.unread, *findings])


def corrections(config: Config, today: date | None = None) -> list[Change]:
    """What ``--fix`` would write. Nothing is written yet."""
    project = _Project(config, today)
    mended = fix.fix_files(project.files, project.judge)
    return [Change(name, project.paths[name], project.files[name], data) for name, data in sorted(mended.items())]
