"""Live news for those who watch: moments, misses and in-app messages. Nothing here is durable; the store is."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Feed:
    """In-process publish and subscribe. A watcher that does not keep up loses its oldest news, and is told how many."""

    def __init__(self, size: int = 1000) -> None:
        self._size = size
        self._watchers: dict[str, list[asyncio.Queue[Any]]] = {}
        self.dropped = 0

    @contextmanager
    def subscribe(self, kind: str) -> Iterator[asyncio.Queue[Any]]:
        """A queue of what is published under ``kind`` until the context ends."""
        queue: asyncio.Queue[Any] = asyncio.Queue(self._size)
        self._watchers.setdefault(kind, []).append(queue)
        try:
            yield queue
        finally:
            self._watchers[kind].remove(queue)
            if not self._watchers[kind]:
                del self._watchers[kind]

    def watched(self, kind: str) -> bool:
        """Whether anybody listens."""
        return kind in self._watchers

    def publish(self, kind: str, item: Any) -> None:
        """Hand ``item`` to every watcher of ``kind``; never waits."""
        for queue in self._watchers.get(kind, ()):
            if queue.full():
                queue.get_nowait()
                self.dropped += 1
            queue.put_nowait(item)
