"""``herenow release``: what is in force and who put it there, what would change, shipping it, and going back."""

from typing import Any

import click
import msgspec

from engine.author.project import Bundle, compile_bundle, read_bundle
from engine.cli.shared import (
    call,
    config_option,
    configured,
    format_option,
    print_json,
    run,
    server_options,
    server_url,
)
from engine.errors import HerenowError
from engine.model.release import Policy, Release
from engine.pipeline.changes import Change, changes, headline

FOLDER = "folder"
SHOWN = 12  # letters of a hash
MARKS = {"added": "+", "removed": "-", "changed": "~"}


@click.group()
def release() -> None:
    """Releases: immutable versions of the rule and geofence files.

    \b
    Example:
      herenow release list
      herenow release diff
      herenow release push --why "autumn prices" --approved-by "Mira K."
    """


class Server:
    """A running server's releases."""

    def __init__(self, config_path: str | None, url: str | None, key: str | None) -> None:
        self.config = configured(config_path)
        self._url, self._key = f"{server_url(self.config, url)}/v1/releases", key

    def get(self, path: str = "", **params: str) -> Any:
        return run(call("GET", f"{self._url}{path}", self._key, params=params))

    def post(self, path: str, body: Any) -> Any:
        return run(call("POST", f"{self._url}{path}", self._key, body))

    def bundle(self, name: str) -> Bundle:
        """The files of a release that the server holds, or of this folder."""
        if name == FOLDER:
            return read_bundle(self.config)
        told = self.get(f"/{name}", files="true")
        files = {file: text.encode() for file, text in told["files"].items()}
        return Bundle(files, msgspec.convert(told["policy"], Policy))


@release.command("list")
@config_option
@server_options
@format_option
def list_releases(config_path: str | None, url: str | None, key: str | None, form: str) -> None:
    """Every release that was in force or staged, newest first: who, when, why, and who agreed.

    \b
    Example:
      herenow release list
    """
    told = Server(config_path, url, key).get()
    if form == "json":
        return print_json(told)
    for line in told["releases"]:
        mark = "in force" if line["in_force"] else "staged" if line["source"] == "staged" else ""
        agreed = f", approved by {line['approved_by']}" if line["approved_by"] else ""
        who = f"{line['source']} by {line['by'] or 'nobody named'}{agreed}"
        size = f"{line['rules']} rules, {line['fences']} geofences"
        click.echo(f"{line['release'][:SHOWN]}  {line['at']:24}  {mark:8}  {size:28}  {who}: {line['why'] or '-'}")
    return None


@release.command("diff")
@click.argument("old", default="in-force")
@click.argument("new", default=FOLDER)
@config_option
@server_options
@format_option
def diff(old: str, new: str, config_path: str | None, url: str | None, key: str | None, form: str) -> None:
    """What differs between two releases, in plain words. A release is a hash (or how it begins), "in-force",
    "previous" or "folder": the files here. Exit code 1 when they differ.

    \b
    Example:
      herenow release diff
      herenow release diff previous in-force
    """
    server = Server(config_path, url, key)
    before, after = server.bundle(old), server.bundle(new)
    if new == FOLDER:  # config.toml belongs to the server: a push leaves its settings as they are
        after = Bundle(after.files, before.policy)
    found = changes(_compiled(before), _compiled(after))
    if form == "json":
        print_json({"summary": headline(found), "changes": found})
    else:
        show(found)
    if found:
        raise SystemExit(1)


def _compiled(bundle: Bundle) -> Release:
    return compile_bundle(bundle)[0]


def show(found: list[Change]) -> None:
    """The changes for a person."""
    click.echo(headline(found))
    for change in found:
        click.echo(f"{MARKS[change.what]} {change.kind} {change.id}")
        for line in change.lines:
            click.echo(f"    {line}")


@release.command("push")
@config_option
@server_options
@click.option("--why", default="", help="Why, for the audit and for those who come after you.")
@click.option("--approved-by", default="", help="Who agreed.")
@click.option("--stage", is_flag=True, help="Check and keep it on the server, and leave what is in force as it is.")
@format_option
def push(
    config_path: str | None, url: str | None, key: str | None, why: str, approved_by: str, stage: bool, form: str
) -> None:
    """Send the rule and geofence files of this folder to a running server and put them in force. Wrong files change
    nothing. The settings stay those of the server.

    \b
    Example:
      herenow release push --why "autumn prices" --approved-by "Mira K."
    """
    server = Server(config_path, url, key)
    bundle = read_bundle(server.config)
    compile_bundle(bundle, new=True)  # what is wrong is told here, before anything is sent
    body = {"files": _texts(bundle), "why": why, "approved_by": approved_by, "stage": stage}
    answer = server.post("", body)
    if form == "json":
        return print_json(answer)
    for line in answer["warnings"]:
        click.echo(line)
    done = "in force" if answer["in_force"] else "staged"
    again = "" if answer["changed"] else " already"
    click.echo(f"{answer['release'][:SHOWN]} is{again} {done}")
    return None


def _texts(bundle: Bundle) -> dict[str, str]:
    texts = {}
    for file, data in bundle.files.items():
        try:
            texts[file] = data.decode()
        except UnicodeDecodeError as error:
            raise HerenowError("the file is not UTF-8", file, "Save it as UTF-8.") from error
    return texts


@release.command("rollback")
@click.argument("hash", default="previous")
@config_option
@server_options
@click.option("--why", default="", help="Why, for the audit and for those who come after you.")
@click.option("--approved-by", default="", help="Who agreed.")
@format_option
def rollback(
    hash: str,  # noqa: A002  what users see in the help
    config_path: str | None,
    url: str | None,
    key: str | None,
    why: str,
    approved_by: str,
    form: str,
) -> None:
    """Put a release in force that was before, or one that is staged. Without HASH: the one before this. A restart
    does not undo it; the next change of the folder does.

    \b
    Example:
      herenow release rollback --why "wrong price"
    """
    server = Server(config_path, url, key)
    answer = server.post(f"/{hash}/activate", {"why": why, "approved_by": approved_by})
    if form == "json":
        return print_json(answer)
    for line in answer["warnings"]:
        click.echo(f"warning: {line}")
    click.echo(f"{answer['release'][:SHOWN]} is {'in force' if answer['changed'] else 'in force already'}")
    return None
