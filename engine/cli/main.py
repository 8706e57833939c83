"""The command tree, and what every command shares: how errors are told and how the process ends."""

import sys
from importlib import import_module
from typing import Any

import click

import engine
from engine.author.collector import paused
from engine.errors import AuthorError, HerenowError

# Where each command is; read when it is asked for: each takes others, and a server is not to wait for all.
COMMANDS = {
    "serve": "running",
    "check": "checking",
    "test": "testing",
    "preview": "questions",
    "send-test": "running",
    "simulate": "running",
    "why": "questions",
    "replay": "replays",
    "release": "releases",
    "fences": "fences",
    "keys": "files",
    "doctor": "files",
    "schema": "checking",
}


class Herenow(click.Group):
    """Exit codes: 0 fine, 1 found something, 2 wrong use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command, by name."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command, None where there is none."""
        if cmd_name not in COMMANDS:
            return None
        with paused():
            module = import_module(f"engine.cli.{COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

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
