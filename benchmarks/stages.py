"""``herenow serve`` with a watch on every stage: CPU seconds of each, told in a file whenever SIGUSR1 comes.

    python -m benchmarks.stages FILE --config config.toml

The functions of each stage are wrapped here, from outside; the product knows nothing of it. What a stage calls of
another counts for that other one alone. ``http_ingest`` starts this beside the plain server and prints the table.
"""

import functools
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Generator
from pathlib import Path
from typing import Any

STAGES = ("http", "decode", "admit", "journal", "sense", "match+decide+compose", "commit+outbox", "deliver", "rest")


class Watch:
    """CPU seconds by stage, over all threads."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(STAGES, 0.0)
        self._inner = threading.local()  # seconds that belong to what the stage under way called

    def measured(self, stage: str, work: Callable[..., Any], *args: Any, **named: Any) -> Any:
        """Call, and write down what it took."""
        inner = self._inner
        outside, inner.took = getattr(inner, "took", 0.0), 0.0
        began = time.thread_time()
        try:
            return work(*args, **named)
        finally:
            took = time.thread_time() - began
            self.seconds[stage] += took - inner.took
            inner.took = outside + took

    def function(self, home: Any, name: str, stage: str) -> None:
        """Have a function or method of ``home`` watched."""
        plain = getattr(home, name)

        @functools.wraps(plain)
        def watched(*args: Any, **named: Any) -> Any:
            return self.measured(stage, plain, *args, **named)

        setattr(home, name, watched)

    def coroutine(self, home: Any, name: str, stage: str) -> None:
        """The same of a coroutine function: each of its turns on the loop."""
        plain = getattr(home, name)
        watch = self

        class Turns:
            """Awaitable that hands everything through."""

            def __init__(self, inner: Coroutine[Any, Any, Any]) -> None:
                self._inner = inner

            def __await__(self) -> Generator[Any, Any, Any]:
                value: Any = None
                call: Callable[..., Any] = self._inner.send
                while True:
                    try:
                        asked = watch.measured(stage, call, value)
                    except StopIteration as done:
                        return done.value
                    try:
                        value, call = (yield asked), self._inner.send
                    except BaseException as error:
                        value, call = error, self._inner.throw

        @functools.wraps(plain)
        async def watched(*args: Any, **named: Any) -> Any:
            return await Turns(plain(*args, **named))

        setattr(home, name, watched)

    def tell(self, file: Path) -> None:
        """Write the sums so far."""
        total = time.process_time()
        told = self.seconds | {"rest": total - sum(self.seconds.values())}
        part = file.with_suffix(".part")
        part.write_text(json.dumps(told))
        part.rename(file)


def put_on(watch: Watch) -> None:
    """Where each stage begins."""
    from aiohttp import web

    import engine.api.express
    import engine.api.server
    import engine.api.signals
    import engine.api.ws
    import engine.ingest.fast
    import engine.store.embedded
    from engine.deliver.worker import Deliverer
    from engine.ingest.dedupe import Recent
    from engine.pipeline.core import Core
    from engine.sense import Sense
    from engine.store.database import Database
    from engine.store.embedded import EmbeddedStore
    from engine.store.journal import SegmentedJournal

    watch.coroutine(web.RequestHandler, "start", "http")
    watch.function(web.RequestHandler, "data_received", "http")
    for name in ("data_received", "_answer"):
        watch.function(engine.api.server.Protocol, name, "http")
    watch.function(engine.api.signals, "decode", "decode")
    watch.function(engine.api.express, "decode_plain", "decode")
    watch.function(engine.ingest.fast, "together", "decode")
    for name in ("decode_frame", "decode_frames"):
        watch.function(engine.api.ws, name, "decode")
    watch.function(Recent, "judge", "admit")
    watch.function(engine.store.embedded, "encode_records", "journal")
    watch.function(SegmentedJournal, "append", "journal")
    for name in ("advance", "tick", "next_due"):
        watch.function(Sense, name, "sense")
    watch.function(Core, "step", "match+decide+compose")
    watch.function(EmbeddedStore, "_commit", "commit+outbox")
    for name in ("_writing", "_looking"):  # of the outbox: what the deliverer asks and tells
        watch.function(EmbeddedStore, name, "commit+outbox")
    watch.function(Database, "close", "commit+outbox")
    for name in ("_dispatch", "_send"):
        watch.coroutine(Deliverer, name, "deliver")


def main() -> None:
    """Serve, watched."""
    file, watch = Path(sys.argv[1]), Watch()
    put_on(watch)
    signal.signal(signal.SIGUSR1, lambda *_: watch.tell(file))
    from engine.cli.main import main as command

    sys.argv = ["herenow", "serve", *sys.argv[2:]]
    command()


def ask(pid: int, file: Path) -> dict[str, float]:
    """What a server started here says now."""
    file.unlink(missing_ok=True)
    os.kill(pid, signal.SIGUSR1)
    for _ in range(1000):
        if file.exists():
            told: dict[str, float] = json.loads(file.read_text())
            return told
        time.sleep(0.01)
    raise SystemExit("the watched server does not answer")


if __name__ == "__main__":
    main()
