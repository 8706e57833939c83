"""The Store contract: commit (effects and offset in one transaction) and the moment feed."""

import asyncio

import pytest

from engine.errors import StoreError
from engine.model.moment import Cancel, Effects, Hold, Settle
from engine.model.reason import Reason, Verdict
from engine.ports import MomentQuery


async def ids(store, **query):
    return [stored.moment.id for stored in await store.moments(MomentQuery(**query))]


# ------------------------------------------------------------------ the guard


async def test_commit_moves_the_offset(store, reopen, make):
    frame = await store.append(0, [make.signal(1), make.signal(2)], 200.0)
    assert await store.commit(0, 0, frame.end, Effects()) == []
    assert await store.committed(0) == 3
    store = await reopen(store)
    assert await store.committed(0) == 3


@pytest.mark.parametrize("previous", [0, 1, 3])
async def test_commit_after_another_than_the_committed_offset_changes_nothing(store, reopen, make, previous):
    await store.append(0, [make.signal(1), make.signal(2)], 200.0)
    await store.commit(0, 0, 2, Effects())
    effects = Effects(
        moments=[make.moment("m1")], notifications=[make.notification("n1")], holds=[Hold("all", "", True)]
    )
    with pytest.raises(StoreError) as caught:
        await store.commit(0, previous, 3, effects)
    assert not caught.value.retry
    assert await store.committed(0) == 2
    assert await store.moment("m1") is None
    assert await store.row("n1") is None
    store = await reopen(store)
    assert await store.committed(0) == 2
    assert await store.commit(0, 2, 3, Effects(moments=[make.moment("m1")])) == [1]


async def test_of_two_racing_commits_one_is_refused(store, make):
    await store.append(0, [make.signal(1)], 200.0)
    commits = [store.commit(0, 0, 2, Effects(moments=[make.moment(id)])) for id in ("m1", "m2")]
    outcomes = await asyncio.gather(*commits, return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["StoreError", "list"]
    assert len(await ids(store)) == 1


async def test_commit_beyond_what_is_journaled_is_refused(store, make):
    with pytest.raises(StoreError):
        await store.commit(0, 0, 2, Effects(moments=[make.moment("m1")]))
    assert await store.committed(0) == 0
    assert await store.moment("m1") is None


async def test_commit_never_goes_back(store, make):
    await make.commit(store, Effects())
    with pytest.raises(StoreError):
        await store.commit(0, 2, 1, Effects(moments=[make.moment("m1")]))
    assert await store.committed(0) == 2
    assert await store.moment("m1") is None


async def test_effects_that_cannot_be_stored_leave_nothing_behind(store, make):
    await make.waiting(store, make.notification("n0"))
    await store.append(0, [make.signal(1)], 200.0)
    bad = make.notification("n1", cause=make.cause(data={"x": object()}))
    effects = Effects(
        moments=[make.moment("m1")],
        notifications=[bad],
        cancels=[Cancel(Reason.LEFT)],
        holds=[Hold("all", "", True)],
    )
    with pytest.raises(Exception):  # noqa: B017 (whatever the encoder raises)
        await store.commit(0, 2, 3, effects)
    assert await store.committed(0) == 2
    assert await store.moment("m1") is None
    assert (await store.row("n0")).status == "waiting"
    assert len(await store.due(1000.0, ["push"], 10)) == 1
    assert await store.commit(0, 2, 3, Effects(moments=[make.moment("m1")])) == [1]


# ------------------------------------------------------------------ unique ids


async def test_a_moment_that_exists_is_left_as_it_is(store, make):
    first = await make.commit(store, Effects(moments=[make.moment("m1"), make.moment("m2")]))
    again = await make.commit(store, Effects(moments=[make.moment("m3"), make.moment("m1", rule="other")]))
    assert again[1] == first[0]
    assert again[0] > first[1] > first[0]
    assert (await store.moment("m1")).moment == make.moment("m1")
    assert await ids(store) == ["m3", "m2", "m1"]


async def test_a_notification_that_exists_is_left_as_it_is(store, make):
    await make.waiting(store, make.notification("n1"))
    await store.begin_send(["n1"], 1000.0)
    await make.commit(store, Effects(settled=[Settle("n1", "sent", 1)]))
    await make.waiting(store, make.notification("n1", channel="sms"), make.notification("n2"))
    assert (await store.row("n1")).status == "sent"
    assert (await store.row("n1")).notification == make.notification("n1")
    assert [row.notification.id for row in await store.rows()] == ["n2", "n1"]


async def test_seq_rises_with_each_commit_and_restart(store, reopen, make):
    seqs = []
    for n in range(6):
        seqs += await make.commit(store, Effects(moments=[make.moment(f"a{n}"), make.moment(f"b{n}")]))
        if n == 3:
            store = await reopen(store)
    assert seqs == sorted(set(seqs))
    assert len(seqs) == 12


# ------------------------------------------------------------------ the feed


async def test_the_feed_is_newest_first_and_pages_by_seq(store, reopen, make):
    for n in range(7):
        await make.commit(store, Effects(moments=[make.moment(f"m{n}")]))
    store = await reopen(store)
    assert await ids(store, limit=3) == ["m6", "m5", "m4"]
    page = await store.moments(MomentQuery(limit=3))
    assert await ids(store, limit=3, before=page[-1].seq) == ["m3", "m2", "m1"]
    assert await ids(store, limit=0) == []


async def test_the_feed_can_be_narrowed(store, make):
    await make.commit(
        store,
        Effects(
            moments=[
                make.moment("m1"),
                make.moment("m2", verdict=Verdict.SUPPRESS, at=2000.0),
                make.moment("m3", rule="bye", at=2000.0),
                make.moment("m4", person="p2", at=3000.0),
                make.moment("m5", device="d2", verdict=Verdict.HOLD, at=3000.0),
            ]
        ),
    )
    assert await ids(store, decision="suppress") == ["m2"]
    assert await ids(store, decision="hold") == ["m5"]
    assert await ids(store, rule="bye") == ["m3"]
    assert await ids(store, person="p2") == ["m4"]
    assert await ids(store, device="d2") == ["m5"]
    assert await ids(store, since=2000.0) == ["m5", "m4", "m3", "m2"]
    assert await ids(store, since=2000.1) == ["m5", "m4"]
    assert await ids(store, decision="send", rule="hello") == ["m4", "m1"]


async def test_a_moment_comes_with_its_notifications_as_they_stand(store, make):
    effects = Effects(
        moments=[make.moment("m1"), make.moment("m2")],
        notifications=[make.notification("n1", moment="m1"), make.notification("n2", moment="m1", channel="sms")],
    )
    seqs = await make.commit(store, effects)
    await store.begin_send(["n1"], 1000.0)
    stored = await store.moment("m1")
    assert stored.seq == seqs[0]
    assert [(row.notification.id, row.status) for row in stored.outbox] == [("n1", "sending"), ("n2", "waiting")]
    assert await store.moments(MomentQuery(rule="hello")) == [await store.moment("m2"), stored]
    assert (await store.moment("m2")).outbox == ()
    assert await store.moment("nobody") is None


DAY = 86400.0


async def test_old_moments_go_with_their_notifications_but_for_what_still_waits(store, make):
    old = [make.moment(f"m{n}", at=n * DAY) for n in range(10)]
    rows = [make.notification(f"n{n}", moment=f"m{n}") for n in (1, 2)]
    seqs = await make.commit(store, Effects(moments=old, notifications=rows))
    await make.commit(store, Effects(cancels=[Cancel(Reason.LEFT, moment="m2")]))
    await store.retain(95 * DAY)
    assert await ids(store) == ["m9", "m8", "m7", "m6", "m5", "m1"]
    assert await store.row("n2") is None
    assert (await store.row("n1")).status == "waiting"
    await store.retain(200 * DAY)
    assert await ids(store) == ["m1"]
    assert (await make.commit(store, Effects(moments=[make.moment("later")])))[0] > max(seqs)
