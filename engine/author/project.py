"""A project's files to a release: read, parse, check across files, all findings at once."""

from collections.abc import Sequence

from engine.author import catalog
from engine.author.bundle import Bundle
from engine.author.codes import CodeBooks, is_code_file, unused
from engine.author.collector import paused
from engine.author.crosscheck import Parts, cross_check
from engine.author.fields import read_fields
from engine.author.folder import read_files
from engine.author.geojson import read_fences
from engine.author.journeys import read_journeys
from engine.author.kept import Read
from engine.author.lint import lint
from engine.author.named import read_messages
from engine.author.nodes import Mapping, Node
from engine.author.report import ordered
from engine.author.rules import KEYS, read_rules
from engine.author.source import Source
from engine.author.templates import read_templates
from engine.errors import AuthorError, Finding
from engine.model.config import Config
from engine.model.fence import Fence
from engine.model.fences import Fences
from engine.model.release import Release

__all__ = ["Bundle", "compile_bundle", "read_bundle", "read_parts"]

_FIRST = ("schema", "messages", "templates")  # in this order: the others use what they declare
_CATALOG = {
    f"rules/{name}{end}": name for name in (*_FIRST, "segments", "offers", "journeys") for end in (".yaml", ".yml")
}


def read_bundle(config: Config) -> Bundle:
    """The authored files of the project with the policy of its config. Raises ``AuthorError`` if any cannot be read."""
    files, findings = read_files(config)
    if findings:
        raise AuthorError(ordered(findings))
    return Bundle(files, config.policy)


def compile_bundle(
    bundle: Bundle, new: bool = False, read: Read = read_fences, told: bool = True
) -> tuple[Release, list[Finding]]:
    """The release of a bundle, with warnings and infos. Raises ``AuthorError``, with every finding, if one is an error.

    ``new``: one that was never in force is judged as strictly as ``check`` does. A stored one is not: what only later
    versions call an error must not stop it from being put in force again. ``told``: somebody is told of warnings; else
    only what may refuse it is looked for. A pure function of the bundle: the same bytes give the same release anywhere.
    """
    with paused():
        parts, findings = read_parts(bundle, read)
        findings += cross_check(parts, sizes=new and told)
        if new:
            findings += lint(parts, told=told)
        findings = ordered(findings)
        if any(finding.severity == "error" for finding in findings):
            raise AuthorError(findings)
        return _release(bundle, parts), findings


def _release(bundle: Bundle, parts: Parts) -> Release:
    return Release(
        hash=bundle.hash,
        rules=tuple(sorted((rule for rule, *_ in parts.rules), key=lambda rule: rule.id)),
        fences=Fences.of(parts.fences),
        policy=bundle.policy,
        segments=dict(sorted(parts.segments.items())),
        offers=dict(sorted(parts.offers.items())),
        journeys=dict(sorted((parts.journeys or {}).items())),
    )


def read_parts(bundle: Bundle, read: Read = read_fences) -> tuple[Parts, list[Finding]]:
    """Everything in the files, and what is wrong with it; ``read`` reads geofence files. First come the schema (its
    fields are offered where a name in a rule is wrong) and what rules use."""
    parts = Parts(bundle.policy)
    findings: list[Finding] = []
    lots: list[Sequence[Fence]] = []
    books = CodeBooks(bundle.files)
    for name in sorted(bundle.files, key=lambda name: (_turn(name), name)):
        if name.startswith("geofences/"):
            fences, found = read(name, bundle.files[name])
            lots.append(fences)
            findings += found
            continue
        if is_code_file(name):
            continue
        source = Source(name, bundle.files[name])
        source.fields = tuple(parts.fields)
        source.shelf = parts.shelf
        parts.lines[name] = source.lines
        parts.homes |= _homes(source)
        if _CATALOG.get(name) == "schema":
            parts.fields |= read_fields(source)
        else:
            _read_yaml(source, parts, books)
        findings += source.findings
        parts.uses += source.uses
    parts.fences = Fences.joined(lots)
    findings += unused(bundle.files, books.used)
    wrong = {finding.file for finding in findings if finding.severity == "error"}
    parts.doubtful = frozenset(kind for file in wrong for kind in _declares(file))
    return parts, findings


def _turn(name: str) -> int:
    """When a file is read."""
    kind = _CATALOG.get(name)
    return _FIRST.index(kind) if kind in _FIRST else len(_FIRST)


def _homes(source: Source) -> dict[tuple[str, str], tuple[str, int, int]]:
    """The place of everything that a catalogue declares."""
    kind, root = _CATALOG.get(source.file), source.root
    if kind is None or not isinstance(root, Mapping):
        return {}
    found: dict[tuple[str, str], tuple[str, int, int]] = {}
    for top in ("messages", "partials") if kind == "messages" else (kind,):
        named: Node | None = root.entries.get(top)
        places = named.keys.items() if isinstance(named, Mapping) else ()
        found |= {(top.removesuffix("s"), name): (source.file, place.line, place.column) for name, place in places}
    return found


def _declares(file: str) -> tuple[str, ...]:
    """The kinds of names that a file declares."""
    if file.startswith("geofences/"):
        return ("fence", "tag")
    if is_code_file(file):
        return ()
    return {"segments": ("segment",), "offers": ("offer",), "journeys": ("journey", "stage")}.get(
        _CATALOG.get(file, ""), ("rule",)
    )


def _read_yaml(source: Source, parts: Parts, books: CodeBooks) -> None:
    kind = _CATALOG.get(source.file)
    if kind == "segments":
        parts.segments |= catalog.read_segments(source)
    elif kind == "offers":
        parts.offers |= catalog.read_offers(source, books)
    elif kind == "journeys":
        parts.journeys = (parts.journeys or {}) | read_journeys(source)
    elif kind == "messages":
        parts.shelf.lines[source.file] = source.lines
        read_messages(source)
    elif kind == "templates":
        parts.shelf.lines[source.file] = source.lines
        read_templates(source, KEYS)
    else:
        parts.rules += [(rule, source.file, place.line, place.column) for rule, place in read_rules(source)]
