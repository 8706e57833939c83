"""``herenow serve`` with a watch on the way of each newcomer's signal, from its reading to the hand-off of its message.

    python -m benchmarks.way FILE --config config.toml

Told in FILE whenever SIGUSR1 comes, then forgotten: for each device called ``new-…`` the monotonic instants at which it
passed the posts of ``POSTS``, how large the journal's appends were, by how much the loop was late, and for how long the
collector of garbage held everybody. The functions are wrapped here, from outside; the product knows nothing of it.
"""

import asyncio
import gc
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

POSTS = ("queued", "durable", "begun stepping", "stepped", "committed", "begun sending", "handed off")
LOOK = 0.005  # seconds between two looks at how late the loop is
NEW = "new-"


class Way:
    """What is told."""

    def __init__(self) -> None:
        self.passed: dict[str, dict[str, float]] = {}
        self.sizes: list[int] = []
        self.late: list[float] = []
        self.collected: list[float] = []
        self._collecting = 0.0

    def note(self, post: str, devices: Iterable[str]) -> None:
        """They are there now; only the first time counts."""
        now = time.monotonic()
        for device in devices:
            if device.startswith(NEW):
                self.passed.setdefault(device, {}).setdefault(post, now)

    def tell(self, file: Path) -> None:
        """Write it down, and forget it."""
        part = file.with_suffix(".part")
        told = {"passed": self.passed, "sizes": self.sizes, "late": self.late, "collected": self.collected}
        part.write_text(json.dumps(told))
        part.rename(file)
        for kept in (self.passed, self.sizes, self.late, self.collected):
            kept.clear()

    def collect(self, phase: str, _: dict[str, int]) -> None:
        """The collector begins, or ends."""
        if phase == "start":
            self._collecting = time.monotonic()
        else:
            self.collected.append(time.monotonic() - self._collecting)

    async def look(self) -> None:
        """How late the loop comes to what is due: what holds it holds everybody."""
        while True:
            due = time.monotonic() + LOOK
            await asyncio.sleep(LOOK)
            self.late.append(time.monotonic() - due)


def put_on(way: Way) -> None:
    """Where each post stands."""
    from adapters.inbox import Inbox
    from engine.deliver.worker import Deliverer
    from engine.ingest.dedupe import Recent
    from engine.model.runs import signals_of
    from engine.model.signals import Signals
    from engine.pipeline.core import Core
    from engine.pipeline.runner import Runner
    from engine.store.embedded import EmbeddedStore
    from engine.store.journal import SegmentedJournal

    def said(records: Any) -> Iterable[str]:
        return (device for signals in signals_of(records) for device in devices_of(signals))

    def devices_of(signals: Any) -> list[str]:
        return signals.devices if isinstance(signals, Signals) else [signal.device for signal in signals]

    def wrap(home: Any, name: str, make: Callable[[Any], Any]) -> None:
        setattr(home, name, make(getattr(home, name)))

    def judge(plain: Any) -> Any:
        def watched(self: Any, signals: Any, received: float) -> Any:
            way.note("queued", said(signals))
            return plain(self, signals, received)

        return watched

    def append(plain: Any) -> Any:
        async def watched(self: Any, partition: int, records: Any, received: float) -> Any:
            frame = await plain(self, partition, records, received)
            way.note("durable", said(frame.records))
            return frame

        return watched

    def written(plain: Any) -> Any:
        def watched(self: Any, payload: bytes, check: int, count: int, received: float) -> Any:
            way.sizes.append(count)
            return plain(self, payload, check, count, received)

        return watched

    def step(plain: Any) -> Any:
        def watched(self: Any, frames: Any) -> Any:
            devices = [device for frame in frames for device in said(frame.records)]
            way.note("begun stepping", devices)
            effects = plain(self, frames)
            way.note("stepped", devices)
            return effects

        return watched

    def commit(plain: Any) -> Any:
        async def watched(self: Any, partition: int, previous: int, offset: int, effects: Any, *more: Any) -> Any:
            answer = await plain(self, partition, previous, offset, effects, *more)
            way.note("committed", (n.device for n in effects.notifications))
            return answer

        return watched

    def begin(plain: Any) -> Any:
        def watched(self: Any, lane: Any, row: Any) -> Any:
            way.note("begun sending", (row.notification.device,))
            return plain(self, lane, row)

        return watched

    def send(plain: Any) -> Any:
        async def watched(self: Any, notification: Any) -> Any:
            way.note("handed off", (notification.device,))
            return await plain(self, notification)

        return watched

    def start(plain: Any) -> Any:
        async def watched(self: Any) -> None:
            await plain(self)
            self.watch_of_benchmark = asyncio.create_task(way.look())

        return watched

    wrap(Recent, "judge", judge)
    wrap(Runner, "start", start)
    wrap(SegmentedJournal, "append", written)
    wrap(EmbeddedStore, "append", append)
    wrap(EmbeddedStore, "commit_and_begin", commit)
    wrap(Core, "step", step)
    wrap(Deliverer, "_begin", begin)
    wrap(Inbox, "send", send)


def ask(process: "subprocess.Popen[bytes]", file: Path) -> dict[str, Any]:
    """What a server started here says since the last time."""
    file.unlink(missing_ok=True)
    os.kill(process.pid, signal.SIGUSR1)
    for _ in range(1000):
        if file.exists():
            answer: dict[str, Any] = json.loads(file.read_text())
            return answer
        time.sleep(0.01)
    raise SystemExit("the watched server does not answer")


def main() -> None:
    """Serve, watched."""
    from engine.cli.main import main as command

    file, way = Path(sys.argv[1]), Way()
    put_on(way)
    gc.callbacks.append(way.collect)
    signal.signal(signal.SIGUSR1, lambda *_: way.tell(file))
    sys.argv = ["herenow", "serve", *sys.argv[2:]]
    command()


if __name__ == "__main__":
    main()
