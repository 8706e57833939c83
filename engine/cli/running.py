"""Commands that run for a while: serve, simulate, send-test."""

import os
from pathlib import Path

import click

from engine.author.collector import paused
from engine.cli.shared import config_option, configured, format_option, print_json, run, server_options, server_url
from engine.clock import SimulatedClock, SystemClock
from engine.errors import HerenowError
from engine.model.config import Config
from engine.model.moment import Result


@click.command()
@config_option
@click.option(
    "--sandbox", is_flag=True, help="A demo city with personas, on a fast clock of its own; sends nothing out."
)
@click.option("--host", help="Listen here instead of where config.toml says.")
@click.option("--port", type=click.IntRange(0, 65535), help="Listen on this port; 0 chooses a free one.")
def serve(config_path: str | None, sandbox: bool, host: str | None, port: int | None) -> None:
    """Run the server.

    \b
    Example:
      herenow serve --sandbox
      herenow serve --config config.toml
    """
    with paused():
        from msgspec.structs import replace

        from engine import app
        from engine.cli.logs import set_up_logs

    set_up_logs()
    config = configured(config_path)
    listen = replace(config.server, host=host or config.server.host, port=config.server.port if port is None else port)
    config = replace(config, server=listen)

    def ready(server: app.Server) -> None:
        click.echo(f"Herenow listens on {server.url}" + (" (sandbox)" if sandbox else ""))
        for note in server.notes:
            click.echo(f"note: {note}")

    run((app.serve_sandbox if sandbox else app.serve)(config, os.environ, ready))


@click.command()
@config_option
@server_options
@click.option("--personas", help="Only these persona ids, separated by commas.")
@click.option(
    "--speed",
    type=click.FloatRange(1.0, 10_000),
    default=1.0,
    help="So many times faster: their day lies in the past then, and makes history, not messages.",
)
@click.option("--hours", type=click.FloatRange(0.01, 24 * 31), default=24.0, help="How much of their time to live.")
@click.option("--track", type=click.Path(exists=True, dir_okay=False), help="Send this GPX or CSV track instead.")
@click.option("--device", default="track", help="The device id of the track.")
@click.option("--live", is_flag=True, help="Send the track as if it happened from now on, not with its own times.")
@format_option
def simulate(
    config_path: str | None,
    url: str | None,
    key: str | None,
    personas: str | None,
    speed: float,
    hours: float,
    track: str | None,
    device: str,
    live: bool,
    form: str,
) -> None:
    """Stream the demo city's personas, or a recorded track, to a running server.

    \b
    Example:
      herenow simulate --personas anna,bruno --hours 1
      herenow simulate --track ride.gpx --device bike-1
    """
    from engine.simulate.personas import load_personas
    from engine.simulate.recordings import read_track
    from engine.simulate.stream import send_track
    from engine.simulate.stream import simulate as live_out

    target = server_url(configured(config_path), url)
    real = SystemClock()
    # A faster clock starts so far back that it never runs ahead of the server's: signals from the future are refused.
    clock = SimulatedClock(real.now() - hours * 3600, speed) if speed > 1.0 else real
    if track is not None:
        bodies = read_track(Path(track), device)
        report = run(send_track(target, key, bodies, clock, pause=real, live=live))
    else:
        people = load_personas()
        if personas is not None:
            wanted = {name.strip() for name in personas.split(",")}
            unknown = sorted(wanted - {p.id for p in people})
            if unknown:
                raise HerenowError(
                    f"no persona {', '.join(unknown)}", fix=f"There are: {', '.join(p.id for p in people)}."
                )
            people = [p for p in people if p.id in wanted]
        report = run(live_out(target, key, clock, people, clock.now() + hours * 3600, pause=real))
    if form == "json":
        print_json(report)
    else:
        click.echo(
            f"sent {report.sent}, accepted {report.accepted}, repeats {report.duplicates}, rejected {report.rejected}"
        )


@click.command("send-test")
@click.argument("channel")
@config_option
@click.option("--person", default="me", help="To whom.")
@click.option("--text", default="A test message from Herenow.", help="What to say.")
@format_option
def send_test(channel: str, config_path: str | None, person: str, text: str, form: str) -> None:
    """Send one test message through a channel, now, past all rules: does the channel work?

    \b
    Example:
      herenow send-test console --person me
    """
    result = run(_send_test(configured(config_path), channel, person, text))
    if form == "json":
        print_json(result)
    else:
        click.echo(f"{result.outcome}" + (f": {result.detail}" if result.detail else ""))
    if result.outcome != "sent":
        raise SystemExit(1)


async def _send_test(config: Config, channel: str, person: str, text: str) -> Result:
    from engine.deliver import open_adapters, send_test

    clock = SystemClock()
    async with open_adapters(config, clock, os.environ, lambda channel, notification: None) as adapters:
        if channel not in adapters:
            raise HerenowError(
                f"there is no channel '{channel}'", fix=f"config.toml has: {', '.join(sorted(adapters))}."
            )
        return await send_test(adapters[channel], channel, person, text, clock)
