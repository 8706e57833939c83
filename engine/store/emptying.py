"""SQLite's write-ahead log, emptied beside the commits: one of them in fifty would do it else, and take ten times as
long as the others."""

import asyncio
import contextlib
import math
import sqlite3
from pathlib import Path

from engine.clock import monotonic
from engine.store.database import Database
from engine.store.worker import Worker

EVERY = 1.0  # seconds between two times, while commits go on
ROUNDS = 3  # in which what commits put into the log meanwhile is moved, too


class Emptying:
    """Moves what is in the log to its place in the file, in a thread and by a connection of its own. Where that cannot
    keep up, or fails, the log grows until the writing connection sees to it (``database.LOG_PAGES``)."""

    def __init__(self, path: Path) -> None:
        self._db = Database(path, writes=False)
        self._thread = Worker("store-log")
        self._begun = -math.inf
        self._under_way: asyncio.Future[None] | None = None

    def written(self) -> None:
        """Something was; the log is emptied if it is time."""
        now = monotonic()
        if now - self._begun >= EVERY and (self._under_way is None or self._under_way.done()):
            self._begun = now
            with contextlib.suppress(RuntimeError):  # closed meanwhile
                self._under_way = self._thread.run(self._empty)

    def close(self) -> None:
        """Waits for what is under way; safe to call twice."""
        self._thread.close()
        self._db.close()

    def _empty(self) -> None:
        with contextlib.suppress(sqlite3.Error):  # nothing is lost: what cannot be moved stays in the log
            for _ in range(ROUNDS):
                _, logged, moved = self._db.sql.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                if logged == moved:
                    return
