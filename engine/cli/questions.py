"""Commands that ask a running server: preview, why."""

from typing import Any

import click

from engine.cli.shared import (
    call,
    config_option,
    configured,
    format_option,
    instant,
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
@click.option("--window", help="How long before it to look (default: a day).")
@config_option
@server_options
@format_option
def why(
    device: str,
    rule: str | None,
    at: str | None,
    window: str | None,
    config_path: str | None,
    url: str | None,
    key: str | None,
    form: str,
) -> None:
    """Why did this device's person get a message, or not? Every rule that could have fired, the nearest miss first.

    \b
    Example:
      herenow why d1
      herenow why d1 morning-coffee --at 2026-11-24T08:15:00Z --window 2h
    """
    params = {"device": device}
    if rule:
        params["rule"] = rule
    if (when := instant(at)) is not None:
        params["at"] = repr(when)
    if window:
        params["window"] = window
    answer = run(call("GET", f"{server_url(configured(config_path), url)}/v1/why", key, params=params))
    if form == "json":
        print_json(answer)
        return
    click.echo(f"{device} (person {answer['person']}), {answer['since']} to {answer['at']}")
    if answer["cut"]:
        click.echo(f"history begins {answer['history_begins']}: what was before is no longer held")
    for line in answer["rules"]:
        click.echo(_line(line))
        if line.get("nearest_miss"):
            click.echo(f"    nearest: {line['nearest_miss']}")
        for check in line.get("conditions", []):
            mark = {True: "yes", False: "no", None: "unknown"}[check.get("ok")]
            click.echo(
                f"    {mark:8}{check.get('name', '')}  saw {check.get('saw')}  {check.get('note') or ''}".rstrip()
            )
    if answer["rules_left_out"]:
        click.echo(f"and {answer['rules_left_out']} rules that were further away: name one to see it")


def _line(line: dict[str, Any]) -> str:
    message = line.get("message") or {}
    words = message.get("title") or message.get("body") or ""
    said = f' "{words}"' if words else ""
    return f"{line['rule']:24} {line['would']:9} {line['reason']:16} {line.get('sentence', '')}{said}"
