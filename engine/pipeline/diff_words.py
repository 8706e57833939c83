"""A comparison as a report: figures for programs, and sentences for the people who must agree."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct, field

from engine.measure.sentences import sentence
from engine.measure.times import iso, lasting
from engine.model.fence import Fence
from engine.model.reason import Reason
from engine.pipeline.changes import Change, headline
from engine.pipeline.diff import NO_RULE, NOT_WOKEN, Comparison, Delta, RuleTally

NAMED = 6  # rules that the summary names
TOLD = 1000  # people and, unless asked for more, moments that a report lists


class Ground(Struct, frozen=True):
    """What was compared: journal times, how much, under which releases, and where history begins if it was cut."""

    start: float
    end: float
    signals: int
    old: tuple[str, ...]
    new: str
    begins: float | None = None
    source: str = "journal"
    changes: tuple[Change, ...] = ()


class RuleLine(Struct, frozen=True):
    """One rule: messages and people in both runs, and what stood in the way of those that one run lacks."""

    rule: str
    before: int
    after: int
    gained: int
    lost: int
    changed: int
    people_before: int
    people_after: int
    people_more: int
    people_fewer: int
    other_reasons: int = 0
    why_gained: dict[str, int] = field(default_factory=dict)
    why_lost: dict[str, int] = field(default_factory=dict)


class Report(Struct, frozen=True):
    """All of it. ``summary``: sentences, the most important first."""

    summary: tuple[str, ...]
    ground: Ground
    totals: dict[str, int]
    rules: tuple[RuleLine, ...]
    people: tuple[dict[str, Any], ...]
    moments: tuple[Delta, ...]
    left_out: int
    alarms: dict[str, list[str]]
    guarded: tuple[str, ...]  # rules that the blast guard would have paused now, and did not before
    hours: tuple[tuple[int, int, int], ...]  # hour since 1970, messages before, after
    fences: tuple[Fence, ...] = ()

    def view(self) -> dict[str, Any]:
        """For JSON: instants as ISO 8601, without the fences."""
        told: dict[str, Any] = msgspec.to_builtins(self)
        del told["fences"]
        ground = told.pop("ground")
        for name in ("start", "end", "begins"):
            ground[name] = iso(ground[name])
        for delta in told["moments"]:
            delta["at"] = iso(delta["at"])
            for side in ("before", "after"):
                if delta[side] is not None:
                    delta[side]["at"] = iso(delta[side]["at"])
                    del delta[side]["more"]
        told["hours"] = [{"at": iso(h * 3600.0), "before": a, "after": b} for h, a, b in self.hours]
        return {**ground, "history_begins": ground.pop("begins"), **told}


def report(c: Comparison, ground: Ground, fences: Sequence[Fence] = (), limit: int = TOLD) -> Report:
    """Close the comparison and say what came of it."""
    c.close()
    rules = tuple(sorted((_line(id, tally) for id, tally in c.rules.items()), key=_weight))
    before, after = (sum(side.values()) for side in c.hours)
    totals = {
        "before": before,
        "after": after,
        **{kind: c.kinds[kind] for kind in ("gained", "lost", "changed")},
        "other_reasons": c.kinds["reason"],
        "people_touched": len(c.people),
    }
    busiest = sorted(c.people.items(), key=lambda item: (-sum(item[1].values()), item[0]))[:TOLD]
    people = tuple({"person": id, **{k: n[k] for k in ("gained", "lost", "changed")}} for id, n in busiest)
    hours = tuple((h, c.hours[0][h], c.hours[1][h]) for h in sorted(c.hours[0].keys() | c.hours[1].keys()))
    kept, alarms = tuple(c.deltas[:limit]), {what: sorted(ids) for what, ids in sorted(c.watch.alarms.items())}
    left = c.left_out + len(c.deltas) - len(kept)
    guarded = tuple(sorted(c.guarded[1] - c.guarded[0]))
    summary = tuple(_summary(c, ground, rules, totals, alarms, guarded))
    return Report(summary, ground, totals, rules, people, kept, left, alarms, guarded, hours, tuple(fences))


def _line(id: str, t: RuleTally) -> RuleLine:
    more, fewer = t.people_after - t.people_before, t.people_before - t.people_after
    return RuleLine(
        id, t.before, t.after, t.kinds["gained"], t.kinds["lost"], t.kinds["changed"],
        len(t.people_before), len(t.people_after), len(more), len(fewer), t.kinds["reason"],
        _ranked(t.why_gained), _ranked(t.why_lost),
    )  # fmt: skip


def _ranked(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:10])


def _weight(line: RuleLine) -> tuple[int, int, str]:
    return (-(line.gained + line.lost), -line.changed, line.rule)


# ------------------------------------------------------------------ sentences


def _summary(
    c: Comparison,
    ground: Ground,
    rules: Sequence[RuleLine],
    totals: Mapping[str, int],
    alarms: Mapping[str, Sequence[str]],
    guarded: Sequence[str],
) -> Iterator[str]:
    if not (totals["gained"] or totals["lost"] or totals["changed"]):
        yield f"Nobody would have noticed: the same {_count(totals['after'], 'message')} to the same people."
    else:
        yield from _people(rules)
        yield _messages(totals)
        yield from _differently(c, totals)
    if alarms:
        yield from (f"Careful: {_count(len(people), 'person')} {what}." for what, people in alarms.items())
    else:
        yield "Nobody above a cap, nothing in quiet hours."
    if guarded:
        yield f"Careful: the blast guard would have paused {_and(guarded)}."
    if ground.changes:
        yield f"The files: {headline(ground.changes)}."
    yield _span(ground)


def _people(rules: Sequence[RuleLine]) -> Iterator[str]:
    """``12 more people would have got morning-coffee (34 instead of 22), 3 fewer weekend-tour (5 instead of 8).``"""
    parts = []
    for line in rules:
        now = f"({line.people_after} instead of {line.people_before})"
        if line.people_more:
            parts.append((line.people_more, "more", line.rule, now))
        if line.people_fewer:
            parts.append((line.people_fewer, "fewer", line.rule, now))
    parts.sort(key=lambda part: (-part[0], part[2], part[1]))
    told = []
    for n, (count, word, rule, now) in enumerate(parts[:NAMED]):
        whom = f" {'person' if count == 1 else 'people'} would have got" if n == 0 else ""
        told.append(f"{count} {word}{whom} {rule} {now}")
    rest = len({part[2] for part in parts[NAMED:]} - {part[2] for part in parts[:NAMED]})
    more = f", and there are changes of {_count(rest, 'other rule')}" if rest else ""
    if told:
        yield ", ".join(told) + more + "."
    else:
        yield "Each rule would have reached the same people."


def _messages(totals: Mapping[str, int]) -> str:
    gained, lost = totals["gained"], totals["lost"]
    return (
        f"{_count(totals['after'], 'message')} instead of {totals['before']}: {gained} gained, {lost} lost, "
        f"{totals['people_touched']} {'person' if totals['people_touched'] == 1 else 'people'} touched."
    )


WORDS = {
    "text": "would have read differently",
    "time": "would have gone at another time",
    "channel": "would have gone another way",
}


def _differently(c: Comparison, totals: Mapping[str, int]) -> Iterator[str]:
    parts = [f"{c.fields[name]} {words}" for name, words in WORDS.items() if c.fields[name]]
    if parts:
        yield f"Of the others, {_and(parts)}."


def _span(ground: Ground) -> str:
    what = "the journal" if ground.source == "journal" else ground.source
    text = f"Looked at {_count(ground.signals, 'signal')} of {what}, {_day(ground.start)} to {_day(ground.end)}"
    text += f" ({lasting(max(1.0, ground.end - ground.start))})."
    if ground.begins is not None:
        text += f" History begins {_day(ground.begins)}."
    return text


def why_words(why: str) -> str:
    """What stood in the way, for a person: a reason, or the line that did not hold."""
    if why in Reason.__members__:
        return sentence(Reason(why)).removeprefix("Not sent: ").rstrip(".")
    own = {NOT_WOKEN: "nothing woke the rule", NO_RULE: "there was no such rule"}
    return own.get(why) or f"'{why}' did not hold"


def _day(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC"


def _and(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _count(n: int, what: str) -> str:
    plural = {"person": "people"}.get(what, what + "s")
    return f"{n:,} {what if n == 1 else plural}"


# ------------------------------------------------------------------ text


def text(r: Report, moments: int = 30) -> Iterator[str]:
    """Lines for a terminal."""
    yield from r.summary
    yield ""
    yield f"{'rule':32} {'before':>8} {'after':>8} {'gained':>8} {'lost':>8} {'changed':>8}  people"
    for line in r.rules:
        people = f"+{line.people_more} -{line.people_fewer}"
        numbers = " ".join(f"{n:8}" for n in (line.before, line.after, line.gained, line.lost, line.changed))
        yield f"{line.rule[:32]:32} {numbers}  {people}"
        for word, whys in (("gained", line.why_gained), ("lost", line.why_lost)):
            for why, n in list(whys.items())[:3]:
                yield f"    {n} {word}: {'before' if word == 'gained' else 'now'} {why_words(why)}"
    shown = [delta for delta in r.moments if delta.kind != "reason"][:moments]
    if shown:
        yield ""
    for delta in shown:
        yield f"{delta.kind:8} {iso(delta.at)}  {delta.person[:20]:20} {delta.rule[:32]:32} {delta_words(delta)}"
    left = sum(r.totals[kind] for kind in ("gained", "lost", "changed")) - len(shown)
    if left > 0:
        yield f"... and {left} more (--format json lists {TOLD}; --format html draws them)"
    for change in r.ground.changes[:50]:
        yield f"{change.what} {change.kind} {change.id}: {'; '.join(change.lines)[:200]}".rstrip(": ")


def delta_words(delta: Delta) -> str:
    """How one moment differs."""
    a, b = delta.before, delta.after
    if delta.kind == "changed" and a is not None and b is not None:
        told = []
        if "text" in delta.fields:
            told.append(f"“{a.title or a.body}” → “{b.title or b.body}”" if (a.title, a.body) != (b.title, b.body)
                        else "link, data or language")  # fmt: skip
        if "time" in delta.fields or "decision" in delta.fields:
            told.append(f"{a.verdict} {iso(a.at)} → {b.verdict} {iso(b.at)}")
        if "channel" in delta.fields:
            told.append(f"{' then '.join(a.channels)} → {' then '.join(b.channels)}")
        return "; ".join(told)
    if delta.kind == "gained" and b is not None:
        return f"“{b.title or b.body}”; before: {_no(a)}"
    if delta.kind == "lost" and a is not None:
        return f"“{a.title or a.body}”; now: {_no(b)}"
    return f"{_no(a)} → {_no(b)}"


def _no(outcome: Any) -> str:
    if outcome is None:
        return why_words(NOT_WOKEN)
    return why_words(outcome.line or str(outcome.reason))
