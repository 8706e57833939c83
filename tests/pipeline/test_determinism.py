"""Same journal, same releases: same effects, byte for byte, however it is cut, restarted or hashed."""

import hashlib
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.author.project import Bundle
from engine.model.fence import Circle, Fence
from engine.model.record import (
    Attempt,
    ContextChange,
    Control,
    Feedback,
    FenceChange,
    Frame,
    Genesis,
    ProfileChange,
    Record,
    ReleaseChange,
    ScheduleDue,
    Tick,
)
from engine.model.release import DecidePolicy, Policy
from engine.model.signal import Reported, Signal
from engine.pipeline import force, scheduled
from engine.pipeline.core import Core
from engine.pipeline.releases import compile_all
from engine.pipeline.runtime import RunTimeSet
from engine.pipeline.state import Checkpoint, decode_checkpoint, encode_checkpoint
from engine.pipeline.versions import Compiled, place
from engine.sense import Sense, sense

START = 1_795_505_000.0  # a Tuesday morning
LAT, LON = 52.52, 13.405

RULES = b"""
rules:
  hello:
    when:
      enters: tag cafe
    conversion:
      event: purchase
    message:
      body: Welcome to {{ fence.name }}
  stay:
    priority: 60
    when:
      - dwells: tag cafe, for 5 minutes
      - exits: office
    only_if:
      - any_of:
          - visited: tag cafe, at least 1 times, in the last 2 days
          - did: purchase, in the last 24 hours
          - context.mood = happy
    unless:
      - did: complaint, in the last 24 hours
    limits:
      per_person: 2 per 1 hours
      total: 50 per day
    control_group: 20%
    canary: 80%
    conversion:
      event: purchase
    message:
      channels: console, then inbox
      body: "Still here, {{ profile.first_name | default: 'you' }}?"
  quarter:
    purpose: service
    cooldown: 20m
    when:
      - schedule: every 15 minutes
        in: project
      - schedule: every 30 minutes
        to: tag cafe
    message:
      body: A quarter of an hour has passed
  follow:
    purpose: service
    cooldown: 0s
    when:
      - after: hello opened, within 20 minutes
      - after: stay not clicked, within 5 minutes
      - after: basket delivered
      - after: hello not converted, within 10 minutes
    message:
      body: "More of {{ fence.name | default: 'it' }}"
  path:
    priority: 90
    purpose: service
    cooldown: 0s
    when:
      event: basket_left
    only_if:
      - sequence:
          - enters: tag cafe, in the last 2 hours
          - event: purchase where event.value > 2, within 1 hour
          - event: basket_left, within 1 hour
    message:
      body: All the way
  near:
    purpose: service
    cooldown: 0s
    when:
      - crosses: tag cafe or office
      - approaches: tag cafe, within 250 m
      - approaches: office, within 5 minutes
      - event: complaint
    only_if:
      - device.stopped = false or device.stopped_for > 200
    message:
      body: Not far
  basket:
    purpose: service
    when:
      event: basket_left
    only_if:
      - event.value > 10
    message:
      body: "Your basket waits"
"""

FENCES = b"""{"type":"FeatureCollection","features":[
 {"type":"Feature","id":"cafe-a","properties":{"name":"A","tags":["cafe"],"radius":150},"geometry":{"type":"Point","coordinates":[13.405,52.52]}},
 {"type":"Feature","id":"cafe-b","properties":{"name":"B","tags":["cafe"],"radius":120,
  "schedule":"08:00-08:40, 09:30-11:00"},"geometry":{"type":"Point","coordinates":[13.409,52.521]}},
 {"type":"Feature","id":"office","properties":{"name":"Office"},"geometry":{"type":"Polygon","coordinates":[[[13.41,52.518],[13.416,52.518],[13.416,52.522],[13.41,52.522],[13.41,52.518]]]}}
]}"""


def bundle(window: float = 0.0, rules: bytes = RULES) -> Bundle:
    policy = Policy(decide=DecidePolicy(window=window, quiet_hours=None), channels=("console", "inbox"))
    return Bundle({"geofences/city.geojson": FENCES, "rules/all.yaml": rules}, policy)


KIOSK = Fence("kiosk", Circle(13.4065, 52.5203, 140.0), "Kiosk", ("cafe",), source="run-time")
YARD = Fence("yard", Circle(13.412, 52.5195, 200.0), "Yard", ("office",), dwell=(120.0,), source="run-time")
SETS = (RunTimeSet.of([]), RunTimeSet.of([KIOSK]), RunTimeSet.of([KIOSK, YARD]), RunTimeSet.of([YARD]))


def versions(*bundles: Bundle) -> dict[str, Compiled]:
    """Every release, alone and with every run-time fence set."""
    found = {b.hash: compile_all(b)[0] for b in bundles}
    for name in list(found):
        found |= {place(name, s.hash): found[name].with_fences(s) for s in SETS if s.hash}
    return found


def journal(seed: int, releases: Sequence[str], length: int = 400) -> list[tuple[float, Record]]:
    """A random but plausible history of a dozen devices: every kind of record, in journal time."""
    rng = random.Random(seed)
    records: list[tuple[float, Record]] = [(START, Genesis("p", "salt", 1)), (START, ReleaseChange(releases[0]))]
    where = {f"d{i}": [rng.uniform(-300, 900), rng.uniform(-300, 300)] for i in range(12)}
    now = START
    for n in range(length):
        now += rng.choice([0.0, 1.0, 5.0, 30.0, 200.0])
        device = f"d{rng.randrange(12)}"
        x, y = where[device] = [where[device][0] + rng.gauss(0, 80), where[device][1] + rng.gauss(0, 60)]
        lag = rng.choice([0.5, 2.0, 60.0])
        signal = Signal(
            device, now - lag, key=n, id=str(n), lat=LAT + y / 111_195.0, lon=LON + x / 67_700.0,
            accuracy=rng.choice([None, 5.0, 25.0, 60.0, 2000.0]), speed=rng.choice([None, 1.2]),
            event=rng.choice([None] * 6 + ["purchase", "basket_left", "complaint"]),
            context=rng.choice([None, None, {"mood": rng.choice(["happy", "sad"]), "value": rng.randrange(40)}]),
            person=rng.choice([None, None, None, f"p{rng.randrange(6)}"]),
            reported=rng.choice([None] * 9 + [Reported("enter", "office"), Reported("exit", "office")]),
        )  # fmt: skip
        other: Record = rng.choice([
            Tick(), Tick(),
            ProfileChange(f"p{rng.randrange(6)}", False, {"first_name": "Ada"}, {"marketing": rng.random() < 0.7}),
            ContextChange("cafe-a", {"weather": {"temp_c": rng.randrange(30)}}, 600.0),
            Feedback(f"f{n}", "purchase", now, person=f"p{rng.randrange(6)}", value=3.0),
            Control(rng.choice(["pause", "resume"]), "rule", "hello", drop=rng.random() < 0.5),
            ReleaseChange(rng.choice(releases), "ann", "why", rng.choice(["folder", "push", "staged"]), "mira"),
            FenceChange(rng.choice(SETS).hash),
            ScheduleDue(now - now % 900, (("quarter", "Europe/Berlin"), ("quarter", "UTC"))),
            ScheduleDue(now - now % 900, (("nobody", "UTC"), ("quarter", "UTC"))),
        ])  # fmt: skip
        records.append((now, other if rng.random() < 0.2 else signal))
    return records


def frames_of(records: Sequence[tuple[float, Record]], cuts: Sequence[int]) -> list[Frame]:
    """Frames between the given cut points; a frame also ends where the journal time changes."""
    frames: list[Frame] = []
    for offset, (received, record) in enumerate(records):
        if frames and frames[-1].received == received and offset not in cuts:
            frames[-1].records.append(record)
        else:
            frames.append(Frame(offset, received, [record]))
    return frames


def effects_of(core: Core, frames: Sequence[Frame], group: int) -> list[bytes]:
    """Each effect encoded, in order, with attempts answering every notification fed back by the caller's journal."""
    out: list[bytes] = []
    for i in range(0, len(frames), group):
        fx = core.step(frames[i : i + group])
        # `before` counts within one step: it tells the store the order inside a batch, and is nothing but that.
        fx.cancels = [msgspec.structs.replace(cancel, before=None) for cancel in fx.cancels]
        for kind in (fx.moments, fx.notifications, fx.settled, fx.cancels, fx.holds):
            out += [msgspec.msgpack.encode(e) for e in kind]
    return sorted(out)


def with_attempts(
    records: list[tuple[float, Record]], lib: dict[str, Compiled], seed: int
) -> list[tuple[float, Record]]:
    """The journal as it would have become: each notification gets an attempt result a while later."""
    rng, core = random.Random(seed), Core(lib)
    out: list[tuple[float, Record]] = []
    waiting: list[tuple[float, Attempt | Feedback]] = []
    for received, record in records:
        for due in [w for w in waiting if w[0] <= received]:
            waiting.remove(due)
            out.append((received, due[1]))
            core.step([Frame(len(out), received, [due[1]])])
        out.append((received, record))
        for n in core.step([Frame(len(out), received, [record])]).notifications:
            outcome = rng.choice(["sent", "sent", "failed", "unknown", "retry"])
            retry = received + 30 if outcome == "retry" else None
            waiting.append(
                (received + 3, Attempt(n.id, n.moment, n.person, n.channel, 1, outcome, received, retry_at=retry))
            )
            kind = rng.choice(["opened", "clicked", "delivered", "useful", None])
            if kind is not None:
                at = received + rng.choice([1.5, 60.5, 899.5])  # never with a schedule: which was first is not told
                waiting.append((at, Feedback(f"{kind}{n.id}", kind, at, n.id, n.person)))
    return out


def restarted(core: Core, lib: dict[str, Compiled]) -> Core:
    """Through a checkpoint and back."""
    found = decode_checkpoint(encode_checkpoint(Checkpoint(core.state, core.sense.dump())))
    again = Core(lib, found.state)
    again.sense = Sense.load(found.sense, again.compiled.release.policy.sense, again.compiled.fences)
    return again


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000), cuts=st.sets(st.integers(0, 450)), group=st.integers(1, 60),
    restarts=st.sets(st.integers(0, 450), max_size=3), window=st.sampled_from([0.0, 20.0]),
)  # fmt: skip
def test_batches_and_restarts_never_show(
    seed: int, cuts: set[int], group: int, restarts: set[int], window: float
) -> None:
    one, two = bundle(window), bundle(window, RULES.replace(b"for 5 minutes", b"for 8 minutes"))
    lib = versions(one, two)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scheduled, "CALLED", 4)  # a dozen people are too many for one step
        patch.setattr(sense, "MANY", 1)  # two devices in fences that go are too many for one step
        patch.setattr(force, "PORTION", 1)
        records = with_attempts(journal(seed, [one.hash, two.hash]), lib, seed)
        whole = effects_of(Core(lib), frames_of(records, ()), 10_000)
        frames = frames_of(records, sorted(cuts))
        core, pieces, last = Core(lib), [], 0
        for stop in [*sorted(r for r in restarts if r < len(frames)), len(frames)]:
            pieces += effects_of(core, frames[last:stop], group)
            core, last = restarted(core, lib), stop
    assert sorted(pieces) == whole


def digest() -> str:
    """What the seed-hash test compares between interpreters."""
    one, two = bundle(), bundle(0.0, RULES.replace(b"for 5 minutes", b"for 8 minutes"))
    lib = versions(one, two)
    records = with_attempts(journal(11, [one.hash, two.hash], 800), lib, 11)
    effects = effects_of(Core(lib), frames_of(records, ()), 7)
    assert len(effects) > 50
    return hashlib.sha256(b"".join(effects)).hexdigest()


@pytest.mark.parametrize("hash_seed", ["0", "1", "12345"])
def test_hash_seeds_never_show(hash_seed: str) -> None:
    code = (
        "import importlib.util,sys;"
        f"s=importlib.util.spec_from_file_location('d',{str(Path(__file__))!r});"
        "m=importlib.util.module_from_spec(s);s.loader.exec_module(m);print(m.digest())"
    )
    env = {**os.environ, "PYTHONHASHSEED": hash_seed}
    told = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == digest()


def test_a_checkpoint_of_another_format_is_refused_by_its_number() -> None:
    state = Core({}).state
    state.version -= 1
    with pytest.raises(msgspec.DecodeError, match=f"format {state.version}"):
        decode_checkpoint(encode_checkpoint(Checkpoint(state, b"")))
