"""The command tree, and what every command shares: how errors are told and how the process ends."""

import sys
from typing import Any

import click

import engine
from engine.cli.checking import check, schema
from engine.cli.fences import fences
from engine.cli.files import doctor, keys
from engine.cli.questions import preview, why
from engine.cli.releases import release
from engine.cli.replays import replay
from engine.cli.running import send_test, serve, simulate
from engine.cli.testing import test
from engine.errors import AuthorError, HerenowError


class Herenow(click.Group):
    """Exit codes: 0 fine, 1 found something, 2 wrong use."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except AuthorError as error:
            for finding in error.findings:
                click.echo(str(finding), err=True)
            sys.exit(1)
        except HerenowError as error:
            click.echo(f"herenow: {error}", err=True)
            sys.exit(2)


@click.group(cls=Herenow, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(engine.__version__, prog_name="herenow")
def main() -> None:
    """Location-aware sense-and-respond: the right message, for the right person, here and now."""


for command in (serve, check, test, preview, send_test, simulate, why, replay, release, fences, keys, doctor, schema):
    main.add_command(command)
