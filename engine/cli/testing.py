"""``herenow test``: scenarios and generated checks against the rule files."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from engine.cli.shared import config_option, configured, format_option, print_json
from engine.errors import Finding, HerenowError
from engine.model.config import Config

if TYPE_CHECKING:
    from engine.author.scenario_parts import Scenario
    from engine.cli.reporting import Report
    from engine.pipeline.versions import Compiled

BAR_FROM = {"scenarios": 300, "generated days": 3}  # from so many on a run is worth a progress bar

T = TypeVar("T")


@click.command("test")
@click.argument("paths", nargs=-1, type=click.Path())
@click.option("-k", "name", help="Only scenarios whose name or file has these words.")
@click.option("-v", "--verbose", is_flag=True, help="One line a scenario instead of one dot.")
@click.option("--generated", type=click.IntRange(1, 1_000_000), help="Also try so many cases of generated days.")
@click.option("--seed", type=click.IntRange(0, 2**31), default=1, help="The first seed of the generated days.")
@click.option("--junit", type=click.Path(dir_okay=False), help="Write a JUnit XML report as well.")
@config_option
@format_option
def test(
    paths: tuple[str, ...],
    name: str | None,
    verbose: bool,
    generated: int | None,
    seed: int,
    junit: str | None,
    config_path: str | None,
    form: str,
) -> None:
    """Run the scenarios (*.test.yaml) beside the rules: what is given, what happens, what must come of it. Nothing is
    sent. PATH: files or folders instead of the rules folder.

    \b
    Example:
      herenow test
      herenow test rules/coffee.test.yaml -k "cold morning" -v
      herenow test --generated 50 --seed 1
    """
    from engine.author.scenario_files import read_files
    from engine.author.scenarios import Names
    from engine.cli.reporting import Report
    from engine.scenario import run_all

    config = configured(config_path)
    read = read_files(config, paths)
    compiled = _compiled(config)
    names = Names(
        frozenset(rule.id for rule in compiled.release.rules), compiled.fences.fences.keys(), config.policy.channels
    )
    findings = read.checked(names)
    wrong = {finding.file for finding in findings if finding.severity == "error"}
    scenarios = _chosen([s for s in read.scenarios if s.file not in wrong], name, bool(paths), findings)
    report = Report(findings, form == "text", verbose, sys.stdout.isatty())
    for result in _with_bar(run_all(compiled, scenarios), len(scenarios), "scenarios", report):
        report.add(result)
    if generated is not None:
        from engine.scenario.generated import check_many

        for checked in _with_bar(check_many(compiled, generated, seed), generated, "generated days", report):
            report.add_generated(checked, compiled.fences)
    if junit is not None:
        _write(junit, report.junit())
    if form == "json":
        print_json(report.as_data())
    else:
        report.close()
    if not report.ok:
        raise SystemExit(1)


def _compiled(config: Config) -> "Compiled":
    from engine.author.project import compile_bundle, read_bundle
    from engine.scenario import for_scenarios

    release, _ = compile_bundle(read_bundle(config))
    return for_scenarios(release)


def _chosen(scenarios: "list[Scenario]", name: str | None, named: bool, findings: list[Finding]) -> "list[Scenario]":
    """Those whose name or file has the words, whatever their case. None at all, where some were asked for, is wrong
    use."""
    words = (name or "").lower()
    chosen = [s for s in scenarios if words in s.name.lower() or words in s.file.lower()]
    if not chosen and not findings and (words or named):
        raise HerenowError("no scenario is like that", fix="herenow test -v shows all of them.")
    return chosen


def _with_bar(results: Iterable[T], count: int, what: str, report: "Report") -> Iterator[T]:
    """The results, with a progress bar on a terminal where there are many."""
    if count < BAR_FROM[what] or not sys.stderr.isatty():
        yield from results
        return
    from rich.console import Console
    from rich.progress import Progress

    report.begin_bar()
    console = Console(stderr=True)
    with Progress(console=console, transient=True, redirect_stdout=False, redirect_stderr=False) as progress:
        task = progress.add_task(what, total=count)
        for result in results:
            progress.advance(task)
            yield result
    report.end_bar()


def _write(path: str, text: str) -> None:
    try:
        Path(path).write_text(text, "utf-8")
    except OSError as error:
        raise HerenowError(f"{path} cannot be written: {error.strerror}", "--junit") from error
