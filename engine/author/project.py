"""A project's files to a release: read, parse, check across files, all findings at once."""

from engine.author import catalog
from engine.author.bundle import Bundle
from engine.author.crosscheck import Parts, cross_check
from engine.author.folder import read_files
from engine.author.geojson import read_fences
from engine.author.report import ordered
from engine.author.rules import read_rules
from engine.author.source import Source
from engine.errors import AuthorError, Finding
from engine.model.config import Config
from engine.model.release import Release

__all__ = ["Bundle", "check", "compile_bundle", "read_bundle"]

_CATALOG = {
    f"rules/{name}{end}": name for name in ("segments", "offers", "journeys", "schema") for end in (".yaml", ".yml")
}


def read_bundle(config: Config) -> Bundle:
    """The authored files of the project with the policy of its config. Raises ``AuthorError`` if any cannot be read."""
    files, findings = read_files(config)
    if findings:
        raise AuthorError(ordered(findings))
    return Bundle(files, config.policy)


def compile_bundle(bundle: Bundle) -> tuple[Release, list[Finding]]:
    """The release of a bundle, with warnings and infos. Raises ``AuthorError``, with every finding, if one is an error.

    A pure function of the bundle: the same bytes give the same release anywhere.
    """
    parts, findings = _read(bundle)
    findings = ordered([*findings, *cross_check(parts)])
    if any(finding.severity == "error" for finding in findings):
        raise AuthorError(findings)
    return (
        Release(
            hash=bundle.hash,
            rules=tuple(sorted((rule for rule, *_ in parts.rules), key=lambda rule: rule.id)),
            fences=tuple(sorted(parts.fences, key=lambda fence: fence.id)),
            policy=bundle.policy,
            segments=dict(sorted(parts.segments.items())),
            offers=dict(sorted(parts.offers.items())),
        ),
        findings,
    )


def check(config: Config) -> list[Finding]:
    """Everything that is to say about the project's files, sorted by file and line."""
    files, unread = read_files(config)
    parts, findings = _read(Bundle(files, config.policy))
    if not files and not unread:
        problem = "There are no rules and no geofences."
        findings.append(
            Finding(config.paths.rules, 0, 0, "info", "EMPTY", problem, "Put files into rules/ and geofences/.")
        )
    return ordered([*unread, *findings, *cross_check(parts)])


def _read(bundle: Bundle) -> tuple[Parts, list[Finding]]:
    """Parse every file. The schema comes first: its fields are offered where a name in a rule is wrong."""
    parts = Parts(bundle.policy)
    findings: list[Finding] = []
    fields: tuple[str, ...] = ()
    for name in sorted(bundle.files, key=lambda name: (_CATALOG.get(name) != "schema", name)):
        if name.startswith("geofences/"):
            fences, found = read_fences(name, bundle.files[name])
            parts.fences += fences
            findings += found
            continue
        source = Source(name, bundle.files[name])
        source.fields = fields
        if _CATALOG.get(name) == "schema":
            fields = catalog.read_schema(source)
        else:
            _read_yaml(source, parts)
        findings += source.findings
        parts.uses += source.uses
    wrong = {finding.file for finding in findings if finding.severity == "error"}
    parts.doubtful = frozenset(kind for file in wrong for kind in _declares(file))
    return parts, findings


def _declares(file: str) -> tuple[str, ...]:
    """The kinds of names that a file declares."""
    if file.startswith("geofences/"):
        return ("fence", "tag")
    return {"segments": ("segment",), "offers": ("offer",), "journeys": ("journey", "stage")}.get(
        _CATALOG.get(file, ""), ()
    )


def _read_yaml(source: Source, parts: Parts) -> None:
    kind = _CATALOG.get(source.file)
    if kind == "segments":
        parts.segments |= catalog.read_segments(source)
    elif kind == "offers":
        parts.offers |= catalog.read_offers(source)
    elif kind == "journeys":
        parts.journeys = (parts.journeys or {}) | catalog.read_journeys(source)
    else:
        parts.rules += [(rule, source.file, place.line, place.column) for rule, place in read_rules(source)]
