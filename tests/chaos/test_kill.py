"""kill -9 under load: nothing acknowledged is lost, everything implied is sent, nothing goes out under two ids."""

import asyncio
import json
import math
import os
import random
import signal
import socket
import sys
from collections import Counter
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from engine.model.record import Attempt
from engine.model.signal import Signal
from engine.store.reading import read_folder

pytestmark = pytest.mark.chaos

KILLS = int(os.environ.get("HERENOW_CHAOS_KILLS", "50"))
DEVICES = 40
START = 1_795_000_000.0
STEP = 20.0  # seconds between a device's fixes
CENTRE = (52.52, 13.405)
RADIUS = 200.0
INTERRUPTED = "the sender died inside the attempt"
LAPS = 6  # fixes from one crossing of the border to the next

CONFIG = """
[server]
port = {port}
[decide]
quiet_hours = "none"
caps = []
cooldown = "0s"
send_within = "1000d"
[sense]
min_outside = "0s"
max_future = "3000d"
[guard]
sends_per_minute = 1000000
[channels.push]
adapter = "webhook"
url = "http://127.0.0.1:{sink}/hook"
[egress]
allow = ["127.0.0.1/32"]
"""

RULE = """
rules:
  welcome:
    purpose: transactional
    when:
      enters: yard
    message:
      body: Welcome
"""

FENCE = {
    "type": "Feature",
    "id": "yard",
    "geometry": {"type": "Point", "coordinates": [CENTRE[1], CENTRE[0]]},
    "properties": {"name": "Yard", "radius": RADIUS},
}


class Sink:
    """A webhook endpoint that remembers what it was told."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        self.triggers: dict[tuple[str, float], set[str]] = {}

    async def hook(self, request: web.Request) -> web.Response:
        body = await request.json()
        id = request.headers["webhook-id"]
        self.seen[id] += 1
        data = body["data"]
        self.triggers.setdefault((data["device"], data["trigger"]["at"]), set()).add(id)
        return web.Response(status=204)


class Server:
    """The product in a process of its own, killed without warning and started again."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        with (self.folder / "server.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "engine.cli", "serve", "--config", str(self.folder / "config.toml"),
                cwd=self.folder, stdout=log, stderr=log,
            )  # fmt: skip

    async def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()

    async def ready(self, session: aiohttp.ClientSession) -> None:
        for _ in range(600):
            try:
                async with session.get(f"http://127.0.0.1:{self.port}/readyz") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            assert self.process is not None
            if self.process.returncode is not None:
                pytest.fail((self.folder / "server.log").read_text()[-3000:])
            await asyncio.sleep(0.05)
        pytest.fail("the server did not get ready")


def fix(device: int, n: int) -> dict[str, object]:
    """Fix ``n`` of a device that goes in and out of the yard every ``LAPS`` fixes, never near the border."""
    inside = (n // LAPS + device) % 2 == 1
    metres = 20.0 + 3.0 * device if inside else 1000.0 + 10 * device
    lat = CENTRE[0] + metres / 111_195.0
    return {
        "device": f"d{device}",
        "id": f"{device}-{n}",
        "at": START + n * STEP,
        "lat": lat,
        "lon": CENTRE[1],
        "accuracy": 10,
    }


def expected_enters(device: int, count: int) -> list[float]:
    """When the device enters, told without the product's help."""
    state, out = False, []
    for n in range(count):
        inside = (n // LAPS + device) % 2 == 1
        if inside and not state:
            out.append(START + n * STEP)
        state = inside
    return out


async def load(session: aiohttp.ClientSession, url: str, stop: asyncio.Event, acked: list[tuple[str, str]]) -> int:
    """Send batches in order, each until it is acknowledged; a repeat is harmless. Returns how many fixes per device."""
    n = 0
    while not stop.is_set():
        batch = [fix(device, n + k) for k in range(3) for device in range(DEVICES)]
        body = json.dumps(batch)
        while True:
            try:
                async with session.post(url, data=body, headers={"content-type": "application/json"}) as answer:
                    if answer.status == 202:
                        told = await answer.json()
                        assert told["rejected"] == [], told
                        break
                    assert answer.status in (429, 503), await answer.text()
            except (TimeoutError, aiohttp.ClientError):
                pass
            await asyncio.sleep(0.02)
        acked += [(str(s["device"]), str(s["id"])) for s in batch]
        n += 3
        await asyncio.sleep(0.002)
    return n


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


async def test_kill_9_under_load_loses_and_doubles_nothing(tmp_path: Path) -> None:
    sink, port = Sink(), free_port()
    app = web.Application()
    app.router.add_post("/hook", sink.hook)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    sink_port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]

    (tmp_path / "rules").mkdir()
    (tmp_path / "geofences").mkdir()
    (tmp_path / "rules" / "welcome.yaml").write_text(RULE)
    (tmp_path / "geofences" / "yard.geojson").write_text(json.dumps(FENCE))
    (tmp_path / "config.toml").write_text(CONFIG.format(port=port, sink=sink_port))

    rng = random.Random(int(os.environ.get("HERENOW_CHAOS_SEED", "7")))
    server, stop, acked = Server(tmp_path, port), asyncio.Event(), []
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
        await server.start()
        await server.ready(session)
        sender = asyncio.create_task(load(session, f"http://127.0.0.1:{port}/v1/signals", stop, acked))
        for kill in range(KILLS):
            # Half of the kills fall into start and recovery, half into steady work.
            await asyncio.sleep(rng.uniform(0.0, 1.2) if kill % 2 else rng.uniform(0.9, 2.2))
            await server.kill()
            await server.start()
        await server.ready(session)
        await asyncio.sleep(0.5)
        stop.set()
        count = await asyncio.wait_for(sender, 60)
        expected = {(f"d{d}", at) for d in range(DEVICES) for at in expected_enters(d, count)}
        for _ in range(300):
            if len(sink.triggers) >= len(expected):
                break
            await asyncio.sleep(0.1)
        await asyncio.sleep(0.5)
        assert server.process is not None
        server.process.terminate()
        await asyncio.wait_for(server.process.wait(), 20)
    await runner.cleanup()

    records = [r for frame in read_folder(tmp_path / "var" / "journal") for r in frame.records]
    journal = [r for r in records if isinstance(r, Signal)]
    attempts = [r for r in records if isinstance(r, Attempt)]
    went = Counter(a.notification for a in attempts if a.outcome == "sent")
    # Begun and never finished when a kill fell: told by the next start, which cannot know whether it had left.
    cut = Counter(a.notification for a in attempts if a.detail.startswith(INTERRUPTED))
    held = Counter((s.device, s.id) for s in journal)
    lost = [key for key in acked if held[key] != 1]
    got = {(device, _epoch(at)): ids for (device, at), ids in sink.triggers.items()}
    repeats = sum(n - 1 for n in sink.seen.values())
    print(
        f"\nkills {KILLS}, acknowledged {len(acked)}, in the journal {len(journal)}, expected moments {len(expected)}, "
        f"reached the sink {len(got)}, repeated under the same webhook-id {repeats}, "
        f"cut off inside an attempt {sum(cut.values())}"
    )
    assert not lost
    assert set(got) == expected
    assert [ids for ids in got.values() if len(ids) != 1] == []
    assert set(went) == set(sink.seen)
    assert set(went.values()) == {1}
    beyond = {id: (count, cut[id]) for id, count in sink.seen.items() if count > 1 + cut[id]}
    assert beyond == {}, "a repeat that no kill explains"


def _epoch(at: str) -> float:
    from datetime import datetime

    return math.floor(datetime.fromisoformat(at).timestamp() * 1000 + 0.5) / 1000
