"""From the outbox to the far side: tries, the second channel, dead letters, and neighbours that do not suffer."""

HELLO = """
rules:
  hello:
    when:
      event: hi
    message:
      title: Hello
"""
TWO = HELLO.replace("message:", "message:\n      channels: push, then inbox")
SLOW = HELLO + HELLO.replace("rules:\n", "").replace("hello", "other").replace("hi", "ho").replace(
    "message:", "message:\n      channels: slow"
)
DECIDE = 'quiet_hours = "none"\ncaps = []\n'


async def test_a_failed_try_is_repeated_under_the_same_id(begin) -> None:
    story = await begin(HELLO, DECIDE)
    story.sink.answers["push"] = [503, 500]
    await story.event("anna")
    await story.time("Mon 12:15")
    assert [m["answer"] for m in story.sink.got] == [503, 500, 200]
    assert len({m["id"] for m in story.sink.got}) == 1
    assert await story.outbox() == ["push sent"]
    moment = (await story.here.moments())[0]
    assert (await story.here.get(f"/v1/moments/{moment['id']}"))["attempts"][0]["attempts"] == 3


async def test_a_message_that_is_refused_for_good_is_a_dead_letter_and_counts_for_nothing(begin) -> None:
    story = await begin(HELLO, DECIDE)
    story.sink.answers["push"] = [422]
    await story.event("anna")
    dead = (await story.here.get("/v1/outbox", status="dead"))["rows"]
    assert [(row["reason"], row["person"]) for row in dead] == [("REJECTED", "anna")]
    await story.event("anna")
    assert story.told() == ["Mon 12:00 anna hello"], "what was given back leaves no cooldown"


async def test_tries_end_with_the_time_of_the_message(begin) -> None:
    story = await begin(HELLO, DECIDE)
    story.sink.answers["push"] = [503] * 50
    await story.event("anna")
    await story.time("Mon 13:00")
    assert max(m["at"] for m in story.sink.got) < story.instant("Mon 12:15")
    assert await story.outbox() == ["push dead EXPIRED"]


async def test_the_second_channel_is_tried_when_the_first_refuses(begin) -> None:
    story = await begin(TWO, DECIDE)
    story.sink.answers["push"] = [422]
    await story.event("anna")
    assert await story.outbox() == ["push dead REJECTED", "inbox sent"]
    await story.event("anna")
    assert len(story.sink.got) == 1, "it was sent: the cooldown stands"


async def test_the_second_channel_is_not_used_when_the_first_took_it(begin) -> None:
    story = await begin(TWO, DECIDE)
    await story.event("anna")
    assert await story.outbox() == ["push sent"]


async def test_no_second_channel_against_a_consent_withdrawn_since(begin) -> None:
    story = await begin(TWO, DECIDE)
    story.sink.answers["push"] = [503, 422]
    await story.event("anna")
    await story.patch("anna", consent={"inbox": False})
    await story.time("Mon 12:14")
    assert await story.outbox() == ["push dead REJECTED"]


async def test_an_endpoint_that_hangs_holds_up_no_other_channel_and_no_signal(begin) -> None:
    story = await begin(SLOW, DECIDE)
    story.sink.answers["slow"] = ["hang"] * 100
    for n in range(70):
        await story.here.post("/v1/signals", {"device": f"s{n}", "event": "ho", "id": "1"})
    await story.event("anna")
    assert story.told() == ["Mon 12:00 anna hello"]
    story.sink.open.set()
