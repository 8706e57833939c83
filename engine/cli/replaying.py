"""Replays for the command line: the journal or a file of signals through rule files, with nothing sent."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from engine.author.project import read_bundle
from engine.errors import HerenowError
from engine.ingest import signals as wire
from engine.model.config import Config
from engine.model.moment import Effects
from engine.model.record import Frame, Genesis, ReleaseChange
from engine.model.signal import Signal
from engine.pipeline.core import Core
from engine.pipeline.releases import compile_all
from engine.pipeline.replay import drive, pass_time
from engine.simulate.recordings import read_track
from engine.store.reading import read_folder

MAX_FILE = 1_000_000_000


def of_journal(config: Config) -> dict[str, Any]:
    """The journal's records under the rule files as they are now; its own releases are passed over."""
    folder = Path(config.paths.data) / "journal"
    if not folder.is_dir():
        raise HerenowError(f"there is no journal in {folder}", fix="Name a file of signals, or set [paths] data.")
    frames = (
        Frame(f.offset, f.received, [r for r in f.records if not isinstance(r, ReleaseChange)])
        for f in read_folder(folder)
    )
    return _replay(config, frames, tail=False)


def of_file(config: Config, file: Path, device: str) -> dict[str, Any]:
    """A file of signals, each received at its own time; timers that are still due at the end fire then."""
    signals = sorted(_signals(config, file, device), key=lambda s: s.at)
    frames = (Frame(i + 2, s.at, [s]) for i, s in enumerate(signals))
    return _replay(config, frames, tail=True)


def _signals(config: Config, file: Path, device: str) -> list[Signal]:
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


def _replay(config: Config, frames: Iterable[Frame], tail: bool) -> dict[str, Any]:
    compiled, _ = compile_all(read_bundle(config))
    name = compiled.release.hash
    core = Core({name: compiled})
    core.keep_transitions = True
    result: dict[str, Any] = {"release": name, "signals": 0, "transitions": [], "moments": []}
    for frame, effects in _steps(core, name, frames, tail):
        result["signals"] += sum(type(r) is Signal for r in frame.records)
        result["transitions"] += [msgspec.to_builtins(t) for t in effects.transitions]
        result["moments"] += _moments(effects)
    return result


def _steps(core: Core, release: str, frames: Iterable[Frame], tail: bool) -> Iterator[tuple[Frame, Effects]]:
    first = True
    for frame in frames:
        if first:
            first = False
            begin = Frame(0, frame.received, [Genesis("replay", "", 1), ReleaseChange(release)])
            yield begin, core.step([begin])
        yield from drive(core, [frame])
    if tail and (due := core.next_due()) is not None:
        yield from pass_time(core, due + core.compiled.release.policy.sense.silence)


def _moments(effects: Effects) -> list[dict[str, Any]]:
    return [
        {
            "id": m.id,
            "at": m.at,
            "rule": m.rule,
            "person": m.person,
            "device": m.device,
            "trigger": msgspec.to_builtins(m.cause),
            "decision": str(m.decision.verdict),
            "reason": str(m.decision.reason),
            "until": m.decision.until,
            "channels": list(m.channels),
            "message": None if m.message is None else msgspec.to_builtins(m.message),
        }
        for m in effects.moments
    ]
