"""``herenow replay``: the past through the rule files, alone, beside what was, or counted."""

from pathlib import Path
from typing import Any

import click
import msgspec
from msgspec.structs import replace

from engine.author.durations import parse_duration
from engine.author.report import TextError
from engine.cli.shared import config_option, configured, instant, local_time
from engine.errors import HerenowError

_folder = click.Path(exists=True, file_okay=False)


@click.command("replay")
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False))
@config_option
@click.option("--rules", type=_folder, help="Rule files to use instead of config.toml's.")
@click.option("--geofences", type=_folder, help="Geofence files to use instead.")
@click.option("--diff", "diff", is_flag=True, help="Beside what was: messages gained, lost and changed.")
@click.option("--estimate", "estimate", is_flag=True, help="How much each rule would have sent.")
@click.option("--since", help="Only what happened since: 2026-11-24T08:00:00Z, or 24h before the end.")
@click.option("--until", help="Only what happened until then.")
@click.option("--device", default="track", help="The device id, where FILE is a track without one.")
@click.option("--format", "form", type=click.Choice(["text", "json", "html"]), default="text", help="How to tell it.")
@click.option("--out", type=click.Path(dir_okay=False, writable=True), help="Write it there.")
def replay(
    file: str | None,
    config_path: str | None,
    rules: str | None,
    geofences: str | None,
    diff: bool,
    estimate: bool,
    since: str | None,
    until: str | None,
    device: str,
    form: str,
    out: str | None,
) -> None:
    """Run the journal, or FILE (JSON, NDJSON, GPX or CSV), through the rule files. Nothing is sent.

    With --diff the same past runs twice: under the releases that were in force, and under the files. Exit code 1 when
    somebody would have been above a cap or disturbed in quiet hours, or a rule stopped by the blast guard.

    \b
    Example:
      herenow replay --diff --since 24h
      herenow replay --diff --rules ../autumn/rules --format html --out autumn.html
      herenow replay ride.gpx --format json
      herenow replay --estimate
    """
    from engine.cli.replaying import Wanted

    if diff and estimate:
        raise click.UsageError("--diff and --estimate are two questions: ask one.")
    if form == "html" and not diff:
        raise click.UsageError("--format html draws a comparison: add --diff.")
    config = configured(config_path)
    paths = replace(config.paths, rules=rules or config.paths.rules, geofences=geofences or config.paths.geofences)
    begin, back = _since(since)
    wanted = Wanted(
        replace(config, paths=paths), Path(file) if file else None, device, begin, instant(until, "--until"), back
    )
    ask = _diff if diff else _estimate if estimate else _alone
    text, found = ask(wanted, config, form)
    _write(text, out)
    if found:
        raise SystemExit(1)


def _since(text: str | None) -> tuple[float | None, float | None]:
    """An instant, or how long before the end."""
    if text is None:
        return None, None
    try:
        return None, parse_duration(text)
    except TextError:
        return instant(text, "--since"), None


def _write(text: str, out: str | None) -> None:
    text = text.encode("utf-8", "replace").decode()
    if out is None:
        click.echo(text)
        return
    try:
        Path(out).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise HerenowError(f"cannot write: {error.strerror}", out) from error
    click.echo(f"written to {out}", err=True)


def _json(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def _diff(wanted: Any, config: Any, form: str) -> tuple[str, bool]:
    from engine.cli.replaying import compared
    from engine.pipeline import diff_page, diff_words

    report = compared(wanted, config)
    found = bool(report.alarms or report.guarded)
    if form == "json":
        return _json(report.view()), found
    if form == "html":
        return diff_page.page(report), found
    return "\n".join(diff_words.text(report)), found


def _estimate(wanted: Any, config: Any, form: str) -> tuple[str, bool]:
    from engine.cli.replaying import estimate

    told = estimate(wanted)
    if form == "json":
        return _json(told), False
    lines = [f"{'rule':32} {'messages':>9} {'people':>8} {'a day':>9} {'busiest day':>12} {'in one minute':>14}"]
    lines += [
        f"{e.rule[:32]:32} {e.messages:9} {e.people:8} {e.per_day:9.1f} {e.busiest_day:12} {e.minute_peak:14}"
        for e in told["estimates"]
    ]
    lines += [f"{told['days']:g} days looked at"]
    expected = [
        f"  {e.rule}:  estimate: {e.busiest_day} per day"
        for e in told["estimates"]
        if e.busiest_day and told["days"] >= 1
    ]
    if expected:
        lines += [
            "",
            "To have a rule pause itself at five times what it sent, write into its file:",
            *expected,
        ]
    return "\n".join(lines), False


def _alone(wanted: Any, config: Any, form: str) -> tuple[str, bool]:
    from engine.cli.replaying import alone

    told = alone(wanted)
    if form == "json":
        return _json(told), False
    lines = [f"{local_time(t['at'])}  {t['device']:20} {t['kind']:8} {t['fence']}" for t in told["transitions"]]
    lines += [
        f"{local_time(m['at'])}  {m['person']:20} {m['rule']}: {m['decision']} {m['reason']}" for m in told["moments"]
    ]
    counts = f"{told['signals']} signals, {len(told['transitions'])} transitions, {len(told['moments'])} moments"
    return "\n".join([*lines, counts]), False
