"""Why somebody did or did not get a message: the past of one person, recomputed from the journal.

Only the records of this person, and those that concern everybody, are stepped: a question costs reading the journal,
not living it. What hangs on other people's messages (a rule's total, stock, the blast guard) cannot be recomputed from
one person; where the store holds the moment, its decision is taken from there.

Works in small pieces: nothing here keeps the event loop for more than some milliseconds.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from math import floor
from typing import Any

import msgspec

from engine.clock import monotonic
from engine.errors import Busy, HerenowError
from engine.measure.times import iso
from engine.measure.trace import miss_view, moment_view
from engine.model.moment import Effects, Miss, Moment
from engine.model.reason import Verdict
from engine.model.record import Attempt, Feedback, FenceChange, Frame, ProfileChange, Record, ReleaseChange, Tick
from engine.model.runs import Run, runs
from engine.model.signal import Signal
from engine.model.signals import Signals
from engine.pipeline import aside, nearest
from engine.pipeline.aside import Question
from engine.pipeline.closest import Closest, Track
from engine.pipeline.core import Core
from engine.pipeline.excerpt import Excerpt, Known, excerpt
from engine.pipeline.releases import Releases
from engine.pipeline.state import STAGED, CoreState
from engine.ports import Store, StoredMoment

PARTITION = 0
BREATH = 0.999999  # seconds: the last instant of a second that the journal can tell
LOOK_BACK = 86400.0  # seconds before the instant asked about that are looked through
SLICE = 0.004  # seconds of work, then the others may run
SLOW = 60.0  # seconds after which a question is given up
AT_ONCE = 2  # questions worked on
WAITING = 8  # and waiting; more are sent away
MANY = 20_000  # people: picking one out of more would keep the event loop too long
MAX_FINDINGS = 200
MAX_RULES = 100


class Slices:
    """Lets others run after every few milliseconds of work, and gives up after a minute of it."""

    def __init__(self) -> None:
        self._began = self._last = monotonic()

    async def pause(self) -> None:
        """Between two pieces of work."""
        now = monotonic()
        if now - self._began > SLOW:
            fix = "Ask about a shorter time (?window=1h), or use herenow replay."
            raise HerenowError(f"there is more history in that time than {SLOW:g} seconds are enough for", fix=fix)
        if now - self._last >= SLICE:
            await asyncio.sleep(0)
            self._last = monotonic()


class Questions:
    """Answers a few questions at a time; where a great many people are held, each in a process of its own."""

    def __init__(self, store: Store, releases: Releases) -> None:
        self._store, self._releases = store, releases
        self._gate, self._asked = asyncio.Semaphore(AT_ONCE), 0

    async def why(
        self, live: CoreState, device: str, rule: str | None, at: float, window: float = LOOK_BACK
    ) -> dict[str, Any]:
        """Every rule that could have fired for this device in the time before ``at``, the nearest first. ``live``: the
        core's state as of now. Raises ``Busy`` when too many ask."""
        if self._asked >= AT_ONCE + WAITING:
            raise Busy("too many questions about the past are being worked on", after=5.0)
        self._asked += 1
        try:
            async with self._gate:
                question = Question(Known.of(live, device), rule, at, window)
                folder = getattr(self._store, "folder", None)
                if folder is not None and len(live.people) > MANY:
                    return await aside.ask(str(folder), question)
                return await answer(self._store, self._releases, question)
        finally:
            self._asked -= 1


async def answer(store: Store, releases: Releases, question: Question) -> dict[str, Any]:
    """The answer to one question."""
    since, at = question.at - question.window, through(question.at)
    past = await _begin(store, releases, question.known, since)
    asked = Asked(past, question.known.device, question.rule, since)
    slices, begins = Slices(), past.begins
    async for frame in store.read(PARTITION, past.offset):
        if frame.received > at:
            break
        begins = frame.received if begins is None else begins
        records = asked.wanted(frame)
        if records:
            await _compile(releases, past, records)
            effects = past.core.step([Frame(frame.offset, frame.received, records)])
            await asked.take(effects, store)
        await slices.pause()
    if past.core.next_due() is not None:
        for due in _dues(past.core, at):
            await asked.take(past.core.step([due]), store)
            await slices.pause()
    return await asked.answer(question.at, begins, slices)


def through(at: float) -> float:
    """An instant told in whole seconds means all of that second."""
    return at + BREATH if at == floor(at) else at


def _dues(core: Core, at: float) -> Iterable[Frame]:
    """Time up to ``at``, where no record came after the last timer."""
    for _ in range(MAX_FINDINGS):
        due = core.next_due()
        if due is None or due > at:
            return
        yield Frame(core.state.offset, max(due, core.state.received), [Tick()])


async def _begin(store: Store, releases: Releases, known: Known, since: float) -> Excerpt:
    """This person as of the newest checkpoint before ``since``, or an empty past."""
    found = await store.load_checkpoint(PARTITION, since)
    first = await store.first_offset(PARTITION)
    versions: dict[str, Any] = {}
    if found is not None and found[0] >= first:
        past = await excerpt(found[0], found[1], known, releases, versions)
        if past is not None:
            return past
    core = Core(versions)
    core.state.salt = known.salt
    devices = {known.device, *known.devices}
    return Excerpt(core, versions, first, None, devices, {known.person, *devices}, first > 0)


async def _compile(releases: Releases, past: Excerpt, records: Sequence[Record]) -> None:
    """Have what these records put in force, among the versions of this question."""
    release, fences = past.core.state.release, past.core.state.fences
    for record in records:
        if type(record) is ReleaseChange:
            release = release if record.source == STAGED else record.release
            await releases.joined(record.release, fences, past.versions)
        elif type(record) is FenceChange:
            fences = record.fences
            await releases.joined(release, fences, past.versions)


class Asked:
    """One question while the past goes by."""

    def __init__(self, past: Excerpt, device: str, rule: str | None, since: float) -> None:
        self._past, self._core = past, past.core
        self._device, self._rule, self._since = device, rule, since
        self._core.watch = True
        self._track = Track(self._core.compiled.release.policy.sense.default_accuracy)
        self._found: deque[Moment | Miss] = deque(maxlen=MAX_FINDINGS)
        self._best: dict[str, tuple[nearest.Near, Moment | Miss]] = {}
        self._stored: dict[str, StoredMoment] = {}

    # ------------------------------------------------------------------ what concerns this person

    def wanted(self, frame: Frame) -> list[Record]:
        """The records of a frame that this person, or everybody, is concerned by."""
        devices, people = self._past.devices, self._past.people
        kept: list[Record] = []
        for record in self._perhaps(frame.records):
            if type(record) is Signal:
                if record.device in devices or (record.person is not None and record.person in people):
                    devices.add(record.device)
                    kept.append(record)
                    if record.device == self._device and frame.received >= self._since:
                        self._track.add(record)
            elif self._concerns(record, frame.received):
                kept.append(record)
        return kept

    def _perhaps(self, records: Run) -> Iterator[Record]:
        """Without the signals in columns that certainly concern others."""
        for run in runs(records):
            if isinstance(run, Signals):
                devices, more = self._past.devices, run.more
                yield from (run[k] for k, device in enumerate(run.devices) if device in devices or k in more)
            else:
                yield from run

    def _concerns(self, record: Record, received: float) -> bool:
        devices, people = self._past.devices, self._past.people
        match record:
            case Tick():
                due = self._core.next_due()
                return due is not None and due <= received
            case ProfileChange():
                known = record.person in people or not devices.isdisjoint(record.devices or ())
                if known:
                    people.add(record.person)
                    devices.update(record.devices or ())
                return known
            case Attempt():
                return record.person in people
            case Feedback():
                return record.person is None or record.person in people
        return True

    async def take(self, effects: Effects, store: Store) -> None:
        """What the core said of this device; what the store knows better is put right."""
        for moment in effects.moments:
            if self._ours(moment):
                self._keep(await self._as_stored(moment, store))
        for miss in effects.misses:
            if self._ours(miss):
                self._keep(miss)

    def _ours(self, item: Moment | Miss) -> bool:
        if item.at < self._since or self._rule not in (None, item.rule):
            return False
        return item.device == self._device or (item.cause.fence is None and item.person == self._person)

    @property
    def _person(self) -> str:
        return self._core.person_of(self._device)

    async def _as_stored(self, moment: Moment, store: Store) -> Moment:
        """The decision that was committed, where it is held."""
        stored = await store.moment(moment.id)
        if stored is None:
            return moment
        self._stored[moment.id] = stored
        return stored.moment

    def _keep(self, item: Moment | Miss) -> None:
        """The nearest of each rule, the newest of equals; and the newest of all."""
        self._found.append(item)
        near = _near(item)
        held = self._best.get(item.rule)
        if held is None or near.gap <= held[0].gap:
            self._best[item.rule] = near, item

    # ------------------------------------------------------------------ the answer

    async def answer(self, at: float, begins: float | None, slices: Slices) -> dict[str, Any]:
        """Bounded in size: the nearest rules, the newest findings."""
        core, device = self._core, self._device
        lines = [self._line(item, near) for near, item in self._best.values()]
        asleep = [r for r in core.compiled.release.rules if r.id not in self._best and self._rule in (None, r.id)]
        if asleep:
            policy = core.compiled.release.policy.sense
            person = core.person(self._person)
            closest = Closest(core.compiled.fences, self._track, person, device, policy.enter_probability)
            for r in await asyncio.to_thread(closest.prepare, asleep, MAX_RULES):
                lines.append({"rule": r.id, **closest.tell(r)})
                await slices.pause()
        lines.sort(key=lambda line: (line["gap"], line["rule"]))
        known = len(self._best) + len(asleep)
        cut = self._past.cut and begins is not None and begins > self._since
        return {
            "device": device,
            "person": self._person,
            "at": iso(at),
            "since": iso(max(self._since, begins or self._since)),
            "history_begins": iso(begins) if cut or begins is None else iso(self._since),
            "cut": cut,
            "position": _position(core, device),
            "inside": [{**v, "since": iso(v["since"]), "visit": iso(v["visit"])} for v in core.sense.visits(device)],
            "rules": lines[:MAX_RULES],
            "rules_left_out": known - len(lines[:MAX_RULES]),
            "findings": [self._line(item, _near(item)) for item in reversed(self._found)],
        }

    def _line(self, item: Moment | Miss, near: nearest.Near) -> dict[str, Any]:
        told: dict[str, Any] = {"rule": item.rule, "gap": near.gap, "nearest_miss": near.text()}
        if isinstance(item, Miss):
            return told | {"would": "nothing", "reason": str(item.reason), **miss_view(item)}
        view = moment_view(self._stored.get(item.id) or StoredMoment(0, item))
        del view["seq"]
        decision = item.decision
        return told | {"would": str(decision.verdict), "reason": str(decision.reason), **view}


def _near(item: Moment | Miss) -> nearest.Near:
    if isinstance(item, Miss):
        return nearest.of_miss(item)
    if item.decision.verdict is not Verdict.SUPPRESS:
        return nearest.Near(0.0, ())
    return nearest.of_decision(item.decision, item.cause, item.at)


def _position(core: Core, device: str) -> dict[str, Any] | None:
    position = core.sense.position(device)
    return None if position is None else {**msgspec.to_builtins(position), "at": iso(position.at)}
