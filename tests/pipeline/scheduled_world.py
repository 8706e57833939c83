"""A core with schedules, people in two cities, and a clock that appends what the agenda says."""

from datetime import UTC, datetime
from typing import Any

from engine.author.project import Bundle
from engine.model.moment import Moment
from engine.model.record import Frame, Genesis, ProfileChange, Record, ReleaseChange
from engine.model.release import DecidePolicy, Policy
from engine.model.signal import Signal
from engine.pipeline.core import Core
from engine.pipeline.releases import compile_all
from engine.pipeline.replay import pass_time
from engine.pipeline.state import Checkpoint, decode_checkpoint, encode_checkpoint
from engine.sense import Sense

FENCES = b"""{"type":"FeatureCollection","features":[
 {"type":"Feature","id":"berlin","properties":{"tags":["cafe"],"radius":150},"geometry":{"type":"Point","coordinates":[13.405,52.52]}},
 {"type":"Feature","id":"new-york","properties":{"tags":["cafe"],"radius":150},"geometry":{"type":"Point","coordinates":[-73.99,40.73]}}]}"""
PLACES = {"berlin": (52.52, 13.405), "new-york": (40.73, -73.99), "nowhere": (0.0, 0.0)}


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def rules(**when: str) -> bytes:
    text = "rules:\n"
    for name, lines in when.items():
        text += f"  {name.replace('_', '-')}:\n    purpose: service\n    cooldown: 0s\n    message:\n      title: Hi\n"
        text += "".join(f"    {line}\n" for line in lines.splitlines())
    return text.encode()


class World:
    """A core, its journal, and a clock that appends what the agenda says."""

    def __init__(
        self, text: bytes, start: str, segments: bytes = b"", zone: str = "Europe/Berlin", **decide: Any
    ) -> None:
        policy = Policy(decide=DecidePolicy(**{"quiet_hours": None, "caps": (), "time_zone": zone} | decide))
        files = {"geofences/city.geojson": FENCES, "rules/all.yaml": text}
        self.versions, self.policy = {}, policy
        self.bundle = self.add(files | ({"rules/segments.yaml": segments} if segments else {}))
        self.core = Core(self.versions)
        self.journal: list[Frame] = []
        self.moments: list[Moment] = []
        self.now = at(start)
        self.put(Genesis("p", "salt", 1), ReleaseChange(self.bundle.hash))

    def add(self, files: dict[str, bytes]) -> Bundle:
        bundle = Bundle(files, self.policy)
        self.versions[bundle.hash] = compile_all(bundle)[0]
        return bundle

    def put(self, *records: Record) -> None:
        frame = Frame(self.core.state.offset, self.now, [*records])
        self.journal.append(frame)
        self.moments += self.core.step([frame]).moments

    def until(self, text: str) -> "World":
        for frame, fx in pass_time(self.core, at(text)):
            self.journal.append(frame)
            self.moments += fx.moments
        self.now = max(self.core.state.received, at(text))
        return self

    def asleep(self, text: str) -> "World":
        """The process is down until then; then it looks what it missed."""
        self.now = at(text)
        self.restart().put(*self.core.schedules.due(self.now))
        return self

    def person(self, id: str, zone: str | None = None, **attributes: Any) -> None:
        self.put(ProfileChange(id, False, attributes, time_zone=zone))

    def fix(self, device: str, place: str) -> None:
        lat, lon = PLACES[place]
        self.put(Signal(device, self.now, key=int(self.now), lat=lat, lon=lon, accuracy=5.0))

    def restart(self) -> "World":
        blob = encode_checkpoint(Checkpoint(self.core.state, self.core.sense.dump()))
        found = decode_checkpoint(blob)
        self.core = Core(self.versions, found.state)
        compiled = self.core.compiled
        self.core.sense = Sense.load(found.sense, compiled.release.policy.sense, compiled.fences)
        return self

    def told(self, *rules: str) -> list[tuple[str, str]]:
        """Who was called, and at what instant of theirs (UTC)."""
        return [
            (m.person, datetime.fromtimestamp(m.cause.at, UTC).strftime("%dT%H:%M"))
            for m in self.moments
            if not rules or m.rule in rules
        ]


LUNCH = "when:\n  schedule: every day at 11:30"
