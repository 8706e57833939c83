"""``*.test.yaml`` to scenarios: every mistake at once, with file, line, column and fix."""

from collections.abc import Collection, Iterable, Mapping
from itertools import islice
from pathlib import Path

from msgspec import Struct

from engine.author.nodes import Node, Scalar
from engine.author.report import TextError, clip, did_you_mean, ordered
from engine.author.scenario_expect import read_expect
from engine.author.scenario_given import Fields, make_given, read_given
from engine.author.scenario_keys import FILE, OTHERS, SCENARIO
from engine.author.scenario_parts import Mark, Scenario
from engine.author.scenario_steps import Named, check_people, read_steps
from engine.author.scenario_times import parse_point
from engine.author.source import Source, Use
from engine.errors import Finding

_LONGEST_NAME = 200
_MAX_UNDECLARED = 500  # told of one run


class Names(Struct, frozen=True):
    """What scenarios may name: the ids of a release's rules and fences, and its channels."""

    rules: Collection[str]
    fences: Collection[str]
    channels: Collection[str]


class Read(Struct):
    """The scenarios of some files, what is wrong with them, and the names that they use."""

    scenarios: list[Scenario]
    findings: list[Finding]
    uses: list[Use]

    def checked(self, names: Names) -> list[Finding]:
        """All findings, with names that nothing declares, in order of place."""
        return ordered([*self.findings, *_undeclared(self.uses, names)])


def read_scenarios(files: Mapping[str, bytes], zone: str, folders: Mapping[str, Path] | None = None) -> Read:
    """The scenarios of files (name -> bytes). ``zone``: of clocks that name none; ``folders``: where each file lies,
    for the tracks that it names."""
    read = Read([], [], [])
    for name in sorted(files):
        source = Source(name, files[name])
        folder = (folders or {}).get(name)
        read.scenarios += _file(source, zone, folder)
        read.findings += source.findings
        read.uses += source.uses
    return read


def _file(source: Source, zone: str, folder: Path | None) -> list[Scenario]:
    root = source.root
    if root is None or (isinstance(root, Scalar) and root.empty):
        return []
    top = source.mapping(root, "a file of scenarios", FILE)
    if top is None:
        return []
    get = top.entries.get
    if "scenarios" not in top.entries:
        source.error(top, "MISSING", "The file has no scenarios.", "Add 'scenarios:' and below it one name a scenario.")
        return []
    if (about := get("about")) is not None:
        source.text(about, "about")
    named = {} if (places := get("places")) is None else _places(source, places)
    shared = {} if (given := get("given")) is None else read_given(source, given, zone)
    strict = _strict(source, get("others"), True)
    found: list[Scenario] = []
    for key, place, node in source.entries(top.entries["scenarios"], "scenarios"):
        scenario = _scenario(source, key, place, node, (zone, named, shared, strict))
        if scenario is not None:
            found.append(scenario if folder is None else _placed(source, scenario, folder))
    return found


def _scenario(
    source: Source, key: str, place: Scalar, node: Node, around: tuple[str, Named, Fields, bool]
) -> Scenario | None:
    zone, named, shared, strict = around
    if not key.strip() or len(key) > _LONGEST_NAME:
        source.error(place, "BAD_VALUE", f"'{clip(key)}' is no name.", f"Use 1 to {_LONGEST_NAME} characters.")
    scenario = source.mapping(node, f"scenario '{clip(key)}'", SCENARIO)
    if scenario is None:
        return None
    before = source.told.get("error", 0)
    get = scenario.entries.get
    if (about := get("about")) is not None:
        source.text(about, "about")
    for name, fix in (("steps", "'steps:' with what happens"), ("expect", "'expect: none', or '- moment: RULE'")):
        if name not in scenario.entries:
            source.error(place, "MISSING", f"The scenario '{clip(key)}' has no '{name}'.", f"Add {fix}.")
    own = {} if (given_ := get("given")) is None else read_given(source, given_, zone)
    given = make_given(shared, own, zone)
    steps = () if (node_ := get("steps")) is None else read_steps(source, node_, named)
    expect = () if (node_ := get("expect")) is None else read_expect(source, node_)
    check_people(source, steps, (given.person, *given.people))
    if given.clock is None and steps and steps[0].action != "follows":
        fix = "Add 'clock: 2026-11-24 08:00 Europe/Berlin' under 'given:'."
        source.error(place, "MISSING", f"The scenario '{clip(key)}' has no clock.", fix)
    if source.told.get("error", 0) > before:
        return None
    strict = _strict(source, get("others"), strict)
    return Scenario(key, source.file, Mark(place.line, place.column, key), given, steps, expect, strict)


def _strict(source: Source, node: Node | None, otherwise: bool) -> bool:
    word = None if node is None else source.choice(node, "word for others", OTHERS)
    return otherwise if word is None else word == "refused"


def _places(source: Source, node: Node) -> Named:
    """``home: 52.5416, 13.3561``."""

    def parser(text: str) -> tuple[float, float]:
        lat, comma, lon = text.partition(",")
        try:
            if not comma:
                raise ValueError
            return parse_point(str(float(lat)), str(float(lon)))
        except ValueError as error:
            if isinstance(error, TextError):
                raise
            raise TextError(f"'{clip(text)}' is no position.", "Write latitude, longitude: 52.5219, 13.4031") from None

    found = {key: source.parse(value, key, parser) for key, _, value in source.entries(node, "places")}
    return {key: point for key, point in found.items() if point is not None}


def _placed(source: Source, scenario: Scenario, folder: Path) -> Scenario:
    """The scenario with its folder; tracks that are not there are told."""
    for step in scenario.steps:
        if step.action == "follows" and not (folder / step.name).is_file():
            node = Node(step.mark.line, step.mark.column)
            fix = "Name a file, as seen from the folder of this one."
            source.error(node, "NO_FILE", f"There is no track '{clip(step.name)}'.", fix)
    return Scenario(
        scenario.name, scenario.file, scenario.mark, scenario.given, scenario.steps, scenario.expect, scenario.strict,
        str(folder),
    )  # fmt: skip


def _undeclared(uses: Iterable[Use], names: Names) -> Iterable[Finding]:
    known = {"rule": names.rules, "fence": names.fences, "channel": names.channels}
    said = {"rule": "rule", "fence": "geofence or place", "channel": "channel in config.toml"}
    wrong = (use for use in uses if use.name not in known[use.kind])
    for use in islice(wrong, _MAX_UNDECLARED):
        fix = did_you_mean(use.name, known[use.kind])
        problem = f"There is no {said[use.kind]} '{clip(use.name)}'."
        code = f"UNKNOWN_{use.kind.upper()}"
        yield Finding(use.file, use.line, use.column, "error", code, problem, fix)
