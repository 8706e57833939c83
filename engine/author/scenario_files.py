"""The scenario files of a project: ``*.test.yaml`` beside the rules. They change no decision and are in no release."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from engine.author.collector import paused
from engine.author.scenarios import Read, read_scenarios
from engine.author.yaml import MAX_BYTES
from engine.errors import Finding, HerenowError
from engine.model.config import Config

ENDS = (".test.yaml", ".test.yml")
MAX_FILES = 20_000


def find_files(config: Config, paths: Sequence[str] = ()) -> list[tuple[str, Path]]:
    """Name and path of the scenario files under ``paths`` (files or folders; none: the rules folder), by name. Raises
    ``HerenowError`` where a path is not there."""
    rules = Path(config.paths.rules)
    found: dict[str, Path] = {}
    for given in paths or (str(rules),):
        start = Path(given)
        if paths and not start.exists():
            raise HerenowError(f"there is no file or folder {given}", fix="Name *.test.yaml files, or their folder.")
        for path in [start] if start.is_file() else _walk(start):
            found[_name(path, rules)] = path
    if len(found) > MAX_FILES:
        raise HerenowError(f"there are more than {MAX_FILES} scenario files", fix="Put several scenarios into one.")
    return sorted(found.items())


def read_files(config: Config, paths: Sequence[str] = ()) -> Read:
    """The scenarios of those files, with everything that is wrong with them but names that nothing declares."""
    files: dict[str, bytes] = {}
    folders: dict[str, Path] = {}
    unread: list[Finding] = []
    for name, path in find_files(config, paths):
        try:
            with path.open("rb") as file:
                files[name] = file.read(MAX_BYTES + 1)
            folders[name] = path.parent
        except OSError as error:
            problem = f"The file cannot be read: {error.strerror or error}."
            unread.append(Finding(name, 0, 0, "error", "UNREADABLE", problem, "Check its permissions."))
    with paused():
        read = read_scenarios(files, config.policy.decide.time_zone, folders)
    read.findings += unread
    return read


def _walk(root: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        for file in sorted(files):
            if file.endswith(ENDS) and not file.startswith("."):
                yield Path(folder) / file


def _name(path: Path, rules: Path) -> str:
    """``rules/x.test.yaml`` for files of the rules folder, else the path as it was given."""
    try:
        return f"rules/{path.resolve().relative_to(rules.resolve()).as_posix()}"
    except ValueError:
        return path.as_posix()
