"""The embedded store as a whole: its folder, its lock, its two files of truth, and trouble with either."""

import errno
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from engine.clock import ManualClock
from engine.errors import StoreError
from engine.model.config import Retention
from engine.model.moment import Cancel, Decision, Effects, Hold, Message, Moment, Notification
from engine.model.reason import Reason, Verdict
from engine.model.record import Genesis
from engine.model.signal import Cause
from engine.ports import MomentQuery
from engine.store.embedded import EmbeddedStore
from engine.store.files import FolderLock

GENESIS = Genesis("demo", "salt", 1)
DAY = 86400.0


@pytest.fixture
async def opening(tmp_path):
    """Open stores over one folder; all are closed in the end."""
    stores = []

    async def opening(folder=tmp_path / "data", retention=Retention(), genesis=GENESIS, **options):  # noqa: B008
        stores.append(EmbeddedStore(folder, retention, ManualClock(100.0), **options))
        await stores[-1].open(genesis)
        return stores[-1]

    yield opening
    for store in stores:
        await store.close()


def moment(id, at=1000.0, note=""):
    cause = Cause(id, "enter", 5.0, fence="cafe")
    return Moment(
        id, "hello", "r1", "p1", "d1", cause, Decision(Verdict.SEND, Reason.OK), at, at + 900, trace={"n": note}
    )


def notification(id):
    cause = Cause(id, "enter", 5.0, fence="cafe")
    return Notification(id, "m1", "push", "hello", "r1", "p1", "d1", cause, Message("Hi"), 1000.0, 1900.0, 1900.0)


async def commit(store, disk, effects):
    frame = await store.append(0, [disk.signal(1)], 1000.0)
    return await store.commit(0, await store.committed(0), frame.end, effects)


async def records(store, start=0):
    return [record async for frame in store.read(0, start) for record in frame.records]


# ------------------------------------------------------------------ one process


async def test_two_stores_on_one_folder_are_refused(opening, disk):
    first = await opening()
    with pytest.raises(StoreError, match=f"in use by process {os.getpid()}") as caught:
        await opening()
    assert not caught.value.retry
    assert caught.value.fix
    await first.append(0, [disk.signal(1)], 200.0)
    await first.close()
    assert len(await records(await opening())) == 2


def test_another_process_is_refused(tmp_path):
    lock = FolderLock(tmp_path)
    lock.take()
    code = (
        "import sys, pathlib; from engine.store.files import FolderLock; FolderLock(pathlib.Path(sys.argv[1])).take()"
    )
    root = Path(__file__).parents[2]
    try:
        other = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=root, capture_output=True, text=True)
        assert "in use by process" in other.stderr
    finally:
        lock.release()
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=root).returncode == 0


async def test_a_failed_opening_lets_the_folder_go(opening, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "store.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(StoreError, match="not a database") as caught:
        await opening()
    assert str(tmp_path / "data" / "store.db") in str(caught.value)
    (tmp_path / "data" / "store.db").unlink()
    await opening()


async def test_what_it_makes_is_private_to_its_owner(opening, disk, tmp_path):
    store = await opening(tmp_path / "new" / "data")
    await commit(store, disk, Effects(moments=[moment("m1")]))
    await store.save_checkpoint(0, 1, 1.0, b"x")
    made = [tmp_path / "new", *(tmp_path / "new").rglob("*")]
    assert {"store.db", "store.db-wal", "store.db-shm", "lock"} <= {path.name for path in made}
    for path in made:
        wanted = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path


# ------------------------------------------------------------------ two files of truth


async def test_a_copy_taken_at_any_moment_holds_all_that_was_acknowledged(opening, disk, tmp_path):
    """What a kill leaves on disk, without the kill."""
    store = await opening()
    for n in range(8):
        await commit(store, disk, Effects(moments=[moment(f"m{n}")], notifications=[notification(f"n{n}")]))
        await store.begin_send([f"n{n}"], 1000.0)
        shutil.copytree(tmp_path / "data", tmp_path / f"copy{n}")
        copy = await opening(tmp_path / f"copy{n}")
        assert await copy.committed(0) == n + 2
        assert await copy.end_offset(0) == n + 2
        assert len(await records(copy)) == n + 2
        assert await copy.moment(f"m{n}") is not None
        assert len(await copy.sending()) == n + 1
        await copy.close()


async def test_commits_survive_a_power_cut_by_sqlites_strictest_setting(opening):
    store = await opening()
    for db in (store._db, store._reader):
        settings = [db.sql.execute(f"PRAGMA {name}").fetchone()[0] for name in ("synchronous", "journal_mode")]
        assert settings == [2, "wal"]
    assert store._db.sql.execute("PRAGMA secure_delete").fetchone()[0] == 1


async def test_a_journal_that_ends_before_what_was_committed_refuses_to_open(opening, disk, tmp_path):
    store = await opening()
    await commit(store, disk, Effects())
    await store.close()
    segment = tmp_path / "data" / "journal" / f"{0:020d}.seg"
    segment.write_bytes(segment.read_bytes()[:-1])
    with pytest.raises(StoreError, match="ends at record 1 but records up to 2 were acknowledged"):
        await opening()


async def test_a_journal_that_ends_before_a_checkpoint_refuses_to_open(opening, disk, tmp_path):
    store = await opening()
    await store.append(0, [disk.signal(1)], 200.0)
    await store.save_checkpoint(0, 2, 200.0, b"state")
    await store.close()
    segment = tmp_path / "data" / "journal" / f"{0:020d}.seg"
    segment.write_bytes(segment.read_bytes()[:-1])
    with pytest.raises(StoreError, match="up to 2 were acknowledged"):
        await opening()


async def test_a_journal_that_is_gone_refuses_to_open(opening, tmp_path):
    await (await opening()).close()
    shutil.rmtree(tmp_path / "data" / "journal")
    with pytest.raises(StoreError, match="were acknowledged"):
        await opening()


async def test_a_start_cut_short_after_the_genesis_record_goes_on_with_it(opening, tmp_path):
    await (await opening()).close()
    for path in (tmp_path / "data").glob("store.db*"):
        path.unlink()
    store = await opening(genesis=Genesis("other", "x", 1))
    assert await records(store) == [GENESIS]
    await store.close()
    store = EmbeddedStore(tmp_path / "data", Retention(), ManualClock())
    assert await store.open(Genesis("third", "x", 1)) == GENESIS
    await store.close()


async def test_a_torn_tail_is_cut_and_told(opening, disk, tmp_path):
    store = await opening()
    await store.append(0, [disk.signal(1)], 200.0)
    assert store.notices == []
    await store.close()
    segment = tmp_path / "data" / "journal" / f"{0:020d}.seg"
    segment.write_bytes(segment.read_bytes()[:-1])
    store = await opening()
    assert await records(store) == [GENESIS]
    assert "cut off" in store.notices[0]


async def test_a_damaged_checkpoint_is_told(opening, tmp_path):
    store = await opening()
    await store.save_checkpoint(0, 1, 200.0, b"state")
    path = next((tmp_path / "data" / "checkpoints").iterdir())
    path.write_bytes(b"rubbish")
    assert await store.load_checkpoint(0) is None
    assert str(path) in store.notices[0]


@pytest.mark.parametrize("part", ["store.db", "journal"])
async def test_data_of_a_newer_version_is_refused(opening, tmp_path, part):
    await (await opening()).close()
    if part == "store.db":
        db = sqlite3.connect(tmp_path / "data" / "store.db")
        db.execute("PRAGMA user_version = 99")
        db.close()
    else:
        import struct
        import zlib

        path = tmp_path / "data" / "journal" / f"{0:020d}.seg"
        fields = struct.pack("<8sIIQd", b"HERENOWJ", 99, 1, 0, 0.0)
        path.write_bytes(fields + struct.pack("<I", zlib.crc32(fields)))
    with pytest.raises(StoreError, match="format 99") as caught:
        await opening()
    assert not caught.value.retry


# ------------------------------------------------------------------ trouble


async def test_a_full_disk_refuses_appends_and_takes_them_again(opening, disk):
    files = disk.FaultyFiles()
    store = await opening(files=files)
    files.plan = dict.fromkeys(range(files.calls, files.calls + 50), (errno.ENOSPC, "before"))
    with pytest.raises(StoreError, match="Free space") as caught:
        await store.append(0, [disk.signal(1)], 200.0)
    assert caught.value.retry
    assert await store.end_offset(0) == 1
    assert await records(store, 1) == []
    files.plan = {}
    assert (await store.append(0, [disk.signal(2)], 200.0)).offset == 1
    assert await records(store, 1) == [disk.signal(2)]


async def test_a_full_database_refuses_commits_and_takes_them_again(opening, disk):
    store = await opening()
    frame = await store.append(0, [disk.signal(1)], 200.0)
    pages = store._db.sql.execute("PRAGMA page_count").fetchone()[0]
    store._db.sql.execute(f"PRAGMA max_page_count = {pages}")
    effects = Effects(moments=[moment("m1", note="x" * 100_000)], holds=[Hold("all", "", True)])
    with pytest.raises(StoreError, match="Free space") as caught:
        await store.commit(0, 0, frame.end, effects)
    assert caught.value.retry
    assert await store.committed(0) == 0
    assert await store.moment("m1") is None
    store._db.sql.execute("PRAGMA max_page_count = 1000000")
    assert await store.commit(0, 0, frame.end, effects) == [1]
    assert await store.committed(0) == frame.end


async def test_a_database_held_by_another_program_is_worth_another_try(opening, disk, tmp_path):
    store = await opening()
    store._db.sql.execute("PRAGMA busy_timeout = 10")
    other = sqlite3.connect(tmp_path / "data" / "store.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="locked") as caught:
        await commit(store, disk, Effects(moments=[moment("m1")]))
    assert caught.value.retry
    assert await store.moment("m1") is None  # reading goes on
    other.close()
    assert await store.commit(0, 0, 2, Effects(moments=[moment("m1")])) == [1]


async def test_the_reading_connection_cannot_write(opening):
    store = await opening()
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        store._reader.sql.execute("DELETE FROM moments")


async def test_a_long_outbox_costs_no_more_to_ask_than_a_short_one(opening, disk):
    """Each statement as it is run finds its rows by an index and needs no sorting."""
    store = await opening()
    said = []
    for db in (store._reader, store._db):
        db.sql.set_trace_callback(said.append)
    await store.due(1000.0, ["push"], 10)
    await store.next_due()
    await store.inbox("p1", "push", 3, 10)
    await store.moments(MomentQuery(person="p1"))
    await store.rows("waiting")
    cancels = [Cancel(Reason.LEFT, device="d1"), Cancel(Reason.LEFT, moment="m1"), Cancel(Reason.LEFT, person="p1")]
    await commit(store, disk, Effects(cancels=cancels))
    selects = [statement for statement in said if "FROM outbox" in statement or "FROM moments" in statement]
    assert len(selects) == 8
    store._reader.sql.set_trace_callback(None)
    used = []
    for statement in selects:
        plan = [step[3] for step in store._reader.sql.execute(f"EXPLAIN QUERY PLAN {statement}")]
        assert not any("TEMP B-TREE" in step or (step.startswith("SCAN") and "INDEX" not in step) for step in plan)
        used.append(plan[0].split("INDEX ")[1].split()[0])
    assert used == [
        "outbox_due",
        "outbox_due",
        "outbox_inbox",
        "moments_person",
        "outbox_status",
        "outbox_waiting_device",
        "outbox_moment",
        "outbox_person",
    ]
