"""What ``check --fix`` writes: the edits that are safe, and nothing else in the file."""

import os
import re
import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from difflib import unified_diff
from pathlib import Path

from engine.errors import Finding, HerenowError

Check = Callable[[Mapping[str, bytes]], list[Finding]]
_ROUNDS = 12  # one mended line may show what is wrong with another
_BOM = b"\xef\xbb\xbf"


def fix_files(files: Mapping[str, bytes], check: Check) -> dict[str, bytes]:
    """The changed files with every safe edit of their findings made. Edits that make more errors are not kept."""
    now, stuck = dict(files), set[str]()
    findings = check(now)
    for _ in range(_ROUNDS):
        edited = {name: data for name, data in _edited(now, findings).items() if name not in stuck}
        if not edited:
            break
        after = check(now | edited)
        kept = {name: data for name, data in edited.items() if _wrong(after, name) <= _wrong(findings, name)}
        stuck |= edited.keys() - kept.keys()
        now |= kept
        findings = after if len(kept) == len(edited) else check(now)
    return {name: data for name, data in now.items() if data != files[name]}


def _wrong(findings: Iterable[Finding], name: str) -> int:
    """How much is wrong with a file: an unreadable one hides what else is wrong, so that weighs most."""
    unreadable = ("NEEDS_QUOTES", "YAML", "TABS")
    return sum(
        1000 if finding.code in unreadable else 1
        for finding in findings
        if finding.file == name and finding.severity == "error"
    )


def _edited(files: Mapping[str, bytes], findings: Iterable[Finding]) -> dict[str, bytes]:
    """The files with the edits of these findings: at most one a line, for the next round sees the others."""
    edits: dict[str, dict[int, Finding]] = {}
    for finding in findings:
        if isinstance(finding.edit, tuple) and finding.severity == "error" and finding.line and finding.file in files:
            edits.setdefault(finding.file, {}).setdefault(finding.line, finding)
    changed: dict[str, bytes] = {}
    for name, by_line in edits.items():
        data = files[name]
        bom = _BOM if data.startswith(_BOM) else b""
        lines = data[len(bom) :].decode().split("\n")
        for number, finding in by_line.items():
            if number <= len(lines):
                lines[number - 1] = _line(lines[number - 1], finding)
        mended = bom + "\n".join(lines).encode()
        if mended != data:
            changed[name] = mended
    return changed


def _line(line: str, finding: Finding) -> str:
    """One line with its edit made; as it was where it is not certain what the edit is about."""
    assert isinstance(finding.edit, tuple)
    old, new = finding.edit
    body = line.removesuffix("\r")
    end = line[len(body) :]
    if body == old:
        return new + end
    at = finding.column - 1
    if body.startswith(old, at):
        return body[:at] + new + body[at + len(old) :] + end
    found = [m.start() for m in re.finditer(rf"(?<![\w.\-]){re.escape(old)}(?![\w\-])", body[max(at, 0) :])]
    if len(found) != 1:
        return line
    start = found[0] + max(at, 0)
    return body[:start] + new + body[start + len(old) :] + end


def diff(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> str:
    """The changes as a unified diff."""
    told: list[str] = []
    for name in sorted(after):
        old, new = (text.decode("utf-8", "replace").splitlines(keepends=True) for text in (before[name], after[name]))
        lines = unified_diff(old, new, f"a/{name}", f"b/{name}")
        told += (line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)
    return "".join(told)


def write(path: Path, before: bytes, after: bytes) -> None:
    """Put a file's new content in place at once. Raises ``HerenowError`` where somebody changed it meanwhile."""
    target = path.resolve()
    if target.read_bytes() != before:
        raise HerenowError("The file changed while it was being checked.", str(path), "Run it again.")
    descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), target.stat().st_mode & 0o7777)
            file.write(after)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
