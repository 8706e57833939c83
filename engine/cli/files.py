"""Commands about this machine and who may call it: keys, doctor."""

import os
from pathlib import Path

import click

from engine.api.keys import SCOPES, Keyring
from engine.cli import examine
from engine.cli.shared import config_option, configured, format_option, local_time, print_json
from engine.errors import HerenowError


@click.command()
@config_option
@format_option
def doctor(config_path: str | None, form: str) -> None:
    """Is this machine, this folder and this configuration fit to run Herenow?

    \b
    Example:
      herenow doctor
    """
    results = list(examine.everything(config_path, os.environ))
    if form == "json":
        print_json(results)
    else:
        for r in results:
            click.echo(f"{'ok ' if r.ok else 'BAD'} {r.name}: {r.found}" + (f"  {r.fix}" if r.fix and not r.ok else ""))
    if not all(r.ok for r in results):
        raise SystemExit(1)


@click.group()
def keys() -> None:
    """API keys and device tokens. Keys are shown once and kept only as a hash.

    \b
    Example:
      herenow keys create --scope ingest --note "shop backend"
    """


def _ring(config_path: str | None) -> Keyring:
    return Keyring.open(Path(configured(config_path).paths.data), os.environ)


@keys.command("create")
@config_option
@click.option(
    "--scope", "scopes", multiple=True, required=True, type=click.Choice(SCOPES), help="Give it once or more."
)
@click.option("--note", default="", help="Whose key it is.")
def create_key(config_path: str | None, scopes: tuple[str, ...], note: str) -> None:
    """Make a key. It is printed once.

    \b
    Example:
      herenow keys create --scope ingest --note "shop backend"
    """
    key, secret = _ring(config_path).create(scopes, note)
    click.echo(secret)
    click.echo(f"{key.id} ({', '.join(key.scopes)}). Keep the line above: it is not shown again.", err=True)


@keys.command("list")
@config_option
@format_option
def list_keys(config_path: str | None, form: str) -> None:
    """Show all keys (never the keys themselves).

    \b
    Example:
      herenow keys list
    """
    found = _ring(config_path).list()
    if form == "json":
        shown = [{"id": k.id, "scopes": k.scopes, "created": k.created, "note": k.note} for k in found]
        print_json(shown)
        return
    for key in found:
        click.echo(f"{key.id}  {local_time(key.created)}  {', '.join(key.scopes):24} {key.note}")
    if not found:
        click.echo("no keys: the server takes calls from this machine only")


@keys.command("revoke")
@click.argument("id")
@config_option
def revoke_key(id: str, config_path: str | None) -> None:
    """Remove a key; it stops working within a second.

    \b
    Example:
      herenow keys revoke key_1a2b3c4d
    """
    if not _ring(config_path).revoke(id):
        raise HerenowError(f"there is no key '{id}'", fix="herenow keys list shows them.")
    click.echo(f"{id} is revoked")


@keys.command("token")
@click.argument("device")
@config_option
@click.option("--person", help="Bind the token to this person as well.")
@click.option("--hours", type=click.FloatRange(0.01, 720), default=1.0, help="How long it lives.")
def mint_token(device: str, config_path: str | None, person: str | None, hours: float) -> None:
    """Make a short-lived token for one device, for an app to carry.

    \b
    Example:
      herenow keys token phone-1 --person p9 --hours 2
    """
    click.echo(_ring(config_path).mint(device, person, hours * 3600))
