"""The authored files on disk: which belong to a release, and their bytes."""

import os
from collections.abc import Iterator
from pathlib import Path

from engine.author import codes
from engine.author.geojson import MAX_BYTES as MAX_GEOJSON
from engine.author.yaml import MAX_BYTES as MAX_YAML
from engine.errors import Finding
from engine.model.config import Config

_RULES = (".yaml", ".yml")
_SCENARIOS = (".test.yaml", ".test.yml")  # they test rules and change no decision
_FENCES = (".geojson",)
_MAX_FILES = 20_000
Stamp = tuple[tuple[str, int, int, int, int], ...]


def authored(config: Config) -> list[tuple[str, Path]]:
    """Name and path of every file of a release, sorted by name; hidden files and scenarios are left out."""
    folders = ((Path(config.paths.rules), "rules", _RULES), (Path(config.paths.geofences), "geofences", _FENCES))
    found = [(f"{prefix}/{name}", path) for root, prefix, ends in folders for name, path in _walk(root, ends)]
    books = ((f"rules/{name}", path) for name, path in _walk(Path(config.paths.rules), codes.ENDS))
    return sorted([*found, *((name, path) for name, path in books if codes.is_code_file(name))])


def _walk(root: Path, ends: tuple[str, ...]) -> Iterator[tuple[str, Path]]:
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        for file in files:
            if file.endswith(ends) and not file.startswith(".") and not file.endswith(_SCENARIOS):
                path = Path(folder) / file
                yield path.relative_to(root).as_posix(), path


def stamp(config: Config) -> Stamp:
    """What changes when a file does: names, sizes, times. Cheap."""
    found = []
    for name, path in authored(config):
        try:
            status = path.stat()
        except OSError:  # gone since it was listed, or a link to nothing: the next look will see a change
            found.append((name, -1, 0, 0, 0))
            continue
        found.append((name, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino))
    return tuple(found)


def read_files(config: Config) -> tuple[dict[str, bytes], list[Finding]]:
    """The bytes of every file that is not too large; what could not be read is told."""
    files: dict[str, bytes] = {}
    findings: list[Finding] = []
    listed = authored(config)
    if len(listed) > _MAX_FILES:
        problem = f"There are more than {_MAX_FILES} authored files."
        return {}, [
            Finding(config.paths.rules, 0, 0, "error", "TOO_LARGE", problem, "Put several rules into one file.")
        ]
    for name, path in listed:
        most = _most(name)
        try:
            if not path.is_file():
                findings.append(Finding(name, 0, 0, "error", "UNREADABLE", "This is no file.", "Delete it."))
                continue
            with path.open("rb") as file:
                data = file.read(most + 1)
        except OSError as error:
            findings.append(unreadable(name, error))
            continue
        if len(data) > most:
            problem = f"The file is larger than {most // 1_000_000} MB."
            findings.append(Finding(name, 0, 0, "error", "TOO_LARGE", problem, "Split it into several files."))
            continue
        files[name] = data
    return files, findings


def _most(name: str) -> int:
    """Bytes of a file of that name."""
    if name.startswith("geofences/"):
        return MAX_GEOJSON
    return codes.MAX_BYTES if codes.is_code_file(name) else MAX_YAML


def unreadable(name: str, error: OSError) -> Finding:
    """A file that cannot be read."""
    problem = f"The file cannot be read: {error.strerror or error}."
    return Finding(name, 0, 0, "error", "UNREADABLE", problem, "Check its permissions.")
