"""The SQLite file: its tables, its settings, its transactions, and its errors in our words."""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from engine.errors import StoreError
from engine.model.record import Genesis
from engine.store.files import FILE_MODE, explained

VERSION = 1
LOG_PAGES = 16_000  # of the write-ahead log (64 MB), at which a commit empties it where nobody else came to it

SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;  -- no type: a salt of digits stays text
INSERT INTO meta VALUES ('committed', 0), ('sent', 0);

CREATE TABLE moments (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, rule TEXT NOT NULL, person TEXT NOT NULL,
    device TEXT NOT NULL, decision TEXT NOT NULL, at REAL NOT NULL, body BLOB NOT NULL
);
CREATE INDEX moments_person ON moments (person);
CREATE INDEX moments_device ON moments (device);
CREATE INDEX moments_rule ON moments (rule);
CREATE INDEX moments_at ON moments (at);

CREATE TABLE outbox (
    n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, moment TEXT NOT NULL, channel TEXT NOT NULL,
    rule TEXT NOT NULL, person TEXT NOT NULL, device TEXT NOT NULL, fence TEXT, purpose TEXT NOT NULL, at REAL NOT NULL,
    not_before REAL NOT NULL, deadline REAL NOT NULL, expires REAL NOT NULL,
    status TEXT NOT NULL DEFAULT 'waiting', attempts INTEGER NOT NULL DEFAULT 0, due REAL NOT NULL,
    reason TEXT NOT NULL DEFAULT '', detail TEXT NOT NULL DEFAULT '', seq INTEGER, body BLOB NOT NULL
);
CREATE INDEX outbox_moment ON outbox (moment);
CREATE INDEX outbox_person ON outbox (person);
CREATE INDEX outbox_status ON outbox (status);
CREATE INDEX outbox_due ON outbox (due) WHERE status = 'waiting';
CREATE INDEX outbox_waiting_device ON outbox (device) WHERE status = 'waiting';
CREATE INDEX outbox_inbox ON outbox (person, channel, seq) WHERE seq IS NOT NULL;

CREATE TABLE holds (
    scope TEXT, id TEXT, why TEXT NOT NULL, "by" TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (scope, id)
) WITHOUT ROWID;

CREATE TABLE objects (key TEXT PRIMARY KEY, body BLOB NOT NULL);
"""

_RESTORE = "Restore the file from a backup, or move the data folder away to begin anew."
_OWN = "Let the user the server runs as own and write the file and its folder."
# Error name (or how it begins), whether trying again can help, what to do. The first that fits counts.
_ADVICE = (
    ("SQLITE_FULL", True, "Free space on that disk; writing goes on by itself then."),
    ("SQLITE_IOERR", True, "The disk reports faults: check it (dmesg, smartctl)."),
    ("SQLITE_BUSY", True, "Another program has the file open; close it."),
    ("SQLITE_NOMEM", True, "Give the server more memory."),
    ("SQLITE_CORRUPT", False, _RESTORE),
    ("SQLITE_NOTADB", False, _RESTORE),
    ("SQLITE_READONLY", False, _OWN),
    ("SQLITE_CANTOPEN", False, _OWN),
    ("SQLITE_PERM", False, _OWN),
    ("SQLITE_", False, ""),
)


class Database:
    """One connection. The writing one creates the file and its tables; the reading one cannot change anything.

    Use each from one thread at a time.
    """

    def __init__(self, path: Path, writes: bool) -> None:
        self.path = path
        with self.explained("open"):
            if writes:
                with explained("create the database", path):
                    # Made by us, so that it (and the files SQLite puts beside it) are private to their owner.
                    os.close(os.open(path, os.O_CREAT | os.O_RDWR, FILE_MODE))
            self.sql = sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)
            try:
                self._settle_in(writes)
            except BaseException:
                self.sql.close()
                raise

    def _settle_in(self, writes: bool) -> None:
        for pragma in ("synchronous = FULL", "foreign_keys = OFF", "secure_delete = ON", "cache_size = -16000"):
            self.sql.execute(f"PRAGMA {pragma}")
        if not writes:
            self.sql.execute("PRAGMA query_only = ON")
            return
        self.sql.execute("PRAGMA journal_mode = WAL")
        self.sql.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
        self.sql.execute("PRAGMA journal_size_limit = 67108864")
        version = self.sql.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            problem = f"the database has format {version}; this version knows {VERSION}."
            raise StoreError(problem, str(self.path), "Run the version that wrote it.", retry=False)
        if version == 0:
            script = f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;"
            self.sql.executescript(script)

    @contextlib.contextmanager
    def explained(self, action: str) -> Iterator[None]:
        """SQLite's trouble inside becomes a ``StoreError``."""
        try:
            yield
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", "SQLITE_")
            retry, fix = next((retry, fix) for begin, retry, fix in _ADVICE if name.startswith(begin))
            raise StoreError(f"cannot {action} the database: {error}.", str(self.path), fix, retry) from error

    @contextlib.contextmanager
    def transaction(self, action: str) -> Iterator[sqlite3.Connection]:
        """All that is done inside is durable when it ends, or none of it happened."""
        with self.explained(action):
            self.sql.execute("BEGIN IMMEDIATE")
            try:
                yield self.sql
                self.sql.execute("COMMIT")
            except BaseException:
                if self.sql.in_transaction:  # some errors have rolled back already
                    self.sql.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Safe to call twice."""
        with contextlib.suppress(sqlite3.Error):
            self.sql.close()


def get_committed(sql: sqlite3.Connection) -> int:
    """The committed journal offset."""
    return int(sql.execute("SELECT value FROM meta WHERE key = 'committed'").fetchone()[0])


def move_committed(sql: sqlite3.Connection, previous: int, offset: int) -> bool:
    """Inside a transaction; False, and nothing done, where another offset than ``previous`` is committed."""
    moved = sql.execute("UPDATE meta SET value = ? WHERE key = 'committed' AND value = ?", (offset, previous))
    return moved.rowcount == 1


def get_genesis(sql: sqlite3.Connection) -> Genesis | None:
    """The genesis in force, once there is one."""
    rows = dict(
        sql.execute("SELECT key, value FROM meta WHERE key IN ('project', 'salt', 'partitions', 'format')").fetchall()
    )
    return Genesis(**rows) if rows else None


def set_genesis(sql: sqlite3.Connection, genesis: Genesis) -> None:
    """Inside a transaction."""
    rows = [(key, getattr(genesis, key)) for key in ("project", "salt", "partitions", "format")]
    sql.executemany("INSERT INTO meta VALUES (?, ?)", rows)


def put_object(sql: sqlite3.Connection, key: str, blob: bytes) -> None:
    """Inside a transaction. The key is a hash of the content: what is there already is the same."""
    put = "INSERT INTO objects VALUES (?, ?) ON CONFLICT (key) DO NOTHING"
    sql.execute(put, (key, blob))
    sql.execute(put, (key, b""))  # else the statement, which is used again, holds a copy of the blob until then


def get_object(sql: sqlite3.Connection, key: str) -> bytes | None:
    """The object, or None."""
    found = sql.execute("SELECT body FROM objects WHERE key = ?", (key,)).fetchone()
    return None if found is None else bytes(found[0])
