"""Driving a core through records outside the live path: recovery, ``why``, ``preview`` and ``replay``."""

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence

from engine.model.moment import Effects
from engine.model.record import FenceChange, Frame, ReleaseChange, ScheduleDue, Tick
from engine.model.runs import Run, others
from engine.pipeline.core import Core
from engine.pipeline.pending import Pending

MAX_TICKS = 100_000  # between two frames: more means a timer that does not advance
ALONE = (FenceChange, ReleaseChange)  # in a step: to put them in force may take as long as many signals


def cut(frame: Frame, start: int, end: int | None = None) -> Frame:
    """The part of a frame whose offsets lie in [start, end)."""
    first = max(0, start - frame.offset)
    last = len(frame.records) if end is None else max(0, min(len(frame.records), end - frame.offset))
    return Frame(frame.offset + first, frame.received, frame.records[first:last])


def parted(frame: Frame, most: int) -> list[Frame]:
    """A frame in parts of ``most`` records, at least one; what changes fences or rules is a part by itself."""
    alone = [frame.offset + k for k, record in others(frame.records) if type(record) in ALONE]
    parts, begin = list[Frame](), frame.offset
    for edge in (*(edge for at in alone for edge in (at, at + 1)), max(frame.end, frame.offset + 1)):
        parts += [cut(frame, at, min(at + most, edge)) for at in range(begin, edge, most)]
        begin = edge
    return parts


def take_frames(frames: deque[tuple[Frame, list[Pending]]], most: int) -> tuple[list[Frame], list[Pending]]:
    """The first so many records off a queue, and whom to tell when they are stepped. To cut a frame costs as much as to
    join two: where it is half too long or less it goes whole, where others went before it waits. Whoever waits for one
    that is cut waits for its last part. What changes fences or rules goes alone."""
    taken: list[Frame] = []
    waiting: list[Pending] = []
    count = 0
    while frames and count < most:
        frame, pending = frames[0]
        alone = len(frame.records) == 1 and type(frame.records[0]) in ALONE
        if alone and count:
            break
        if count + len(frame.records) > most + most // 2:
            if count:
                break
            frames[0] = cut(frame, frame.offset + most), pending
            return [cut(frame, frame.offset, frame.offset + most)], []
        frames.popleft()
        if frame.records:
            taken.append(frame)
        waiting += pending
        count += len(frame.records)
        if alone:
            break
    return taken, waiting


def releases_in(records: Run) -> list[str]:
    """The releases that records put in force."""
    return [record.release for _, record in others(records) if type(record) is ReleaseChange]


def drive(core: Core, frames: Iterable[Frame]) -> Iterator[tuple[Frame, Effects]]:
    """Step through frames with time passing between them: ticks come when timers are due, and schedules at their times,
    as a live server adds them."""
    for frame in frames:
        yield from pass_time(core, frame.received)
        yield frame, core.step([frame])


def next_due(core: Core, schedules: bool = True) -> float | None:
    """When time alone has something to do: a timer, or the schedule of a rule."""
    timer, schedule = core.next_due(), core.schedules.next_due() if schedules else None
    return timer if schedule is None else schedule if timer is None else min(timer, schedule)


def pass_time(core: Core, until: float) -> Iterator[tuple[Frame, Effects]]:
    """Fire the timers that are due before ``until``, each at its own time; and the schedules."""
    for _ in range(MAX_TICKS):
        due = next_due(core)
        if due is None or due > until:
            return
        yield fire(core, due)


def fire(core: Core, due: float, schedules: bool = True) -> tuple[Frame, Effects]:
    """Let that time come, the next at which something is due; and the schedules, unless the journal that is followed
    says when they came."""
    now = max(due, core.state.received)
    records: list[Tick | ScheduleDue] = [*(core.schedules.due(due) if schedules else ())]
    if not records or core.next_due() == due:
        records.insert(0, Tick())
    frame = Frame(core.state.offset, now, [*records])
    return frame, core.step([frame])


async def follow(
    core: Core,
    frames: AsyncIterator[Frame],
    ensure: Callable[[Sequence[str]], Awaitable[None]],
) -> AsyncIterator[tuple[Frame, Effects]]:
    """Step through journal frames, compiling the releases they name before they are needed."""
    async for frame in frames:
        if names := releases_in(frame.records):
            await ensure(names)
        yield frame, core.step([frame])
