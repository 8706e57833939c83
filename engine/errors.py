"""One shape for everything that is wrong: the problem, where it is, and the fix."""

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

Severity = Literal["error", "warning", "info"]


class Finding(Struct, frozen=True):
    """One thing found in an authored file. ``line`` and ``column`` count from 1; 0 where a whole file is meant."""

    file: str
    line: int
    column: int
    severity: Severity
    code: str
    problem: str
    fix: str = ""
    edit: tuple[str, str] | UnsetType = UNSET
    """What to write in place of what in this line, where doing so is safe: ``check --fix`` does it."""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        fix = f" {self.fix}" if self.fix else ""
        return f"{place}: {self.severity}: {self.problem}{fix} [{self.code}]"


class HerenowError(Exception):
    """Anything a person can mend: says the problem, the place and the fix."""

    def __init__(self, problem: str, where: str = "", fix: str = "") -> None:
        super().__init__(problem)
        self.problem, self.where, self.fix = problem, where, fix

    def __str__(self) -> str:
        told = ": ".join(part for part in (self.where, self.problem) if part)
        stop = "" if told.endswith((".", "!", "?", ":")) else "."
        return f"{told}{stop} {self.fix}" if self.fix else told


class ConfigError(HerenowError):
    """config.toml, an environment variable or a key file is wrong."""


class AuthorError(HerenowError):
    """Authored files do not make a release; ``findings`` lists everything at once."""

    def __init__(self, findings: list[Finding]) -> None:
        errors = [f for f in findings if f.severity == "error"]
        super().__init__(f"{len(errors)} error(s) in the authored files", fix="\n".join(map(str, errors)))
        self.findings = findings


class StoreError(HerenowError):
    """The store cannot take or give what was asked. ``retry`` says whether trying again can help."""

    def __init__(self, problem: str, where: str = "", fix: str = "", retry: bool = True) -> None:
        super().__init__(problem, where, fix)
        self.retry = retry


class Busy(HerenowError):
    """Back-pressure: the queue is full; ask again after ``after`` seconds."""

    def __init__(self, problem: str, after: float = 1.0) -> None:
        super().__init__(problem)
        self.after = after
