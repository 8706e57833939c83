"""The second matcher: found by our index, decided by durable-rules (``[match] engine = "durable"``).

What wakes a rule and what explains it are the same code as in the indexed matcher; only who says whether its conditions
hold differs. The answers do not.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache, partial

from engine.errors import AuthorError, ConfigError, Finding
from engine.match.conditions import Workshop
from engine.match.durable_facts import Scalar
from engine.match.durable_terms import Asked, NotDurable, translate
from engine.match.matcher import CompiledRule, Matcher
from engine.match.situation import Situation, Truth
from engine.model.fence import Fence
from engine.model.release import Release
from engine.model.rule import Rule, Segment

Fires = Callable[[dict[str, Scalar]], bool]

INSTALL = "Run: pip install 'herenow[durable]' (Python 3.12 or older, C compiler). Or use the indexed engine."


@lru_cache(maxsize=1)
def missing() -> str | None:
    """Why durable-rules cannot be used here, or None where it can."""
    try:
        from engine.match import durable_host  # noqa: F401, PLC0415  loaded only where it is chosen
    except ImportError as error:
        return str(error)
    return None


def need() -> None:
    """Raises ``ConfigError``, with what to do, where durable-rules cannot be used."""
    problem = missing()
    if problem is not None:
        raise ConfigError(f"durable-rules cannot be loaded: {problem}.", "config.toml [match] engine", INSTALL)


def refusals(rules: Iterable[Rule], segments: Mapping[str, Segment]) -> list[Finding]:
    """What durable-rules cannot express, by rule and line. It need not be installed to be asked."""
    return _translated(rules, Workshop(segments, lambda target: (), 0.0))[1]


class DurableMatcher(Matcher):
    """The indexed matcher with durable-rules in the judge's chair."""

    @classmethod
    def compile(cls, release: Release, fences: Iterable[Fence] | None = None) -> "DurableMatcher":
        """As the indexed one. ``ConfigError`` where durable-rules is not installed, ``AuthorError`` with every line
        that it cannot express."""
        return cls(release, release.fences if fences is None else fences)

    def _compiled(self, rules: Sequence[Rule], workshop: Workshop) -> tuple[CompiledRule, ...]:
        need()
        from engine.match.durable_host import host  # noqa: PLC0415  loaded only where it is chosen

        asked, findings = _translated(rules, workshop)
        if findings:
            raise AuthorError(findings)
        here = host()
        places = here.places([one.shape for one in asked])
        compiled = super()._compiled(rules, workshop)
        for rule, one, place in zip(compiled, asked, places, strict=True):
            rule.holds = decided(one, partial(here.fires, place))
        return compiled


def decided(asked: Asked, fires: Fires) -> Truth:
    """A rule's answer from durable-rules. Where something is unknown it is asked twice: if the rule fires even with
    nothing in the place of what is unknown, it holds; if it fires only with something that fits, nobody knows."""
    slots = asked.slots

    def holds(s: Situation) -> bool | None:
        values: dict[str, Scalar] = {}
        unknown: list[str] = []
        for name, slot in slots:
            value = slot.read(s)
            if value is None:
                unknown.append(name)
                value = slot.unknown
            values[name] = value
        if not fires(values):
            return False
        if not unknown:
            return True
        for name in unknown:
            del values[name]
        return True if fires(values) else None

    return holds


def _translated(rules: Iterable[Rule], workshop: Workshop) -> tuple[list[Asked], list[Finding]]:
    unanswerable = frozenset(workshop.done)
    asked: list[Asked] = []
    findings: dict[tuple[str, str], Finding] = {}  # a line of a segment is told once, for the first rule that asks it
    for rule in rules:
        translated = translate(rule, workshop, unanswerable)
        if isinstance(translated, Asked):
            asked.append(translated)
            continue
        for refused in translated:
            findings.setdefault((refused.where, refused.problem), _finding(rule, refused))
    return asked, list(findings.values())


def _finding(rule: Rule, refused: NotDurable) -> Finding:
    file, _, line = refused.where.rpartition(":")
    problem = f"Rule '{rule.id}' is not for durable-rules. {refused.problem}"
    return Finding(file, int(line or 0), 1, "error", "NOT_DURABLE", problem, refused.fix)
