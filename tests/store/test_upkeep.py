"""Retention of the embedded store: by age, by size, and never what a restart would need."""

import pytest

from engine.clock import ManualClock
from engine.errors import StoreError
from engine.model.config import Retention
from engine.model.moment import Effects
from engine.model.record import Genesis
from engine.model.signal import Signal
from engine.store.embedded import EmbeddedStore

DAY = 86400.0


@pytest.fixture
async def opening(tmp_path):
    stores = []

    async def opening(retention, segment_bytes=500):
        store = EmbeddedStore(tmp_path / "data", retention, ManualClock(0.0), segment_bytes=segment_bytes)
        stores.append(store)
        await store.open(Genesis("demo", "salt", 1))
        return store

    yield opening
    for store in stores:
        await store.close()


async def days(store, count, start=0):
    """One segment a day, all committed, and a checkpoint each day."""
    for day in range(start, start + count):
        frame = await store.append(0, [Signal("d1", 0.0, day, context={"text": "x" * 500})], day * DAY)
        await store.commit(0, await store.committed(0), frame.end, Effects())
        await store.save_checkpoint(0, frame.end, day * DAY, b"state")


def held(tmp_path):
    return sorted(int(path.stem) for path in (tmp_path / "data" / "journal").iterdir())


def size(tmp_path):
    return sum(path.stat().st_size for path in (tmp_path / "data" / "journal").iterdir())


async def test_segments_and_checkpoints_go_by_age(opening, tmp_path):
    store = await opening(Retention(journal_days=7.0))
    await days(store, 20)
    await store.retain(20 * DAY)
    first = await store.first_offset(0)
    assert first in (13, 14)  # record n is of day n - 1
    assert held(tmp_path)[0] == first
    checkpoints = sorted(int(path.name[:20]) for path in (tmp_path / "data" / "checkpoints").iterdir())
    assert checkpoints[0] >= first
    assert checkpoints[-1] == 21


async def test_segments_go_by_size_and_take_their_checkpoints_along(opening, tmp_path):
    store = await opening(Retention(journal_days=7.0, journal_max=2500))
    await days(store, 6)
    before = size(tmp_path)
    await store.retain(6 * DAY)
    assert before > 2500 >= size(tmp_path)
    first = await store.first_offset(0)
    assert first > 0
    offset, _ = await store.load_checkpoint(0, at_most=0.0) or (None, None)
    assert offset is None


async def test_size_does_not_take_what_the_two_newest_checkpoints_need(opening, tmp_path):
    store = await opening(Retention(journal_days=7.0, journal_max=1))
    await days(store, 6)
    await store.retain(6 * DAY)
    assert await store.first_offset(0) <= 6  # the older of the two newest stands at 6, the end is 7
    assert [record async for frame in store.read(0, 6) for record in frame.records]


async def test_a_quiet_journal_grows_old_too(opening, tmp_path):
    """Segments that never fill are closed now and then, so that their records go when their time comes."""
    store = await opening(Retention(journal_days=7.0), segment_bytes=1 << 20)
    for day in range(30):
        await days(store, 1, start=day)
        await store.retain(day * DAY)
    assert await store.first_offset(0) >= 30 - 10
    assert len(held(tmp_path)) <= 10


async def test_a_reader_whose_segments_go_is_told(opening):
    store = await opening(Retention(journal_days=1.0))
    await days(store, 10)
    reading = store.read(0, 0)
    await anext(reading)
    await store.retain(10 * DAY)
    with pytest.raises(StoreError, match="history begins at"):
        async for _ in reading:
            pass


async def test_what_was_forgotten_is_overwritten(opening, tmp_path):
    """secure_delete: a removed moment leaves no bytes in the file."""
    from engine.model.moment import Decision, Moment
    from engine.model.reason import Reason, Verdict
    from engine.model.signal import Cause

    store = await opening(Retention(traces_days=1.0))
    secret = "a-name-that-must-go"
    moment = Moment(
        "m1", "r", "x", secret, "d", Cause("c", "enter", 0.0), Decision(Verdict.SEND, Reason.OK), at=0.0, expires=1.0
    )
    await store.append(0, [Signal("d1", 0.0, 1)], 0.0)
    await store.commit(0, 0, 2, Effects(moments=[moment]))
    await store.retain(3 * DAY)
    await store.close()
    assert secret.encode() not in (tmp_path / "data" / "store.db").read_bytes()
