"""SQLite's log is emptied beside the commits, and does not grow without bound where that fails."""

import sqlite3

import pytest

from engine.clock import ManualClock
from engine.model.config import Retention
from engine.model.moment import Effects, Hold
from engine.model.record import Genesis
from engine.store import database, emptying
from engine.store.embedded import EmbeddedStore


@pytest.fixture
async def opening(tmp_path):
    """Open stores over one folder; all are closed in the end."""
    stores = []

    async def opening():
        stores.append(EmbeddedStore(tmp_path / "data", Retention(), ManualClock(100.0)))
        await stores[-1].open(Genesis("demo", "salt", 1))
        return stores[-1]

    yield opening
    for store in stores:
        await store.close()


def in_the_file(store, tmp_path):
    """The keys of objects that are in the file itself, whatever lies in its log."""
    copy = tmp_path / "copy.db"
    copy.write_bytes((store.folder / "store.db").read_bytes())
    other = sqlite3.connect(copy)
    tables = {name for (name,) in other.execute("SELECT name FROM sqlite_master")}
    found = {key for (key,) in other.execute("SELECT key FROM objects")} if "objects" in tables else set()
    other.close()
    return found


def log_size(store):
    return (store.folder / "store.db-wal").stat().st_size


async def test_what_was_written_is_moved_into_the_file_beside_the_next_writes(opening, tmp_path, monkeypatch):
    monkeypatch.setattr(emptying, "EVERY", 0.0)
    store = await opening()
    await store.put_object("a", b"x")
    await store._log._under_way
    assert in_the_file(store, tmp_path) == {"a"}
    await store.put_object("b", b"x")
    await store._log._under_way
    assert in_the_file(store, tmp_path) == {"a", "b"}


async def test_it_is_done_now_and_then_not_each_time(opening, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(emptying, "monotonic", lambda: now[0])
    store = await opening()
    begun = []
    monkeypatch.setattr(store._log, "_empty", lambda: begun.append(now[0]))
    for wait in (0.0, 0.25, 0.5, 0.5, 0.25, 5.0):
        now[0] += wait
        await store.put_object(f"at {now[0]}", b"x")
        await store._log._under_way
    assert begun == [1000.0, 1001.25, 1006.5]


async def test_a_commit_is_followed_by_it(opening, monkeypatch):
    store = await opening()
    begun = []
    monkeypatch.setattr(store._log, "_empty", lambda: begun.append(1))
    await store.commit(0, 0, 1, effects=holding())
    await store._log._under_way
    assert begun == [1]


async def test_where_it_fails_nothing_is_lost_and_a_commit_bounds_the_log(opening, monkeypatch):
    monkeypatch.setattr(emptying, "EVERY", 0.0)
    monkeypatch.setattr(database, "LOG_PAGES", 50)
    store = await opening()
    store._log._db.close()  # every try fails from here on
    for n in range(60):
        await store.put_object(str(n), bytes(20_000))
    assert await store._log._under_way is None
    assert log_size(store) < 60 * 20_000 / 2
    assert await store.get_object("0") == bytes(20_000)


async def test_a_log_that_is_being_read_is_emptied_when_the_reader_is_gone(opening, tmp_path, monkeypatch):
    """Whoever looks at an old state keeps the log; commits go on, and it is moved later."""
    monkeypatch.setattr(emptying, "EVERY", 0.0)
    store = await opening()
    reader = sqlite3.connect(store.folder / "store.db", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM objects").fetchone()
    await store.put_object("a", b"x")
    await store._log._under_way
    assert reader.execute("SELECT count(*) FROM objects").fetchone() == (0,)
    reader.close()
    await store.put_object("b", b"x")
    await store._log._under_way
    assert in_the_file(store, tmp_path) == {"a", "b"}


def holding():
    """Effects that are committed."""
    return Effects(holds=[Hold("all", "", True)])
