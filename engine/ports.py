"""The plug points: one small Protocol each; the docstrings are the obligations their contract suites test."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from msgspec import Struct

from engine.clock import Clock
from engine.model.fence import Fence
from engine.model.moment import Check, Effects, Moment, Notification, OutboxRow, Result
from engine.model.record import Attempt, Frame, Genesis, Record
from engine.model.rule import Rule
from engine.model.signal import Cause, Transition

if TYPE_CHECKING:
    import aiohttp


class MomentQuery(Struct, frozen=True):
    """Filters of the moment feed; None means any. Newest first; ``before`` pages on (a moment's ``seq``)."""

    decision: str | None = None
    rule: str | None = None
    person: str | None = None
    device: str | None = None
    since: float | None = None
    before: int | None = None
    limit: int = 100


class StoredMoment(Struct, frozen=True):
    """A moment with its place in the feed (``seq`` rises with each commit) and how its notifications stand."""

    seq: int
    moment: Moment
    outbox: tuple[OutboxRow, ...] = ()


class Store(Protocol):
    """Journal, state, outbox and objects of the partitions this process works on. All calls are async and may raise
    ``StoreError`` (``retry`` says whether trying again can help). Embedded: one partition, 0.

    Journal
    - ``append`` returns only when the records are durable (fsync / replication); frames have consecutive offsets per
      partition and a ``received`` that never decreases (a smaller one given is raised to the last). A failed append
      leaves nothing behind: no reader ever sees it and the next append takes its offsets.
    - A new journal begins with the genesis: ``open`` puts it there as record 0.
    - ``read`` yields frames in order from ``start`` (which may lie inside a stored frame) to the end as of the call; a
      ``start`` before ``first_offset`` raises, saying where history begins.
      A torn tail left by a crash was cut off on ``open``; damage elsewhere raises, naming file and offset.

    Commit
    - ``commit`` makes effects and offset durable in one transaction, guarded: unless ``previous`` equals the committed
      offset it raises and changes nothing; so does an ``offset`` that is not journaled yet. A moment or notification
      whose id exists already is left as it is (unique). Returns the feed ``seq`` of each moment in ``effects.moments``
      (of the stored one, where it existed).
    - ``commit_and_begin`` is ``commit`` and then, in the same transaction, ``begin_send`` of ``ids`` at ``now``: what
      that refuses is refused here, too, after what these effects cancel and hold. Returns the ``seq`` of each moment,
      and the rows taken.
    - ``committed`` is the last such offset (0 at first).

    Checkpoints
    - ``save_checkpoint`` is atomic: after a crash the previous or the new one is found, never a part; old ones are
      pruned by the store's retention. ``load_checkpoint`` returns the newest readable one at or before ``at_most``.

    Outbox (point of no return)
    - ``due`` lists waiting rows with ``due`` <= now, soonest first, not held by a switch, for the channels asked.
    - ``begin_send`` takes rows from waiting to sending, durably, all in one transaction, and returns those taken. It
      refuses rows cancelled, held (all, rule, channel, geofence), before ``not_before`` or at/after ``deadline``; the
      latter become dead (reason EXPIRED, or QUIET_HOURS where the deadline came before the expiry). ``attempts`` of a
      row taken counts those finished before.
    - ``sending`` lists rows whose attempt never came back (asked once, at start): the ambiguous ones.
    - An attempt's result is an ``Attempt`` record in the journal; the row changes when its ``Settle`` is committed.
    """

    async def open(self, genesis: Genesis) -> Genesis:
        """Open or create; returns the genesis in force (the stored one wins). Calling twice is an error."""
        ...

    async def close(self) -> None:
        """Finish what was accepted, release everything. Safe to call twice."""
        ...

    async def append(self, partition: int, records: Sequence[Record], received: float) -> Frame:
        """Make records durable; see the obligations above."""
        ...

    def read(self, partition: int, start: int = 0) -> AsyncIterator[Frame]:
        """Frames from an offset on."""
        ...

    async def first_offset(self, partition: int) -> int:
        """The oldest offset still held (retention unlinks whole segments)."""
        ...

    async def end_offset(self, partition: int) -> int:
        """The offset the next record will get."""
        ...

    async def commit(self, partition: int, previous: int, offset: int, effects: Effects) -> list[int]:
        """Effects and offset in one transaction."""
        ...

    async def commit_and_begin(
        self, partition: int, previous: int, offset: int, effects: Effects, ids: Sequence[str], now: float
    ) -> tuple[list[int], list[OutboxRow]]:
        """The same, and the point of no return of these rows with it."""
        ...

    async def committed(self, partition: int) -> int:
        """The committed offset."""
        ...

    async def save_checkpoint(self, partition: int, offset: int, received: float, blob: bytes | memoryview) -> None:
        """Store the state as of ``offset``."""
        ...

    async def load_checkpoint(self, partition: int, at_most: float | None = None) -> tuple[int, bytes] | None:
        """The newest readable checkpoint whose ``received`` is <= ``at_most`` (None: the newest)."""
        ...

    async def put_object(self, key: str, blob: bytes) -> None:
        """Keep a content-addressed object (a release bundle)."""
        ...

    async def get_object(self, key: str) -> bytes | None:
        """The object, or None."""
        ...

    async def due(self, now: float, channels: Sequence[str], limit: int) -> list[OutboxRow]:
        """Rows that could begin now."""
        ...

    async def next_due(self) -> float | None:
        """When the next waiting row is due."""
        ...

    async def begin_send(self, ids: Sequence[str], now: float) -> list[OutboxRow]:
        """The point of no return."""
        ...

    async def sending(self) -> list[OutboxRow]:
        """Rows begun and never settled."""
        ...

    async def row(self, notification: str) -> OutboxRow | None:
        """One outbox row."""
        ...

    async def rows(self, status: str | None = None, person: str | None = None, limit: int = 100) -> list[OutboxRow]:
        """The queue and the dead letters, newest first."""
        ...

    async def moments(self, query: MomentQuery) -> list[StoredMoment]:
        """The feed."""
        ...

    async def moment(self, moment: str) -> StoredMoment | None:
        """One moment with its rows."""
        ...

    async def inbox(self, person: str, channel: str, after: int, limit: int) -> list[tuple[int, OutboxRow]]:
        """Sent rows of an in-app channel for one person with a ``seq`` greater than ``after``, oldest first."""
        ...

    async def counts(self) -> Mapping[str, int]:
        """Rows per outbox status, for health and metrics."""
        ...

    async def retain(self, now: float) -> None:
        """Drop what is older than retention allows: journal segments, checkpoints, traces."""
        ...


@dataclass(frozen=True)
class AdapterEnv:
    """What an adapter is given. ``session`` is an HTTP client behind the egress guard, ``secrets`` the environment (for
    ``*_env`` settings), ``publish(channel, notification)`` wakes the in-app streams of the notification's person,
    ``timeout`` the seconds a send may take where config.toml says so (deliver enforces it in any case)."""

    channel: str
    clock: Clock
    session: "aiohttp.ClientSession"
    secrets: Mapping[str, str]
    publish: Callable[[str, Notification], None]
    timeout: float | None = None


class Adapter(Protocol):
    """A kind of channel, made by ``open_adapter(settings, env)`` from the entry-point group ``herenow.adapters``.

    - ``send`` tries once and answers a ``Result``; it raises nothing (a bug that raises is taken as ``retry``), is
      bounded in time by the caller, and must be safe to call concurrently.
    - ``idempotent`` is True only if the notification's id reaches the far side, so that a repeat is harmless there.
    - Settings are checked when made: a ``ConfigError`` names the key and the fix. Secrets come from ``env.secrets``.
    - Optional attributes: ``schedule`` (seconds to wait after the first, second… failed try; without it the waits
    double from 1 s to 60 s) and ``notes`` (sentences the operator should read at start).
    """

    idempotent: bool

    async def send(self, notification: Notification) -> Result:
        """Try once."""
        ...

    async def close(self) -> None:
        """Release what was opened."""
        ...


class Journal(Protocol):
    """How everything outside the core adds records: ``submit`` returns once they are durable; with ``applied`` once the
    step that contains them is committed as well (so its effects hold). Raises ``Busy`` under pressure, ``StoreError``
    when the store cannot take them."""

    async def submit(self, records: Sequence[Record], applied: bool = False) -> None:
        """Add records."""
        ...

    async def settle(self, attempts: Sequence[Attempt]) -> None:
        """Add what became of sends, before whatever waits, and be told when it is applied."""
        ...


class Sender(Protocol):
    """Who sends what commits make; told by the runner, which commits one after the other.

    - ``choose`` before a commit: which of its notifications shall be past the point of no return with it. Their slots
      are kept until the runner says how it ended, by one of the other two.
    - ``committed``: the effects hold, and each row ``begun`` must be sent now.
    - ``failed``: the commit failed, and nobody knows whether the rows were taken.
    """

    def choose(self, notifications: Sequence[Notification]) -> Sequence[str]:
        """Ids of those that may begin at once."""
        ...

    def committed(self, effects: Effects, begun: Sequence[OutboxRow]) -> None:
        """It is durable."""
        ...

    def failed(self, ids: Sequence[str]) -> None:
        """It may be durable; what was chosen for it."""
        ...


S = TypeVar("S", contravariant=True)
"""What rules are judged by (``engine.match.Situation``); the ports do not know it."""


class Judged(Protocol[S]):
    """One rule, ready to be asked.

    - ``holds`` is True, False, or None where the answer is not known: Kleene's logic over the lines. Equal situations
      get equal answers, whatever was asked before and from whichever thread; nothing is kept of a situation.
    - ``explain`` shows every line with the value it saw; the first line that says no, else the first unknown one, gives
      the same answer as ``holds``.
    """

    @property
    def rule(self) -> Rule:
        """The rule asked."""
        ...

    def holds(self, s: S, /) -> bool | None:
        """Whether its conditions hold."""
        ...

    def explain(self, s: S, /) -> tuple[Check, ...]:
        """Why, line by line."""
        ...


class Matcher(Protocol[S]):
    """All rules of one release, compiled; chosen by ``[match] engine``. Made by ``compile(release)``: ``ConfigError``
    where what it needs is not installed, ``AuthorError`` with every line that it cannot express. What it does express,
    every matcher answers alike: which one decides never shows.

    - ``woken`` lists, in order of rule id, the rules that have a trigger for this cause, or for this transition before
      a cause is made of it; its cost follows their number and not that of all rules.
    - ``dwells`` maps a fence to the sorted seconds after which some rule wants to know that a device is still there;
      ``horizon`` is how many seconds of history some condition may look back.
    - ``with_fences`` is the same matcher for other fences; the one asked goes on unchanged.
    """

    dwells: Mapping[str, tuple[float, ...]]
    horizon: float

    def woken(self, what: Cause | Transition, initial: bool = False) -> Sequence[Judged[S]]:
        """The rules that it wakes. ``initial``: the device's first fix ever was already inside."""
        ...

    def with_fences(self, fences: Iterable[Fence]) -> "Matcher[S]":
        """For these fences in place of the release's own."""
        ...
