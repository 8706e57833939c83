"""The past that a replay runs over: the journal of a data folder, or a file of signals."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import cast

import msgspec

from engine.author.project import Bundle
from engine.errors import AuthorError, HerenowError, StoreError
from engine.ingest import signals as wire
from engine.model.config import Config
from engine.model.record import FenceChange, Frame, Genesis, Record, ReleaseChange
from engine.model.runs import others
from engine.model.signal import Signal
from engine.pipeline.core import Core
from engine.pipeline.fences import RunTimeFences
from engine.pipeline.releases import compile_all
from engine.pipeline.state import STAGED, decode_checkpoint
from engine.pipeline.versions import Compiled
from engine.ports import Store
from engine.sense import Sense
from engine.simulate.recordings import read_track
from engine.store.past import Past

MAX_FILE = 1_000_000_000


class Objects:
    """What compiling needs of a store, from a data folder that is only read."""

    def __init__(self, past: Past | None) -> None:
        self._past = past

    async def get_object(self, key: str) -> bytes | None:
        return None if self._past is None else self._past.object(key)


class Shelf:
    """Compiled releases for cores outside a server; ``missing`` are those that could not be had."""

    def __init__(self, past: Past | None) -> None:
        self._past = past
        self.versions: dict[str, Compiled] = {}
        self.missing: list[str] = []
        # Only `get_object` is ever asked of it: nothing here puts anything into a store.
        self._fences = RunTimeFences(cast(Store, Objects(past)), self.versions)

    def put(self, bundle: Bundle) -> Compiled:
        """Compile; ``AuthorError`` with every finding if it cannot be."""
        compiled, _ = compile_all(bundle)
        self.versions[bundle.hash] = compiled
        return compiled

    def have(self, release: str, fences: str = "") -> bool:
        """Have a release compiled, with run-time fences where there are any."""
        if release and release not in self.versions:
            blob = None if self._past is None else self._past.object(release)
            try:
                if blob is None:
                    raise HerenowError("it is not in the store")
                self.put(Bundle.decode(blob))
            except (AuthorError, HerenowError):
                self.missing.append(release)
                return False
        return not fences or asyncio.run(self._fences.ensure(release, fences))

    def ensure(self, core: Core, record: Record) -> None:
        """Before a record that changes what is in force is stepped."""
        if type(record) is ReleaseChange:
            self.have(record.release, core.state.fences)
        elif type(record) is FenceChange:
            self.have(core.state.release, record.fences)


def gone(release: str) -> HerenowError:
    """A release without which the past cannot be told."""
    problem = f"the release {release[:12]} that was in force is not held, or does not compile with this version"
    return HerenowError(problem, fix="Begin later with --since.")


@dataclass
class History:
    """Frames, and where they begin. ``state``: a checkpoint to start from, at journal time ``start``. ``cut``: what was
    before is no longer held. ``live``: attempts and ticks are among the records."""

    frames: Iterator[Frame]
    records: int
    start: float
    end: float
    state: bytes | None = None
    cut: bool = False
    live: bool = True
    source: str = "journal"
    salt: str = ""
    reached: float = 0.0  # how far it was followed, once it was

    def __post_init__(self) -> None:
        self.reached = self.start

    def core(self, shelf: Shelf, release: str | None) -> Core:
        """A core at the beginning; ``release`` is put in force there (None: as it was)."""
        core = self._loaded(shelf) if self.state is not None else Core(shelf.versions)
        if self.state is None and (not self.live or self.cut):
            core.step([Frame(0, self.start, [Genesis("replay", self.salt, 1)])])
        if release is not None:
            begin = ReleaseChange(release, "replay", source="replay")
            core.step([Frame(core.state.offset, max(self.start, core.state.received), [begin])])
        return core

    def _loaded(self, shelf: Shelf) -> Core:
        assert self.state is not None, "only asked where there is a checkpoint"
        checkpoint = decode_checkpoint(self.state)
        state = checkpoint.state
        if not shelf.have(state.release, state.fences):
            raise gone(state.release)
        core = Core(shelf.versions, state)
        core.sense = Sense.load(checkpoint.sense, core.compiled.release.policy.sense, core.compiled.fences)
        return core


def open_past(config: Config) -> Past | None:
    """The data folder of the project, None where no server has worked yet."""
    if config.store != "embedded:":
        raise HerenowError("replay reads the embedded store only", "config.toml [store] url", "Name a file of signals.")
    try:
        return Past(Path(config.paths.data))
    except StoreError as error:
        if error.retry:
            raise
        return None


def of_journal(config: Config, past: Past | None, since: float | None) -> History:
    """From the newest usable checkpoint before ``since`` on, or from where history begins."""
    if past is None or not past.end:
        folder = Path(config.paths.data) / "journal"
        raise HerenowError(f"there is no journal in {folder}", fix="Name a file of signals, or set [paths] data.")
    saved = past.saved()
    wanted = [s for s in saved if since is not None and s.received <= since][::-1]
    if past.first > 0 and not wanted:
        wanted = saved
    for checkpoint in wanted:
        blob = past.checkpoint(checkpoint)
        if blob is not None and _readable(blob):
            frames = past.frames(checkpoint.offset)
            records, cut = past.end - checkpoint.offset, past.first > 0
            return History(frames, records, checkpoint.received, past.ended, blob, cut)
    frames = past.frames()
    first = next(frames, None)
    start = past.ended if first is None else first.received
    genesis = past.genesis()
    salt = genesis.salt if genesis is not None else ""
    everything = chain([first] if first is not None else [], frames)
    return History(everything, past.end - past.first, start, past.ended, None, past.first > 0, salt=salt)


def _readable(blob: bytes) -> bool:
    try:
        decode_checkpoint(blob)
    except msgspec.DecodeError:
        return False
    return True


def of_file(config: Config, file: Path, device: str, past: Past | None) -> History:
    """A file of signals, each received at its own time."""
    signals = sorted(_signals(config, file, device), key=lambda s: s.at)
    if not signals:
        raise HerenowError("there are no signals in it", str(file))
    frames = (Frame(i + 2, s.at, [s]) for i, s in enumerate(signals))
    genesis = past.genesis() if past is not None else None
    salt = genesis.salt if genesis is not None else ""
    return History(frames, len(signals), signals[0].at, signals[-1].at, live=False, source=file.name, salt=salt)


def _signals(config: Config, file: Path, device: str) -> Sequence[Signal]:
    if file.stat().st_size > MAX_FILE:
        raise HerenowError(f"{file} is larger than {MAX_FILE // 10**6} MB", fix="Cut it into parts.")
    if file.suffix.lower() in (".gpx", ".csv"):
        body, kind = msgspec.json.encode(read_track(file, device)), "application/json"
    else:
        body = file.read_bytes()
        kind = "application/json" if body.lstrip()[:1] == b"[" else "application/x-ndjson"
    limits = msgspec.structs.replace(config.limits, body=MAX_FILE, inflated=MAX_FILE)
    decoded = wire.decode(body, kind, float("inf"), limits, "warn", 0.0)
    if decoded.rejected:
        first = decoded.rejected[0]
        raise HerenowError(f"signal {first.index}: {first.field}: {first.problem}", str(file))
    return decoded.signals


def in_force(past: Past | None) -> str | None:
    """The release that the data folder's server has in force: from the newest checkpoint, and the journal behind it."""
    if past is None:
        return None
    name, start = None, 0
    for saved in reversed(past.saved()):
        blob = past.checkpoint(saved)
        if blob is not None and _readable(blob):
            name, start = decode_checkpoint(blob).state.release or None, saved.offset
            break
    for frame in past.frames(start):
        for _, record in others(frame.records):
            if type(record) is ReleaseChange and record.source != STAGED:
                name = record.release
    return name
