"""What the API needs of the engine behind it: the runner fulfils this, tests use a fake."""

from asyncio import Future
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from engine.author.project import Bundle
from engine.clock import Clock
from engine.decide import Tally
from engine.errors import Finding
from engine.model.config import Config
from engine.model.fence import Fence
from engine.model.fences import Fences as Listed
from engine.model.moment import Hold
from engine.model.person import Person, Position
from engine.model.record import Record
from engine.model.release import Release
from engine.model.signal import Signal
from engine.pipeline.fences import Wish
from engine.ports import Store


class News(Protocol):
    """A bounded queue of one watcher; the oldest is dropped for a watcher that does not keep up."""

    async def get(self) -> Any:
        """The next item."""
        ...


class Feed(Protocol):
    """Live news by kind: ``moments`` (StoredMoment or Miss), ``inbox:<channel>:<person>`` (Notification)."""

    def subscribe(self, kind: str) -> AbstractContextManager[News]:
        """A queue until the context ends."""
        ...


class Fences(Protocol):
    """The fences in force."""

    @property
    def fences(self) -> Mapping[str, Fence]: ...
    @property
    def listed(self) -> Listed: ...
    def containing(self, lat: float, lon: float) -> list[str]: ...
    def nearest(self, lat: float, lon: float, limit: int) -> list[tuple[str, float]]: ...
    def distance(self, fence: str, lat: float, lon: float) -> float: ...
    def probability(self, fence: str, lat: float, lon: float, accuracy: float) -> float: ...


class RunTime(Protocol):
    """The run-time fence set in force."""

    def get(self, id: str) -> Fence | None: ...
    def __len__(self) -> int: ...


class Compiled(Protocol):
    """The release in force."""

    @property
    def release(self) -> Release: ...
    @property
    def fences(self) -> Fences: ...
    @property
    def runtime(self) -> RunTime: ...
    @property
    def authored(self) -> Collection[str]: ...


class Switches(Protocol):
    """The kill switches that are on, and who pulled which."""

    @property
    def switches(self) -> Mapping[str, Hold]: ...
    @property
    def audit(self) -> Sequence[Any]: ...
    @property
    def paces(self) -> Mapping[str, Tally]: ...


class Releases(Protocol):
    """Releases by hash."""

    @property
    def findings(self) -> Mapping[str, Sequence[Finding]]:
        """Warnings of those that were compiled lately."""
        ...

    async def find(self, name: str) -> Compiled | None:
        """A compiled release, None where it is gone."""
        ...

    async def bundle(self, name: str) -> Bundle | None:
        """Its authored files, None where they are gone."""
        ...

    def changes(self, old: Release, new: Release) -> Sequence[Any]:
        """What differs, in plain words."""
        ...


class Activation(Protocol):
    """A release that was put in force, or staged."""

    @property
    def release(self) -> str: ...
    @property
    def source(self) -> str: ...


class State(Protocol):
    """What the core remembers."""

    @property
    def people(self) -> Mapping[str, Person]: ...
    @property
    def release(self) -> str: ...
    @property
    def decide(self) -> Switches: ...
    @property
    def seen(self) -> str: ...
    @property
    def activations(self) -> Sequence[Activation]: ...
    @property
    def faults(self) -> Sequence[Any]: ...


class Senses(Protocol):
    """Where devices are."""

    def position(self, device: str, record: int = -1) -> Position | None: ...
    def visits(self, device: str) -> list[dict[str, Any]]: ...


class Core(Protocol):
    """The deterministic core, for reading only."""

    @property
    def state(self) -> State: ...
    @property
    def compiled(self) -> Compiled: ...
    @property
    def sense(self) -> Senses: ...
    def person_of(self, device: str) -> str: ...


class Meters(Protocol):
    """What is counted."""

    def signals_taken(self, accepted: int = 0, duplicates: int = 0, rejected: int = 0) -> None: ...
    def warned(self, fields: Iterable[str]) -> None: ...
    def outbox_is(self, counts: Mapping[str, int]) -> None: ...
    def render(self) -> bytes: ...


class Engine(Protocol):
    """The runner, as the API sees it."""

    @property
    def clock(self) -> Clock: ...
    @property
    def store(self) -> Store: ...
    @property
    def config(self) -> Config: ...
    @property
    def core(self) -> Core: ...
    @property
    def feed(self) -> Feed: ...
    @property
    def releases(self) -> Releases: ...
    @property
    def metrics(self) -> Meters: ...

    async def submit(self, records: Sequence[Record], applied: bool = False) -> None:
        """Durable on return; with ``applied``, in force too."""
        ...

    async def change_fences(self, wish: Wish) -> None:
        """In force on return. ``Authored`` where a file has the say, ``HerenowError`` where there would be too many."""
        ...

    async def ingest(self, signals: Sequence[Signal]) -> tuple[int, int]:
        """(accepted, duplicates), durable on return."""
        ...

    def offer(self, signals: Sequence[Signal]) -> Future[tuple[int, int]]:
        """The same without a wait: refused at once (``Busy``, ``StoreError``), or the answer to be."""
        ...

    def offer_each(self, signals: Sequence[Signal]) -> tuple[Future[tuple[int, int]], Sequence[int] | None]:
        """The same, and the places of those that are no repeats (None: all)."""
        ...

    def before_append(self, call: Callable[[], None]) -> None:
        """``call`` comes once, soon: when the next append begins, which takes along what it offers."""
        ...

    async def preview(self, signals: Sequence[Signal]) -> list[dict[str, Any]]:
        """Per rule what it would do now, and why."""
        ...

    async def why(
        self, device: str, rule: str | None = None, at: float | None = None, window: float = 86400.0
    ) -> dict[str, Any]:
        """Why, or why not, in the ``window`` seconds before ``at``."""
        ...

    async def activate(
        self, bundle: Bundle, by: str = "", why: str = "", source: str = "folder", approved_by: str = ""
    ) -> str:
        """Put a release in force (or stage it) and return its hash; ``AuthorError`` if it is bad."""
        ...

    def health(self) -> dict[str, Any]:
        """``ready``, ``problems`` and figures."""
        ...

    def gauge(self) -> None:
        """Set the gauges to what is, before a scrape."""
        ...


class Sending(Protocol):
    """The deliverer, as health sees it."""

    def problems(self) -> list[str]:
        """What an operator should know of channels."""
        ...
