"""The Store contract: the outbox, from waiting rows over the point of no return to the inbox."""

import asyncio

import pytest

from engine.errors import StoreError
from engine.model.moment import Cancel, Effects, Hold, Settle
from engine.model.reason import Reason

CHANNELS = ["push", "sms"]


def names(rows):
    return [row.notification.id for row in rows]


async def due(store, now=1000.0, channels=CHANNELS, limit=10):
    return names(await store.due(now, channels, limit))


async def begin(store, *ids, now=1000.0):
    return names(await store.begin_send(ids, now))


async def standing(store, id):
    row = await store.row(id)
    return row.status, row.reason


SCOPES = [
    Hold("all", "", True),
    Hold("rule", "hello", True),
    Hold("channel", "push", True),
    Hold("geofence", "cafe", True),
]
ELSEWHERE = [Hold("rule", "other", True), Hold("channel", "sms", True), Hold("geofence", "bar", True)]


def off(hold):
    return Hold(hold.scope, hold.id, False)


# ------------------------------------------------------------------ due


async def test_rows_are_due_at_not_before_soonest_first(store, make):
    late, soon, now = (
        make.notification(id, not_before=at) for id, at in (("n1", 1200.0), ("n2", 1100.0), ("n3", 1000.0))
    )
    await make.waiting(store, late, soon, now)
    assert await due(store, 999.9) == []
    assert await due(store, 1000.0) == ["n3"]
    assert await due(store, 1200.0) == ["n3", "n2", "n1"]
    assert await due(store, 1200.0, limit=2) == ["n3", "n2"]
    row = (await store.due(1000.0, CHANNELS, 1))[0]
    assert row.notification == now
    assert (row.status, row.attempts, row.due, row.reason, row.detail) == ("waiting", 0, 1000.0, "", "")


async def test_only_the_channels_asked_for_are_listed(store, make):
    await make.waiting(store, make.notification("n1"), make.notification("n2", channel="sms"))
    assert await due(store, channels=["sms"]) == ["n2"]
    assert await due(store, channels=[]) == []


async def test_rows_that_have_begun_are_not_listed(store, make):
    await make.waiting(store, make.notification("n1"), make.notification("n2"))
    await begin(store, "n1")
    assert await due(store) == ["n2"]


@pytest.mark.parametrize("hold", SCOPES, ids=lambda h: h.scope)
async def test_a_held_row_is_not_due_until_released(store, reopen, make, hold):
    await make.waiting(store, make.notification("n1"))
    await make.commit(store, Effects(holds=[hold]))
    store = await reopen(store)
    assert await due(store) == []
    assert await store.next_due() is None
    await make.commit(store, Effects(holds=[off(hold)]))
    assert await due(store) == ["n1"]
    assert await store.next_due() == 1000.0


async def test_the_next_due_row_may_be_in_the_future(store, make):
    assert await store.next_due() is None
    await make.waiting(store, make.notification("n1", not_before=1500.0), make.notification("n2", not_before=1400.0))
    assert await store.next_due() == 1400.0
    await begin(store, "n2", now=1400.0)
    assert await store.next_due() == 1500.0


# ------------------------------------------------------------------ begin_send


async def test_begin_send_takes_waiting_rows_in_the_order_given(store, reopen, make):
    await make.waiting(store, *(make.notification(f"n{n}") for n in range(4)))
    taken = await store.begin_send(["n2", "n0", "unknown", "n2"], 1000.0)
    assert names(taken) == ["n2", "n0"]
    assert {row.status for row in taken} == {"sending"}
    store = await reopen(store)
    assert names(await store.sending()) == ["n0", "n2"]
    assert await due(store) == ["n1", "n3"]


async def test_many_rows_can_begin_at_once(store, make):
    ids = [f"n{n:04}" for n in range(1200)]
    await make.waiting(store, *(make.notification(id) for id in ids))
    assert await begin(store, *reversed(ids)) == ids[::-1]


async def test_a_row_begins_once(store, make):
    await make.waiting(store, make.notification("n1"))
    attempts = await asyncio.gather(*(begin(store, "n1") for _ in range(5)))
    assert sorted(attempts) == [[], [], [], [], ["n1"]]
    assert await begin(store, "n1") == []


async def test_a_cancelled_row_does_not_begin(store, make):
    await make.waiting(store, make.notification("n1"))
    await make.commit(store, Effects(cancels=[Cancel(Reason.LEFT, moment="m-n1")]))
    assert await begin(store, "n1") == []
    assert await standing(store, "n1") == ("cancelled", "LEFT")


@pytest.mark.parametrize("purpose", ["marketing", "service", "transactional"])
@pytest.mark.parametrize("hold", SCOPES, ids=lambda h: h.scope)
async def test_a_held_row_does_not_begin_whatever_its_purpose(store, make, hold, purpose):
    await make.waiting(store, make.notification("n1", purpose=purpose))
    await make.commit(store, Effects(holds=[hold]))
    assert await begin(store, "n1") == []
    assert await standing(store, "n1") == ("waiting", "")
    await make.commit(store, Effects(holds=[off(hold)]))
    assert await begin(store, "n1") == ["n1"]


async def test_other_switches_do_not_hold_a_row(store, make):
    await make.waiting(store, make.notification("n1"), make.notification("n2", cause=make.cause(fence=None)))
    await make.commit(store, Effects(holds=ELSEWHERE))
    assert await due(store) == ["n1", "n2"]
    assert await begin(store, "n1", "n2") == ["n1", "n2"]


async def test_the_last_switch_counts(store, make):
    await make.waiting(store, make.notification("n1"))
    hold = Hold("rule", "hello", True)
    await make.commit(store, Effects(holds=[hold, hold, off(hold)]))
    assert await due(store) == ["n1"]
    await make.commit(store, Effects(holds=[off(hold), hold]))
    assert await due(store) == []


async def test_there_is_one_switch_for_everything_whatever_its_id(store, make):
    await make.waiting(store, make.notification("n1"))
    await make.commit(store, Effects(holds=[Hold("all", "everything", True)]))
    assert await due(store) == []
    await make.commit(store, Effects(holds=[Hold("all", "", False)]))
    assert await due(store) == ["n1"]


async def test_a_row_does_not_begin_early(store, make):
    await make.waiting(store, make.notification("n1", not_before=1500.0))
    assert await begin(store, "n1", now=1499.9) == []
    assert await standing(store, "n1") == ("waiting", "")
    assert await begin(store, "n1", now=1500.0) == ["n1"]


@pytest.mark.parametrize(("deadline", "reason"), [(1900.0, "EXPIRED"), (1500.0, "QUIET_HOURS"), (2000.0, "EXPIRED")])
async def test_a_row_out_of_time_is_dead(store, make, deadline, reason):
    await make.waiting(store, *(make.notification(id, deadline=deadline, expires=1900.0) for id in ("n1", "n2")))
    last = min(deadline, 1900.0)
    assert await begin(store, "n1", now=last - 0.1) == ["n1"]
    assert await begin(store, "n2", now=last) == []
    assert await standing(store, "n2") == ("dead", reason)
    assert await due(store, 5000.0) == []


# ------------------------------------------------------------------ settle


async def begun(store, make, *ids):
    await make.waiting(store, *(make.notification(id) for id in ids))
    await begin(store, *ids)


async def test_a_settled_row_is_no_longer_sending(store, reopen, make):
    await begun(store, make, "n1", "n2", "n3", "n4")
    settled = [
        Settle("n1", "sent", 1, detail="200"),
        Settle("n2", "dead", 1, reason="REJECTED", detail="410"),
        Settle("n3", "unknown", 1, reason=Reason.AMBIGUOUS),
        Settle("nobody", "sent", 1),
    ]
    await make.commit(store, Effects(settled=settled))
    store = await reopen(store)
    assert names(await store.sending()) == ["n4"]
    assert await standing(store, "n1") == ("sent", "")
    assert await standing(store, "n2") == ("dead", "REJECTED")
    assert await standing(store, "n3") == ("unknown", "AMBIGUOUS")
    row = await store.row("n2")
    assert (row.attempts, row.detail) == (1, "410")
    assert await store.row("nobody") is None


async def test_a_retry_waits_until_its_time_and_counts_attempts(store, make):
    await begun(store, make, "n1")
    await make.commit(store, Effects(settled=[Settle("n1", "waiting", 1, due=1060.0, detail="503")]))
    assert await due(store, 1059.9) == []
    assert await store.next_due() == 1060.0
    assert await due(store, 1060.0) == ["n1"]
    row = (await store.begin_send(["n1"], 1060.0))[0]
    assert (row.status, row.attempts, row.detail) == ("sending", 1, "503")


async def test_what_is_sent_or_cancelled_stays_so(store, make):
    await begun(store, make, "n1")
    await make.waiting(store, make.notification("n2"))
    effects = Effects(settled=[Settle("n1", "sent", 1)], cancels=[Cancel(Reason.LEFT, moment="m-n2")])
    await make.commit(store, effects)
    await make.commit(store, Effects(settled=[Settle("n1", "waiting", 2), Settle("n2", "waiting", 1)]))
    assert await standing(store, "n1") == ("sent", "")
    assert await standing(store, "n2") == ("cancelled", "LEFT")
    assert await due(store) == []


# ------------------------------------------------------------------ cancel


@pytest.mark.parametrize("field", ["person", "rule", "channel", "fence", "device", "moment", "purpose"])
async def test_cancel_meets_waiting_rows_that_fit(store, make, field):
    fits = make.notification("n1", moment="m1", purpose="service")
    other = make.notification(
        "n2", person="p2", rule="bye", channel="sms", device="d2", purpose="marketing", cause=make.cause(fence="bar")
    )
    nowhere = make.notification(
        "n3", person="p3", rule="so", channel="mail", device="d3", purpose="marketing", cause=make.cause(fence=None)
    )
    await make.waiting(store, fits, other, nowhere)
    value = {"fence": "cafe"}.get(field) or getattr(fits, field)
    await make.commit(store, Effects(cancels=[Cancel(Reason.DROPPED, **{field: value})]))
    assert await standing(store, "n1") == ("cancelled", "DROPPED")
    assert await standing(store, "n2") == ("waiting", "")
    assert await standing(store, "n3") == ("waiting", "")


async def test_cancel_wants_every_given_field_to_fit(store, make):
    await make.waiting(store, make.notification("n1"), make.notification("n2", channel="sms"))
    await make.commit(store, Effects(cancels=[Cancel(Reason.LEFT, person="p1", rule="hello", channel="sms")]))
    assert await standing(store, "n1") == ("waiting", "")
    assert await standing(store, "n2") == ("cancelled", "LEFT")


async def test_cancel_without_fields_meets_all_that_waits(store, make):
    await make.waiting(store, make.notification("n1"), make.notification("n2", purpose="transactional"))
    await make.commit(store, Effects(cancels=[Cancel(Reason.DROPPED)]))
    assert await store.counts() == {"waiting": 0, "sending": 0, "sent": 0, "dead": 0, "cancelled": 2, "unknown": 0}


async def test_cancel_may_keep_transactional_rows(store, make):
    await make.waiting(store, make.notification("n1"), make.notification("n2", purpose="transactional"))
    await make.commit(store, Effects(cancels=[Cancel(Reason.LEFT, keep_transactional=True)]))
    assert await standing(store, "n1") == ("cancelled", "LEFT")
    assert await standing(store, "n2") == ("waiting", "")


async def test_cancel_may_stop_at_a_visit(store, make):
    rows = (make.notification(f"n{at:.0f}", cause=make.cause(at=at)) for at in (5.0, 6.0, 7.0))
    await make.waiting(store, *rows)
    await make.commit(store, Effects(cancels=[Cancel(Reason.LEFT, fence="cafe", visit_before=6.0)]))
    assert [(await standing(store, id))[0] for id in ("n5", "n6", "n7")] == ["cancelled", "cancelled", "waiting"]


async def test_what_is_sending_is_past_return(store, make):
    await begun(store, make, "n1")
    await make.commit(store, Effects(cancels=[Cancel(Reason.LEFT, moment="m-n1")]))
    assert await standing(store, "n1") == ("sending", "")


async def test_cancel_meets_rows_of_the_same_commit_decided_before_it(store, make):
    effects = Effects(
        notifications=[make.notification("n1"), make.notification("n2")],
        cancels=[Cancel(Reason.DROPPED, rule="hello", before=1)],
    )
    await make.commit(store, effects)
    assert await standing(store, "n1") == ("cancelled", "DROPPED")
    assert await standing(store, "n2") == ("waiting", "")
    await make.commit(
        store, Effects(notifications=[make.notification("n3")], cancels=[Cancel(Reason.DROPPED, rule="hello")])
    )
    assert await standing(store, "n3") == ("cancelled", "DROPPED")


async def test_a_retry_and_a_cancel_of_one_commit_end_in_cancelled(store, make):
    await begun(store, make, "n1")
    effects = Effects(settled=[Settle("n1", "waiting", 1, due=1060.0)], cancels=[Cancel(Reason.LEFT, moment="m-n1")])
    await make.commit(store, effects)
    assert await standing(store, "n1") == ("cancelled", "LEFT")


# ------------------------------------------------------------------ looking


async def test_rows_are_listed_newest_first(store, make):
    await make.waiting(store, make.notification("n1"), make.notification("n2", person="p2"))
    await make.waiting(store, make.notification("n3"))
    await begin(store, "n3")
    assert names(await store.rows()) == ["n3", "n2", "n1"]
    assert names(await store.rows(limit=1)) == ["n3"]
    assert names(await store.rows(limit=0)) == []
    assert names(await store.rows("waiting")) == ["n2", "n1"]
    assert names(await store.rows("waiting", "p1")) == ["n1"]
    assert names(await store.rows(person="p1")) == ["n3", "n1"]
    assert await store.counts() == {"waiting": 2, "sending": 1, "sent": 0, "dead": 0, "cancelled": 0, "unknown": 0}


async def test_the_inbox_lists_sent_rows_in_the_order_they_were_sent(store, reopen, make):
    await make.waiting(store, *(make.notification(f"n{n}", channel="inbox") for n in range(4)))
    await make.waiting(
        store, make.notification("s1", channel="sms"), make.notification("q1", channel="inbox", person="p2")
    )
    for id in ("n2", "s1", "q1", "n0", "n3"):
        await begin(store, id)
        await make.commit(store, Effects(settled=[Settle(id, "sent", 1)]))
        if id == "q1":
            store = await reopen(store)
    seen = await store.inbox("p1", "inbox", 0, 10)
    assert [row.notification.id for _, row in seen] == ["n2", "n0", "n3"]
    seqs = [seq for seq, _ in seen]
    assert seqs == sorted(set(seqs))
    assert seqs[0] > 0
    assert await store.inbox("p1", "inbox", 0, 2) == seen[:2]
    assert await store.inbox("p1", "inbox", seqs[0], 10) == seen[1:]
    assert await store.inbox("p1", "inbox", seqs[-1], 10) == []
    assert [row.notification.id for _, row in await store.inbox("p2", "inbox", 0, 10)] == ["q1"]


# ------------------------------------------------------------------ begun with the commit that makes it


async def made(store, make, effects, ids, now=1000.0):
    frame = await store.append(0, [make.signal(1)], 1000.0)
    return await store.commit_and_begin(0, await store.committed(0), frame.end, effects, ids, now)


async def test_a_row_may_begin_with_the_commit_that_makes_it_and_is_ambiguous_after_a_crash(store, reopen, make):
    rows = [make.notification(id) for id in ("n1", "n2")]
    seqs, begun = await made(store, make, Effects(moments=[make.moment("m1")], notifications=rows), ["n1"])
    assert seqs == [1]
    assert [(row.notification, row.status, row.attempts) for row in begun] == [(rows[0], "sending", 0)]
    assert await due(store) == ["n2"]
    store = await reopen(store)
    assert names(await store.sending()) == ["n1"]
    assert await begin(store, "n1", "n2") == ["n2"]


async def test_a_commit_begins_nothing_that_its_own_effects_cancel_or_hold(store, make):
    effects = Effects(
        notifications=[make.notification("n1"), make.notification("n2", channel="sms"), make.notification("n3")],
        cancels=[Cancel(Reason.LEFT, moment="m-n1")],
        holds=[Hold("channel", "sms", True)],
    )
    _, begun = await made(store, make, effects, ["n1", "n2", "n3"])
    assert names(begun) == ["n3"]
    assert await standing(store, "n1") == ("cancelled", "LEFT")
    assert (await standing(store, "n2"))[0] == "waiting"


async def test_a_commit_begins_nothing_before_its_time_and_buries_what_is_out_of_time(store, make):
    rows = [
        make.notification("early", not_before=1001.0),
        make.notification("late", deadline=1000.0, expires=1000.0),
        make.notification("night", deadline=1000.0),
    ]
    _, begun = await made(store, make, Effects(notifications=rows), ["early", "late", "night"])
    assert begun == []
    assert (await standing(store, "early"))[0] == "waiting"
    assert await standing(store, "late") == ("dead", "EXPIRED")
    assert await standing(store, "night") == ("dead", "QUIET_HOURS")


async def test_what_begins_with_a_commit_stands_as_if_it_had_begun_by_itself(store, make):
    alone, together = make.notification("n1"), make.notification("n2")
    await make.waiting(store, alone)
    _, begun = await made(store, make, Effects(notifications=[together]), ["n2", "n1"])
    assert names(begun) == ["n2", "n1"]
    for row in begun:
        kept = await store.row(row.notification.id)
        assert (kept.notification, kept.status, kept.attempts, kept.due) == (row.notification, "sending", 0, row.due)
        assert (kept.reason, kept.detail) == (row.reason, row.detail) == ("", "")
    assert names(await store.sending()) == ["n1", "n2"]
    assert await store.next_due() is None


@pytest.mark.parametrize("hold", [Hold("all", "", True), Hold("channel", "push", True)])
async def test_a_commit_begins_nothing_that_a_switch_held_before(store, make, hold):
    await made(store, make, Effects(holds=[hold]), [])
    row = make.notification("n1", channel="push")
    _, begun = await made(store, make, Effects(notifications=[row, make.notification("n2", channel="sms")]), ["n1"])
    assert begun == []
    assert (await standing(store, "n1"))[0] == "waiting"
    assert (await standing(store, "n2"))[0] == "waiting"


async def test_a_refused_commit_begins_nothing(store, make):
    await make.waiting(store, make.notification("n1"))
    frame = await store.append(0, [make.signal(1)], 1000.0)
    with pytest.raises(StoreError):
        await store.commit_and_begin(0, 0, frame.end, Effects(notifications=[make.notification("n2")]), ["n1"], 1000.0)
    assert (await standing(store, "n1"))[0] == "waiting"
    assert await store.row("n2") is None


async def test_a_commit_does_not_begin_again_what_was_begun_before(store, make):
    effects = Effects(notifications=[make.notification("n1")])
    assert names((await made(store, make, effects, ["n1"]))[1]) == ["n1"]
    assert (await made(store, make, effects, ["n1"]))[1] == []
