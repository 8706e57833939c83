"""The outbox worker: each channel in its own lane, nothing sent twice, nothing lost."""

import asyncio
from random import Random

from engine.clock import ManualClock
from engine.deliver.lane import LanePolicy
from engine.deliver.worker import Deliverer
from engine.errors import Busy, StoreError
from engine.model.moment import Result


async def test_a_due_row_is_begun_sent_and_recorded(running, outbox, journal, adapter, notification) -> None:
    outbox.add(notification())
    push = adapter()
    await running({"push": push})
    assert push.seen == ["ntf_1"]
    assert outbox["ntf_1"].status == "sent"
    (attempt,) = journal.attempts
    assert (attempt.number, attempt.outcome, attempt.moment) == (1, "sent", "mom_ntf_1")


async def test_a_row_is_sending_before_its_adapter_is_called(running, outbox, adapter, notification) -> None:
    outbox.add(notification())
    seen = []
    await running({"push": adapter(lambda n: seen.append(outbox[n.id].status) or Result("sent"))})
    assert seen == ["sending"]


async def test_wake_brings_new_rows_out_and_sleep_brings_later_ones(
    running, outbox, adapter, notification, clock, quiet
) -> None:
    push = adapter()
    deliverer = await running({"push": push})
    outbox.add(notification("now"), notification("later", not_before=clock.now() + 20))
    deliverer.wake()
    await quiet()
    assert push.seen == ["now"]
    await clock.move(19.0)
    assert push.seen == ["now"]
    await clock.move(1.0)
    assert push.seen == ["now", "later"]


async def test_a_hung_channel_does_not_hold_up_another(running, outbox, adapter, notification, quiet) -> None:
    hung, quick = adapter(), adapter()
    hung.gate = asyncio.Event()
    outbox.add(
        *(notification(f"a{i}", "hung") for i in range(500)), *(notification(f"b{i}", "quick") for i in range(50))
    )
    await running({"hung": hung, "quick": quick}, policies={"hung": LanePolicy(concurrency=4)})
    await quiet()
    assert len(hung.seen) == 4
    assert len(quick.seen) == 50
    assert all(outbox[f"b{i}"].status == "sent" for i in range(50))
    hung.gate.set()
    for _ in range(20):
        await quiet()
    assert len(hung.seen) == 500


async def test_no_more_sends_are_under_way_than_the_channel_allows(
    running, outbox, adapter, notification, quiet
) -> None:
    under_way: list[int] = []
    now = 0

    class Counting(adapter):
        async def send(self, notification):
            nonlocal now
            now += 1
            under_way.append(now)
            await asyncio.sleep(0)
            now -= 1
            return Result("sent")

    outbox.add(*(notification(f"n{i}") for i in range(40)))
    await running({"push": Counting()}, policies={"push": LanePolicy(concurrency=3)})
    for _ in range(10):
        await quiet()
    assert max(under_way) == 3
    assert len(under_way) == 40


async def test_a_failing_send_is_retried_with_growing_waits_until_it_works(
    running, outbox, journal, adapter, notification, clock
) -> None:
    answers = [Result("retry", "503")] * 4 + [Result("sent")]
    push = adapter(lambda n: answers.pop(0))
    outbox.add(notification())
    await running({"push": push}, random=Random(1))
    for _ in range(60):
        await clock.move(1.0)
    assert journal.outcomes("ntf_1") == ["retry"] * 4 + ["sent"]
    assert [a.number for a in journal.attempts] == [1, 2, 3, 4, 5]
    waits = [a.retry_at - a.at for a in journal.attempts[:4]]
    assert all(base <= wait <= base * 1.2 for wait, base in zip(waits, [1, 2, 4, 8], strict=True))
    assert len(set(push.seen)) == 1


async def test_a_send_that_never_works_becomes_a_dead_letter_before_its_deadline(
    outbox, journal, adapter, notification
) -> None:
    clock = ManualClock(1_795_500_000.0)
    outbox.add(notification(lasts=120.0))
    task = asyncio.create_task(Deliverer(outbox, journal, clock, {"push": adapter(Result("retry", "502"))}).run())
    async with asyncio.timeout(10):
        while outbox["ntf_1"].status != "dead":
            await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert journal.attempts[-1].outcome == "failed"
    assert journal.attempts[-1].reason == "EXPIRED"
    assert all(a.at < 1_795_500_000.0 + 120.0 for a in journal.attempts)
    assert 5 <= len(journal.attempts) <= 9


async def test_a_row_past_its_deadline_is_buried_without_a_call(running, outbox, adapter, notification, clock) -> None:
    outbox.add(notification(deadline=clock.now()))
    push = adapter()
    await running({"push": push})
    assert push.seen == []
    assert outbox["ntf_1"].status == "dead"


async def test_a_send_without_answer_is_cut_off_and_its_slot_comes_back(
    running, outbox, journal, adapter, notification
) -> None:
    safe, unsafe = adapter(), adapter(idempotent=False)
    safe.gate = unsafe.gate = asyncio.Event()
    outbox.add(notification("a", "safe"), notification("b", "unsafe"))
    policy = LanePolicy(timeout=0.01)
    deliverer = await running({"safe": safe, "unsafe": unsafe}, policies={"safe": policy, "unsafe": policy})
    async with asyncio.timeout(5):
        while len(journal.attempts) < 2:
            await asyncio.sleep(0.005)
    await asyncio.sleep(0)
    assert journal.outcomes("a") == ["retry"]  # a repeat is harmless
    assert journal.outcomes("b") == ["unknown"]  # nobody knows whether it left: visible, not resent
    assert [status.in_flight for status in deliverer.status()] == [0, 0]


async def test_an_adapter_that_ignores_its_cancellation_loses_only_its_own_slots(
    running, outbox, journal, adapter, notification, quiet
) -> None:
    release = asyncio.Event()

    class Stubborn(adapter):
        async def send(self, notification):
            while not release.is_set():
                try:
                    await release.wait()
                except asyncio.CancelledError:
                    continue
            return Result("sent")

    good = adapter()
    outbox.add(*(notification(f"a{i}", "bad") for i in range(3)))
    policies = {"bad": LanePolicy(concurrency=2, timeout=0.01)}
    deliverer = await running({"bad": Stubborn(), "good": good}, policies=policies)
    async with asyncio.timeout(5):
        while len(journal.attempts) < 2:
            await asyncio.sleep(0.005)
    outbox.add(notification("b", "good"))
    deliverer.wake()
    await quiet()
    assert good.seen == ["b"]
    assert outbox["a2"].status == "waiting"
    assert {s.channel: s.in_flight for s in deliverer.status()} == {"bad": 2, "good": 0}
    release.set()
    await quiet()


async def test_a_raising_adapter_is_retried_and_its_words_are_not_kept(
    running, outbox, journal, adapter, notification
) -> None:
    outbox.add(notification())
    await running({"push": adapter(RuntimeError("https://user:hunter2@example.com"))})
    (attempt,) = journal.attempts
    assert (attempt.outcome, attempt.detail) == ("retry", "the adapter raised RuntimeError")


async def test_a_nonsense_answer_is_retried_only_where_a_repeat_is_harmless(
    running, outbox, journal, adapter, notification
) -> None:
    outbox.add(notification("a", "safe"), notification("b", "unsafe"))
    await running({"safe": adapter("ok"), "unsafe": adapter(None, idempotent=False)})
    assert (journal.outcomes("a"), journal.outcomes("b")) == (["retry"], ["unknown"])


async def test_an_open_breaker_leaves_rows_waiting_visible_and_untried(
    running, outbox, journal, adapter, notification, clock, quiet
) -> None:
    push, mail = adapter(Result("retry", "connection refused")), adapter()
    outbox.add(*(notification(f"n{i}") for i in range(20)))
    policies = {"push": LanePolicy(concurrency=1, failures=5, pause=30.0)}
    deliverer = await running({"push": push, "mail": mail}, policies=policies)
    for _ in range(5):
        await quiet()
    assert len(push.seen) == 5
    assert sum(outbox[f"n{i}"].attempts == 0 and outbox[f"n{i}"].status == "waiting" for i in range(20)) == 15
    (status,) = [s for s in deliverer.status() if s.channel == "push"]
    assert (status.breaker, status.open_until) == ("open", clock.now() + 30.0)
    assert any("'push'" in p and "connection refused" in p for p in deliverer.problems())
    outbox.add(notification("m", "mail"))
    deliverer.wake()
    await quiet()
    assert mail.seen == ["m"]


async def test_a_breaker_probes_with_the_least_tried_row_and_closes_when_it_works(
    running, outbox, adapter, notification, clock, quiet
) -> None:
    answers = {"ok": False}
    push = adapter(lambda n: Result("sent") if answers["ok"] else Result("retry", "down"))
    later = clock.now() + 10.0
    outbox.add(*(notification(f"n{i}", not_before=clock.now() if i < 5 else later) for i in range(8)))
    policies = {"push": LanePolicy(concurrency=1, failures=5, pause=30.0)}
    deliverer = await running({"push": push}, policies=policies)
    for _ in range(5):
        await quiet()
    answers["ok"] = True
    await clock.move(31.0)
    assert push.seen[5] == "n5"  # the retries n0..n4 were due earlier, but have been tried
    for _ in range(5):
        await quiet()
    assert all(outbox[f"n{i}"].status == "sent" for i in range(8))
    assert deliverer.problems() == []


async def test_rows_behind_an_open_breaker_still_run_out_of_time(
    running, outbox, adapter, notification, clock, quiet
) -> None:
    push = adapter(Result("retry", "down"))
    outbox.add(
        *(notification(f"n{i}") for i in range(5)), notification("short", lasts=10.0, not_before=clock.now() + 1)
    )
    await running({"push": push}, policies={"push": LanePolicy(failures=5, pause=300.0)})
    await clock.move(2.0)
    assert outbox["short"].status == "waiting"
    await clock.move(20.0)
    async with asyncio.timeout(5):
        while outbox["short"].status != "dead":
            await asyncio.sleep(0.02)
    assert "short" not in push.seen


async def test_a_result_the_journal_refuses_is_kept_and_nothing_is_sent_again(
    running, outbox, journal, adapter, notification, quiet
) -> None:
    journal.refusals = [Busy("full", after=0.0), StoreError("disk full"), StoreError("disk full")]
    push = adapter()
    outbox.add(notification())
    deliverer = await running({"push": push})
    assert outbox["ntf_1"].status == "sending"
    assert any("results wait for the journal" in p for p in deliverer.problems())
    async with asyncio.timeout(5):
        while outbox["ntf_1"].status != "sent":
            deliverer.wake()
            await asyncio.sleep(0.005)
    await quiet()
    assert push.seen == ["ntf_1"]
    assert len(journal.attempts) == 1
    assert journal.calls == 4
    assert deliverer.problems() == []


async def test_a_held_channel_sends_nothing_until_it_is_released(running, outbox, adapter, notification, quiet) -> None:
    outbox.held.add("push")
    outbox.add(notification())
    push = adapter()
    deliverer = await running({"push": push})
    assert push.seen == []
    outbox.held.clear()
    deliverer.wake()
    await quiet()
    assert push.seen == ["ntf_1"]


async def test_a_store_in_trouble_is_asked_again_and_said(running, outbox, adapter, notification) -> None:
    outbox.begin_fails = "before"
    outbox.add(notification())
    push = adapter()
    deliverer = await running({"push": push})
    assert deliverer.problems() == ["outbox: the disk is full"]
    assert push.seen == []
    outbox.begin_fails = None
    async with asyncio.timeout(5):
        while not push.seen:
            deliverer.wake()
            await asyncio.sleep(0.005)
    assert push.seen == ["ntf_1"]


async def test_rows_taken_by_a_begin_that_then_failed_go_back_to_waiting(
    running, outbox, journal, adapter, notification, clock, quiet
) -> None:
    outbox.begin_fails = "after"
    outbox.add(notification())
    push = adapter()
    deliverer = await running({"push": push})
    assert outbox["ntf_1"].status == "sending"
    outbox.begin_fails = None
    deliverer.wake()
    await quiet()
    assert journal.outcomes("ntf_1") == ["retry"]
    assert push.seen == []
    await clock.move(2.0)
    assert push.seen == ["ntf_1"]
    assert outbox["ntf_1"].status == "sent"


async def test_cancelling_lets_sends_under_way_finish_and_begins_no_more(
    outbox, journal, adapter, notification, clock, quiet
) -> None:
    push = adapter()
    push.gate = asyncio.Event()
    outbox.add(notification("a"), notification("b"))
    deliverer = Deliverer(
        outbox, journal, clock, {"push": push}, policies={"push": LanePolicy(concurrency=1)}, grace=5.0
    )
    task = asyncio.create_task(deliverer.run())
    await quiet()
    task.cancel()
    await quiet()
    push.gate.set()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    assert outbox["a"].status == "sent"
    assert (push.seen, outbox["b"].status) == (["a"], "waiting")


async def test_sends_that_outlive_the_grace_stay_sending_for_recover(
    outbox, journal, adapter, notification, clock, quiet
) -> None:
    push = adapter()
    push.gate = asyncio.Event()
    outbox.add(notification("a"))
    task = asyncio.create_task(Deliverer(outbox, journal, clock, {"push": push}, grace=0.01).run())
    await quiet()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert (outbox["a"].status, journal.attempts) == ("sending", [])
    assert push.cut_off == 1
    again = adapter()
    await Deliverer(outbox, journal, clock, {"push": again}).recover()
    assert outbox["a"].status == "waiting"


async def test_recover_resends_only_through_adapters_that_carry_the_id(
    running, outbox, journal, adapter, notification, clock
) -> None:
    outbox.add(
        notification("safe", "hook"), notification("unsafe", "console"), notification("gone", "fax"), status="sending"
    )
    outbox.add(notification("left", "fax"))
    hook, console = adapter(), adapter(idempotent=False)
    deliverer = Deliverer(outbox, journal, clock, {"hook": hook, "console": console})
    await deliverer.recover()
    assert outbox["safe"].status == "waiting"
    assert (outbox["unsafe"].status, outbox["unsafe"].reason) == ("unknown", "AMBIGUOUS")
    assert outbox["gone"].status == "unknown"
    assert (outbox["left"].status, outbox["left"].reason) == ("dead", "NO_CHANNEL")
    await running({"hook": hook, "console": console})
    assert (hook.seen, console.seen) == (["safe"], [])
    assert journal.outcomes("safe") == ["retry", "sent"]


async def test_a_row_the_store_calls_waiting_is_not_sent_while_its_result_is_still_being_recorded(
    running, outbox, journal, adapter, notification, clock, quiet
) -> None:
    journal.lies = [StoreError("the answer was lost")]
    push = adapter(Result("retry", "503"))
    outbox.add(notification())
    deliverer = await running({"push": push})
    assert outbox["ntf_1"].status == "waiting"  # the record is in, the worker does not know yet
    await clock.move(2.0)
    deliverer.wake()
    await quiet()
    assert push.seen == ["ntf_1"]


async def test_rows_begun_while_stopping_are_still_sent(outbox, journal, adapter, notification, clock, quiet) -> None:
    push = adapter()
    outbox.begin_gate = asyncio.Event()
    outbox.add(notification())
    task = asyncio.create_task(Deliverer(outbox, journal, clock, {"push": push}, grace=5.0).run())
    await quiet()
    task.cancel()
    await quiet()
    outbox.begin_gate.set()
    await asyncio.gather(task, return_exceptions=True)
    assert outbox["ntf_1"].status == "sent"
