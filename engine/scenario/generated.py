"""Generated checks: days of made-up people, lived twice with differently cut records, held against the promises."""

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

import msgspec
from msgspec import Struct

from engine.clock import monotonic
from engine.model.ids import share
from engine.model.moment import Moment
from engine.model.record import Feedback, Frame
from engine.model.runs import together
from engine.model.signal import Signal
from engine.pipeline.core import Core
from engine.pipeline.versions import Compiled
from engine.scenario.laws import Violation, violations
from engine.scenario.population import Case, Item, Population
from engine.scenario.stage import Outcome, Prepared, Stage

FLAKY = 0.15  # share of messages that take two attempts
ANSWERS = 0.3  # share of messages to which there is feedback
KINDS = ("opened", "clicked", "dismissed", "useful")
AFTERWARDS = 2 * 3600.0  # seconds that pass when all has been received
SHRINK_PLAYS, SHRINK_SECONDS = 200, 20.0
CUT = "independent of batches"


class Broken(Struct, frozen=True):
    """A case that breaks promises. ``items``: the fewest records found that still break the first of them."""

    case: Case
    violations: tuple[Violation, ...]
    items: tuple[Item, ...]
    plays: int


class Lived(Struct, frozen=True):
    """One play of a case: what was decided, and the journal as it became."""

    moments: tuple[Moment, ...]
    journal: tuple[Frame, ...]


class Checked(Struct, frozen=True):
    """How one case went, and how much there was in it."""

    case: Case
    records: int
    moments: int
    sent: int
    broken: Broken | None


def check_many(compiled: Compiled, count: int, seed: int) -> Iterator[Checked]:
    """Cases of the seeds from ``seed`` on, one result each."""
    prepared, population = Prepared(compiled), Population(compiled)
    for number in range(count):
        yield check_case(prepared, population.case(seed + number))


def check_case(prepared: Prepared, case: Case) -> Checked:
    """Live a case, judge it, live its journal again cut differently; shrink it where a promise is broken."""
    lived = live(prepared, case.items)
    found = judge(prepared, lived, case.seed)
    sent = sum(1 for frame in lived.journal for record in frame.records if getattr(record, "outcome", "") == "sent")
    broken = shrink(prepared, case, found) if found else None
    return Checked(case, len(case.items), len(lived.moments), sent, broken)


def live(prepared: Prepared, items: Sequence[Item]) -> Lived:
    """Play the records as a live server would: one at a time, with timers, schedules, sends and answers between."""
    stage = Stage(prepared, items[0][0] if items else 0.0, flaky=FLAKY, keep=True)
    answers = _Answers(stage)
    for received, record in items:
        answers.until(received)
        stage.put(record, received)
    answers.until(stage.now + AFTERWARDS)
    stage.advance(stage.now + AFTERWARDS)
    return Lived(tuple(outcome.moment for outcome in stage.seen.outcomes), tuple(stage.journal or ()))


class _Answers:
    """People answer some of what they are sent, a while later."""

    def __init__(self, stage: Stage) -> None:
        self._stage, self._seen = stage, 0
        self._open: list[Outcome] = []  # neither sent nor stopped yet
        self._waiting: list[tuple[float, str, str]] = []  # due, notification, person

    def until(self, at: float) -> None:
        """Give the answers that are due by then."""
        self._look()
        while self._waiting and self._waiting[0][0] <= at:
            due, notification, person = self._waiting.pop(0)
            kind = KINDS[int(share("kind", notification) * len(KINDS))]
            self._stage.put(Feedback(f"f-{notification}", kind, due, notification, person), due)
            self._look()

    def _look(self) -> None:
        outcomes = self._stage.seen.outcomes
        self._open += outcomes[self._seen :]
        self._seen = len(outcomes)
        for outcome in [outcome for outcome in self._open if outcome.sent_at is not None or outcome.reason]:
            self._open.remove(outcome)
            if outcome.sent_at is not None and share("answers", outcome.notification) < ANSWERS:
                due = self._stage.now + 30.0 + 1800.0 * share("delay", outcome.notification)
                self._waiting.append((due, outcome.notification, outcome.moment.person))
        self._waiting.sort()


def judge(prepared: Prepared, lived: Lived, seed: int) -> list[Violation]:
    """The broken promises of a play."""
    found = violations(prepared.compiled.release, lived.journal, lived.moments)
    found += _cut_shows(prepared.compiled, lived, seed)
    return found


def _cut_shows(compiled: Compiled, lived: Lived, seed: int) -> Iterator[Violation]:
    """The same journal in other frames and steps gives the same moments, byte for byte."""
    rng = Random(f"cut|{seed}")  # noqa: S311 (a simulation, not a secret)
    whole = sorted(map(_encode, lived.moments))
    core = Core({compiled.release.hash: compiled})
    frames, moments = list(_recut(lived.journal, rng)), list[Moment]()
    while frames:
        some = rng.choice((1, 2, 7, 50, 1000))
        moments += core.step(frames[:some]).moments
        del frames[:some]
    other = {_encode(moment): moment for moment in moments}
    missing = set(whole) ^ set(other)
    if missing:
        by_bytes = {_encode(moment): moment for moment in lived.moments} | other
        first = min((by_bytes[one] for one in missing), key=lambda moment: (moment.at, moment.id))
        words = f"{len(missing)} moments differ when the records are cut otherwise"
        yield Violation(CUT, first.at, first.person, first.rule, words)


def _recut(journal: Sequence[Frame], rng: Random) -> Iterator[Frame]:
    """Frames that are joined where their time is the same, or split, as chance has it."""
    held: Frame | None = None
    for frame in journal:
        if held is not None and held.received == frame.received and rng.random() < 0.7:
            held = Frame(held.offset, held.received, together([held.records, frame.records]))
            continue
        if held is not None:
            yield held
        held = frame
    if held is not None:
        yield held


def _encode(moment: Moment) -> bytes:
    return msgspec.msgpack.encode(moment)


# ------------------------------------------------------------------ shrinking


def shrink(prepared: Prepared, case: Case, found: Sequence[Violation]) -> Broken:
    """Fewer and fewer records that still break the first of the promises: one person, one day, single records."""
    first, plays, stop = found[0], 0, monotonic() + SHRINK_SECONDS

    def breaks(items: Sequence[Item]) -> bool:
        nonlocal plays
        plays += 1
        again = judge(prepared, live(prepared, items), case.seed) if items else []
        return any(violation.law == first.law for violation in again)

    def goes_on() -> bool:
        return plays < SHRINK_PLAYS and monotonic() < stop

    items = list(case.items)
    for keep in (_until(first.at), _of_person(case, first.person), _since(first.at - 86400.0)):
        fewer = [item for item in items if keep(item)]
        if len(fewer) < len(items) and goes_on() and breaks(fewer):
            items = fewer
    return Broken(case, tuple(found), tuple(_fewest(items, breaks, goes_on)), plays)


def _fewest(
    items: list[Item], breaks: Callable[[Sequence[Item]], bool], goes_on: Callable[[], bool]
) -> list[Item]:  # fmt: skip
    """Take away halves, quarters, … down to single records, for as long as it stays broken."""
    size = max(1, len(items) // 2)
    while goes_on():
        at, smaller = 0, False
        while at < len(items) and goes_on():
            fewer = [*items[:at], *items[at + size :]]
            if breaks(fewer):
                items, smaller = fewer, True
            else:
                at += size
        if size == 1 and not smaller:
            break
        size = max(1, size // 2)
    return items


def _until(at: float) -> Callable[[Item], bool]:
    return lambda item: item[0] <= at + 1.0


def _since(at: float) -> Callable[[Item], bool]:
    """Later ones, and what is known of people and places."""
    return lambda item: item[0] >= at or not isinstance(item[1], Signal)


def _of_person(case: Case, person: str) -> Callable[[Item], bool]:
    devices: set[Any] = set()
    for _, record in case.items:
        if getattr(record, "person", None) == person:
            devices.update(getattr(record, "devices", None) or ())

    def keep(item: Item) -> bool:
        record = item[1]
        if isinstance(record, Signal):
            return record.device in devices
        return getattr(record, "person", person) == person

    return keep


__all__ = ["Broken", "Checked", "check_case", "check_many", "live"]
