"""Commands that ask: preview, why, replay."""

from pathlib import Path
from typing import Any

import click

from engine.cli.shared import (
    call,
    config_option,
    configured,
    format_option,
    instant,
    local_time,
    print_json,
    run,
    server_options,
    server_url,
)


@click.command()
@config_option
@server_options
@click.option("--device", default="preview", help="Whose signal.")
@click.option("--person", help="Whose device, if it is not linked yet.")
@click.option("--lat", type=float, help="Latitude.")
@click.option("--lon", type=float, help="Longitude.")
@click.option("--accuracy", type=float, help="Accuracy in metres.")
@click.option("--event", help="A named event instead of, or beside, the position.")
@format_option
def preview(
    config_path: str | None,
    url: str | None,
    key: str | None,
    device: str,
    person: str | None,
    lat: float | None,
    lon: float | None,
    accuracy: float | None,
    event: str | None,
    form: str,
) -> None:
    """What would happen if this signal came now? Nothing is kept or sent.

    \b
    Example:
      herenow preview --device d1 --lat 52.5219 --lon 13.4095
    """
    told = {"device": device, "person": person, "lat": lat, "lon": lon, "accuracy": accuracy, "event": event}
    signal = {name: value for name, value in told.items() if value is not None}
    answer = run(call("POST", f"{server_url(configured(config_path), url)}/v1/preview", key, signal))
    if form == "json":
        print_json(answer)
        return
    for line in answer["rules"]:
        click.echo(_line(line))


@click.command()
@click.argument("device")
@click.argument("rule", required=False)
@click.option("--at", help="The instant to ask about (default: now).")
@config_option
@server_options
@format_option
def why(
    device: str, rule: str | None, at: str | None, config_path: str | None, url: str | None, key: str | None, form: str
) -> None:
    """Why did this device's person get a message, or not?

    \b
    Example:
      herenow why d1 morning-coffee --at 2026-11-24T08:15:00Z
    """
    params = {"device": device}
    if rule:
        params["rule"] = rule
    if (when := instant(at)) is not None:
        params["at"] = repr(when)
    answer = run(call("GET", f"{server_url(configured(config_path), url)}/v1/why", key, params=params))
    if form == "json":
        print_json(answer)
        return
    click.echo(f"{device} (person {answer['person']}), asked about {answer['at']}")
    click.echo(f"history begins {answer['history_begins']}")
    for line in answer["rules"]:
        click.echo(_line(line))
        for check in line.get("conditions", []):
            mark = {True: "yes", False: "no", None: "unknown"}[check.get("ok")]
            click.echo(
                f"    {mark:8}{check.get('name', '')}  saw {check.get('saw')}  {check.get('note') or ''}".rstrip()
            )


@click.command()
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False))
@config_option
@click.option(
    "--rules", type=click.Path(exists=True, file_okay=False), help="Rule files to use instead of config.toml's."
)
@click.option("--geofences", type=click.Path(exists=True, file_okay=False), help="Geofence files to use instead.")
@click.option("--device", default="track", help="The device id, where FILE is a track without one.")
@format_option
def replay(
    file: str | None, config_path: str | None, rules: str | None, geofences: str | None, device: str, form: str
) -> None:
    """Run the journal, or FILE (JSON, NDJSON, GPX or CSV), through the rule files. Nothing is sent.

    \b
    Example:
      herenow replay
      herenow replay ride.gpx --rules rules --format json
    """
    from msgspec.structs import replace

    from engine.cli import replaying

    config = configured(config_path)
    paths = replace(config.paths, rules=rules or config.paths.rules, geofences=geofences or config.paths.geofences)
    config = replace(config, paths=paths)
    result = replaying.of_file(config, Path(file), device) if file else replaying.of_journal(config)
    if form == "json":
        print_json(result)
        return
    for t in result["transitions"]:
        click.echo(f"{local_time(t['at'])}  {t['device']:20} {t['kind']:8} {t['fence']}")
    for m in result["moments"]:
        click.echo(f"{local_time(m['at'])}  {m['person']:20} {m['rule']}: {m['decision']} {m['reason']}")
    click.echo(
        f"{result['signals']} signals, {len(result['transitions'])} transitions, {len(result['moments'])} moments"
    )


def _line(line: dict[str, Any]) -> str:
    message = line.get("message") or {}
    words = message.get("title") or message.get("body") or ""
    said = f' "{words}"' if words else ""
    return f"{line['rule']:24} {line['would']:9} {line['reason']:16} {line.get('sentence', '')}{said}"
