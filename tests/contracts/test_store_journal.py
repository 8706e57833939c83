"""The Store contract: opening, the journal, checkpoints and objects."""

import asyncio
from itertools import pairwise

import pytest

from engine.errors import StoreError
from engine.model.moment import Effects
from engine.model.record import (
    Attempt,
    ContextChange,
    Control,
    Feedback,
    Genesis,
    ProfileChange,
    ReleaseChange,
    Tick,
)
from engine.model.signal import Reported


async def read(store, start=0):
    return [frame async for frame in store.read(0, start)]


async def records(store, start=0):
    return [record for frame in await read(store, start) for record in frame.records]


# ------------------------------------------------------------------ opening


async def test_a_new_store_begins_with_its_genesis(store, make):
    assert await records(store) == [make.genesis]
    assert (await store.first_offset(0), await store.end_offset(0), await store.committed(0)) == (0, 1, 0)


async def test_the_stored_genesis_wins(store, world, make):
    await store.close()
    again = world.store()
    try:
        assert await again.open(Genesis("other", "salt", 8)) == make.genesis
        assert await records(again) == [make.genesis]
    finally:
        await again.close()


async def test_opening_twice_is_an_error(store, make):
    with pytest.raises(StoreError):
        await store.open(make.genesis)
    assert await store.end_offset(0) == 1


async def test_closing_is_safe_twice_and_before_opening(world, make):
    store = world.store()
    await store.close()
    store = world.store()
    await store.open(make.genesis)
    await store.close()
    await store.close()


async def test_a_store_that_is_not_open_says_so(world, make):
    store = world.store()
    with pytest.raises(StoreError):
        await store.append(0, [make.signal(1)], 1.0)
    await store.open(make.genesis)
    await store.close()
    with pytest.raises(StoreError):
        await store.append(0, [make.signal(1)], 1.0)
    with pytest.raises(StoreError):
        await store.due(1.0, ["push"], 10)
    with pytest.raises(StoreError):
        await read(store)


async def test_closing_finishes_what_was_accepted(store, reopen, make):
    appends = [asyncio.ensure_future(store.append(0, [make.signal(n)], 1.0)) for n in range(50)]
    await asyncio.sleep(0)
    store = await reopen(store)
    await asyncio.gather(*appends)
    assert len(await records(store)) == 51


async def test_a_partition_that_does_not_exist_is_refused(store, make):
    with pytest.raises(StoreError):
        await store.append(99, [make.signal(1)], 1.0)
    with pytest.raises(StoreError):
        await store.end_offset(99)


# ------------------------------------------------------------------ append and read


async def test_frames_have_consecutive_offsets(store, make):
    first = await store.append(0, [make.signal(1), make.signal(2)], 200.0)
    second = await store.append(0, [make.signal(3)], 201.0)
    assert (first.offset, first.end, first.received) == (1, 3, 200.0)
    assert (second.offset, second.end, second.received) == (3, 4, 201.0)
    assert second.records == [make.signal(3)]
    assert await store.end_offset(0) == 4


async def test_nothing_is_appended_for_no_records(store):
    frame = await store.append(0, [], 200.0)
    assert (frame.offset, frame.records) == (1, [])
    assert await store.end_offset(0) == 1


async def test_what_was_appended_is_there_after_a_restart(store, reopen, make):
    frames = [await store.append(0, [make.signal(n), make.signal(n + 1)], 200.0 + n) for n in range(20)]
    store = await reopen(store)
    assert await store.end_offset(0) == 41
    assert (await read(store))[1:] == frames
    assert (await store.append(0, [make.signal(9)], 300.0)).offset == 41


async def test_received_never_decreases(store, reopen, make):
    await store.append(0, [make.signal(1)], 500.0)
    assert (await store.append(0, [make.signal(2)], 400.0)).received == 500.0
    store = await reopen(store)
    assert (await store.append(0, [make.signal(3)], 300.0)).received == 500.0
    assert [frame.received for frame in await read(store, 1)] == [500.0, 500.0, 500.0]


async def test_received_never_decreases_across_an_empty_end(store, reopen, make):
    """However the journal is cut into files, the last journal time is known after a restart."""
    for n in range(40):
        await store.append(0, [make.signal(n)], 500.0 + n)
        store = await reopen(store)
        assert (await store.append(0, [make.signal(n)], 0.0)).received == 500.0 + n


async def test_reading_may_start_anywhere(store, make):
    for n in range(0, 30, 3):
        await store.append(0, [make.signal(n), make.signal(n + 1), make.signal(n + 2)], 200.0 + n)
    everything = await records(store)
    for start in range(32):
        frames = await read(store, start)
        assert [r for f in frames for r in f.records] == everything[start:]
        if frames:
            assert frames[0].offset == start
            assert all(a.end == b.offset for a, b in pairwise(frames))


async def test_reading_ends_where_the_journal_ended_at_the_call(store, make):
    await store.append(0, [make.signal(1)], 200.0)
    frames = store.read(0, 1)
    await store.append(0, [make.signal(2)], 200.0)
    assert [f.records async for f in frames] == [[make.signal(1)]]


async def test_the_journal_may_grow_while_it_is_read(store, make):
    for n in range(30):
        await store.append(0, [make.signal(n)], 200.0)
    seen = []
    async for frame in store.read(0, 1):
        seen += frame.records
        await store.append(0, [make.signal(99)], 200.0)
    assert seen == [make.signal(n) for n in range(30)]


async def test_readers_may_stop_early(store, make):
    for n in range(30):
        await store.append(0, [make.signal(n)], 200.0)
    async for _ in store.read(0):
        break
    assert len(await records(store)) == 31


async def test_concurrent_appends_each_have_their_own_offsets(store, make):
    frames = await asyncio.gather(*(store.append(0, [make.signal(n)] * (n % 3 + 1), 200.0) for n in range(40)))
    taken = sorted((f.offset, f.end) for f in frames)
    assert all(a[1] == b[0] for a, b in pairwise(taken))
    stored = await records(store)
    for frame in frames:
        assert stored[frame.offset : frame.end] == frame.records


async def test_every_kind_of_record_comes_back_as_it_was(store, reopen, make):
    given = [
        make.signal(1, reported=Reported("enter", "cafe"), context={"a": [1, None, "ü"]}, person="p9", id="x"),
        Tick(),
        ProfileChange("p1", True, {"name": "Ada"}, {"marketing": False, "push": None}, ("d1",), "de", "Europe/Berlin"),
        ContextChange("cafe", {"temp": 3.5}, 600.0),
        Feedback("f1", "clicked", 5.0, notification="n1"),
        Attempt("n1", "m1", "p1", "push", 1, "retry", 5.0, "503", 9.0),
        ReleaseChange("abc", "me", "why"),
        Control("pause", "rule", "hello", "oops", "me"),
    ]
    await store.append(0, given, 200.0)
    store = await reopen(store)
    assert await records(store, 1) == given


async def test_a_frame_may_be_large(store, reopen, make):
    large = make.signal(1, context={"text": "x" * 3_000_000})
    await store.append(0, [make.signal(0)], 200.0)
    await store.append(0, [large], 200.0)
    await store.append(0, [make.signal(2)], 200.0)
    store = await reopen(store)
    assert await records(store, 1) == [make.signal(0), large, make.signal(2)]
    assert await records(store, 3) == [make.signal(2)]


# ------------------------------------------------------------------ checkpoints


async def test_the_newest_checkpoint_is_loaded(store, reopen, make):
    assert await store.load_checkpoint(0) is None
    for n in range(3):
        await store.append(0, [make.signal(n)], 200.0)
    await store.save_checkpoint(0, 2, 200.0, b"two")
    await store.save_checkpoint(0, 3, 201.5, b"three")
    assert await store.load_checkpoint(0) == (3, b"three")
    store = await reopen(store)
    assert await store.load_checkpoint(0) == (3, b"three")


async def test_a_checkpoint_can_be_asked_for_by_time(store, make):
    for n in range(3):
        await store.append(0, [make.signal(n)], 200.0)
    await store.save_checkpoint(0, 1, 200.25, b"one")
    await store.save_checkpoint(0, 2, 7000.5, b"two")
    await store.save_checkpoint(0, 3, 14000.0, b"")
    assert await store.load_checkpoint(0, at_most=13999.9) == (2, b"two")
    assert await store.load_checkpoint(0, at_most=7000.5) == (2, b"two")
    assert await store.load_checkpoint(0, at_most=7000.4) == (1, b"one")
    assert await store.load_checkpoint(0, at_most=200.0) is None
    assert await store.load_checkpoint(0) == (3, b"")


async def test_a_checkpoint_of_the_same_offset_takes_the_place_of_the_old(store):
    await store.save_checkpoint(0, 1, 200.0, b"old")
    await store.save_checkpoint(0, 1, 200.0, b"new")
    assert await store.load_checkpoint(0) == (1, b"new")


async def test_a_checkpoint_ahead_of_the_journal_is_refused(store):
    with pytest.raises(StoreError):
        await store.save_checkpoint(0, 2, 200.0, b"from nowhere")
    assert await store.load_checkpoint(0) is None


# ------------------------------------------------------------------ objects


async def test_objects_are_kept_by_their_key(store, reopen):
    assert await store.get_object("k1") is None
    await store.put_object("k1", b"one\x00")
    await store.put_object("k1", b"one\x00")
    await store.put_object("k2", b"")
    store = await reopen(store)
    assert await store.get_object("k1") == b"one\x00"
    assert await store.get_object("k2") == b""


# ------------------------------------------------------------------ retention

DAY = 86400.0


async def aged(store, make, days):
    """A journal with a record a day, each in a frame large enough to be a segment of its own where there are any."""
    for day in range(days):
        await store.append(0, [make.signal(day, context={"text": "x" * 1000})], day * DAY)
    end = await store.end_offset(0)
    await store.commit(0, await store.committed(0), end, Effects())
    return end


async def test_retention_drops_old_records_and_says_where_history_begins(store, reopen, make):
    end = await aged(store, make, 20)
    await store.save_checkpoint(0, end - 1, 19 * DAY, b"a")
    await store.save_checkpoint(0, end, 19 * DAY, b"b")
    await store.retain(20 * DAY)
    first = await store.first_offset(0)
    assert 0 < first <= 14  # the record of day 13 is seven days old
    assert len(await records(store, first)) == end - first
    with pytest.raises(StoreError, match=f"history begins at {first}"):
        await read(store, first - 1)
    store = await reopen(store)
    assert await store.first_offset(0) == first
    assert await store.end_offset(0) == end
    assert await records(store, end - 1) == [make.signal(19, context={"text": "x" * 1000})]


async def test_retention_drops_nothing_that_a_restart_would_need(store, make):
    end = await aged(store, make, 20)
    await store.retain(20 * DAY)
    assert await store.first_offset(0) == 0  # no checkpoint: a restart begins at the beginning
    await store.save_checkpoint(0, 5, 4 * DAY, b"a")
    await store.save_checkpoint(0, end, 19 * DAY, b"b")
    await store.retain(20 * DAY)
    assert await store.first_offset(0) <= 5  # the older one may be all that is readable


async def test_retention_stops_at_the_committed_offset(store, make):
    for day in range(20):
        await store.append(0, [make.signal(day, context={"text": "x" * 1000})], day * DAY)
    await store.commit(0, 0, 4, Effects())
    await store.save_checkpoint(0, 15, 14 * DAY, b"a")
    await store.save_checkpoint(0, 16, 15 * DAY, b"b")
    await store.retain(20 * DAY)
    assert await store.first_offset(0) <= 4


async def test_the_genesis_outlives_its_record(store, world, make):
    end = await aged(store, make, 20)
    await store.save_checkpoint(0, end - 1, 19 * DAY, b"a")
    await store.save_checkpoint(0, end, 19 * DAY, b"b")
    await store.retain(20 * DAY)
    assert await store.first_offset(0) > 0
    await store.close()
    again = world.store()
    try:
        assert await again.open(Genesis("other", "salt", 8)) == make.genesis
    finally:
        await again.close()
