"""How ``herenow test`` tells its results: dots and differences, JSON, JUnit."""

from collections.abc import Iterator, Sequence
from typing import Any
from xml.etree import ElementTree

import click

from engine.errors import Finding
from engine.scenario import Result
from engine.scenario.describe import describe
from engine.scenario.generated import Checked
from engine.sense import FenceSet

WIDTH = 100  # dots in a line


class Report:
    """Collects results, and tells them as text while they come: a line of dots for each file, or (``verbose``) a line
    for each scenario; the failures at the end."""

    def __init__(self, findings: Sequence[Finding], text: bool, verbose: bool, colour: bool) -> None:
        self.findings = findings
        self._bar = False
        self.results: list[Result] = []
        self.generated: list[Checked] = []
        self.broken: list[tuple[Checked, list[str]]] = []
        self._text, self._verbose, self._colour = text, verbose, colour
        self._file, self._dots = "", 0
        self._waiting: list[str] = []

    @property
    def ok(self) -> bool:
        """Nothing was found."""
        return not (self.failed or self.findings or self.broken)

    @property
    def failed(self) -> list[Result]:
        """The scenarios that failed."""
        return [result for result in self.results if not result.ok]

    # ------------------------------------------------------------------ while it runs

    def add(self, result: Result) -> None:
        """One more scenario, in order of files."""
        self.results.append(result)
        if not self._text:
            return
        self._begin(result.scenario.file)
        if self._verbose:
            word = self._dye("ok  ", "green") if result.ok else self._dye("FAIL", "red")
            self._put(f"  {word} {result.scenario.name}\n")
        else:
            self._dot(result.ok)

    def add_generated(self, checked: Checked, fences: FenceSet) -> None:
        """One more case of generated days."""
        self.generated.append(checked)
        if checked.broken is not None:
            self.broken.append((checked, list(describe(checked.broken, fences))))
        if self._text:
            self._begin("generated days")
            self._dot(checked.broken is None)

    def _begin(self, file: str) -> None:
        if file == self._file:
            return
        self._end_line()
        self._file = file
        self._put(file + ("\n" if self._verbose else " "))

    def _dot(self, ok: bool) -> None:
        if self._dots and self._dots % WIDTH == 0:
            self._put("\n")
        self._dots += 1
        self._put("." if ok else self._dye("F", "red"))

    def _end_line(self) -> None:
        if self._dots:
            self._put("\n")
        self._dots = 0
        if not self._bar:
            self._flush()

    def _put(self, text: str) -> None:
        """On a terminal at once; elsewhere a line at a time, for each write takes longer than a scenario; under a
        progress bar all of it when the bar is gone."""
        self._waiting.append(text)
        if self._colour and not self._bar:
            self._flush()

    def _flush(self) -> None:
        click.echo("".join(self._waiting), nl=False)
        self._waiting.clear()

    def begin_bar(self) -> None:
        """A progress bar takes the terminal; what is told meanwhile waits."""
        self._end_line()
        self._bar = True

    def end_bar(self) -> None:
        """The terminal is free again."""
        self._bar = False

    # ------------------------------------------------------------------ the end

    def close(self) -> None:
        """What failed and why, what could not be read, and the sum."""
        self._end_line()
        self._flush()
        for result in self.failed:
            for line in difference(result):
                colour = {"-": "red", "+": "green"}.get(line[2:3], "")
                click.echo(self._dye(line, colour) if colour else line)
        for checked, lines in self.broken:
            click.echo(f"\nFAIL generated days, seed {checked.case.seed}")
            for line in lines:
                click.echo(f"  {line}")
        if self.failed or self.broken:
            click.echo()
        for finding in self.findings:
            click.echo(str(finding))
        click.echo(self._dye(self._sum(), "green" if self.ok else "red"))

    def _sum(self) -> str:
        if not self.results and not self.findings and not self.generated:
            return "no scenarios: put *.test.yaml files beside the rules"
        failed, seconds = len(self.failed), sum(result.seconds for result in self.results)
        words = [f"{count(len(self.results), 'scenario')}: {len(self.results) - failed} passed, {failed} failed"]
        words[0] += f" ({seconds:.1f} s)"
        if self.generated:
            records, sent = sum(c.records for c in self.generated), sum(c.sent for c in self.generated)
            held = len(self.generated) - len(self.broken)
            words.append(
                f"{count(len(self.generated), 'generated case')}: {held} kept every promise, {len(self.broken)} did not"
                f" ({count(records, 'record')}, {count(sent, 'message')})"
            )
        if self.findings:
            words.append(f"{count(len(self.findings), 'mistake')} in the scenario files")
        return "\n".join(words)

    def _dye(self, text: str, colour: str) -> str:
        return click.style(text, fg=colour) if self._colour else text

    # ------------------------------------------------------------------ for programs

    def as_data(self) -> dict[str, Any]:
        """Everything, as JSON values."""
        failed = len(self.failed)
        data: dict[str, Any] = {
            "ok": self.ok,
            "scenarios": len(self.results),
            "passed": len(self.results) - failed,
            "failed": failed,
            "findings": list(self.findings),
            "results": [_result(result) for result in self.results],
        }
        if self.generated:
            data["generated"] = {
                "cases": len(self.generated),
                "records": sum(checked.records for checked in self.generated),
                "moments": sum(checked.moments for checked in self.generated),
                "sent": sum(checked.sent for checked in self.generated),
                "broken": [
                    {"seed": checked.case.seed, "law": checked.broken.violations[0].law, "lines": lines}
                    for checked, lines in self.broken
                    if checked.broken is not None
                ],
            }
        return data

    def junit(self) -> str:
        """JUnit XML, as build servers read it; mistakes in files are errors."""
        root = ElementTree.Element("testsuites")
        tests = len(self.results) + len(self.findings) + len(self.generated)
        failures, errors = len(self.failed) + len(self.broken), len(self.findings)
        numbers = {"tests": str(tests), "failures": str(failures), "errors": str(errors)}
        suite = ElementTree.SubElement(root, "testsuite", {"name": "herenow test", **numbers})
        for result in self.results:
            names = (result.scenario.file, result.scenario.name, f"{result.seconds:.6f}")
            told = "" if result.ok else f"expected {result.failures[0].expected}"
            _case(suite, names, "failure", told, "\n".join(difference(result)) if told else "")
        lines = {checked.case.seed: lines for checked, lines in self.broken}
        for checked in self.generated:
            said = lines.get(checked.case.seed, [])
            names = ("generated days", f"seed {checked.case.seed}", "0")
            _case(suite, names, "failure", said[0] if said else "", "\n".join(said))
        for finding in self.findings:
            _case(suite, (finding.file, finding.code, "0"), "error", str(finding), "")
        return ElementTree.tostring(root, "unicode", xml_declaration=True)


def difference(result: Result) -> Iterator[str]:
    """One failed scenario: expected (-), what happened instead (+), and the whole story."""
    scenario = result.scenario
    yield ""
    yield f"FAIL {scenario.file}:{scenario.mark.line}  {scenario.name}"
    for failure in result.failures:
        yield f"  line {failure.line}"
        yield f"  - expected  {failure.expected}"
        first, *rest = failure.happened
        yield f"  + happened  {first}"
        yield from (f"              {line}" for line in rest if line)
    if result.story:
        yield "  the whole story"
        yield from (f"    {line}" for line in result.story)


def _result(result: Result) -> dict[str, Any]:
    return {
        "file": result.scenario.file,
        "line": result.scenario.mark.line,
        "name": result.scenario.name,
        "ok": result.ok,
        "seconds": round(result.seconds, 6),
        "failures": list(result.failures),
        "story": list(result.story),
    }


def _case(suite: ElementTree.Element, names: tuple[str, str, str], kind: str, told: str, text: str) -> None:
    file, name, seconds = names
    case = ElementTree.SubElement(suite, "testcase", {"classname": file, "name": _printable(name), "time": seconds})
    if told:
        ElementTree.SubElement(case, kind, {"message": _printable(told)}).text = _printable(text)


def _printable(text: str) -> str:
    """XML cannot hold control characters."""
    return "".join(c for c in text if c.isprintable() or c in "\n\t")


def count(number: int, what: str) -> str:
    """``1 scenario``, ``2 scenarios``."""
    return f"{number} {what}{'' if number == 1 else 's'}"
