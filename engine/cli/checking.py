"""``herenow check`` and ``herenow schema``: findings as text, JSON or annotations, and what editors need."""

import os
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from engine.author.checking import Change, corrections
from engine.author.checking import check as check_files
from engine.author.fix import diff, write
from engine.author.schema import SCHEMAS
from engine.cli.shared import config_option, configured, format_option, print_json
from engine.clock import SystemClock
from engine.errors import Finding
from engine.model.config import Config

_COLOURS = {"error": "red", "warning": "yellow", "info": "cyan"}
_GITHUB = {"error": "error", "warning": "warning", "info": "notice"}


@click.command()
@click.option("--fix", is_flag=True, help="Write the corrections that are safe, and show what was changed.")
@click.option("--strict", is_flag=True, help="Warnings count as well: exit code 1.")
@click.option(
    "--format", "form", type=click.Choice(["text", "json", "github"]), default="text", help="How to print the findings."
)
@config_option
def check(config_path: str | None, form: str, fix: bool, strict: bool) -> None:
    """Check rule, geofence and scenario files: every problem at once, with file, line, column and fix.

    \b
    Example:
      herenow check
      herenow check --fix
      herenow check --format github --strict
    """
    config = configured(config_path)
    today = _today(config)
    if fix:
        _mend(corrections(config, today), quiet=form != "text")
    findings = check_files(config, today)
    if form == "json":
        print_json(findings)
    elif form == "github":
        for finding in findings:
            click.echo(_annotation(finding, config))
    else:
        _print(findings)
    counted = ("error", "warning") if strict else ("error",)
    if any(finding.severity in counted for finding in findings):
        raise SystemExit(1)


@click.command()
@click.argument("kind", type=click.Choice(tuple(SCHEMAS)), default="rules")
@format_option
def schema(kind: str, form: str) -> None:
    """Print a JSON Schema: editors complete and check rules, geofences, config.toml and scenarios with it.

    \b
    Example:
      herenow schema rules > .herenow/rules.schema.json
      herenow schema config
    """
    print_json(SCHEMAS[kind]())


def _today(config: Config) -> date:
    """The date by the project's clock."""
    return datetime.fromtimestamp(SystemClock().now(), ZoneInfo(config.policy.decide.time_zone)).date()


def _mend(changes: Sequence[Change], quiet: bool) -> None:
    """Write the corrected files, and show the difference (on standard error where the answer is data)."""
    told = diff({change.name: change.before for change in changes}, {change.name: change.after for change in changes})
    for change in changes:
        write(change.path, change.before, change.after)
    for line in told.splitlines():
        colour = "green" if line.startswith("+") else "red" if line.startswith("-") else None
        click.secho(line, fg=None if line.startswith(("+++", "---")) else colour, err=quiet)
    if changes:
        click.echo(f"{len(changes)} file{'s' if len(changes) > 1 else ''} corrected\n", err=quiet)


def _print(findings: Sequence[Finding]) -> None:
    """One line a finding, in colour on a terminal."""
    for finding in findings:
        place = f"{finding.file}:{finding.line}:{finding.column}" if finding.line else finding.file
        severity = click.style(finding.severity, fg=_COLOURS[finding.severity], bold=True)
        fix = f" {click.style(finding.fix, fg='green')}" if finding.fix else ""
        code = click.style(f"[{finding.code}]", dim=True)
        click.echo(f"{click.style(place, bold=True)}: {severity}: {finding.problem}{fix} {code}")
    errors = sum(finding.severity == "error" for finding in findings)
    others = len(findings) - errors
    click.echo(f"{errors} error(s), {others} other finding(s)" if findings else click.style("fine", fg="green"))
    mendable = sum(isinstance(finding.edit, tuple) and finding.severity == "error" for finding in findings)
    if mendable:
        click.echo(f"{mendable} of them: herenow check --fix")


def _annotation(finding: Finding, config: Config) -> str:
    """``::error file=rules/x.yaml,line=3,col=5,title=CODE::problem fix``, as GitHub reads it in a log."""
    fields = {"file": _path(finding.file, config)}
    if finding.line:
        fields |= {"line": str(finding.line), "col": str(finding.column)}
    fields["title"] = finding.code
    told = ",".join(f"{key}={_escaped(value).replace(':', '%3A').replace(',', '%2C')}" for key, value in fields.items())
    return f"::{_GITHUB[finding.severity]} {told}::{_escaped(f'{finding.problem} {finding.fix}'.strip())}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _path(name: str, config: Config) -> str:
    """The file's path from the working folder, where the project's folders are not the usual ones."""
    for prefix, folder in (("rules/", config.paths.rules), ("geofences/", config.paths.geofences)):
        if name.startswith(prefix):
            return os.path.relpath(Path(folder) / name.removeprefix(prefix))
    return name
