"""What only shows when all files are read: names that nothing declares, ids used twice, times that clash."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from msgspec import UNSET, Struct, field

from engine.author.durations import duration_text
from engine.author.fields import Field
from engine.author.report import clip, did_you_mean, nearest, renamed
from engine.author.shelf import Shelf
from engine.author.source import Use
from engine.compose import check_template
from engine.errors import Finding
from engine.match.durable import refusals
from engine.model.fence import Fence
from engine.model.fences import Fences, heads
from engine.model.release import Policy
from engine.model.rule import Journey, Offer, Rule, Segment
from engine.sense.fences import FenceSet


class Parts(Struct):
    """Everything read so far. ``journeys`` None: the project declares none."""

    policy: Policy
    shelf: Shelf = field(default_factory=Shelf)  # what rules share: templates, named messages, partials
    rules: list[tuple[Rule, str, int, int]] = field(default_factory=list)  # with file, line, column
    fences: Sequence[Fence] = ()
    segments: dict[str, Segment] = field(default_factory=dict)
    offers: dict[str, Offer] = field(default_factory=dict)
    journeys: dict[str, Journey] | None = None
    uses: list[Use] = field(default_factory=list)
    fields: dict[str, Field] = field(default_factory=dict)  # declared in schema.yaml
    lines: dict[str, list[str]] = field(default_factory=dict)  # of each YAML file, for the places of findings
    homes: dict[tuple[str, str], tuple[str, int, int]] = field(default_factory=dict)  # kind, name -> where declared
    doubtful: frozenset[str] = frozenset()  # kinds of names whose own file is wrong: some may be missing for that


_template_problem = lru_cache(maxsize=20_000)(check_template)


def cross_check(parts: Parts, sizes: bool = True) -> list[Finding]:
    """All findings that need more than one file (or the policy). Without ``sizes`` no fence is compiled to see whether
    it is large enough: that takes as long as putting it in force, and of a release that was in force it was told."""
    findings = [*_twice(parts), *(_too_small(parts) if sizes else ()), *_long_fence_dwells(parts)]
    if parts.policy.matcher == "durable":
        findings += refusals([rule for rule, *_ in parts.rules], parts.segments)
    known = _declared(parts)
    for use in parts.uses:
        if use.kind in known:
            findings += _unknown(use, known, parts)
        elif use.kind == "template":
            findings += _template(use)
        elif use.kind == "dwell":
            findings += _long_dwell(use, parts.policy.sense.silence)
        elif use.kind == "converting rule":
            findings += _without_conversion(use, parts)
    return findings


def _declared(parts: Parts) -> dict[str, dict[str, None]]:
    """The names that exist, by kind; journeys and stages only where the project declares journeys."""
    fences = parts.fences
    known: dict[str, Iterable[str]] = {
        "fence": fences.ids if isinstance(fences, Fences) else (fence.id for fence in fences),
        "tag": fences.tags if isinstance(fences, Fences) else (tag for fence in fences for tag in fence.tags),
        "segment": parts.segments,
        "offer": parts.offers,
        "channel": parts.policy.channels,
        "rule": (rule.id for rule, *_ in parts.rules),
    }
    if parts.journeys is not None:
        known["journey"] = parts.journeys
        known["stage"] = (f"{name}\n{stage.id}" for name, of in parts.journeys.items() for stage in of.stages)
    return {kind: dict.fromkeys(names) for kind, names in known.items()}


_CALLED = {"fence": "geofence"}
_DECLARE = {
    "fence": "Add it to a file in geofences/.",
    "tag": "Give the tag to a geofence.",
    "segment": "Add it to rules/segments.yaml.",
    "offer": "Add it to rules/offers.yaml.",
    "channel": "Add it to config.toml as [channels.NAME].",
    "journey": "Add it to rules/journeys.yaml.",
    "stage": "Add it to its journey in rules/journeys.yaml.",
    "rule": "Name a rule of this project.",
}


def _unknown(use: Use, known: Mapping[str, Mapping[str, None]], parts: Parts) -> list[Finding]:
    if use.name in known[use.kind] or not use.name:
        return []
    if use.kind == "stage":
        journey, _, name = use.name.partition("\n")
        if journey not in known["journey"]:
            return []  # the journey is what is wrong, and told
        choices = [stage.partition("\n")[2] for stage in known["stage"] if stage.startswith(f"{journey}\n")]
    else:
        name, choices = use.name, list(known[use.kind])
    near = nearest(name, choices)
    if near is None and use.kind in parts.doubtful:
        return []
    if use.kind == "fence" and near is None and name in known["tag"]:
        fix = f"Write: tag {name}"
    elif use.kind == "fence" and near is not None:
        fix = f"Did you mean '{near}'? ({_home(near, parts)})"
    else:
        fix = did_you_mean(name, choices) or _DECLARE[use.kind]
    problem = _both(f"Unknown {_CALLED.get(use.kind, use.kind)} '{clip(name)}'.", use)
    code, edit = f"UNKNOWN_{use.kind.upper()}", renamed(name, choices) or UNSET
    return [Finding(use.file, use.line, use.column, "error", code, problem, fix, edit)]


def _home(id: str, parts: Parts) -> str:
    """The file of a fence."""
    return next(head.source.rpartition(":")[0] for head in heads(parts.fences) if head.id == id)


def _template(use: Use) -> list[Finding]:
    problem = _template_problem(use.name)
    if problem is None:
        return []
    return [Finding(use.file, use.line, use.column, "error", "TEMPLATE", _both(problem, use))]


def _both(problem: str, use: Use) -> str:
    """The problem with its other place, where it has two."""
    return f"{problem} {use.also}" if use.also else problem


def _long_dwell(use: Use, silence: float) -> list[Finding]:
    if use.seconds < silence:
        return []
    problem = f"A dwell of {duration_text(use.seconds)} can never be sensed: after {duration_text(silence)} of silence"
    problem += " nobody knows where a device is."
    fix = f"Use less than {duration_text(silence)}, or a longer [sense] silence in config.toml."
    return [Finding(use.file, use.line, use.column, "error", "DWELL_TOO_LONG", problem, fix)]


def _without_conversion(use: Use, parts: Parts) -> list[Finding]:
    """Of a rule that something else waits for to convert."""
    rule = next((rule for rule, *_ in parts.rules if rule.id == use.name), None)
    if rule is None or rule.conversion is not None:
        return []
    problem = f"'{clip(use.name)}' has no conversion to wait for ({rule.where})."
    fix = "Add 'conversion:' with an event to that rule."
    return [Finding(use.file, use.line, use.column, "error", "NO_CONVERSION", problem, fix)]


def _long_fence_dwells(parts: Parts) -> list[Finding]:
    found: list[Finding] = []
    fences = parts.fences
    for fence in map(fences.known, fences.few.dwells) if isinstance(fences, Fences) else fences:
        for seconds in fence.dwell:
            file, line = _place(fence)
            found += _long_dwell(Use("dwell", fence.id, file, line, 1, seconds), parts.policy.sense.silence)
    return found


def _place(fence: Fence) -> tuple[str, int]:
    file, _, line = fence.source.rpartition(":")
    return file, int(line)


def _twice(parts: Parts) -> list[Finding]:
    """Rules and fences whose id is there already."""
    found: list[Finding] = []
    rules: dict[str, str] = {}
    for rule, file, line, column in parts.rules:
        first = rules.setdefault(rule.id, rule.where)
        if first != rule.where:
            problem = f"There is a rule '{clip(rule.id)}' already ({first})."
            found.append(Finding(file, line, column, "error", "DUPLICATE_RULE", problem, "Give one another id."))
    fences: dict[str, Fence] = {}
    for fence in () if isinstance(parts.fences, Fences) else parts.fences:
        if fences.setdefault(fence.id, fence) is not fence:
            problem = f"There is a geofence '{clip(fence.id)}' already ({fences[fence.id].source})."
            file, line = _place(fence)
            found.append(Finding(file, line, 1, "error", "DUPLICATE_FENCE", problem, "Give one another id."))
    return found


def _too_small(parts: Parts) -> list[Finding]:
    accuracy = parts.policy.sense.default_accuracy
    if accuracy <= 0:
        return []
    found: list[Finding] = []
    fences = Fences.of(parts.fences)
    for name in FenceSet.compile(fences).too_small(accuracy, parts.policy.sense.enter_probability):
        file, line = _place(fences.known(name))
        problem = f"'{clip(name)}' is too small to be entered at an accuracy of {accuracy:g} m."
        fix = "Typical phones give 20–65 m; use radius ≥ 100 m or `catchment`."
        found.append(Finding(file, line, 1, "warning", "TOO_IMPRECISE", problem, fix))
    return found
