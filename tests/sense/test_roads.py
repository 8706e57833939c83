"""Three roads to one result: one signal at a time, columns, and columns with compiled kernels where numba is there."""

import math
import random
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from engine import loops
from engine.loops import keep, kept, kept_apart
from engine.model.fence import Circle, Corridor, Fence, Polygons
from engine.model.release import SensePolicy
from engine.model.signal import Reported, Signal
from engine.sense import FenceSet, Sense, fast, names
from engine.sense.single import Single

LAT, LON = 48.85, 2.35
PLACES = ((LON, LAT), (179.9995, -16.5), (30.0, 84.0))


@pytest.fixture
def kernels(monkeypatch: pytest.MonkeyPatch):
    """The kernels, in use for this test alone."""
    pytest.importorskip("numba")
    monkeypatch.setattr(fast, "kernels", None)
    monkeypatch.setattr(names, "loops", None)
    monkeypatch.setattr(FenceSet, "grounded", False)
    assert fast.load()
    return fast.kernels


def star(rng: random.Random, lon: float, lat: float, metres: float, vertices: int) -> tuple:
    ring = []
    for k in range(vertices):
        angle, radius = 2 * math.pi * k / vertices, metres * rng.uniform(0.4, 1.2)
        east = 111_000 * math.cos(math.radians(lat))
        ring.append((lon + radius * math.cos(angle) / east, lat + radius * math.sin(angle) / 111_000))
    return (*ring, ring[0])


def fences(rng: random.Random) -> list[Fence]:
    found = []
    for place, (lon, lat) in enumerate(PLACES):
        for k in range(24 if place == 0 else 4):
            x, y = lon + rng.gauss(0, 0.004), lat + rng.gauss(0, 0.003)
            size, vertices = rng.choice([20.0, 90.0, 300.0]), rng.choice([3, 5, 20, 40, 150])
            shape = rng.choice(
                [
                    Circle(x, y, size),
                    Corridor(((x, y), (x + 0.003, y + 0.001)), size / 3),
                    *[Polygons(((star(rng, x, y, size, vertices),),))] * 3,
                    Polygons(((star(rng, x, y, size, vertices), star(rng, x, y, size * 0.25, 5)[::-1]),)),
                ]
            )
            catchment = rng.choice([0.0, 0.0, 0.0, 30.0])
            found.append(Fence(f"{place}-{k:02}", shape, catchment=catchment, dwell=rng.choice([(), (45.0,)])))
    return found


def journey(seed: int, batches: int) -> list[tuple[list[Signal], float]]:
    """Batches of signals of thirty devices: walks, jumps, late ones, repeated ones, bad ones, reports."""
    rng, now = random.Random(seed), 1_000_000.0
    places, made = {}, []
    for batch in range(batches):
        now += rng.choice([5.0, 20.0, 40.0, 700.0])
        signals = []
        for k in range(rng.choice([1, 3, 20, 60])):
            device = rng.randrange(30)
            lon, lat = (
                PLACES[rng.choices([0, 1, 2], [20, 3, 1])[0]] if rng.random() < 0.1 else places.get(device, PLACES[0])
            )
            lon, lat = lon + rng.gauss(0, 0.0006), lat + rng.gauss(0, 0.0004)
            places[device] = lon, lat
            fix = {
                "lat": lat,
                "lon": (lon + 180) % 360 - 180,
                "accuracy": rng.choice([None, 0.0, 5.0, 18.0, 60.0, 4e3]),
            }
            if rng.random() < 0.06:
                fix = {"event": "open", "battery": rng.random()}
            told = Reported(rng.choice(["enter", "exit"]), f"0-{rng.randrange(26):02}") if rng.random() < 0.02 else None
            at, speed = now - rng.choice([0.0, 0.0, 1.0, 9.0, 60.0]), rng.choice([None, 1.25])
            signals.append(Signal(f"d{device}", at, batch * 100 + k, reported=told, speed=speed, **fix))
        made.append((signals, now))
    return made


def play(seed: int, policy: SensePolicy, few: int, wants: dict) -> tuple:
    """Everything that can be seen."""
    compiled = FenceSet.compile(fences(random.Random(seed)), **wants)
    sense = Sense(policy)
    sense.use(compiled, policy)
    seen: list = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("engine.sense.sense.FEW", few)
        for signals, now in journey(seed, 40):
            seen += sense.advance(signals, [now] * len(signals))
            seen += [sense.position(s.device, k) for k, s in enumerate(signals)]
            seen += [*sense.tick(now), sense.next_due()]
    devices = [f"d{k}" for k in range(30)]
    return seen, [(sense.visits(device), sense.position(device)) for device in devices], sense.late()


POLICIES = [SensePolicy(), SensePolicy(min_inside=10.0, min_outside=0.0, silence=300.0, default_accuracy=0.0)]
WANTS = {"crosses": {"0-03", "0-07", "0-11"}, "approaches": {"0-05": (-90.0, 150.0), "0-09": (300.0,)}}


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("wants", [{}, WANTS])
@pytest.mark.parametrize("seed", range(4))
def test_compiled_kernels_sense_what_columns_and_single_signals_sense(seed, policy, wants, kernels):
    swift = play(seed, policy, 0, wants), play(seed, policy, 10**9, wants)
    # nothing is compiled but at load: nobody waits for it later
    assert [len(kernel.signatures) for kernel in (kernels.advance, kernels.fire)] == [1, 1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast, "kernels", None)
        plain = play(seed, policy, 0, wants), play(seed, policy, 10**9, wants)
    assert len([one for one in plain[0][0] if hasattr(one, "kind")]) > 30
    assert [road == plain[0] for road in (*swift, *plain)] == [True] * 4


def town(rng: random.Random) -> FenceSet:
    """Fences that the kernels need no help with, with dwells of several lengths."""
    found = []
    for k in range(14):
        x, y, dwell = LON + rng.gauss(0, 0.002), LAT + rng.gauss(0, 0.0015), rng.choice([(), (45.0,), (20.0, 300.0)])
        size = rng.choice([40.0, 90.0, 200.0])
        shape = Circle(x, y, size) if k % 3 else Polygons(((star(rng, x, y, size, 11),),))
        found.append(Fence(f"{k:02}", shape, dwell=dwell))
    return FenceSet.compile(found)


def stroll(seed: int, steps: int) -> list[tuple[Signal, float]]:
    """Signals of twelve devices in one town: walks, waits, long silences, bad fixes, wrong clocks, events."""
    rng, now, made = random.Random(seed), 1_000_000.0, []
    places = {device: [0.0, 0.0] for device in range(12)}
    for key in range(steps):
        now += rng.choice([0.0, 0.5, 0.5, 3.0, 3.0, 30.0] + [900.0] * (rng.random() < 0.1))
        place = places[device := rng.randrange(12)]
        place[:] = [0.96 * (part + rng.gauss(0, 0.0006)) for part in place]
        fix = {"lat": LAT + place[0], "lon": LON + place[1], "accuracy": rng.choice([None, 0.0, 4.0, 15.0, 40.0, 4e3])}
        if rng.random() < 0.05:
            fix = {"event": "open", "battery": rng.random()}
        at = now - rng.choice([0.0, 0.0, 0.0, 2.0, 90.0]) + (500.0 if device == 3 else 0.0)
        made.append((Signal(f"d{device}", at, key, speed=rng.choice([None, 1.25]), **fix), now))
    return made


TOWN_POLICIES = [
    SensePolicy(min_outside=20.0),
    SensePolicy(min_inside=8.0, min_outside=15.0, silence=200.0, resume_within=400.0),
    SensePolicy(min_outside=0.0, silence=120.0, resume_within=100.0, default_accuracy=0.0),
    SensePolicy(enter_probability=0.55, exit_probability=0.6, min_outside=0.0),
]


@pytest.mark.parametrize("policy", TOWN_POLICIES)
@pytest.mark.parametrize("seed", range(6))
def test_the_kernels_leave_each_device_as_single_signals_do_to_the_last_bit(seed, policy, kernels):
    """Clocks, places, stays, timers, even the rows they lie in; whatever goes together, ticks in between."""
    compiled, journal, rng = town(random.Random(seed)), stroll(seed, 2400), random.Random(seed)
    swift, law = Sense(policy), Sense(policy)
    with pytest.MonkeyPatch.context() as patch:
        swift.use(compiled, policy)
        patch.setattr(fast, "kernels", None)
        law.use(compiled, policy)
        patch.setattr("engine.sense.sense.FEW", 10**9)
        told, at = 0, 0
        while at < len(journal):
            part = journal[at : (at := at + rng.choice([1, 2, 9, 40, 300]))]
            both = [sense.advance([s for s, _ in part], [now for _, now in part]) for sense in (swift, law)]
            assert both[0] == both[1]
            assert swift.dump() == law.dump()
            assert swift.tick(part[-1][1]) == law.tick(part[-1][1])
            assert swift.next_due() == law.next_due()
            told += len(both[0])
    assert told > 200
    assert swift.faults == law.faults == []


@pytest.mark.faulty
def test_what_the_kernels_leave_and_fails_is_passed_over_alone(kernels, monkeypatch):
    """The phone's own report is for the machine; where that fails, all others are sensed, and the device's next."""
    sense = Sense(SensePolicy())
    sense.use(FenceSet.compile([Fence("cafe", Circle(LON, LAT, 200.0))]), sense.policy)
    told = Single._told
    monkeypatch.setattr(Single, "_told", lambda self, report, seen: told(self, report, seen) and 1 / 0)
    signals = [Signal(f"d{k % 5}", 1e6 + k, k, lat=LAT, lon=LON, accuracy=5.0) for k in range(10)]
    signals[3] = Signal("d3", 1e6 + 3, 3, reported=Reported("enter", "cafe"))
    entered = sense.advance(signals, [1e6] * 10)
    assert [(t.device, t.record) for t in entered] == [("d0", 0), ("d1", 1), ("d2", 2), ("d4", 4), ("d3", 8)]
    assert [(record, device, type(error)) for record, device, error in sense.faults] == [(3, "d3", ZeroDivisionError)]


@pytest.mark.parametrize("other", [lambda a: a.astype(np.int64), lambda a: np.repeat(a, 2)[::2]])
def test_the_kernels_refuse_what_lies_otherwise_in_memory_than_they_take_it(other, kernels):
    """They read by address: another type, or gaps, would be read as something else."""
    compiled = town(random.Random(1))
    compiled.ground = compiled.ground._replace(members=other(compiled.ground.members))
    with pytest.raises(TypeError, match="members"):
        fast.swift(compiled, SensePolicy())


def test_no_signals_are_nothing_to_the_kernels(kernels):
    sense = Sense(SensePolicy())
    sense.use(town(random.Random(1)), SensePolicy())
    assert sense.advance([], []) == []
    assert sense.faults == []


def test_the_kernels_ask_for_more_room_when_one_place_is_in_many_fences(kernels):
    """Three hundred fences over one place: every one is entered."""
    many = [Fence(f"{k:03}", Circle(LON, LAT, 200.0 + k)) for k in range(300)]
    sense = Sense(SensePolicy())
    sense.use(FenceSet.compile(many), SensePolicy())
    signals = [Signal(f"d{k}", 1e6, k, lat=LAT, lon=LON, accuracy=5.0) for k in range(20)]
    assert len(sense.advance(signals, [1e6] * 20)) == 20 * 300


@pytest.mark.parametrize("compiled", [False, True])
def test_devices_in_more_fences_than_a_row_can_hold_are_no_error(compiled, request):
    """Each in nine fences at once, then gone: nothing fails on the way."""
    if compiled:
        request.getfixturevalue("kernels")
    sense = Sense(SensePolicy(min_outside=0.0))
    sense.use(FenceSet.compile([Fence(f"{k}", Circle(LON, LAT, 200.0 + k)) for k in range(9)]), sense.policy)
    for at, lat, kind in ((1e6, LAT, "enter"), (1e6 + 9, LAT, None), (1e6 + 20, LAT + 0.1, "exit")):
        signals = [Signal(f"d{k}", at, k, lat=lat, lon=LON, accuracy=5.0) for k in range(20)]
        assert [t.kind for t in sense.advance(signals, [at] * 20)] == [kind] * (180 if kind else 0)
        assert sense.faults == []


def test_without_numba_everything_is_sensed_in_columns(monkeypatch):
    monkeypatch.setattr(fast, "kernels", None)
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.delitem(sys.modules, "engine.sense.kernels", raising=False)
    monkeypatch.delattr("engine.sense.kernels", raising=False)
    assert not fast.load()
    assert fast.swift(FenceSet.compile([]), SensePolicy()) is None


def test_what_is_compiled_is_kept_by_the_state_of_the_room_and_where_it_was_asked_for(monkeypatch, tmp_path):
    """Another state of any file of the room is compiled anew; asked again, nothing is nested."""
    numba = pytest.importorskip("numba")
    room, folders = tmp_path / "sense", []
    room.mkdir()
    for text in ("HELD = 6", "HELD = 6", "HELD = 8"):
        (room / "columns.py").write_text(text)
        monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "chosen"))
        with kept_apart(room):
            folders.append(numba.config.CACHE_DIR)
        assert str(tmp_path / "chosen") == numba.config.CACHE_DIR
    assert folders[0] == folders[1] != folders[2]
    assert {Path(folder).parent for folder in folders} == {tmp_path / "chosen"}
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    with kept_apart(room):
        assert Path(numba.config.CACHE_DIR).parent == room / "__pycache__"


def test_what_is_compiled_is_kept_by_the_state_of_what_rooms_share_too(monkeypatch, tmp_path):
    """Loops go on with no other reader of memory, or order of columns, than they were compiled with."""
    numba = pytest.importorskip("numba")
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "chosen"))
    room, shared, folders = tmp_path / "sense", tmp_path / "peek.py", []
    room.mkdir()
    monkeypatch.setattr(loops, "SHARED", (shared,))
    for text in ("align=1", "align=8"):
        shared.write_text(text)
        with kept_apart(room):
            folders.append(numba.config.CACHE_DIR)
    assert folders[0] != folders[1]


@pytest.mark.parametrize("room", ["sense", "ingest"])
def test_files_beside_the_room_that_loops_use_are_all_known(room):
    engine = Path(loops.__file__).parent
    kernels = (engine / room).glob("kernel*.py")
    used = {name for file in kernels for name in re.findall(r"^from (engine[\w.]*) import", file.read_text(), re.M)}
    beside = {engine.parent.joinpath(*name.split(".")).with_suffix(".py") for name in used if f".{room}." not in name}
    assert beside <= set(loops.SHARED)


def test_what_is_compiled_is_known_to_be_at_hand(monkeypatch, tmp_path):
    """What is compiled of another state of the room is not."""
    pytest.importorskip("numba")
    room, chosen = tmp_path / "sense", tmp_path / "chosen"
    room.mkdir()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(chosen))
    (room / "columns.py").write_text("HELD = 6")
    assert not kept(room)
    monkeypatch.setattr("numba.config.CACHE_DIR", str(chosen))
    with kept_apart(room):
        folder = Path(sys.modules["numba"].config.CACHE_DIR)
    (folder / "sense").mkdir(parents=True)
    (folder / "sense" / "kernels.sweep-152.nbi").touch()
    assert not kept(room)  # whoever compiled it may have been stopped half way
    keep(room)
    assert kept(room)
    (room / "columns.py").write_text("HELD = 8")
    assert not kept(room)
